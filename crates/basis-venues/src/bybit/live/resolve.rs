//! What became of an order: it is asked for by its client id among the open and lately closed orders, then
//! among the closed ones, then by its fills. It is lost only by a round of all three, asked after the last
//! instant at which the venue can accept its request and after the visibility delay, that showed nothing.

use basis_core::error::VenueErrorKind;
use basis_core::rules::InstrumentRules;
use basis_core::types::{InstructionId, Timestamp};
use basis_core::venue_event::{EventKind, OrderState, OrderUpdate};

use super::BybitMachine;
use super::order::{Place, Tracked};
use super::purpose::{Answered, Purpose};
use crate::bybit::codec::replies::{self, Execution, ExecutionKind, OrderReply};
use crate::bybit::codec::{Category, order_history, query, reads};
use crate::wire::{JsonDraft, NamedOrder};

impl BybitMachine {
    fn order_dead_at(&self, order: &Tracked) -> Option<Timestamp> {
        order.stamp.map(|stamp| self.dead_at(stamp))
    }

    /// Asks about every order that is due.
    pub(super) fn look_after_orders(&mut self) {
        let due: Vec<_> = self
            .orders
            .values()
            .filter(|order| order.look.is_due(self.now))
            .map(Tracked::id)
            .collect();
        for id in due {
            if self
                .orders
                .get(&id)
                .is_some_and(|order| order.stamp.is_none())
            {
                self.ask_quote(id);
                continue;
            }
            let now = self.now;
            let question = self.orders.get(&id).and_then(|order| {
                let kind = order.kind();
                let listed = self.rules.instrument(kind, order.instrument.symbol)?;
                Some(question(order, listed))
            });
            let Some(order) = self.orders.get_mut(&id) else {
                continue;
            };
            match question {
                Some((draft, purpose)) => {
                    order.look.asking = true;
                    self.wire.read(now, draft, purpose);
                }
                None => order.look.again(now),
            }
        }
    }

    /// Takes the answer to a question for one order: what is shown is it, and nothing shown says nothing yet.
    pub(super) fn shown(&mut self, id: InstructionId, answered: Answered) {
        let now = self.now;
        let Some(order) = self.orders.get_mut(&id) else {
            return;
        };
        order.look.again(now);
        let body = match answered.result {
            Ok(body) => body,
            Err(failure) => return self.read_failed("order", &failure),
        };
        let page = match replies::orders(&body) {
            Ok(page) => page,
            Err(e) => return self.unreadable("orders", &e),
        };
        let client = order.client.clone();
        let is_own = |row: &&OrderReply| row.order_link_id == client.as_str();
        if let Some(own) = page.rows.iter().find(is_own).cloned() {
            self.was_read();
            return self.observe(id, &own, answered.sent_at);
        }
        let Some(order) = self.orders.get_mut(&id) else {
            return;
        };
        let began = answered.sent_at;
        match order.place {
            Place::Recent => {
                order.place = Place::History(began);
                order.look.go_on(now);
            }
            Place::History(began) | Place::Fills(began) => {
                let dead_at = self
                    .orders
                    .get(&id)
                    .and_then(|order| self.order_dead_at(order));
                let Some(order) = self.orders.get_mut(&id) else {
                    return;
                };
                if dead_at.is_some_and(|at| began >= at) {
                    order.place = Place::Fills(began);
                    order.look.go_on(now);
                } else {
                    order.place = Place::Recent;
                }
            }
        }
    }

    /// Takes fills of an order.
    pub(super) fn fills_answered(&mut self, id: InstructionId, answered: Answered) {
        let now = self.now;
        let Some(order) = self.orders.get_mut(&id) else {
            return;
        };
        order.look.again(now);
        let client = order.client.clone();
        let body = match answered.result {
            Ok(body) => body,
            Err(failure) => return self.read_failed("fills", &failure),
        };
        let page = match replies::executions(&body) {
            Ok(page) => page,
            Err(e) => return self.unreadable("fills", &e),
        };
        self.was_read();
        let mut own: Vec<Execution> = page.rows;
        own.retain(|row| row.order_link_id == client.as_str() && is_fill(row));
        replies::sort_executions(&mut own);
        let Some(order) = self.orders.get_mut(&id) else {
            return;
        };
        if let (Place::Fills(_), true, None) = (order.place, own.is_empty(), &page.next)
            && order.posted.is_zero()
            && order.filled.is_zero()
        {
            return self.round_was_empty(id);
        }
        // Where the fills show it, the order itself is asked for again.
        order.place = Place::Recent;
        order.fills_from = page.next;
        let has_more = order.fills_from.is_some();
        for fill in &own {
            self.post(id, fill);
        }
        if let Some(order) = self.orders.get_mut(&id).filter(|_| has_more) {
            order.look.go_on(now);
        }
        self.settle(id);
    }

    /// No list knows the order. One that the venue said it took must be somewhere: then it is not traded on.
    fn round_was_empty(&mut self, id: InstructionId) {
        let now = self.now;
        let Some(order) = self.orders.get_mut(&id) else {
            return;
        };
        order.place = Place::Recent;
        if order.venue_id.is_some() {
            let text = format!(
                "the venue took the order {} and shows it nowhere",
                order.client
            );
            if order.state == OrderState::Submitted {
                self.becomes_unknown(id, &text);
            }
            return self.halt("order", VenueErrorKind::OutcomeUnknown(text));
        }
        order.state = OrderState::Lost;
        let update = OrderUpdate {
            instruction: id,
            state: OrderState::Lost,
            filled: order.filled,
            venue_order_id: None,
            reason: Some("proven never to have been accepted".into()),
        };
        self.emit(now, EventKind::Order(update));
        self.target_gone(id);
        self.settle(id);
    }
}

/// What is asked about an order that has left.
fn question(order: &Tracked, listed: &InstrumentRules) -> (JsonDraft, Purpose) {
    let id = order.id();
    let by_client = NamedOrder::Client(order.client.clone());
    let category = Category::of(order.kind());
    let lacks_fills = order.posted < order.filled;
    if lacks_fills || matches!(order.place, Place::Fills(_)) {
        let draft = reads::fills_of(category, &by_client, order.fills_from.as_deref());
        return (draft, Purpose::Fills(id));
    }
    match order.place {
        Place::History(_) => (order_history(category, &by_client), Purpose::History(id)),
        Place::Recent | Place::Fills(_) => (query(listed, &by_client), Purpose::Order(id)),
    }
}

/// Whether an execution is a fill; a funding settlement is none, and what is not known cannot be read.
pub(super) fn is_fill(row: &Execution) -> bool {
    row.what().is_ok_and(|what| what != ExecutionKind::Funding)
}
