//! The venues of a run: what is sent to them, what they said last, and which of them may be used.
//!
//! **Invariants.** Instructions are in the journal before the first byte of a block leaves. A venue that
//! is halted, unreadable or has an instruction of unknown outcome is sent nothing new; the others go on.

use std::collections::BTreeMap;
use std::sync::Arc;

use basis_core::error::{Code, ComponentError, VenueError, VenueErrorKind};
use basis_core::event::{Component, Event, EventData, EventSink};
use basis_core::health::Health;
use basis_core::instruction::{Instruction, OpenInstruction, Operation, Swap};
use basis_core::journal::{CallKind, Commit, PostedMark, TakenEvent, VenueCall};
use basis_core::num::Quantity;
use basis_core::plan::{Block, Leg};
use basis_core::rules::RuleBook;
use basis_core::types::{Epoch, InstructionId, InstrumentKey, Span, Timestamp, Venue};
use basis_core::venue::Terms;
use basis_core::venue_event::{EventKind, Events, FlowId, VenueEvent};
use basis_market::ExecutionInterface;
use basis_market::MarketView;
use serde::{Deserialize, Serialize};

use crate::account::SharedPositions;
use crate::block::{LegRun, Role};
use crate::strategy::Venues;

/// The first wait after a venue could not be read, and the longest.
const READ_AGAIN: (Span, Span) = (Span::from_seconds(1), Span::from_hours(1));

/// One venue of the run.
#[derive(Debug)]
pub(crate) struct VenueSlot {
    pub(crate) venue: Venue,
    pub(crate) interface: Box<dyn ExecutionInterface>,
    pub(crate) state: VenueState,
    /// How often in a row it could not be read, and until when it is left alone.
    pub(crate) unreadable: Option<(u32, Timestamp)>,
    /// When it last reported something that is no snapshot.
    pub(crate) reported_at: Timestamp,
    /// The newest `received_at` of its events.
    pub(crate) received_at: Timestamp,
    /// Differences in a row that counted, and when the last of them was found.
    pub(crate) differences: (u32, Timestamp),
    /// Whether its snapshot is newer than the last comparison.
    pub(crate) is_fresh: bool,
    /// When it is asked what it holds, where it answers late.
    pub(crate) verify_at: Option<Timestamp>,
    /// Whether nothing new is decided for it until the books and what it holds have agreed.
    pub(crate) must_agree: bool,
}

/// Whether a venue may be used.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum VenueState {
    /// It may.
    Open,
    /// Nothing is sent to it any more.
    Halted(String),
}

/// The venues and what is outstanding at them.
#[derive(Debug)]
pub(crate) struct Desk {
    pub(crate) slots: Vec<VenueSlot>,
    pub(crate) events: Arc<dyn EventSink>,
    pub(crate) positions: Arc<SharedPositions>,
    pub(crate) rules: Arc<RuleBook>,
    pub(crate) health: Health,
    /// Instructions that have not ended and live on after their block, whatever became of its plan.
    pub(crate) outstanding: BTreeMap<InstructionId, LegRun>,
    /// Orders that have ended: base units asked for and filled.
    pub(crate) ended: BTreeMap<InstructionId, (Quantity, Quantity)>,
    /// What the next commit holds of calls, instructions and events; `None` without a journal.
    pub(crate) uncommitted: Option<Commit>,
    /// The start of the book that numbers instructions.
    pub(crate) epoch: Epoch,
    /// Instructions numbered in this epoch.
    pub(crate) numbered: u32,
    /// The earlier epochs of the book, and how many were numbered in each.
    pub(crate) earlier: Vec<(Epoch, u32)>,
}

impl Venues for Desk {
    fn terms(&self, venue: Venue, view: &MarketView) -> Result<Terms, ComponentError> {
        let slot = self.slots.iter().find(|slot| slot.venue == venue);
        let terms = slot.map(|slot| slot.interface.terms(view));
        Ok(terms.transpose()?.unwrap_or_default())
    }

    fn quote(&self, venue: Venue, swap: &Swap, view: &MarketView) -> Option<Quantity> {
        let slot = self.slots.iter().find(|slot| slot.venue == venue)?;
        slot.interface.quote(view, swap)
    }
}

impl VenueSlot {
    fn new(interface: Box<dyn ExecutionInterface>) -> Self {
        Self {
            venue: interface.venue(),
            interface,
            state: VenueState::Open,
            unreadable: None,
            reported_at: Timestamp::MIN,
            received_at: Timestamp::MIN,
            differences: (0, Timestamp::MIN),
            is_fresh: false,
            verify_at: None,
            must_agree: false,
        }
    }

    /// How long a snapshot may not show yet what was reported; `None` where snapshots are exact, and an answer
    /// is there when the call returns.
    pub(crate) fn answers_late(&self) -> Option<Span> {
        let delay = self.interface.capabilities().visibility_delay;
        (delay > Span::ZERO).then_some(delay)
    }

