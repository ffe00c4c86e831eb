//! Our liquidity in pools that have a state.
//!
//! A position is reported by what its pool says of it now: its liquidity, what burning all of it would
//! pay of each asset, what it may collect. An operation compares that before and after. What moved
//! on purpose is a `transfer` between wallet and position; beside it
//!
//! - one asset turned into another (a swap of ours moved the price, a deposit or a withdrawal was out of
//!   proportion) is an exchange without a quantity: what left prices what came;
//! - fees that swaps earned are `liquidity_fee`: to collect at Uniswap, in the units at Curve;
//! - units that the pool's rounding moves alone are `fee`.
//!
//! Changes of the position are in the account `<venue>.<pool>`. What a pool does by itself is an accrual
//! of each position.

use basis_core::error::Rejection;
use basis_core::instruction::{AddLiquidity, CollectFees, RemoveLiquidity, Withdrawal};
use basis_core::ledger::EntryKind;
use basis_core::num::Quantity;
use basis_core::types::{Account, Item, Label};

use super::accruals::{difference, turn};
use super::requests::{below_minimum, token, unreachable};
use super::{Pool, SimulatedDex};
use crate::chain::{Changes, Transaction};
use crate::refusal::Refusal;

impl SimulatedDex {
    /// The pool of this name, taken out by its place.
    pub(super) fn place_of(&self, name: Label) -> Result<usize, Refusal> {
        let at = self.pools.iter().position(|pool| pool.name == name);
        at.ok_or_else(|| self.unknown(name))
    }

    fn liquid(&self, name: Label) -> Result<(usize, &Pool, Account), Refusal> {
        let at = self.place_of(name)?;
        let pool = self.pools.get(at).ok_or_else(|| self.unknown(name))?;
        pool.check_state()?;
        Ok((at, pool, pool.account(self.venue)))
    }

    pub(super) fn add_liquidity(
        &mut self,
        transaction: &mut Transaction<'_>,
        ask: &AddLiquidity,
    ) -> Result<(), Refusal> {
        let (at, pool, account) = self.liquid(ask.pool)?;
        let ticks = pool.ticks(ask.ticks)?;
        pool.check_amounts("amounts", &ask.amounts)?;
        for (asset, amount) in pool.assets.iter().zip(&ask.amounts) {
            if amount.is_positive() {
                transaction.units(*asset, *amount)?;
            }
        }
        if ask.amounts.iter().all(|amount| amount.is_zero()) {
            return Err(Refusal::invalid(format!(
                "pool {}: nothing would be added; give more than zero of {}",
                ask.pool,
                pool.assets_text()
            )));
        }
        let minimum = Quantity::new(ask.minimum_liquidity);
        if minimum.is_negative() {
            let text = format!(
                "pool {}: minimum_liquidity {minimum} is below zero",
                ask.pool
            );
            return Err(Refusal::invalid(text));
        }
        let before = pool.stake(ticks)?;
        let (token, too_little) = (token(pool.name)?, self.words.added);
        let pool = self
            .pools
            .get_mut(at)
            .ok_or_else(|| unreachable(ask.pool))?;
        let (contract, scope) = pool.opened(transaction)?;
        let moved = contract.add(scope, ticks, &ask.amounts)?;
        if moved.liquidity < minimum {
            let reason = Rejection::BelowMinimum {
                what: "liquidity".into(),
                asset: token,
                value: moved.liquidity,
                minimum,
            };
            return Err(Refusal::rejected(reason, too_little));
        }
        let items = pool.items(ticks);
        for (asset, amount) in pool.assets.iter().zip(&moved.amounts) {
            if !amount.is_zero() {
                transaction.pay(*asset, *amount)?;
            }
        }
        for (item, amount) in items.iter().zip(&moved.amounts) {
            transaction.book(
                EntryKind::Transfer,
                (account, *item),
                moved.liquidity,
                *amount,
            )?;
        }
        let after = pool.stake(ticks)?;
        let mut rest = difference(&after.units, &before.units)?;
        rest = difference(&rest, &moved.amounts)?;
        let number = transaction.next_exchange();
        turn(transaction, account, &items, &rest, number)?;
        pool.note(transaction.now(), &after);
        transaction.spend_gas(moved.gas);
        Ok(())
    }

    pub(super) fn remove_liquidity(
        &mut self,
        transaction: &mut Transaction<'_>,
        ask: &RemoveLiquidity,
    ) -> Result<(), Refusal> {
        let (at, pool, account) = self.liquid(ask.pool)?;
        pool.check_withdrawal(&ask.withdrawal)?;
        let ticks = pool.ticks(ask.withdrawal.ticks())?;
        let before = pool.stake(ticks)?;
        let too_little = self.words.removed;
        let pool = self
            .pools
            .get_mut(at)
            .ok_or_else(|| unreachable(ask.pool))?;
        let moved = pool.withdraw(transaction, &ask.withdrawal, &before)?;
        if let Withdrawal::InProportion { minimum_out, .. } = &ask.withdrawal {
            let minima = minimum_out.iter().zip(&pool.assets);
            for (amount, (minimum, asset)) in moved.amounts.iter().zip(minima) {
                if amount < minimum {
                    let reason = below_minimum(*asset, *amount, *minimum);
                    return Err(Refusal::rejected(reason, too_little));
                }
            }
        }
        let items = pool.items(ticks);
        let after = pool.stake(ticks)?;
        let mut rest = difference(&after.units, &before.units)?;
        for (place, (item, amount)) in rest.iter_mut().zip(items.iter().zip(&moved.amounts)) {
            let (quantity, units) = (moved.liquidity.neg()?, amount.neg()?);
            transaction.book(EntryKind::Transfer, (account, *item), quantity, units)?;
            *place = place.add(*amount)?;
        }
        for (asset, amount) in pool.assets.iter().zip(&moved.amounts) {
            if !amount.is_zero() {
                transaction.receive(*asset, *amount)?;
            }
        }
        let number = transaction.next_exchange();
        turn(transaction, account, &items, &rest, number)?;
        pool.note(transaction.now(), &after);
        transaction.spend_gas(moved.gas);
        Ok(())
    }

    pub(super) fn collect_fees(
        &mut self,
        transaction: &mut Transaction<'_>,
        ask: &CollectFees,
    ) -> Result<(), Refusal> {
        let (at, pool, account) = self.liquid(ask.pool)?;
        let ticks = pool.ticks(ask.ticks)?;
        let pool = self
            .pools
            .get_mut(at)
            .ok_or_else(|| unreachable(ask.pool))?;
        let (contract, scope) = pool.opened(transaction)?;
        let (amounts, gas) = contract.collect(scope, ticks)?;
        for (asset, amount) in pool.assets.iter().zip(amounts) {
            if !amount.is_zero() {
                let (kind, item, units) = (EntryKind::Transfer, Item::Asset(*asset), amount.neg()?);
                transaction.book(kind, (account, item), units, units)?;
                transaction.receive(*asset, amount)?;
            }
        }
        pool.note(transaction.now(), &pool.stake(ticks)?);
        transaction.spend_gas(gas);
        Ok(())
    }
}
