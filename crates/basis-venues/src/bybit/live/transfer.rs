//! Transfers between the funding and the unified account. Each bears an id that follows from its instruction,
//! so it is found again whatever happened, and asked for twice it would not be made twice.

use basis_core::instruction::Transfer;
use basis_core::types::{InstructionId, Timestamp};
use basis_core::venue_event::{EventKind, TransferId, TransferStage, TransferUpdate};

use super::BybitMachine;
use super::change::ChangeState;
use crate::bybit::codec::replies::{self, TransferRow, TransferStatus};
use crate::bybit::codec::{reads, transfer_id};
use crate::wire::JsonDraft;

impl BybitMachine {
    /// The venue has taken a transfer: how far it has come is read from the list.
    pub(super) fn transfer_taken(&mut self, id: InstructionId, body: &[u8]) {
        let own = transfer_id(self.settings.book, id);
        match replies::transferred(body) {
            Ok((named, _)) if named == own => {
                if let Some(change) = self.changes.get_mut(&id) {
                    change.state = ChangeState::Asking;
                    change.look.at(self.now);
                }
            }
            Ok((named, _)) => self.change_unknown(id, &format!("the answer is about {named}")),
            Err(e) => self.change_unknown(id, &format!("the answer cannot be read: {e}")),
        }
    }

    pub(super) fn transfer_question(&self, id: InstructionId) -> JsonDraft {
        reads::transfer(&transfer_id(self.settings.book, id))
    }

    pub(super) fn transfer_shown(
        &mut self,
        id: InstructionId,
        transfer: &Transfer,
        body: &[u8],
        asked_at: Timestamp,
    ) {
        let rows = match replies::transfers(body) {
            Ok(page) => page.rows,
            Err(e) => return self.unreadable("transfers", &e),
        };
        self.was_read();
        let own = transfer_id(self.settings.book, id);
        match rows.iter().find(|row| row.transfer_id == own) {
            Some(row) => self.transfer_found(id, transfer, row),
            // What it said it took stays to be shown.
            None if self
                .changes
                .get(&id)
                .is_some_and(super::change::Change::is_unknown) =>
            {
                self.reject_if_dead(id, asked_at, "the venue never took it");
            }
            None => {}
        }
    }

    fn transfer_found(&mut self, id: InstructionId, transfer: &Transfer, row: &TransferRow) {
        let Some(change) = self.changes.get_mut(&id) else {
            return;
        };
        change.state = ChangeState::Asking;
        if !std::mem::replace(&mut change.is_under_way, true) {
            self.report_transfer(id, transfer, row, TransferStage::Sent);
        }
        let stage = match row.status {
            TransferStatus::Pending | TransferStatus::Unknown => return,
            TransferStatus::Success => TransferStage::Credited,
            TransferStatus::Failed => TransferStage::Returned,
        };
        self.report_transfer(id, transfer, row, stage);
        self.changes.remove(&id);
    }

    /// Reports a stage. The stages of a transfer are the same ones in the same order, whatever was seen of it
    /// when: a process that starts again reports those that were reported before, and they are known by their
    /// keys.
    fn report_transfer(
        &mut self,
        id: InstructionId,
        transfer: &Transfer,
        row: &TransferRow,
        stage: TransferStage,
    ) {
        let update = TransferUpdate {
            id: TransferId::Instruction(id),
            instruction: Some(id),
            from: transfer.from,
            to: transfer.to,
            asset: transfer.asset,
            amount: transfer.amount,
            fee: basis_core::num::Quantity::ZERO,
            stage,
            until: None,
            txid: Some(row.transfer_id.clone().into()),
        };
        let at = self.wire.clock.ours(row.timestamp);
        self.emit(at, EventKind::Transfer(Box::new(update)));
    }
}
