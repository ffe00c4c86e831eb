//! Posting: the only producer of [`LedgerEntry`], for simulated, live and third-party venues alike.
//!
//! Venues report facts in their own amounts; posting adds value, reference price, cause and the sign of
//! debt. Marks are those of the view that posts, also where an event is older; of a transfer, which may arrive
//! within a step, those of its own instant.
//!
//! **Invariants.** The lines are a function of event, marks and what is held, and nothing else. Lines of
//! one event are numbered from 0 in the order they are made, under the key of the event (those of a
//! final transaction that nobody saw mined: under the key it would have had as mined). What has no
//! price is booked at value 0 with reference price 0 and listed. An impossible event has
//! no lines at all.
//!
//! | event | lines, in order |
//! | --- | --- |
//! | fill of spot | base (`trade`), quote (`trade`), fee, what an insurance fund covered |
//! | fill of a perp | position (`trade`), result, fee, covered |
//! | forced close | as a perp's fill; the fee is of kind `liquidation` |
//! | funding, reward, capital flow | one |
//! | transfer | leaves, costs, arrives; by stage |
//! | adoption | one `deposit`; of a position at its entry price |
//! | transaction, accrual, redemption, lending liquidation, other | one per change, as reported |
//! | reorged transaction | one negated line per line that its inclusion posted |
//! | anything else | none |

mod changes;
mod error;
mod price;
mod trade;
mod transfer;
mod writer;

#[cfg(test)]
mod tests;

use std::sync::Arc;

use basis_core::ledger::{EntryKind, LedgerEntry};
use basis_core::num::{Price, Quantity, Value};
use basis_core::types::{Account, InstrumentKey, Item};
use basis_core::venue_event::{
    Adoption, CapitalFlow, EventKey, EventKind, Funding, Reward, TransactionStage,
    TransactionUpdate, VenueEvent,
};

pub use self::error::PostingError;
pub(crate) use self::price::NotedMarks;
pub use self::price::{KeptMarks, Marks};
use self::writer::{Writer, positive};

/// What posting reads of the books.
pub trait Held {
    /// Signed base units and open cost (USD, signed as the units) of a perp position; `None` while there
    /// never was one.
    fn open_position(
        &self,
        account: Account,
        instrument: InstrumentKey,
    ) -> Option<(Quantity, Value)>;

    /// The lines posted under a key, in order; none when it posted none.
    fn lines_under(&self, key: &EventKey) -> Vec<LedgerEntry>;
}

/// Books that hold nothing.
#[derive(Clone, Copy, Debug, Default)]
pub struct NothingHeld;

impl Held for NothingHeld {
    fn open_position(&self, _: Account, _: InstrumentKey) -> Option<(Quantity, Value)> {
        None
    }

    fn lines_under(&self, _: &EventKey) -> Vec<LedgerEntry> {
        Vec::new()
    }
}

/// The lines of one event.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Posting {
    /// In the order they are posted.
    pub lines: Vec<LedgerEntry>,
    /// Holdings with a line that has no price, each once: booked at value 0 with reference price 0,
    /// or, as a side of an exchange, at what the other sides leave.
    pub unpriced: Vec<(Account, Item)>,
}

/// Returns the ledger lines of `event` at `marks`; none for an event without a key.
///
/// # Errors
/// [`PostingError`] for an impossible event.
pub fn lines_of(
    event: &VenueEvent,
    marks: &dyn Marks,
    held: &dyn Held,
) -> Result<Posting, PostingError> {
    let mut posting = Posting::default();
    if let Some(key) = event.key() {
        write_lines(event, &Arc::new(key), marks, held, &mut posting)?;
    }
    Ok(posting)
}

