//! Supplying, withdrawing, and using supply as collateral.

use super::error::{PoolError, Revert, require};
use super::limbs::long;
use super::market::{Outcome, bit};
use super::math::{add, ray_mul};
use super::reserve::Reserve;
use super::scaled::balance_of;
use super::{ALL, Market, ReserveId, Seconds, UserId};
use basis_core::num::U256;

impl Market {
    /// Supplies `amount` base units for the user; who pays is no matter. The first supply makes the
    /// reserve collateral where it can be. Mirrors `SupplyLogic.executeSupply`.
    ///
    /// # Errors
    /// [`PoolError::InvalidAmount`], `ReserveInactive`, `ReservePaused`, `ReserveFrozen`,
    /// `SupplyCapExceeded`, `InvalidMintAmount`; [`Revert::Cast`] for an amount beyond 128 bits.
    /// Nothing changes then.
    pub fn supply(
        &mut self,
        user: UserId,
        reserve: ReserveId,
        amount: U256,
        now: Seconds,
    ) -> Result<Outcome, Revert> {
        self.attempt([Some(reserve), None, None], [Some(user), None], |market| {
            let (version, held) = (market.version, market.rates_held);
            let cell = market.reserve_mut(reserve)?;
            cell.update_state(now)?;
            validate_supply(cell, amount)?;
            cell.update_rates(version, held, amount, U256::ZERO)?;
            cell.receive(version, amount)?;
            let index = cell.state.liquidity_index_ray;
            let first_supply = market.position(user, reserve)?.scaled_supply == 0;
            let scaled =
                market.with_supply(user, reserve, |holding| holding.mint(amount, long(index)))?;
            let enabled = first_supply && market.enable_collateral_by_itself(user, reserve)?;
            market.outcome(reserve, amount, scaled, index, enabled.then_some(true))
        })
    }

    /// Withdraws `amount` base units, or with [`ALL`] the user's whole balance. A withdrawal of the
    /// whole balance ends the reserve's use as collateral. Mirrors `SupplyLogic.executeWithdraw`.
    ///
    /// # Errors
    /// [`PoolError::InvalidAmount`], `NotEnoughAvailableUserBalance`, `ReserveInactive`,
    /// `ReservePaused`, `InvalidBurnAmount`, `HealthFactorLowerThanThreshold`,
    /// `LtvValidationFailed`; [`Revert::Arithmetic`] (or, in 3.0 without any debt in the reserve,
    /// [`Revert::Underlying`]) for more than the reserve holds. Nothing changes then.
    pub fn withdraw(
        &mut self,
        user: UserId,
        reserve: ReserveId,
        amount: U256,
        now: Seconds,
    ) -> Result<Outcome, Revert> {
        self.attempt([Some(reserve), None, None], [Some(user), None], |market| {
            let (version, held) = (market.version, market.rates_held);
            let scaled_balance = market.position(user, reserve)?.scaled_supply;
            let cell = market.reserve_mut(reserve)?;
            cell.update_state(now)?;
            let index = cell.state.liquidity_index_ray;
            let balance = balance_of(scaled_balance, long(index))?;
            let amount = if amount == ALL { balance } else { amount };
            require(!amount.is_zero(), PoolError::InvalidAmount)?;
            require(amount <= balance, PoolError::NotEnoughAvailableUserBalance)?;
            cell.config.require_active()?;
            cell.update_rates(version, held, U256::ZERO, amount)?;
            let account = market.account_mut(user)?;
            let is_collateral = account.collateral & bit(reserve) != 0;
            let disabled = is_collateral && amount == balance;
            if disabled {
                account.collateral &= !bit(reserve);
            }
            let borrows = account.borrowing != 0;
            let scaled =
                market.with_supply(user, reserve, |holding| holding.burn(amount, long(index)))?;
            market.reserve_mut(reserve)?.pay_out(version, amount)?;
            if is_collateral && borrows {
                market.require_healthy_and_ltv(user, reserve, now)?;
            }
            market.outcome(reserve, amount, scaled, index, disabled.then_some(false))
        })
    }

