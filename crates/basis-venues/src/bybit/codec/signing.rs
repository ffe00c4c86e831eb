//! Keys and signatures: HMAC-SHA256 with a shared secret, RSA with a private key.
//!
//! A key knows its own kind: a secret that is a PEM block is an RSA private key (PKCS#8), any other text is
//! an HMAC secret.

use std::fmt;

use aws_lc_rs::hmac;
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{RSA_PKCS1_SHA256, RsaKeyPair};
use basis_core::secret::Secret;

use crate::wire::HeaderSigner;
use crate::wire::encoding::{base64, hex, pem_body};

/// A key of the account: its name and what signs. It cannot be printed.
pub struct Keys {
    api_key: Secret,
    kind: Kind,
}

enum Kind {
    Hmac(Box<hmac::Key>),
    Rsa(Box<RsaKeyPair>),
}

/// A secret that is no key. The message never holds the secret.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum KeyError {
    /// Nothing there.
    #[error("the secret is empty")]
    Empty,
    /// A PEM block that is no RSA private key in PKCS#8.
    #[error(
        "the secret is a PEM block but no RSA private key of 2048 bits or more in PKCS#8 (BEGIN PRIVATE KEY); \
         make such a key, or an HMAC key"
    )]
    NotRsa,
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
            let der = pem_body(text).ok_or(KeyError::NotRsa)?;
            // The library's reason may quote the key: it is dropped.
            let pair = RsaKeyPair::from_pkcs8(&der).ok().ok_or(KeyError::NotRsa)?;
            Kind::Rsa(Box::new(pair))
        } else {
            Kind::Hmac(Box::new(hmac::Key::new(hmac::HMAC_SHA256, text.as_bytes())))
        };
        Ok(Self { api_key, kind })
    }
}

impl HeaderSigner for Keys {
    fn api_key(&self) -> &Secret {
        &self.api_key
    }

    /// Hexadecimal for HMAC, base64 for RSA.
    fn sign(&self, text: &str) -> Secret {
        Secret::new(match &self.kind {
            Kind::Hmac(key) => hex(hmac::sign(key, text.as_bytes()).as_ref()),
            Kind::Rsa(pair) => {
                let mut signature = vec![0; pair.public_modulus_len()];
                let random = SystemRandom::new();
                // PKCS#1 v1.5 draws nothing: the same text has the same signature.
                let signed = pair.sign(&RSA_PKCS1_SHA256, &random, text.as_bytes(), &mut signature);
                // An empty signature is refused by the venue, by its own code.
                signed.map_or_else(|_failed| String::new(), |()| base64(&signature))
            }
        })
    }
}

impl fmt::Debug for Keys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let kind = match self.kind {
            Kind::Hmac(_) => "HMAC-SHA256",
            Kind::Rsa(_) => "RSA-SHA256",
        };
        write!(f, "Keys {{ {kind} }}")
    }
}
