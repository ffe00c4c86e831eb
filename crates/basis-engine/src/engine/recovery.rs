//! Going on from a journal: the books and the state are read back, and the simulated world is rebuilt by
//! making the journal's calls at their instants.
//!
//! What the rebuilt world reports must be what the journal holds, event by event: otherwise rules, data or
//! program are others than those it was written with, and nothing goes on. Instructions without events
//! count as having arrived: the rebuilt world executes them, and their events are taken as the answers
//! that the last start did not live to see.

use std::collections::{BTreeMap, VecDeque};

use basis_core::error::ComponentError;
use basis_core::event::{Event, EventSink};
use basis_core::instruction::{Instruction, OpenInstruction, Operation};
use basis_core::journal::{
    CallKind, Commit, Content, JournalError, JournalReader, JournalRow, RowKind, TakenEvent,
    VenueCall, VenueRecord,
};
use basis_core::ledger::LedgerEntry;
use basis_core::num::Quantity;
use basis_core::plan::Leg;
use basis_core::types::{InstructionId, Timestamp, Venue};
use basis_core::venue_event::{EventKind, Events, FlowId, VenueEvent};

use super::Engine;
use super::checkpoint::{Moment, SavedState};
use crate::block::order_of;
use crate::desk::in_order;
use crate::result::ExecutionRow;
use crate::step_row::StepRow;

/// What a start found in its journal.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Recovery {
    /// Commits that were read back.
    pub commits: u64,
    /// Events among them.
    pub events: u64,
    /// Instructions that had no answer.
    pub unanswered: usize,
    /// Whether the last start ended in the middle of a wake, which has been brought to its end.
    pub in_a_wake: bool,
}

/// The simulated world on its way to where the journal ends.
#[derive(Debug, Default)]
pub(super) struct Rebuilt {
    /// What the venues reported and no commit has shown yet.
    reported: VecDeque<VenueEvent>,
    /// Instructions by number.
    pub(super) instructions: BTreeMap<InstructionId, OpenInstruction>,
    /// Base units that orders asked for and filled.
    orders: BTreeMap<InstructionId, (Quantity, Quantity)>,
    /// What the venues were told of, and told of.
    pub(super) records: BTreeMap<Venue, VenueRecord>,
    /// What the log held.
    log: Vec<Event>,
    pub(super) found: Recovery,
}

impl Engine {
    /// Goes on from what `reader` holds; a journal without a commit changes nothing. The run must be as it
    /// was made, and its interfaces simulated ones.
    ///
    /// # Errors
    /// EXEC-005 when configuration, rules, market or program are others than the journal's; EXEC-006 when
    /// the journal contradicts itself; else as [`Engine::wake`].
    pub fn recover(&mut self, reader: &dyn JournalReader) -> Result<Recovery, ComponentError> {
        let Some(saved) = SavedState::read(&reader.state()?)? else {
            return Ok(Recovery::default());
        };
        // The calls that are made again are in the journal already.
        let uncommitted = self.desk.uncommitted.take();
        let mut rebuilt = Rebuilt::default();
        reader.read(Content::ALL, &mut |commit| {
            self.rebuild(&mut rebuilt, commit)
        })?;
        self.desk.uncommitted = uncommitted;
        self.move_forward(saved.run.now)?;
        self.restore(saved, &mut rebuilt)?;
        let mut answers: Events = rebuilt.reported.into();
        let mut found = rebuilt.found;
        let answering = self.plan.as_ref().and_then(|plan| plan.answering);
        if answering.is_none()
            && let Some(event) = answers.drain(..).find(is_news)
        {
            return Err(differs(None, Some(&event)).into());
        }
        found.unanswered = answering.map_or(0, |(_, count)| count);
        found.in_a_wake = self.turn.is_some();
        self.go_on(answers, found)?;
        Ok(found)
    }

