//! A user's standing: collateral, debt, averages and health factor.

use super::error::Revert;
use super::market::{Account, bit, first};
use super::math::{mul, sub};
use super::reserve::Reserve;
use super::word::Word;
use super::{EModeCategory, Market, ReserveId, Seconds, UserId, Version};
use basis_core::num::U256;

/// A user's standing. Mirrors what `Pool.getUserAccountData` returns.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AccountData {
    /// Collateral at the oracle's prices, base currency with 8 decimals; each asset rounded down.
    pub total_collateral_base: U256,
    /// Debt at the oracle's prices, base currency with 8 decimals; each asset rounded down.
    pub total_debt_base: U256,
    /// What could still be borrowed, base currency with 8 decimals.
    pub available_borrows_base: U256,
    /// Average liquidation threshold by collateral, basis points, rounded down.
    pub current_liquidation_threshold_bps: u64,
    /// Average loan to value by collateral, basis points, rounded down.
    pub ltv_bps: u64,
    /// Health factor in wads; [`U256::MAX`] without debt. Below one wad it can be liquidated.
    pub health_factor_wad: U256,
    /// Whether some collateral has a loan to value of zero, which then must leave first.
    pub has_zero_ltv_collateral: bool,
}

/// The sums that a user's standing is computed from, at either width.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Sums<W> {
    pub(super) collateral: W,
    pub(super) debt: W,
    ltv_weighted: W,
    threshold_weighted: W,
    has_zero_ltv_collateral: bool,
}

/// The e-mode a user is in: its number and category.
pub(super) type InEMode<'a> = Option<(u8, &'a EModeCategory)>;

impl<W: Word> Sums<W> {
    /// Adds a reserve's collateral worth `value` in the base currency.
    #[inline]
    pub(super) fn add_collateral(
        &mut self,
        value: W,
        ltv_bps: u16,
        threshold_bps: u16,
        zero_ltv: bool,
    ) -> Result<(), Revert> {
        self.collateral = self.collateral.add(value)?;
        if zero_ltv {
            self.has_zero_ltv_collateral = true;
        } else {
            let weighted = value.mul(W::from_short(ltv_bps.into()))?;
            self.ltv_weighted = self.ltv_weighted.add(weighted)?;
        }
        let weighted = value.mul(W::from_short(threshold_bps.into()))?;
        self.threshold_weighted = self.threshold_weighted.add(weighted)?;
        Ok(())
    }

    /// The averages and the health factor.
    #[inline]
    pub(super) fn finish(&self) -> Result<AccountData, Revert> {
        let ltv_bps = self.ltv_weighted.average(self.collateral);
        let borrowable = self.collateral.percent_mul(ltv_bps)?.widen();
        Ok(AccountData {
            total_collateral_base: self.collateral.widen(),
            total_debt_base: self.debt.widen(),
            available_borrows_base: borrowable.saturating_sub(self.debt.widen()),
            current_liquidation_threshold_bps: self.threshold_weighted.average(self.collateral),
            ltv_bps,
            health_factor_wad: self.health_factor_wad()?,
            has_zero_ltv_collateral: self.has_zero_ltv_collateral,
        })
    }

    /// The health factor alone.
    #[inline]
    pub(super) fn health_factor_wad(&self) -> Result<U256, Revert> {
        if self.debt.is_zero() {
            return Ok(U256::MAX);
        }
        let threshold_bps = self.threshold_weighted.average(self.collateral);
        let covered = self.collateral.percent_mul(threshold_bps)?;
        covered.wad_div(self.debt).map(W::widen)
    }
}

impl Sums<U256> {
    /// The sums with another debt, base currency.
    pub(super) const fn with_debt(self, debt: U256) -> Self {
        Self { debt, ..self }
    }

    /// The sums without collateral added before: only for collateral that is in them.
    pub(super) fn less_collateral(&self, value: U256, threshold_bps: u16) -> Result<Self, Revert> {
        let weighted = mul(value, U256::from(threshold_bps))?;
        Ok(Self {
            collateral: sub(self.collateral, value)?,
            threshold_weighted: sub(self.threshold_weighted, weighted)?,
            ..*self
        })
    }
}

