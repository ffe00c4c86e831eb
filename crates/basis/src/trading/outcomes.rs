//! What a journal's events say became of its instructions.

use std::collections::{BTreeMap, BTreeSet};

use basis_core::error::{ComponentError, VenueError};
use basis_core::instruction::{OpenInstruction, Operation, OrderType, TimeInForce};
use basis_core::journal::{Content, JournalReader, VenueRecord};
use basis_core::num::Quantity;
use basis_core::types::InstructionId;
use basis_core::venue_event::{
    EventKey, EventKind, Fill, OrderState, Progress, TransferStage, VenueEvent,
};

/// What became of an instruction, as far as is known.
#[derive(Clone, Debug, Default)]
pub struct Outcome {
    /// Whether it is an order that can rest: a frame shows one that cannot as working too, for a moment.
    pub may_rest: bool,
    /// The state of the order it is.
    pub state: Option<OrderState>,
    /// Base units filled, by the venue's count.
    pub reported: Quantity,
    /// Base units of the fills that are known.
    pub filled: Quantity,
    /// Its fills.
    pub fills: Vec<Fill>,
    /// The venue's id of the order.
    pub venue_order_id: Option<String>,
    /// Whether it took effect, where it is no order.
    pub done: bool,
    /// Why it came to nothing.
    pub rejected: Option<VenueError>,
    /// What was seen instead of an answer, while nothing else is known.
    pub unknown: Option<VenueError>,
    /// The stage of the transfer it is.
    pub transfer: Option<TransferStage>,
}

impl Outcome {
    /// One word for it: an order's state, a transfer's stage, `done`, `rejected`, `unknown` or `open`.
    #[must_use]
    pub const fn word(&self) -> &'static str {
        if self.rejected.is_some() {
            return "rejected";
        }
        if self.done {
            return "done";
        }
        match (self.state, self.transfer) {
            (Some(state), _) => state.as_str(),
            (None, Some(stage)) => stage.as_str(),
            (None, None) if self.unknown.is_some() => "unknown",
            (None, None) => "open",
        }
    }

    /// Whether the venue's last word of it is known, its fills included.
    #[must_use]
    pub fn is_over(&self) -> bool {
        let order = self.state.is_some_and(OrderState::is_final) && self.has_its_fills();
        let transfer = self.transfer.is_some_and(TransferStage::is_final);
        self.rejected.is_some() || self.done || order || transfer
    }

    /// Whether it rests at the venue, as far as it has filled all known.
    #[must_use]
    pub fn rests(&self) -> bool {
        self.may_rest && self.state == Some(OrderState::Working) && self.has_its_fills()
    }

    fn has_its_fills(&self) -> bool {
        self.filled >= self.reported
    }
}

/// Whether an operation is an order that stays in the book.
fn may_rest(operation: &Operation) -> bool {
    let (kind, time) = match operation {
        Operation::SpotTrade(trade) => (trade.order_type, trade.time_in_force),
        Operation::PerpTrade(trade) => (trade.order_type, trade.time_in_force),
        _ => return false,
    };
    kind == OrderType::Limit && matches!(time, TimeInForce::Gtc | TimeInForce::PostOnly)
}

/// The instructions of a journal, and what became of each.
#[derive(Clone, Debug, Default)]
pub struct Outcomes {
    instructions: BTreeMap<InstructionId, OpenInstruction>,
    outcomes: BTreeMap<InstructionId, Outcome>,
    taken: BTreeSet<EventKey>,
    record: VenueRecord,
}

impl Outcomes {
    /// Reads a journal whole.
    ///
    /// # Errors
    /// When it cannot be read.
    pub fn read(reader: &dyn JournalReader) -> Result<Self, ComponentError> {
        let content = Content {
            instructions: true,
            events: true,
            ..Content::default()
        };
        let mut outcomes = Self::default();
        reader.read(content, &mut |commit| {
            for open in commit.instructions {
                outcomes.begin(open);
            }
            for taken in &commit.events {
                outcomes.apply(&taken.event);
            }
            Ok(())
        })?;
        Ok(outcomes)
    }

    /// Notes an instruction that is about to be sent.
    pub fn begin(&mut self, open: OpenInstruction) {
        let outcome = self.outcomes.entry(open.instruction.id).or_default();
        outcome.may_rest = may_rest(&open.instruction.operation);
        self.instructions.insert(open.instruction.id, open);
    }

    /// Takes an event; `false` when its key was taken before.
    pub fn apply(&mut self, event: &VenueEvent) -> bool {
        if let Some(key) = event.key()
            && !self.taken.insert(key)
        {
            return false;
        }
        self.record.note(event);
        let Some(id) = event.instruction() else {
            return true;
        };
        let outcome = self.outcomes.entry(id).or_default();
        match &event.kind {
            EventKind::Fill(fill) => {
                outcome.filled = outcome.filled.add(fill.quantity).unwrap_or(outcome.filled);
                outcome.fills.push(fill.as_ref().clone());
            }
            EventKind::Order(update) => {
                let before = outcome.state.unwrap_or(OrderState::Submitted);
                if let Progress::To(state) = before.after(update.state) {
                    outcome.state = Some(state);
                }
                outcome.reported = outcome.reported.max(update.filled);
                let number = update.venue_order_id.as_ref();
                outcome.venue_order_id = number
                    .map(ToString::to_string)
                    .or(outcome.venue_order_id.take());
            }
            EventKind::Rejected { error, .. } => outcome.rejected = Some(error.as_ref().clone()),
            EventKind::OutcomeUnknown { error, .. } => {
                outcome.unknown = Some(error.as_ref().clone());
            }
            EventKind::Done { .. } => outcome.done = true,
            EventKind::Transfer(update) => outcome.transfer = Some(update.stage),
            _ => {}
        }
        true
    }

    /// What became of an instruction.
    #[must_use]
    pub fn of(&self, id: InstructionId) -> Option<&Outcome> {
        self.outcomes.get(&id)
    }

    /// What a process that goes on has to know of the venue, but for the instant of the last commit.
    #[must_use]
    pub fn record(&self) -> VenueRecord {
        VenueRecord {
            open: self.open(),
            ..self.record.clone()
        }
    }

    /// Instructions whose last word is not known, orders before what changes them.
    #[must_use]
    pub fn open(&self) -> Vec<OpenInstruction> {
        let is_open = |open: &&OpenInstruction| {
            let outcome = self.outcomes.get(&open.instruction.id);
            !outcome.is_some_and(Outcome::is_over)
        };
        let mut open: Vec<_> = self
            .instructions
            .values()
            .filter(is_open)
            .cloned()
            .collect();
        open.sort_by_key(|open| {
            let changes = matches!(
                open.instruction.operation,
                Operation::CancelOrder(_) | Operation::AmendOrder(_)
            );
            (changes, open.instruction.id)
        });
        open
    }
}
