//! How the private streams are opened: where, and with which words.
//!
//! Spot: a subscription over the WebSocket API with a signature of any key type
//! (`userDataStream.subscribe.signature`; spot API documentation of 2026-07: the REST listen key is gone). USD-M:
//! a listen key under `/private` (interface texts of the venue's own SDK, 18.1.0).

use basis_core::secret::Secret;
use serde::Deserialize;

use super::endpoint::{Network, Product};
use super::params::millis;
use super::replies::wire::{DecodeError, decode};
use super::request::{Signer, Stamp};

/// Returns scheme and host of the private stream of `product`.
#[must_use]
pub const fn stream_origin(network: Network, product: Product) -> &'static str {
    match (network, product) {
        (Network::Live, Product::UsdM) => "wss://fstream.binance.com",
        (Network::Live, _) => "wss://ws-api.binance.com:443",
        (Network::Demo, Product::UsdM) => "wss://fstream.binancefuture.com",
        (Network::Demo, _) => "wss://demo-ws-api.binance.com",
    }
}

/// Returns where spot's subscription is asked for.
#[must_use]
pub fn spot_stream(origin: &str) -> Secret {
    Secret::new(format!("{origin}/ws-api/v3"))
}

/// Returns where USD-M's private stream of a listen key is. Whoever has it can read the stream.
#[must_use]
pub fn perp_stream(origin: &str, key: &Secret) -> Secret {
    Secret::new(format!("{origin}/private/ws/{}", key.expose()))
}

/// Returns the text that subscribes to spot's private stream. What is signed are the parameters by name, as they
/// stand, not encoded.
#[must_use]
pub fn spot_subscription(id: u64, stamp: Stamp, signer: &dyn Signer) -> Secret {
    let key = signer.api_key().expose();
    let (window, at) = (stamp.window_millis(), millis(stamp.at()));
    let signed = Secret::new(format!("apiKey={key}&recvWindow={window}&timestamp={at}"));
    let signature = signer.sign(signed.expose());
    let text = serde_json::json!({
        "id": id,
        "method": "userDataStream.subscribe.signature",
        "params": {
            "apiKey": key,
            "recvWindow": window,
            "timestamp": at,
            "signature": signature.expose(),
        },
    });
    Secret::new(text.to_string())
}

/// Why a subscription was refused.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct SubscriptionRefusal {
    /// Binance's number.
    pub code: i64,
    /// Binance's text.
    pub msg: String,
}

/// Reads what a frame says of a subscription; `None` for one that answers nothing.
///
/// # Errors
/// [`DecodeError`].
pub fn subscription(frame: &[u8]) -> Result<Option<Result<(), SubscriptionRefusal>>, DecodeError> {
    #[derive(Deserialize)]
    struct Frame {
        status: Option<u16>,
        error: Option<SubscriptionRefusal>,
    }
    let frame = decode::<Frame>("frame", frame)?;
    Ok(match (frame.status, frame.error) {
        (_, Some(refusal)) => Some(Err(refusal)),
        (Some(200), None) => Some(Ok(())),
        (Some(status), None) => Some(Err(SubscriptionRefusal {
            code: i64::from(status),
            msg: "refused without a reason".to_owned(),
        })),
        (None, None) => None,
    })
}
