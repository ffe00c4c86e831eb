//! How much of a position a venue closes by force before it closes all of it.
//!
//! The arithmetic, with its sources, is [`basis_protocols::exchange::liquidation`]. Assumed beside it: the
//! forced order fills whole at the price of the test; of several cross positions the one with the
//! largest maintenance margin is reduced; within one test every further reduction of a position goes to a
//! lower tier, as the price lifts it back by slices else.

use basis_core::num::{Price, Quantity, Value};
use basis_core::types::InstrumentKey;
use basis_protocols::exchange::liquidation::{self, Reducible};
use basis_protocols::exchange::margin::Margin;

use super::books::OpenPosition;
use super::closing::closing_price;
use super::liquidation::{Pool, TestPrice};
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
        let worst = self.test_price(cx, test, pool, &open)?;
        let price = closing_price(cx, (test, worst), &open, self.wallet(cx, pool)?, alone)?;
        let reducible = Reducible {
            rules: cx.held_rules(open.key)?,
            position: open.position,
            price,
            others: self.pool_margin(cx, test, pool, Some(open.key))?,
            reduced_to: last.filter(|(key, _)| *key == open.key).map(|last| last.1),
            decimals: cx.decimals(SETTLEMENT)?,
        };
        let part = liquidation::reduction(self.profile.partial_liquidation, &reducible)?;
        Ok(part.map(|part| Reduction {
            open,
            closing: part.closing,
            price,
            tier: part.tier,
        }))
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
