//! Whether exposure that would be added is expected to earn what opening and closing it costs.
//!
//! Expected carry of a venue = notional added to its short × Σ of the rates it settled in the lookback
//! × horizon ÷ lookback; what leaves a venue is carry lost. Round trip = 2 × (fee + slippage) on every
//! notional added. A settlement without a recorded rate counts as zero. Plans that add nothing need no
//! carry: they only reduce.

use basis_core::error::ComponentError;
use basis_core::num::{Bps, Fixed18, Quantity, Rate, Rounding, Value};
use basis_core::types::Span;
use basis_market::FundingLookup;

use super::Context;
use super::hedge::{Book, Hedge, rules_of};
use basis_engine::CarryRule;

/// Whether what the aim of `book` adds to the position held is expected to pay for itself.
pub(super) fn is_worth_its_cost(
    context: &Context<'_>,
    book: &Book<'_>,
) -> Result<bool, ComponentError> {
    let Some(rule) = context.config.expected_carry else {
        return Ok(true);
    };
    let (mut carry, mut cost) = (Value::ZERO, Value::ZERO);
    for hedge in &book.hedges {
        let change = hedge.target.add(hedge.position)?;
        if change.is_zero() {
            continue;
        }
        let notional = change.notional(book.spot_price, Rounding::Floor)?;
        let rate = expected_rate(context, hedge, rule)?;
        carry = carry.add(notional.at_rate(rate, Rounding::Floor)?)?;
        let taker = rules_of(context, hedge.venue)?.fees.perp.taker;
        cost = cost.add(round_trip(notional, taker, rule.slippage)?)?;
    }
    let bought = book.spot_target.sub(book.spot)?.max(Quantity::ZERO);
    let bought = bought.notional(book.spot_price, Rounding::Ceil)?;
    cost = cost.add(round_trip(bought, book.spot_taker_fee(), rule.slippage)?)?;
    Ok(cost.is_zero() || carry > cost)
}

/// What a short of one unit is expected to receive over the horizon.
fn expected_rate(
    context: &Context<'_>,
    hedge: &Hedge<'_>,
    rule: CarryRule,
) -> Result<Rate, ComponentError> {
    let (now, key) = (context.view.now(), hedge.rules.key);
    let Some(rules) = context.rules.venue(hedge.venue) else {
        return Ok(Rate::ZERO);
    };
    let mut sum = Rate::ZERO;
    let mut at = now.minus(rule.lookback);
    while let Some(instant) = rules.next_funding(key.symbol, at).filter(|at| *at <= now) {
        sum = sum.add(match context.view.funding(key.funding_series(), instant) {
            FundingLookup::Rate(rate) | FundingLookup::Proxied(rate, _) => rate,
            FundingLookup::Missing => Rate::ZERO,
        })?;
        at = instant;
    }
    let hours = |span: Span| Fixed18::from_int(span.seconds() / 3_600);
    let rate = sum
        .get()
        .mul_div(hours(rule.horizon), hours(rule.lookback), Rounding::Floor)?;
    Ok(Rate::new(rate))
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
