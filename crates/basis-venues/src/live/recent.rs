//! Fills since the last reading, of each managed instrument: nothing is missed that no query of ours would
//! show, as a fill of a foreign order. The venue's clock is measured here too.

use std::collections::BTreeSet;

use basis_core::error::VenueErrorKind;
use basis_core::types::{InstrumentKey, Span, Timestamp};

use super::Machine;
use super::codec::FillReport;
use super::purpose::{Answered, Purpose};
use crate::wire::instruction_of;

/// How often fills are read, and how soon again after a failure.
const EVERY: Span = Span::from_seconds(30);
const AGAIN: Span = Span::from_seconds(5);
/// How far back fills are read again: lists may be late.
const OVERLAP: Span = Span::from_seconds(600);
/// How often the venue's clock is measured.
pub(super) const CLOCK_EVERY: Span = Span::from_seconds(60);

/// The fills of one instrument.
#[derive(Debug)]
pub(super) struct Recent {
    instrument: InstrumentKey,
    /// Nothing before this is looked at: when the machine started, by the venue's clock.
    since: Timestamp,
    /// When the reading began up to which everything was read, by the venue's clock.
    read_until: Timestamp,
    /// Where the next page begins, and when the reading began that it belongs to.
    page: Option<(String, Timestamp)>,
    due: Timestamp,
    asking: bool,
    /// Fills of no open order that were reported, with their instants.
    seen: BTreeSet<(Timestamp, String)>,
}

impl Recent {
    pub(super) const fn new(instrument: InstrumentKey, since: Timestamp, now: Timestamp) -> Self {
        Self {
            instrument,
            since,
            read_until: since,
            page: None,
            due: now.plus(EVERY),
            asking: false,
            seen: BTreeSet::new(),
        }
    }

    pub(super) fn due(&self) -> Option<Timestamp> {
        (!self.asking).then_some(self.due)
    }
}

impl Machine {
    pub(super) fn look_after_recent(&mut self) {
        let now = self.now;
        for place in 0..self.recent.len() {
            let Some(recent) = self.recent.get_mut(place) else {
                return;
            };
            if recent.asking || recent.due > now {
                continue;
            }
            let (kind, symbol) = (recent.instrument.kind, recent.instrument.symbol);
            let Some(listed) = self.rules.instrument(kind, symbol) else {
                continue;
            };
            let since = recent.read_until.minus(OVERLAP).max(recent.since);
            let cursor = recent.page.as_ref().map(|(cursor, _)| cursor.as_str());
            let draft = self.codec.recent_question(listed, since, cursor);
            recent.asking = true;
            self.wire.read(now, draft, Purpose::Recent(place));
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
        let body = match answered.result {
            Ok(body) => body,
            Err(failure) => return self.read_failed("fills", &failure),
        };
        let page = match self.codec.fills(&self.rules, &body) {
            Ok(page) => page,
            Err(e) => return self.unreadable("fills", &e),
        };
        self.was_read();
        for fill in &page.rows {
            self.attribute(place, fill);
        }
        let (now, asked) = (self.now, self.wire.clock.venue(answered.sent_at));
        let Some(recent) = self.recent.get_mut(place) else {
            return;
        };
        let began = recent.page.take().map_or(asked, |(_, began)| began);
        match page.next {
            Some(next) => {
                recent.page = Some((next, began));
                recent.due = now;
            }
            None => {
                recent.read_until = recent.read_until.max(began);
                recent.due = now.plus(EVERY);
                let kept = recent.read_until.minus(OVERLAP);
                recent.seen.retain(|(at, _)| *at >= kept);
            }
        }
    }

    /// Reports a fill: of an open order, of one of ours that has ended, or of a foreign one.
    fn attribute(&mut self, place: usize, fill: &FillReport) {
        let instruction = instruction_of(self.settings.book, &fill.client);
        if let Some(id) = instruction.filter(|id| self.orders.contains_key(id)) {
            self.post(id, fill);
            return self.settle(id);
        }
        let Some(recent) = self.recent.get_mut(place) else {
            return;
        };
        let is_new = recent.seen.insert((fill.at, fill.trade.clone()));
        let mut ended = self.ended.iter_mut();
        let ended = ended.find(|ended| Some(ended.id) == instruction);
        let side = ended.as_ref().and_then(|ended| ended.position_side);
        let is_told = ended.is_some_and(|ended| !ended.fills.insert(fill.trade.clone()));
        if is_told || !is_new || fill.at < recent.since {
            return;
        }
        match fill.booked(instruction, side, self.now) {
            Ok(event) => {
                if instruction.is_none() {
                    self.notice(format!(
                        "fill {} of {} belongs to the order {}, which is none of this book",
                        fill.trade, fill.symbol, fill.client
                    ));
                }
                let at = self.wire.clock.ours(fill.at);
                self.emit(at, event.kind);
            }
            Err(e) => self.halt("fill", VenueErrorKind::Decode(e.to_string())),
        }
    }

    /// Measures the clock when it is due.
    pub(super) fn look_after_clock(&mut self) {
        if self.clock_due > self.now {
            return;
        }
        self.clock_due = self.now.plus(CLOCK_EVERY);
        let draft = self.codec.time_question();
        self.wire.read(self.now, draft, Purpose::Clock);
    }

    pub(super) fn clock_answered(&mut self, answered: &Answered) {
        if let Err(e) = self.measure(answered) {
            self.notice(e);
        }
    }
}
