//! What venues report back: confirmed executions, and what happened without an instruction.

use crate::error::VenueError;
use crate::ledger::{LedgerEntry, TradeId};
use crate::num::{Price, Quantity, Rate, Value};
use crate::types::{
    Account, Asset, InstructionId, InstrumentKey, Item, Label, SeriesId, Side, Timestamp, Venue,
};

/// How far an instruction has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ExecutionStatus {
    /// Done; nothing more will come of it.
    Settled,
    /// An order rests; fills may follow as events.
    Open,
    /// Under way: a transfer, a queue, an unconfirmed transaction.
    Pending {
        /// When it is expected to settle, where that is known.
        until: Option<Timestamp>,
    },
}

/// Whether a fill took or made liquidity.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Liquidity {
    /// Rested in the book.
    Maker,
    /// Took from the book.
    Taker,
}

impl Liquidity {
    /// `maker` or `taker`.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Maker => "maker",
            Self::Taker => "taker",
        }
    }
}

/// One fill of one order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fill {
    /// The venue's id of the fill.
    pub trade: TradeId,
    /// Where.
    pub instrument: InstrumentKey,
    /// Our direction.
    pub side: Side,
    /// Base units, > 0.
    pub quantity: Quantity,
    /// Quote per base unit, > 0.
    pub price: Price,
    /// The instrument's mark at that moment.
    pub mark: Price,
    /// What the fee was taken in.
    pub fee_asset: Asset,
    /// Fee in `fee_asset`, >= 0.
    pub fee: Quantity,
    /// The rate the fee was reckoned at.
    pub fee_rate: Rate,
    /// Maker or taker.
    pub liquidity: Liquidity,
    /// The venue's time of the fill.
    pub at: Timestamp,
}

/// What a venue confirmed of one instruction.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Execution {
    /// Of which instruction.
    pub instruction: InstructionId,
    /// By whom.
    pub venue: Venue,
    /// How far it has come.
    pub status: ExecutionStatus,
    /// Fills so far.
    pub fills: Vec<Fill>,
    /// The venue's own id of the order or transfer, or the transaction hash.
    pub venue_reference: Option<Box<str>>,
    /// The ledger lines it causes, in posting order.
    pub entries: Vec<LedgerEntry>,
    /// The venue's time.
    pub at: Timestamp,
}

/// Something that happened at a venue without an instruction, or after its execution was reported.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VenueEvent {
    /// Where.
    pub venue: Venue,
    /// The venue's time.
    pub at: Timestamp,
    /// What.
    pub kind: VenueEventKind,
    /// The ledger lines it causes, in posting order.
    pub entries: Vec<LedgerEntry>,
}

/// What kind of thing happened.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum VenueEventKind {
    /// A resting, partly filled or pending order filled. A pending one has then filled whole: a venue
    /// that fills it in parts reports it as open.
    LateFill {
        /// The instruction behind the order.
        instruction: InstructionId,
        /// The fill.
        fill: Fill,
    },
    /// A pending order came to nothing.
    OrderFailed {
        /// The instruction behind the order.
        instruction: InstructionId,
        /// Why.
        error: Box<VenueError>,
    },
    /// A funding settlement that was booked.
    Funding {
        /// Of which perp.
        instrument: InstrumentKey,
        /// Signed base units held.
        position: Quantity,
        /// Mark at the instant.
        mark: Price,
        /// Rate of the interval; positive: longs pay.
        rate: Rate,
        /// Received (> 0) or paid (< 0), in the quote asset.
        amount: Quantity,
        /// The series the rate came from when it is a proxy.
        proxy: Option<SeriesId>,
    },
    /// A funding instant without a rate: nothing is booked.
    FundingMissing {
        /// Of which perp.
        instrument: InstrumentKey,
        /// Signed base units held.
        position: Quantity,
        /// Worth of the position at mark that was left without funding, >= 0.
        exposed_notional: Value,
    },
    /// The venue closed a position by force.
    Liquidation {
        /// Of which perp.
        instrument: InstrumentKey,
        /// Signed base units closed: all that was held, unless the venue reduces in steps.
        position: Quantity,
        /// The price it was closed at.
        price: Price,
        /// The liquidation fee in the quote asset, >= 0.
        fee: Quantity,
        /// Margin balance before, in the quote asset.
        margin_balance: Value,
        /// Maintenance margin then required.
        maintenance_margin: Value,
    },
    /// A transfer reached its account.
    TransferArrived {
        /// The instruction that sent it.
        instruction: InstructionId,
        /// Where it arrived.
        account: Account,
        /// What.
        asset: Asset,
        /// How much.
        amount: Quantity,
    },
    /// Balances grew or shrank by themselves: interest, interest owed, a rebase. The lines say which
    /// and by how much.
    Accrual,
    /// A protocol paid out a reward.
    Reward {
        /// Where it can be claimed, or where it arrived.
        account: Account,
        /// What.
        asset: Asset,
        /// How much, > 0.
        amount: Quantity,
    },
    /// A redemption ticket has left its queue and can be claimed.
    TicketReady {
        /// The instruction that joined the queue.
        instruction: InstructionId,
        /// What it pays.
        asset: Asset,
        /// How much.
        amount: Quantity,
    },
    /// A lending protocol let somebody repay our debt for our collateral.
    LendingLiquidation {
        /// The account at the protocol.
        account: Account,
        /// What was taken from us.
        collateral: Asset,
        /// How much of it, the bonus included.
        seized: Quantity,
        /// What was repaid for us.
        debt: Asset,
        /// How much of it.
        repaid: Quantity,
        /// Health factor before (Aave), or LLTV × collateral ÷ debt (Morpho); below 1.
        health_factor: Rate,
    },
    /// A happening of a driver that is not ours, by its own name.
    Other {
        /// The driver's word for it.
        name: Label,
        /// The instruction it settles, when it does.
        instruction: Option<InstructionId>,
    },
}