impl Market {
    /// A user's standing at `now`. Mirrors `GenericLogic.calculateUserAccountData` and
    /// `calculateAvailableBorrows`.
    ///
    /// # Errors
    /// [`Revert::UnknownUser`], [`Revert::Price`], [`Revert::Arithmetic`] or [`Revert::Math`] out of
    /// 256 bits.
    pub fn account_data(&self, user: UserId, now: Seconds) -> Result<AccountData, Revert> {
        self.sums::<u128>(user, now)
            .and_then(|sums| sums.finish())
            .or_else(|_| self.sums::<U256>(user, now)?.finish())
    }

    /// A user's health factor at `now` in wads; [`U256::MAX`] without debt.
    ///
    /// # Errors
    /// As [`Market::account_data`].
    pub fn health_factor_wad(&self, user: UserId, now: Seconds) -> Result<U256, Revert> {
        self.sums::<u128>(user, now)
            .and_then(|sums| sums.health_factor_wad())
            .or_else(|_| self.sums::<U256>(user, now)?.health_factor_wad())
    }

    /// Collateral and debt of a user, asset by asset.
    #[inline]
    pub(super) fn sums<W: Word>(&self, user: UserId, now: Seconds) -> Result<Sums<W>, Revert> {
        let account = self.account(user)?;
        let mut sums = Sums::default();
        let e_mode = self.e_mode_of(account);
        let mut left = account.collateral | account.borrowing;
        while left != 0 {
            let id = first(left);
            left &= !bit(id);
            let (reserve, position) = (self.reserve(id)?, self.position(user, id)?);
            let (config, state) = (&reserve.config, &reserve.state);
            if config.liquidation_threshold_bps != 0 && account.collateral & bit(id) != 0 {
                let scaled = W::from_short(position.scaled_supply);
                let value = reserve.value_of(scaled.ray_mul(state.income(now)?)?)?;
                let (ltv, threshold) = self.collateral_terms(id, reserve, e_mode);
                sums.add_collateral(value, ltv, threshold, config.ltv_bps == 0)?;
            }
            if account.borrowing & bit(id) != 0 && position.scaled_debt != 0 {
                let scaled = W::from_short(position.scaled_debt);
                let value = reserve.value_of(scaled.ray_mul(state.debt(now)?)?)?;
                sums.debt = sums.debt.add(value)?;
            }
        }
        Ok(sums)
    }

    /// Loan to value and liquidation threshold of a reserve for a user in `e_mode`, basis points.
    #[inline]
    pub(super) fn collateral_terms(
        &self,
        id: ReserveId,
        reserve: &Reserve,
        e_mode: InEMode<'_>,
    ) -> (u16, u16) {
        match e_mode {
            Some((number, category)) if self.in_category(id, reserve, number, category) => {
                (category.ltv_bps, category.liquidation_threshold_bps)
            }
            _ => (
                reserve.config.ltv_bps,
                reserve.config.liquidation_threshold_bps,
            ),
        }
    }

    /// The user's e-mode category, if any.
    #[inline]
    pub(super) fn e_mode_of(&self, account: &Account) -> InEMode<'_> {
        if account.e_mode == 0 {
            return None;
        }
        self.e_modes
            .get(&account.e_mode)
            .map(|category| (account.e_mode, category))
    }

    /// Whether the reserve is collateral on the category's terms. Mirrors
    /// `EModeLogic.isInEModeCategory` (3.0) and `EModeConfiguration.isReserveEnabledOnBitmap` (3.2).
    #[inline]
    pub(super) fn in_category(
        &self,
        id: ReserveId,
        reserve: &Reserve,
        number: u8,
        category: &EModeCategory,
    ) -> bool {
        match self.version {
            Version::V3_0 => reserve.config.e_mode_category == number,
            Version::V3_2 => category.collateral & bit(id) != 0,
        }
    }
}
