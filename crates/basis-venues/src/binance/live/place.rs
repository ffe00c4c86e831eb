//! Placing orders, and what answers, queries and fills make of one.

use basis_core::error::{Rejection, VenueErrorKind};
use basis_core::instruction::{Instruction, OpenInstruction, Operation};
use basis_core::types::{InstructionId, Span, Timestamp};
use basis_core::venue_event::{EventKind, OrderState, OrderUpdate};

use super::admit::product_of;
use super::order::{Ended, Tracked};
use super::purpose::{Answered, Purpose};
use super::{BinanceMachine, ENDED_MAX, SEND_WAIT};
use crate::binance::codec::replies::{self, FillReply, OrderReply};
use crate::binance::codec::{Collar, Context, Stamp, reads, requests};
use crate::binance::codes::Class;

/// How often a resting order is asked for, and how often while a stream tells of it.
const POLL: Span = Span::from_seconds(2);
const POLL_STREAMED: Span = Span::from_seconds(20);

impl BinanceMachine {
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
        let tracked = Tracked::new(&instruction, self.now, (self.settings.book, &self.rules));
        match tracked {
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
                self.reject(
                    &instruction,
                    VenueErrorKind::InvalidRequest(text.to_owned()),
                );
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
                let product = product_of(tracked.kind());
                tracked.stamp = Some(Stamp::new(self.wire.clock(product).venue(self.now)));
                tracked.state = OrderState::Unknown;
                tracked.look.at(self.now);
                self.orders.insert(instruction.id, tracked);
            }
            Some(Err(_)) | None => self.take_over_change(instruction, at),
        }
    }

    /// Reads the quote that a market order's limit is measured from.
    fn ask_quote(&mut self, id: InstructionId) {
        let Some(order) = self.orders.get_mut(&id) else {
            return;
        };
        let listed = self.rules.instrument(order.kind(), order.instrument.symbol);
        if let Some(listed) = listed {
            order.look.asking = true;
            self.wire
                .read(self.now, reads::book_ticker(listed), Purpose::Quote(id));
        }
    }

    pub(super) fn quoted(&mut self, id: InstructionId, answered: Answered) {
        let Some(order) = self.orders.get_mut(&id) else {
            return;
        };
        let (symbol, side) = (order.venue_symbol.clone(), order.side);
        let ticker = match answered.result {
            Ok(body) => replies::book_ticker(&body).map_err(|e| e.to_string()),
            Err(failure) => {
                let text = failure.kind.to_string();
                self.read_failed("book_ticker", &failure);
                Err(text)
            }
        };
        let quote = ticker.and_then(|ticker| {
            let quote = ticker.opposite(side).filter(|_| ticker.symbol == symbol);
            quote.ok_or_else(|| "the book has no opposite side".to_owned())
        });
        match quote {
            Ok(reference) => {
                let width = self.settings.collar;
                self.place(id, Some(Collar { reference, width }));
            }
            Err(text) => self.no_quote(id, &text),
        }
    }

    /// Asks again while the order may still leave, else gives it up unsent.
    fn no_quote(&mut self, id: InstructionId, text: &str) {
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
        let drafts = requests(Self::VENUE, &order.instruction, &context);
        let until = order.submitted_at.plus(SEND_WAIT);
        let draft = match drafts.map(|mut drafts| drafts.pop()) {
            Ok(Some(draft)) => draft,
            Ok(None) => {
                let text = "the instruction becomes no request".to_owned();
                return self.end_unsent(id, VenueErrorKind::InvalidRequest(text));
            }
            Err(e) => return self.end_unsent(id, e.kind),
        };
        match self.too_large(&draft) {
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

    /// Ends an order of which no byte left.
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
            fills: order.fills,
        });
    }

    /// Notes that a request has left.
    pub(super) fn left(&mut self, purpose: Purpose, stamp: Stamp) {
        match purpose {
            Purpose::Place(id) => {
                if let Some(order) = self.orders.get_mut(&id) {
                    order.stamp = Some(stamp);
                }
            }
            Purpose::Change(id) => self.change_left(id, stamp),
            _ => {}
        }
    }

    /// Gives up what waited too long for its turn.
    pub(super) fn expired(&mut self, purpose: Purpose) {
        let text = format!("it found no turn within {SEND_WAIT}; nothing was sent");
        match purpose {
            Purpose::Place(id) => self.end_unsent(id, VenueErrorKind::Unavailable(text)),
            Purpose::Change(id) => self.change_unsent(id, VenueErrorKind::Unavailable(text)),
            // A read that found no turn is asked for again by whoever wanted it.
            Purpose::Quote(id) => self.no_quote(id, &text),
            Purpose::Order(id) | Purpose::Fills(id) | Purpose::Proof(id) => {
                if let Some(order) = self.orders.get_mut(&id) {
                    order.look.again(self.now);
                }
            }
            Purpose::Asked(id) => {
                if let Some(change) = self.changes.get_mut(&id) {
                    change.look.again(self.now);
                }
            }
            Purpose::Recent(place) | Purpose::Owner(place) => self.recent_failed(place),
            Purpose::Account => self.account_failed(),
            Purpose::ListenKey => self.listen_key_failed("no turn within the limits"),
            Purpose::Funding(place) => self.funding_failed(place),
            Purpose::DeadMan(place) => self.dead_man_failed(place, "no turn within the limits"),
            Purpose::Clock(_) => self.clock_due = self.now.plus(POLL),
            Purpose::Start => self.start_expired(),
        }
    }

    /// Takes the answer to an order.
    pub(super) fn placed(&mut self, id: InstructionId, answered: Answered) {
        let body = match answered.result {
            Ok(body) => body,
            Err(failure) => return self.refused(id, failure),
        };
        match replies::order(&body) {
            Ok(reply) => {
                self.observe(id, &reply, answered.sent_at);
                match replies::immediate_fills(&reply) {
                    Ok(fills) => {
                        for fill in &fills {
                            self.post(id, fill);
                        }
                    }
                    Err(e) => self.unreadable("fills of an order", &e),
                }
                self.settle(id);
            }
            Err(e) => self.becomes_unknown(id, &format!("the answer cannot be read: {e}")),
        }
    }

    /// Takes a failure: refused only by the venue's positive word.
    fn refused(&mut self, id: InstructionId, failure: crate::binance::answer::Failure) {
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

    /// Takes what a reply or frame says of an order; `asked_at` is when it was asked, by our clock.
    pub(super) fn observe(&mut self, id: InstructionId, reply: &OrderReply, asked_at: Timestamp) {
        let Some(order) = self.orders.get_mut(&id) else {
            return;
        };
        let product = product_of(order.kind());
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
        // A rejection that the venue reports as a state ends like one it answers with.
        let refused = order.state == OrderState::Rejected;
        if news {
            order.said = Some((order.state, order.filled));
            let update = OrderUpdate {
                instruction: id,
                state: order.state,
                filled: order.filled,
                venue_order_id: order.venue_id.map(|number| number.to_string().into()),
                reason: reply.reason.clone().map(Into::into),
            };
            let instruction = order.instruction.clone();
            let at = self.ours(product, reply.at);
            if refused {
                let reason = reply
                    .reason
                    .clone()
                    .unwrap_or_else(|| "REJECTED".to_owned());
                let kind = VenueErrorKind::Rejected {
                    reason: Rejection::Other(reason),
                    venue_code: None,
                };
                self.reject(&instruction, kind);
            } else {
                self.emit(at, EventKind::Order(update));
            }
        }
        self.target_observed(id, reply, asked_at);
        self.settle(id);
    }

    /// Reports a fill, once.
    pub(super) fn post(&mut self, id: InstructionId, fill: &FillReply) {
        let (rules, now) = (&self.rules, self.now);
        let Some(order) = self.orders.get_mut(&id) else {
            return;
        };
        let (trade, quantity) = (fill.trade_id, fill.quantity);
        if order.fills.contains(&trade) {
            return;
        }
        let event = match fill.event(rules, Some(id), None, now) {
            Ok(event) => event,
            Err(e) => {
                let kind = VenueErrorKind::Decode(e.to_string());
                return self.halt("fill", kind);
            }
        };
        if let Err(e) = order.fill(trade, quantity) {
            let kind = VenueErrorKind::Decode(e.to_string());
            return self.halt("fill", kind);
        }
        let at = self.ours(product_of(fill.kind), fill.at);
        self.emit(at, event.kind);
        self.expect_on_stream(fill);
    }

    /// Says what is to be done next about an order.
    pub(super) fn settle(&mut self, id: InstructionId) {
        let Some(order) = self.orders.get(&id) else {
            return;
        };
        let is_streamed = self.streams.are_live(product_of(order.kind()));
        let poll = if is_streamed { POLL_STREAMED } else { POLL };
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
            _ if order.posted < order.filled && order.venue_id.is_some() => {
                let due = order.look.due.unwrap_or(self.now);
                order.look.at(due.min(self.now));
            }
            OrderState::Working => order.look.at(self.now.plus(poll)),
            OrderState::Submitted if order.venue_id.is_some() => order.look.at(self.now),
            _ => {}
        }
    }
}
