//! What venues report: facts, in the venue's own amounts, never accounting.
//!
//! A [`VenueEvent`] is the only thing a venue says, simulated or live. It is owned and serialisable, it
//! values nothing, and [`VenueEvent::key`] names it: the same fact has the same key always, so that
//! taking it twice does nothing. The ledger lines of an event are made in one place, the engine's
//! posting.
//!
//! **Invariants.** The key is a function of what the event says, so no driver can give one fact two
//! keys. Quantities of fills and transfers are above zero; fees are signed, a rebate is below zero.

mod change;
mod entry_kind;
mod key;
mod order;
mod snapshot;
mod transaction;
mod transfer;

use serde::{Deserialize, Serialize};

pub use self::change::{BalanceChange, Exchange};
pub use self::entry_kind::EntryKind;
pub use self::key::{Cursor, EventKey, FlowId, Subject, TradeId, TransferId};
pub use self::order::{OrderState, Progress};
pub use self::snapshot::{AccountSnapshot, IsolatedMargin, LendingHealth, OpenOrder, Position};
pub use self::transaction::{TransactionHash, TransactionStage};
pub use self::transfer::TransferStage;

use crate::error::VenueError;
use crate::instruction::MarginMode;
use crate::num::{Price, Quantity, Rate, Value};
pub use crate::text::Text;
use crate::types::{
    Account, Asset, InstructionId, InstrumentKey, Item, Label, SeriesId, Side, Timestamp, Venue,
};

/// The events of one call, in the order they happened.
pub type Events = Vec<VenueEvent>;

/// One fact that a venue reports.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct VenueEvent {
    /// Who reports it.
    pub venue: Venue,
    /// The venue's time of it.
    pub at: Timestamp,
    /// When we took it; the instant of the wake for a simulated venue.
    pub received_at: Timestamp,
    /// What.
    pub kind: EventKind,
}

impl VenueEvent {
    /// A fact of `venue` at `at`, received at `received_at`.
    #[must_use]
    pub const fn new(venue: Venue, at: Timestamp, received_at: Timestamp, kind: EventKind) -> Self {
        Self {
            venue,
            at,
            received_at,
            kind,
        }
    }

    /// The name under which this fact is known; `None` for what posts nothing and need not be known
    /// again: snapshots, rules, connectivity, answers that change no holding.
    #[must_use]
    pub fn key(&self) -> Option<EventKey> {
        let key = match &self.kind {
            EventKind::Fill(fill) => {
                EventKey::fill(fill.account, fill.instrument, &fill.trade, fill.side)
            }
            EventKind::Liquidation(close) => {
                EventKey::fill(close.account, close.instrument, &close.trade, close.side())
            }
            EventKind::Funding(funding) => EventKey::Funding {
                account: funding.account,
                instrument: funding.instrument,
                margin: funding.margin,
                scheduled: funding.scheduled,
            },
            EventKind::FundingMissing(missing) => EventKey::FundingMissing {
                account: missing.account,
                instrument: missing.instrument,
                scheduled: missing.scheduled,
            },
            EventKind::Transaction(transaction) => EventKey::Transaction {
                hash: transaction.hash,
                inclusion: transaction.inclusion,
                stage: transaction.stage,
            },
            EventKind::Transfer(transfer) => EventKey::Transfer {
                id: transfer.id.clone(),
                stage: transfer.stage,
            },
            EventKind::CapitalFlow(flow) => EventKey::CapitalFlow(flow.id),
            EventKind::Adoption(adoption) => EventKey::Adoption {
                account: adoption.account,
                item: adoption.item,
                at: self.at,
            },
            EventKind::Reward(reward) => EventKey::Reward {
                account: reward.account,
                program: reward.program,
                payment: reward.payment,
            },
            EventKind::Redemption(redemption) => EventKey::Redemption {
                venue: self.venue,
                instruction: redemption.instruction,
                stage: redemption.stage,
            },
            EventKind::LendingLiquidation(liquidation) => EventKey::LendingLiquidation {
                account: liquidation.account,
                at: self.at,
                log: liquidation.log,
            },
            EventKind::Accrual(accrual) => EventKey::Accrual {
                subject: accrual.subject,
                before: accrual.before,
                after: accrual.after,
            },
            EventKind::Other(other) => EventKey::Other {
                venue: self.venue,
                name: other.id.clone(),
            },
            EventKind::Order(_)
            | EventKind::Rejected { .. }
            | EventKind::OutcomeUnknown { .. }
            | EventKind::Done { .. }
            | EventKind::Snapshot { .. }
            | EventKind::Rules { .. }
            | EventKind::Connectivity { .. } => return None,
        };
        Some(key)
    }

