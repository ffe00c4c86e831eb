//! Our pool tokens of a Curve StableSwap pool over a given state.
//!
//! Fees of exchanges stay in the pool's balances, so that what our tokens stand for grows by them.

use basis_core::error::Rejection;
use basis_core::num::uint256::{amount_of, mul_div_floor, units_of};
use basis_core::num::{Fixed18, Quantity, Rounding, U256};
use basis_core::types::{Asset, Label};
use basis_protocols::curve_stableswap::{Exchange, PerCoin, StableSwapError, Template};
use basis_protocols::gas::GasOperation;
use basis_sim::pools::{Earned, Moved, Scope, Stake, below_minimum, more_than_held, token};
use basis_sim::refusal::Refusal;

use super::state::{Opened, StablePool, refused};
use crate::curve::errors::REVERTS;

/// The contract's words for a withdrawal in one coin that pays less than the minimum. One of exact
/// amounts that burns too much is refused in the words of a deposit.
const TOO_LITTLE_OF_ONE: &str = "Not enough coins removed";

impl Opened {
    fn amounts(&self, units: &PerCoin) -> Result<Vec<Quantity>, Refusal> {
        let pairs = units.iter().zip(&self.decimals);
        pairs
            .map(|(units, decimals)| {
                Ok(Quantity::new(amount_of(*units, *decimals, Rounding::Down)?))
            })
            .collect()
    }
}

impl StablePool {
    /// Our pool tokens, if we have any.
    pub(super) fn pool_tokens(&self, name: Label) -> Result<Vec<Stake>, Refusal> {
        let Some(opened) = self.opened.as_ref().filter(|_| !self.ours.is_zero()) else {
            return Ok(Vec::new());
        };
        // A copy is burnt.
        let mut pool = opened.pool;
        let nothing = vec![U256::ZERO; opened.decimals.len()];
        let paid = pool.remove_liquidity(self.ours, &nothing);
        let paid = paid.map_err(|e| refused(name, &e))?;
        Ok(vec![Stake {
            ticks: None,
            liquidity: tokens(self.ours)?,
            units: opened.amounts(&paid)?,
            owed: Vec::new(),
        }])
    }

    /// What of an exchange's fee, in coin `to`, went to our tokens.
    pub(super) fn earned(
        &self,
        opened: &Opened,
        to: usize,
        exchange: &Exchange,
    ) -> Result<Option<Earned>, Refusal> {
        if self.ours.is_zero() || !self.own_size {
            return Ok(None);
        }
        let kept = exchange.fee.saturating_sub(exchange.admin_fee);
        let share = mul_div_floor(kept, self.ours, opened.pool.lp_supply())?;
        let decimals = opened.decimals.get(to).copied().unwrap_or_default();
        let amount = amount_of(share, decimals, Rounding::Down)?;
        Ok(Some(Earned {
            place: to,
            units: Quantity::new(amount),
        }))
    }

    /// Deposits exactly `amounts`, as `add_liquidity`.
    pub(super) fn deposit(
        &mut self,
        scope: Scope<'_, '_>,
        amounts: &[Quantity],
    ) -> Result<Moved, Refusal> {
        let wrong = |e: StableSwapError| refused(scope.name, &e);
        let mut opened = self.open(scope)?;
        let units = units_of_each(scope, amounts)?;
        let deposit = opened
            .pool
            .add_liquidity(&units, U256::ZERO)
            .map_err(wrong)?;
        if deposit.minted.is_zero() {
            return Err(Refusal::invalid(format!(
                "pool {}: the amounts are so little that it mints no pool token for them",
                scope.name
            )));
        }
        self.ours = self.ours.saturating_add(deposit.minted);
        self.opened = Some(Box::new(opened));
        Ok(Moved {
            liquidity: tokens(deposit.minted)?,
            amounts: amounts.to_vec(),
            gas: GasOperation::CurveAddLiquidity.gas(),
        })
    }

    /// Burns pool tokens for the same part of every coin, as `remove_liquidity`.
    pub(super) fn remove_in_proportion(
        &mut self,
        scope: Scope<'_, '_>,
        liquidity: Quantity,
    ) -> Result<Moved, Refusal> {
        let wrong = |e: StableSwapError| refused(scope.name, &e);
        let mut opened = self.open(scope)?;
        let burnt = units_of(liquidity.get(), Fixed18::DECIMALS, Rounding::Down)?;
        let nothing = vec![U256::ZERO; opened.decimals.len()];
        let paid = opened
            .pool
            .remove_liquidity(burnt, &nothing)
            .map_err(wrong)?;
        if opened.pool.parameters().template == Template::StableSwapNg {
            // What the contract does at the end of a withdrawal; the fees were never the pool's.
            opened.pool.withdraw_admin_fees();
        }
        let amounts = opened.amounts(&paid)?;
        self.burn(scope.name, opened, burnt)?;
        Ok(Moved {
            liquidity,
            amounts,
            gas: GasOperation::CurveRemoveLiquidity.gas(),
        })
    }

