//! Spot: `/api/v3`.

pub(super) mod cancel;
pub(super) mod info;
pub(super) mod place;
pub(super) mod reads;
pub(super) mod replies;
mod settle;
mod streams;

use basis_core::num::{Fixed18, MathError, Price, Quantity, Rounding, Value};

/// Decimals of every spot balance, quantity and fee.
const DECIMALS: u32 = 8;

/// Quantity × price as both sides of a trade are charged, rounded down to the quote's decimals.
fn quote_of(quantity: Quantity, price: Price) -> Result<Value, MathError> {
    let exact = quantity.notional(price, Rounding::Floor)?.get();
    let rounded = exact.round_to_decimals(DECIMALS, Rounding::Floor)?;
    Ok(Value::new(rounded))
}

/// Decimal text with the eight digits of the documentation.
fn text(number: Fixed18) -> String {
    super::market::padded(number, DECIMALS)
}
