//! Forced closing: the price at which it comes, how much of a position goes, its price and its fee.
//!
//! Sources. Bybit, help center "Liquidation Process (USDT Contract)" and "Trading Rules: Liquidation
//! Process (Unified Trading Account)": orders are canceled, then one order brings the position down
//! to the lower tier that satisfies the margin requirement, else all of it goes. OKX, help pages on
//! forced partial liquidation: from the third tier on, while the margin is above what the lowest
//! tier asks for, the position is reduced by two tiers, again and again; else all of it goes.
//! Binance, "Liquidation Protocols": one large immediate-or-cancel order tries to reduce the margin
//! limit without liquidating all; it fills as far as it can, and if the margin does not hold after
//! loss and fee, the rest goes.
//!
//! Assumed: Binance's one order ends at the highest lower bracket at which the margin holds; a reduction
//! is rounded up to the lot.

use basis_core::num::{Fixed18, MathError, Price, Quantity, Rounding, Value};
use basis_core::rules::{InstrumentRules, PerpRules, TierMethod, TierUnit};
use basis_core::types::Side;

use super::margin::Margin;
use super::orders::against_us;
use super::position::PerpPosition;

/// How a venue closes a position that is too large for its margin.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PartialLiquidation {
    /// One order down to the highest lower tier at which the margin holds; everything when none
    /// does.
    OneOrder,
    /// Two tiers at a time while the position is in the third tier or above.
    TwoTiers,
}

/// Returns the price at which `wallet` plus the position's unrealised result meets its maintenance
/// margin: wallet + q·p − c = |q|·p·r − d, so p = (c − wallet − d) ÷ (q − |q|·r), with rate r
/// and deduction d of the tier that the position falls into at p.
///
/// Isolated: `wallet` is the position's own margin. Cross: the account's cash less what other
/// positions keep isolated, less their maintenance, plus their unrealised result; this is
/// Binance's published formula (facts sheet §2.10), and Bybit's and OKX's without closing fees.
///
/// Not positive: no price reaches it. `None` when no tier holds its own solution, which happens
/// only with tables whose margin jumps at a bound.
///
/// # Errors
/// [`MathError`] out of range, or for a flat position.
pub fn liquidation_price(
    rules: &PerpRules,
    position: &PerpPosition,
    wallet: Value,
    rounding: Rounding,
) -> Result<Option<Fixed18>, MathError> {
    let size = position.quantity.abs()?.get();
    let last = rules.tiers.last().map(|tier| tier.up_to);
    let mut below = None;
    for tier in &rules.tiers {
        let deduction = match rules.tier_method {
            TierMethod::Deduction => tier.deduction,
            TierMethod::Whole => Value::ZERO,
        };
        let numerator = position.cost.sub(wallet)?.sub(deduction)?.get();
        let margin = size.mul(tier.maintenance_margin_rate.get(), Rounding::HalfEven)?;
        let denominator = position.quantity.get().sub(margin)?;
        let price = numerator.div(denominator, rounding)?;
        let measure = match rules.tier_unit {
            TierUnit::Notional if price.is_positive() => size.mul(price, Rounding::Ceil)?,
            TierUnit::Notional => Fixed18::ZERO,
            TierUnit::Base => size,
        };
        let above_floor = below.is_none_or(|floor| measure > floor);
        let within = measure <= tier.up_to || Some(tier.up_to) == last;
        if above_floor && within {
            return Ok(Some(price));
        }
        below = Some(tier.up_to);
    }
    Ok(None)
}

/// Returns the price at which a venue closes the only position on a collateral of `wallet`: the one that
/// meets its maintenance margin, or `open`, the first price it could, when that was beyond it already, and
/// never beyond `worst`. Rounded to the tick against us.
///
/// # Errors
/// [`MathError`] out of range.
pub fn closing_price(
    rules: &InstrumentRules,
    position: &PerpPosition,
    wallet: Value,
    open: Price,
    worst: Price,
) -> Result<Price, MathError> {
    let Some(perp) = rules.perp.as_ref() else {
        return closing_tick(rules, position, worst);
    };
    let solved = liquidation_price(perp, position, wallet, against_us(closing_side(position)))?;
    let price = match solved.map(Price::positive) {
        Some(Ok(price)) if position.quantity.is_positive() => price.min(open).max(worst),
        Some(Ok(price)) => price.max(open).min(worst),
        // No price solves it: the worst one stands.
        Some(Err(_)) | None => worst,
    };
    closing_tick(rules, position, price)
}

