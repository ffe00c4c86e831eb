//! Taking events: into the books, to the legs they are about, into counts and the event log; and
//! comparing the books with what the venues say.

use basis_core::error::{Code, ComponentError, VenueErrorKind};
use basis_core::event::{Component, Difference, EventData};
use basis_core::num::Quantity;
use basis_core::types::Venue;
use basis_core::venue_event::{EventKind, Events, Position, VenueEvent};

use super::Engine;
use super::describe::describe;
use crate::account::{Books, Posted};
use crate::block::Applied;
use crate::desk::VenueSlot;
use crate::result::{ExecutionRow, UnbookedFunding};

/// How often the venues that new events touched are read again before the next wake.
const READINGS_MAX: usize = 4;

/// How an event came.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Arrival {
    /// As the answer to instructions that have just been sent.
    Answer,
    /// By itself.
    Poll,
}

impl Engine {
    /// Takes what happened by itself: venues in the order of the run, the wallet last.
    pub(super) fn poll(&mut self) -> Result<(), ComponentError> {
        self.ask_late_venues();
        let mut events = Events::new();
        for index in 0..self.desk.slots.len() {
            let Some(slot) = self.desk.slots.get(index) else {
                break;
            };
            if !slot.is_due(&self.view) {
                continue;
            }
            let venue = slot.venue;
            let could_not = slot.read_again_at().is_some();
            // One that answers late says itself that it can be read again.
            let is_late = slot.answers_late().is_some();
            self.desk.poll(index, &self.view, &mut events);
            let can_again = could_not && !is_late && !events.iter().any(is_disconnection);
            if can_again && let Some(slot) = self.desk.slots.get_mut(index) {
                slot.was_read(self.view.now(), true);
            }
            if events.is_empty() && !can_again {
                continue;
            }
            // What it holds, and that it can be read, is no reason to ask again what it holds.
            let is_news = |event: &VenueEvent| {
                !matches!(
                    event.kind,
                    EventKind::Snapshot { .. } | EventKind::Connectivity { .. }
                )
            };
            if !is_late || events.iter().any(is_news) {
                self.touch(venue);
            }
            self.refuse_foreign(venue, &mut events);
            self.take_all(&events, Arrival::Poll)?;
            events.clear();
        }
        self.reconcile()
    }

    /// Refuses what `reporter` says in the name of a venue that is none of the run, and halts it.
    fn refuse_foreign(&mut self, reporter: Venue, events: &mut Events) {
        if events.iter().all(|event| event.venue == reporter) {
            return;
        }
        let is_ours = |event: &VenueEvent| {
            let mut venues = self.desk.slots.iter().map(|slot| slot.venue);
            venues.any(|venue| venue == event.venue)
        };
        let (own, foreign): (Events, Events) = events.drain(..).partition(is_ours);
        *events = own;
        for event in foreign {
            let problem = format!("{} is no venue of the run", event.venue);
            self.refuse_event(&event, &problem);
            let reason = format!("it reports for {}: {problem}", event.venue);
            self.desk.halt(self.view.now(), reporter, &reason);
        }
    }

    pub(super) fn take_all(
        &mut self,
        events: &[VenueEvent],
        arrival: Arrival,
    ) -> Result<(), ComponentError> {
        for event in events {
            self.take(event, arrival)?;
        }
        Ok(())
    }

