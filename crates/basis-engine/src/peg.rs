//! The dollar token that a run counts in, against the dollar.
//!
//! Inside a run a unit of that token is one dollar: prices, margins, fees and the share class are quoted in it,
//! so the peg moves none of them. What the books are worth in USD is their value × the peg, and the bucket `peg`
//! is what the peg alone did to that: with E the equity and F the external flows of a step in the token and P the
//! peg at its end, `peg` = E₁ × (P₁ − 1) − E₀ × (P₀ − 1) − F × (P₁ − 1), each product rounded half-even at 18
//! decimals. Without a series the peg is 1 and everything here is absent.

use basis_core::num::{Fixed18, MathError, Price, Rounding, Value};
use basis_core::types::{Asset, SeriesId, SeriesKind, Symbol, Timestamp, Venue};
use basis_market::{MarketView, PriceState, SlotId};
use serde::{Deserialize, Serialize};

use crate::account::StepClose;
use crate::pnl::Attribution;
use crate::statistics::{Statistics, TimeWeighted};

/// Whose price a peg is: that of the market in dollars.
const IN_DOLLARS: Venue = Venue::literal("usd");

/// The series of the peg of a dollar token; `None` for a token whose name leaves no room for a pair.
#[must_use]
pub fn peg_series(token: Asset) -> Option<SeriesId> {
    let symbol = Symbol::new(&format!("{token}USD")).ok()?;
    Some(SeriesId::new(SeriesKind::Peg, IN_DOLLARS, symbol))
}

/// What the peg adds to a step.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PegStep {
    /// Dollars per token at the end of the step; 1 before the series begins.
    pub price: Price,
    /// What the equity is worth above its number of tokens, USD.
    pub value: Value,
    /// What the external flows of the step are worth above theirs, USD.
    pub flow: Value,
    /// The bucket of the step, USD.
    pub bucket: Value,
}

/// The peg of a run so far.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct PegBook {
    /// The first step and the last.
    pub(crate) ends: Option<[PegStep; 2]>,
    /// The run in dollars.
    pub(crate) statistics: TimeWeighted,
}

/// What the peg did to a run.
#[derive(Clone, Copy, Debug)]
pub struct PegResult {
    /// The first step and the last.
    pub ends: [PegStep; 2],
    /// The run in dollars.
    pub statistics: Statistics,
}

impl PegBook {
    pub(crate) fn new(from: Timestamp) -> Self {
        Self {
            ends: None,
            statistics: TimeWeighted::new(from),
        }
    }

    /// Takes a step that the books have closed, in tokens.
    ///
    /// # Errors
    /// [`MathError`] out of range.
    pub(crate) fn step(
        &mut self,
        at: Timestamp,
        close: &StepClose,
        price: Price,
    ) -> Result<PegStep, MathError> {
        let off = price.get().sub(Fixed18::ONE)?;
        let above = |tokens: Value| -> Result<Value, MathError> {
            Ok(Value::new(tokens.get().mul(off, Rounding::HalfEven)?))
        };
        let (value, flow) = (above(close.equity)?, above(close.external_flow)?);
        let before = self.ends.map_or(Value::ZERO, |[_, last]| last.value);
        let step = PegStep {
            price,
            value,
            flow,
            bucket: value.sub(before)?.sub(flow)?,
        };
        self.ends = Some([self.ends.map_or(step, |[first, _]| first), step]);
        let equity = close.equity.add(value)?;
        let flow = close.external_flow.add(flow)?;
        self.statistics.step(at, equity, flow);
        Ok(step)
    }

    pub(crate) fn finish(&self, step: basis_core::types::Span) -> Option<PegResult> {
        Some(PegResult {
            ends: self.ends?,
            statistics: self.statistics.finish(step),
        })
    }
}

/// The peg that `slot` shows now.
pub(crate) fn peg_at(view: &MarketView, slot: SlotId) -> Price {
    let quote = view.quote(slot);
    match quote.state {
        PriceState::Missing => Price::literal("1"),
        _ => quote.mark,
    }
}

impl Attribution {
    /// The same with the bucket of the peg.
    #[must_use]
    pub(crate) const fn with_peg(self, peg: Value) -> Self {
        Self { peg, ..self }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn close(equity: &str, flow: &str) -> StepClose {
        StepClose {
            equity: equity.parse().unwrap(),
            external_flow: flow.parse().unwrap(),
            attribution: Attribution::default(),
            net_delta: basis_core::num::Quantity::ZERO,
        }
    }

    #[test]
    fn the_buckets_explain_what_the_peg_did_to_equity_and_flows() {
        let mut book = PegBook::new(Timestamp::from_nanos(0));
        let hour = |h: i64| Timestamp::from_nanos(h * 3_600_000_000_000);
        let one = book.step(hour(1), &close("1000", "1000"), Price::literal("0.99"));
        let two = book.step(hour(2), &close("1010", "0"), Price::literal("0.88"));
        let three = book.step(hour(3), &close("1510", "500"), Price::literal("1.01"));
        let buckets = [one, two, three].map(|step| step.unwrap().bucket.to_string());
        // 1000 tokens at 0.99 came in as such; 1010 lose 0.12 each and what the first lost is booked.
        assert_eq!(buckets, ["0", "-111.2", "131.3"]);
        let [first, last] = book.ends.unwrap();
        assert_eq!(first.flow, Value::literal("-10"));
        assert_eq!(last.value, Value::literal("15.1"));
    }
}
