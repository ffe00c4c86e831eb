//! Transfers between accounts of the venue. They bear no id of ours: one is found in the list of transfers by
//! direction, asset, amount and time.
//!
//! **Invariants.** One transfer is under way at a time, and two are a second apart, so that a row of the list
//! fits one instruction. A row that was claimed is never claimed again; two rows that fit settle nothing.

use basis_core::error::VenueErrorKind;
use basis_core::instruction::{Instruction, Operation, Transfer};
use basis_core::types::{InstructionId, Span, Timestamp};
use basis_core::venue_event::{EventKind, TransferId, TransferStage, TransferUpdate};

use super::change::{Change, ChangeState, rejected};
use super::purpose::Purpose;
use super::{BinanceMachine, SEND_WAIT};
use crate::binance::codec::replies::{self, TransferRow};
use crate::binance::codec::{Context, Draft, Product, Stamp, reads, requests};

/// The least time between two transfers.
const APART: Span = Span::from_seconds(1);
/// How long a transfer may wait for those before it.
const TURN_WAIT: Span = Span::from_seconds(60);
/// How far the venue's stamp of a transfer may lie before our own.
const MARGIN: Span = Span::from_nanos(500_000_000);

impl BinanceMachine {
    pub(super) fn take_transfer(&mut self, instruction: Instruction) {
        self.transfers
            .0
            .push_back((instruction, self.now.plus(TURN_WAIT)));
        self.next_transfer();
    }

    /// Whether a transfer is under way.
    pub(super) fn is_transferring(&self) -> bool {
        let mut changes = self.changes.values();
        changes.any(|change| matches!(change.instruction.operation, Operation::Transfer(_)))
    }

    /// Refuses transfers that have waited too long for the one under way.
    pub(super) fn expire_transfers(&mut self) {
        let now = self.now;
        while let Some((instruction, _)) = self.transfers.0.pop_front_if(|(_, until)| *until <= now)
        {
            let text = format!(
                "another transfer is under way since more than {TURN_WAIT}; nothing was sent"
            );
            self.reject(&instruction, VenueErrorKind::Unavailable(text));
        }
    }

    /// Sends the next transfer when none is under way.
    pub(super) fn next_transfer(&mut self) {
        if self.is_transferring() || self.now < self.transfers.1 {
            return;
        }
        let Some((instruction, _)) = self.transfers.0.pop_front() else {
            return;
        };
        if let Some(kind) = self.refuses(&instruction) {
            return self.reject(&instruction, kind);
        }
        self.transfers.1 = self.now.plus(APART);
        let context = Context {
            book: self.settings.book,
            rules: &self.rules,
            collar: None,
            order: None,
            withdrawal: None,
        };
        let drafts = requests(Self::VENUE, &instruction, &context);
        match drafts.map(|mut drafts| drafts.pop()) {
            Ok(Some(draft)) => {
                let id = instruction.id;
                let change = Change::new(instruction, self.now, Product::Wallet);
                self.changes.insert(id, change);
                self.wire
                    .act(self.now, draft, Purpose::Change(id), SEND_WAIT);
            }
            Ok(None) => {
                let text = "the instruction becomes no request".to_owned();
                self.reject(&instruction, VenueErrorKind::InvalidRequest(text));
            }
            Err(e) => self.reject(&instruction, e.kind),
        }
    }

    /// An earlier process has reported a transfer under the venue's number: the venue took it, and its row is
    /// found by that.
    pub(super) fn transfer_named(&mut self, id: InstructionId, number: u64) {
        if let Some(change) = self.changes.get_mut(&id) {
            change.transfer = Some(number);
            change.state = ChangeState::Asking;
        }
    }

    /// The venue has taken a transfer: how far it has come is read from the list.
    pub(super) fn transfer_taken(&mut self, id: InstructionId, body: &[u8]) {
        match replies::transfer_id(body) {
            Ok(number) => {
                self.claimed.insert(number);
                if let Some(change) = self.changes.get_mut(&id) {
                    change.transfer = Some(number);
                    change.state = ChangeState::Asking;
                    change.look.at(self.now);
                }
            }
            Err(e) => self.change_unknown(id, &format!("the answer cannot be read: {e}")),
        }
    }

