//! Whether exposure that would be added is expected to earn what opening and closing it costs.
//!
//! Expected carry of a venue = notional added to its short × Σ of the rates it settled in the lookback
//! × horizon ÷ lookback; what leaves a venue is carry lost. Round trip = 2 × (fee + slippage) on every
//! notional added. A settlement without a recorded rate counts as zero, and where too few are recorded
//! nothing is added yet. Plans that add nothing need no
//! carry: they only reduce.

use basis_core::error::ComponentError;
use basis_core::num::{Bps, Fixed18, Quantity, Rate, Rounding, Value};
use basis_core::types::Span;
use basis_market::FundingLookup;

use super::Context;
use super::hedge::{Book, Hedge, rules_of};
use basis_engine::CarryRule;
use basis_engine::strategy::Shortfall;

/// Part of the settlements of the look-back that must be recorded.
const RECORDED_MIN: (u32, u32) = (3, 4);

/// Returns why what the aim of `book` adds to the position held is not worth its cost; `None` where it is.
pub(super) fn shortfall(
    context: &Context<'_>,
    book: &Book<'_>,
) -> Result<Option<Shortfall>, ComponentError> {
    let Some(rule) = context.config.expected_carry else {
        return Ok(None);
    };
    let (mut carry, mut cost) = (Value::ZERO, Value::ZERO);
    let mut short = None;
    for hedge in &book.hedges {
        let change = hedge.target.add(hedge.position)?;
        if change.is_zero() {
            continue;
        }
        let notional = change.notional(book.spot_price, Rounding::Floor)?;
        let funding = expected_rate(context, hedge, rule)?;
        let (part, whole) = RECORDED_MIN;
        let lacks = funding.recorded.saturating_mul(whole) < funding.due.saturating_mul(part);
        if notional.is_positive() && lacks {
            let Funding { recorded, due, .. } = funding;
            short.get_or_insert(Shortfall::LookBack { recorded, due });
        }
        carry = carry.add(notional.at_rate(funding.rate, Rounding::Floor)?)?;
        let taker = rules_of(context, hedge.venue)?.fees.perp.taker;
        cost = cost.add(round_trip(notional, taker, rule.slippage)?)?;
    }
    let bought = book.spot_target.sub(book.spot)?.max(Quantity::ZERO);
    let bought = bought.notional(book.spot_price, Rounding::Ceil)?;
    cost = cost.add(round_trip(bought, book.spot_taker_fee(), rule.slippage)?)?;
    if cost.is_zero() {
        return Ok(None);
    }
    let below = (carry <= cost).then_some(Shortfall::Carry {
        expected: carry,
        cost,
    });
    Ok(short.or(below))
}

/// What a short of one unit is expected to receive over the horizon, and what that rests on.
#[derive(Clone, Copy, Debug, Default)]
struct Funding {
    rate: Rate,
    recorded: u32,
    due: u32,
}

fn expected_rate(
    context: &Context<'_>,
    hedge: &Hedge<'_>,
    rule: CarryRule,
) -> Result<Funding, ComponentError> {
    let (now, key) = (context.view.now(), hedge.rules.key);
    let mut funding = Funding::default();
    let Some(rules) = context.rules.venue(hedge.venue) else {
        return Ok(funding);
    };
    let mut sum = Rate::ZERO;
    let mut at = now.minus(rule.lookback);
    while let Some(instant) = rules.next_funding(key.symbol, at).filter(|at| *at <= now) {
        funding.due += 1;
        match context.view.funding(key.funding_series(), instant) {
            FundingLookup::Rate(rate) | FundingLookup::Proxied(rate, _) => {
                funding.recorded += 1;
                sum = sum.add(rate)?;
            }
            FundingLookup::Missing => {}
        }
        at = instant;
    }
    let hours = |span: Span| Fixed18::from_int(span.seconds() / 3_600);
    let rate = sum
        .get()
        .mul_div(hours(rule.horizon), hours(rule.lookback), Rounding::Floor)?;
    funding.rate = Rate::new(rate);
    Ok(funding)
}

/// Opening and closing `notional`; nothing where none is added.
fn round_trip(notional: Value, taker: Rate, slippage: Bps) -> Result<Value, ComponentError> {
    if !notional.is_positive() {
        return Ok(Value::ZERO);
    }
    let once = taker.add(slippage.to_rate(Rounding::Ceil)?)?;
    let cost = notional.at_rate(once, Rounding::Ceil)?;
    Ok(cost.add(cost)?)
}
