//! One request before and after it gets its stamp and signature.

use basis_core::secret::Secret;
use basis_core::transport::Request;

use super::endpoint::{Network, NoSuchHost, Product};
use super::params::{Params, millis, percent_encode};
pub use crate::wire::{Effect, Masked, Stamp};

/// What a request must carry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Security {
    /// Nothing: market data.
    Public,
    /// The key's name in a header.
    ApiKey,
    /// Key, time stamp and signature.
    Signed,
}

/// A request without host, stamp and signature.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Draft {
    /// Which host.
    pub product: Product,
    /// `GET`, `POST`, `PUT` or `DELETE`.
    pub method: &'static str,
    /// From `/`.
    pub path: &'static str,
    /// Stamp and signature excepted.
    pub params: Params,
    /// What it must carry.
    pub security: Security,
    /// What it does.
    pub effect: Effect,
}

/// Who signs.
pub trait Signer {
    /// Returns the name of the key, for the header.
    fn api_key(&self) -> &Secret;

    /// Returns the signature of `text` as it stands in a text frame: hex or base64.
    fn sign(&self, text: &str) -> Secret;

    /// Returns the signature of `text` as it stands in a query string, percent-encoded where it needs to be.
    fn signature(&self, text: &str) -> Secret {
        let signature = self.sign(text);
        let mut encoded = String::with_capacity(128);
        percent_encode(signature.expose(), &mut encoded);
        Secret::new(encoded)
    }
}

impl Signer for Masked {
    fn api_key(&self) -> &Secret {
        self.secret()
    }

    fn sign(&self, _text: &str) -> Secret {
        Secret::new(Self::TEXT.to_owned())
    }
}

impl Draft {
    /// A read of `product`.
    pub(super) const fn read(
        product: Product,
        path: &'static str,
        security: Security,
        params: Params,
    ) -> Self {
        Self {
            product,
            method: "GET",
            path,
            params,
            security,
            effect: Effect::Read,
        }
    }

    /// A signed request that acts.
    pub(super) const fn act(
        product: Product,
        method: &'static str,
        path: &'static str,
        params: Params,
    ) -> Self {
        Self {
            product,
            method,
            path,
            params,
            security: Security::Signed,
            effect: Effect::Act,
        }
    }

    /// Returns the text that is signed: parameters, window and stamp, as they are sent. Everything is in the
    /// query string, so the body is empty and adds nothing.
    #[must_use]
    pub fn signed_text(&self, stamp: Stamp) -> String {
        let mut text = String::new();
        self.write_signed(stamp, &mut text);
        text
    }

    fn write_signed(&self, stamp: Stamp, text: &mut String) {
        self.params.encode_into(text);
        if !self.params.pairs().is_empty() {
            text.push('&');
        }
        text.push_str("recvWindow=");
        text.push_str(&stamp.window_millis().to_string());
        text.push_str("&timestamp=");
        text.push_str(&millis(stamp.at()).to_string());
    }

    /// Returns the exact request: stamped and signed where it must be.
    ///
    /// # Errors
    /// [`NoSuchHost`] when the network does not have the product.
    pub fn finish(
        &self,
        network: Network,
        stamp: Stamp,
        signer: &dyn Signer,
    ) -> Result<Request, NoSuchHost> {
        Ok(self.finish_at(network.rest(self.product)?, stamp, signer))
    }

    /// As [`Draft::finish`], for the host of `origin`: scheme and host, without a path.
    #[must_use]
    pub fn finish_at(&self, origin: &str, stamp: Stamp, signer: &dyn Signer) -> Request {
        // Orders have some 400 bytes, their signature included.
        let mut url = String::with_capacity(512);
        url.push_str(origin);
        url.push_str(self.path);
        let query = url.len().saturating_add(1);
        match self.security {
            Security::Signed => {
                url.push('?');
                self.write_signed(stamp, &mut url);
                let signature = signer.signature(url.get(query..).unwrap_or_default());
                url.push_str("&signature=");
                url.push_str(signature.expose());
            }
            Security::Public | Security::ApiKey => {
                if !self.params.pairs().is_empty() {
                    url.push('?');
                    self.params.encode_into(&mut url);
                }
            }
        }
        let headers = match self.security {
            Security::Public => Vec::new(),
            Security::ApiKey | Security::Signed => {
                let key = signer.api_key().expose().to_owned();
                vec![("X-MBX-APIKEY".to_owned(), key)]
            }
        };
        Request {
            method: self.method,
            url,
            headers,
            body: Vec::new(),
        }
    }
}
