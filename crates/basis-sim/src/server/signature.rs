//! Keys and their signatures: HMAC-SHA256 as hex in either case or as base64, Ed25519 and RSA as base64.

use std::fmt;

use aws_lc_rs::hmac;
use aws_lc_rs::signature::{ED25519, RSA_PKCS1_2048_8192_SHA256, UnparsedPublicKey};

use super::http::hex;

/// What a key's signatures are checked with.
#[derive(Clone)]
pub enum Verifier {
    /// The shared secret; signatures are hex.
    Hmac(Vec<u8>),
    /// The shared secret; signatures are base64.
    HmacBase64(Vec<u8>),
    /// The 32 bytes of the public key.
    Ed25519([u8; 32]),
    /// The public key, as ASN.1 (DER); signatures are PKCS#1 v1.5 of SHA-256.
    Rsa(Vec<u8>),
}

impl fmt::Debug for Verifier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Hmac(_) => "Hmac(…)",
            Self::HmacBase64(_) => "HmacBase64(…)",
            Self::Ed25519(_) => "Ed25519(…)",
            Self::Rsa(_) => "Rsa(…)",
        })
    }
}

impl Verifier {
    /// Tells whether `signature`, percent-decoded, is that of `payload`.
    #[must_use]
    pub fn accepts(&self, payload: &[u8], signature: &str) -> bool {
        match self {
            Self::Hmac(secret) => {
                let key = hmac::Key::new(hmac::HMAC_SHA256, secret);
                hex_bytes(signature).is_some_and(|tag| hmac::verify(&key, payload, &tag).is_ok())
            }
            Self::HmacBase64(secret) => {
                let key = hmac::Key::new(hmac::HMAC_SHA256, secret);
                base64_bytes(signature).is_some_and(|tag| hmac::verify(&key, payload, &tag).is_ok())
            }
            Self::Ed25519(public) => {
                let key = UnparsedPublicKey::new(&ED25519, public);
                base64_bytes(signature).is_some_and(|tag| key.verify(payload, &tag).is_ok())
            }
            Self::Rsa(public) => {
                let key = UnparsedPublicKey::new(&RSA_PKCS1_2048_8192_SHA256, public);
                base64_bytes(signature).is_some_and(|tag| key.verify(payload, &tag).is_ok())
            }
        }
    }

    /// Tells whether it is the kind that `session.logon` asks for.
    pub(super) const fn is_ed25519(&self) -> bool {
        matches!(self, Self::Ed25519(_))
    }
}

fn hex_bytes(text: &str) -> Option<Vec<u8>> {
    let digits: Option<Vec<u8>> = text.bytes().map(hex).collect();
    let digits = digits?;
    let (pairs, rest) = digits.as_chunks::<2>();
    let bytes = pairs.iter().map(|[high, low]| high << 4 | low);
    rest.is_empty().then(|| bytes.collect())
}

fn base64_bytes(text: &str) -> Option<Vec<u8>> {
    let text = text.trim_end_matches('=');
    let mut bytes = Vec::with_capacity(text.len() * 3 / 4);
    let (mut bits, mut held) = (0_u32, 0_u32);
    for letter in text.bytes() {
        let six = match letter {
            b'A'..=b'Z' => letter - b'A',
            b'a'..=b'z' => letter - b'a' + 26,
            b'0'..=b'9' => letter - b'0' + 52,
            b'+' => 62,
            b'/' => 63,
            _ => return None,
        };
        bits = bits << 6 | u32::from(six);
        held += 6;
        if held >= 8 {
            held -= 8;
            bytes.push(u8::try_from(bits >> held & 0xff).ok()?);
        }
    }
    Some(bytes)
}