    /// Whether it is to be polled at the view. One that answers late has said what it could not read by itself,
    /// and says when it can; asking for its news costs nothing.
    pub(crate) fn is_due(&self, view: &MarketView) -> bool {
        if self.answers_late().is_some() {
            return self.interface.horizon(view).is_due(view);
        }
        if let Some((_, until)) = self.unreadable
            && view.now() < until
        {
            return false;
        }
        self.unreadable.is_some() || self.interface.horizon(view).is_due(view)
    }

    /// Why an instruction may not be sent, in words; `None` when it may. A halted venue is still asked to
    /// take orders back, one that cannot be read is asked nothing.
    fn refuses(&self, instruction: &Instruction) -> Option<String> {
        let venue = self.venue;
        // One that answers late may take an order whose account could not be read, and says so if not.
        if self.unreadable.is_some() && self.answers_late().is_none() {
            return Some(format!("{venue} cannot be read"));
        }
        match &self.state {
            VenueState::Halted(_) if is_cancel(instruction) => None,
            VenueState::Halted(reason) => Some(format!("{venue} is halted: {reason}")),
            VenueState::Open => None,
        }
    }

    /// Until when it is left alone after it could not be read.
    pub(crate) fn read_again_at(&self) -> Option<Timestamp> {
        self.unreadable.map(|(_, until)| until)
    }

    /// Notes whether it could be read at `now`; a venue that cannot is asked again after 1, 2, 4 … s.
    pub(crate) fn was_read(&mut self, now: Timestamp, readable: bool) {
        if readable {
            self.unreadable = None;
            return;
        }
        let times = self.unreadable.map_or(0, |(times, _)| times);
        let (first, longest) = READ_AGAIN;
        let wait = first.times(1_i64.checked_shl(times).unwrap_or(i64::MAX));
        let until = now.plus(wait.min(longest));
        self.unreadable = Some((times.saturating_add(1).min(30), until));
    }
}

impl Desk {
    pub(crate) fn new(
        interfaces: Vec<Box<dyn ExecutionInterface>>,
        (epoch, is_journaled): (Epoch, bool),
        events: Arc<dyn EventSink>,
        positions: Arc<SharedPositions>,
        rules: Arc<RuleBook>,
    ) -> Self {
        Self {
            slots: interfaces.into_iter().map(VenueSlot::new).collect(),
            events,
            positions,
            rules,
            health: Health::default(),
            outstanding: BTreeMap::new(),
            ended: BTreeMap::new(),
            uncommitted: is_journaled.then(Commit::default),
            epoch,
            numbered: 0,
            earlier: Vec::new(),
        }
    }

    pub(crate) fn slot_mut(&mut self, venue: Venue) -> Option<&mut VenueSlot> {
        self.slots.iter_mut().find(|slot| slot.venue == venue)
    }

    pub(crate) fn record(&self, at: Timestamp, component: Component, data: EventData) {
        self.events.record(Event::new(at, component, data));
    }

    /// Gives every leg a number that was never used before.
    ///
    /// # Errors
    /// EXEC-001 when the numbers are used up.
    pub(crate) fn number(&mut self, leg: &mut Leg) -> Result<(), ComponentError> {
        self.numbered = self.numbered.checked_add(1).ok_or_else(|| {
            ComponentError::new(
                Code::LegFailed,
                "the instruction numbers of this start are used up",
            )
        })?;
        leg.instruction.id = InstructionId::new(self.epoch, self.numbered);
        Ok(())
    }

    /// Whether an instruction of this number was ever sent, in this start or an earlier one.
    pub(crate) fn was_given(&self, id: InstructionId) -> bool {
        let earlier = self.earlier.iter().copied();
        let mut epochs = earlier.chain([(self.epoch, self.numbered)]);
        epochs.any(|(epoch, numbered)| {
            id.epoch() == epoch && id.counter() > 0 && id.counter() <= numbered
        })
    }

    /// Notes `legs` for the commit before they are sent.
    pub(crate) fn note_sending(&mut self, submitted_at: Timestamp, legs: &[&Leg]) {
        let Some(commit) = &mut self.uncommitted else {
            return;
        };
        let open = legs.iter().map(|leg| OpenInstruction {
            venue: leg.venue,
            submitted_at,
            instruction: leg.instruction.clone(),
        });
        commit.instructions.extend(open);
        for slot in &self.slots {
            let own = legs.iter().filter(|leg| leg.venue == slot.venue);
            let ids: Vec<_> = own.map(|leg| leg.instruction.id).collect();
            if !ids.is_empty() {
                commit.calls.push(VenueCall {
                    at: submitted_at,
                    venue: slot.venue,
                    kind: CallKind::Execute(ids),
                });
            }
        }
    }

