//! What an instruction does at a staking venue.

use basis_core::error::Rejection;
use basis_core::instruction::{AmountOrAll, ClaimRewards, Operation, Staking as Ask};
use basis_core::ledger::EntryKind;
use basis_core::num::{Quantity, U256};
use basis_core::types::Item;
use basis_protocols::gas::{GasOperation, TRANSACTION};

use super::{Staking, StakingPool, change, quantity};
use crate::chain::{Changes, ETH, Transaction, WETH};
use crate::refusal::Refusal;

impl<P: StakingPool> Staking<P> {
    pub(super) fn operate(
        &mut self,
        transaction: &mut Transaction<'_>,
        operation: &Operation,
    ) -> Result<(), Refusal> {
        let names = P::NAMES;
        let ask = match operation {
            Operation::Stake(ask)
            | Operation::Unstake(ask)
            | Operation::Wrap(ask)
            | Operation::Unwrap(ask) => ask,
            Operation::ClaimUnstake(claim) => return self.claim_withdrawal(transaction, claim),
            Operation::ClaimRewards(claim) => return self.claim_rewards(transaction, claim),
            other => {
                return Err(Refusal::unsupported(
                    names.venue,
                    other.kind(),
                    names.operations,
                ));
            }
        };
        let (given, taken) = (ask.asset_in, ask.asset_out);
        match operation {
            Operation::Stake(_) if given == WETH => Err(Refusal::invalid(format!(
                "{} stakes ETH, not WETH: unwrap it first (unwrap at wallet; within an atomic group \
                 as a step before this one)",
                names.venue
            ))),
            Operation::Stake(_) if given == ETH && taken == names.rebasing => {
                self.stake(transaction, ask)
            }
            Operation::Stake(_) if given == ETH && taken == names.wrapped => {
                self.stake_wrapped(transaction, ask)
            }
            Operation::Wrap(_) if given == names.rebasing && taken == names.wrapped => {
                self.wrap(transaction, ask)
            }
            Operation::Unwrap(_) if given == names.wrapped && taken == names.rebasing => {
                self.unwrap(transaction, ask)
            }
            Operation::Unstake(_) if given == names.rebasing && taken == ETH => {
                self.redeem(transaction, ask)
            }
            Operation::Unstake(_) if given == names.wrapped && taken == ETH => {
                self.redeem_wrapped(transaction, ask)
            }
            other => Err(Refusal::invalid(format!(
                "{} does not {} {given} into {taken}; it stakes ETH into {r} or {w}, wraps {r} into \
                 {w} and back, and unstakes either into ETH",
                names.venue,
                other.kind(),
                r = names.rebasing,
                w = names.wrapped,
            ))),
        }
    }

    fn stake(&mut self, transaction: &mut Transaction<'_>, ask: &Ask) -> Result<(), Refusal> {
        transaction.spend_gas(gas_of(&[P::NAMES.gas.stake]));
        let amount = transaction.of_wallet(ETH, ask.amount);
        let wei = transaction.units(ETH, amount)?;
        transaction.require(ETH, amount)?;
        self.pool(transaction.view())?.stake(wei)?;
        let exchange = transaction.next_exchange();
        transaction.give(ETH, amount, exchange, true)?;
        self.shares_moved(transaction, exchange, false)
    }

    fn stake_wrapped(
        &mut self,
        transaction: &mut Transaction<'_>,
        ask: &Ask,
    ) -> Result<(), Refusal> {
        transaction.spend_gas(gas_of(&[P::NAMES.gas.stake, P::NAMES.gas.wrap]));
        let amount = transaction.of_wallet(ETH, ask.amount);
        let wei = transaction.units(ETH, amount)?;
        transaction.require(ETH, amount)?;
        let minted = self.pool(transaction.view())?.stake_wrapped(wei)?;
        let minted = transaction.amount(P::NAMES.wrapped, minted)?;
        transaction.exchange((ETH, amount), (P::NAMES.wrapped, minted))
    }

    fn wrap(&mut self, transaction: &mut Transaction<'_>, ask: &Ask) -> Result<(), Refusal> {
        transaction.spend_gas(gas_of(&[P::NAMES.gas.wrap]));
        let amount = self.rebasing_amount(transaction, ask.amount)?;
        let minted = self.pool(transaction.view())?.wrap(amount)?;
        let minted = transaction.amount(P::NAMES.wrapped, minted)?;
        let exchange = transaction.next_exchange();
        self.shares_moved(transaction, exchange, true)?;
        transaction.take(P::NAMES.wrapped, minted, exchange, false)
    }

    fn unwrap(&mut self, transaction: &mut Transaction<'_>, ask: &Ask) -> Result<(), Refusal> {
        transaction.spend_gas(gas_of(&[P::NAMES.gas.unwrap]));
        let (amount, wei) = wrapped_amount::<P>(transaction, ask.amount)?;
        self.pool(transaction.view())?.unwrap(wei)?;
        let exchange = transaction.next_exchange();
        transaction.give(P::NAMES.wrapped, amount, exchange, true)?;
        self.shares_moved(transaction, exchange, false)
    }

