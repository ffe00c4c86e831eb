//! Keys and signatures: HMAC-SHA256 with a shared secret, Ed25519 with a private key.
//!
//! A key knows its own kind: a secret that is a PEM block is an Ed25519 private key (PKCS#8), any other text
//! is an HMAC secret. RSA keys are refused.

use std::fmt;

use aws_lc_rs::hmac;
use aws_lc_rs::signature::Ed25519KeyPair;
use basis_core::secret::Secret;

use super::request::Signer;
use crate::wire::encoding::{base64, hex, pem_body};

/// A key of the account: its name and what signs. It cannot be printed.
pub struct Keys {
    api_key: Secret,
    kind: Kind,
}

enum Kind {
    Hmac(Box<hmac::Key>),
    Ed25519(Box<Ed25519KeyPair>),
}

/// A secret that is no key. The message never holds the secret.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum KeyError {
    /// Nothing there.
    #[error("the secret is empty")]
    Empty,
    /// A PEM block that is no Ed25519 private key in PKCS#8.
    #[error(
        "the secret is a PEM block but no Ed25519 private key in PKCS#8 (BEGIN PRIVATE KEY); RSA keys are not \
         supported, make an Ed25519 or an HMAC key"
    )]
    NotEd25519,
}

impl Keys {
    /// A key with the name `api_key` that signs with `secret`.
    ///
    /// # Errors
    /// [`KeyError`] when `secret` is empty, or a PEM block of something else.
    pub fn new(api_key: Secret, secret: &Secret) -> Result<Self, KeyError> {
        let text = secret.expose().trim();
        let kind = if text.is_empty() {
            return Err(KeyError::Empty);
        } else if text.starts_with("-----BEGIN") {
            let der = pem_body(text).ok_or(KeyError::NotEd25519)?;
            let pair = Ed25519KeyPair::from_pkcs8(&der);
            // The library's reason may quote the key: it is dropped.
            let pair = pair.ok().ok_or(KeyError::NotEd25519)?;
            Kind::Ed25519(Box::new(pair))
        } else {
            Kind::Hmac(Box::new(hmac::Key::new(hmac::HMAC_SHA256, text.as_bytes())))
        };
        Ok(Self { api_key, kind })
    }

    /// Whether a WebSocket session can log on with it: that takes Ed25519.
    #[must_use]
    pub const fn can_log_on(&self) -> bool {
        matches!(self.kind, Kind::Ed25519(_))
    }

    /// Returns the signature of `text` as the venue documents it: hex for HMAC, base64 for Ed25519.
    #[must_use]
    pub fn sign(&self, text: &str) -> Secret {
        let text = text.as_bytes();
        Secret::new(match &self.kind {
            Kind::Hmac(key) => hex(hmac::sign(key, text).as_ref()),
            Kind::Ed25519(pair) => base64(pair.sign(text).as_ref()),
        })
    }
}

impl Signer for Keys {
    fn api_key(&self) -> &Secret {
        &self.api_key
    }

    fn sign(&self, text: &str) -> Secret {
        Self::sign(self, text)
    }
}

impl fmt::Debug for Keys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let kind = match self.kind {
            Kind::Hmac(_) => "HMAC-SHA256",
            Kind::Ed25519(_) => "Ed25519",
        };
        write!(f, "Keys {{ {kind} }}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_that_is_no_key_is_refused_without_being_quoted() {
        let refused = |text: &str| {
            Keys::new(
                Secret::new("name".to_owned()),
                &Secret::new(text.to_owned()),
            )
            .unwrap_err()
        };
        assert_eq!(refused("  "), KeyError::Empty);
        for pem in [
            "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----",
            "-----BEGIN RSA PRIVATE KEY-----\nAAAA\n-----END RSA PRIVATE KEY-----",
            "-----BEGIN PRIVATE KEY-----\nA*A\n-----END PRIVATE KEY-----",
        ] {
            let e = refused(pem);
            assert_eq!(e, KeyError::NotEd25519);
            assert!(!e.to_string().contains("AAAA"));
        }
    }

    #[test]
    fn keys_cannot_be_printed() {
        let keys = Keys::new(
            Secret::new("thename".to_owned()),
            &Secret::new("thesecret".to_owned()),
        );
        let keys = keys.unwrap();
        let text = format!("{keys:?} {keys:#?} {:?}", keys.sign("x"));
        assert!(
            !text.contains("thename") && !text.contains("thesecret"),
            "{text}"
        );
        assert!(!text.contains(keys.sign("x").expose()), "{text}");
    }
}
