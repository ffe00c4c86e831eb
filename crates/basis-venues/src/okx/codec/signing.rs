//! Keys and signatures: HMAC-SHA256 with a shared secret, beside a passphrase.

use std::fmt;

use aws_lc_rs::hmac;
use basis_core::secret::Secret;

use crate::wire::HeaderSigner;
use crate::wire::encoding::base64;

/// A key of the account: its name, its passphrase and what signs. It cannot be printed.
pub struct Keys {
    api_key: Secret,
    passphrase: Secret,
    key: hmac::Key,
}

/// A secret that is no key. The message never holds the secret.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum KeyError {
    /// Nothing there.
    #[error("the secret is empty")]
    Empty,
    /// No passphrase.
    #[error("the passphrase is empty; it was chosen when the key was made")]
    NoPassphrase,
    /// A private key of another kind.
    #[error("the secret is a PEM block; the venue signs with HMAC secrets alone")]
    Pem,
}

impl Keys {
    /// A key with the name `api_key` that signs with `secret`.
    ///
    /// # Errors
    /// [`KeyError`] when something is missing, or `secret` is a PEM block.
    pub fn new(api_key: Secret, secret: &Secret, passphrase: Secret) -> Result<Self, KeyError> {
        let text = secret.expose().trim();
        if text.is_empty() {
            return Err(KeyError::Empty);
        }
        if text.starts_with("-----BEGIN") {
            return Err(KeyError::Pem);
        }
        if passphrase.expose().is_empty() {
            return Err(KeyError::NoPassphrase);
        }
        let key = hmac::Key::new(hmac::HMAC_SHA256, text.as_bytes());
        Ok(Self {
            api_key,
            passphrase,
            key,
        })
    }
}

impl HeaderSigner for Keys {
    fn api_key(&self) -> &Secret {
        &self.api_key
    }

    fn passphrase(&self) -> Option<&Secret> {
        Some(&self.passphrase)
    }

    fn sign(&self, text: &str) -> Secret {
        Secret::new(base64(hmac::sign(&self.key, text.as_bytes()).as_ref()))
    }
}

impl fmt::Debug for Keys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Keys { HMAC-SHA256 }")
    }
}
