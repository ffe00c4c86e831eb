//! Our positions in a Uniswap V3 pool over a given state.
//!
//! Each range is one position, as the position manager keeps them: minting more into it adds to it.
//! Burning collects what was burnt; fees stay until they are collected.

use basis_core::num::uint256::amount_of;
use basis_core::num::{Fixed18, Quantity, Rounding, U256};
use basis_core::types::{Label, TickRange};
use basis_protocols::gas::{GasOperation, TRANSACTION};
use basis_protocols::uniswap_v3::{
    Amounts, Owner, PositionKey, UniswapV3Error, liquidity_for_amounts, sqrt_ratio_at_tick,
};
use basis_sim::pools::{Moved, Scope, Stake};
use basis_sim::refusal::Refusal;

use super::state::{Opened, RangePool, refused};

/// Ourselves.
const OURS: Owner = Owner([1; 20]);

fn key(ticks: TickRange) -> PositionKey {
    PositionKey {
        owner: OURS,
        tick_lower: ticks.lower(),
        tick_upper: ticks.upper(),
    }
}

/// A liquidity as a quantity: the contract's integer ÷ 10^18.
fn quantity(name: Label, liquidity: u128) -> Result<Quantity, Refusal> {
    let mantissa = i128::try_from(liquidity).map_err(|e| {
        Refusal::invalid(format!(
            "pool {name}: liquidity {liquidity} is too much: {e}"
        ))
    })?;
    Ok(Quantity::new(Fixed18::from_mantissa(mantissa)))
}

impl Opened {
    fn amounts(&self, amounts: Amounts) -> Result<Vec<Quantity>, Refusal> {
        let amounts = [amounts.amount0, amounts.amount1];
        let pairs = amounts
            .into_iter()
            .zip([self.decimals.token0, self.decimals.token1]);
        pairs
            .map(|(units, decimals)| Ok(Quantity::new(amount_of(units, decimals, Rounding::Down)?)))
            .collect()
    }

    pub(super) fn stake(&self, name: Label, ticks: TickRange) -> Result<Stake, Refusal> {
        let key = key(ticks);
        let position = self
            .pool
            .position_to_date(&key)
            .map_err(|e| refused(name, &e))?;
        let owed = Amounts {
            amount0: U256::from(position.tokens_owed0),
            amount1: U256::from(position.tokens_owed1),
        };
        Ok(Stake {
            ticks: Some(ticks),
            liquidity: quantity(name, position.liquidity)?,
            units: self.amounts(self.pool.principal(&key))?,
            owed: self.amounts(owed)?,
        })
    }
}

impl RangePool {
    /// Mints as much as `most` pays for, as `NonfungiblePositionManager.mint` and `increaseLiquidity`.
    pub(super) fn mint(
        &mut self,
        scope: Scope<'_, '_>,
        ticks: TickRange,
        most: &[Quantity],
    ) -> Result<Moved, Refusal> {
        let name = scope.name;
        let wrong = |e: UniswapV3Error| refused(name, &e);
        let mut opened = self.open(scope)?;
        let mut units = [U256::ZERO; 2];
        for (place, (asset, amount)) in units.iter_mut().zip(scope.assets.iter().zip(most)) {
            if amount.is_positive() {
                *place = scope.transaction.units(*asset, *amount)?;
            }
        }
        let [amount0, amount1] = units;
        let liquidity = liquidity_for_amounts(
            opened.pool.state().sqrt_price_x96,
            sqrt_ratio_at_tick(ticks.lower()).map_err(wrong)?,
            sqrt_ratio_at_tick(ticks.upper()).map_err(wrong)?,
            Amounts { amount0, amount1 },
        );
        let liquidity = liquidity.map_err(wrong)?;
        if liquidity == 0 {
            let (price, tick) = (opened.pool.state().sqrt_price_x96, opened.pool.state().tick);
            return Err(Refusal::invalid(format!(
                "pool {name}: the amounts are too little for any liquidity from {} to {}, or of the wrong \
                 asset: the pool stands at tick {tick} (sqrt price {price})",
                ticks.lower(),
                ticks.upper()
            )));
        }
        let paid = opened.pool.mint(key(ticks), liquidity).map_err(wrong)?;
        let amounts = opened.amounts(paid)?;
        let gas = match self.ours.binary_search(&ticks) {
            Ok(_) => GasOperation::UniswapV3Increase,
            Err(place) => {
                self.ours.insert(place, ticks);
                GasOperation::UniswapV3Mint
            }
        };
        self.opened = Some(opened);
        Ok(Moved {
            liquidity: quantity(name, liquidity)?,
            amounts,
            gas: gas.gas(),
        })
    }