    /// Sends `legs`, and yields what the venues knew at once, in the order of the legs: an event that names
    /// no instruction goes before the next of its venue's batch. They must have been committed.
    pub(crate) fn send(&mut self, view: &MarketView, legs: &[&Leg]) -> Events {
        let mut batches: Vec<Events> = Vec::new();
        for slot in &mut self.slots {
            let instructions: Vec<Instruction> = legs
                .iter()
                .filter(|leg| leg.venue == slot.venue)
                .map(|leg| leg.instruction.clone())
                .collect();
            if instructions.is_empty() {
                continue;
            }
            let mut events = Events::new();
            slot.interface
                .execute_instructions(view, &instructions, &mut events);
            batches.push(events);
        }
        in_order(legs, batches)
    }

    /// Notes that a scheduled flow of the wallet was refused.
    pub(crate) fn note_refused_flow(&mut self, at: Timestamp, flow: FlowId) {
        if let Some(commit) = &mut self.uncommitted {
            commit.calls.push(VenueCall {
                at,
                venue: Venue::WALLET,
                kind: CallKind::RefuseFlow(flow),
            });
        }
    }

    /// Asks a venue for its news.
    pub(crate) fn poll(&mut self, index: usize, view: &MarketView, events: &mut Events) {
        self.call(index, view, CallKind::Poll, events);
    }

    /// Requests a snapshot of a venue and asks for its news.
    pub(crate) fn read(&mut self, index: usize, view: &MarketView, events: &mut Events) {
        self.call(index, view, CallKind::Read, events);
    }

    fn call(&mut self, index: usize, view: &MarketView, kind: CallKind, events: &mut Events) {
        let Some(slot) = self.slots.get_mut(index) else {
            return;
        };
        if kind == CallKind::Read {
            slot.interface.request_snapshot();
        }
        slot.interface.poll_events(view, events);
        if let Some(commit) = &mut self.uncommitted {
            let (at, venue) = (view.now(), slot.venue);
            commit.calls.push(VenueCall { at, venue, kind });
        }
    }

    /// The place of a venue.
    pub(crate) fn place_of(&self, venue: Venue) -> Option<usize> {
        self.slots.iter().position(|slot| slot.venue == venue)
    }

