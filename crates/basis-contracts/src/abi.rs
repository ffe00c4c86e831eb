//! The contract ABI, as far as the markets need it: words, addresses, bytes, arrays and structs.
//!
//! [`call`] takes the signature as Solidity prints it (`"mint(address,uint256)"`), the arguments come
//! from [`args!`](crate::args). Nothing checks that they fit the signature: the contract does.

use crate::{Address, I256, U256, keccak256};

/// One argument.
#[derive(Clone, Debug)]
pub enum Token {
    /// Anything of one word: numbers, addresses, flags, `bytes32`.
    Word(U256),
    /// `bytes` or `string`.
    Bytes(Vec<u8>),
    /// `T[]`.
    Array(Vec<Self>),
    /// A struct, or `T[n]`: dynamic when one of its fields is.
    Tuple(Vec<Self>),
}

impl Token {
    fn is_dynamic(&self) -> bool {
        match self {
            Self::Word(_) => false,
            Self::Bytes(_) | Self::Array(_) => true,
            Self::Tuple(fields) => fields.iter().any(Self::is_dynamic),
        }
    }

    /// Bytes the token takes in the head of what holds it.
    fn head_size(&self) -> usize {
        match self {
            Self::Tuple(fields) if !self.is_dynamic() => fields.iter().map(Self::head_size).sum(),
            _ => 32,
        }
    }

    fn write(&self, out: &mut Vec<u8>) {
        match self {
            Self::Word(word) => out.extend(word.to_be_bytes::<32>()),
            Self::Bytes(bytes) => {
                out.extend(U256::from(bytes.len()).to_be_bytes::<32>());
                out.extend(bytes);
                out.resize(out.len().next_multiple_of(32), 0);
            }
            Self::Array(items) => {
                out.extend(U256::from(items.len()).to_be_bytes::<32>());
                out.extend(encode(items));
            }
            Self::Tuple(fields) => out.extend(encode(fields)),
        }
    }
}

/// Encodes arguments without a selector: constructors, `abi.encode`.
pub fn encode(tokens: &[Token]) -> Vec<u8> {
    let mut head = Vec::with_capacity(tokens.len() * 32);
    let mut tail = Vec::new();
    let head_size: usize = tokens.iter().map(Token::head_size).sum();
    for token in tokens {
        if token.is_dynamic() {
            head.extend(U256::from(head_size + tail.len()).to_be_bytes::<32>());
            token.write(&mut tail);
        } else {
            token.write(&mut head);
        }
    }
    head.extend(tail);
    head
}

/// Encodes a call of `signature`.
pub fn call(signature: &str, tokens: &[Token]) -> Vec<u8> {
    let mut data = keccak256(signature)[..4].to_vec();
    data.extend(encode(tokens));
    data
}

/// Makes the tokens of a call from plain values: `args![owner, 5_u64, true]`.
#[macro_export]
macro_rules! args {
    ($($value:expr),* $(,)?) => {
        &[$($crate::abi::Token::from($value)),*][..]
    };
}

macro_rules! words {
    ($($from:ty),*) => {$(
        impl From<$from> for Token {
            fn from(value: $from) -> Self {
                Self::Word(U256::from(value))
            }
        }
    )*};
}
words!(u8, u16, u32, u64, u128, U256, bool);

macro_rules! signed_words {
    ($($from:ty),*) => {$(
        impl From<$from> for Token {
            fn from(value: $from) -> Self {
                Self::Word(I256::try_from(value).unwrap().into_raw())
            }
        }
    )*};
}
signed_words!(i8, i16, i32, i64, i128);

impl From<I256> for Token {
    fn from(value: I256) -> Self {
        Self::Word(value.into_raw())
    }
}

impl From<Address> for Token {
    fn from(value: Address) -> Self {
        Self::Word(from_address(value))
    }
}

impl From<super::B256> for Token {
    fn from(value: super::B256) -> Self {
        Self::Word(value.into())
    }
}

impl From<&str> for Token {
    fn from(value: &str) -> Self {
        Self::Bytes(value.as_bytes().to_vec())
    }
}

impl From<Vec<u8>> for Token {
    fn from(value: Vec<u8>) -> Self {
        Self::Bytes(value)
    }
}

impl From<Vec<Self>> for Token {
    fn from(items: Vec<Self>) -> Self {
        Self::Array(items)
    }
}

/// Makes a struct.
pub fn tuple(fields: &[Token]) -> Token {
    Token::Tuple(fields.to_vec())
}

/// Returns the `n`th word of an answer; words beyond its end are an error of the test.
pub fn word(bytes: &[u8], n: usize) -> U256 {
    let at = n * 32;
    let word = bytes.get(at..at + 32);
    U256::from_be_slice(word.expect("the answer has that word"))
}

/// Returns the string whose offset is the `n`th word.
pub fn text(bytes: &[u8], n: usize) -> String {
    let at: usize = word(bytes, n).to();
    let length: usize = word(&bytes[at..], 0).to();
    String::from_utf8_lossy(&bytes[at + 32..at + 32 + length]).into_owned()
}

/// Returns the address in a word.
pub fn to_address(word: U256) -> Address {
    Address::from_word(word.into())
}

/// Returns the word of an address.
pub fn from_address(address: Address) -> U256 {
    address.into_word().into()
}

/// Returns the slot of `key` in the mapping at `slot`: `keccak256(key . slot)`.
pub fn mapping_slot(key: U256, slot: U256) -> U256 {
    let mut bytes = [0; 64];
    bytes[..32].copy_from_slice(&key.to_be_bytes::<32>());
    bytes[32..].copy_from_slice(&slot.to_be_bytes::<32>());
    keccak256(bytes).into()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The example of the ABI's specification: `f(uint256,uint32[],bytes10,bytes)`.
    #[test]
    fn arrays_and_bytes_are_encoded_as_in_the_specification() {
        let ten = U256::from_be_slice(b"1234567890") << 176;
        let list = vec![Token::from(0x456_u32), Token::from(0x789_u32)];
        let data = call(
            "f(uint256,uint32[],bytes10,bytes)",
            args![0x123_u32, list, ten, "Hello, world!"],
        );
        assert_eq!(data[..4], [0x8b, 0xe6, 0x52, 0x46]);
        let words: Vec<_> = (0..9).map(|n| word(&data[4..], n)).collect();
        let hello = U256::from_be_slice(b"Hello, world!") << 152;
        let small = |n: u32| U256::from(n);
        let expected = [
            small(0x123),
            small(0x80),
            ten,
            small(0xe0),
            small(2),
            small(0x456),
            small(0x789),
            small(13),
            hello,
        ];
        assert_eq!(words, expected);
        assert_eq!(data.len(), 4 + 9 * 32);
    }

    #[test]
    fn a_struct_is_in_place_unless_one_of_its_fields_is_dynamic() {
        let fixed = tuple(args![1_u8, true]);
        assert_eq!(encode(args![7_u8, fixed]).len(), 3 * 32);
        let dynamic = encode(args![7_u8, tuple(args![1_u8, "ab"])]);
        // 7, offset of the struct; 1, offset of the string, its length, its bytes.
        assert_eq!(dynamic.len(), 6 * 32);
        assert_eq!(word(&dynamic, 1), U256::from(64));
        assert_eq!(text(&dynamic[64..], 1), "ab");
    }

    #[test]
    fn negative_numbers_fill_the_word() {
        assert_eq!(encode(args![-1_i32]), [0xff; 32]);
    }
}
