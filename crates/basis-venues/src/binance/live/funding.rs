//! Funding that the account paid or received: read from the income history after each scheduled instant, and at
//! once when the stream says that there was some.
//!
//! The history says neither rate nor mark nor position. Rate and mark are those of the venue's own record of the
//! instant, and the position is what the payment comes to by them, in whole lots.

use std::collections::VecDeque;

use basis_core::error::VenueErrorKind;
use basis_core::instruction::MarginMode;
use basis_core::num::{MathError, Price, Quantity, Rate, Rounding};
use basis_core::rules::InstrumentRules;
use basis_core::types::{Asset, InstrumentKey, InstrumentKind, Span, Timestamp};
use basis_core::venue_event::{EventKind, Funding};

use super::BinanceMachine;
use super::purpose::{Answered, Purpose};
use crate::binance::codec::replies::{self, FundingPayment, FundingRate};
use crate::binance::codec::{Draft, Product, reads};

/// How long after its instant a payment is looked for, and once more where the history is late.
const LOOKS: [Span; 2] = [Span::from_seconds(15), Span::from_seconds(120)];
/// How soon again after a failure.
const AGAIN: Span = Span::from_seconds(5);
/// How far back the history is read again.
const OVERLAP: Span = Span::from_seconds(3_600);
/// How far from its instant a payment or its record may be stamped.
const TOLERANCE: Span = Span::from_seconds(60);
/// How many payments are remembered, so that a row that comes again is known.
const KNOWN_MAX: usize = 64;

/// What is asked next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Step {
    /// The payments since the cursor.
    Payments,
    /// On which collateral the position stands.
    Mode,
    /// The venue's record of the oldest payment's instant.
    Record(MarginMode),
}

/// The payments of one perpetual.
#[derive(Debug)]
pub(super) struct FundingRead {
    instrument: InstrumentKey,
    step: Step,
    /// From when on payments are read, by the venue's clock.
    from: Timestamp,
    due: Timestamp,
    asking: bool,
    /// Payments that are not reported yet, oldest first.
    waiting: VecDeque<FundingPayment>,
    /// The newest payments: the venue's number, and the instant they were scheduled at once that is known.
    known: VecDeque<(u64, Option<Timestamp>)>,
}

impl FundingRead {
    pub(super) fn due(&self) -> Option<Timestamp> {
        (!self.asking).then_some(self.due)
    }

    fn note(&mut self, payment: FundingPayment) {
        if self.known.iter().any(|(id, _)| *id == payment.tran_id) {
            return;
        }
        if self.known.len() >= KNOWN_MAX {
            self.known.pop_front();
        }
        self.known.push_back((payment.tran_id, None));
        self.waiting.push_back(payment);
    }
}

/// When payments are looked for next after `now`, by the venue's clock.
fn next_look(rules: &InstrumentRules, now: Timestamp) -> Timestamp {
    let perp = rules.perp.as_ref();
    let hour = Span::from_hours(1);
    let interval = perp.map_or(hour, |perp| perp.funding_interval);
    let interval = interval.max(hour).nanos();
    let anchor = perp.map_or(Span::ZERO, |perp| perp.funding_anchor).nanos();
    let since = now.nanos().saturating_sub(anchor).rem_euclid(interval);
    let last = now.minus(Span::from_nanos(since));
    let next = last.plus(Span::from_nanos(interval));
    let looks = [last, next].into_iter();
    let mut looks = looks.flat_map(|at| LOOKS.map(|wait| at.plus(wait)));
    looks.find(|at| *at > now).unwrap_or(next)
}

/// The scheduled instant of a record: records are stamped a little after the full hour.
fn scheduled(record: Timestamp) -> Timestamp {
    let hour = Span::from_hours(1).nanos();
    let half = Timestamp::from_nanos(record.nanos().saturating_add(hour / 2));
    let full = half.nanos().saturating_sub(half.nanos().rem_euclid(hour));
    let full = Timestamp::from_nanos(full);
    let off = record.since(full).nanos().saturating_abs();
    if off <= TOLERANCE.nanos() {
        full
    } else {
        record
    }
}

/// The position that `amount` was paid for, in whole lots.
fn position(
    amount: Quantity,
    (mark, rate): (Price, Rate),
    lot: Quantity,
) -> Result<Quantity, MathError> {
    let per_unit = mark.get().mul(rate.get(), Rounding::HalfEven)?;
    let units = amount.get().div(per_unit, Rounding::HalfEven)?.neg()?;
    Quantity::new(units).round_to_lot(lot, Rounding::HalfEven)
}