/// Returns `price` at the tick against us, for the order that closes a position; a price below one tick
/// stays as it is.
///
/// # Errors
/// [`MathError`] out of range.
pub fn closing_tick(
    rules: &InstrumentRules,
    position: &PerpPosition,
    price: Price,
) -> Result<Price, MathError> {
    let rounded = price.round_to_tick(rules.tick_size, against_us(closing_side(position)))?;
    Ok(if rounded.is_positive() {
        rounded
    } else {
        price
    })
}

const fn closing_side(position: &PerpPosition) -> Side {
    if position.quantity.is_positive() {
        Side::Sell
    } else {
        Side::Buy
    }
}

/// Returns the fee on what is closed: signed `closing` × `price`, rounded up to `decimals` of the
/// settlement asset.
///
/// # Errors
/// [`MathError`] out of range.
pub fn fee(
    rules: &InstrumentRules,
    closing: Quantity,
    price: Price,
    decimals: u32,
) -> Result<Quantity, MathError> {
    let Some(perp) = rules.perp.as_ref() else {
        return Ok(Quantity::ZERO);
    };
    let notional = closing.abs()?.notional(price, Rounding::Ceil)?;
    let fee = notional.at_bps(perp.liquidation_fee, Rounding::Ceil)?.get();
    let fee = fee.round_to_decimals(decimals, Rounding::Ceil)?;
    Ok(Quantity::new(fee))
}

/// Returns `fee`, at most what is `left`, rounded down to `decimals` of the settlement asset.
///
/// # Errors
/// [`MathError`] out of range.
pub fn capped_fee(fee: Quantity, left: Value, decimals: u32) -> Result<Quantity, MathError> {
    let left = left.max(Value::ZERO).get();
    let left = left.round_to_decimals(decimals, Rounding::Down)?;
    Ok(fee.min(Quantity::new(left)))
}

/// A part of a position to be closed by force.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Reduction {
    /// Signed base units of the closing order.
    pub closing: Quantity,
    /// Index of the tier it ends in.
    pub tier: usize,
}

/// A position that is to be reduced, and what else stands on its collateral.
#[derive(Clone, Copy, Debug)]
pub struct Reducible<'a> {
    /// Of its instrument.
    pub rules: &'a InstrumentRules,
    /// The position.
    pub position: PerpPosition,
    /// At which the forced order fills.
    pub price: Price,
    /// The collateral without the position.
    pub others: Margin,
    /// The tier that a reduction before this one ended in, if any: the next one goes lower.
    pub reduced_to: Option<usize>,
    /// Decimals of the settlement asset.
    pub decimals: u32,
}

/// Returns the next part that a venue of this habit closes; `None` when all of the position goes.
///
/// # Errors
/// [`MathError`] out of range.
pub fn reduction(
    habit: PartialLiquidation,
    reducible: &Reducible<'_>,
) -> Result<Option<Reduction>, MathError> {
    let Some(perp) = reducible.rules.perp.as_ref() else {
        return Ok(None);
    };
    let Reducible {
        position,
        price,
        others,
        ..
    } = reducible;
    let size = position.quantity.abs()?;
    let notional = size.notional(*price, Rounding::Ceil)?;
    let tier = tier_index(perp, size, notional);
    let tier = reducible.reduced_to.map_or(tier, |before| tier.min(before));
    match habit {
        PartialLiquidation::TwoTiers => {
            let lowest = perp.tiers.first().map(|tier| tier.maintenance_margin_rate);
            let least = notional.at_rate(lowest.unwrap_or_default(), Rounding::Ceil)?;
            let least = least.add(others.maintenance)?;
            let balance = others.balance.add(position.unrealized(*price)?)?;
            match tier.checked_sub(2) {
                Some(target) if balance > least => reducible.reduced_to_tier(perp, target),
                _ => Ok(None),
            }
        }
        PartialLiquidation::OneOrder => {
            for target in (0..tier).rev() {
                let Some(cut) = reducible.reduced_to_tier(perp, target)? else {
                    continue;
                };
                if reducible.holds_after(cut.closing)? {
                    return Ok(Some(cut));
                }
            }
            Ok(None)
        }
    }
}

/// Returns the place of the tier of a position; the last above all of them.
fn tier_index(perp: &PerpRules, size: Quantity, notional: Value) -> usize {
    let measure = match perp.tier_unit {
        TierUnit::Notional => notional.get(),
        TierUnit::Base => size.get(),
    };
    let last = perp.tiers.len().saturating_sub(1);
    let found = perp.tiers.iter().position(|tier| measure <= tier.up_to);
    found.unwrap_or(last)
}

