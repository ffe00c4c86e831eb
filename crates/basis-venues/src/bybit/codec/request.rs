//! One request before and after it gets its stamp and signature.

use basis_core::transport::Request;

use super::endpoint::{Network, NoSuchHost};
use crate::wire::{HeaderSigner, JsonDraft, Stamp, millis};

/// Returns the text that is signed: stamp, key, window, and the query or the body as they are sent.
#[must_use]
pub fn signed_text(stamp: Stamp, api_key: &str, payload: &str) -> String {
    let (at, window) = (millis(stamp.at()), stamp.window_millis());
    format!("{at}{api_key}{window}{payload}")
}

/// Returns the exact request: stamped and signed where it must be.
///
/// # Errors
/// [`NoSuchHost`] when the network does not have it.
pub fn finish(
    draft: &JsonDraft,
    network: Network,
    stamp: Stamp,
    signer: &dyn HeaderSigner,
) -> Result<Request, NoSuchHost> {
    if draft.live_only && network != Network::Live {
        return Err(NoSuchHost);
    }
    Ok(finish_at(draft, network.rest(), stamp, signer))
}

/// As [`finish`], for the host of `origin`: scheme and host, without a path.
#[must_use]
pub fn finish_at(
    draft: &JsonDraft,
    origin: &str,
    stamp: Stamp,
    signer: &dyn HeaderSigner,
) -> Request {
    let (query, body) = (draft.query(), draft.body(stamp));
    let mut headers = Vec::with_capacity(5);
    let mut add = |name: &str, value: String| headers.push((name.to_owned(), value));
    if draft.signed {
        let payload = if body.is_empty() { &query } else { &body };
        let key = signer.api_key().expose();
        let signature = signer.sign(&signed_text(stamp, key, payload));
        add("X-BAPI-API-KEY", key.to_owned());
        add("X-BAPI-TIMESTAMP", millis(stamp.at()).to_string());
        add("X-BAPI-RECV-WINDOW", stamp.window_millis().to_string());
        add("X-BAPI-SIGN", signature.expose().to_owned());
    }
    // A read with a body, even an empty JSON object, can be answered 403.
    if !body.is_empty() {
        add("Content-Type", "application/json".to_owned());
    }
    Request {
        method: draft.method(),
        url: draft.url(origin, &query),
        headers,
        body: body.into_bytes(),
    }
}
