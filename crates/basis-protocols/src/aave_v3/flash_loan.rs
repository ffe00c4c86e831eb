//! Flash loans of one asset.

use super::error::{PoolError, Revert, require};
use super::limbs::long;
use super::math::{RAY, add, percent_mul, ray_div, ray_mul, sub, to_u128, wad_to_ray};
use super::reserve::Reserve;
use super::{Market, Rates, ReserveId, Seconds, Version};
use basis_core::num::U256;

/// A flash loan that has been paid out and waits for its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use = "a flash loan has to be ended, or its market dropped"]
pub struct FlashLoan {
    /// What was lent.
    pub reserve: ReserveId,
    /// Base units lent.
    pub amount: U256,
    /// Base units to return on top.
    pub premium: U256,
}

/// What a flash loan cost and left behind.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FlashLoanOutcome {
    /// What the borrower returned on top, base units.
    pub premium: U256,
    /// The treasury's part of it, base units; the rest raised the liquidity index.
    pub premium_to_protocol: U256,
    /// The liquidity index after it, rays.
    pub liquidity_index_ray: u128,
    /// The reserve's rates from here on.
    pub rates: Rates,
}

impl Market {
    /// Lends and takes back `amount` base units at once. Mirrors
    /// `FlashLoanLogic.executeFlashLoanSimple` with a receiver that does nothing in the pool.
    ///
    /// # Errors
    /// As [`Market::begin_flash_loan`] and [`Market::end_flash_loan`]. Nothing changes then.
    pub fn flash_loan_simple(
        &mut self,
        reserve: ReserveId,
        amount: U256,
        now: Seconds,
    ) -> Result<FlashLoanOutcome, Revert> {
        self.attempt([Some(reserve), None, None], [None, None], |market| {
            let loan = market.begin_flash_loan(reserve, amount, now)?;
            market.end_flash_loan(loan, now)
        })
    }

    /// Pays out a flash loan. What the borrower does until [`Market::end_flash_loan`] sees the
    /// reserve without it; when that fails, the caller goes back to the market it copied before.
    ///
    /// # Errors
    /// [`PoolError::ReservePaused`], `ReserveInactive`, `FlashLoanDisabled`, in 3.2 `InvalidAmount`
    /// for more than was supplied; [`Revert::Underlying`] (3.0) or [`Revert::Arithmetic`] (3.2) for
    /// more than the reserve holds. Nothing changes then.
    pub fn begin_flash_loan(
        &mut self,
        reserve: ReserveId,
        amount: U256,
        now: Seconds,
    ) -> Result<FlashLoan, Revert> {
        let (version, premium_bps) = (self.version, self.flash_loan_premium_total_bps);
        let cell = self.reserve_mut(reserve)?;
        require(!cell.config.paused, PoolError::ReservePaused)?;
        require(cell.config.active, PoolError::ReserveInactive)?;
        require(cell.config.flash_loan_enabled, PoolError::FlashLoanDisabled)?;
        if version == Version::V3_2 {
            require(total_supply(cell, now)? >= amount, PoolError::InvalidAmount)?;
        }
        let premium = percent_mul(amount, u64::from(premium_bps))?;
        match version {
            Version::V3_0 => cell.pay_out(version, amount)?,
            Version::V3_2 => cell.state.cash = sub(cell.state.cash, long(to_u128(amount)?))?,
        }
        Ok(FlashLoan {
            reserve,
            amount,
            premium,
        })
    }

    /// Takes a running flash loan out of the cash once more, after [`Market::snap`] has set the reserve to a
    /// row, which knows nothing of it; where the loan exceeds the cash, cash is zero, as there.
    ///
    /// # Errors
    /// [`Revert::UnknownReserve`].
    pub fn resume_flash_loan(&mut self, loan: &FlashLoan) -> Result<(), Revert> {
        let cell = self.reserve_mut(loan.reserve)?;
        cell.state.cash = cell.state.cash.saturating_sub(loan.amount);
        Ok(())
    }

    /// Takes back a flash loan and its premium. Mirrors `FlashLoanLogic._handleFlashLoanRepayment`.
    ///
    /// # Errors
    /// [`Revert::Math`] without any supply to share the premium, [`Revert::Cast`] for an index beyond
    /// 128 bits. Nothing changes then.
    pub fn end_flash_loan(
        &mut self,
        loan: FlashLoan,
        now: Seconds,
    ) -> Result<FlashLoanOutcome, Revert> {
        let (version, held) = (self.version, self.rates_held);
        let to_protocol_bps = u64::from(self.flash_loan_premium_to_protocol_bps);
        self.attempt([Some(loan.reserve), None, None], [None, None], |market| {
            let premium_to_protocol = percent_mul(loan.premium, to_protocol_bps)?;
            let premium_to_suppliers = sub(loan.premium, premium_to_protocol)?;
            let returned = add(loan.amount, loan.premium)?;
            let cell = market.reserve_mut(loan.reserve)?;
            cell.update_state(now)?;
            let index = long(cell.state.liquidity_index_ray);
            let owed = ray_mul(long(cell.state.accrued_to_treasury), index)?;
            let supplied = add(total_supply(cell, now)?, owed)?;
            cumulate(cell, supplied, premium_to_suppliers)?;
            cell.owe_treasury(premium_to_protocol, long(cell.state.liquidity_index_ray))?;
            cell.update_rates(version, held, returned, U256::ZERO)?;
            cell.receive(version, returned)?;
            Ok(FlashLoanOutcome {
                premium: loan.premium,
                premium_to_protocol,
                liquidity_index_ray: cell.state.liquidity_index_ray,
                rates: cell.state.rates,
            })
        })
    }
}

