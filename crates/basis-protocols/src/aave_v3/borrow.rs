//! Borrowing and repaying.

use super::e_mode::HEALTHY;
use super::error::{PoolError, Revert, require};
use super::limbs::long;
use super::market::{Account, Outcome, bit, first, isolated_debt};
use super::math::{add, percent_div, ray_mul};
use super::{ALL, Market, ReserveId, Seconds, UserId, Version};
use basis_core::num::U256;

/// Who repays.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Payer {
    /// The debtor.
    Debtor,
    /// Somebody else, who has to name an amount.
    Other,
}

impl Market {
    /// Borrows `amount` base units at the variable rate. Mirrors `BorrowLogic.executeBorrow`.
    ///
    /// # Errors
    /// [`PoolError::InvalidAmount`], `ReserveInactive`, `ReservePaused`, `ReserveFrozen`,
    /// `BorrowingNotEnabled`, `BorrowCapExceeded`, `AssetNotBorrowableInIsolation`,
    /// `DebtCeilingExceeded`, `InconsistentEModeCategory` (3.0) or `NotBorrowableInEMode` (3.2),
    /// `CollateralBalanceIsZero`, `LtvValidationFailed`, `HealthFactorLowerThanThreshold`,
    /// `CollateralCannotCoverNewBorrow`, `SiloedBorrowingViolation`, `InvalidMintAmount`;
    /// [`Revert::Arithmetic`] for more than the reserve holds. Nothing changes then.
    pub fn borrow(
        &mut self,
        user: UserId,
        reserve: ReserveId,
        amount: U256,
        now: Seconds,
    ) -> Result<Outcome, Revert> {
        let isolated = self.isolation_mode(self.account(user)?)?;
        let collateral = isolated.map(|(collateral, _)| collateral);
        let touched = [Some(reserve), None, collateral];
        self.attempt(touched, [Some(user), None], |market| {
            let (version, held) = (market.version, market.rates_held);
            market.reserve_mut(reserve)?.update_state(now)?;
            market.validate_borrow(user, reserve, amount, isolated, now)?;
            let cell = market.reserve(reserve)?;
            let index = cell.state.variable_borrow_index_ray;
            let decimals = cell.config.decimals;
            let first_debt = market.position(user, reserve)?.scaled_debt == 0;
            let scaled =
                market.with_debt(user, reserve, |holding| holding.mint(amount, long(index)))?;
            if first_debt {
                market.account_mut(user)?.borrowing |= bit(reserve);
            }
            if let Some(collateral) = collateral {
                let more = isolated_debt(amount, decimals)?;
                let state = &mut market.reserve_mut(collateral)?.state;
                state.isolation_total_debt = state
                    .isolation_total_debt
                    .checked_add(more)
                    .ok_or(Revert::Arithmetic)?;
            }
            let cell = market.reserve_mut(reserve)?;
            cell.update_rates(version, held, U256::ZERO, amount)?;
            cell.pay_out(version, amount)?;
            market.outcome(reserve, amount, scaled, index, None)
        })
    }

    /// Repays up to `amount` base units of the user's variable debt, or with [`ALL`] all of it.
    /// Returns what was really repaid. Mirrors `BorrowLogic.executeRepay`.
    ///
    /// # Errors
    /// [`PoolError::InvalidAmount`], `NoExplicitAmountToRepayOnBehalf`, `ReserveInactive`,
    /// `ReservePaused`, `NoDebtOfSelectedType`, `InvalidBurnAmount`. Nothing changes then.
    pub fn repay(
        &mut self,
        user: UserId,
        reserve: ReserveId,
        amount: U256,
        payer: Payer,
        now: Seconds,
    ) -> Result<Outcome, Revert> {
        let isolated = self.isolation_mode(self.account(user)?)?;
        let touched = [Some(reserve), None, isolated.map(|(id, _)| id)];
        self.attempt(touched, [Some(user), None], |market| {
            let (version, held) = (market.version, market.rates_held);
            market.reserve_mut(reserve)?.update_state(now)?;
            let debt = market.debt_balance(user, reserve, now)?;
            require(!amount.is_zero(), PoolError::InvalidAmount)?;
            require(
                amount != ALL || payer == Payer::Debtor,
                PoolError::NoExplicitAmountToRepayOnBehalf,
            )?;
            let cell = market.reserve(reserve)?;
            cell.config.require_active()?;
            require(!debt.is_zero(), PoolError::NoDebtOfSelectedType)?;
            let index = cell.state.variable_borrow_index_ray;
            let repaid = debt.min(amount);
            let scaled =
                market.with_debt(user, reserve, |holding| holding.burn(repaid, long(index)))?;
            let cell = market.reserve_mut(reserve)?;
            cell.update_rates(version, held, repaid, U256::ZERO)?;
            if repaid == debt {
                market.account_mut(user)?.borrowing &= !bit(reserve);
            }
            market.repay_isolated(user, reserve, repaid)?;
            market.reserve_mut(reserve)?.receive(version, repaid)?;
            market.outcome(reserve, repaid, scaled, index, None)
        })
    }

