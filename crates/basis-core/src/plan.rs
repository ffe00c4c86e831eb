//! What a strategy decides: plans of blocks of legs.

use serde::{Deserialize, Serialize};

use crate::instruction::{Instruction, Operation, OrderType, PerpTrade, SpotTrade, TimeInForce};
use crate::num::Quantity;
use crate::types::{InstructionId, InstrumentKey, InstrumentKind, Side, Span, Venue};
use crate::venue_event::Text;

/// One instruction addressed to one venue.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Leg {
    /// The addressed venue.
    pub venue: Venue,
    /// What is asked of it.
    pub instruction: Instruction,
}

impl Leg {
    /// `operation` addressed to `venue`; the tight loop numbers it when it sends it.
    #[must_use]
    pub fn new(venue: Venue, operation: Operation) -> Self {
        Self {
            venue,
            instruction: Instruction::new(InstructionId::default(), operation),
        }
    }

    /// A market order for `quantity` (base units, > 0) of the instrument `key` at its venue. On a perp
    /// it goes to the side the key names, and with `reduce_only` it only ever brings the position
    /// nearer to zero; spot knows neither.
    #[must_use]
    pub fn market(key: InstrumentKey, side: Side, quantity: Quantity, reduce_only: bool) -> Self {
        let (symbol, order_type) = (key.symbol, OrderType::Market);
        let (limit_price, time_in_force) = (None, TimeInForce::default());
        let operation = if key.kind == InstrumentKind::Spot {
            Operation::SpotTrade(SpotTrade {
                symbol,
                side,
                quantity,
                order_type,
                limit_price,
                time_in_force,
            })
        } else {
            Operation::PerpTrade(PerpTrade {
                symbol,
                side,
                quantity,
                order_type,
                limit_price,
                time_in_force,
                reduce_only,
                position_side: key.kind.position_side(),
            })
        };
        Self::new(key.venue, operation)
    }
}

/// What happens to the rest when a leg of a block fails.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
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
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Block {
    /// The legs; several for one venue are allowed and keep their order there.
    pub legs: Vec<Leg>,
    /// What happens when one of them fails.
    pub failure_policy: FailurePolicy,
}

/// The five things a strategy does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
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

/// Ordered blocks with one purpose. A plan with a pending step is parked and resumed, but for
/// transfers after which it has nothing more to send.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Plan {
    /// What the plan is for.
    pub action: Action,
    /// Why it was decided, for the event log; a closed vocabulary of the strategy.
    pub reason: Text,
    /// Submitted one after the other; the next starts only after the last one reconciled.
    pub blocks: Vec<Block>,
}
