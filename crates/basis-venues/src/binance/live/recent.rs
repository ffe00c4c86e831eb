//! Fills since the last one that was read, of each managed instrument: nothing is missed that no frame and no
//! query of ours would show, as a fill of a foreign order.

use basis_core::rules::InstrumentRules;
use basis_core::types::{InstrumentKey, Span, Timestamp};

use super::admit::product_of;
use super::purpose::{Answered, Purpose};
use super::resolve::fills_of;
use super::{BinanceMachine, Product};
use crate::binance::codec::replies::{self, FillReply};
use crate::binance::codec::{OrderRef, instruction_of, query, reads};

/// How often fills are read, and how soon again after a failure.
const EVERY: Span = Span::from_seconds(30);
const AGAIN: Span = Span::from_seconds(5);
/// How far back fills are read again while none is known.
const OVERLAP: Span = Span::from_seconds(600);
/// How often the venue's clock is measured.
pub(super) const CLOCK_EVERY: Span = Span::from_seconds(60);

/// The fills of one instrument.
#[derive(Debug)]
pub(super) struct Recent {
    instrument: InstrumentKey,
    /// The newest fill that was read, and the instant to read from without one.
    cursor: Option<u64>,
    from: Timestamp,
    due: Timestamp,
    asking: bool,
    /// Fills whose orders are not known, oldest first.
    strangers: Vec<FillReply>,
}

impl Recent {
    pub(super) const fn new(
        instrument: InstrumentKey,
        cursor: Option<u64>,
        now: Timestamp,
    ) -> Self {
        Self {
            instrument,
            cursor,
            from: now,
            due: now.plus(EVERY),
            asking: false,
            strangers: Vec::new(),
        }
    }

    pub(super) fn due(&self) -> Option<Timestamp> {
        (!self.asking).then_some(self.due)
    }
}

impl BinanceMachine {
    fn listed_as(&self, instrument: InstrumentKey) -> Option<&InstrumentRules> {
        self.rules.instrument(instrument.kind, instrument.symbol)
    }

    pub(super) fn look_after_recent(&mut self) {
        for place in 0..self.recent.len() {
            let Some(recent) = self.recent.get(place) else {
                return;
            };
            if recent.asking || recent.due > self.now {
                continue;
            }
            let Some(listed) = self.listed_as(recent.instrument) else {
                continue;
            };
            let product = product_of(recent.instrument.kind);
            let (draft, purpose) = match recent.strangers.first() {
                Some(fill) => (
                    query(listed, &OrderRef::Venue(fill.order_id)),
                    Purpose::Owner(place),
                ),
                None => {
                    let of = match recent.cursor {
                        Some(cursor) => reads::FillsOf::Since(cursor),
                        None => reads::FillsOf::Between(reads::Range {
                            from: Some(self.wire.clock(product).venue(recent.from)),
                            to: None,
                            rows: Some(reads::ROWS_MAX),
                        }),
                    };
                    (reads::fills(listed, of), Purpose::Recent(place))
                }
            };
            if let Some(recent) = self.recent.get_mut(place) {
                recent.asking = true;
            }
            self.wire.read(self.now, draft, purpose);
        }
    }

    pub(super) fn recent_failed(&mut self, place: usize) {
        let now = self.now;
        if let Some(recent) = self.recent.get_mut(place) {
            recent.asking = false;
            recent.due = now.plus(AGAIN);
        }
    }

