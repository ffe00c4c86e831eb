//! Placing orders, and what answers, queries and fills make of one.

use basis_core::error::{Rejection, VenueErrorKind};
use basis_core::instruction::{Instruction, OpenInstruction, Operation};
use basis_core::types::{InstructionId, Span, Timestamp};
use basis_core::venue_event::{EventKind, OrderState, OrderUpdate};

use super::codec::{FillReport, OrderReport};
use super::order::{Ended, Tracked};
use super::purpose::{Answered, Purpose};
use super::{ENDED_MAX, Machine, SEND_WAIT};
use crate::wire::{Class, Collar, Context, Failure, Stamp};

/// How often a resting order is asked for.
const POLL: Span = Span::from_seconds(2);

impl Machine {
    /// Takes an instruction on.
    pub(super) fn take_on(&mut self, instruction: Instruction) {
        if !self.taken.insert(instruction.id) {
            return;
        }
        if let Some(kind) = self.refuses(&instruction) {
            return self.reject(&instruction, kind);
        }
        if !matches!(
            instruction.operation,
            Operation::SpotTrade(_) | Operation::PerpTrade(_)
        ) {
            return self.take_change(instruction);
        }
        match Tracked::new(&instruction, self.now, (self.settings.book, &self.rules)) {
            Some(Ok(tracked)) => {
                let (id, needs_quote) = (tracked.id(), tracked.needs_quote());
                self.orders.insert(id, tracked);
                if needs_quote {
                    self.ask_quote(id);
                } else {
                    self.place(id, None);
                }
            }
            Some(Err(e)) => {
                let text = format!("the quantity is out of range: {e}");
                self.reject(&instruction, VenueErrorKind::InvalidRequest(text));
            }
            None => {
                let text = "the venue lists no such instrument, or it does not trade now";
                let kind = VenueErrorKind::InvalidRequest(text.to_owned());
                self.reject(&instruction, kind);
            }
        }
    }

    /// Takes over an instruction that was open when an earlier process ended: whatever was sent of it was
    /// stamped before now.
    pub(super) fn take_over(&mut self, open: OpenInstruction) {
        let instruction = open.instruction;
        if !self.taken.insert(instruction.id) {
            return;
        }
        let (book, at) = (self.settings.book, open.submitted_at);
        match Tracked::new(&instruction, at, (book, &self.rules)) {
            Some(Ok(mut tracked)) => {
                let stamp = Stamp::new(self.wire.clock.venue(self.now));
                tracked.accepted_until = Some(stamp.deadline());
                tracked.state = OrderState::Unknown;
                tracked.look.at(self.now);
                self.orders.insert(instruction.id, tracked);
            }
            Some(Err(_)) | None => self.take_over_change(instruction),
        }
    }

    /// Reads the quote that a market order's limit is measured from.
    pub(super) fn ask_quote(&mut self, id: InstructionId) {
        let Some(order) = self.orders.get_mut(&id) else {
            return;
        };
        let listed = self.rules.instrument(order.kind(), order.instrument.symbol);
        if let Some(listed) = listed {
            order.look.asking = true;
            let draft = self.codec.quote_question(listed);
            self.wire.read(self.now, draft, Purpose::Quote(id));
        }
    }

    pub(super) fn quoted(&mut self, id: InstructionId, answered: Answered) {
        let Some(order) = self.orders.get(&id) else {
            return;
        };
        let (kind, symbol, side) = (order.kind(), order.instrument.symbol, order.side);
        let Some(listed) = self.rules.instrument(kind, symbol) else {
            return;
        };
        let quote = match answered.result {
            Ok(body) => {
                let quote = self.codec.quote(listed, side, &body);
                let quote = quote.map_err(|e| e.to_string());
                quote.and_then(|quote| {
                    quote.ok_or_else(|| "the book has no opposite side".to_owned())
                })
            }
            Err(failure) => {
                let text = failure.kind.to_string();
                self.read_failed("ticker", &failure);
                Err(text)
            }
        };
        match quote {
            Ok(reference) => {
                let width = self.settings.collar;
                self.place(id, Some(Collar { reference, width }));
            }
            Err(text) => self.no_quote(id, &text),
        }
    }