    /// The instruction it is about, when it names one.
    #[must_use]
    pub fn instruction(&self) -> Option<InstructionId> {
        match &self.kind {
            EventKind::Order(order) => Some(order.instruction),
            EventKind::Fill(fill) => fill.instruction,
            EventKind::Rejected { instruction, .. }
            | EventKind::OutcomeUnknown { instruction, .. }
            | EventKind::Done { instruction } => Some(*instruction),
            EventKind::Transaction(transaction) => transaction.instruction,
            EventKind::Transfer(transfer) => transfer.instruction,
            EventKind::Redemption(redemption) => Some(redemption.instruction),
            EventKind::Other(other) => other.instruction,
            EventKind::Funding(_)
            | EventKind::FundingMissing(_)
            | EventKind::Accrual(_)
            | EventKind::Reward(_)
            | EventKind::Liquidation(_)
            | EventKind::LendingLiquidation(_)
            | EventKind::CapitalFlow(_)
            | EventKind::Adoption(_)
            | EventKind::Snapshot { .. }
            | EventKind::Rules { .. }
            | EventKind::Connectivity { .. } => None,
        }
    }
}

/// What kind of fact an event reports.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum EventKind {
    /// How far an order has come. Its fills are events of their own.
    Order(OrderUpdate),
    /// A part of an order, or all of it, was executed.
    Fill(Box<Fill>),
    /// An instruction came to nothing: by the venue's positive word, or because no byte of it left.
    Rejected {
        /// Which.
        instruction: InstructionId,
        /// Why.
        error: Box<VenueError>,
    },
    /// An instruction was sent, and nobody knows what came of it.
    OutcomeUnknown {
        /// Which.
        instruction: InstructionId,
        /// What was seen instead of an answer.
        error: Box<VenueError>,
    },
    /// A transaction on chain reached a stage.
    Transaction(Box<TransactionUpdate>),
    /// A transfer between two accounts of ours reached a stage.
    Transfer(Box<TransferUpdate>),
    /// A funding settlement.
    Funding(Box<Funding>),
    /// A funding instant for which no rate is known: nothing is booked.
    FundingMissing(Box<FundingMissing>),
    /// A balance grew or shrank by itself: interest, interest owed, a rebase, a pool that moved.
    Accrual(Accrual),
    /// A protocol or venue paid out a reward.
    Reward(Reward),
    /// A withdrawal request moved along its queue.
    Redemption(Box<Redemption>),
    /// The venue closed a position by force.
    Liquidation(Box<Liquidation>),
    /// A lending protocol let somebody repay our debt for our collateral.
    LendingLiquidation(Box<LendingLiquidation>),
    /// Capital came from outside or went there.
    CapitalFlow(CapitalFlow),
    /// A holding that the venue had already is taken into the books.
    Adoption(Box<Adoption>),
    /// What the venue says we hold has been read anew; the figures are those of
    /// `ExecutionInterface::account`.
    Snapshot {
        /// When it was asked for.
        asked: Timestamp,
        /// When the answer was complete.
        answered: Timestamp,
    },
    /// Other rules are in force from an instant on.
    Rules {
        /// From when.
        from: Timestamp,
    },
    /// The connection to the venue.
    Connectivity {
        /// Whether it can be reached and read.
        connected: bool,
        /// What was seen when it could not.
        error: Option<Box<VenueError>>,
    },
    /// A setting, a cancellation or an amendment took effect.
    Done {
        /// Which instruction.
        instruction: InstructionId,
    },
    /// A fact of a driver that is not ours, by its own name.
    Other(Box<OtherEvent>),
}

impl EventKind {
    /// The word for it: the tag in JSON.
    #[must_use]
    pub const fn as_str(&self) -> &'static str {
        match self {
            Self::Order(_) => "order",
            Self::Fill(_) => "fill",
            Self::Rejected { .. } => "rejected",
            Self::OutcomeUnknown { .. } => "outcome_unknown",
            Self::Transaction(_) => "transaction",
            Self::Transfer(_) => "transfer",
            Self::Funding(_) => "funding",
            Self::FundingMissing(_) => "funding_missing",
            Self::Accrual(_) => "accrual",
            Self::Reward(_) => "reward",
            Self::Redemption(_) => "redemption",
            Self::Liquidation(_) => "liquidation",
            Self::LendingLiquidation(_) => "lending_liquidation",
            Self::CapitalFlow(_) => "capital_flow",
            Self::Adoption(_) => "adoption",
            Self::Snapshot { .. } => "snapshot",
            Self::Rules { .. } => "rules",
            Self::Connectivity { .. } => "connectivity",
            Self::Done { .. } => "done",
            Self::Other(_) => "other",
        }
    }
}

