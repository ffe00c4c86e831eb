//! The numbers of what makes a book change: each in the event log with what it was computed from.

use basis_core::error::ComponentError;
use basis_core::num::{Quantity, Rate, Rounding, Value};
use basis_engine::strategy::Trigger;

use super::Context;

/// A notional, or ETH, below its target by more than `utilization_band`.
pub(super) fn utilization(
    context: &Context<'_>,
    (held, target): (Value, Value),
) -> Result<Option<Trigger>, ComponentError> {
    if !target.is_positive() {
        return Ok(None);
    }
    let lacks = target.sub(held)?;
    let (equity, owed) = (context.books.equity(), context.pending_withdrawal);
    Ok(Some(Trigger {
        measure: "utilization",
        value: lacks.ratio(target, Rounding::Floor)?,
        limit: context.config.utilization_band,
        of: format!("held {held} of a target of {target} USD, equity {equity} USD, owed {owed}"),
    }))
}

/// Equity further than `equity_deviation` from that of the last rebalance.
pub(super) fn equity_deviation(
    context: &Context<'_>,
    (own, last): (Value, Value),
) -> Result<Option<Trigger>, ComponentError> {
    if !last.is_positive() {
        return Ok(None);
    }
    let (equity, owed) = (context.books.equity(), context.pending_withdrawal);
    Ok(Some(Trigger {
        measure: "equity_deviation",
        value: own.sub(last)?.abs()?.ratio(last, Rounding::Floor)?,
        limit: context.config.equity_deviation,
        of: format!(
            "own {own} USD, {last} USD at the last rebalance, equity {equity} USD, owed {owed}"
        ),
    }))
}

/// Long and short further apart than `delta_tolerance` of the larger.
pub(super) fn delta(
    context: &Context<'_>,
    (long, short): (Quantity, Quantity),
) -> Result<Option<Trigger>, ComponentError> {
    let larger = long.max(short);
    if !larger.is_positive() {
        return Ok(None);
    }
    Ok(Some(Trigger {
        measure: "delta",
        value: long.sub(short)?.abs()?.ratio(larger, Rounding::Floor)?,
        limit: context.config.delta_tolerance,
        of: format!("long {long}, short {short} {}", context.config.asset),
    }))
}

/// A debt ratio further than `limit` from `target`.
pub(super) fn ltv(
    (debt, collateral): (Quantity, Quantity),
    (target, limit): (Rate, Rate),
) -> Result<Option<Trigger>, ComponentError> {
    if !collateral.is_positive() {
        return Ok(None);
    }
    let ratio = debt.ratio(collateral, Rounding::Up)?;
    Ok(Some(Trigger {
        measure: "ltv",
        value: ratio.sub(target)?.abs()?,
        limit,
        of: format!("debt {debt} of a collateral of {collateral} ETH, target {target}"),
    }))
}
