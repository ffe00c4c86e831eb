//! Going on from a journal at venues that went on by themselves.
//!
//! The books and the state are read back, and nothing is done again: the interfaces find out what became of
//! the instructions that were open, and say so in events. What the wake that was cut off had still to decide
//! is decided anew in the next one. Until the books and what a venue holds have agreed, nothing new is decided
//! for it; what a block has left open is closed all the same.

use std::collections::BTreeMap;

use basis_core::error::ComponentError;
use basis_core::instruction::OpenInstruction;
use basis_core::journal::{Commit, Content, JournalReader, TakenEvent, VenueRecord};
use basis_core::types::{Timestamp, Venue};
use basis_core::venue_event::Events;

use super::Engine;
use super::checkpoint::{Moment, SavedState};
use super::recovery::{Rebuilt, Recovery};
use super::turn::Stage;

impl Engine {
    /// Goes on from what `reader` holds at live venues; a journal without a commit changes nothing.
    ///
    /// # Errors
    /// EXEC-005 when configuration or program are others than the journal's; EXEC-006 when the journal
    /// contradicts itself; else as [`Engine::wake`].
    pub fn resume(&mut self, reader: &dyn JournalReader) -> Result<Recovery, ComponentError> {
        let Some(saved) = SavedState::read(&reader.state()?)? else {
            return Ok(Recovery::default());
        };
        let mut rebuilt = Rebuilt::default();
        reader.read(Content::ALL, &mut |commit| {
            let Commit {
                instructions,
                events,
                lines,
                rows,
                ..
            } = commit;
            rebuilt.found.commits += 1;
            rebuilt.found.events += events.len() as u64;
            rebuilt.note_all(instructions);
            for TakenEvent { event, .. } in &events {
                rebuilt.records.entry(event.venue).or_default().note(event);
            }
            self.take_back(&mut rebuilt, &events, lines, rows)
        })?;
        self.move_forward(saved.run.now)?;
        self.restore(saved, &mut rebuilt)?;
        let mut found = rebuilt.found;
        let open = self.open_instructions(&rebuilt);
        found.unanswered = open.len();
        found.in_a_wake = self.turn.is_some();
        self.hand_over_records(open, rebuilt.records);
        self.resumed = true;
        let now = self.view.now();
        let detail = format!(
            "from the journal at {now}: {} commits, {} events, {} open instruction(s)",
            found.commits, found.events, found.unanswered
        );
        self.state(now, "resumed", detail);
        self.end_cut_off_wake()?;
        Ok(found)
    }

    /// Gives the block under way its time anew at the first wake after a start: until then nobody could say what
    /// its orders came to.
    pub(super) fn after_resuming_at(&mut self, at: Timestamp) {
        if !std::mem::take(&mut self.resumed) {
            return;
        }
        if let Some(run) = self.plan.as_mut().and_then(|plan| plan.run.as_mut()) {
            run.submitted_at = run.submitted_at.max(at);
        }
    }

    /// What was sent, or was about to be, and has not ended as far as the journal knows: orders before what
    /// changes them.
    fn open_instructions(&self, rebuilt: &Rebuilt) -> Vec<OpenInstruction> {
        let plan = self.plan.as_ref().and_then(|plan| plan.run.as_ref());
        let legs = plan.into_iter().flat_map(|run| &run.legs);
        let legs = legs.chain(self.desk.outstanding.values());
        let open = legs.filter(|run| !run.is_done() || run.is_under_way());
        // Without an instruction in the journal it was never to be sent.
        let open = open.filter_map(|run| rebuilt.instructions.get(&run.leg.instruction.id));
        let mut open: Vec<_> = open.cloned().collect();
        open.sort_by_key(|open| open.instruction.id);
        open.dedup_by_key(|open| open.instruction.id);
        open
    }

    fn hand_over_records(
        &mut self,
        open: Vec<OpenInstruction>,
        mut records: BTreeMap<Venue, VenueRecord>,
    ) {
        for open in open {
            records.entry(open.venue).or_default().open.push(open);
        }
        let committed_at = Some(self.view.now());
        for slot in &mut self.desk.slots {
            let record = records.remove(&slot.venue).unwrap_or_default();
            slot.interface.recover(&VenueRecord {
                committed_at,
                ..record
            });
            if slot.answers_late().is_some() {
                slot.interface.request_snapshot();
                slot.must_agree = true;
                slot.verify_at = Some(Timestamp::MIN);
            }
        }
    }

    /// Closes the step that was cut off. What its block sent last is answered by events to come; what the
    /// strategy or risk had not sent yet is decided anew.
    fn end_cut_off_wake(&mut self) -> Result<(), ComponentError> {
        let Some(turn) = &mut self.turn else {
            return Ok(());
        };
        let is_operators = matches!(
            turn.stage,
            Stage::Stopping | Stage::Killing { .. } | Stage::Cancelling { .. }
        );
        if !is_operators {
            turn.stage = Stage::Done;
        }
        let is_step = turn.is_step;
        if is_step {
            self.refresh_exposure()?;
        }
        self.take_answers(Events::new())?;
        self.finish_turn()?;
        if !is_step {
            self.books.mark_between_steps(&self.view)?;
        }
        self.commit(Moment::WakeEnd)
    }
}
