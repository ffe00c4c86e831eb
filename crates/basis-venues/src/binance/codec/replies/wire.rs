//! The words of Binance's replies and frames; decimals and instants are read as everywhere.

use basis_core::types::{PositionSide, Side};
use basis_core::venue_event::OrderState;
use serde::de::Error as _;
use serde::{Deserialize, Deserializer};

pub use crate::wire::DecodeError;
pub(in crate::binance::codec) use crate::wire::json::{
    decode, instant, optional, optional_instant, unit,
};

/// The state of an order. A word that is not known is an error: it must not be taken for dead or alive.
pub(in crate::binance::codec) fn order_state<'de, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<OrderState, D::Error> {
    let text = <&str>::deserialize(deserializer)?;
    match text {
        "PENDING_NEW" => Ok(OrderState::Submitted),
        "NEW" | "PARTIALLY_FILLED" => Ok(OrderState::Working),
        "FILLED" => Ok(OrderState::Filled),
        "CANCELED" => Ok(OrderState::Cancelled),
        "EXPIRED" | "EXPIRED_IN_MATCH" => Ok(OrderState::Expired),
        "REJECTED" => Ok(OrderState::Rejected),
        other => Err(D::Error::custom(format_args!(
            "unknown order state `{other}`"
        ))),
    }
}

/// The same, where absence says that there is none.
pub(in crate::binance::codec) fn optional_state<'de, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<Option<OrderState>, D::Error> {
    order_state(deserializer).map(Some)
}

/// `BUY` or `SELL`.
pub(in crate::binance::codec) fn side<'de, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<Side, D::Error> {
    match <&str>::deserialize(deserializer)? {
        "BUY" => Ok(Side::Buy),
        "SELL" => Ok(Side::Sell),
        other => Err(D::Error::custom(format_args!("unknown side `{other}`"))),
    }
}

/// The same, where absence says that there is none.
pub(in crate::binance::codec) fn optional_side<'de, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<Option<Side>, D::Error> {
    side(deserializer).map(Some)
}

/// `BOTH` in one-way mode, else the side of hedge mode.
pub(in crate::binance::codec) fn position_side<'de, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<Option<PositionSide>, D::Error> {
    match <&str>::deserialize(deserializer)? {
        "BOTH" => Ok(None),
        "LONG" => Ok(Some(PositionSide::Long)),
        "SHORT" => Ok(Some(PositionSide::Short)),
        other => Err(D::Error::custom(format_args!(
            "unknown position side `{other}`"
        ))),
    }
}
