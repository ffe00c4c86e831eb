//! Exact numbers for money.
//!
//! [`Fixed18`] is a decimal fixed point of 18 digits in an `i128`; the types
//! of [`units`](self#units) give it a meaning, so that a price cannot be
//! added to a quantity. It is what prices, quantities and ledger entries are
//! kept in.
//!
//! It is not the arithmetic of the chain: what a contract computes is in
//! 256-bit base units ([`uint256`]), and a ray (27 decimals) never passes
//! through it. It
//! is not for statistics either: [`Fixed18::to_f64`] is the exit, and no way
//! leads back.
//!
//! # Operators
//!
//! There are no `+` or `*`: every operation is a method that names what can
//! go wrong.
//!
//! | method | exact | can overflow | takes a rounding |
//! | --- | --- | --- | --- |
//! | `add` `sub` `neg` `abs` `mul_int` | yes | yes | no |
//! | `==` `<` `min` `max` `signum` `is_multiple_of` | yes | no | no |
//! | `mul` `div` `mul_div` `from_ratio` | rounded once | yes, but `from_ratio` | yes |
//! | `round_to_decimals` `round_to_step` | on request | yes, near the bounds | yes |
//! | `sqrt_floor` | floor | no | no |
//! | `parse` | exact or an error | yes | no |
//! | `parse_rounded` | rounded once | yes | yes |
//!
//! # Bounds
//!
//! The mantissa is any `i128`: from -170141183460469231731.687303715884105728
//! to 170141183460469231731.687303715884105727, about ±1.7·10^20. Products
//! and quotients go through 256 bits, so an error means that the result does
//! not fit, never that an intermediate did not. Nothing allocates, but for
//! `to_string`.
//!
//! # Rounding
//!
//! [`Rounding`] says for each mode what it does to either sign. The choice is
//! the caller's and follows who owes whom: what we pay is `Ceil` or `Up`, what
//! we receive `Floor` or `Down`, a mark `HalfEven`.
//!
//! # Units
//!
//! | type | unit | sign |
//! | --- | --- | --- |
//! | [`Price`] | quote per base | never negative |
//! | [`PriceChange`] | quote per base | signed, up > 0 |
//! | [`Quantity`] | base | signed, long > 0 |
//! | [`Value`] | reporting currency | signed, ours > 0 |
//! | [`Rate`] | dimensionless, 1 = 100 % | signed |
//! | [`Bps`] | basis points, 1 = 0.0001 | signed |
//!
//! | operation | result |
//! | --- | --- |
//! | [`Quantity::notional`]: quantity × price | value |
//! | [`Quantity::gain`]: quantity × price change | value |
//! | [`Value::per`]: value ÷ price | quantity |
//! | [`Value::div_quantity`]: value ÷ quantity | price |
//! | [`Value::at_rate`], [`Quantity::at_rate`], [`Price::at_rate`]: × rate | same unit |
//! | [`Value::at_bps`]: × basis points | value |
//! | [`Price::ratio`], [`Quantity::ratio`], [`Value::ratio`]: same unit ÷ same unit | rate |
//! | [`Price::diff`]: price − price | price change |
//! | [`Price::shift`], [`Price::shift_bps`]: price moved | price |
//!
//! # Sources
//!
//! The 256-bit division follows Möller and Granlund (2011), the division by
//! `10^18` Barrett (1986), the digit writer Khuong (2017); the files name
//! the algorithms.

#![warn(clippy::arithmetic_side_effects, clippy::float_arithmetic)]

mod error;
mod fixed18;
#[cfg(test)]
#[expect(
    clippy::arithmetic_side_effects,
    reason = "oracles read best in plain operators; tests trap overflow"
)]
mod property_tests;
mod rounding;
mod text;
pub mod uint256;
mod units;
pub mod wide;

pub use error::{MathError, ParseError};
pub use fixed18::Fixed18;
pub use rounding::Rounding;
pub use uint256::U256;
pub use units::{Bps, Price, PriceChange, Quantity, Rate, Value};
