//! Transfers between accounts of ours, stage by stage.

use basis_core::ledger::EntryKind;
use basis_core::num::{Price, Quantity};
use basis_core::types::{Account, Item};
use basis_core::venue_event::{TransferStage, TransferUpdate};

use super::PostingError;
use super::writer::{Writer, not_negative, positive};

impl Writer<'_> {
    /// The lines of one stage of a transfer, all at the price that the reporting venue
    /// had for the asset at the stage's instant, which may lie before the wake that posts:
    ///
    /// | stage | lines |
    /// | --- | --- |
    /// | sent | −amount, −fee at the sender; +amount in flight |
    /// | credited | −amount in flight; +amount at the receiver |
    /// | moved | −amount, −fee at the sender; +amount at the receiver |
    /// | returned | −amount in flight; +amount, +fee at the sender |
    /// | requested, confirmed, failed | none |
    ///
    /// Fees are of kind `transfer_cost` and make no line when they are 0.
    pub(super) fn transfer(&mut self, transfer: &TransferUpdate) -> Result<(), PostingError> {
        use EntryKind::{Transfer, TransferCost};
        positive("transferred amount", transfer.amount.get())?;
        not_negative("transfer fee", transfer.fee)?;
        let (amount, fee) = (transfer.amount, transfer.fee);
        let (from, to, flight) = (transfer.from, transfer.to, Account::IN_FLIGHT);
        let (left, cost) = (amount.neg()?, fee.neg()?);
        let legs = match transfer.stage {
            TransferStage::Requested | TransferStage::Confirmed | TransferStage::Failed => {
                return Ok(());
            }
            TransferStage::Sent => [
                (Transfer, from, left),
                (TransferCost, from, cost),
                (Transfer, flight, amount),
            ],
            TransferStage::Moved => [
                (Transfer, from, left),
                (TransferCost, from, cost),
                (Transfer, to, amount),
            ],
            TransferStage::Credited => [
                (Transfer, flight, left),
                (Transfer, to, amount),
                (TransferCost, to, Quantity::ZERO),
            ],
            TransferStage::Returned => [
                (Transfer, flight, left),
                (Transfer, from, amount),
                (TransferCost, from, fee),
            ],
        };
        let price: Option<Price> = self.price_then(transfer.asset)?;
        let item = Item::Asset(transfer.asset);
        for (kind, account, change) in legs {
            if kind == Transfer || !change.is_zero() {
                self.book(kind, (account, item), (change, change), price)?;
            }
        }
        Ok(())
    }
}
