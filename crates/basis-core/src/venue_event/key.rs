//! The names of facts: the same fact has the same name, whoever reports it and how often.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::{RedemptionStage, Text, TransactionHash, TransactionStage, TransferStage};
use crate::instruction::MarginMode;
use crate::num::Quantity;
use crate::types::{Account, InstructionId, InstrumentKey, Item, Label, Side, Timestamp, Venue};

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

/// A reading of a balance that no venue names the changes of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Cursor {
    /// When it was read; amounts alone would repeat where a balance moves back and forth.
    pub at: Timestamp,
    /// What it stood for then.
    pub amount: Quantity,
}

/// What an accrual is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Subject {
    /// One holding.
    Holding {
        /// Whose.
        account: Account,
        /// What.
        item: Item,
    },
    /// One withdrawal request in a queue.
    Request {
        /// The queue's account.
        account: Account,
        /// The instruction that joined it.
        instruction: InstructionId,
    },
    /// One liquidity position.
    Pool {
        /// The pool's account.
        account: Account,
        /// One of its items, range included.
        item: Item,
    },
}

impl fmt::Display for Subject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Holding { account, item } => write!(f, "{account}:{item}"),
            Self::Request {
                account,
                instruction,
            } => write!(f, "{account}:request:{instruction}"),
            Self::Pool { account, item } => write!(f, "{account}:pool:{item}"),
        }
    }
}

/// What names a transfer.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TransferId {
    /// The instruction that asked for it.
    Instruction(InstructionId),
    /// The venue's own id, for one that nobody here asked for.
    Venue {
        /// Whose id it is.
        venue: Venue,
        /// The id.
        id: Text,
    },
}

impl fmt::Display for TransferId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Instruction(id) => write!(f, "{id}"),
            Self::Venue { venue, id } => write!(f, "{venue}:{id}"),
        }
    }
}

/// What names a capital flow.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct FlowId {
    /// The instant it was scheduled for, or observed at.
    pub scheduled: Timestamp,
    /// Distinguishes several at one instant.
    pub number: u32,
    /// The part, from 0, of what is paid in several.
    #[serde(default, skip_serializing_if = "is_first")]
    pub part: u32,
}

/// Whether a flow is paid whole, or this is its first part: most are, and their names have no part.
const fn is_first(part: &u32) -> bool {
    *part == 0
}

/// The name of one fact; unique for the life of a book.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum EventKey {
    /// A fill, forced ones included: trade ids repeat across symbols, accounts and sides.
    Fill {
        /// Whose, and so where.
        account: Account,
        /// Of what, with its side in hedge mode.
        instrument: InstrumentKey,
        /// The venue's id.
        trade: TradeId,
        /// Our side: a trade with ourselves has two.
        side: Side,
    },
    /// A funding settlement.
    Funding {
        /// Whose.
        account: Account,
        /// Of what, with its side in hedge mode.
        instrument: InstrumentKey,
        /// Cross and isolated positions settle apart.
        margin: MarginMode,
        /// The scheduled instant.
        scheduled: Timestamp,
    },
    /// A funding instant without a rate.
    FundingMissing {
        /// Whose.
        account: Account,
        /// Of what.
        instrument: InstrumentKey,
        /// The scheduled instant.
        scheduled: Timestamp,
    },
    /// A stage of a transaction.
    Transaction {
        /// Its hash.
        hash: TransactionHash,
        /// How often it was taken out of the chain before.
        inclusion: u32,
        /// The stage.
        stage: TransactionStage,
    },
    /// A stage of a transfer.
    Transfer {
        /// Which.
        id: TransferId,
        /// The stage.
        stage: TransferStage,
    },
    /// Capital from outside or to it.
    CapitalFlow(FlowId),
    /// A holding taken into the books.
    Adoption {
        /// Whose.
        account: Account,
        /// What.
        item: Item,
        /// When.
        at: Timestamp,
    },
    /// A reward.
    Reward {
        /// Where it is paid.
        account: Account,
        /// By which program.
        program: Label,
        /// The payment's instant.
        payment: Timestamp,
    },
    /// A stage of a withdrawal request.
    Redemption {
        /// Whose queue: one group may ask at several.
        venue: Venue,
        /// Who joined the queue.
        instruction: InstructionId,
        /// The stage.
        stage: RedemptionStage,
    },
    /// A lending liquidation.
    LendingLiquidation {
        /// Whose collateral.
        account: Account,
        /// When.
        at: Timestamp,
        /// Which of that instant.
        log: u32,
    },
    /// What a balance did by itself.
    Accrual {
        /// What moved.
        subject: Subject,
        /// From which reading.
        before: Cursor,
        /// To which.
        after: Cursor,
    },
    /// A fact of a driver that is not ours.
    Other {
        /// Who reports it.
        venue: Venue,
        /// Unique within the venue.
        name: Text,
    },
}

impl EventKey {
    /// The key of a fill, a forced one included.
    #[must_use]
    pub fn fill(account: Account, instrument: InstrumentKey, trade: &TradeId, side: Side) -> Self {
        Self::Fill {
            account,
            instrument,
            trade: trade.clone(),
            side,
        }
    }

    /// The instrument that a fill, forced ones included, is about.
    #[must_use]
    pub const fn traded(&self) -> Option<InstrumentKey> {
        match self {
            Self::Fill { instrument, .. } => Some(*instrument),
            _ => None,
        }
    }
}

impl fmt::Display for EventKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Fill {
                account,
                instrument,
                trade,
                side,
            } => write!(f, "fill:{account}:{instrument}:{trade}:{}", side.as_str()),
            Self::Funding {
                account,
                instrument,
                margin,
                scheduled,
            } => write!(
                f,
                "funding:{account}:{instrument}:{}:{scheduled}",
                margin.as_str()
            ),
            Self::FundingMissing {
                account,
                instrument,
                scheduled,
            } => write!(f, "funding_missing:{account}:{instrument}:{scheduled}"),
            Self::Transaction {
                hash,
                inclusion,
                stage,
            } => write!(f, "transaction:{hash}:{inclusion}:{}", stage.as_str()),
            Self::Transfer { id, stage } => write!(f, "transfer:{id}:{}", stage.as_str()),
            Self::CapitalFlow(FlowId {
                scheduled,
                number,
                part,
            }) => {
                write!(f, "capital_flow:{scheduled}:{number}")?;
                if *part > 0 {
                    write!(f, ":{part}")?;
                }
                Ok(())
            }
            Self::Adoption { account, item, at } => write!(f, "adoption:{account}:{item}:{at}"),
            Self::Reward {
                account,
                program,
                payment,
            } => write!(f, "reward:{account}:{program}:{payment}"),
            Self::Redemption {
                venue,
                instruction,
                stage,
            } => write!(f, "redemption:{venue}:{instruction}:{}", stage.as_str()),
            Self::LendingLiquidation { account, at, log } => {
                write!(f, "lending_liquidation:{account}:{at}:{log}")
            }
            Self::Accrual {
                subject,
                before,
                after,
            } => write!(
                f,
                "accrual:{subject}:{}={}:{}={}",
                before.at, before.amount, after.at, after.amount
            ),
            Self::Other { venue, name } => write!(f, "other:{venue}:{name}"),
        }
    }
}