    /// Asks again while the order may still leave, else gives it up unsent.
    pub(super) fn no_quote(&mut self, id: InstructionId, text: &str) {
        let Some(order) = self.orders.get_mut(&id) else {
            return;
        };
        if self.now < order.submitted_at.plus(SEND_WAIT) {
            return order.look.again(self.now);
        }
        let text = format!("no price to measure the collar from; nothing was sent: {text}");
        self.end_unsent(id, VenueErrorKind::Unavailable(text));
    }

    /// Builds the order's request and queues it, or refuses it.
    fn place(&mut self, id: InstructionId, collar: Option<Collar>) {
        let Some(order) = self.orders.get_mut(&id) else {
            return;
        };
        order.look.never();
        let context = Context {
            book: self.settings.book,
            rules: &self.rules,
            collar,
            order: None,
            withdrawal: None,
        };
        let drafts = self.codec.requests(&order.instruction, &context);
        let until = order.submitted_at.plus(SEND_WAIT);
        let draft = match drafts.map(|mut drafts| drafts.pop()) {
            Ok(Some(draft)) => draft,
            Ok(None) => {
                let text = "the instruction becomes no request".to_owned();
                return self.end_unsent(id, VenueErrorKind::InvalidRequest(text));
            }
            Err(e) => return self.end_unsent(id, e.kind),
        };
        let listed = self.rules.instrument(order.kind(), order.instrument.symbol);
        let terms = listed.map(|listed| self.codec.request_terms(&draft, listed));
        let terms = terms.unwrap_or_default();
        order.limit = terms.1;
        match self.too_large(terms) {
            Ok(None) => {}
            Ok(Some(kind)) => return self.end_unsent(id, kind),
            Err(e) => {
                let text = format!("the order's value is out of range: {e}");
                return self.end_unsent(id, VenueErrorKind::InvalidRequest(text));
            }
        }
        let wait = until.since(self.now);
        self.wire.act(self.now, draft, Purpose::Place(id), wait);
    }

    /// Ends an order of which no byte left, or that the venue refuses by its positive word.
    pub(super) fn end_unsent(&mut self, id: InstructionId, kind: VenueErrorKind) {
        if let Some(mut order) = self.orders.remove(&id) {
            order.state = OrderState::Rejected;
            self.reject(&order.instruction, kind);
            self.remember(order);
        }
    }

    fn remember(&mut self, order: Tracked) {
        if self.ended.len() >= ENDED_MAX {
            self.ended.pop_front();
        }
        self.ended.push_back(Ended {
            id: order.id(),
            state: order.state,
            quantity: order.quantity,
            position_side: order.position_side(),
            fills: order.fills,
        });
    }

    /// Takes the answer to an order. That it was taken is no outcome: what came of it is asked at once.
    pub(super) fn placed(&mut self, id: InstructionId, answered: Answered) {
        let body = match answered.result {
            Ok(body) => body,
            Err(failure) => return self.refused(id, failure),
        };
        let Some(order) = self.orders.get_mut(&id) else {
            return;
        };
        match self.codec.taken(&body) {
            Ok(taken) if taken.client == order.client.as_str() => {
                order.venue_id.get_or_insert(taken.venue_id);
                order.seen_at = Some(self.now);
                if !order.look.asking {
                    order.look.at(self.now);
                }
            }
            Ok(taken) => {
                let text = format!("the answer is about the order {}", taken.client);
                self.becomes_unknown(id, &text);
            }
            Err(e) => self.becomes_unknown(id, &format!("the answer cannot be read: {e}")),
        }
    }