    /// Takes one event; whether it was new. What a venue cannot mean halts the venue and is not booked; only a
    /// broken invariant of ours is an error.
    pub(super) fn take(
        &mut self,
        event: &VenueEvent,
        arrival: Arrival,
    ) -> Result<bool, ComponentError> {
        let now = self.view.now();
        match &event.kind {
            EventKind::Snapshot { .. } => {
                if let Some(slot) = self.desk.slot_mut(event.venue) {
                    slot.is_fresh = true;
                    slot.was_read(now, true);
                }
                return Ok(true);
            }
            EventKind::Connectivity { connected, error } => {
                self.connectivity(event.venue, *connected, error.as_deref())?;
                return Ok(true);
            }
            _ => {}
        }
        if let Some(problem) = self.impossible(event) {
            self.refuse_event(event, &problem);
            return Ok(false);
        }
        if let EventKind::Order(_) = event.kind {
            // It names a state of its own and changes no holding.
            self.desk.keep(now, event, (Vec::new(), 0));
            self.update_legs(event, Quantity::ZERO)?;
            self.log(event, arrival);
            return Ok(true);
        }
        let (lines, marks) = match self.books.post(&self.view, event) {
            Ok(Posted::Repeated) => return Ok(false),
            Ok(Posted::New {
                lines,
                unpriced,
                marks,
            }) => {
                for (account, item) in unpriced {
                    let text = format!("{item} in {account} has no price: it is booked at 0");
                    let error = ComponentError::new(Code::ExposureUnpriced, text);
                    self.desk.health.failed(now, &error);
                    self.error(Component::PositionMonitor, &error);
                }
                (lines, marks)
            }
            Err(e) => {
                self.refuse_event(event, &e.to_string());
                return Ok(false);
            }
        };
        self.desk.keep(now, event, (marks, lines.len()));
        let delta = self.touch_lines(event, lines)?;
        self.update_legs(event, delta)?;
        self.count(event, arrival)?;
        self.log(event, arrival);
        Ok(true)
    }

    /// Says of an event in the log what is worth a line.
    fn log(&self, event: &VenueEvent, arrival: Arrival) {
        if let Some((what, detail)) = describe(event, arrival) {
            let data = EventData::VenueEvent {
                venue: event.venue,
                what,
                detail,
            };
            self.desk.record(event.at, Component::TightLoop, data);
        }
    }

    /// What cannot be of an event, in words: its venue is none of the run, it lies in the future, or it
    /// came before an earlier one.
    fn impossible(&mut self, event: &VenueEvent) -> Option<String> {
        let now = self.view.now();
        let Some(slot) = self.desk.slot_mut(event.venue) else {
            return Some(format!("{} is no venue of the run", event.venue));
        };
        if event.at > now {
            return Some(format!("it happened at {}, and it is {now}", event.at));
        }
        if event.received_at < slot.received_at {
            return Some(format!(
                "it was received at {}, before one that was received at {}",
                event.received_at, slot.received_at
            ));
        }
        slot.received_at = event.received_at;
        slot.reported_at = event.received_at.max(event.at);
        None
    }

    /// Says what is wrong with an event and halts its venue.
    fn refuse_event(&mut self, event: &VenueEvent, problem: &str) {
        let named = event
            .key()
            .map_or_else(|| "an event".to_owned(), |key| key.to_string());
        let message = format!("{}: {named}: {problem}", event.venue);
        let error = ComponentError::new(Code::VenueEventInvalid, message.clone());
        let now = self.view.now();
        self.desk.health.failed(now, &error);
        self.error(Component::TightLoop, &error);
        self.desk.halt(now, event.venue, &message);
        self.touch(event.venue);
    }

    /// Notes the venues that posted lines concern, and yields what they did to the delta where a block
    /// wants to know.
    fn touch_lines(
        &mut self,
        event: &VenueEvent,
        lines: std::ops::Range<usize>,
    ) -> Result<Quantity, ComponentError> {
        let mut delta = Quantity::ZERO;
        let wanted = event.instruction().is_some();
        for line in self.books.ledger().get(lines).unwrap_or_default() {
            touch(&mut self.touched, line.account.venue);
            if wanted {
                delta = delta.add(self.books.delta_of(&self.view, line)?)?;
            }
        }
        Ok(delta)
    }

