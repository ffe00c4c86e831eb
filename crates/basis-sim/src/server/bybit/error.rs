//! What Bybit refuses, as it says so: code and text in a reply with HTTP status 200.

use basis_core::num::MathError;
use basis_core::transport::Response;
use serde_json::{Value, json};

use super::{Category, Refusal};
use crate::server::faults::Failure;
use crate::server::http::html;

/// A refusal.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct ApiError {
    pub(super) code: i64,
    pub(super) msg: String,
    /// What the `result` of the refusal holds.
    pub(super) result: Value,
}

impl ApiError {
    pub(super) fn new(code: i64, msg: impl Into<String>) -> Self {
        Self {
            code,
            msg: msg.into(),
            result: json!({}),
        }
    }

    /// A parameter that is missing or wrong.
    pub(super) fn params(text: impl std::fmt::Display) -> Self {
        Self::new(10001, format!("params error: {text}"))
    }

    pub(super) fn invalid_symbol(category: Category) -> Self {
        match category {
            Category::Spot => Self::new(170121, "Invalid symbol."),
            Category::Linear => Self::params("symbol invalid"),
        }
    }

    /// No order that could still be changed: closed, or never there.
    pub(super) fn order_gone(category: Category) -> Self {
        match category {
            Category::Spot => Self::new(170213, "Order does not exist."),
            Category::Linear => Self::new(110001, "order not exists or too late to replace"),
        }
    }

    pub(super) fn funds(category: Category) -> Self {
        match category {
            Category::Spot => Self::new(170131, "Balance insufficient."),
            Category::Linear => Self::new(110007, "ab not enough for new order"),
        }
    }
}

impl From<Refusal> for ApiError {
    fn from(refusal: Refusal) -> Self {
        match refusal {
            Refusal::NotListed(category) => Self::invalid_symbol(category),
            Refusal::Funds(category) => Self::funds(category),
            Refusal::Size => {
                let text = "position size exceeds the risk limit at the current leverage";
                Self::new(110_021, text)
            }
            Refusal::Math(e) => e.into(),
        }
    }
}

impl From<MathError> for ApiError {
    /// Numbers so large that no filter lets them through reach this.
    fn from(_: MathError) -> Self {
        Self::params("a number is out of range")
    }
}

/// Returns a refusal with `code` as the venue words it, for a rule of faults.
#[must_use]
pub fn refusal(status: u16, code: i64, msg: &str) -> Failure {
    let body = json!({ "retCode": code, "retMsg": msg, "result": {}, "retExtInfo": {}, "time": 0 });
    Failure::Answer(Response {
        status,
        headers: vec![("Content-Type".to_owned(), "application/json".to_owned())],
        body: body.to_string().into_bytes(),
    })
}

/// Returns 10016, with which the venue says that it failed and not whether it took the request.
#[must_use]
pub fn server_error() -> Failure {
    refusal(200, 10016, "Server error.")
}

/// Returns 403 of the gateway: an address that asked too much.
#[must_use]
pub fn busy() -> Failure {
    Failure::Answer(html(403, "Forbidden"))
}
