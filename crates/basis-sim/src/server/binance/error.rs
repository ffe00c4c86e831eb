//! What Binance refuses, as it says so: HTTP status, code and text.

use basis_core::num::MathError;
use serde_json::{Value, json};

/// A refusal.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ApiError {
    /// HTTP status.
    pub(crate) status: u16,
    /// Binance's number, below zero.
    pub(crate) code: i64,
    /// Binance's text.
    pub(crate) msg: String,
    /// What cancel-replace says about its halves.
    pub(crate) data: Option<Value>,
    /// Seconds after which a try may pass.
    pub(crate) retry_after_s: Option<i64>,
}

impl ApiError {
    /// A refusal with status 400.
    pub(crate) fn new(code: i64, msg: impl Into<String>) -> Self {
        Self::with_status(400, code, msg)
    }

    /// A refusal with a status of its own.
    pub(crate) fn with_status(status: u16, code: i64, msg: impl Into<String>) -> Self {
        Self {
            status,
            code,
            msg: msg.into(),
            data: None,
            retry_after_s: None,
        }
    }

    pub(crate) fn missing(name: &str) -> Self {
        let text = "was not sent, was empty/null, or malformed.";
        Self::new(-1102, format!("Mandatory parameter '{name}' {text}"))
    }

    pub(crate) fn illegal(name: &str, range: &str) -> Self {
        Self::new(
            -1100,
            format!("Illegal characters found in parameter '{name}'; legal range is '{range}'."),
        )
    }

    pub(crate) fn not_required(name: &str) -> Self {
        Self::new(-1106, format!("Parameter '{name}' sent when not required."))
    }

    pub(crate) fn invalid_symbol() -> Self {
        Self::new(-1121, "Invalid symbol.")
    }

    pub(crate) fn unknown_order() -> Self {
        Self::new(-2011, "Unknown order sent.")
    }

    pub(crate) fn no_such_order() -> Self {
        Self::new(-2013, "Order does not exist.")
    }

    pub(crate) fn rejected_key() -> Self {
        let text = "Invalid API-key, IP, or permissions for action.";
        Self::with_status(401, -2015, text)
    }

    /// The body that Binance answers with.
    pub(crate) fn body(&self) -> Value {
        let mut body = json!({ "code": self.code, "msg": self.msg });
        if let (Some(data), Some(fields)) = (&self.data, body.as_object_mut()) {
            fields.insert("data".to_owned(), data.clone());
        }
        body
    }
}

impl From<MathError> for ApiError {
    /// Numbers so large that no filter lets them through reach this.
    fn from(_: MathError) -> Self {
        Self::new(
            -1111,
            "Precision is over the maximum defined for this asset.",
        )
    }
}
