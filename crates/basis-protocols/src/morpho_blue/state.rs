//! What a market stores, takes and answers.

use super::irm::InterestRateModel;
use super::math::{to_assets_down, to_assets_up, to_shares_down, to_shares_up, w_div_down};
use super::refusal::Refusal;
use basis_core::num::U256;

/// The holder of a position: a small index, for positions are kept in a row.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct User(pub u16);

/// An amount to move, by assets or by shares: exactly one of them is to be above zero.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct AmountInput {
    /// Base units of the loan asset, or zero.
    pub assets: U256,
    /// Supply or borrow shares, or zero.
    pub shares: U256,
}

impl AmountInput {
    /// Moves `assets` base units; shares are rounded in the market's favor.
    #[inline]
    #[must_use]
    pub const fn assets(assets: U256) -> Self {
        Self {
            assets,
            shares: U256::ZERO,
        }
    }

    /// Moves `shares`; assets are rounded in the market's favor. The way to repay or withdraw all.
    #[inline]
    #[must_use]
    pub const fn shares(shares: U256) -> Self {
        Self {
            assets: U256::ZERO,
            shares,
        }
    }

    #[inline]
    pub(super) fn check(self) -> Result<(), Refusal> {
        check_exactly_one_zero(self.assets, self.shares)
    }

    /// Both amounts, for the one who puts in: shares for assets down, assets for shares up.
    #[inline]
    pub(super) fn shares_down(
        self,
        total_assets: u128,
        total_shares: u128,
    ) -> Result<(U256, U256), Refusal> {
        if self.assets.is_zero() {
            let assets = to_assets_up(self.shares, total_assets, total_shares)?;
            return Ok((assets, self.shares));
        }
        let shares = to_shares_down(self.assets, total_assets, total_shares)?;
        Ok((self.assets, shares))
    }

    /// Both amounts, for the one who takes out: shares for assets up, assets for shares down.
    #[inline]
    pub(super) fn shares_up(
        self,
        total_assets: u128,
        total_shares: u128,
    ) -> Result<(U256, U256), Refusal> {
        if self.assets.is_zero() {
            let assets = to_assets_down(self.shares, total_assets, total_shares)?;
            return Ok((assets, self.shares));
        }
        let shares = to_shares_up(self.assets, total_assets, total_shares)?;
        Ok((self.assets, shares))
    }
}

/// Mirrors `UtilsLib.exactlyOneZero` and its refusal.
#[inline]
pub(super) fn check_exactly_one_zero(a: U256, b: U256) -> Result<(), Refusal> {
    if a.is_zero() == b.is_zero() {
        return Err(Refusal::InconsistentInput);
    }
    Ok(())
}

/// What everybody together supplied and owes, as the contract stores it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Totals {
    /// Base units supplied, interest included.
    pub supply_assets: u128,
    /// Supply shares, without the virtual ones.
    pub supply_shares: u128,
    /// Base units owed, interest included; never above `supply_assets`.
    pub borrow_assets: u128,
    /// Borrow shares, without the virtual ones.
    pub borrow_shares: u128,
}

impl Totals {
    /// Returns the part of the supply that is borrowed, in wad, rounded down; zero of an empty market.
    #[inline]
    #[must_use]
    pub fn utilization_wad(&self) -> U256 {
        if self.supply_assets == 0 {
            return U256::ZERO;
        }
        let supplied = U256::from(self.supply_assets);
        // 128 bits times 1e18 fit 256, and the divisor is not zero: it cannot fail.
        w_div_down(U256::from(self.borrow_assets), supplied).unwrap_or_default()
    }

    /// Returns the base units that can be borrowed or withdrawn.
    #[inline]
    #[must_use]
    pub const fn liquidity(&self) -> u128 {
        self.supply_assets.saturating_sub(self.borrow_assets)
    }

    /// Returns the base units that `position` owes, rounded up.
    ///
    /// # Errors
    /// [`Refusal::ArithmeticPanic`] only for totals at the very end of 128 bits.
    #[inline]
    pub fn assets_owed(&self, position: &Position) -> Result<U256, Refusal> {
        let shares = U256::from(position.borrow_shares);
        to_assets_up(shares, self.borrow_assets, self.borrow_shares)
    }

    /// Refuses totals that owe more than was supplied.
    #[inline]
    pub(super) fn check_liquidity(&self) -> Result<(), Refusal> {
        if self.borrow_assets > self.supply_assets {
            return Err(Refusal::InsufficientLiquidity);
        }
        Ok(())
    }
}

/// What one user has in a market, as the contract stores it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Position {
    /// Shares of the supply.
    pub supply_shares: U256,
    /// Shares of the debt.
    pub borrow_shares: u128,
    /// Base units of the collateral asset; they earn nothing.
    pub collateral: u128,
}

/// Interest charged between the last update and now.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Accrual {
    /// Seconds since the last update.
    pub elapsed: u64,
    /// Average rate in wad per second over them; zero when no time passed.
    pub borrow_rate_wad: U256,
    /// Base units added to debt and supply.
    pub interest_assets: U256,
    /// Supply shares created for the fee recipient.
    pub fee_shares: U256,
}

/// What an operation on the loan asset moved.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Moved {
    /// Base units that change hands. A repayment by shares may exceed the whole debt by one unit.
    pub assets: U256,
    /// Shares created or destroyed.
    pub shares: U256,
    /// The interest that was charged first.
    pub accrual: Accrual,
}

/// The unchanging terms of a market and its fee.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct MarketTerms {
    /// Liquidation loan-to-value in wad, below 1e18.
    pub lltv_wad: U256,
    /// The part of interest that goes to the fee recipient, in wad, at most 0.25e18.
    pub fee_wad: u128,
    /// Who receives it.
    pub fee_recipient: User,
    /// The interest rate model with its state.
    pub irm: InterestRateModel,
}
