//! Changing price or quantity of a resting order.
//!
//! Sources: facts sheet §2.3, §2.4, §3.3, §4.3. Binance futures want quantity and price both and
//! queue the order anew; Binance spot only shrinks an order, keeping its place; Bybit and OKX take
//! what changes, and the order keeps its place when only its quantity shrinks (assumed for both).
//! A new quantity is that of the whole order, what has filled of it included.

use basis_core::instruction::AmendOrder;
use basis_core::types::{InstructionId, InstrumentKind};
use basis_core::venue_event::{EventKind, Events, Text};
use basis_protocols::exchange::orders::is_marketable;

use super::books::RestingOrder;
use super::resting::resting_order;
use super::{Context, SimulatedExchange};
use crate::refusal::Refusal;

impl SimulatedExchange {
    /// Amends an order; refused, it rests as before. An amended price that would take fills at once,
    /// under the order's own instruction, but cancels a post-only order, as the venues do.
    pub(super) fn amend_order(
        &mut self,
        cx: &Context<'_>,
        instruction: InstructionId,
        amend: &AmendOrder,
        events: &mut Events,
    ) -> Result<(), Refusal> {
        let found =
            self.books.orders.iter().position(|order| {
                order.instruction == amend.order && order.key.symbol == amend.symbol
            });
        let place = found.and_then(|at| Some((at, *self.books.orders.get(at)?)));
        let Some((at, old)) = place else {
            let text = format!(
                "no open order of instruction {} in {}; it filled, was canceled, or never rested",
                amend.order, amend.symbol
            );
            return Err(Refusal::other(text, self.profile.modes.no_amend));
        };
        let wanted = self.amended(cx, &old, amend)?;
        if wanted.quantity != old.quantity || wanted.limit != old.limit {
            self.books.orders.remove(at);
            match self.replace(cx, &wanted) {
                Ok(own) => events.extend(own),
                Err(refusal) => {
                    self.books.orders.insert(at, old);
                    return Err(refusal);
                }
            }
            self.keep_place(at, &old, &wanted);
        }
        events.push(self.done(cx, instruction));
        Ok(())
    }

    /// The order as it is wished, if the venue amends such an order so.
    fn amended(
        &self,
        cx: &Context<'_>,
        old: &RestingOrder,
        amend: &AmendOrder,
    ) -> Result<RestingOrder, Refusal> {
        let perp = old.key.kind.contract() == InstrumentKind::Perp;
        let modes = &self.profile.modes;
        let refused = |what: &str, code: Option<&'static str>| {
            let text = format!(
                "{} order of instruction {}: {what}",
                old.key, old.instruction
            );
            Err(Refusal::other(text, code))
        };
        if amend.quantity.is_none() && amend.limit_price.is_none() {
            return refused(
                "an amendment changes quantity or limit_price",
                Some(modes.amend_incomplete),
            );
        }
        if perp
            && self.profile.amend_whole
            && (amend.quantity.is_none() || amend.limit_price.is_none())
        {
            return refused(
                "the venue wants quantity and limit_price both",
                Some(modes.amend_incomplete),
            );
        }
        let quantity = match amend.quantity {
            Some(whole) if whole <= old.filled => {
                return refused(
                    &format!("{} of it has filled, no less than {whole}", old.filled),
                    None,
                );
            }
            Some(whole) => whole.sub(old.filled)?,
            None => old.quantity,
        };
        let limit = amend.limit_price.unwrap_or(old.limit);
        if !perp && modes.spot_amend.is_some() && (limit != old.limit || quantity > old.quantity) {
            return refused(
                "the venue amends a spot order only to a smaller quantity; cancel it and place \
                 another",
                modes.spot_amend,
            );
        }
        let wanted = RestingOrder {
            quantity,
            limit,
            ..*old
        };
        let rules = cx.held_rules(old.key)?;
        let order = resting_order(&wanted, rules, self.codes(old.key));
        order.check()?;
        Ok(wanted)
    }

    /// Submits the order as wished, under the number of the instruction that first placed it. The
    /// order's own events come back where it fills or goes; one that rests on has nothing to say.
    fn replace(&mut self, cx: &Context<'_>, wanted: &RestingOrder) -> Result<Events, Refusal> {
        let rules = cx.held_rules(wanted.key)?;
        let mark = cx.view.quote(wanted.slot).mark;
        if wanted.post_only
            && self.profile.amend_cancels_post_only
            && is_marketable(wanted.side, wanted.limit, mark)
        {
            let reason = Some(Text::Borrowed(self.profile.post_only_reason));
            return Ok(vec![self.cancelled(cx, wanted, reason)]);
        }
        let order = resting_order(wanted, rules, self.codes(wanted.key));
        let mut own = Events::new();
        self.submit(cx, &order, &mut own)?;
        own.retain(|event| match &event.kind {
            EventKind::Order(update) => update.state.is_final(),
            _ => true,
        });
        for event in &mut own {
            if let EventKind::Order(update) = &mut event.kind {
                update.filled = update.filled.add(wanted.filled)?;
            }
        }
        if let Some(resting) = self.books.orders.last_mut()
            && resting.instruction == wanted.instruction
        {
            resting.filled = wanted.filled;
        }
        Ok(own)
    }

    /// A smaller quantity at the same price keeps the order's place, but for venues that queue anew.
    fn keep_place(&mut self, at: usize, old: &RestingOrder, wanted: &RestingOrder) {
        let perp = old.key.kind.contract() == InstrumentKind::Perp;
        let anew = perp && self.profile.amend_whole;
        if anew || wanted.limit != old.limit || wanted.quantity > old.quantity {
            return;
        }
        let last = self.books.orders.last();
        if last.is_some_and(|order| order.instruction == old.instruction)
            && let Some(mut order) = self.books.orders.pop()
        {
            order.placed_at = old.placed_at;
            self.books.orders.insert(at, order);
        }
    }
}