/// Mirrors `AToken.totalSupply`.
fn total_supply(reserve: &Reserve, now: Seconds) -> Result<U256, Revert> {
    let scaled = reserve.state.scaled_supply;
    if scaled.is_zero() {
        return Ok(U256::ZERO);
    }
    ray_mul(scaled, reserve.state.normalized_income_ray(now)?)
}

/// Spreads `amount` over `supplied` by raising the index. Mirrors
/// `ReserveLogic.cumulateToLiquidityIndex`.
fn cumulate(reserve: &mut Reserve, supplied: U256, amount: U256) -> Result<(), Revert> {
    let share = ray_div(wad_to_ray(amount)?, wad_to_ray(supplied)?)?;
    let index = long(reserve.state.liquidity_index_ray);
    let raised = ray_mul(add(share, long(RAY))?, index)?;
    reserve.state.liquidity_index_ray = to_u128(raised)?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::super::test_market::{Desk, STAKED, USD, dollars, refused};
    use super::super::{ALL, ReserveState, UserId};
    use super::*;

    const BOTH: [Version; 2] = [Version::V3_0, Version::V3_2];

    #[test]
    fn the_premium_goes_to_suppliers_and_treasury() {
        for version in BOTH {
            let mut desk = Desk::new(version);
            desk.market.set_flash_loan_premiums(5, 4_000);
            let done = desk
                .market
                .flash_loan_simple(USD, dollars(1_000_000), desk.now)
                .unwrap();
            assert_eq!(done.premium, dollars(500));
            assert_eq!(done.premium_to_protocol, dollars(200));
            assert_eq!(done.liquidity_index_ray, RAY * 10_003 / 10_000);
            let balance = desk
                .market
                .supply_balance(UserId(0), USD, desk.now)
                .unwrap();
            assert_eq!(balance, dollars(1_000_300));
            let state = *desk.market.reserve(USD).unwrap().state();
            assert_eq!(state.cash, dollars(1_000_500));
            let minted = desk.market.mint_to_treasury(USD, desk.now).unwrap();
            assert_eq!(minted, dollars(200));
        }
    }

    #[test]
    fn what_runs_inside_sees_the_reserve_without_the_loan() {
        for version in BOTH {
            let mut desk = Desk::new(version);
            let loan = desk
                .market
                .begin_flash_loan(USD, dollars(900_000), desk.now)
                .unwrap();
            let late = desk
                .market
                .withdraw(UserId(0), USD, dollars(100_001), desk.now);
            assert!(late.is_err());
            assert!(
                desk.market
                    .withdraw(UserId(0), USD, dollars(100_000), desk.now)
                    .is_ok()
            );
            let _ = desk.market.end_flash_loan(loan, desk.now).unwrap();
            let left = desk.market.withdraw(UserId(0), USD, ALL, desk.now).unwrap();
            assert_eq!(left.amount, dollars(900_450));
        }
    }

    #[test]
    fn more_than_there_is_and_flags_refuse() {
        for version in BOTH {
            let mut desk = Desk::new(version);
            let now = desk.now;
            let over = desk.market.flash_loan_simple(USD, dollars(1_000_001), now);
            match version {
                Version::V3_0 => assert_eq!(over.unwrap_err(), Revert::Underlying),
                Version::V3_2 => assert_eq!(refused(over), 26),
            }
            desk.supply(1, STAKED, 1_000);
            desk.borrow(1, USD, 100);
            let lent = desk.market.flash_loan_simple(USD, dollars(999_901), now);
            let expected = match version {
                Version::V3_0 => Revert::Underlying,
                Version::V3_2 => Revert::Arithmetic,
            };
            assert_eq!(lent.unwrap_err(), expected);
            let mut config = *desk.market.reserve(USD).unwrap().config();
            config.flash_loan_enabled = false;
            desk.market.set_config(USD, config, now).unwrap();
            let off = desk.market.flash_loan_simple(USD, dollars(1), now);
            assert_eq!(refused(off), 91);
        }
    }

    #[test]
    fn an_empty_reserve_has_nobody_to_share_a_premium_with() {
        for version in BOTH {
            let mut desk = Desk::new(version);
            let config = *desk.market.reserve(USD).unwrap().config();
            let empty = ReserveState::listed(U256::from(100_000_000_u64));
            let id = desk.market.add_reserve(config, empty).unwrap();
            let done = desk.market.flash_loan_simple(id, U256::ZERO, desk.now);
            assert_eq!(done.unwrap_err(), Revert::Math);
        }
    }
}