    /// Mirrors `ValidationLogic.validateBorrow`, for a reserve whose interest has been accrued.
    fn validate_borrow(
        &self,
        user: UserId,
        reserve: ReserveId,
        amount: U256,
        isolated: Option<(ReserveId, u64)>,
        now: Seconds,
    ) -> Result<(), Revert> {
        require(!amount.is_zero(), PoolError::InvalidAmount)?;
        let cell = self.reserve(reserve)?;
        let (config, state) = (&cell.config, &cell.state);
        config.require_active()?;
        require(!config.frozen, PoolError::ReserveFrozen)?;
        require(config.borrowing_enabled, PoolError::BorrowingNotEnabled)?;
        if self.version == Version::V3_2 {
            let supply = ray_mul(state.scaled_supply, long(state.liquidity_index_ray))?;
            require(supply >= amount, PoolError::InvalidAmount)?;
        }
        if config.borrow_cap != 0 {
            Self::require_cap(
                add(cell.total_debt()?, amount)?,
                config.borrow_cap,
                config.unit(),
                PoolError::BorrowCapExceeded,
            )?;
        }
        if let Some((collateral, ceiling)) = isolated {
            require(
                config.borrowable_in_isolation,
                PoolError::AssetNotBorrowableInIsolation,
            )?;
            let owed = self.reserve(collateral)?.state.isolation_total_debt;
            let owed = owed
                .checked_add(isolated_debt(amount, config.decimals)?)
                .ok_or(Revert::Arithmetic)?;
            require(owed <= u128::from(ceiling), PoolError::DebtCeilingExceeded)?;
        }
        let account = *self.account(user)?;
        self.require_borrowable_in_e_mode(&account, reserve)?;
        self.require_cover(user, reserve, amount, now)?;
        self.require_no_silo(&account, reserve)
    }

    /// The loan to value has to cover old and new debt at the oracle's prices.
    fn require_cover(
        &self,
        user: UserId,
        reserve: ReserveId,
        amount: U256,
        now: Seconds,
    ) -> Result<(), Revert> {
        let data = self.account_data(user, now)?;
        require(
            !data.total_collateral_base.is_zero(),
            PoolError::CollateralBalanceIsZero,
        )?;
        require(data.ltv_bps != 0, PoolError::LtvValidationFailed)?;
        require(
            data.health_factor_wad > HEALTHY,
            PoolError::HealthFactorLowerThanThreshold,
        )?;
        let value = self.reserve(reserve)?.value_of(amount)?;
        let needed = percent_div(add(data.total_debt_base, value)?, data.ltv_bps)?;
        require(
            needed <= data.total_collateral_base,
            PoolError::CollateralCannotCoverNewBorrow,
        )
    }

    /// A user in an e-mode borrows only what the category has.
    pub(super) fn require_borrowable_in_e_mode(
        &self,
        account: &Account,
        reserve: ReserveId,
    ) -> Result<(), Revert> {
        let Some((number, category)) = self.e_mode_of(account) else {
            return Ok(());
        };
        match self.version {
            Version::V3_0 => require(
                self.reserve(reserve)?.config.e_mode_category == number,
                PoolError::InconsistentEModeCategory,
            ),
            Version::V3_2 => require(
                category.borrowable & bit(reserve) != 0,
                PoolError::NotBorrowableInEMode,
            ),
        }
    }