    /// Hands an event to the leg it is about: of the block under way, or of an earlier one.
    fn update_legs(&mut self, event: &VenueEvent, delta: Quantity) -> Result<(), ComponentError> {
        let is_fill = matches!(event.kind, EventKind::Fill(_));
        let Some(id) = event.instruction() else {
            if is_fill {
                self.refuse_event(event, "it fills an order that is none of ours");
            }
            return Ok(());
        };
        if !self.desk.was_given(id) {
            self.refuse_event(event, &format!("instruction {id} was never sent"));
            return Ok(());
        }
        if ends_transfer(&event.kind) {
            let in_flight = &mut self.run_state.in_flight;
            in_flight.retain(|transfer| transfer.instruction != id);
        }
        let mut applied = None;
        if let Some(plan) = &mut self.plan {
            plan.under_way
                .retain(|waiting| *waiting != id || !ends_transfer(&event.kind));
            let leg = plan.run.as_mut().and_then(|run| run.leg_mut(id));
            if let Some(leg) = leg {
                leg.delta = leg.delta.add(delta)?;
                applied = Some(leg.apply(event));
            }
        }
        if let Some(outstanding) = self.desk.outstanding.get_mut(&id) {
            applied = Some(outstanding.apply(event));
            if outstanding.is_done()
                && let Some(ended) = self.desk.outstanding.remove(&id)
            {
                self.desk.end(&ended);
            }
        }
        let problem = match (applied, &event.kind) {
            (Some(Applied::Contradiction(problem)), _) => Some(problem),
            (None, EventKind::Fill(fill)) => self.desk.filled_late(id, fill.quantity),
            _ => None,
        };
        if let Some(problem) = problem {
            self.refuse_event(event, &problem);
        }
        if let EventKind::Rejected { error, .. } | EventKind::OutcomeUnknown { error, .. } =
            &event.kind
            && matches!(error.kind, VenueErrorKind::Auth(_))
        {
            let reason = error.to_string();
            self.desk.halt(self.view.now(), event.venue, &reason);
        }
        Ok(())
    }

    /// Counts an event and keeps what results show of it.
    fn count(&mut self, event: &VenueEvent, arrival: Arrival) -> Result<(), ComponentError> {
        match &event.kind {
            EventKind::Funding(funding) => {
                self.run_state.counts.funding_payments += 1;
                self.risk_view
                    .settled(funding.instrument.funding_series(), funding.rate);
            }
            EventKind::Liquidation(_) | EventKind::LendingLiquidation(_) => {
                self.run_state.counts.liquidations += 1;
            }
            EventKind::FundingMissing(missing) => {
                self.run_state.unbooked.push(UnbookedFunding {
                    series: missing.instrument.funding_series(),
                    at: event.at,
                    position: missing.position,
                    exposed_notional: missing.exposed_notional,
                });
            }
            EventKind::Fill(fill) if arrival == Arrival::Poll => {
                self.run_state.counts.fills += 1;
                if self.keeps
                    && let Some(instruction) = fill.instruction
                {
                    self.executions.push(ExecutionRow {
                        instruction,
                        venue: event.venue,
                        operation: fill.instrument.kind.as_str().into(),
                        action: "late_fill".into(),
                        status: "settled".into(),
                        at: event.at,
                        fill: Some(fill.as_ref().clone()),
                        transfer: None,
                        transaction: None,
                    });
                }
            }
            _ => {}
        }
        Ok(())
    }

