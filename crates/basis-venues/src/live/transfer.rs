//! Transfers between the venue's accounts. Each bears an id that follows from its instruction, so it is found
//! again whatever happened.

use basis_core::instruction::Transfer;
use basis_core::types::{InstructionId, Timestamp};
use basis_core::venue_event::{EventKind, TransferId, TransferStage, TransferUpdate};

use super::Machine;
use super::change::ChangeState;
use super::codec::TransferReport;
use crate::wire::JsonDraft;

impl Machine {
    /// The venue has taken a transfer: how far it has come is read from the list.
    pub(super) fn transfer_taken(&mut self, id: InstructionId, body: &[u8]) {
        match self.codec.transfer_taken(id, body) {
            Ok(()) => {
                if let Some(change) = self.changes.get_mut(&id) {
                    change.state = ChangeState::Asking;
                    change.look.at(self.now);
                }
            }
            Err(text) => self.change_unknown(id, &text),
        }
    }

    pub(super) fn transfer_question(&self, id: InstructionId) -> JsonDraft {
        self.codec.transfer_question(id)
    }

    pub(super) fn transfer_shown(
        &mut self,
        id: InstructionId,
        transfer: &Transfer,
        body: &[u8],
        asked_at: Timestamp,
    ) {
        match self.codec.transfer(id, body) {
            Ok(Some(row)) => {
                self.was_read();
                self.transfer_found(id, transfer, &row);
            }
            Ok(None) => self.transfer_absent(id, asked_at),
            Err(e) => self.unreadable("transfers", &e),
        }
    }

    /// The venue does not list a transfer. What it said it took stays to be shown.
    pub(super) fn transfer_absent(&mut self, id: InstructionId, asked_at: Timestamp) {
        self.was_read();
        let change = self.changes.get(&id);
        if change.is_some_and(super::change::Change::is_unknown) {
            self.reject_if_dead(id, asked_at, "the venue never took it");
        }
    }

    fn transfer_found(&mut self, id: InstructionId, transfer: &Transfer, row: &TransferReport) {
        let Some(change) = self.changes.get_mut(&id) else {
            return;
        };
        change.state = ChangeState::Asking;
        if !std::mem::replace(&mut change.is_under_way, true) {
            self.report_transfer(id, transfer, row, TransferStage::Sent);
        }
        let Some(stage) = row.ended else {
            return;
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
        row: &TransferReport,
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
            txid: Some(row.id.clone().into()),
        };
        let at = row.at.map_or(self.now, |at| self.wire.clock.ours(at));
        self.emit(at, EventKind::Transfer(Box::new(update)));
    }
}
