//! Short inline text: copied, compared and hashed without touching the heap.

use std::cmp::Ordering;
use std::fmt;
use std::hash::{Hash, Hasher};
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// The longest label in bytes.
const CAPACITY: usize = 23;

/// Short ASCII text of 1 to 23 bytes out of `A-Z a-z 0-9 _ - / : +`, held inline.
///
/// Every open identifier (venue, asset, symbol, account name) is one, so that ledger entries and
/// market keys are `Copy` and never allocate in the loop. Equality, order and hash work on three
/// words instead of a text: maps keyed by venues and symbols are read at every step.
#[derive(Clone, Copy)]
pub struct Label {
    /// The text, padded with zeros; the last byte is the length.
    chunks: [[u8; 8]; 3],
}

/// Why a text is no label.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum LabelError {
    /// Empty text, or more bytes than a label holds.
    #[error("`{text}` has {} bytes, a name has 1 to 23", .text.len())]
    Length {
        /// The refused text.
        text: String,
    },
    /// A character outside the allowed set.
    #[error("`{text}` contains `{found}`; a name is made of letters, digits and _ - / : +")]
    Character {
        /// The refused text.
        text: String,
        /// The first offending character.
        found: char,
    },
}

impl Label {
    /// Checks and copies `text`.
    ///
    /// # Errors
    /// [`LabelError`] when `text` is empty, longer than 23 bytes or has another character.
    pub fn new(text: &str) -> Result<Self, LabelError> {
        if text.is_empty() || text.len() > CAPACITY {
            return Err(LabelError::Length {
                text: text.to_owned(),
            });
        }
        let allowed = |c: &char| c.is_ascii_alphanumeric() || "_-/:+".contains(*c);
        if let Some(found) = text.chars().find(|c| !allowed(c)) {
            return Err(LabelError::Character {
                text: text.to_owned(),
                found,
            });
        }
        Ok(Self::literal(text))
    }

    /// The label of a literal known to be good; for constants.
    ///
    /// # Panics
    /// At compile time in a `const`, when the text is empty or longer than 23 bytes.
    #[must_use]
    #[expect(
        clippy::indexing_slicing,
        reason = "bounds asserted above; const fn has no get"
    )]
    #[expect(
        clippy::cast_possible_truncation,
        reason = "length asserted at most 23"
    )]
    pub const fn literal(text: &str) -> Self {
        let source = text.as_bytes();
        assert!(
            !source.is_empty() && source.len() <= CAPACITY,
            "invariant: 1 to 23 bytes"
        );
        let mut chunks = [[0; 8]; 3];
        let mut at = 0;
        while at < source.len() {
            chunks[at / 8][at % 8] = source[at];
            at += 1;
        }
        chunks[2][7] = source.len() as u8;
        Self { chunks }
    }

    /// The text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        let [_, _, [.., length]] = self.chunks;
        let used = self
            .chunks
            .as_flattened()
            .get(..usize::from(length))
            .unwrap_or_default();
        std::str::from_utf8(used).unwrap_or_default()
    }

    /// The bytes as big-endian words: their order is the order of the texts, because no text holds a
    /// zero.
    const fn words(&self) -> [u64; 3] {
        let [first, second, third] = self.chunks;
        [
            u64::from_be_bytes(first),
            u64::from_be_bytes(second),
            u64::from_be_bytes(third),
        ]
    }
}

impl PartialEq for Label {
    #[inline]
    fn eq(&self, other: &Self) -> bool {
        // Word by word as they lie in memory: most names differ in the first.
        let [first, second, third] = self.chunks.map(u64::from_ne_bytes);
        let [other_first, other_second, other_third] = other.chunks.map(u64::from_ne_bytes);
        first == other_first && second == other_second && third == other_third
    }
}

impl Eq for Label {}

impl PartialOrd for Label {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Label {
    #[inline]
    fn cmp(&self, other: &Self) -> Ordering {
        self.words().cmp(&other.words())
    }
}

impl Hash for Label {
    fn hash<H: Hasher>(&self, state: &mut H) {
        // The other byte order than for comparing: multiplying hashes carry upward, and names differ
        // at their beginning.
        for chunk in self.chunks {
            state.write_u64(u64::from_le_bytes(chunk));
        }
    }
}

impl fmt::Display for Label {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl fmt::Debug for Label {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "`{}`", self.as_str())
    }
}

impl FromStr for Label {
    type Err = LabelError;
    fn from_str(text: &str) -> Result<Self, LabelError> {
        Self::new(text)
    }
}

impl Serialize for Label {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}

impl<'de> Deserialize<'de> for Label {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = std::borrow::Cow::<'de, str>::deserialize(deserializer)?;
        Self::new(&text).map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn label_keeps_text_and_order() {
        let a = Label::new("BTC-USDT-SWAP").unwrap();
        assert_eq!(a.as_str(), "BTC-USDT-SWAP");
        assert!(Label::literal("BTC") < Label::literal("BTD"));
        let mut words = [
            "okx",
            "b",
            "binance",
            "binance2",
            "BTCUSDT",
            "BTCUSD",
            "abcdefgh",
            "abcdefghi",
        ];
        let mut labels = words.map(Label::literal);
        words.sort_unstable();
        labels.sort_unstable();
        assert_eq!(labels.map(|label| label.as_str().to_owned()), words);
        assert_eq!(std::mem::size_of::<Label>(), 24);
    }

    #[test]
    fn label_refuses_empty_long_and_strange_text() {
        assert!(matches!(Label::new(""), Err(LabelError::Length { .. })));
        assert!(matches!(
            Label::new("a-name-of-twenty-four-by"),
            Err(LabelError::Length { .. })
        ));
        assert!(matches!(
            Label::new("a b"),
            Err(LabelError::Character { found: ' ', .. })
        ));
        assert!(matches!(
            Label::new("né"),
            Err(LabelError::Character { found: 'é', .. })
        ));
    }
}
