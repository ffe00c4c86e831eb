//! Attribution in a share class that is not a dollar.
//!
//! With N the reference price: equity in the class is V ÷ N. Per step each bucket in USD is divided by
//! N at the step's end, and `numeraire` = V₀ ÷ N₁ − V₀ ÷ N₀ is what the equity the step began with
//! gained or lost in the class because N moved. No bucket is a remainder; the residual is rounding.

use serde::{Deserialize, Serialize};

use basis_core::error::{Code, ComponentError};
use basis_core::num::{Price, Rounding, Value};
use basis_core::types::Timestamp;

use crate::pnl::{Attribution, StepEnd, residual_bound};
use crate::statistics::TimeWeighted;

/// Buckets of a run in the share class.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ShareAttribution {
    /// The buckets divided by the reference price of their step; the residual is that of the class.
    pub buckets: Attribution,
    /// Moves of the reference price itself.
    pub numeraire: Value,
}

/// A run in its share class.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct ShareClass {
    pub(crate) attribution: ShareAttribution,
    pub(crate) statistics: TimeWeighted,
    /// Equity at the end of the last step, in USD and in the class.
    last: Option<(Value, Value)>,
}

/// Returns USD in units of a share class at its price, half-even.
///
/// # Errors
/// POS-002 when the quotient leaves the range.
pub(crate) fn in_class(usd: Value, price: Price) -> Result<Value, ComponentError> {
    if usd.is_zero() {
        return Ok(Value::ZERO);
    }
    let units = usd.per(price, Rounding::HalfEven)?;
    Ok(Value::new(units.get()))
}

impl ShareClass {
    /// Creates that of a run whose first step is after `from`.
    pub(crate) fn new(from: Timestamp) -> Self {
        Self {
            attribution: ShareAttribution::default(),
            statistics: TimeWeighted::new(from),
            last: None,
        }
    }

    /// Adds a step.
    ///
    /// # Errors
    /// PNL-001 when more than rounding is left over; POS-002 out of range.
    pub(crate) fn step(&mut self, at: Timestamp, end: &StepEnd) -> Result<(), ComponentError> {
        let class = |value| in_class(value, end.reference);
        let (equity, external_flow) = (class(end.equity_usd)?, class(end.external_flow_usd)?);
        let (opening, moved) = match self.last {
            Some((value, opening)) => (opening, class(value)?.sub(opening)?),
            None => (Value::ZERO, Value::ZERO),
        };
        let mut buckets = Attribution::default();
        let values = end.attribution.values();
        for (to, value) in buckets.buckets_mut().into_iter().zip(values) {
            if !value.is_zero() {
                *to = class(value)?;
            }
        }
        buckets.residual = equity
            .sub(opening)?
            .sub(external_flow)?
            .sub(buckets.total()?)?
            .sub(moved)?;
        let bound = residual_bound(equity)?;
        if buckets.residual.abs()? > bound {
            return Err(ComponentError::new(
                Code::PnlOpen,
                format!(
                    "residual {} at {at} with equity {equity} in the share class is beyond rounding \
                     ({bound})",
                    buckets.residual
                ),
            ));
        }
        let whole = &mut self.attribution;
        whole.numeraire = whole.numeraire.add(moved)?;
        whole.buckets.accumulate(&buckets)?;
        self.statistics.step(at, equity, external_flow);
        self.last = Some((end.equity_usd, equity));
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn end(equity: &str, flow: &str, funding: &str, reference: &str) -> StepEnd {
        StepEnd {
            equity_usd: equity.parse().unwrap(),
            external_flow_usd: flow.parse().unwrap(),
            attribution: Attribution {
                funding: funding.parse().unwrap(),
                ..Attribution::default()
            },
            reference: reference.parse().unwrap(),
        }
    }

    #[test]
    fn a_falling_price_gives_a_dollar_book_more_of_the_class() {
        let mut share = ShareClass::new(Timestamp::EPOCH);
        for step in [
            end("3000", "3000", "0", "3000"),
            end("3020", "0", "20", "2000"),
        ] {
            share.step(Timestamp::EPOCH, &step).unwrap();
        }
        let share = share.attribution;
        assert_eq!(share.numeraire, Value::literal("0.5"));
        assert_eq!(share.buckets.funding, Value::literal("0.01"));
        assert!(share.buckets.residual.is_zero());
    }

    #[test]
    fn what_no_bucket_explains_stops_the_run() {
        let mut share = ShareClass::new(Timestamp::EPOCH);
        let open = end("3001", "3000", "0", "3000");
        assert!(share.step(Timestamp::EPOCH, &open).is_err());
    }
}