impl BinanceMachine {
    /// Reads payments from `from` on: from now, or from where an earlier process of the book stopped.
    pub(super) fn begin_funding(&mut self, from: Timestamp) {
        // The history names no side, so that a payment of a long and a short could not be told apart.
        if !self.settings.usdm || self.settings.hedge_mode {
            return;
        }
        let now = self.wire.clock(Product::UsdM).venue(self.now);
        let from = self.wire.clock(Product::UsdM).venue(from);
        let perps = self.rules.instruments.iter();
        let perps = perps.filter(|rules| rules.key.kind == InstrumentKind::Perp);
        let managed = perps.filter(|rules| self.settings.symbols.contains(&rules.key.symbol));
        let reads = managed.map(|rules| {
            let is_behind = from < now;
            let next = self.wire.clock(Product::UsdM).ours(next_look(rules, now));
            FundingRead {
                instrument: rules.key,
                step: Step::Payments,
                from,
                due: if is_behind { self.now } else { next },
                asking: false,
                waiting: VecDeque::new(),
                known: VecDeque::new(),
            }
        });
        self.funding = reads.collect();
    }

    /// Asks what is due.
    pub(super) fn look_after_funding(&mut self) {
        for place in 0..self.funding.len() {
            let due = self.funding.get(place).and_then(FundingRead::due);
            if due.is_none_or(|due| due > self.now) {
                continue;
            }
            let draft = self.funding_question(place);
            if let (Some(draft), Some(read)) = (draft, self.funding.get_mut(place)) {
                read.asking = true;
                self.wire.read(self.now, draft, Purpose::Funding(place));
            }
        }
    }

    fn funding_question(&self, place: usize) -> Option<Draft> {
        let read = self.funding.get(place)?;
        let listed = self
            .rules
            .instrument(read.instrument.kind, read.instrument.symbol)?;
        Some(match read.step {
            Step::Payments => {
                let range = reads::Range {
                    from: Some(read.from),
                    to: None,
                    rows: Some(reads::ROWS_MAX),
                };
                reads::funding_payments(listed, range)
            }
            Step::Mode => reads::symbol_config(Some(listed)),
            Step::Record(_) => {
                let at = read.waiting.front()?.time;
                let range = reads::Range {
                    from: Some(at.minus(TOLERANCE)),
                    to: Some(at.plus(TOLERANCE)),
                    rows: None,
                };
                reads::funding_history(listed, range)
            }
        })
    }

    /// Reads payments at once: the stream says that there was one.
    pub(super) fn funding_settled(&mut self) {
        let now = self.now;
        for read in &mut self.funding {
            read.due = read.due.min(now);
        }
    }

    pub(super) fn funding_failed(&mut self, place: usize) {
        let now = self.now;
        if let Some(read) = self.funding.get_mut(place) {
            read.asking = false;
            read.due = now.plus(AGAIN);
        }
    }

    pub(super) fn funding_answered(&mut self, place: usize, answered: Answered) {
        self.funding_failed(place);
        let Some(step) = self.funding.get(place).map(|read| read.step) else {
            return;
        };
        let body = match answered.result {
            Ok(body) => body,
            Err(failure) => return self.read_failed("funding", &failure),
        };
        let taken = match step {
            Step::Payments => replies::funding_payments(&body)
                .map(|rows| self.payments_shown(place, rows, answered.sent_at)),
            Step::Mode => replies::leverages(&body).map(|rows| {
                let mode = rows.first().map(|row| row.margin_type);
                self.next_funding_step(place, mode.map(Step::Record));
            }),
            Step::Record(mode) => {
                replies::funding_history(&body).map(|rows| self.record_shown(place, mode, &rows))
            }
        };
        match taken {
            Ok(()) => self.was_read(),
            Err(e) => self.unreadable("funding", &e),
        }
    }

    fn next_funding_step(&mut self, place: usize, step: Option<Step>) {
        let now = self.now;
        if let (Some(step), Some(read)) = (step, self.funding.get_mut(place)) {
            read.step = step;
            read.due = now;
        }
    }

    fn payments_shown(&mut self, place: usize, rows: Vec<FundingPayment>, asked_at: Timestamp) {
        let clock = *self.wire.clock(Product::UsdM);
        let asked = clock.venue(asked_at);
        let Some(read) = self.funding.get_mut(place) else {
            return;
        };
        let instrument = read.instrument;
        let is_page = rows.len() >= usize::try_from(reads::ROWS_MAX).unwrap_or(usize::MAX);
        let newest = rows.last().map(|row| row.time);
        for row in rows.into_iter().filter(|row| !row.income.is_zero()) {
            read.note(row);
        }
        // A full page goes on from its last row; else the next read overlaps this one.
        let from = newest.filter(|_| is_page).unwrap_or(asked.minus(OVERLAP));
        read.from = read.from.max(from);
        if !read.waiting.is_empty() {
            return self.next_funding_step(place, Some(Step::Mode));
        }
        let listed = self.rules.instrument(instrument.kind, instrument.symbol);
        let next = listed.map(|listed| clock.ours(next_look(listed, asked)));
        let now = self.now;
        if let (Some(next), Some(read)) = (next, self.funding.get_mut(place)) {
            read.due = if is_page { now } else { next };
        }
    }

