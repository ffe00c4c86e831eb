//! What an answer says of the request: taken, refused, or nothing certain.
//!
//! **A taken order is no outcome.** [`Success::Answered`] to a placement, an amendment or a cancellation says
//! that the venue has it; the stream or a query says what became of it, even that it was rejected.
//!
//! An order is refused only by a positive word: a `retCode` that the table lists as not accepted, whatever
//! the HTTP status below 500. HTTP 429 is the venue's own limit and not accepted. HTTP 403 is the firewall's
//! (too many requests of an address, or a region): it proves nothing of an order, and nothing more is sent
//! for ten minutes. A clash of client order ids, which are unique for ever, says that an order bears the id:
//! it is queried and compared.

use basis_core::error::VenueErrorKind;
use basis_core::transport::Response;
use basis_core::types::Span;
use serde::Deserialize;

use super::codes::{Class, classify};
use crate::wire::Effect;
use crate::wire::answer::uncertain;
pub use crate::wire::{Failure, Success};

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Body {
    ret_code: i64,
    #[serde(default)]
    ret_msg: String,
    /// The venue's time of the answer in milliseconds.
    #[serde(default)]
    time: Option<i64>,
}

/// Returns what `response` says of a request.
///
/// # Errors
/// [`Failure`] for everything but a success.
pub fn outcome(effect: Effect, response: &Response) -> Result<Success, Failure> {
    let status = response.status;
    let body = serde_json::from_slice::<Body>(&response.body).ok();
    let told = body.as_ref().map_or((None, ""), |body| {
        (Some(body.ret_code), body.ret_msg.as_str())
    });
    let wait = retry_after(response, body.as_ref().and_then(|body| body.time));
    match (status, told.0) {
        (200..=299, Some(0)) => Ok(Success::Answered),
        (408 | 500..=599, _) => Err(uncertain(effect, status, told)),
        // The gateway's own limit says so by its status, with or without a body that is read.
        (429, None | Some(0)) => Err(Failure {
            kind: VenueErrorKind::RateLimited { retry_after: wait },
            class: Class::Limit,
            code: None,
            banned_until: None,
        }),
        (_, Some(code)) if code != 0 => {
            let class = classify(code).unwrap_or(Class::Unknown);
            let failure = Failure::by_class(class, effect, status, told, wait);
            failure.map_or(Ok(Success::AlreadySo), Err)
        }
        _ => Err(uncertain(effect, status, told)),
    }
}

/// The wait until the endpoint takes requests again: from the venue's time of the answer to the stamp at which
/// its count begins anew.
fn retry_after(response: &Response, answered: Option<i64>) -> Option<Span> {
    let mut headers = response.headers.iter();
    let reset = "x-bapi-limit-reset-timestamp";
    let (_, value) = headers.find(|(name, _)| name.eq_ignore_ascii_case(reset))?;
    let reset: i64 = value.trim().parse().ok()?;
    let wait = reset.checked_sub(answered?)?;
    // An hour is more than any window of the venue: what is beyond it is no wait.
    (0..=3_600_000)
        .contains(&wait)
        .then(|| Span::from_nanos(wait * 1_000_000))
}