    /// A venue can be read again, or cannot: then nothing is sent to it until it can. What a simulated venue
    /// cannot compute ends the run, for its figures would be wrong from here on.
    fn connectivity(
        &mut self,
        venue: Venue,
        connected: bool,
        error: Option<&basis_core::error::VenueError>,
    ) -> Result<(), ComponentError> {
        let now = self.view.now();
        let mut answers_late = false;
        if let Some(slot) = self.desk.slot_mut(venue) {
            slot.was_read(now, connected);
            answers_late = slot.answers_late().is_some();
            if answers_late && !connected {
                slot.verify_at = slot.read_again_at();
            }
        }
        if connected {
            self.state(now, "venue_readable", format!("{venue} can be read"));
            return Ok(());
        }
        let Some(error) = error else {
            self.state(now, "venue_unreadable", format!("{venue} cannot be read"));
            return Ok(());
        };
        let component = ComponentError::from(error.clone());
        match error.kind {
            VenueErrorKind::RateLimited { .. }
            | VenueErrorKind::Unavailable(_)
            | VenueErrorKind::OutcomeUnknown(_)
            | VenueErrorKind::Decode(_) => {
                self.desk.health.failed(now, &component);
                self.error(Component::TightLoop, &component);
                Ok(())
            }
            VenueErrorKind::Auth(_) => {
                self.error(Component::TightLoop, &component);
                self.desk.halt(now, venue, &error.to_string());
                Ok(())
            }
            // A venue itself: what it will not do says nothing of our books.
            _ if answers_late => {
                self.error(Component::TightLoop, &component);
                self.desk.halt(now, venue, &error.to_string());
                Ok(())
            }
            _ => Err(component),
        }
    }

    /// Notes that `venue` must be compared; the wallet answers for what is in flight.
    pub(super) fn touch(&mut self, venue: Venue) {
        touch(&mut self.touched, venue);
    }

    /// Asks the venues that were touched what they hold, and compares it with the books.
    ///
    /// # Errors
    /// REC-001 listing every difference at a venue whose answers are exact.
    pub(super) fn reconcile(&mut self) -> Result<(), ComponentError> {
        let mut slots = self.desk.slots.iter();
        if self.touched.is_empty() && !slots.any(|slot| self.is_to_be_compared(slot)) {
            return Ok(());
        }
        let mut events = Events::new();
        for _ in 0..READINGS_MAX {
            let mut touched = std::mem::take(&mut self.touched);
            touched.sort_unstable();
            for venue in touched {
                // One that cannot be read is compared when it can.
                let readable =
                    |slot: &VenueSlot| slot.venue == venue && slot.read_again_at().is_none();
                if self.verify_later(venue) {
                    continue;
                }
                let Some(index) = self.desk.slots.iter().position(readable) else {
                    continue;
                };
                self.desk.read(index, &self.view, &mut events);
                self.refuse_foreign(venue, &mut events);
                self.take_all(&events, Arrival::Poll)?;
                events.clear();
            }
            if self.touched.is_empty() {
                break;
            }
        }
        self.compare()
    }

    /// Compares every venue with the books, touched or not: what went wrong after a venue's last event shows
    /// at the end.
    ///
    /// # Errors
    /// As [`Engine::reconcile`].
    pub(super) fn reconcile_all(&mut self) -> Result<(), ComponentError> {
        let venues: Vec<_> = self.desk.slots.iter().map(|slot| slot.venue).collect();
        for venue in venues {
            self.touch(venue);
        }
        self.reconcile()
    }

    fn compare(&mut self) -> Result<(), ComponentError> {
        let now = self.view.now();
        let (mut exact, mut repeated) = (Vec::new(), Vec::new());
        let mut compared = 0;
        for index in 0..self.desk.slots.len() {
            let slot = self.desk.slots.get(index);
            if !slot.is_some_and(|slot| self.is_to_be_compared(slot)) {
                continue;
            }
            let Some(slot) = self.desk.slots.get_mut(index) else {
                continue;
            };
            slot.is_fresh = false;
            let venue = slot.venue;
            let snapshot = slot.interface.account();
            let foreign = snapshot.positions.iter().find(|position| {
                let keeper = position.account.venue;
                keeper != venue && (venue, keeper) != (Venue::WALLET, Venue::IN_FLIGHT)
            });
            let foreign =
                foreign.map(|position| format!("{} is none of its accounts", position.account));
            if let Some(problem) = snapshot.contradiction().or(foreign) {
                let message = format!("{venue}: a snapshot that contradicts itself: {problem}");
                let error = ComponentError::new(Code::VenueEventInvalid, message.clone());
                self.error(Component::Reconciliation, &error);
                self.desk.halt(now, venue, &message);
                continue;
            }
            compared += snapshot.positions.len();
            let mut differences = Vec::new();
            compare(&self.books, venue, &snapshot.positions, &mut differences);
            if venue == Venue::WALLET {
                let in_flight = Venue::IN_FLIGHT;
                compare(
                    &self.books,
                    in_flight,
                    &snapshot.positions,
                    &mut differences,
                );
            }
            let Some(delay) = slot.answers_late() else {
                exact.append(&mut differences);
                continue;
            };
            let asked = slot.interface.account().asked;
            if slot.judge(now, (asked, delay), !differences.is_empty()) == Some(true) {
                let reason = format!("books and venue differ: {}", listed(&differences));
                repeated.append(&mut differences);
                self.desk.halt(now, venue, &reason);
            }
        }
        self.desk.positions.publish(self.books.positions());
        let list = (!exact.is_empty()).then(|| listed(&exact));
        exact.append(&mut repeated);
        let data = EventData::Reconciliation {
            compared,
            differences: exact,
        };
        self.desk.record(now, Component::Reconciliation, data);
        match list {
            Some(list) => Err(ComponentError::new(Code::ReconcileFailed, list)),
            None => Ok(()),
        }
    }
}