    /// Reports the oldest payment, once the venue's record of its instant is there.
    fn record_shown(&mut self, place: usize, mode: MarginMode, rows: &[FundingRate]) {
        let Some(read) = self.funding.get_mut(place) else {
            return;
        };
        let Some(payment) = read.waiting.front().cloned() else {
            return self.next_funding_step(place, Some(Step::Payments));
        };
        let limit = payment.time.plus(Span::from_seconds(1));
        let mut rows = rows.iter().rev();
        let record = rows.find(|row| row.symbol == payment.symbol && row.funding_time <= limit);
        // It is not shown yet: it is asked for again.
        let Some(record) = record else {
            return;
        };
        let at = scheduled(record.funding_time);
        if read
            .known
            .iter()
            .any(|(id, known)| *known == Some(at) && *id != payment.tran_id)
        {
            let text = format!("two funding payments of {} at {at}", payment.symbol);
            return self.halt("funding", VenueErrorKind::Decode(text));
        }
        let instrument = read.instrument;
        match self.funding_of(instrument, (&payment, mode), record, at) {
            Ok(funding) => {
                let when = self.ours(Product::UsdM, payment.time);
                self.emit(when, EventKind::Funding(Box::new(funding)));
            }
            Err(text) => return self.halt("funding", VenueErrorKind::Decode(text)),
        }
        let now = self.now;
        if let Some(read) = self.funding.get_mut(place) {
            read.waiting.pop_front();
            let known = read.known.iter_mut();
            for (_, known_at) in known.filter(|(id, _)| *id == payment.tran_id) {
                *known_at = Some(at);
            }
            read.due = now;
            if read.waiting.is_empty() {
                read.step = Step::Payments;
            }
        }
    }

    fn funding_of(
        &self,
        instrument: InstrumentKey,
        (payment, margin): (&FundingPayment, MarginMode),
        record: &FundingRate,
        scheduled: Timestamp,
    ) -> Result<Funding, String> {
        let of = |what: &str| format!("funding of {} at {scheduled}: {what}", payment.symbol);
        let listed = self.rules.instrument(instrument.kind, instrument.symbol);
        let listed = listed.ok_or_else(|| of("it is not listed"))?;
        let asset = Asset::new(&payment.asset).map_err(|e| of(&e.to_string()))?;
        let mark = record
            .mark_price
            .ok_or_else(|| of("its record has no mark"))?;
        let terms = (mark, record.funding_rate);
        let position = position(payment.income, terms, listed.lot_size);
        Ok(Funding {
            account: self.rules.accounts.perp,
            instrument,
            margin,
            scheduled,
            asset,
            position: position.map_err(|e| of(&e.to_string()))?,
            mark,
            rate: record.funding_rate,
            amount: payment.income,
            proxy: None,
        })
    }
}

#[cfg(test)]
mod tests {
    use basis_testkit::{START, p, q, rules};

    use super::*;

    #[test]
    fn a_position_is_what_the_payment_comes_to_in_whole_lots() {
        let rate = |text| Rate::parse(text).unwrap();
        for (amount, mark, rate_of, units) in [
            ("-0.15", "50000", "0.0001", "0.03"),
            ("0.15", "50000", "0.0001", "-0.03"),
            ("0.15000123", "50000.41", "0.0001", "-0.03"),
            ("0.15", "50000", "-0.0001", "0.03"),
        ] {
            let found = position(q(amount), (p(mark), rate(rate_of)), q("0.001")).unwrap();
            assert_eq!(found, q(units), "{amount} at {mark} and {rate_of}");
        }
        assert!(position(q("1"), (p("50000"), rate("0")), q("0.001")).is_err());
    }

    #[test]
    fn a_record_belongs_to_the_full_hour_that_it_is_stamped_near() {
        let hour = START.plus(Span::from_hours(8));
        for off_ms in [-2, 0, 3, 3_200, 59_000] {
            let at = hour.plus(Span::from_nanos(off_ms * 1_000_000));
            assert_eq!(scheduled(at), hour, "{off_ms}");
        }
        let between = hour.plus(Span::from_seconds(1_800));
        assert_eq!(scheduled(between), between);
    }

    #[test]
    fn payments_are_looked_for_twice_after_each_instant() {
        let rules = rules("binance");
        let rules = rules.at(START);
        let mut perps = rules.instruments.iter();
        let perp = perps
            .find(|rules| rules.key.kind == InstrumentKind::Perp)
            .unwrap();
        let after = |seconds| START.plus(Span::from_seconds(seconds));
        for (now, look) in [(0, 15), (14, 15), (15, 120), (120, 8 * 3_600 + 15)] {
            assert_eq!(next_look(perp, after(now)), after(look), "{now}");
        }
    }
}