impl Reducible<'_> {
    /// The order that brings the position into the tier at `index`; `None` when no whole lot would be left.
    fn reduced_to_tier(
        &self,
        perp: &PerpRules,
        index: usize,
    ) -> Result<Option<Reduction>, MathError> {
        let Some(tier) = perp.tiers.get(index) else {
            return Ok(None);
        };
        let size = self.position.quantity.abs()?;
        let bound = match perp.tier_unit {
            TierUnit::Notional => Value::new(tier.up_to).per(self.price, Rounding::Floor)?,
            TierUnit::Base => Quantity::new(tier.up_to),
        };
        let kept = bound.round_to_lot(self.rules.lot_size, Rounding::Floor)?;
        if !kept.is_positive() || kept >= size {
            return Ok(None);
        }
        let closed = size.sub(kept)?;
        let closing = if self.position.quantity.is_positive() {
            closed.neg()?
        } else {
            closed
        };
        Ok(Some(Reduction {
            closing,
            tier: index,
        }))
    }

    /// Whether the collateral's margin holds once the part is closed and its fee paid.
    fn holds_after(&self, closing: Quantity) -> Result<bool, MathError> {
        let change = self.position.fill(closing, self.price, self.decimals)?;
        let fee = fee(self.rules, closing, self.price, self.decimals)?;
        let mut margin = self.others;
        margin.balance = margin.balance.add(change.realized)?;
        margin.balance = margin.balance.sub(Value::new(fee.get()))?;
        margin.add(self.rules, &change.after, self.price, None)?;
        Ok(margin.balance > margin.maintenance)
    }
}

#[cfg(test)]
mod tests {
    use basis_core::num::{Bps, Rate};
    use basis_core::rules::MarginTier;
    use basis_core::types::Span;

    use super::*;
    use crate::exchange::margin::maintenance_margin;

    fn perp() -> PerpRules {
        let tier = |up_to, rate: &str, deduction: &str| MarginTier {
            up_to: Fixed18::from_int(up_to),
            initial_margin_rate: Rate::literal("0.1"),
            maintenance_margin_rate: rate.parse().unwrap(),
            deduction: deduction.parse().unwrap(),
            max_leverage: Fixed18::from_int(10),
        };
        PerpRules {
            contract_size: Quantity::literal("1"),
            counts_contracts: false,
            prices_contracts: false,
            funding_interval: Span::from_hours(8),
            funding_anchor: Span::ZERO,
            funding_rate_max: None,
            max_leverage: Fixed18::from_int(10),
            liquidation_fee: Bps::literal("50"),
            tier_method: TierMethod::Deduction,
            tier_unit: TierUnit::Notional,
            tiers: vec![tier(50_000, "0.004", "0"), tier(500_000, "0.005", "50")],
        }
    }

    #[test]
    fn margin_balance_meets_maintenance_at_the_liquidation_price() {
        for (quantity, cost, cash) in [
            ("-1", "-50000", "10000"),
            ("1", "50000", "10000"),
            ("0.5", "30000", "9000"),
        ] {
            let position = PerpPosition {
                quantity: quantity.parse().unwrap(),
                cost: cost.parse().unwrap(),
            };
            let cash: Quantity = cash.parse().unwrap();
            let price = liquidation_price(
                &perp(),
                &position,
                Value::new(cash.get()),
                Rounding::HalfEven,
            )
            .unwrap()
            .unwrap();
            let price = Price::new(price).unwrap();
            let balance = position
                .unrealized(price)
                .unwrap()
                .add(Value::new(cash.get()))
                .unwrap();
            let need = maintenance_margin(&perp(), position.quantity, price).unwrap();
            let apart = balance.sub(need).unwrap().abs().unwrap();
            assert!(
                apart < Value::literal("0.000000000001"),
                "{quantity}: {apart}"
            );
        }
    }

    #[test]
    fn a_fully_funded_long_has_no_liquidation_price() {
        let position = PerpPosition {
            quantity: Quantity::literal("1"),
            cost: Value::literal("50000"),
        };
        let wallet = Value::literal("50001");
        let price = liquidation_price(&perp(), &position, wallet, Rounding::HalfEven);
        assert!(!price.unwrap().unwrap().is_positive());
    }
}