/// How far an order has come.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct OrderUpdate {
    /// The instruction behind the order.
    pub instruction: InstructionId,
    /// Its state.
    pub state: OrderState,
    /// Base units filled so far, >= 0, by the venue's own count.
    pub filled: Quantity,
    /// The venue's id of the order.
    pub venue_order_id: Option<Text>,
    /// Why it ended, in the venue's words, where it ended without filling whole.
    pub reason: Option<Text>,
}

/// Whether a fill took or made liquidity.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LiquiditySide {
    /// Rested in the book.
    Maker,
    /// Took from the book.
    Taker,
}

impl LiquiditySide {
    /// `maker` or `taker`.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Maker => "maker",
            Self::Taker => "taker",
        }
    }
}

/// One execution of an order.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Fill {
    /// The instruction behind the order; `None` when the venue names an order that is none of ours.
    pub instruction: Option<InstructionId>,
    /// Whose holdings it changed.
    pub account: Account,
    /// The venue's id of the fill, unique within the instrument.
    pub trade: TradeId,
    /// Where, with its side in hedge mode.
    pub instrument: InstrumentKey,
    /// What is bought or sold.
    pub base: Asset,
    /// What it is paid in, or what a perp settles in.
    pub quote: Asset,
    /// Our direction.
    pub side: Side,
    /// Base units, > 0.
    pub quantity: Quantity,
    /// Quote per base unit, > 0.
    pub price: Price,
    /// Units of the quote asset that a spot fill moved, > 0, as the venue rounds them; zero for a perp.
    pub turnover: Quantity,
    /// The instrument's mark at that moment.
    pub reference: Price,
    /// What the fee was taken in.
    pub fee_asset: Asset,
    /// Fee in `fee_asset`; below zero for a rebate.
    pub fee: Quantity,
    /// The rate the fee was computed at; below zero for a rebate.
    pub fee_rate: Rate,
    /// Maker or taker.
    pub liquidity: LiquiditySide,
    /// The result that the venue settled for what a perp fill closed, in the quote asset; `None` where it
    /// says none, and then the books' average cost decides. Zero for spot.
    pub realized: Option<Quantity>,
    /// What an insurance fund paid in so that the account does not end below zero, in the quote asset,
    /// >= 0.
    pub covered: Quantity,
}

/// A transaction on chain at one stage.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TransactionUpdate {
    /// The instruction behind it; `None` for one that is none of ours.
    pub instruction: Option<InstructionId>,
    /// Its hash.
    pub hash: TransactionHash,
    /// How often this hash has been taken out of the chain by a reorganisation so far.
    pub inclusion: u32,
    /// How far it has come.
    pub stage: TransactionStage,
    /// What it changed, in the order of its logs; gas is the last one. Stages other than mined and
    /// reverted carry none.
    pub changes: Vec<BalanceChange>,
    /// Whether what it began goes on by itself: a request that waits in a queue.
    pub waits: bool,
    /// The hash that takes its nonce from now on, where it was replaced.
    pub replaced_by: Option<TransactionHash>,
    /// Why it reverted or was dropped.
    pub error: Option<Box<VenueError>>,
}

/// A transfer between two accounts of ours at one stage.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TransferUpdate {
    /// What names it.
    pub id: TransferId,
    /// The instruction behind it, when there is one.
    pub instruction: Option<InstructionId>,
    /// Where it leaves.
    pub from: Account,
    /// Where it arrives.
    pub to: Account,
    /// What.
    pub asset: Asset,
    /// How much arrives, > 0.
    pub amount: Quantity,
    /// What moving it cost beside, in the asset, >= 0; of a failed one what was paid back.
    pub fee: Quantity,
    /// How far it has come.
    pub stage: TransferStage,
    /// When it is expected to arrive, where that is known.
    pub until: Option<Timestamp>,
    /// The transaction that carries it, where the venue says.
    pub txid: Option<Text>,
}

/// A funding settlement.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Funding {
    /// Whose cash it changed.
    pub account: Account,
    /// Of which perp, with its side in hedge mode.
    pub instrument: InstrumentKey,
    /// On which collateral the position stands.
    pub margin: MarginMode,
    /// The scheduled instant that its record falls on.
    pub scheduled: Timestamp,
    /// What it is paid in.
    pub asset: Asset,
    /// Signed base units held.
    pub position: Quantity,
    /// Mark at the instant.
    pub mark: Price,
    /// Rate of the interval; positive: longs pay.
    pub rate: Rate,
    /// Received (> 0) or paid (< 0).
    pub amount: Quantity,
    /// The series the rate came from when it is a proxy.
    pub proxy: Option<SeriesId>,
}

