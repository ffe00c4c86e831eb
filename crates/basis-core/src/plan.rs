//! What a strategy decides: plans of blocks of legs.

use crate::instruction::Instruction;
use crate::num::Quantity;
use crate::types::{Span, Venue};

/// One instruction addressed to one venue.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Leg {
    /// The addressed venue.
    pub venue: Venue,
    /// What is asked of it.
    pub instruction: Instruction,
}

/// What happens to the rest when a leg of a block fails.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FailurePolicy {
    /// Keep what has filled, drop the rest of the plan.
    Halt,
    /// Keep what has filled and go on with the next block.
    Continue,
    /// Unwind the legs that filled, then drop the rest of the plan. The naked delta that the
    /// failure leaves open is bounded in size and time; beyond a bound the run halts.
    Compensate {
        /// Largest naked delta in base units that may stand open while unwinding.
        naked_delta_max: Quantity,
        /// Longest time it may stand open.
        naked_time_max: Span,
    },
}

/// Legs submitted together: all are sent before any is awaited.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Block {
    /// The legs; several for one venue are allowed and keep their order there.
    pub legs: Vec<Leg>,
    /// What happens when one of them fails.
    pub failure_policy: FailurePolicy,
}

/// The five things a strategy does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Action {
    /// From nothing to the target position.
    EntryFull,
    /// Closer to a larger target.
    EntryPartial,
    /// Everything back into the share class currency.
    ExitFull,
    /// Closer to a smaller target.
    ExitPartial,
    /// Sells leftovers above the dust threshold.
    SellDust,
}

impl Action {
    /// The name in events and results.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::EntryFull => "entry_full",
            Self::EntryPartial => "entry_partial",
            Self::ExitFull => "exit_full",
            Self::ExitPartial => "exit_partial",
            Self::SellDust => "sell_dust",
        }
    }
}

/// Ordered blocks with one purpose. A plan with a pending step is parked and resumed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Plan {
    /// What the plan is for.
    pub action: Action,
    /// Why it was decided, for the event log; a closed vocabulary of the strategy.
    pub reason: &'static str,
    /// Submitted one after the other; the next starts only after the last one reconciled.
    pub blocks: Vec<Block>,
}