    /// Brings the wake under way to its end.
    fn go_on(&mut self, answers: Events, found: Recovery) -> Result<(), ComponentError> {
        let now = self.view.now();
        let detail = format!(
            "from the journal at {now}: {} commits, {} events, {} instruction(s) without an answer",
            found.commits, found.events, found.unanswered
        );
        self.state(now, "recovered", detail);
        if !found.in_a_wake {
            return Ok(());
        }
        let is_step = self.turn.as_ref().is_some_and(|turn| turn.is_step);
        if is_step {
            self.refresh_exposure()?;
        }
        self.take_answers(answers)?;
        self.finish_turn()?;
        if !is_step {
            self.books.mark_between_steps(&self.view)?;
        }
        self.commit(Moment::WakeEnd)
    }

    /// Takes one commit back.
    fn rebuild(&mut self, rebuilt: &mut Rebuilt, commit: Commit) -> Result<(), ComponentError> {
        let Commit {
            calls,
            instructions,
            events,
            lines,
            rows,
            ..
        } = commit;
        rebuilt.found.commits += 1;
        rebuilt.found.events += events.len() as u64;
        rebuilt.note_all(instructions);
        self.make_calls(rebuilt, &calls)?;
        rebuilt.compare(&events)?;
        // What was executed at the end of a commit may be answered in the next one.
        let last = calls.last().map(|call| &call.kind);
        if !matches!(last, Some(CallKind::Execute(_))) {
            rebuilt.nothing_left()?;
        }
        self.take_back(rebuilt, &events, lines, rows)
    }

    /// Takes what a commit holds of facts back into the books, the steps, the executions and the log.
    pub(super) fn take_back(
        &mut self,
        rebuilt: &mut Rebuilt,
        events: &[TakenEvent],
        lines: Vec<LedgerEntry>,
        rows: Vec<JournalRow>,
    ) -> Result<(), ComponentError> {
        for taken in events {
            rebuilt.count_fill(taken);
        }
        self.books.take_back(events, lines)?;
        for row in rows {
            match row.kind {
                RowKind::Step => self.take_step(&row.json)?,
                RowKind::Execution => {
                    let row: ExecutionRow = read("an execution", &row.json)?;
                    self.executions.push(row);
                }
                RowKind::Log => rebuilt.log.push(read("an entry of the log", &row.json)?),
            }
        }
        Ok(())
    }

    fn take_step(&mut self, json: &str) -> Result<(), ComponentError> {
        let row: StepRow = read("a step", json)?;
        let (at, price) = row.reference();
        self.move_forward(at)?;
        let now = self.reference_mark();
        if at == self.view.now() && now != price {
            let differs = JournalError::Differs {
                key: format!("the reference price at {at}"),
                journal: price.to_string(),
                start: now.to_string(),
            };
            return Err(differs.into());
        }
        if row.add_to(&mut self.steps) {
            return Ok(());
        }
        let problem = format!("the step at {at} has prices of other series than this start reads");
        Err(JournalError::Inconsistent(problem).into())
    }

    pub(super) fn move_forward(&mut self, at: Timestamp) -> Result<(), ComponentError> {
        if at > self.view.now() {
            self.move_to(at)?;
        }
        Ok(())
    }

    /// Makes calls as they were made, those of one block together.
    fn make_calls(
        &mut self,
        rebuilt: &mut Rebuilt,
        calls: &[VenueCall],
    ) -> Result<(), ComponentError> {
        let mut rest = calls;
        while let Some((call, after)) = rest.split_first() {
            self.move_forward(call.at)?;
            let mut events = Events::new();
            match &call.kind {
                CallKind::Poll | CallKind::Read => {
                    let place = self.place(call.venue)?;
                    if call.kind == CallKind::Read {
                        self.desk.read(place, &self.view, &mut events);
                    } else {
                        self.desk.poll(place, &self.view, &mut events);
                    }
                    rest = after;
                }
                CallKind::RefuseFlow(flow) => {
                    self.refuse_flow(call, *flow)?;
                    rest = after;
                }
                CallKind::Execute(_) => {
                    let sent = rest
                        .iter()
                        .take_while(|call| matches!(call.kind, CallKind::Execute(_)));
                    let (sent, after) = rest.split_at(sent.count());
                    events = self.execute_again(rebuilt, sent)?;
                    rest = after;
                }
            }
            // The holdings of the first step tell what these did before, and nothing of it was taken.
            let adopts = self.run_state.counts.steps == 0 && self.steps.at.is_empty();
            let adopted = &self.config.adopt;
            events.retain(|event| {
                let before = adopts && adopted.contains(&event.venue);
                !before || matches!(event.kind, EventKind::CapitalFlow(_))
            });
            rebuilt.reported.extend(events);
        }
        Ok(())
    }

