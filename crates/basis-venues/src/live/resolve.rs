//! What became of an order: it is asked for in one list of the venue after the other, then by its fills. It is
//! lost only by a round of all of them, asked after the last instant at which the venue can accept its request
//! and after the visibility delay, that showed nothing.

use basis_core::error::VenueErrorKind;
use basis_core::rules::InstrumentRules;
use basis_core::types::{InstructionId, Span, Timestamp};
use basis_core::venue_event::{EventKind, OrderState, OrderUpdate};

use super::Machine;
use super::codec::{FillReport, OrderQuestion, OrderReport, Rows};
use super::order::{Round, Tracked};
use super::purpose::{Answered, Purpose};
use crate::wire::{Class, JsonDraft};

/// How far before its submission an order's traces are looked for.
const MARGIN: Span = Span::from_seconds(5);

impl Machine {
    fn order_dead_at(&self, order: &Tracked) -> Option<Timestamp> {
        order.accepted_until.map(|until| self.dead_at(until))
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
            let order = self.orders.get(&id);
            if order.is_some_and(|order| order.accepted_until.is_none()) {
                self.ask_quote(id);
                continue;
            }
            let now = self.now;
            let question = self.orders.get(&id).and_then(|order| {
                let kind = order.kind();
                let listed = self.rules.instrument(kind, order.instrument.symbol)?;
                Some(self.question(order, listed))
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

    /// What is asked about an order that has left.
    fn question(&self, order: &Tracked, listed: &InstrumentRules) -> (JsonDraft, Purpose) {
        let clock = self.wire.clock;
        let lacks_fills = order.posted < order.filled;
        let list = self.codec.order_lists().get(order.round.list).copied();
        let list = list.filter(|_| !lacks_fills);
        let cursor = match list {
            Some(_) => order.round.cursor.as_deref(),
            None => order.fills_from.as_deref(),
        };
        let question = OrderQuestion {
            listed,
            client: &order.client,
            venue_id: order.venue_id.as_deref(),
            since: clock.venue(order.submitted_at).minus(MARGIN),
            now: clock.venue(self.now),
            cursor,
        };
        let id = order.id();
        match list {
            Some(list) => (
                self.codec.order_question(list, &question),
                Purpose::Order(id),
            ),
            None => (self.codec.fills_question(&question), Purpose::Fills(id)),
        }
    }

    /// Takes the answer to a question for one order: what is shown is it, and nothing shown says nothing yet.
    pub(super) fn shown(&mut self, id: InstructionId, answered: Answered) {
        let now = self.now;
        let Some(order) = self.orders.get_mut(&id) else {
            return;
        };
        order.look.again(now);
        let page = match answered.result {
            Ok(body) => match self.codec.orders(&self.rules, &body) {
                Ok(page) => page,
                Err(e) => return self.unreadable("orders", &e),
            },
            // "No such order" in words: an empty list.
            Err(failure) if failure.class == Class::OrderGone => Rows {
                rows: Vec::new(),
                next: None,
            },
            Err(failure) => return self.read_failed("order", &failure),
        };
        let client = order.client.clone();
        let is_own = |row: &&OrderReport| row.client == client.as_str();
        if let Some(own) = page.rows.iter().find(is_own).cloned() {
            self.was_read();
            return self.observe(id, &own, answered.sent_at);
        }
        self.go_on(id, (page.rows.is_empty(), page.next), answered.sent_at);
    }

    /// Goes on with the round of an order that a page did not show.
    fn go_on(
        &mut self,
        id: InstructionId,
        (was_empty, next_page): (bool, Option<String>),
        asked_at: Timestamp,
    ) {
        let now = self.now;
        let lists = self.codec.order_lists().len();
        let dead_at = self
            .orders
            .get(&id)
            .and_then(|order| self.order_dead_at(order));
        let Some(order) = self.orders.get_mut(&id) else {
            return;
        };
        let began = *order.round.began.get_or_insert(asked_at);
        order.round.cursor = next_page.filter(|_| !was_empty);
        if order.round.cursor.is_some() {
            return order.look.go_on(now);
        }
        order.round.list = order.round.list.saturating_add(1);
        let is_dead = dead_at.is_some_and(|at| began >= at);
        if order.round.list < lists || is_dead {
            order.fills_from = None;
            order.look.go_on(now);
        } else {
            order.round = Round::default();
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
        let page = match self.codec.fills(&self.rules, &body) {
            Ok(page) => page,
            Err(e) => return self.unreadable("fills", &e),
        };
        self.was_read();
        let mut own: Vec<FillReport> = page.rows;
        own.retain(|row| row.client == client.as_str());
        let lists = self.codec.order_lists().len();
        let Some(order) = self.orders.get_mut(&id) else {
            return;
        };
        let is_proof = order.round.list >= lists;
        if is_proof && own.is_empty() && order.posted.is_zero() && order.filled.is_zero() {
            order.fills_from = page.next;
            if order.fills_from.is_some() {
                return order.look.go_on(now);
            }
            return self.round_was_empty(id);
        }
        // Where the fills show it, the order itself is asked for again.
        order.round = Round::default();
        order.fills_from = page.next.filter(|_| !is_proof);
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
    /// What ended without a fill is forgotten after a time, and so is what filled after a longer one.
    fn round_was_empty(&mut self, id: InstructionId) {
        let now = self.now;
        let (unfilled_kept, fills_kept) = (self.codec.unfilled_kept(), self.codec.fills_kept());
        let Some(order) = self.orders.get_mut(&id) else {
            return;
        };
        order.round = Round::default();
        let age = now.since(order.seen_at.unwrap_or(order.submitted_at));
        if age <= unfilled_kept && order.venue_id.is_none() {
            let text = "proven never to have been accepted";
            self.ends_without_trace(id, OrderState::Lost, text);
            self.target_gone(id);
            return self.settle(id);
        }
        if age > unfilled_kept && age <= fills_kept {
            let text = "not open and without a fill; how orders ended that long ago is not shown";
            self.ends_without_trace(id, OrderState::Cancelled, text);
            return self.settle(id);
        }
        let text = if age > fills_kept {
            format!(
                "the order {} is older than what the venue shows: look it up there",
                order.client
            )
        } else {
            format!(
                "the venue took the order {} and shows it nowhere",
                order.client
            )
        };
        if order.state == OrderState::Submitted {
            self.becomes_unknown(id, &text);
        }
        self.halt("order", VenueErrorKind::OutcomeUnknown(text));
    }

    /// Ends an order of which no list shows anything.
    fn ends_without_trace(&mut self, id: InstructionId, state: OrderState, text: &'static str) {
        let now = self.now;
        let Some(order) = self.orders.get_mut(&id) else {
            return;
        };
        order.state = state;
        let update = OrderUpdate {
            instruction: id,
            state,
            filled: order.filled,
            venue_order_id: order.venue_id.clone().map(Into::into),
            reason: Some(text.into()),
        };
        self.emit(now, EventKind::Order(update));
    }
}