    /// Makes the reserve collateral of the user, or ends that. Returns whether anything changed.
    /// Mirrors `SupplyLogic.executeUseReserveAsCollateral` (`setUserUseReserveAsCollateral`).
    ///
    /// # Errors
    /// [`PoolError::UnderlyingBalanceZero`], `ReserveInactive`, `ReservePaused`,
    /// `UserInIsolationModeOrLtvZero`, `HealthFactorLowerThanThreshold`, `LtvValidationFailed`.
    /// Nothing changes then.
    pub fn set_use_as_collateral(
        &mut self,
        user: UserId,
        reserve: ReserveId,
        used: bool,
        now: Seconds,
    ) -> Result<bool, Revert> {
        let balance = self.supply_balance(user, reserve, now)?;
        require(!balance.is_zero(), PoolError::UnderlyingBalanceZero)?;
        let config = self.reserve(reserve)?.config;
        config.require_active()?;
        let account = *self.account(user)?;
        if used == (account.collateral & bit(reserve) != 0) {
            return Ok(false);
        }
        if used {
            require(
                self.can_use_as_collateral(&account, &config)?,
                PoolError::UserInIsolationModeOrLtvZero,
            )?;
            self.account_mut(user)?.collateral |= bit(reserve);
            return Ok(true);
        }
        self.attempt([None; 3], [Some(user), None], |market| {
            market.account_mut(user)?.collateral &= !bit(reserve);
            market.require_healthy_and_ltv(user, reserve, now)?;
            Ok(true)
        })
    }

    /// Mirrors `ValidationLogic.validateHFAndLtv`: collateral without a loan to value leaves first.
    fn require_healthy_and_ltv(
        &self,
        user: UserId,
        reserve: ReserveId,
        now: Seconds,
    ) -> Result<(), Revert> {
        let has_zero_ltv_collateral = self.require_healthy(user, now)?;
        require(
            !has_zero_ltv_collateral || self.reserve(reserve)?.config.ltv_bps == 0,
            PoolError::LtvValidationFailed,
        )
    }
}

/// Mirrors `ValidationLogic.validateSupply`.
fn validate_supply(reserve: &Reserve, amount: U256) -> Result<(), Revert> {
    let config = &reserve.config;
    require(!amount.is_zero(), PoolError::InvalidAmount)?;
    config.require_active()?;
    require(!config.frozen, PoolError::ReserveFrozen)?;
    if config.supply_cap == 0 {
        return Ok(());
    }
    let state = &reserve.state;
    let scaled = add(state.scaled_supply, long(state.accrued_to_treasury))?;
    let supplied = ray_mul(scaled, long(state.liquidity_index_ray))?;
    Market::require_cap(
        add(supplied, amount)?,
        config.supply_cap,
        config.unit(),
        PoolError::SupplyCapExceeded,
    )
}

#[cfg(test)]
mod tests {
    use super::super::test_market::{Desk, ETH, STAKED, USD, dollars, ether, refused};
    use super::super::{Version, math::RAY};
    use super::*;

    const BOTH: [Version; 2] = [Version::V3_0, Version::V3_2];

    #[test]
    fn the_first_supply_becomes_collateral_and_the_last_withdrawal_ends_it() {
        for version in BOTH {
            let mut desk = Desk::new(version);
            let first = desk.supply(1, ETH, 3);
            assert_eq!(first.collateral, Some(true));
            assert_eq!(first.scaled, 3 * 10_u128.pow(18));
            assert_eq!(first.index_ray, RAY);
            assert_eq!(desk.supply(1, ETH, 1).collateral, None);
            let part = desk
                .market
                .withdraw(UserId(1), ETH, ether(1), desk.now)
                .unwrap();
            assert_eq!(part.collateral, None);
            let rest = desk.market.withdraw(UserId(1), ETH, ALL, desk.now).unwrap();
            assert_eq!((rest.amount, rest.collateral), (ether(3), Some(false)));
            assert_eq!(desk.market.account(UserId(1)).unwrap().collateral, 0);
        }
    }

    #[test]
    fn flags_refuse_supply_in_the_pools_order() {
        for version in BOTH {
            let mut desk = Desk::new(version);
            let mut config = *desk.market.reserve(ETH).unwrap().config();
            config.frozen = true;
            desk.market.set_config(ETH, config, desk.now).unwrap();
            let try_supply = |desk: &mut Desk, amount| {
                let now = desk.now;
                refused(desk.market.supply(UserId(1), ETH, amount, now))
            };
            assert_eq!(try_supply(&mut desk, U256::ZERO), 26);
            assert_eq!(try_supply(&mut desk, ether(1)), 28);
            config.paused = true;
            desk.market.set_config(ETH, config, desk.now).unwrap();
            assert_eq!(try_supply(&mut desk, ether(1)), 29);
            config.active = false;
            desk.market.set_config(ETH, config, desk.now).unwrap();
            assert_eq!(try_supply(&mut desk, ether(1)), 27);
        }
    }

