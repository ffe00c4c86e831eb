//! Ledger lines: the only thing that changes a holding.
//!
//! **Invariants.** Append-only. The unique [`Cause`] makes posting idempotent. A holding is the
//! sum of the quantities posted to its account and item, and what it stands for the sum of the units.
//! The open cost of a perpetual position is
//! the sum of the values of its `trade` lines plus the realised results booked against it.

use std::fmt;
use std::sync::Arc;

use crate::num::{Price, Quantity, Value};
use crate::types::{Account, InstructionId, Item, Timestamp};
use crate::venue_event::EventKey;

pub use crate::venue_event::{EntryKind, TradeId};

/// The unique reason of one ledger line: a fact, and which of its lines this is.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Cause {
    /// The fact, shared by all of its lines.
    pub event: Arc<EventKey>,
    /// Which of the lines it causes, from 0.
    pub line: u32,
}

impl Cause {
    /// Line `line` of `event`.
    #[must_use]
    pub const fn new(event: Arc<EventKey>, line: u32) -> Self {
        Self { event, line }
    }
}

impl fmt::Display for Cause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}#{}", self.event, self.line)
    }
}

/// One line of the ledger.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LedgerEntry {
    /// When it happened at the venue.
    pub at: Timestamp,
    /// Whose holding changes.
    pub account: Account,
    /// What is counted.
    pub item: Item,
    /// Signed change of the holding: a multiple of the asset's own unit, base units of a position, or
    /// scaled units of a balance that moves by itself. Zero on a line of interest, of a rebase, or of what
    /// a pool does to our liquidity, which changes only what the holding stands for.
    pub quantity: Quantity,
    /// Signed change of what the holding stands for: units of the asset that scaled units are worth at
    /// the protocol, after its own rounding. The same as `quantity` for everything else.
    pub units: Quantity,
    /// Signed worth that changed hands, in the reporting currency (USD); what we owe counts against us.
    ///
    /// Lines of kind `trade`: what was paid (> 0) or received (< 0) for `units`, that is units × fill
    /// price; the asset legs of a trade cancel out to the last unit, and a position line changes the
    /// position's open cost by it. Every other line: units × reference price, half-even at 18 decimals,
    /// with the sign turned for a debt.
    pub value: Value,
    /// Why.
    pub kind: EntryKind,
    /// The instruction behind it, when there is one.
    pub instruction: Option<InstructionId>,
    /// The mark of the item at that moment, in the reporting currency (1 for the stablecoins that
    /// the run values at 1). Slippage of a trade line = units × reference price − value.
    pub reference_price: Price,
    /// Unique; posting the same cause twice does nothing.
    pub cause: Cause,
}
