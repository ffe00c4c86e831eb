//! Withdrawal requests: what one instruction has waiting in the queue.

use basis_core::instruction::ClaimUnstake;
use basis_core::ledger::EntryKind;
use basis_core::num::{MathError, U256};
use basis_core::types::{InstructionId, Item, Timestamp};
use basis_core::venue_event::{BalanceChange, EventKind, Events, Redemption, RedemptionStage};
use basis_market::MarketView;
use basis_protocols::gas::TRANSACTION;
use basis_protocols::liquid_staking::RequestId;

use super::operations::gas_of;
use super::{Staking, StakingPool, quantity};
use crate::chain::{Changes, ETH, Transaction, price_of};
use crate::refusal::Refusal;

/// The requests of one instruction.
#[derive(Clone, Debug)]
pub(super) struct WithdrawalRequest {
    pub(super) instruction: InstructionId,
    pub(super) requests: Vec<RequestId>,
    /// When it leaves the queue.
    pub(super) due: Timestamp,
    pub(super) is_ready: bool,
    /// Wei as reported so far.
    pub(super) booked: U256,
    /// When the newest change of them was reported.
    pub(super) booked_at: Timestamp,
}

impl WithdrawalRequest {
    /// Wei that the requests pay together.
    pub(super) fn value<P: StakingPool>(&self, pool: &P) -> Result<U256, Refusal> {
        let mut value = U256::ZERO;
        for request in &self.requests {
            let claim = pool.claimable(*request)?;
            let sum = value.checked_add(claim);
            value = sum.ok_or(MathError::Overflow256 { op: "claims" })?;
        }
        Ok(value)
    }
}

impl<P: StakingPool> Staking<P> {
    pub(super) fn has_withdrawal_request(&self, instruction: InstructionId) -> bool {
        let mut withdrawal_requests = self.withdrawal_requests.iter();
        withdrawal_requests.any(|withdrawal| withdrawal.instruction == instruction)
    }

    /// Makes `requests` a withdrawal request of the instruction, taken in `exchange`. A second one within the same
    /// group joins the first.
    pub(super) fn join_queue(
        &mut self,
        transaction: &mut Transaction<'_>,
        requests: Vec<RequestId>,
        exchange: u32,
    ) -> Result<(), Refusal> {
        transaction.spend_gas(gas_of(&vec![P::NAMES.gas.request; requests.len()]));
        let now = transaction.now();
        let mut withdrawal = WithdrawalRequest {
            instruction: transaction.instruction(),
            requests,
            due: now.plus(self.queue_delay),
            is_ready: false,
            booked: U256::ZERO,
            booked_at: now,
        };
        if let Some(pool) = &self.pool {
            withdrawal.booked = withdrawal.value(pool)?;
        }
        let units = quantity(withdrawal.booked)?;
        transaction.trade(Self::QUEUE, (units, units), exchange, false)?;
        let same = |known: &&mut WithdrawalRequest| known.instruction == withdrawal.instruction;
        match self.withdrawal_requests.iter_mut().find(same) {
            Some(known) => {
                known.requests.append(&mut withdrawal.requests);
                let sum = known.booked.checked_add(withdrawal.booked);
                known.booked = sum.ok_or(MathError::Overflow256 { op: "claims" })?;
                known.booked_at = now;
            }
            None => self.withdrawal_requests.push(withdrawal),
        }
        transaction.waits();
        Ok(())
    }

    /// Lets the withdrawal requests leave the queue that are due at `at`.
    pub(super) fn finalize(
        &mut self,
        at: Timestamp,
        view: &MarketView,
        events: &mut Events,
    ) -> Result<(), Refusal> {
        let delay = self.queue_delay;
        if let Some(pool) = &mut self.pool {
            pool.finalize_due(at, delay)?;
        }
        self.accrue(at, view, events)?;
        let mut ready = Vec::new();
        for withdrawal in &mut self.withdrawal_requests {
            if !withdrawal.is_ready && withdrawal.due <= at {
                withdrawal.is_ready = true;
                ready.push((withdrawal.instruction, quantity(withdrawal.booked)?));
            }
        }
        for (instruction, amount) in ready {
            price_of(view, Item::Asset(ETH))?;
            let less = amount.neg()?;
            let kind = EntryKind::Transfer;
            let redemption = Redemption {
                instruction,
                stage: RedemptionStage::Ready,
                asset: ETH,
                amount,
                changes: vec![
                    BalanceChange::scaled(kind, Self::QUEUE, less, less),
                    BalanceChange::scaled(kind, Self::CLAIMABLE, amount, amount),
                ],
            };
            let kind = EventKind::Redemption(Box::new(redemption));
            events.push(Self::event(at, view, kind));
        }
        Ok(())
    }

    /// Claims one withdrawal request, or every one that has left the queue.
    pub(super) fn claim_withdrawal(
        &mut self,
        transaction: &mut Transaction<'_>,
        claim: &ClaimUnstake,
    ) -> Result<(), Refusal> {
        transaction.spend_gas(TRANSACTION);
        if let Some(instruction) = claim.request {
            return self.claim_one(transaction, instruction);
        }
        let ready = self
            .withdrawal_requests
            .iter()
            .filter(|withdrawal| withdrawal.is_ready);
        let ready: Vec<_> = ready.map(|withdrawal| withdrawal.instruction).collect();
        if ready.is_empty() {
            return Err(Refusal::other(
                format!(
                    "no withdrawal request has left the queue of {}",
                    P::NAMES.venue
                ),
                Some(P::NAMES.not_final),
            ));
        }
        for instruction in ready {
            self.claim_one(transaction, instruction)?;
        }
        Ok(())
    }

    fn claim_one(
        &mut self,
        transaction: &mut Transaction<'_>,
        instruction: InstructionId,
    ) -> Result<(), Refusal> {
        let venue = P::NAMES.venue;
        let mut withdrawal_requests = self.withdrawal_requests.iter();
        let Some(place) =
            withdrawal_requests.position(|withdrawal| withdrawal.instruction == instruction)
        else {
            return Err(Refusal::invalid(format!(
                "instruction {instruction} has no withdrawal request in the queue of {venue}, or it has been claimed"
            )));
        };
        let withdrawal = self.withdrawal_requests.remove(place);
        if !withdrawal.is_ready {
            return Err(Refusal::other(
                format!(
                    "the withdrawal request of instruction {instruction} leaves the queue at {}",
                    withdrawal.due
                ),
                Some(P::NAMES.not_final),
            ));
        }
        let requests = u64::try_from(withdrawal.requests.len()).unwrap_or(u64::MAX);
        let each = P::NAMES.gas.claim.gas().saturating_sub(TRANSACTION);
        transaction.spend_gas(each.saturating_mul(requests));
        let Some(pool) = &mut self.pool else {
            return Ok(());
        };
        let mut paid = U256::ZERO;
        for request in &withdrawal.requests {
            let sum = paid.checked_add(pool.claim(*request)?);
            paid = sum.ok_or(MathError::Overflow256 { op: "claims" })?;
        }
        // A claim moves the pool's rounding, and with it what a later claim of the same withdrawal request pays.
        let rounded = quantity(paid)?.sub(quantity(withdrawal.booked)?)?;
        let (account, item) = Self::CLAIMABLE;
        if !rounded.is_zero() {
            transaction.book(EntryKind::Rebase, (account, item), rounded, rounded)?;
        }
        let amount = quantity(paid)?;
        let less = amount.neg()?;
        transaction.book(EntryKind::Transfer, (account, item), less, less)?;
        transaction.receive(ETH, amount)
    }
}
