//! Resting orders: what they bind, cancellation.

use basis_core::instruction::{CancelOrder, OrderType, TimeInForce};
use basis_core::num::{Price, Quantity, Rate};
use basis_core::rules::{InstrumentRules, PerpRules};
use basis_core::types::{Account, Asset, InstructionId, Side};
use basis_core::venue_event::Events;
use basis_market::SlotId;
use basis_protocols::exchange::fees;
use basis_protocols::exchange::margin::order_margin;
use basis_protocols::exchange::orders::{opening_part, signed};

use super::books::RestingOrder;
use super::fills::require_margin;
use super::order::Order;
use super::profile::RefusalCodes;
use super::{Context, SETTLEMENT, SimulatedExchange};
use crate::refusal::Refusal;

impl SimulatedExchange {
    /// The order as it rests in the book, with what it binds there.
    pub(super) fn resting(
        &self,
        cx: &Context<'_>,
        order: &Order<'_>,
        quantity: Quantity,
        limit: Price,
        slot: SlotId,
    ) -> Result<RestingOrder, Refusal> {
        let reserved = match order.rules.perp.as_ref() {
            None => self.reserve_spot(cx, order, quantity, limit)?,
            Some(perp) => {
                let fee = cx.snapshot.fees.perp.maker;
                self.reserve_perp(cx, order, (perp, fee), quantity, limit)?
            }
        };
        Ok(RestingOrder {
            instruction: order.instruction,
            key: order.key,
            side: order.side,
            quantity,
            filled: Quantity::ZERO,
            limit,
            reduce_only: order.reduce_only,
            post_only: order.time_in_force == TimeInForce::PostOnly,
            reserved,
            placed_at: cx.view.now(),
            slot,
        })
    }

    fn reserve_spot(
        &self,
        cx: &Context<'_>,
        order: &Order<'_>,
        quantity: Quantity,
        limit: Price,
    ) -> Result<(Account, Asset, Quantity), Refusal> {
        let account = cx.snapshot.accounts.spot;
        let (asset, needed) = match order.side {
            Side::Sell => (order.rules.base, quantity),
            Side::Buy => {
                let (quote, fees) = (order.rules.quote, &cx.snapshot.fees);
                let needed = fees::buy_reservation(fees, quantity, limit, cx.decimals(quote)?)?;
                (quote, needed)
            }
        };
        self.require_free(cx, account, asset, needed, order.codes.funds)?;
        Ok((account, asset, needed))
    }

    /// Initial margin of the part that would open, and the fee on all of it.
    pub(super) fn reserve_perp(
        &self,
        cx: &Context<'_>,
        order: &Order<'_>,
        (perp, fee_rate): (&PerpRules, Rate),
        quantity: Quantity,
        limit: Price,
    ) -> Result<(Account, Asset, Quantity), Refusal> {
        let account = cx.snapshot.accounts.perp;
        let held = self.books.position(order.key);
        let signed = signed(order.side, quantity)?;
        let opening = opening_part(held.quantity, signed)?;
        if order.reduce_only || opening.is_zero() {
            return Ok((account, SETTLEMENT, Quantity::ZERO));
        }
        let decimals = cx.decimals(SETTLEMENT)?;
        let after = held.fill(signed, limit, decimals)?.after;
        self.check_position(order, perp, &after, limit)?;
        let leverage = self.leverage(order.rules.key.symbol);
        let parts = (opening, quantity);
        let needed = order_margin(parts, limit, leverage, fee_rate, decimals)?;
        let cash = self.books.cash.get(account, SETTLEMENT);
        let available = self.margin(cx, cash, None)?.available()?.get();
        let reserved = self.books.reserved(account, SETTLEMENT)?;
        let available = Quantity::new(available).sub(reserved)?;
        require_margin(needed, available, order.codes.funds)?;
        Ok((account, SETTLEMENT, needed))
    }

    pub(super) fn cancel_order(
        &mut self,
        cx: &Context<'_>,
        instruction: InstructionId,
        cancel: &CancelOrder,
        events: &mut Events,
    ) -> Result<(), Refusal> {
        let found = self.books.orders.iter().position(|order| {
            order.instruction == cancel.order && order.key.symbol == cancel.symbol
        });
        let Some(at) = found else {
            let text = format!(
                "no open order of instruction {} in {}; it filled, was canceled, or never rested",
                cancel.order, cancel.symbol
            );
            return Err(Refusal::other(text, self.profile.perp.no_order));
        };
        let gone = self.books.orders.remove(at);
        events.push(self.cancelled(cx, &gone, None));
        events.push(self.done(cx, instruction));
        Ok(())
    }
}

/// The order behind a resting one, for its fill.
pub(super) fn resting_order<'a>(
    resting: &RestingOrder,
    rules: &'a InstrumentRules,
    codes: &'static RefusalCodes,
) -> Order<'a> {
    Order {
        instruction: resting.instruction,
        rules,
        key: resting.key,
        codes,
        side: resting.side,
        quantity: resting.quantity,
        order_type: OrderType::Limit,
        limit_price: Some(resting.limit),
        time_in_force: if resting.post_only {
            TimeInForce::PostOnly
        } else {
            TimeInForce::Gtc
        },
        reduce_only: resting.reduce_only,
    }
}