    fn redeem(&mut self, transaction: &mut Transaction<'_>, ask: &Ask) -> Result<(), Refusal> {
        let amount = self.rebasing_amount(transaction, ask.amount)?;
        let now = transaction.now();
        let requests = self.pool(transaction.view())?.request(amount, now)?;
        let exchange = transaction.next_exchange();
        self.shares_moved(transaction, exchange, true)?;
        self.join_queue(transaction, requests, exchange)
    }

    fn redeem_wrapped(
        &mut self,
        transaction: &mut Transaction<'_>,
        ask: &Ask,
    ) -> Result<(), Refusal> {
        let (_, wei) = wrapped_amount::<P>(transaction, ask.amount)?;
        // The contract unwraps into the queue.
        transaction.spend_gas(P::NAMES.gas.unwrap.gas().saturating_sub(TRANSACTION));
        let now = transaction.now();
        let pool = self.pool(transaction.view())?;
        let (taken, requests) = pool.request_wrapped(wei, now)?;
        let taken = transaction.amount(P::NAMES.wrapped, taken)?;
        let exchange = transaction.next_exchange();
        transaction.give(P::NAMES.wrapped, taken, exchange, true)?;
        self.join_queue(transaction, requests, exchange)
    }

    /// So much of the rebasing token as is asked, in wei; the wallet must hold it.
    fn rebasing_amount(
        &self,
        transaction: &Transaction<'_>,
        amount: AmountOrAll,
    ) -> Result<U256, Refusal> {
        let asset = P::NAMES.rebasing;
        let available = quantity(self.booked.1)?;
        let needed = match amount {
            AmountOrAll::Exactly(amount) => amount,
            AmountOrAll::All => available,
        };
        let wei = transaction.units(asset, needed)?;
        if needed > available {
            let reason = Rejection::InsufficientBalance {
                asset,
                needed,
                available,
            };
            return Err(Refusal::rejected(reason, None));
        }
        Ok(wei)
    }

    /// The side of `exchange` that is the rebasing token: all that it has gained or lost since it was
    /// reported.
    fn shares_moved(
        &mut self,
        transaction: &mut Transaction<'_>,
        exchange: u32,
        prices: bool,
    ) -> Result<(), Refusal> {
        let after = self.balance()?;
        let shares = change(self.booked.0, after.0)?;
        let units = change(self.booked.1, after.1)?;
        (self.booked, self.booked_at) = (after, transaction.now());
        transaction.trade(Self::SHARES, (shares, units), exchange, prices)
    }

    fn claim_rewards(
        &mut self,
        transaction: &mut Transaction<'_>,
        claim: &ClaimRewards,
    ) -> Result<(), Refusal> {
        transaction.spend_gas(gas_of(&[GasOperation::KingClaim, GasOperation::KingUnwrap]));
        let venue = P::NAMES.venue;
        let Some(rewards) = &mut self.rewards else {
            return Err(Refusal::invalid(format!("{venue} pays no rewards")));
        };
        let known = |asset| rewards.programs.iter().any(|p| p.asset == asset);
        if let Some(asset) = claim.asset
            && !known(asset)
        {
            let names: Vec<_> = rewards.programs.iter().map(|p| p.asset.as_str()).collect();
            return Err(Refusal::invalid(format!(
                "{venue} pays no {asset}; its rewards are {}",
                names.join(", ")
            )));
        }
        let mut any = false;
        for (program, claimable) in rewards.programs.iter().zip(&mut rewards.claimable) {
            if claim.asset.is_some_and(|asset| asset != program.asset) || claimable.is_zero() {
                continue;
            }
            any = true;
            let amount = std::mem::take(claimable);
            let (account, item) = (P::NAMES.rewards, Item::Asset(program.asset));
            let less = amount.neg()?;
            transaction.book(EntryKind::Transfer, (account, item), less, less)?;
            transaction.receive(program.asset, amount)?;
        }
        if any {
            return Ok(());
        }
        let text = format!("{venue}: no rewards wait to be claimed");
        Err(Refusal::other(text, Some("NothingToClaim()")))
    }
}

/// So many wrapped tokens as are asked, as an amount and in wei; the wallet must hold them.
fn wrapped_amount<P: StakingPool>(
    transaction: &Transaction<'_>,
    amount: AmountOrAll,
) -> Result<(Quantity, U256), Refusal> {
    let asset = P::NAMES.wrapped;
    let amount = transaction.of_wallet(asset, amount);
    let wei = transaction.units(asset, amount)?;
    transaction.require(asset, amount)?;
    Ok((amount, wei))
}

/// Gas of one transaction that does all of `operations`.
pub(super) fn gas_of(operations: &[GasOperation]) -> u64 {
    let own = |operation: &GasOperation| operation.gas().saturating_sub(TRANSACTION);
    operations
        .iter()
        .map(own)
        .fold(TRANSACTION, u64::saturating_add)
}
