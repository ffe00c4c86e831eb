//! One request before and after it gets its stamp and signature.

use basis_core::transport::Request;
use basis_core::types::{Span, Timestamp};

use super::endpoint::{Network, NoSuchHost};
use crate::wire::{HeaderSigner, JsonDraft, Stamp, millis};

/// How far a stamp may be off, and so how long a request without a deadline may still be accepted.
pub const STAMP_WINDOW: Span = Span::from_seconds(30);

/// What the deadline `expTime` bounds.
const BOUNDED: [&str; 2] = ["/api/v5/trade/order", "/api/v5/trade/amend-order"];

/// Whether the venue discards the request after its deadline. Cancellations, settings, transfers and
/// withdrawals have none.
#[must_use]
pub fn is_bounded(draft: &JsonDraft) -> bool {
    draft.method() == "POST" && BOUNDED.contains(&draft.path)
}

/// Returns the last instant at which the venue can accept the request: its deadline where it has one, else the
/// end of the window that its stamp has.
#[must_use]
pub fn deadline(draft: &JsonDraft, stamp: Stamp) -> Timestamp {
    if is_bounded(draft) {
        stamp.deadline()
    } else {
        stamp.at().plus(STAMP_WINDOW)
    }
}

/// Returns `at` as the venue reads stamps: UTC with three digits of a second and `Z`.
fn iso_millis(at: Timestamp) -> String {
    let whole = at.floor_to(Span::from_seconds(1));
    let millis = millis(at).rem_euclid(1000);
    let mut text = whole.to_string();
    // Without digits of a second the text ends in `Z` alone.
    text.truncate(19);
    text.push_str(&format!(".{millis:03}Z"));
    text
}

/// Returns the text that is signed: stamp, method, path with its query, and body as they are sent.
#[must_use]
pub fn signed_text(stamp: &str, method: &str, path_and_query: &str, body: &str) -> String {
    format!("{stamp}{method}{path_and_query}{body}")
}

/// Returns the exact request: stamped, bounded and signed where it must be.
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
    Ok(finish_at(draft, (network.rest(), network), stamp, signer))
}

/// As [`finish`], for the host of `origin`: scheme and host, without a path.
#[must_use]
pub fn finish_at(
    draft: &JsonDraft,
    (origin, network): (&str, Network),
    stamp: Stamp,
    signer: &dyn HeaderSigner,
) -> Request {
    let (query, body) = (draft.query(), draft.body(stamp));
    let url = draft.url(origin, &query);
    let mut headers = Vec::with_capacity(7);
    let mut add = |name: &str, value: String| headers.push((name.to_owned(), value));
    if draft.signed {
        let at = iso_millis(stamp.at());
        let path = url.get(origin.len()..).unwrap_or_default();
        let signature = signer.sign(&signed_text(&at, draft.method(), path, &body));
        add("OK-ACCESS-KEY", signer.api_key().expose().to_owned());
        add("OK-ACCESS-SIGN", signature.expose().to_owned());
        add("OK-ACCESS-TIMESTAMP", at);
        if let Some(passphrase) = signer.passphrase() {
            add("OK-ACCESS-PASSPHRASE", passphrase.expose().to_owned());
        }
    }
    if is_bounded(draft) {
        add("expTime", millis(stamp.deadline()).to_string());
    }
    if !body.is_empty() {
        add("Content-Type", "application/json".to_owned());
    }
    if network == Network::Demo {
        add("x-simulated-trading", "1".to_owned());
    }
    Request {
        method: draft.method(),
        url,
        headers,
        body: body.into_bytes(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stamp_has_three_digits_of_a_second_always() {
        for (nanos, text) in [
            (1_700_000_000_000_000_000, "2023-11-14T22:13:20.000Z"),
            (1_700_000_000_007_999_999, "2023-11-14T22:13:20.007Z"),
            (1_700_000_000_120_000_000, "2023-11-14T22:13:20.120Z"),
        ] {
            assert_eq!(iso_millis(Timestamp::from_nanos(nanos)), text);
        }
    }
}