    fn place(&self, venue: Venue) -> Result<usize, ComponentError> {
        self.desk.place_of(venue).ok_or_else(|| {
            let differs = JournalError::Differs {
                key: "the venues of the run".to_owned(),
                journal: format!("{venue} among them"),
                start: "no such venue".to_owned(),
            };
            differs.into()
        })
    }

    fn refuse_flow(&mut self, call: &VenueCall, flow: FlowId) -> Result<(), ComponentError> {
        let mut found = false;
        self.transit.take_external(call.at, |queued| {
            let is_it = (queued.at, queued.number) == (flow.scheduled, flow.number);
            found |= is_it;
            is_it
        });
        if found {
            return Ok(());
        }
        let problem = format!(
            "the flow {} of {} was refused, and this start has none such",
            flow.number, flow.scheduled
        );
        Err(JournalError::Inconsistent(problem).into())
    }

    /// Executes the instructions of one block.
    fn execute_again(
        &mut self,
        rebuilt: &Rebuilt,
        sent: &[VenueCall],
    ) -> Result<Events, ComponentError> {
        let mut batches = Vec::new();
        let mut legs: Vec<Leg> = Vec::new();
        for call in sent {
            let CallKind::Execute(ids) = &call.kind else {
                continue;
            };
            let place = self.place(call.venue)?;
            let mut instructions: Vec<Instruction> = Vec::new();
            for id in ids {
                let open = rebuilt.instructions.get(id).ok_or_else(|| {
                    JournalError::Inconsistent(format!(
                        "instruction {id} was executed and is not there"
                    ))
                })?;
                instructions.push(open.instruction.clone());
                legs.push(Leg {
                    venue: open.venue,
                    instruction: open.instruction.clone(),
                });
            }
            let mut events = Events::new();
            if let Some(slot) = self.desk.slots.get_mut(place) {
                slot.interface
                    .execute_instructions(&self.view, &instructions, &mut events);
            }
            batches.push(events);
        }
        // Legs stand in the order in which they were numbered.
        legs.sort_by_key(|leg| leg.instruction.id);
        let legs: Vec<&Leg> = legs.iter().collect();
        Ok(in_order(&legs, batches))
    }

    /// Takes over the state.
    pub(super) fn restore(
        &mut self,
        saved: SavedState,
        rebuilt: &mut Rebuilt,
    ) -> Result<(), ComponentError> {
        let SavedState {
            run,
            books,
            plan,
            desk,
            risk,
            strategy,
        } = saved;
        self.books.restore(&self.view, books)?;
        self.strategy.restore(&strategy)?;
        self.risk.restore(risk.monitor);
        self.risk_view.restore(risk.view);
        (self.plan, self.turn) = (plan.plan, plan.turn);
        self.touched = desk.touched;
        self.desk.health = desk.health;
        self.desk.outstanding = desk.outstanding.into_iter().collect();
        self.desk.ended = std::mem::take(&mut rebuilt.orders);
        self.desk.earlier = desk.numbered;
        for saved in desk.slots {
            let place = self.place(saved.venue)?;
            if let Some(slot) = self.desk.slots.get_mut(place) {
                slot.state = saved.state;
                slot.unreadable = saved.unreadable;
                slot.reported_at = saved.reported_at;
                slot.received_at = saved.received_at;
                slot.differences = saved.differences;
                slot.is_fresh = saved.is_fresh;
            }
        }
        self.run_state = run;
        self.desk.positions.publish(self.books.positions());
        // What this start has logged so far comes after what the earlier ones did.
        let own = self.events.take();
        for event in std::mem::take(&mut rebuilt.log) {
            self.events.record(event);
        }
        if let Some(journaling) = &mut self.journaling {
            journaling.lines = self.books.ledger().len();
            journaling.executions = self.executions.len();
            journaling.logged = self.events.len();
        }
        for event in own {
            self.events.record(event);
        }
        Ok(())
    }
}