    pub(super) fn recent_answered(&mut self, place: usize, answered: Answered) {
        self.recent_failed(place);
        let Some(recent) = self.recent.get(place) else {
            return;
        };
        let (product, cursor) = (product_of(recent.instrument.kind), recent.cursor);
        let body = match answered.result {
            Ok(body) => body,
            Err(failure) => return self.read_failed("fills", &failure),
        };
        let fills = match fills_of(product, &body) {
            Ok(fills) => fills,
            Err(e) => return self.unreadable("fills", &e),
        };
        self.was_read();
        let is_page = fills.len() >= usize::try_from(reads::ROWS_MAX).unwrap_or(usize::MAX);
        let newest = fills.iter().map(|fill| fill.trade_id).max();
        let mut strangers = Vec::new();
        for fill in fills {
            if cursor.is_some_and(|cursor| fill.trade_id <= cursor) {
                continue;
            }
            let own = self.orders.values();
            let mut own = own.filter(|o| product_of(o.kind()) == product);
            let own = own
                .find(|o| o.venue_id == Some(fill.order_id))
                .map(|o| o.id());
            match own {
                Some(id) => {
                    self.post(id, &fill);
                    self.settle(id);
                }
                None => strangers.push(fill),
            }
        }
        let now = self.now;
        if let Some(recent) = self.recent.get_mut(place) {
            recent.cursor = recent.cursor.max(newest);
            // Without a cursor the time moves on, for a window has a longest length; with room for late rows.
            recent.from = recent.from.max(answered.sent_at.minus(OVERLAP));
            let more = is_page || !strangers.is_empty();
            recent.strangers = strangers;
            recent.due = if more { now } else { now.plus(EVERY) };
        }
    }

    /// Reads the fills of a product's instruments at once: a stream may have missed some.
    pub(super) fn read_recent(&mut self, product: Product) {
        let now = self.now;
        for recent in &mut self.recent {
            if product_of(recent.instrument.kind) == product {
                recent.due = recent.due.min(now);
            }
        }
    }

    /// Takes the order that a fill belongs to.
    pub(super) fn owner_answered(&mut self, place: usize, answered: Answered) {
        self.recent_failed(place);
        let body = match answered.result {
            Ok(body) => body,
            Err(failure) => return self.read_failed("order", &failure),
        };
        let order = match replies::order(&body) {
            Ok(order) => order,
            Err(e) => return self.unreadable("an order", &e),
        };
        let now = self.now;
        let Some(recent) = self.recent.get_mut(place) else {
            return;
        };
        let (own, rest): (Vec<_>, Vec<_>) = std::mem::take(&mut recent.strangers)
            .into_iter()
            .partition(|fill| fill.order_id == order.order_id);
        recent.due = if rest.is_empty() {
            now.plus(EVERY)
        } else {
            now
        };
        recent.strangers = rest;
        let instruction = instruction_of(self.settings.book, &order.client_order_id);
        for fill in own {
            self.attribute(instruction, &fill, &order.client_order_id);
        }
    }

    /// Reports a fill of an order that is not open here: one of ours that has ended, or a foreign one.
    pub(super) fn attribute(
        &mut self,
        instruction: Option<basis_core::types::InstructionId>,
        fill: &FillReply,
        client: &str,
    ) {
        if let Some(id) = instruction.filter(|id| self.orders.contains_key(id)) {
            self.post(id, fill);
            return self.settle(id);
        }
        let ended = self.ended.iter_mut();
        let mut ended = ended.filter(|ended| Some(ended.id) == instruction);
        if let Some(ended) = ended.next()
            && !ended.fills.insert(fill.trade_id)
        {
            return;
        }
        let product = product_of(fill.kind);
        match fill.event(&self.rules, instruction, None, self.now) {
            Ok(event) => {
                if instruction.is_none() {
                    self.notice(format!(
                        "fill {} of {} belongs to the order {client}, which is none of this book",
                        fill.trade_id, fill.symbol
                    ));
                }
                let at = self.ours(product, fill.at);
                self.emit(at, event.kind);
            }
            Err(e) => self.halt(
                "fill",
                basis_core::error::VenueErrorKind::Decode(e.to_string()),
            ),
        }
    }

    /// Measures the clocks when they are due.
    pub(super) fn look_after_clock(&mut self) {
        if self.clock_due > self.now {
            return;
        }
        self.clock_due = self.now.plus(CLOCK_EVERY);
        for product in self.settings.products() {
            self.wire.read(
                self.now,
                reads::server_time(product),
                Purpose::Clock(product),
            );
        }
    }

    pub(super) fn clock_answered(&mut self, product: Product, answered: &Answered) {
        if let Err(e) = self.measure(product, answered) {
            self.notice(e);
        }
    }
}