/// Appends the lines of `event`, whose key is `key`, to an empty `posting`.
pub(crate) fn write_lines(
    event: &VenueEvent,
    key: &Arc<EventKey>,
    marks: &dyn Marks,
    held: &dyn Held,
    posting: &mut Posting,
) -> Result<(), PostingError> {
    let mut writer = Writer::new(event, key, marks, posting);
    match &event.kind {
        EventKind::Fill(fill) => writer.fill(fill, held),
        EventKind::Liquidation(close) => writer.forced_close(close),
        EventKind::Funding(funding) => writer.funding(funding),
        EventKind::Transfer(transfer) => writer.transfer(transfer),
        EventKind::Transaction(transaction) => writer.transaction(transaction, held),
        EventKind::CapitalFlow(flow) => writer.capital_flow(flow),
        EventKind::Adoption(adoption) => writer.adoption(adoption),
        EventKind::Reward(reward) => writer.reward(reward),
        EventKind::Redemption(redemption) => writer.changes(&redemption.changes),
        EventKind::LendingLiquidation(liquidation) => writer.changes(&liquidation.changes),
        EventKind::Accrual(accrual) => writer.changes(&accrual.changes),
        EventKind::Other(other) => writer.changes(&other.changes),
        // Orders, refusals, snapshots and the like change no holding; a kind yet to come has no rule.
        _ => Ok(()),
    }
}

impl Writer<'_> {
    fn funding(&mut self, funding: &Funding) -> Result<(), PostingError> {
        let place = (funding.account, Item::Asset(funding.asset));
        self.book_at_own(EntryKind::Funding, place, funding.amount)
    }

    fn reward(&mut self, reward: &Reward) -> Result<(), PostingError> {
        positive("reward", reward.amount.get())?;
        let place = (reward.account, Item::Asset(reward.asset));
        self.book_at_own(EntryKind::Reward, place, reward.amount)
    }

    fn capital_flow(&mut self, flow: &CapitalFlow) -> Result<(), PostingError> {
        let kind = match flow.amount.signum() {
            0 => {
                return Err(PostingError::Zero {
                    what: "capital flow",
                });
            }
            1 => EntryKind::Deposit,
            _ => EntryKind::Withdrawal,
        };
        self.book_at_own(kind, (flow.account, Item::Asset(flow.asset)), flow.amount)
    }

    fn adoption(&mut self, adoption: &Adoption) -> Result<(), PostingError> {
        let place = (adoption.account, adoption.item);
        match adoption.item {
            Item::Position(instrument) => {
                let entry = adoption
                    .entry_price
                    .ok_or(PostingError::NoEntryPrice(instrument))?;
                positive("entry price", entry.get())?;
                let mark = self.marks.mark(instrument)?.unwrap_or(Price::ZERO);
                let kind = EntryKind::Deposit;
                self.position(kind, place, adoption.quantity, (entry, mark))
            }
            Item::Asset(asset)
            | Item::Shares(asset)
            | Item::Debt(asset)
            | Item::Liquidity { asset, .. } => {
                let price = self.own_price(asset)?;
                let amounts = (adoption.quantity, adoption.units);
                self.book(EntryKind::Deposit, place, amounts, price)
            }
        }
    }

    fn transaction(
        &mut self,
        transaction: &TransactionUpdate,
        held: &dyn Held,
    ) -> Result<(), PostingError> {
        let key = |stage| EventKey::Transaction {
            hash: transaction.hash,
            inclusion: transaction.inclusion,
            stage,
        };
        let included = [TransactionStage::Mined, TransactionStage::Reverted];
        match transaction.stage {
            TransactionStage::Mined | TransactionStage::Reverted => {
                self.changes(&transaction.changes)
            }
            TransactionStage::Final => {
                let posted = |stage| !held.lines_under(&key(stage)).is_empty();
                if transaction.changes.is_empty() || included.into_iter().any(posted) {
                    return Ok(());
                }
                self.key = Arc::new(key(TransactionStage::Mined));
                self.changes(&transaction.changes)
            }
            TransactionStage::Reorged => {
                for stage in included {
                    for line in &held.lines_under(&key(stage)) {
                        self.reverse(line)?;
                    }
                }
                Ok(())
            }
            TransactionStage::Signed
            | TransactionStage::Broadcast
            | TransactionStage::Dropped
            | TransactionStage::Replaced => Ok(()),
        }
    }
}