impl Rebuilt {
    /// Notes the instructions of a commit.
    pub(super) fn note_all(&mut self, instructions: Vec<OpenInstruction>) {
        for open in instructions {
            self.note(&open);
            self.instructions.insert(open.instruction.id, open);
        }
    }

    /// Notes what an order asks for.
    fn note(&mut self, open: &OpenInstruction) {
        let leg = Leg {
            venue: open.venue,
            instruction: open.instruction.clone(),
        };
        if let Some(asked) = order_of(&leg) {
            let amounts = (asked.quantity, Quantity::ZERO);
            self.orders.insert(open.instruction.id, amounts);
        }
        if let Operation::AmendOrder(amend) = &open.instruction.operation
            && let Some(quantity) = amend.quantity
            && let Some((asked, _)) = self.orders.get_mut(&amend.order)
        {
            *asked = quantity.max(*asked);
        }
    }

    /// Adds a fill to its order.
    fn count_fill(&mut self, taken: &TakenEvent) {
        if let EventKind::Fill(fill) = &taken.event.kind
            && let Some(id) = fill.instruction
            && let Some((_, filled)) = self.orders.get_mut(&id)
        {
            // As when it was taken: fills beyond the range are not counted.
            *filled = filled.add(fill.quantity).unwrap_or(*filled);
        }
    }

    /// Compares the events of a commit with what was reported until now, in order. What is no fact of its
    /// own (snapshots and the like) or was taken before is not in the journal.
    fn compare(&mut self, events: &[TakenEvent]) -> Result<(), JournalError> {
        for taken in events {
            // The engine takes holdings in by itself.
            if matches!(taken.event.kind, EventKind::Adoption(_)) {
                continue;
            }
            loop {
                match self.reported.pop_front() {
                    Some(reported) if reported == taken.event => break,
                    Some(reported) if !is_news(&reported) => {}
                    Some(reported) => return Err(differs(Some(&taken.event), Some(&reported))),
                    None => return Err(differs(Some(&taken.event), None)),
                }
            }
        }
        Ok(())
    }

    /// Checks that every fact that was reported until now is in the journal.
    fn nothing_left(&mut self) -> Result<(), JournalError> {
        let left = self.reported.drain(..).find(is_news);
        left.map_or(Ok(()), |event| Err(differs(None, Some(&event))))
    }
}

/// Whether an event is one that a journal keeps.
fn is_news(event: &VenueEvent) -> bool {
    !matches!(
        event.kind,
        EventKind::Snapshot { .. } | EventKind::Connectivity { .. }
    )
}

fn differs(journaled: Option<&VenueEvent>, reported: Option<&VenueEvent>) -> JournalError {
    let text = |event: Option<&VenueEvent>| match event {
        None => "nothing".to_owned(),
        Some(event) => serde_json::to_string(event)
            .unwrap_or_else(|e| format!("an event that has no JSON: {e}")),
    };
    let venue = journaled.or(reported).map(|event| (event.venue, event.at));
    let key = venue.map_or_else(String::new, |(venue, at)| {
        format!("what {venue} reports at {at},")
    });
    JournalError::Differs {
        key,
        journal: text(journaled),
        start: text(reported),
    }
}

fn read<T: for<'de> serde::Deserialize<'de>>(what: &str, json: &str) -> Result<T, ComponentError> {
    serde_json::from_str(json)
        .map_err(|e| JournalError::Inconsistent(format!("{what} cannot be read: {e}")).into())
}
