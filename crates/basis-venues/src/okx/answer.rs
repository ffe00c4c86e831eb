//! What an answer says of the request and of the order in it: taken, refused, or nothing certain.
//!
//! A request succeeds and an order in it does not: the `sCode` of the order decides. **Taken is no outcome**:
//! the order is read, or the stream says what became of it.
//!
//! An order is refused only by a positive word: a code that the table lists as not accepted. HTTP 408 and 5xx
//! leave its outcome unknown, and so do codes marked unknown whatever their HTTP status (50013 comes with
//! 429), HTTP 429 without a limit code, and every code that is not listed.

use basis_core::transport::Response;
use serde::Deserialize;

use super::codes::{Class, classify};
use crate::wire::Effect;
use crate::wire::answer::uncertain;
pub use crate::wire::{Failure, Success};

#[derive(Deserialize)]
struct Body {
    code: String,
    #[serde(default)]
    msg: String,
    #[serde(default)]
    data: Vec<serde_json::Value>,
}

impl Body {
    /// The first code and text of an order that was not taken; those of the request where no order has one.
    ///
    /// Requests of ours hold one order each.
    fn refusal(&self) -> Option<(&str, &str)> {
        let mut orders = self.data.iter().filter_map(|row| {
            let code = row.get("sCode")?.as_str()?;
            let text = row.get("sMsg").and_then(serde_json::Value::as_str);
            Some((code, text.unwrap_or_default()))
        });
        let refused = orders.find(|(code, _)| *code != "0");
        refused.or((self.code != "0").then_some((self.code.as_str(), self.msg.as_str())))
    }
}

/// Returns what `response` says of a request.
///
/// # Errors
/// [`Failure`] for everything but a success.
pub fn outcome(effect: Effect, response: &Response) -> Result<Success, Failure> {
    let status = response.status;
    let Ok(body) = serde_json::from_slice::<Body>(&response.body) else {
        return Err(uncertain(effect, status, (None, "")));
    };
    let refusal = body.refusal();
    let code = refusal.map_or(Ok(0), |(code, _)| code.parse::<i64>());
    let text = refusal.map_or("", |(_, text)| text);
    match (status, code) {
        (200..=299, Ok(0)) => Ok(Success::Answered),
        (408 | 500..=599, code) => Err(uncertain(effect, status, (code.ok(), text))),
        // 1 and 2 say that orders of the request failed, and the orders do not say why.
        (_, Err(_) | Ok(0..=2)) => Err(uncertain(effect, status, (None, text))),
        (_, Ok(code)) => {
            let class = classify(code).unwrap_or(Class::Unknown);
            let told = (Some(code), text);
            let failure = Failure::by_class(class, effect, status, told, None);
            failure.map_or(Ok(Success::AlreadySo), Err)
        }
    }
}
