//! E-mode: categories of assets with terms of their own.

use super::error::{PoolError, Revert, require};
use super::market::{bit, first};
use super::reserve::check_collateral;
use super::{Market, Seconds, UserId, Version};
use basis_core::num::U256;

/// One e-mode category.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EModeCategory {
    /// Loan to value of its collateral, basis points.
    pub ltv_bps: u16,
    /// Liquidation threshold of its collateral, basis points.
    pub liquidation_threshold_bps: u16,
    /// What a liquidator receives for 100 % of debt from its collateral, basis points above 10,000.
    pub liquidation_bonus_bps: u16,
    /// 3.2 only: reserves that are collateral on these terms (bit `n` for reserve `n`).
    pub collateral: u128,
    /// 3.2 only: reserves that may be borrowed in this e-mode.
    pub borrowable: u128,
}

impl Market {
    /// Creates or replaces an e-mode category. Mirrors `PoolConfigurator.setEModeCategory` and, for
    /// the bitmaps of 3.2, `setAssetCollateralInEMode` and `setAssetBorrowableInEMode`.
    ///
    /// # Errors
    /// [`PoolError::EModeCategoryReserved`] for 0, [`PoolError::InvalidEModeCategoryParams`] for terms
    /// that contradict each other or, in 3.0, that do not exceed those of an asset of the category.
    pub fn set_e_mode_category(
        &mut self,
        number: u8,
        category: EModeCategory,
    ) -> Result<(), Revert> {
        let error = PoolError::InvalidEModeCategoryParams;
        require(category.ltv_bps != 0, error)?;
        require(category.liquidation_threshold_bps != 0, error)?;
        check_collateral(
            category.ltv_bps,
            category.liquidation_threshold_bps,
            category.liquidation_bonus_bps,
            error,
        )?;
        if self.version == Version::V3_0 {
            let exceeds = |config: &super::ReserveConfig| {
                category.ltv_bps > config.ltv_bps
                    && category.liquidation_threshold_bps > config.liquidation_threshold_bps
            };
            let mut members = self
                .reserves
                .iter()
                .map(|reserve| &reserve.config)
                .filter(|config| config.e_mode_category == number);
            require(members.all(exceeds), error)?;
        }
        require(number != 0, PoolError::EModeCategoryReserved)?;
        self.e_modes.insert(number, category);
        Ok(())
    }

    /// An e-mode category; `None` where there is none of that number.
    #[must_use]
    pub fn e_mode_category(&self, number: u8) -> Option<&EModeCategory> {
        self.e_modes.get(&number)
    }

    /// Puts the user into an e-mode; 0 leaves. Mirrors `EModeLogic.executeSetUserEMode`.
    ///
    /// # Errors
    /// [`PoolError::InconsistentEModeCategory`] for a category that does not exist or, in 3.0, does
    /// not have all the user's debts; [`PoolError::NotBorrowableInEMode`] for the latter in 3.2;
    /// [`PoolError::HealthFactorLowerThanThreshold`]. Nothing changes then.
    pub fn set_user_e_mode(
        &mut self,
        user: UserId,
        category: u8,
        now: Seconds,
    ) -> Result<(), Revert> {
        let before = self.account(user)?.e_mode;
        if self.version == Version::V3_2 && before == category {
            return Ok(());
        }
        self.validate_set_user_e_mode(user, category)?;
        self.attempt([None; 3], [Some(user), None], |market| {
            market.account_mut(user)?.e_mode = category;
            if before != 0 || market.version == Version::V3_2 {
                market.require_healthy(user, now)?;
            }
            Ok(())
        })
    }

    /// Mirrors `ValidationLogic.validateSetUserEMode`.
    fn validate_set_user_e_mode(&self, user: UserId, category: u8) -> Result<(), Revert> {
        if category == 0 {
            return Ok(());
        }
        let Some(terms) = self.e_modes.get(&category) else {
            return Err(PoolError::InconsistentEModeCategory.into());
        };
        let mut left = self.account(user)?.borrowing;
        while left != 0 {
            let id = first(left);
            left &= !bit(id);
            match self.version {
                Version::V3_0 => require(
                    self.reserve(id)?.config.e_mode_category == category,
                    PoolError::InconsistentEModeCategory,
                )?,
                Version::V3_2 => require(
                    terms.borrowable & bit(id) != 0,
                    PoolError::NotBorrowableInEMode,
                )?,
            }
        }
        Ok(())
    }

    /// Mirrors `ValidationLogic.validateHealthFactor`. Returns whether some collateral has a loan to
    /// value of zero.
    pub(super) fn require_healthy(&self, user: UserId, now: Seconds) -> Result<bool, Revert> {
        let data = self.account_data(user, now)?;
        require(
            data.health_factor_wad >= HEALTHY,
            PoolError::HealthFactorLowerThanThreshold,
        )?;
        Ok(data.has_zero_ltv_collateral)
    }
}

/// One wad: the health factor below which a position can be liquidated.
pub(super) const HEALTHY: U256 = super::limbs::long(super::math::WAD);

#[cfg(test)]
mod tests {
    use super::super::test_market::{Desk, ETH, USD, refused};
    use super::*;

    #[test]
    fn a_category_must_exist_and_have_the_users_debts() {
        for version in [Version::V3_0, Version::V3_2] {
            let mut desk = Desk::new(version);
            desk.supply(1, ETH, 10);
            desk.borrow(1, USD, 1_000);
            let unknown = desk.market.set_user_e_mode(UserId(1), 9, desk.now);
            assert_eq!(refused(unknown), 58);
            let stranger = desk.market.set_user_e_mode(UserId(1), 1, desk.now);
            let code = if version == Version::V3_0 { 58 } else { 100 };
            assert_eq!(refused(stranger), code);
            assert_eq!(desk.market.account(UserId(1)).unwrap().e_mode, 0);
        }
    }

    #[test]
    fn leaving_needs_health_without_the_categorys_terms() {
        for version in [Version::V3_0, Version::V3_2] {
            let mut desk = Desk::new(version);
            desk.market.set_user_e_mode(UserId(1), 1, desk.now).unwrap();
            desk.supply(1, super::super::test_market::STAKED, 10);
            desk.borrow(1, ETH, 10);
            let left = desk.market.set_user_e_mode(UserId(1), 0, desk.now);
            assert_eq!(refused(left), 35);
            assert_eq!(desk.market.account(UserId(1)).unwrap().e_mode, 1);
        }
    }

    #[test]
    fn terms_that_contradict_each_other_are_refused() {
        let mut market = Market::new(Version::V3_2);
        let terms = EModeCategory {
            ltv_bps: 9_000,
            liquidation_threshold_bps: 9_300,
            liquidation_bonus_bps: 10_200,
            collateral: 0,
            borrowable: 0,
        };
        assert_eq!(refused(market.set_e_mode_category(0, terms)), 16);
        let cases = [
            EModeCategory {
                ltv_bps: 0,
                ..terms
            },
            EModeCategory {
                ltv_bps: 9_301,
                ..terms
            },
            EModeCategory {
                liquidation_bonus_bps: 10_000,
                ..terms
            },
            EModeCategory {
                liquidation_bonus_bps: 10_800,
                ..terms
            },
        ];
        for wrong in cases {
            assert_eq!(refused(market.set_e_mode_category(1, wrong)), 21);
        }
        market.set_e_mode_category(1, terms).unwrap();
        assert_eq!(market.e_mode_category(1), Some(&terms));
    }
}
