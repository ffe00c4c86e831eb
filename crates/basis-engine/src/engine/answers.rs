//! What came of a leg at once: counted, logged, and kept as rows of the executions.

use basis_core::event::{Component, EventData, InstructionOutcome};
use basis_core::instruction::Operation;
use basis_core::plan::Action;
use basis_core::types::Timestamp;
use basis_core::venue_event::{EventKind, Fill, OrderState, TransactionStage, VenueEvent};

use super::Engine;
use crate::block::{LegRun, LegState};
use crate::result::ExecutionRow;

/// A leg, and the events that answered the batch it was sent with.
struct Answer<'a> {
    run: &'a LegRun,
    events: &'a [VenueEvent],
}

impl<'a> Answer<'a> {
    fn own(&self) -> impl Iterator<Item = &'a VenueEvent> {
        let id = Some(self.run.leg.instruction.id);
        let own = self.events.iter();
        own.filter(move |event| event.instruction() == id)
    }

    fn fills(&self) -> impl Iterator<Item = &'a Fill> {
        self.own().filter_map(|event| match &event.kind {
            EventKind::Fill(fill) => Some(fill.as_ref()),
            _ => None,
        })
    }

    /// `settled`, `open` or `pending`.
    fn status(&self) -> &'static str {
        let queues = |event: &VenueEvent| matches!(&event.kind, EventKind::Transaction(update) if update.waits);
        match &self.run.state {
            LegState::Order(OrderState::Submitted) | LegState::Submitted | LegState::UnderWay => {
                "pending"
            }
            LegState::Order(OrderState::Working) => "open",
            _ if self.own().any(queues) => "pending",
            _ => "settled",
        }
    }

    /// Whether there is nothing to show: it came to nothing, or nobody knows.
    fn is_empty(&self) -> bool {
        (self.run.is_refused() || self.run.is_unknown()) && self.fills().next().is_none()
    }

    fn outcome(&self) -> InstructionOutcome {
        let failed = self.run.is_refused() || self.run.is_unknown();
        match (self.run.error.as_ref().filter(|_| failed), self.status()) {
            (Some(e), _) => InstructionOutcome::Failed(e.code(), e.to_string()),
            (None, "pending") => InstructionOutcome::Pending,
            (None, "open") => InstructionOutcome::Open,
            (None, _) => InstructionOutcome::Settled,
        }
    }

    /// A row for each fill, else one.
    fn rows(&self, at: Timestamp, action: Action) -> Vec<ExecutionRow> {
        let leg = &self.run.leg;
        let operation = &leg.instruction.operation;
        let hash = self.own().find_map(|event| match &event.kind {
            EventKind::Transaction(update) if update.stage == TransactionStage::Mined => {
                Some(update.hash.to_string().into_boxed_str())
            }
            _ => None,
        });
        let status = self.status();
        let row = |fill| ExecutionRow {
            instruction: leg.instruction.id,
            venue: leg.venue,
            operation: operation.kind().as_str().into(),
            action: action.as_str().into(),
            status: status.into(),
            at,
            fill,
            transfer: match operation {
                Operation::Transfer(t) => Some((t.asset, t.amount, t.from, t.to)),
                _ => None,
            },
            transaction: hash.clone().map(|hash| (hash, operation.clone())),
        };
        let mut rows: Vec<_> = self.fills().cloned().map(Some).map(row).collect();
        if rows.is_empty() {
            rows.push(row(None));
        }
        rows
    }
}

impl Engine {
    /// Counts, logs and keeps what came of the leg at `place` of the block under way.
    pub(super) fn keep_answer(&mut self, place: usize, events: &[VenueEvent], action: Action) {
        let at = self.view.now();
        let run = self.plan.as_ref().and_then(|plan| plan.run.as_ref());
        let Some(run) = run.and_then(|run| run.legs.get(place)) else {
            return;
        };
        let answer = Answer { run, events };
        let leg = &run.leg;
        let data = EventData::Instruction {
            id: leg.instruction.id,
            venue: leg.venue,
            operation: leg.instruction.operation.kind(),
            outcome: answer.outcome(),
        };
        self.desk.record(at, Component::TightLoop, data);
        self.run_state.counts.rejections += u64::from(run.is_refused());
        self.run_state.counts.fills += answer.fills().count() as u64;
        if answer.is_empty() {
            return;
        }
        if let Operation::Transfer(t) = &leg.instruction.operation {
            self.run_state.counts.transfers += u64::from(t.from.venue != t.to.venue);
        }
        if self.keeps {
            let rows = answer.rows(at, action);
            self.executions.extend(rows);
        }
    }
}