    /// Parts what may be sent from what may not, each of those with why.
    pub(crate) fn admissible<'a>(
        &self,
        legs: &[&'a Leg],
    ) -> (Vec<&'a Leg>, Vec<(&'a Leg, VenueErrorKind)>) {
        let mut refused = Vec::new();
        let mut sent = legs.to_vec();
        sent.retain(|leg| {
            let kind = match self.slots.iter().find(|slot| slot.venue == leg.venue) {
                Some(slot) => slot
                    .refuses(&leg.instruction)
                    .map(VenueErrorKind::Unavailable),
                None => Some(VenueErrorKind::Unsupported(format!(
                    "instruction {}: the run has no interface for {}",
                    leg.instruction.id, leg.venue
                ))),
            };
            let may_go = kind.is_none();
            refused.extend(kind.map(|kind| (*leg, kind)));
            may_go
        });
        (sent, refused)
    }

    /// Keeps an event for the next commit, with the marks that posting read and its number of lines.
    pub(crate) fn keep(
        &mut self,
        posted_at: Timestamp,
        event: &VenueEvent,
        (marks, lines): (Vec<PostedMark>, usize),
    ) {
        if let Some(commit) = &mut self.uncommitted {
            commit.events.push(TakenEvent {
                event: event.clone(),
                posted_at,
                marks,
                lines: u32::try_from(lines).unwrap_or(u32::MAX),
            });
        }
    }

    /// Halts a venue: nothing is sent to it any more.
    pub(crate) fn halt(&mut self, at: Timestamp, venue: Venue, reason: &str) {
        let Some(slot) = self.slot_mut(venue) else {
            return;
        };
        if slot.state != VenueState::Open {
            return;
        }
        slot.state = VenueState::Halted(reason.to_owned());
        let error = ComponentError::new(Code::VenueHalted, format!("{venue} is halted: {reason}"));
        self.health.failed(at, &error);
        self.events
            .record(Event::error(at, Component::Engine, &error));
    }

    /// Whether `venue` cannot be read for now.
    pub(crate) fn is_unreadable(&self, venue: Venue) -> bool {
        let mut slots = self.slots.iter();
        slots.any(|slot| slot.venue == venue && slot.unreadable.is_some())
    }

    /// Lifts every halt, at the word of the operator.
    pub(crate) fn lift_halts(&mut self) {
        for slot in &mut self.slots {
            slot.state = VenueState::Open;
        }
    }

    /// Why nothing may be sent to `venue`, in words; `None` when it may be used.
    pub(crate) fn refusal(&self, venue: Venue) -> Option<String> {
        let slot = self.slots.iter().find(|slot| slot.venue == venue)?;
        if let VenueState::Halted(reason) = &slot.state {
            return Some(format!("{venue} is halted: {reason}"));
        }
        if slot.unreadable.is_some() {
            return Some(format!("{venue} cannot be read"));
        }
        if slot.must_agree {
            return Some(format!(
                "the books have not been compared with what {venue} holds"
            ));
        }
        let open = self.outstanding.iter();
        let mut unknown = open.filter(|(_, run)| run.leg.venue == venue && run.is_unknown());
        let (id, _) = unknown.next()?;
        Some(format!(
            "the outcome of instruction {id} at {venue} is unknown"
        ))
    }

    /// Why a block may not be sent, in words: the first of its venues that may not be used.
    pub(crate) fn refusal_of(&self, block: &Block) -> Option<(Venue, String)> {
        let mut venues = block.legs.iter().map(|leg| leg.venue);
        venues.find_map(|venue| Some((venue, self.refusal(venue)?)))
    }

    /// Base units, signed, that orders of unknown outcome may still have added at the worst: the least and
    /// the most.
    ///
    /// # Errors
    /// POS-002 when a sum leaves the range.
    pub(crate) fn unknown_range(&self) -> Result<(Quantity, Quantity), ComponentError> {
        let (mut least, mut most) = (Quantity::ZERO, Quantity::ZERO);
        for run in self.outstanding.values().filter(|run| run.is_unknown()) {
            let Some(asked) = run.order() else {
                continue;
            };
            let signed = Quantity::new(run.missing().get().mul_int(asked.side.sign())?);
            least = least.add(signed.min(Quantity::ZERO))?;
            most = most.add(signed.max(Quantity::ZERO))?;
        }
        Ok((least, most))
    }

    /// The lot of an instrument under the rules in force.
    pub(crate) fn lot(&self, now: Timestamp, key: InstrumentKey) -> Option<Quantity> {
        let rules = self.rules.venue(key.venue)?.at(now);
        let instrument = rules.instrument(key.kind.contract(), key.symbol)?;
        Some(instrument.lot_size)
    }

    /// Keeps track of a leg that outlives its block.
    pub(crate) fn track(&mut self, run: LegRun) {
        if !matches!(run.role, Role::Cancels(_)) {
            self.outstanding.insert(run.leg.instruction.id, run);
        }
    }

    /// Keeps of an order that has ended what was asked for and what filled.
    pub(crate) fn end(&mut self, run: &LegRun) {
        if let Some(asked) = run.order() {
            let amounts = (asked.quantity, run.filled);
            self.ended.insert(run.leg.instruction.id, amounts);
        }
    }

    /// Counts a fill of an instruction that nobody follows any more, and says what contradicts it: it fills
    /// more than was ordered, or what is no order.
    pub(crate) fn filled_late(&mut self, id: InstructionId, quantity: Quantity) -> Option<String> {
        let Some((asked, filled)) = self.ended.get_mut(&id) else {
            return Some(format!("instruction {id} is no order"));
        };
        // Fills far beyond the range of a book cannot be posted, and are not counted here.
        *filled = filled.add(quantity).unwrap_or(*filled);
        (*filled > *asked)
            .then(|| format!("instruction {id} has filled {filled} of {asked} ordered"))
    }
}

/// The events of several venues in the order of the legs: each takes the place of its instruction, one
/// without goes before the next of its batch, and what follows the last leg comes at the end.
pub(crate) fn in_order(legs: &[&Leg], mut batches: Vec<Events>) -> Events {
    if batches.len() <= 1 {
        return batches.pop().unwrap_or_default();
    }
    let mut places: Vec<Events> = legs.iter().map(|_| Events::new()).collect();
    let mut rest = Events::new();
    for batch in batches {
        let mut before = Events::new();
        for event in batch {
            let id = event.instruction();
            before.push(event);
            let place = legs.iter().position(|leg| Some(leg.instruction.id) == id);
            if let Some(place) = place.and_then(|place| places.get_mut(place)) {
                place.append(&mut before);
            }
        }
        rest.append(&mut before);
    }
    places.push(rest);
    places.into_iter().flatten().collect()
}

fn is_cancel(instruction: &Instruction) -> bool {
    matches!(instruction.operation, Operation::CancelOrder(_))
}

/// The answer to a leg that was not sent.
pub(crate) fn refusal(now: Timestamp, leg: &Leg, kind: VenueErrorKind) -> VenueEvent {
    let (venue, instruction) = (leg.venue, leg.instruction.id);
    let operation = leg.instruction.operation.kind().as_str();
    let error = VenueError::new(venue, operation, kind);
    let kind = EventKind::Rejected {
        instruction,
        error: Box::new(error),
    };
    VenueEvent::new(venue, now, now, kind)
}
