//! The venue's refusals by name: number and text.

use super::error::ApiError;

impl ApiError {
    /// A parameter that is wrong.
    pub(super) fn parameter(name: &str) -> Self {
        Self::new(51_000, format!("Parameter {name} error"))
    }

    /// A parameter that is missing.
    pub(super) fn missing(name: &str) -> Self {
        Self {
            status: 400,
            ..Self::new(50_014, format!("Parameter {name} can not be empty"))
        }
    }

    pub(super) fn unlisted() -> Self {
        let text = "Instrument ID, Instrument ID code, or Spread ID doesn't exist.";
        Self::new(51_001, text)
    }

    /// No order that could still be canceled: one code for closed and never there.
    pub(super) fn cancel_gone() -> Self {
        let text =
            "Order cancellation failed as the order has been filled, canceled or does not exist.";
        Self::new(51_400, text)
    }

    pub(super) fn amend_gone() -> Self {
        let text =
            "Order modification failed as the order has been filled, canceled or does not exist.";
        Self::new(51_503, text)
    }

    pub(super) fn order_unknown() -> Self {
        Self::new(51_603, "Order does not exist")
    }

    pub(super) fn funds() -> Self {
        Self::new(51_008, "Order failed. Insufficient balance in the account.")
    }

    pub(super) fn too_often() -> Self {
        Self {
            status: 429,
            ..Self::new(50_011, "Too Many Requests")
        }
    }

    pub(super) fn unauthorized(code: u32, text: &str) -> Self {
        Self {
            status: 401,
            ..Self::new(code, text)
        }
    }
}
