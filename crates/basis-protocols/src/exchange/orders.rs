//! What every order has in common: its sign, its roundings, whether it would trade.

use basis_core::num::{MathError, Price, Quantity, Rounding};
use basis_core::types::Side;

/// Returns the rounding of a price against us: up for a buy, down for a sell.
#[must_use]
pub const fn against_us(side: Side) -> Rounding {
    match side {
        Side::Buy => Rounding::Ceil,
        Side::Sell => Rounding::Floor,
    }
}

/// Returns `quantity` (>= 0) with the sign of its side: above zero for a buy.
///
/// # Errors
/// [`MathError`] out of range.
pub fn signed(side: Side, quantity: Quantity) -> Result<Quantity, MathError> {
    match side {
        Side::Buy => Ok(quantity),
        Side::Sell => quantity.neg(),
    }
}

/// Tells whether a limit order would trade at `price`.
#[must_use]
pub fn is_marketable(side: Side, limit: Price, price: Price) -> bool {
    match side {
        Side::Buy => price <= limit,
        Side::Sell => price >= limit,
    }
}

/// Returns the part of an order of signed `quantity` that opens or adds to the position `held`, without
/// its sign: what is left once it has closed what it can.
///
/// # Errors
/// [`MathError`] out of range.
pub fn opening_part(held: Quantity, quantity: Quantity) -> Result<Quantity, MathError> {
    let size = quantity.abs()?;
    if held.signum() * quantity.signum() >= 0 {
        return Ok(size);
    }
    Ok(size.sub(held.abs()?)?.max(Quantity::ZERO))
}