    /// A siloed debt stands alone. Mirrors the use of `UserConfiguration.getSiloedBorrowingState`.
    pub(super) fn require_no_silo(
        &self,
        account: &Account,
        reserve: ReserveId,
    ) -> Result<(), Revert> {
        if account.borrowing == 0 {
            return Ok(());
        }
        let only = (account.borrowing.count_ones() == 1).then(|| first(account.borrowing));
        let siloed = match only {
            Some(id) if self.reserve(id)?.config.siloed_borrowing => Some(id),
            _ => None,
        };
        let fits = match siloed {
            Some(id) => id == reserve,
            None => !self.reserve(reserve)?.config.siloed_borrowing,
        };
        require(fits, PoolError::SiloedBorrowingViolation)
    }
}

#[cfg(test)]
mod tests {
    use super::super::ReserveConfig;
    use super::super::test_market::{Desk, ETH, STAKED, USD, dollars, ether, price, refused};
    use super::*;

    const BOTH: [Version; 2] = [Version::V3_0, Version::V3_2];

    fn configure(desk: &mut Desk, id: ReserveId, change: impl FnOnce(&mut ReserveConfig)) {
        let mut config = *desk.market.reserve(id).unwrap().config();
        change(&mut config);
        desk.market.set_config(id, config, desk.now).unwrap();
    }

    fn borrow(desk: &mut Desk, id: ReserveId, amount: U256) -> Result<Outcome, Revert> {
        desk.market.borrow(UserId(1), id, amount, desk.now)
    }

    #[test]
    fn debt_grows_by_interest_and_all_of_it_can_be_repaid() {
        for version in BOTH {
            let mut desk = Desk::new(version);
            desk.supply(1, ETH, 10);
            desk.borrow(1, USD, 10_000);
            desk.now += 30 * 24 * 3_600;
            let debt = desk.market.debt_balance(UserId(1), USD, desk.now).unwrap();
            assert!(debt > dollars(10_000));
            let part = desk
                .market
                .repay(UserId(1), USD, dollars(1), Payer::Other, desk.now)
                .unwrap();
            assert_eq!(part.amount, dollars(1));
            let rest = desk
                .market
                .repay(UserId(1), USD, ALL, Payer::Debtor, desk.now)
                .unwrap();
            assert_eq!(rest.amount, debt - dollars(1));
            assert_eq!(desk.market.account(UserId(1)).unwrap().borrowing, 0);
            assert_eq!(desk.market.position(UserId(1), USD).unwrap().scaled_debt, 0);
        }
    }

    #[test]
    fn repayments_are_refused_with_the_pools_numbers() {
        for version in BOTH {
            let mut desk = Desk::new(version);
            let now = desk.now;
            let mut repay =
                |amount, payer| refused(desk.market.repay(UserId(1), USD, amount, payer, now));
            assert_eq!(repay(U256::ZERO, Payer::Debtor), 26);
            assert_eq!(repay(ALL, Payer::Other), 40);
            assert_eq!(repay(ALL, Payer::Debtor), 39);
        }
    }

    #[test]
    fn a_repayment_above_the_debt_takes_only_the_debt() {
        let mut desk = Desk::new(Version::V3_2);
        desk.supply(1, ETH, 10);
        desk.borrow(1, USD, 100);
        let paid = desk
            .market
            .repay(UserId(1), USD, dollars(101), Payer::Other, desk.now)
            .unwrap();
        assert_eq!(paid.amount, dollars(100));
    }

    #[test]
    fn collateral_and_health_bound_a_borrow() {
        for version in BOTH {
            let mut desk = Desk::new(version);
            assert_eq!(refused(borrow(&mut desk, USD, dollars(1))), 34);
            desk.supply(1, ETH, 10);
            // 10 × 3,000 × 80.5 %.
            assert_eq!(refused(borrow(&mut desk, USD, dollars(24_151))), 36);
            assert!(borrow(&mut desk, USD, dollars(24_150)).is_ok());
            assert_eq!(refused(borrow(&mut desk, USD, dollars(1))), 36);
            desk.market.set_price(ETH, price(2_900)).unwrap();
            assert_eq!(refused(borrow(&mut desk, USD, dollars(1))), 35);
        }
    }