fn is_disconnection(event: &VenueEvent) -> bool {
    matches!(
        event.kind,
        EventKind::Connectivity {
            connected: false,
            ..
        }
    )
}

/// Whether a plan that waits for a transfer goes on.
fn ends_transfer(kind: &EventKind) -> bool {
    match kind {
        EventKind::Transfer(update) => update.stage.is_final(),
        EventKind::Other(_) | EventKind::Done { .. } | EventKind::Rejected { .. } => true,
        _ => false,
    }
}

/// Adds a venue that must be compared; the wallet answers for what is in flight.
pub(super) fn touch(touched: &mut Vec<Venue>, venue: Venue) {
    let venue = if venue == Venue::IN_FLIGHT {
        Venue::WALLET
    } else {
        venue
    };
    if !touched.contains(&venue) {
        touched.push(venue);
    }
}

fn listed(differences: &[Difference]) -> String {
    let list: Vec<_> = differences
        .iter()
        .map(|d| {
            format!(
                "{} {}: books {}, venue {}",
                d.account, d.item, d.expected, d.actual
            )
        })
        .collect();
    list.join("; ")
}

/// Every holding of `venue` that books or venue know of, where they differ. A venue holds a handful of
/// items, so scanning beats building maps.
fn compare(books: &Books, venue: Venue, reported: &[Position], differences: &mut Vec<Difference>) {
    let mut matched = 0;
    for held in books.positions_of(venue) {
        let same = |p: &&Position| p.item == held.item && p.account == held.account;
        let actual = reported.iter().find(same);
        matched += usize::from(actual.is_some());
        let nothing = (Quantity::ZERO, Quantity::ZERO);
        let actual = actual.map_or(nothing, |p| (p.quantity, p.units));
        if actual != (held.quantity, held.units) {
            // What scaled units stand for may differ where their count does not.
            let (expected, actual) = if actual.0 == held.quantity {
                (held.units, actual.1)
            } else {
                (held.quantity, actual.0)
            };
            differences.push(Difference {
                account: held.account,
                item: held.item,
                expected,
                actual,
            });
        }
    }
    let of_venue =
        |p: &&Position| p.account.venue == venue && !(p.quantity.is_zero() && p.units.is_zero());
    if reported.iter().filter(of_venue).count() == matched {
        return;
    }
    for position in reported.iter().filter(of_venue) {
        let (account, item) = (position.account, position.item);
        let held = books.holding(account, item);
        if held.is_none_or(|held| held.quantity.is_zero() && held.units.is_zero()) {
            let actual = if position.quantity.is_zero() {
                position.units
            } else {
                position.quantity
            };
            differences.push(Difference {
                account,
                item,
                expected: Quantity::ZERO,
                actual,
            });
        }
    }
}