    /// The first instant at which the venue may have booked a transfer, by its clock.
    fn transfer_from(&self, change: &Change) -> Option<Timestamp> {
        let clock = self.wire.clock(Product::Wallet);
        let sent = change.stamp?.deadline().minus(Stamp::WINDOW);
        let submitted = clock.venue(change.submitted_at);
        Some(sent.min(submitted).minus(clock.skew).minus(MARGIN))
    }

    pub(super) fn transfer_question(&self, change: &Change) -> Option<Draft> {
        let Operation::Transfer(transfer) = &change.instruction.operation else {
            return None;
        };
        // By its number it is found wherever the venue's clock has put it.
        let room = match change.transfer {
            Some(_) => Span::from_hours(1),
            None => Span::ZERO,
        };
        let range = reads::Range {
            from: self.transfer_from(change).map(|from| from.minus(room)),
            to: None,
            rows: Some(100),
        };
        reads::transfers(transfer.from, transfer.to, range).ok()
    }

    pub(super) fn transfers_shown(
        &mut self,
        id: InstructionId,
        transfer: &Transfer,
        body: &[u8],
        asked_at: Timestamp,
    ) {
        let rows = match replies::transfers(body) {
            Ok(rows) => rows,
            Err(e) => return self.unreadable("transfers", &e),
        };
        self.was_read();
        let Some(change) = self.changes.get(&id) else {
            return;
        };
        let from = self.transfer_from(change).unwrap_or(Timestamp::MAX);
        let fits = |row: &&TransferRow| match change.transfer {
            Some(number) => row.tran_id == number,
            None => {
                let same = row.asset == transfer.asset.as_str() && row.amount == transfer.amount;
                same && row.timestamp >= from && !self.claimed.contains(&row.tran_id)
            }
        };
        let mut own: Vec<_> = rows.iter().filter(fits).cloned().collect();
        // A list may show a row twice.
        own.dedup_by_key(|row| row.tran_id);
        match own.as_slice() {
            [row] => self.transfer_found(id, transfer, row),
            [] if change.is_unknown() => self.transfer_absent(id, asked_at),
            [] => {}
            _ => {
                let text = format!("{} transfers fit instruction {id}", own.len());
                self.halt("transfer", VenueErrorKind::Decode(text));
            }
        }
    }

    fn transfer_absent(&mut self, id: InstructionId, asked_at: Timestamp) {
        let Some(change) = self.changes.get(&id) else {
            return;
        };
        let dead_at = change
            .stamp
            .map(|stamp| self.dead_at(change.product, stamp));
        if dead_at.is_some_and(|at| asked_at >= at) {
            let text = format!("the venue never took it; {}", change.text);
            self.change_unsent(id, rejected(text));
        }
    }

    fn transfer_found(&mut self, id: InstructionId, transfer: &Transfer, row: &TransferRow) {
        let now = self.now;
        self.claimed.insert(row.tran_id);
        let Some(change) = self.changes.get_mut(&id) else {
            return;
        };
        change.transfer = Some(row.tran_id);
        change.state = ChangeState::Asking;
        let is_news = !std::mem::replace(&mut change.is_under_way, true);
        if is_news {
            self.report_transfer(id, transfer, row, TransferStage::Sent);
        }
        match row.status.as_str() {
            "PENDING" => {
                if let Some(change) = self.changes.get_mut(&id) {
                    change.look.again(now);
                }
                return;
            }
            "CONFIRMED" => self.report_transfer(id, transfer, row, TransferStage::Credited),
            _ => self.report_transfer(id, transfer, row, TransferStage::Returned),
        }
        self.changes.remove(&id);
        self.transfers.1 = now.plus(APART);
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
            txid: Some(row.tran_id.to_string().into()),
        };
        let at = self.ours(Product::Wallet, row.timestamp);
        self.emit(at, EventKind::Transfer(Box::new(update)));
    }
}