/// A funding instant without a rate.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FundingMissing {
    /// Whose position.
    pub account: Account,
    /// Of which perp.
    pub instrument: InstrumentKey,
    /// The scheduled instant.
    pub scheduled: Timestamp,
    /// Signed base units held.
    pub position: Quantity,
    /// Mark at the instant.
    pub mark: Price,
    /// Value of the position at the mark that was left without funding, >= 0.
    pub exposed_notional: Value,
}

/// What a balance did by itself between two readings.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Accrual {
    /// What moved.
    pub subject: Subject,
    /// The reading that the last reported change ended with.
    pub before: Cursor,
    /// The reading that this one ends with.
    pub after: Cursor,
    /// What that changed.
    pub changes: Vec<BalanceChange>,
}

/// A reward that was paid out.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reward {
    /// Where it can be claimed, or where it arrived.
    pub account: Account,
    /// What.
    pub asset: Asset,
    /// How much, > 0.
    pub amount: Quantity,
    /// The program that pays it, unique within the account.
    pub program: Label,
    /// When it was paid.
    pub payment: Timestamp,
}

/// How far a withdrawal request has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RedemptionStage {
    /// It has left its queue and can be claimed.
    Ready,
    /// What it paid has been claimed.
    Claimed,
}

impl RedemptionStage {
    /// `ready` or `claimed`.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Ready => "ready",
            Self::Claimed => "claimed",
        }
    }
}

/// A withdrawal request at a stage of its queue.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Redemption {
    /// The instruction that joined the queue.
    pub instruction: InstructionId,
    /// How far it has come.
    pub stage: RedemptionStage,
    /// What it pays.
    pub asset: Asset,
    /// How much, > 0.
    pub amount: Quantity,
    /// What moved.
    pub changes: Vec<BalanceChange>,
}

/// A forced fill.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Liquidation {
    /// Whose position.
    pub account: Account,
    /// Of which perp, with its side in hedge mode.
    pub instrument: InstrumentKey,
    /// What it settles in.
    pub quote: Asset,
    /// The venue's id of the forced fill.
    pub trade: TradeId,
    /// Signed base units that the close added to the position: below zero closes a long.
    pub closing: Quantity,
    /// The price it was closed at, its reference too.
    pub price: Price,
    /// The result it settled.
    pub realized: Quantity,
    /// The liquidation fee, >= 0.
    pub fee: Quantity,
    /// What the insurance fund paid in, >= 0.
    pub covered: Quantity,
    /// Margin balance before, in the settlement asset.
    pub margin_balance: Value,
    /// Maintenance margin then required.
    pub maintenance_margin: Value,
}

impl Liquidation {
    /// Our side of the forced fill.
    #[must_use]
    pub const fn side(&self) -> Side {
        if self.closing.is_negative() {
            Side::Sell
        } else {
            Side::Buy
        }
    }
}

/// A lending liquidation.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LendingLiquidation {
    /// The account at the protocol.
    pub account: Account,
    /// What was taken from us.
    pub collateral: Asset,
    /// How much of it, the bonus included.
    pub seized: Quantity,
    /// What was repaid for us.
    pub debt: Asset,
    /// How much of it.
    pub repaid: Quantity,
    /// Health factor before (Aave), or LLTV × collateral ÷ debt (Morpho); below 1.
    pub health_factor: Rate,
    /// Distinguishes several at one instant: the log's index on chain.
    pub log: u32,
    /// What moved.
    pub changes: Vec<BalanceChange>,
}

/// Capital that came from outside, or went there.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CapitalFlow {
    /// What names it.
    pub id: FlowId,
    /// Where it arrived or left.
    pub account: Account,
    /// What.
    pub asset: Asset,
    /// Signed units: a deposit is above zero, a withdrawal below.
    pub amount: Quantity,
}

/// A holding that was at a venue before the books began.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Adoption {
    /// Whose.
    pub account: Account,
    /// What.
    pub item: Item,
    /// Signed units, scaled ones where the item is scaled.
    pub quantity: Quantity,
    /// What they stand for; `quantity` where nothing is scaled.
    pub units: Quantity,
    /// The venue's entry price of a perp position, > 0; `None` for everything else.
    pub entry_price: Option<Price>,
}

/// A fact of a driver that is not ours.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct OtherEvent {
    /// Names this one fact, unique within the venue for the life of a book.
    pub id: Text,
    /// The driver's word for what happened.
    pub name: Label,
    /// The instruction it ends, when it ends one.
    pub instruction: Option<InstructionId>,
    /// What it changed.
    pub changes: Vec<BalanceChange>,
}
