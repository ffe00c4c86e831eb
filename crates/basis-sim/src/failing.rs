//! Transfers that fail on purpose, the same in every run.

use basis_core::in_flight::InFlightTransfer;
use basis_core::num::Quantity;
use basis_core::types::{InstructionId, Timestamp, Venue};
use basis_core::venue_event::{EventKind, TransferId, TransferStage, TransferUpdate, VenueEvent};

use crate::refusal::Refusal;
use crate::settings::{FailingTransfer, FailureStage, TransferFailure};

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
            FailingTransfer::Instruction(number) => number == instruction.counter(),
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

    /// What `arrived` credits at its end, and its event: one that comes back brings its fee with it.
    ///
    /// # Errors
    /// A refusal when the sum leaves the range of a quantity.
    pub(crate) fn credit(
        &mut self,
        venue: Venue,
        now: Timestamp,
        arrived: &InFlightTransfer,
    ) -> Result<(Quantity, VenueEvent), Refusal> {
        let mut returning = self.returning.iter();
        let at = returning.position(|(id, _)| *id == arrived.instruction);
        let (from, to, fee, stage) = match at {
            Some(at) => {
                let (_, fee) = self.returning.remove(at);
                // On its way back it went from its receiver to its sender.
                (arrived.to, arrived.from, fee, TransferStage::Returned)
            }
            None => {
                let stage = TransferStage::Credited;
                (arrived.from, arrived.to, Quantity::ZERO, stage)
            }
        };
        let update = TransferUpdate {
            id: TransferId::Instruction(arrived.instruction),
            instruction: Some(arrived.instruction),
            from,
            to,
            asset: arrived.asset,
            amount: arrived.amount,
            fee,
            stage,
            until: None,
            txid: None,
        };
        let kind = EventKind::Transfer(Box::new(update));
        let event = VenueEvent::new(venue, arrived.arrives_at, now, kind);
        Ok((arrived.amount.add(fee)?, event))
    }
}