    #[test]
    fn the_supply_cap_holds_to_the_unit() {
        for version in BOTH {
            let mut desk = Desk::new(version);
            let supplied = desk.market.reserve(USD).unwrap().state().scaled_supply;
            let mut config = *desk.market.reserve(USD).unwrap().config();
            config.supply_cap = 2_000_000;
            desk.market.set_config(USD, config, desk.now).unwrap();
            let room = dollars(2_000_000) - supplied;
            let over = room + U256::ONE;
            let now = desk.now;
            let mut try_supply = |amount| desk.market.supply(UserId(1), USD, amount, now);
            assert_eq!(refused(try_supply(over)), 51);
            assert!(try_supply(room).is_ok());
            assert_eq!(refused(try_supply(U256::ONE)), 51);
        }
    }

    #[test]
    fn withdrawing_beyond_balance_health_or_cash_is_refused() {
        for version in BOTH {
            let mut desk = Desk::new(version);
            desk.supply(1, ETH, 10);
            desk.borrow(1, USD, 20_000);
            let now = desk.now;
            let mut withdraw =
                |user, id, amount| desk.market.withdraw(UserId(user), id, amount, now);
            assert_eq!(refused(withdraw(1, ETH, U256::ZERO)), 26);
            assert_eq!(refused(withdraw(1, ETH, ether(11))), 32);
            assert_eq!(refused(withdraw(1, ETH, ether(5))), 35);
            assert_eq!(
                withdraw(0, USD, dollars(990_000)).unwrap_err(),
                Revert::Arithmetic,
                "20,000 of the million are lent"
            );
        }
    }

    #[test]
    fn cash_missing_without_any_debt_is_the_tokens_refusal_in_3_0() {
        for version in BOTH {
            let mut desk = Desk::new(version);
            let cell = desk.market.reserve_mut(USD).unwrap();
            cell.state.cash = dollars(5);
            let refusal = desk
                .market
                .withdraw(UserId(0), USD, dollars(6), desk.now)
                .unwrap_err();
            let expected = if version == Version::V3_0 {
                Revert::Underlying
            } else {
                Revert::Arithmetic
            };
            assert_eq!(refusal, expected);
        }
    }

    #[test]
    fn collateral_is_switched_only_with_balance_and_health() {
        for version in BOTH {
            let mut desk = Desk::new(version);
            let now = desk.now;
            let set = |desk: &mut Desk, id, used| {
                desk.market.set_use_as_collateral(UserId(1), id, used, now)
            };
            assert_eq!(refused(set(&mut desk, ETH, true)), 43);
            desk.supply(1, ETH, 10);
            assert_eq!(set(&mut desk, ETH, true), Ok(false));
            desk.borrow(1, USD, 20_000);
            assert_eq!(refused(set(&mut desk, ETH, false)), 35);
            desk.supply(1, STAKED, 10);
            assert_eq!(set(&mut desk, ETH, false), Ok(true));
            assert_eq!(set(&mut desk, ETH, true), Ok(true));
        }
    }

    #[test]
    fn collateral_that_lost_its_loan_to_value_leaves_first() {
        for version in BOTH {
            let mut desk = Desk::new(version);
            desk.supply(1, ETH, 10);
            desk.supply(1, STAKED, 10);
            desk.borrow(1, USD, 1_000);
            let mut config = *desk.market.reserve(STAKED).unwrap().config();
            config.ltv_bps = 0;
            desk.market.set_config(STAKED, config, desk.now).unwrap();
            let now = desk.now;
            let mut withdraw = |id| desk.market.withdraw(UserId(1), id, ether(1), now);
            assert_eq!(refused(withdraw(ETH)), 57);
            assert!(withdraw(STAKED).is_ok());
            let used = desk
                .market
                .set_use_as_collateral(UserId(1), STAKED, true, now);
            assert_eq!(used, Ok(false));
        }
    }

    #[test]
    fn isolated_collateral_stands_alone() {
        for version in BOTH {
            let mut desk = Desk::new(version);
            let mut config = *desk.market.reserve(STAKED).unwrap().config();
            config.debt_ceiling = 1_000_000;
            desk.market.set_config(STAKED, config, desk.now).unwrap();
            // Isolated collateral is never enabled by itself.
            assert_eq!(desk.supply(1, STAKED, 10).collateral, None);
            let now = desk.now;
            let on = desk
                .market
                .set_use_as_collateral(UserId(1), STAKED, true, now);
            assert_eq!(on, Ok(true));
            // Nothing else can join it.
            assert_eq!(desk.supply(1, ETH, 10).collateral, None);
            let join = desk.market.set_use_as_collateral(UserId(1), ETH, true, now);
            assert_eq!(refused(join), 62);
        }
    }
}
