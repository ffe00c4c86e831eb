//! Ledger lines: the only thing that changes a holding.
//!
//! **Invariants.** Append-only. The unique [`Cause`] makes posting idempotent. A holding is the
//! sum of the quantities posted to its account and item, and what it stands for the sum of the units.
//! The open cost of a perpetual position is
//! the sum of the values of its `trade` lines plus the realised results booked against it.

use std::fmt;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::num::{Price, Quantity, Value};
use crate::types::{Account, InstructionId, Item, Timestamp};
use crate::venue_event::EventKey;

/// Why a holding changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum EntryKind {
    /// A fill: asset legs of a spot trade, or the position leg of a perp trade; also what a pool turned
    /// of one asset of our liquidity into another, with quantity 0.
    Trade,
    /// The result of reducing a perp position, settled in the quote asset.
    RealizedPnl,
    /// A venue's trading fee; also the units that a pool's rounding keeps of our liquidity.
    Fee,
    /// A funding payment; negative when we pay.
    Funding,
    /// Interest earned.
    Interest,
    /// Interest owed.
    BorrowCost,
    /// A reward paid out.
    Reward,
    /// Fees that a liquidity position has earned from swaps.
    LiquidityFee,
    /// A change of a rebasing balance.
    Rebase,
    /// Gas paid.
    Gas,
    /// An asset moved between our accounts.
    Transfer,
    /// What moving it cost.
    TransferCost,
    /// A liquidation's fee or loss beyond the trade itself.
    Liquidation,
    /// Capital that came from outside.
    Deposit,
    /// Capital that went outside.
    Withdrawal,
}

impl EntryKind {
    /// The name in `ledger.csv`.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Trade => "trade",
            Self::RealizedPnl => "realized_pnl",
            Self::Fee => "fee",
            Self::Funding => "funding",
            Self::Interest => "interest",
            Self::BorrowCost => "borrow_cost",
            Self::Reward => "reward",
            Self::LiquidityFee => "liquidity_fee",
            Self::Rebase => "rebase",
            Self::Gas => "gas",
            Self::Transfer => "transfer",
            Self::TransferCost => "transfer_cost",
            Self::Liquidation => "liquidation",
            Self::Deposit => "deposit",
            Self::Withdrawal => "withdrawal",
        }
    }
}

impl fmt::Display for EntryKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// The number or text by which a venue knows a fill.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(untagged)]
pub enum TradeId {
    /// A counter, as Binance and OKX use.
    Number(u64),
    /// Anything else, as Bybit's UUIDs.
    Text(Box<str>),
}

impl fmt::Display for TradeId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Number(number) => write!(f, "{number}"),
            Self::Text(text) => f.write_str(text),
        }
    }
}

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