    /// Takes a failure: refused only by the venue's positive word. A clash of ids says that an order bears the
    /// id, and is unknown: it is asked for and compared.
    fn refused(&mut self, id: InstructionId, failure: Failure) {
        let Some(order) = self.orders.get(&id) else {
            return;
        };
        if order.state != OrderState::Submitted || order.venue_id.is_some() {
            // The order has shown itself meanwhile: what its request was answered says nothing new.
            return;
        }
        if let VenueErrorKind::OutcomeUnknown(text) = &failure.kind {
            let text = text.clone();
            return self.becomes_unknown(id, &text);
        }
        match failure.class {
            Class::Clock => self.clock_due = self.now,
            Class::Credentials | Class::Liquidation => {
                self.halt("place", failure.kind.clone());
            }
            _ => {}
        }
        self.end_unsent(id, failure.kind);
    }

    pub(super) fn becomes_unknown(&mut self, id: InstructionId, text: &str) {
        let Some(order) = self.orders.get_mut(&id) else {
            return;
        };
        if order.state != OrderState::Submitted {
            return order.look.again(self.now);
        }
        order.state = OrderState::Unknown;
        order.look.again(self.now);
        let instruction = order.instruction.clone();
        self.unknown(&instruction, text);
    }

    /// Takes what a reply says of an order; `asked_at` is when it was asked, by our clock.
    pub(super) fn observe(&mut self, id: InstructionId, reply: &OrderReport, asked_at: Timestamp) {
        let Some(order) = self.orders.get_mut(&id) else {
            return;
        };
        order.seen_at = Some(asked_at);
        let news = match order.observe(reply) {
            Ok(news) => news,
            Err(e) => {
                order.look.again(self.now);
                let instruction = order.instruction.clone();
                if order.state == OrderState::Submitted {
                    order.state = OrderState::Unknown;
                    self.unknown(&instruction, &e.to_string());
                }
                return self.halt("order", VenueErrorKind::Decode(e.to_string()));
            }
        };
        if news {
            order.said = Some((order.state, order.filled));
            let reason = reply.reason.clone();
            let update = OrderUpdate {
                instruction: id,
                state: order.state,
                filled: order.filled,
                venue_order_id: order.venue_id.clone().map(Into::into),
                reason: reason.clone().map(Into::into),
            };
            let (state, instruction) = (order.state, order.instruction.clone());
            let at = self.wire.clock.ours(reply.updated);
            match state {
                // What the venue took and then rejected ends like what it refuses at once.
                OrderState::Rejected => {
                    let reason = reason.unwrap_or_else(|| "Rejected".to_owned());
                    let kind = VenueErrorKind::Rejected {
                        reason: Rejection::Other(reason),
                        venue_code: None,
                    };
                    self.reject(&instruction, kind);
                }
                _ => self.emit(at, EventKind::Order(update)),
            }
        }
        self.target_observed(id, reply, asked_at);
        self.settle(id);
    }

    /// Reports a fill, once.
    pub(super) fn post(&mut self, id: InstructionId, fill: &FillReport) {
        let now = self.now;
        let Some(order) = self.orders.get_mut(&id) else {
            return;
        };
        if order.fills.contains(&fill.trade) {
            return;
        }
        let event = match fill.booked(Some(id), order.position_side(), now) {
            Ok(event) => event,
            Err(e) => return self.halt("fill", VenueErrorKind::Decode(e.to_string())),
        };
        if let Err(e) = order.fill(&fill.trade, fill.quantity) {
            return self.halt("fill", VenueErrorKind::Decode(e.to_string()));
        }
        let at = self.wire.clock.ours(fill.at);
        self.emit(at, event.kind);
    }

    /// Says what is to be done next about an order.
    pub(super) fn settle(&mut self, id: InstructionId) {
        let now = self.now;
        let Some(order) = self.orders.get_mut(&id) else {
            return;
        };
        if order.is_done() {
            order.look.never();
            if let Some(order) = self.orders.remove(&id) {
                self.remember(order);
                self.target_ended(id);
            }
            return;
        }
        if order.look.asking {
            return;
        }
        match order.state {
            // Its fills are asked for at once, then later each time.
            _ if order.posted < order.filled => {
                let due = order.look.due.unwrap_or(now);
                order.look.due = Some(due.min(now.plus(POLL)));
            }
            OrderState::Working => order.look.at(now.plus(POLL)),
            _ => {}
        }
    }
}