    #[test]
    fn more_than_the_reserve_has_is_refused_by_each_version_in_its_way() {
        for version in BOTH {
            let mut desk = Desk::new(version);
            desk.supply(1, STAKED, 100_000);
            let over = if version == Version::V3_0 {
                // Nothing stops it before the rates' subtraction.
                Revert::Arithmetic
            } else {
                PoolError::InvalidAmount.into()
            };
            assert_eq!(
                borrow(&mut desk, USD, dollars(1_000_001)).unwrap_err(),
                over
            );
            desk.borrow(1, USD, 900_000);
            let rest = borrow(&mut desk, USD, dollars(100_001));
            assert_eq!(rest.unwrap_err(), Revert::Arithmetic);
            assert!(borrow(&mut desk, USD, dollars(100_000)).is_ok());
        }
    }

    #[test]
    fn flags_caps_and_isolation_refuse_in_the_pools_order() {
        for version in BOTH {
            let mut desk = Desk::new(version);
            desk.supply(1, ETH, 10);
            configure(&mut desk, USD, |config| config.borrow_cap = 100);
            assert_eq!(refused(borrow(&mut desk, USD, dollars(101))), 50);
            configure(&mut desk, USD, |config| config.borrowing_enabled = false);
            assert_eq!(refused(borrow(&mut desk, USD, dollars(1))), 30);
            configure(&mut desk, USD, |config| config.frozen = true);
            assert_eq!(refused(borrow(&mut desk, USD, dollars(1))), 28);
            configure(&mut desk, ETH, |config| config.debt_ceiling = 50_000);
            assert_eq!(refused(borrow(&mut desk, STAKED, ether(1))), 60);
            configure(&mut desk, STAKED, |config| {
                config.borrowable_in_isolation = true;
            });
            // 0.01 USD is the unit, 500 the ceiling; the amount counts in the asset's own units.
            assert_eq!(refused(borrow(&mut desk, STAKED, ether(501))), 53);
        }
    }

    #[test]
    fn isolated_debt_is_counted_and_released() {
        for version in BOTH {
            let mut desk = Desk::new(version);
            configure(&mut desk, USD, |config| {
                config.borrowable_in_isolation = true;
            });
            desk.supply(1, ETH, 10);
            configure(&mut desk, ETH, |config| config.debt_ceiling = 100_000);
            desk.borrow(1, USD, 1_000);
            let owed = |desk: &Desk| {
                desk.market
                    .reserve(ETH)
                    .unwrap()
                    .state()
                    .isolation_total_debt
            };
            assert_eq!(owed(&desk), 100_000);
            let before = desk.market.clone();
            assert_eq!(refused(borrow(&mut desk, USD, dollars(1))), 53);
            assert_eq!(desk.market, before);
            desk.now += 365 * 24 * 3_600;
            let paid = desk
                .market
                .repay(UserId(1), USD, ALL, Payer::Debtor, desk.now);
            assert!(paid.unwrap().amount > dollars(1_000));
            assert_eq!(owed(&desk), 0, "interest is not in the isolated debt");
        }
    }

    #[test]
    fn a_siloed_debt_stands_alone() {
        for version in BOTH {
            let mut desk = Desk::new(version);
            configure(&mut desk, STAKED, |config| config.siloed_borrowing = true);
            desk.supply(1, ETH, 10);
            desk.borrow(1, STAKED, 1);
            assert_eq!(refused(borrow(&mut desk, USD, dollars(1))), 89);
            assert!(borrow(&mut desk, STAKED, ether(1)).is_ok());
            let now = desk.now;
            desk.market
                .repay(UserId(1), STAKED, ALL, Payer::Debtor, now)
                .unwrap();
            desk.borrow(1, USD, 1);
            assert_eq!(refused(borrow(&mut desk, STAKED, ether(1))), 89);
        }
    }
}
