//! Transfers that fail on purpose, the same in every run.

use basis_core::execution::{VenueEvent, VenueEventKind};
use basis_core::ledger::{EntryKind, Occurrence};
use basis_core::market::MarketView;
use basis_core::num::{MathError, Quantity};
use basis_core::transit::Shipment;
use basis_core::types::{Account, InstructionId, Label, Venue};

use super::books::{Lines, dollar_price};
use super::refusal::Refusal;
use super::settings::{FailingTransfer, FailureStage, TransferFailure};

/// Which transfers have left a venue so far, and which of them will come back.
#[derive(Debug, Default)]
pub(crate) struct FailingTransfers {
    /// Transfers that the rules and balances allowed.
    seen: u64,
    /// What comes back, with the fee that was charged.
    returning: Vec<(InstructionId, Quantity)>,
}

impl FailingTransfers {
    /// Counts a transfer that nothing else refuses; whether it will come back to its sender.
    ///
    /// # Errors
    /// A refusal when the settings have the venue refuse it.
    pub(crate) fn count(
        &mut self,
        failures: &[TransferFailure],
        instruction: InstructionId,
        fee: Quantity,
    ) -> Result<bool, Refusal> {
        self.seen += 1;
        let failing = |failure: &&TransferFailure| match failure.transfer {
            FailingTransfer::Instruction(id) => id == instruction,
            FailingTransfer::Nth(nth) => nth == self.seen,
        };
        match failures.iter().find(failing).map(|failure| failure.stage) {
            None => Ok(false),
            Some(FailureStage::Returned) => {
                self.returning.push((instruction, fee));
                Ok(true)
            }
            Some(FailureStage::Rejected) => Err(Refusal::other(
                "the venue rejected the transfer (transfer_failures of its settings)",
                None,
            )),
        }
    }

    /// The event of a shipment that came back, its fee refunded; `None` for any other.
    pub(crate) fn returned(
        &mut self,
        venue: Venue,
        view: &MarketView,
        shipment: &Shipment,
    ) -> Result<Option<VenueEvent>, MathError> {
        let mut pending = self.returning.iter();
        let found = pending.position(|(id, _)| *id == shipment.instruction);
        let Some(at) = found else { return Ok(None) };
        let (instruction, fee) = self.returning.remove(at);
        let (to, asset) = (shipment.to, shipment.asset);
        let price = dollar_price(view, asset, venue);
        let occurrence = Occurrence::TransferIn(instruction);
        let mut lines = Lines::new(shipment.arrives_at, occurrence, Some(instruction));
        let flight = (Account::IN_FLIGHT, asset);
        lines.booked(EntryKind::Transfer, flight, shipment.amount.neg()?, price)?;
        lines.booked(EntryKind::Transfer, (to, asset), shipment.amount, price)?;
        if !fee.is_zero() {
            lines.booked(EntryKind::TransferCost, (to, asset), fee, price)?;
        }
        Ok(Some(VenueEvent {
            venue,
            at: shipment.arrives_at,
            kind: VenueEventKind::Other {
                name: Label::literal("transfer_returned"),
                instruction: Some(instruction),
            },
            entries: lines.entries,
        }))
    }
}
