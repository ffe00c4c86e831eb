//! How much of a position a venue closes by force before it closes all of it.
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
//! Assumed: the forced order fills whole at the price of the test; Binance's one order ends at the
//! highest lower bracket at which the margin holds; of several cross positions the one with the
//! largest maintenance margin is reduced; a reduction is rounded up to the lot; within one test every
//! further reduction of a position goes to a lower tier, as the price lifts it back by slices else.

use basis_core::num::{Price, Quantity, Rounding, Value};
use basis_core::rules::{InstrumentRules, PerpRules, TierUnit};
use basis_core::types::InstrumentKey;

use super::books::OpenPosition;
use super::closing::{closing_price, liquidation_fee};
use super::liquidation::{Pool, TestPrice};
use super::margin::Margin;
use super::profile::PartialLiquidation;
use super::{Context, SETTLEMENT, SimulatedExchange};
use crate::refusal::Refusal;

/// A part of a position to be closed by force.
#[derive(Clone, Copy, Debug)]
pub(super) struct Reduction {
    pub(super) open: OpenPosition,
    /// Signed base units of the closing order.
    pub(super) closing: Quantity,
    pub(super) price: Price,
    /// Index of the tier it ends in.
    pub(super) tier: usize,
}

impl SimulatedExchange {
    /// The next part of a pool to close, below the tier that its `last` reduction in this test went
    /// to; `None` when all of it goes.
    pub(super) fn reduction(
        &self,
        cx: &Context<'_>,
        test: TestPrice,
        pool: Pool,
        last: Option<(InstrumentKey, usize)>,
    ) -> Result<Option<Reduction>, Refusal> {
        let Some((open, alone)) = self.largest(cx, test, pool)? else {
            return Ok(None);
        };
        let rules = cx.held_rules(open.key)?;
        let Some(perp) = rules.perp.as_ref() else {
            return Ok(None);
        };
        let worst = self.test_price(cx, test, pool, &open)?;
        let price = closing_price(cx, (test, worst), &open, self.wallet(cx, pool)?, alone)?;
        let others = self.pool_margin(cx, test, pool, Some(open.key))?;
        let size = open.position.quantity.abs()?;
        let notional = size.notional(price, Rounding::Ceil)?;
        let tier = tier_index(perp, size, notional);
        let tier = match last {
            Some((key, before)) if key == open.key => tier.min(before),
            _ => tier,
        };
        match self.profile.partial_liquidation {
            PartialLiquidation::TwoTiers => {
                let lowest = perp.tiers.first().map(|tier| tier.maintenance_margin_rate);
                let least = notional.at_rate(lowest.unwrap_or_default(), Rounding::Ceil)?;
                let least = least.add(others.maintenance)?;
                let balance = others.balance.add(open.position.unrealized(price)?)?;
                match tier.checked_sub(2) {
                    Some(target) if balance > least => to_tier(rules, perp, &open, target, price),
                    _ => Ok(None),
                }
            }
            PartialLiquidation::OneOrder => {
                for target in (0..tier).rev() {
                    let Some(cut) = to_tier(rules, perp, &open, target, price)? else {
                        continue;
                    };
                    if holds_after(cx, rules, &cut, others)? {
                        return Ok(Some(cut));
                    }
                }
                Ok(None)
            }
        }
    }

    /// The position of a pool that binds the most maintenance margin, and whether it is the only one.
    fn largest(
        &self,
        cx: &Context<'_>,
        test: TestPrice,
        pool: Pool,
    ) -> Result<Option<(OpenPosition, bool)>, Refusal> {
        let mut most: Option<(Value, OpenPosition)> = None;
        let mut count = 0;
        for open in self.books.positions.iter().filter(|open| pool.holds(open)) {
            count += 1;
            let rules = cx.held_rules(open.key)?;
            let price = self.test_price(cx, test, pool, open)?;
            let mut margin = Margin::default();
            margin.add(rules, &open.position, price, None)?;
            if most.is_none_or(|(value, _)| margin.maintenance > value) {
                most = Some((margin.maintenance, *open));
            }
        }
        Ok(most.map(|(_, open)| (open, count == 1)))
    }
}

fn tier_index(perp: &PerpRules, size: Quantity, notional: Value) -> usize {
    let measure = match perp.tier_unit {
        TierUnit::Notional => notional.get(),
        TierUnit::Base => size.get(),
    };
    let last = perp.tiers.len().saturating_sub(1);
    let found = perp.tiers.iter().position(|tier| measure <= tier.up_to);
    found.unwrap_or(last)
}

/// The order that brings a position into the tier at `index`; `None` when no whole lot would be left.
fn to_tier(
    rules: &InstrumentRules,
    perp: &PerpRules,
    open: &OpenPosition,
    index: usize,
    price: Price,
) -> Result<Option<Reduction>, Refusal> {
    let Some(tier) = perp.tiers.get(index) else {
        return Ok(None);
    };
    let size = open.position.quantity.abs()?;
    let bound = match perp.tier_unit {
        TierUnit::Notional => Value::new(tier.up_to).per(price, Rounding::Floor)?,
        TierUnit::Base => Quantity::new(tier.up_to),
    };
    let kept = bound.round_to_lot(rules.lot_size, Rounding::Floor)?;
    if !kept.is_positive() || kept >= size {
        return Ok(None);
    }
    let closed = size.sub(kept)?;
    let closing = if open.is_long() {
        closed.neg()?
    } else {
        closed
    };
    Ok(Some(Reduction {
        open: *open,
        closing,
        price,
        tier: index,
    }))
}

/// Whether the pool's margin holds once the part is closed and its fee paid.
fn holds_after(
    cx: &Context<'_>,
    rules: &InstrumentRules,
    cut: &Reduction,
    others: Margin,
) -> Result<bool, Refusal> {
    let decimals = cx.decimals(SETTLEMENT)?;
    let change = cut.open.position.fill(cut.closing, cut.price, decimals)?;
    let fee = liquidation_fee(cx, &cut.open, cut.closing, cut.price)?;
    let mut margin = others;
    margin.balance = margin.balance.add(change.realized)?;
    margin.balance = margin.balance.sub(Value::new(fee.get()))?;
    margin.add(rules, &change.after, cut.price, None)?;
    Ok(margin.balance > margin.maintenance)
}
