//! Transfers between the funding and the unified account: they leave one at once and arrive in the other later.

use basis_core::num::{Fixed18, Quantity};
use basis_core::types::Asset;

use super::account::{LogKind, LogRow};
use super::{Exchange, Refusal, Ways};

/// The accounts that there are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::server) enum Wallet {
    Fund,
    Unified,
}

/// How a transfer stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::server) enum TransferState {
    Pending,
    Success,
    Failed,
}

/// A transfer: it has left its account, and arrives in the other at its time, or comes back.
#[derive(Clone, Debug)]
pub(in crate::server) struct Transfer {
    pub(in crate::server) number: u64,
    /// The client's id of it; empty where none was given.
    pub(in crate::server) id: String,
    pub(in crate::server) account: u32,
    pub(in crate::server) coin: Asset,
    pub(in crate::server) amount: Quantity,
    pub(in crate::server) from: Wallet,
    pub(in crate::server) to: Wallet,
    pub(in crate::server) state: TransferState,
    pub(in crate::server) made_ms: i64,
    due_ms: i64,
}

impl<W: Ways> Exchange<W> {
    /// Takes a transfer out of its account; returns its number and how it stands.
    pub(in crate::server) fn start_transfer(
        &mut self,
        (account, id): (u32, &str),
        (coin, amount): (Asset, Quantity),
        (from, to): (Wallet, Wallet),
    ) -> Result<(u64, TransferState), Refusal> {
        self.move_coin(account, from, coin, amount.neg()?)?;
        let number = self.next_id();
        let delay = self.behavior.transfer_delay_ms;
        self.transfers.push(Transfer {
            number,
            id: id.to_owned(),
            account,
            coin,
            amount,
            from,
            to,
            state: TransferState::Pending,
            made_ms: self.now,
            due_ms: self.now.saturating_add(delay),
        });
        self.run_transfers();
        let state = self.transfers.last().map(|transfer| transfer.state);
        Ok((number, state.unwrap_or(TransferState::Pending)))
    }

    /// When a transfer next arrives.
    pub(super) fn next_transfer(&self) -> Option<i64> {
        let pending = self
            .transfers
            .iter()
            .filter(|transfer| transfer.state == TransferState::Pending);
        pending.map(|transfer| transfer.due_ms).min()
    }

    /// Credits what has arrived; gives back what failed.
    ///
    /// # Panics
    /// Never: what has left an account fits into one.
    pub(super) fn run_transfers(&mut self) {
        let (now, fails) = (self.now, self.transfers_fail);
        for at in 0..self.transfers.len() {
            let due = self.transfers.get_mut(at).filter(|transfer| {
                transfer.state == TransferState::Pending && transfer.due_ms <= now
            });
            let Some(transfer) = due else {
                continue;
            };
            transfer.state = if fails {
                TransferState::Failed
            } else {
                TransferState::Success
            };
            let into = if fails { transfer.from } else { transfer.to };
            let (account, coin, amount) = (transfer.account, transfer.coin, transfer.amount);
            self.move_coin(account, into, coin, amount)
                .expect("invariant: what left an account fits into one");
        }
    }

    /// What may leave an account.
    pub(in crate::server) fn movable(
        &self,
        id: u32,
        from: Wallet,
        coin: Asset,
    ) -> Result<Quantity, Refusal> {
        match from {
            Wallet::Fund => Ok(self.account(id).fund(coin)),
            Wallet::Unified => {
                let payable = self.margins_now(id, coin)?.payable()?;
                let free = Quantity::new(payable.get());
                Ok(free.max(Quantity::ZERO))
            }
        }
    }

    pub(in crate::server) fn move_coin(
        &mut self,
        id: u32,
        wallet: Wallet,
        coin: Asset,
        by: Quantity,
    ) -> Result<(), Refusal> {
        let (now, number) = (self.now, self.next_id());
        let account = self.account_mut(id);
        match wallet {
            Wallet::Fund => account.move_fund(coin, by)?,
            Wallet::Unified => {
                account.move_wallet(coin, by)?;
                let row = LogRow {
                    number,
                    kind: if by.is_positive() {
                        LogKind::TransferIn
                    } else {
                        LogKind::TransferOut
                    },
                    of: None,
                    side: None,
                    coin,
                    change: by,
                    cash_flow: by,
                    funding: Quantity::ZERO,
                    fee: Quantity::ZERO,
                    rate: Fixed18::ZERO,
                    size: Quantity::ZERO,
                    quantity: by.abs()?,
                    price: Fixed18::ZERO,
                    ids: (String::new(), String::new()),
                    balance: account.coin(coin).wallet,
                    time_ms: now,
                };
                account.log.push(row);
            }
        }
        account.snapshot(now);
        Ok(())
    }
}