impl VenueEventKind {
    /// The instruction whose pending step this settles, when it does.
    #[must_use]
    pub const fn settles(&self) -> Option<InstructionId> {
        match self {
            Self::TransferArrived { instruction, .. }
            | Self::TicketReady { instruction, .. }
            | Self::LateFill { instruction, .. }
            | Self::OrderFailed { instruction, .. } => Some(*instruction),
            Self::Other { instruction, .. } => *instruction,
            Self::Accrual
            | Self::Reward { .. }
            | Self::LendingLiquidation { .. }
            | Self::Funding { .. }
            | Self::FundingMissing { .. }
            | Self::Liquidation { .. } => None,
        }
    }
}

/// How far one lending account is from liquidation, as its protocol reckons it with its own oracle.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LendingHealth {
    /// The account at the protocol.
    pub account: Account,
    /// Worth of the collateral at the protocol's oracle, in the protocol's base currency (USD at Aave,
    /// the borrowed asset at Morpho).
    pub collateral: Value,
    /// Worth of the debt, in the same currency.
    pub debt: Value,
    /// Debt over collateral at which liquidation begins, weighted over the collateral: Aave's
    /// liquidation threshold, Morpho's LLTV.
    pub liquidation_threshold: Rate,
    /// Most debt over collateral that a new loan may lead to.
    pub max_ltv: Rate,
    /// Collateral × threshold ÷ debt; the protocol liquidates below 1. `None` without debt.
    pub health_factor: Option<Rate>,
    /// Yearly rate that the collateral earns at the protocol, its staking yield left out.
    pub supply_rate: Rate,
    /// Yearly rate that the debt costs.
    pub borrow_rate: Rate,
}

/// Collateral that stands for one position alone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct IsolatedMargin {
    /// The perp account it is a part of.
    pub account: Account,
    /// The position, with its side in hedge mode.
    pub instrument: InstrumentKey,
    /// Units of the quote asset, unrealised result left out.
    pub margin: Quantity,
}

/// What a venue says we hold, for reconciliation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Position {
    /// Whose.
    pub account: Account,
    /// What.
    pub item: Item,
    /// Signed units, scaled ones where the item is scaled.
    pub quantity: Quantity,
    /// What they stand for now, after the protocol's own rounding; `quantity` where nothing is scaled.
    pub units: Quantity,
}

impl Position {
    /// A holding of an item that is not scaled.
    #[must_use]
    pub const fn new(account: Account, item: Item, quantity: Quantity) -> Self {
        Self::scaled(account, item, quantity, quantity)
    }

    /// A holding of `quantity` scaled units that stand for `units`.
    #[must_use]
    pub const fn scaled(account: Account, item: Item, quantity: Quantity, units: Quantity) -> Self {
        Self {
            account,
            item,
            quantity,
            units,
        }
    }
}