    /// Burns pool tokens for at least so much of one coin, as `remove_liquidity_one_coin`.
    ///
    /// # Errors
    /// [`Rejection::BelowMinimum`] in the contract's words; a refusal when it would pay no unit.
    pub(super) fn remove_one(
        &mut self,
        scope: Scope<'_, '_>,
        liquidity: Quantity,
        (asset, minimum): (Asset, Quantity),
    ) -> Result<Moved, Refusal> {
        let wrong = |e: StableSwapError| refused(scope.name, &e);
        let place = scope.assets.iter().position(|held| *held == asset);
        let coin = place
            .ok_or_else(|| Refusal::invalid(format!("pool {} has no coin {asset}", scope.name)))?;
        let mut opened = self.open(scope)?;
        let burnt = units_of(liquidity.get(), Fixed18::DECIMALS, Rounding::Down)?;
        let paid = opened
            .pool
            .remove_liquidity_one_coin(burnt, coin, U256::ZERO)
            .map_err(wrong)?;
        let amount = scope.transaction.amount(asset, paid.received)?;
        if amount < minimum {
            let reason = below_minimum(asset, amount, minimum);
            return Err(Refusal::rejected(reason, TOO_LITTLE_OF_ONE));
        }
        if amount.is_zero() {
            return Err(Refusal::invalid(format!(
                "pool {}: liquidity {liquidity} is so little that it pays no unit of {asset}",
                scope.name
            )));
        }
        let mut amounts = vec![Quantity::ZERO; scope.assets.len()];
        if let Some(place) = amounts.get_mut(coin) {
            *place = amount;
        }
        self.burn(scope.name, opened, burnt)?;
        Ok(Moved {
            liquidity,
            amounts,
            gas: GasOperation::CurveRemoveOneCoin.gas(),
        })
    }

    /// Takes exactly `amounts` for at most `maximum` pool tokens, as `remove_liquidity_imbalance`.
    ///
    /// # Errors
    /// [`Rejection::AboveMaximum`] in the contract's words;
    /// [`Rejection::InsufficientBalance`] when it costs more than we hold.
    pub(super) fn remove_exactly(
        &mut self,
        scope: Scope<'_, '_>,
        amounts: &[Quantity],
        maximum: Quantity,
    ) -> Result<Moved, Refusal> {
        let wrong = |e: StableSwapError| refused(scope.name, &e);
        let mut opened = self.open(scope)?;
        let units = units_of_each(scope, amounts)?;
        let burnt = opened
            .pool
            .remove_liquidity_imbalance(&units, U256::MAX)
            .map_err(wrong)?
            .burned;
        let liquidity = tokens(burnt)?;
        if liquidity > maximum {
            let reason = Rejection::AboveMaximum {
                what: "liquidity".into(),
                asset: token(scope.name)?,
                value: liquidity,
                maximum,
            };
            return Err(Refusal::rejected(reason, REVERTS.added));
        }
        self.burn(scope.name, opened, burnt)?;
        Ok(Moved {
            liquidity,
            amounts: amounts.to_vec(),
            gas: GasOperation::CurveRemoveImbalance.gas(),
        })
    }

    /// Takes `burnt` off our pool tokens and keeps the pool as it is after it.
    fn burn(&mut self, name: Label, opened: Opened, burnt: U256) -> Result<(), Refusal> {
        let Some(left) = self.ours.checked_sub(burnt) else {
            return Err(more_than_held(name, tokens(burnt)?, tokens(self.ours)?));
        };
        self.ours = left;
        self.opened = Some(Box::new(opened));
        Ok(())
    }
}

/// Base units of each amount, zeros allowed.
fn units_of_each(scope: Scope<'_, '_>, amounts: &[Quantity]) -> Result<Vec<U256>, Refusal> {
    let pairs = scope.assets.iter().zip(amounts);
    pairs
        .map(|(asset, amount)| match amount.is_positive() {
            true => scope.transaction.units(*asset, *amount),
            false => Ok(U256::ZERO),
        })
        .collect()
}

/// Pool tokens as a quantity; they have 18 decimals.
fn tokens(units: U256) -> Result<Quantity, Refusal> {
    Ok(Quantity::new(amount_of(
        units,
        Fixed18::DECIMALS,
        Rounding::Down,
    )?))
}
