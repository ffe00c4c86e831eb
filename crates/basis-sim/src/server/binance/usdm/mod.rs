//! USD-M perpetuals: `/fapi`.

pub(super) mod cancel;
pub(super) mod config;
pub(super) mod funding;
pub(super) mod info;
mod margin;
pub(super) mod place;
pub(super) mod reads;
pub(super) mod replies;
pub(super) mod settle;
pub(super) mod streams;

use basis_core::num::Fixed18;
use basis_core::types::{PositionSide, Side};

use super::market::Order;

pub use self::funding::MarkState;

/// Decimals of balances, fees and results.
const DECIMALS: u32 = 8;

/// Decimal text with the eight digits of balances.
fn text(number: Fixed18) -> String {
    super::market::padded(number, DECIMALS)
}

/// Binance's word for the side of a position.
const fn position_side_word(side: Option<PositionSide>) -> &'static str {
    match side {
        None => "BOTH",
        Some(PositionSide::Long) => "LONG",
        Some(PositionSide::Short) => "SHORT",
    }
}

/// Whether an order of `side` makes a position of hedge mode smaller.
fn closes(position: Option<PositionSide>, side: Side) -> bool {
    position.is_some_and(|position| position.opens_with() != side)
}

/// Whether an order may only make its position smaller.
fn is_closing(order: &Order) -> bool {
    order.reduce_only || closes(order.position_side, order.side)
}

/// The number of digits after the point.
fn decimals(step: Fixed18) -> u32 {
    let text = step.to_string();
    let digits = text.split_once('.').map_or(0, |(_, digits)| digits.len());
    u32::try_from(digits).unwrap_or(0)
}
