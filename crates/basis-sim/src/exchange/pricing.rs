//! The price a taking order gets, and how much of the newest bar is left for it.

use basis_core::error::Rejection;
use basis_core::num::{MathError, Price, Quantity, Rate, Rounding};
use basis_core::types::Side;
use basis_core::venue::TakingTerms;
use basis_market::{MarketView, Quote, SlotId};
use basis_protocols::exchange::impact::Activity;
use basis_protocols::exchange::orders::against_us;

use super::SimulatedExchange;
use super::order::Order;
use crate::refusal::Refusal;

/// The market that an order meets.
#[derive(Clone, Copy, Debug)]
pub(super) struct Met {
    pub(super) slot: SlotId,
    pub(super) quote: Quote,
    /// Over the bars completed when the order was placed.
    pub(super) activity: Activity,
    /// Base units that orders of ours had taken of the newest of these bars.
    pub(super) taken: Quantity,
}

impl SimulatedExchange {
    /// The market of `order` as it is now.
    pub(super) fn meet(
        &self,
        view: &MarketView,
        order: &Order<'_>,
        (slot, quote): (SlotId, Quote),
    ) -> Result<Met, Refusal> {
        let taken = self.taken_of_bar.get(&order.rules.key);
        let taken = taken.filter(|(known_at, _)| *known_at == quote.known_at);
        Ok(Met {
            slot,
            quote,
            activity: view.activity(slot)?,
            taken: taken.map(|(_, taken)| *taken).unwrap_or_default(),
        })
    }

    /// As much of `quantity` as the newest bar still has room for, in whole lots; refused where that is nothing.
    pub(super) fn within_volume(
        &self,
        order: &Order<'_>,
        quantity: Quantity,
        met: &Met,
    ) -> Result<Quantity, Refusal> {
        if let Some(room) = self.room(order, quantity, met)? {
            return Ok(room);
        }
        let most = met.activity.most(self.share_of(order))?;
        let reason = Rejection::NoVolume {
            instrument: order.rules.key,
            quantity,
            volume: met.activity.last_volume,
            most: most.unwrap_or_default(),
            taken: met.taken,
        };
        Err(Refusal::rejected(reason, None))
    }

    /// As much of `quantity` as the newest bar still has room for, in whole lots; `None` where that is less
    /// than an order may be.
    pub(super) fn room(
        &self,
        order: &Order<'_>,
        quantity: Quantity,
        met: &Met,
    ) -> Result<Option<Quantity>, Refusal> {
        let Some(most) = met.activity.most(self.share_of(order))? else {
            return Ok(Some(quantity));
        };
        let left = most.sub(met.taken)?.max(Quantity::ZERO);
        if quantity <= left {
            return Ok(Some(quantity));
        }
        let room = left.round_to_lot(order.rules.lot_size, Rounding::Floor)?;
        let is_enough = !room.is_zero() && room >= order.rules.min_quantity;
        Ok(is_enough.then_some(room))
    }

    /// The share of a bar that the order may take.
    fn share_of(&self, order: &Order<'_>) -> Option<Rate> {
        let reduces = order.reduce_only || order.rules.perp.is_none() && order.side == Side::Sell;
        self.settings.taking.participation(reduces)
    }

    /// Counts what an order took of the newest bar.
    pub(super) fn count_taken(
        &mut self,
        order: &Order<'_>,
        quantity: Quantity,
        met: &Met,
    ) -> Result<(), Refusal> {
        let taken = (met.quote.known_at, met.taken.add(quantity)?);
        self.taken_of_bar.insert(order.rules.key, taken);
        Ok(())
    }
}

/// The price at which `quantity` is taken now: mark plus half spread and impact, rounded to the tick against
/// us. What the bar gave us before counts to the size, so that splitting an order saves nothing.
pub(super) fn taking_price(
    terms: &TakingTerms,
    order: &Order<'_>,
    quantity: Quantity,
    met: &Met,
) -> Result<Price, Refusal> {
    let cost = met.activity.cost(terms, met.taken.add(quantity)?)?;
    let Some(cost) = cost else {
        let reason = Rejection::NoVolume {
            instrument: order.rules.key,
            quantity,
            volume: Quantity::ZERO,
            most: Quantity::ZERO,
            taken: met.taken,
        };
        return Err(Refusal::rejected(reason, None));
    };
    let (side, tick) = (order.side, order.rules.tick_size);
    let shift = match side {
        Side::Buy => cost,
        Side::Sell => cost.neg()?,
    };
    let price = |mark: Price| -> Result<Price, MathError> {
        mark.shift_bps(shift, against_us(side))?
            .round_to_tick(tick, against_us(side))
    };
    Ok(price(met.quote.mark)?)
}
