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

/// Returns the fee on `turnover`, in the asset that this is counted in, at `rate`, rounded up to `decimals`; a
/// rebate, below zero, is rounded toward zero.
///
/// # Errors
/// [`MathError`] out of range.
pub fn fee_on(turnover: Quantity, rate: Rate, decimals: u32) -> Result<Quantity, MathError> {
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

#[cfg(test)]
mod tests {
    use basis_core::num::Value;
    use basis_core::types::{InstrumentKey, InstrumentKind, Label, Symbol, Venue};

    use super::*;

    const BASE: Asset = Asset::literal("BTC");
    const QUOTE: Asset = Asset::literal("USDT");

    fn rules() -> InstrumentRules {
        InstrumentRules {
            key: InstrumentKey {
                venue: Venue::literal("binance"),
                kind: InstrumentKind::Spot,
                symbol: Symbol::literal("BTCUSDT"),
            },
            venue_symbol: Label::literal("BTCUSDT"),
            base: BASE,
            quote: QUOTE,
            tick_size: Price::literal("0.01"),
            lot_size: Quantity::literal("0.00001"),
            min_quantity: Quantity::literal("0.00001"),
            max_quantity: Quantity::literal("100"),
            max_market_quantity: Quantity::literal("100"),
            min_notional: Value::ZERO,
            perp: None,
        }
    }

    fn amounts(side: Side, in_base: bool) -> SpotAmounts {
        let fees = Fees {
            spot: MakerTaker {
                maker: Rate::literal("0.0008"),
                taker: Rate::literal("0.001"),
            },
            spot_buy_fee_in_base: in_base,
            ..Fees::default()
        };
        let fill = SpotFill {
            side,
            quantity: Quantity::literal("0.33333"),
            price: Price::literal("50000.01"),
            liquidity: LiquiditySide::Taker,
        };
        spot_amounts(&rules(), &fees, &fill, (8, 2)).unwrap()
    }

    #[test]
    fn a_buy_pays_its_fee_in_the_base_or_on_top_in_the_quote() {
        // 0.33333 × 50000.01 = 16666.5033333, rounded up to the cent.
        let (paid, fee) = (
            Quantity::literal("16666.51"),
            Quantity::literal("0.00033333"),
        );
        let buy = amounts(Side::Buy, true);
        assert_eq!((buy.paid, buy.fee), ((QUOTE, paid), (BASE, fee)));
        assert_eq!(buy.gained, (BASE, Quantity::literal("0.33299667")));
        let buy = amounts(Side::Buy, false);
        assert_eq!(buy.turnover, paid);
        // 0.1 % of 16666.51 is 16.66651, rounded up.
        assert_eq!(buy.fee, (QUOTE, Quantity::literal("16.67")));
        assert_eq!(buy.paid, (QUOTE, Quantity::literal("16683.18")));
        assert_eq!(buy.gained, (BASE, Quantity::literal("0.33333")));
    }

    #[test]
    fn a_sale_pays_its_fee_out_of_the_quote_whatever_a_buy_does() {
        for in_base in [false, true] {
            let sale = amounts(Side::Sell, in_base);
            assert_eq!(sale.turnover, Quantity::literal("16666.5"));
            assert_eq!(sale.fee, (QUOTE, Quantity::literal("16.67")));
            assert_eq!(sale.paid, (BASE, Quantity::literal("0.33333")));
            assert_eq!(sale.gained, (QUOTE, Quantity::literal("16649.83")));
        }
    }

    #[test]
    fn a_resting_buy_binds_its_limit_and_the_maker_s_fee_on_top() {
        let fees = |spot_buy_fee_in_base| Fees {
            spot: MakerTaker {
                maker: Rate::literal("0.0008"),
                taker: Rate::literal("0.001"),
            },
            spot_buy_fee_in_base,
            ..Fees::default()
        };
        let bound = |in_base| {
            let (quantity, limit) = (Quantity::literal("0.1"), Price::literal("50000"));
            buy_reservation(&fees(in_base), quantity, limit, 6).unwrap()
        };
        assert_eq!(bound(true), Quantity::literal("5000"));
        assert_eq!(bound(false), Quantity::literal("5004"));
    }

    #[test]
    fn a_perp_fee_is_rounded_up_and_a_rebate_down() {
        let fee = |rate: &str| {
            let (quantity, price) = (Quantity::literal("0.001"), Price::literal("12345.678"));
            perp_fee(quantity, price, rate.parse().unwrap(), 6).unwrap()
        };
        assert_eq!(fee("0.0005"), Quantity::literal("0.006173"));
        assert_eq!(fee("-0.0001"), Quantity::literal("-0.001234"));
    }
}
