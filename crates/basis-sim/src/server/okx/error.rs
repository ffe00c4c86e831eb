//! What OKX refuses, as it says so: a code and a text, of the request or of one order in it.

use basis_core::num::MathError;
use basis_core::transport::Response;
use serde_json::{Value, json};

use super::Refusal;
use crate::server::faults::Failure;

/// A refusal.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct ApiError {
    /// The HTTP status where it is the request's.
    pub(super) status: u16,
    pub(super) code: u32,
    pub(super) msg: String,
}

impl ApiError {
    pub(super) fn new(code: u32, msg: impl Into<String>) -> Self {
        Self {
            status: 200,
            code,
            msg: msg.into(),
        }
    }
}

impl From<Refusal> for ApiError {
    fn from(refusal: Refusal) -> Self {
        match refusal {
            Refusal::NotListed(_) => Self::unlisted(),
            Refusal::Funds(_) => Self::funds(),
            Refusal::Size => {
                let text = "Order failed. The sum of the order, the position and pending orders exceeds the \
                            maximum at the current leverage.";
                Self::new(51_004, text)
            }
            Refusal::Math(e) => e.into(),
        }
    }
}

impl From<MathError> for ApiError {
    /// Numbers so large that no filter lets them through reach this.
    fn from(_: MathError) -> Self {
        Self::parameter("sz")
    }
}

/// A reply in the venue's envelope.
pub(super) fn envelope(status: u16, body: &Value) -> Response {
    Response {
        status,
        headers: vec![("Content-Type".to_owned(), "application/json".to_owned())],
        body: body.to_string().into_bytes(),
    }
}

/// Returns a refusal of a request with `code` as the venue words it, for a rule of faults.
#[must_use]
pub fn refusal(status: u16, code: u32, msg: &str) -> Failure {
    let body = json!({ "code": code.to_string(), "data": [], "msg": msg });
    Failure::Answer(envelope(status, &body))
}

/// Returns a request that succeeded with one order in it that did not, for a rule of faults.
#[must_use]
pub fn order_refusal(code: u32, msg: &str) -> Failure {
    let row = json!({
        "clOrdId": "", "ordId": "", "tag": "", "ts": "0", "sCode": code.to_string(), "sMsg": msg, "subCode": ""
    });
    let body = json!({
        "code": "1", "data": [row], "msg": "All operations failed", "inTime": "0", "outTime": "0"
    });
    Failure::Answer(envelope(200, &body))
}

/// Returns 50026, with which the venue says that it failed and not whether it took the request.
#[must_use]
pub fn server_error() -> Failure {
    refusal(500, 50_026, "System error. Try again later")
}

/// Returns 50013 with HTTP 429: systems are busy, and what became of the request is not said.
#[must_use]
pub fn busy() -> Failure {
    refusal(429, 50_013, "Systems are busy. Please try again later.")
}

/// Returns 50001 with HTTP 503: the service is down.
#[must_use]
pub fn maintenance() -> Failure {
    refusal(503, 50_001, MAINTAINED)
}

/// The text of 50001.
pub(super) const MAINTAINED: &str = "Service temporarily unavailable. Try again later";

/// Returns 50004: the endpoint timed out, which says neither success nor failure.
#[must_use]
pub fn timed_out() -> Failure {
    let text = "API endpoint request timeout (does not mean that the request was successful or failed, please \
                check the request result).";
    refusal(400, 50_004, text)
}
