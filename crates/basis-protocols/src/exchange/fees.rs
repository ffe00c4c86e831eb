//! Trading fees, and what a fill moves.
//!
//! Fees are charged on the traded value at the maker's or taker's rate and rounded up to the asset's own
//! decimals. A perp's is paid in the settlement asset; a spot buy's in the base received or in the quote
//! paid, as the venue has it; a spot sale's in the quote received.

use basis_core::num::{MathError, Price, Quantity, Rate, Rounding};
use basis_core::rules::{Fees, InstrumentRules, MakerTaker};
use basis_core::types::{Asset, Side};
use basis_core::venue_event::LiquiditySide;

use super::orders::against_us;

/// Returns the rate of one side of a fill.
#[must_use]
pub const fn rate(rates: MakerTaker, liquidity: LiquiditySide) -> Rate {
    match liquidity {
        LiquiditySide::Maker => rates.maker,
        LiquiditySide::Taker => rates.taker,
    }
}

/// Returns the fee on `turnover` at `rate`, rounded up to `decimals`.
fn fee_on(turnover: Quantity, rate: Rate, decimals: u32) -> Result<Quantity, MathError> {
    let fee = turnover.at_rate(rate, Rounding::Ceil)?.get();
    let fee = fee.round_to_decimals(decimals, Rounding::Ceil)?;
    Ok(Quantity::new(fee))
}

/// Returns the fee on a perp fill of `quantity` (> 0) at `price`, rounded up to `decimals` of the
/// settlement asset.
///
/// # Errors
/// [`MathError`] out of range.
pub fn perp_fee(
    quantity: Quantity,
    price: Price,
    rate: Rate,
    decimals: u32,
) -> Result<Quantity, MathError> {
    let turnover = quantity.notional(price, Rounding::Ceil)?;
    fee_on(Quantity::new(turnover.get()), rate, decimals)
}

/// A fill as far as its amounts go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SpotFill {
    /// Buy or sell.
    pub side: Side,
    /// Base units, > 0.
    pub quantity: Quantity,
    /// Quote per base.
    pub price: Price,
    /// Whether it rested or took.
    pub liquidity: LiquiditySide,
}

/// What a spot fill moves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SpotAmounts {
    /// Quote units: quantity × price, rounded against us.
    pub turnover: Quantity,
    /// Charged, and in what.
    pub fee: (Asset, Quantity),
    /// At which rate.
    pub fee_rate: Rate,
    /// What is paid, fee included where it is paid on top.
    pub paid: (Asset, Quantity),
    /// What arrives, net of the fee.
    pub gained: (Asset, Quantity),
}

/// Computes what a spot fill moves; `decimals` are those of base and quote.
///
/// # Errors
/// [`MathError`] out of range.
pub fn spot_amounts(
    rules: &InstrumentRules,
    fees: &Fees,
    fill: &SpotFill,
    decimals: (u32, u32),
) -> Result<SpotAmounts, MathError> {
    let (base, quote) = (rules.base, rules.quote);
    let SpotFill {
        side,
        quantity,
        price,
        liquidity,
    } = *fill;
    let fee_rate = rate(fees.spot, liquidity);
    let in_base = side == Side::Buy && fees.spot_buy_fee_in_base;
    let turnover = value_in_quote(quantity, price, decimals.1, against_us(side))?;
    let (fee_asset, fee) = if in_base {
        (base, fee_on(quantity, fee_rate, decimals.0)?)
    } else {
        (quote, fee_on(turnover, fee_rate, decimals.1)?)
    };
    let (paid, gained) = match side {
        Side::Buy if in_base => ((quote, turnover), (base, quantity.sub(fee)?)),
        Side::Buy => ((quote, turnover.add(fee)?), (base, quantity)),
        Side::Sell => ((base, quantity), (quote, turnover.sub(fee)?)),
    };
    Ok(SpotAmounts {
        turnover,
        fee: (fee_asset, fee),
        fee_rate,
        paid,
        gained,
    })
}

/// Returns what a resting spot buy binds until it fills: the quote it pays at its limit, with the maker's
/// fee where that comes on top.
///
/// # Errors
/// [`MathError`] out of range.
pub fn buy_reservation(
    fees: &Fees,
    quantity: Quantity,
    limit: Price,
    quote_decimals: u32,
) -> Result<Quantity, MathError> {
    let paid = value_in_quote(quantity, limit, quote_decimals, Rounding::Ceil)?;
    if fees.spot_buy_fee_in_base {
        return Ok(paid);
    }
    paid.add(fee_on(paid, fees.spot.maker, quote_decimals)?)
}

/// Quantity × price in whole units of the quote asset.
fn value_in_quote(
    quantity: Quantity,
    price: Price,
    decimals: u32,
    rounding: Rounding,
) -> Result<Quantity, MathError> {
    let value = quantity.notional(price, rounding)?.get();
    Ok(Quantity::new(value.round_to_decimals(decimals, rounding)?))
}
