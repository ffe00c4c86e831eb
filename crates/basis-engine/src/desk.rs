//! The venues of a run: what is sent to them, what they said last, and which of them may be used.
//!
//! **Invariants.** Instructions are in the journal before the first byte of a block leaves. A venue that
//! is halted, unreadable or has an instruction of unknown outcome is sent nothing new; the others go on.

use std::collections::BTreeMap;
use std::sync::Arc;

use basis_core::error::{Code, ComponentError, VenueError, VenueErrorKind};
use basis_core::event::{Component, Event, EventData, EventSink};
use basis_core::health::Health;
use basis_core::instruction::{Instruction, OpenInstruction, Operation};
use basis_core::journal::{Journal, JournalError};
use basis_core::num::Quantity;
use basis_core::plan::{Block, Leg};
use basis_core::rules::RuleBook;
use basis_core::types::{InstructionId, InstrumentKey, Span, Timestamp, Venue};
use basis_core::venue::Terms;
use basis_core::venue_event::{EventKind, Events, VenueEvent};
use basis_market::ExecutionInterface;
use basis_market::MarketView;

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
    unreadable: Option<(u32, Timestamp)>,
    /// When it last reported something that is no snapshot.
    pub(crate) reported_at: Timestamp,
    /// The newest `received_at` of its events.
    pub(crate) received_at: Timestamp,
    /// Differences in a row that counted, and when the last of them was found.
    pub(crate) differences: (u32, Timestamp),
    /// Whether its snapshot is newer than the last comparison.
    pub(crate) is_fresh: bool,
}

/// Whether a venue may be used.
#[derive(Clone, Debug, PartialEq, Eq)]
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
    pub(crate) journal: Option<Box<dyn Journal>>,
    pub(crate) events: Arc<dyn EventSink>,
    pub(crate) positions: Arc<SharedPositions>,
    pub(crate) rules: Arc<RuleBook>,
    pub(crate) health: Health,
    /// Instructions that have not ended and live on after their block, whatever became of its plan.
    pub(crate) outstanding: BTreeMap<InstructionId, LegRun>,
    /// Orders that have ended: base units asked for and filled.
    ended: BTreeMap<InstructionId, (Quantity, Quantity)>,
    /// Events that were taken since the last commit.
    uncommitted: Vec<VenueEvent>,
    next_instruction: u64,
}

impl Venues for Desk {
    fn terms(&self, venue: Venue, view: &MarketView) -> Result<Terms, ComponentError> {
        let slot = self.slots.iter().find(|slot| slot.venue == venue);
        let terms = slot.map(|slot| slot.interface.terms(view));
        Ok(terms.transpose()?.unwrap_or_default())
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
        }
    }

    /// Whether it is to be polled at the view.
    pub(crate) fn is_due(&self, view: &MarketView) -> bool {
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
        if self.unreadable.is_some() {
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
        journal: Option<Box<dyn Journal>>,
        events: Arc<dyn EventSink>,
        positions: Arc<SharedPositions>,
        rules: Arc<RuleBook>,
    ) -> Self {
        Self {
            slots: interfaces.into_iter().map(VenueSlot::new).collect(),
            journal,
            events,
            positions,
            rules,
            health: Health::default(),
            outstanding: BTreeMap::new(),
            ended: BTreeMap::new(),
            uncommitted: Vec::new(),
            next_instruction: 0,
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
        self.next_instruction = self.next_instruction.checked_add(1).ok_or_else(|| {
            ComponentError::new(Code::LegFailed, "instruction numbers are used up")
        })?;
        leg.instruction.id = InstructionId::plain(self.next_instruction);
        Ok(())
    }

    /// Whether an instruction of this number was ever sent.
    pub(crate) const fn was_given(&self, id: InstructionId) -> bool {
        id.0 > 0 && id.0 <= self.next_instruction
    }

    /// Writes `legs` down, sends them, and yields what the venues knew at once, in the order of the legs:
    /// an event that names no instruction goes before the next of its venue's batch. What may not be sent
    /// is refused here, after everything else.
    ///
    /// # Errors
    /// EXEC-004 when the journal cannot be written; then nothing was sent.
    pub(crate) fn send(
        &mut self,
        view: &MarketView,
        legs: &[&Leg],
    ) -> Result<Events, ComponentError> {
        let (legs, refused) = self.admissible(legs);
        if let Some(journal) = &mut self.journal {
            let submitted_at = view.now();
            let open: Vec<_> = legs
                .iter()
                .map(|leg| OpenInstruction {
                    venue: leg.venue,
                    submitted_at,
                    instruction: leg.instruction.clone(),
                })
                .collect();
            journal
                .record(&std::mem::take(&mut self.uncommitted))
                .map_err(journal_failed)?;
            journal.submit(&open).map_err(journal_failed)?;
        }
        let mut batches: Vec<Events> = Vec::new();
        let mut lone = true;
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
            lone &= batches.is_empty();
            batches.push(events);
        }
        let mut ordered = if lone {
            batches.pop().unwrap_or_default()
        } else {
            in_order(&legs, batches)
        };
        let refused = refused.into_iter();
        ordered.extend(refused.map(|(leg, kind)| refusal(view.now(), leg, kind)));
        Ok(ordered)
    }

    /// Parts what may be sent from what may not, each of those with why.
    fn admissible<'a>(&self, legs: &[&'a Leg]) -> (Vec<&'a Leg>, Vec<(&'a Leg, VenueErrorKind)>) {
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

    /// Keeps an event for the next commit.
    pub(crate) fn keep(&mut self, event: &VenueEvent) {
        if self.journal.is_some() {
            self.uncommitted.push(event.clone());
        }
    }

    /// Commits what was taken since the last commit.
    ///
    /// # Errors
    /// EXEC-004 when the journal cannot be written.
    pub(crate) fn commit(&mut self) -> Result<(), ComponentError> {
        let Some(journal) = &mut self.journal else {
            return Ok(());
        };
        if self.uncommitted.is_empty() {
            return Ok(());
        }
        let events = std::mem::take(&mut self.uncommitted);
        journal.record(&events).map_err(journal_failed)
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
fn in_order(legs: &[&Leg], batches: Vec<Events>) -> Events {
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
fn refusal(now: Timestamp, leg: &Leg, kind: VenueErrorKind) -> VenueEvent {
    let (venue, instruction) = (leg.venue, leg.instruction.id);
    let operation = leg.instruction.operation.kind().as_str();
    let error = VenueError::new(venue, operation, kind);
    let kind = EventKind::Rejected {
        instruction,
        error: Box::new(error),
    };
    VenueEvent::new(venue, now, now, kind)
}

fn journal_failed(e: JournalError) -> ComponentError {
    ComponentError::new(Code::JournalFailed, e.to_string()).with_source(e)
}