    /// Burns `liquidity` and collects what it paid: `decreaseLiquidity` and `collect` in one
    /// `multicall`. The fees stay.
    pub(super) fn burn(
        &mut self,
        scope: Scope<'_, '_>,
        ticks: TickRange,
        liquidity: Quantity,
    ) -> Result<Moved, Refusal> {
        let name = scope.name;
        let wrong = |e: UniswapV3Error| refused(name, &e);
        let mut opened = self.open(scope)?;
        let burnt = u128::try_from(liquidity.get().mantissa())
            .map_err(|e| Refusal::invalid(format!("pool {name}: liquidity {liquidity}: {e}")))?;
        let paid = opened.pool.burn(key(ticks), burnt).map_err(wrong)?;
        opened.take(name, ticks, paid)?;
        let amounts = opened.amounts(paid)?;
        self.opened = Some(opened);
        self.forget_empty();
        let (burn, collect) = (GasOperation::UniswapV3Burn, GasOperation::UniswapV3Collect);
        Ok(Moved {
            liquidity,
            amounts,
            gas: burn
                .gas()
                .saturating_add(collect.gas())
                .saturating_sub(TRANSACTION),
        })
    }

    /// Pays out the fees of a position, `NonfungiblePositionManager.collect`, with the gas.
    pub(super) fn collect_fees(
        &mut self,
        scope: Scope<'_, '_>,
        ticks: TickRange,
    ) -> Result<(Vec<Quantity>, u64), Refusal> {
        let name = scope.name;
        let wrong = |e: UniswapV3Error| refused(name, &e);
        let mut opened = self.open(scope)?;
        let nothing = || {
            Refusal::other(
                format!(
                    "pool {name} owes no fees to a position of ours from {} to {}",
                    ticks.lower(),
                    ticks.upper()
                ),
                None,
            )
        };
        if !self.ours.contains(&ticks) {
            return Err(nothing());
        }
        if opened.stake(name, ticks)?.liquidity.is_positive() {
            // Credits the fees so far.
            opened.pool.burn(key(ticks), 0).map_err(wrong)?;
        }
        let paid = opened
            .pool
            .collect(key(ticks), u128::MAX, u128::MAX)
            .map_err(wrong)?;
        if paid == Amounts::default() {
            return Err(nothing());
        }
        let amounts = opened.amounts(paid)?;
        self.opened = Some(opened);
        self.forget_empty();
        Ok((amounts, GasOperation::UniswapV3Collect.gas()))
    }

    /// Drops positions without liquidity and fees.
    fn forget_empty(&mut self) {
        let Some(opened) = &self.opened else { return };
        self.ours.retain(|ticks| {
            let position = opened.pool.position_to_date(&key(*ticks));
            position.is_ok_and(|p| p.liquidity > 0 || p.tokens_owed0 > 0 || p.tokens_owed1 > 0)
        });
    }
}

impl Opened {
    /// Collects exactly `amounts`, which a burn has just credited.
    fn take(&mut self, name: Label, ticks: TickRange, amounts: Amounts) -> Result<(), Refusal> {
        let low = |units: U256| {
            u128::try_from(units)
                .map_err(|e| Refusal::invalid(format!("pool {name}: {units} beyond 128 bits: {e}")))
        };
        let (amount0, amount1) = (low(amounts.amount0)?, low(amounts.amount1)?);
        let collected = self.pool.collect(key(ticks), amount0, amount1);
        collected.map_err(|e| refused(name, &e))?;
        Ok(())
    }
}
