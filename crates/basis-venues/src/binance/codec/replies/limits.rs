//! What exchange information says of limits.

use basis_core::types::Span;
use serde::Deserialize;

use super::wire::{DecodeError, decode};

/// A limit as the venue publishes it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LimitRow {
    /// `REQUEST_WEIGHT`, `ORDERS` or `RAW_REQUESTS`.
    pub kind: String,
    /// The interval it is counted over.
    pub interval: Span,
    /// The most within it.
    pub limit: u32,
}

/// Reads the limits of requests and orders.
///
/// # Errors
/// [`DecodeError`], also for an interval that is not known.
pub fn limits(body: &[u8]) -> Result<Vec<LimitRow>, DecodeError> {
    const WHAT: &str = "exchange information";
    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct Row {
        rate_limit_type: String,
        interval: String,
        interval_num: u32,
        limit: u32,
    }
    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct Reply {
        rate_limits: Vec<Row>,
    }
    let row = |row: Row| {
        let unit = match row.interval.as_str() {
            "SECOND" => Span::from_seconds(1),
            "MINUTE" => Span::from_minutes(1),
            "HOUR" => Span::from_hours(1),
            "DAY" => Span::from_hours(24),
            other => {
                let reason = format!("unknown interval `{other}`");
                return Err(DecodeError::new(WHAT, "rateLimits", reason));
            }
        };
        if row.interval_num == 0 {
            return Err(DecodeError::new(WHAT, "intervalNum", "0 is no interval"));
        }
        Ok(LimitRow {
            kind: row.rate_limit_type,
            interval: unit.times(i64::from(row.interval_num)),
            limit: row.limit,
        })
    };
    let rows = decode::<Reply>(WHAT, body)?.rate_limits;
    rows.into_iter().map(row).collect()
}
