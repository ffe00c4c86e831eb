//! Liquidation of a position whose health factor is below one.

use super::e_mode::HEALTHY;
use super::error::{PoolError, Revert, require};
use super::limbs::long;
use super::market::{bit, first};
use super::math::{PERCENTAGE_FACTOR, WAD, div_floor, mul, percent_div, percent_mul, sub, to_u128};
use super::scaled::{balance_of, credit, debit};
use super::{Market, Rates, ReserveId, Seconds, UserId, Version};
use basis_core::num::U256;

/// Above this health factor (wads) only part of a debt can be repaid.
const CLOSE_FACTOR_THRESHOLD: U256 = long(WAD / 100 * 95);
/// That part, basis points.
const DEFAULT_CLOSE_FACTOR_BPS: u64 = 5_000;

/// In what the liquidator is paid.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Seized {
    /// The underlying asset leaves the pool.
    Underlying,
    /// aTokens go to a user of the market.
    AToken(UserId),
}

/// One call of `liquidationCall`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LiquidationCall {
    /// Whose position.
    pub user: UserId,
    /// What is seized.
    pub collateral: ReserveId,
    /// What is repaid.
    pub debt: ReserveId,
    /// Most to repay, base units; the close factor and the collateral bound it further.
    pub debt_to_cover: U256,
    /// How the liquidator is paid.
    pub seized: Seized,
}

/// What a liquidation moved.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LiquidationOutcome {
    /// What the liquidator repaid, base units of the debt asset.
    pub debt_repaid: U256,
    /// Scaled debt burned.
    pub debt_scaled: u128,
    /// The variable borrow index by which it was scaled, rays.
    pub debt_index_ray: u128,
    /// What the liquidator received, base units of the collateral.
    pub collateral_seized: U256,
    /// What the treasury received in aTokens, base units of the collateral.
    pub protocol_fee: U256,
    /// Scaled aTokens that left the user, the treasury's part included.
    pub collateral_scaled: u128,
    /// The index by which they were scaled, rays.
    pub collateral_index_ray: u128,
    /// Rates of the debt asset from here on.
    pub debt_rates: Rates,
    /// Rates of the collateral from here on; unchanged when aTokens were seized.
    pub collateral_rates: Rates,
    /// Whether the reserve is still collateral of the user.
    pub is_collateral: bool,
}

/// How much goes where, base units. Mirrors what `_calculateAvailableCollateralToLiquidate` returns.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Split {
    seized: U256,
    repaid: U256,
    fee: U256,
}

impl Market {
    /// Repays part of an unhealthy user's debt and seizes collateral with a bonus. Mirrors
    /// `LiquidationLogic.executeLiquidationCall`: up to half the debt above a health factor of 0.95,
    /// else all of it; the treasury keeps its part of the bonus.
    ///
    /// # Errors
    /// [`PoolError::ReserveInactive`], `ReservePaused`, `HealthFactorNotBelowThreshold`,
    /// `CollateralCannotBeLiquidated`, `CurrencyNotBorrowedByUser`, `InvalidBurnAmount`;
    /// [`Revert::Arithmetic`] or [`Revert::Underlying`] for more collateral than the reserve holds.
    /// Nothing changes then.
    pub fn liquidation_call(
        &mut self,
        call: LiquidationCall,
        now: Seconds,
    ) -> Result<LiquidationOutcome, Revert> {
        // When this collateral is gone, the one left may be isolated and have its debt reduced.
        let others = self.account(call.user)?.collateral & !bit(call.collateral);
        let isolated = (others.count_ones() == 1).then(|| first(others));
        let liquidator = match call.seized {
            Seized::AToken(liquidator) => Some(liquidator),
            Seized::Underlying => None,
        };
        self.attempt(
            [Some(call.collateral), Some(call.debt), isolated],
            [Some(call.user), liquidator],
            |market| market.liquidate(call, now),
        )
    }

    fn liquidate(
        &mut self,
        call: LiquidationCall,
        now: Seconds,
    ) -> Result<LiquidationOutcome, Revert> {
        let (version, held) = (self.version, self.rates_held);
        self.reserve_mut(call.debt)?.update_state(now)?;
        let health = self.health_factor_wad(call.user, now)?;
        let debt = self.debt_balance(call.user, call.debt, now)?;
        let close_factor = if health > CLOSE_FACTOR_THRESHOLD {
            DEFAULT_CLOSE_FACTOR_BPS
        } else {
            PERCENTAGE_FACTOR
        };
        let most = percent_mul(debt, close_factor)?;
        self.validate_liquidation(&call, health, debt)?;
        let balance = self.supply_balance(call.user, call.collateral, now)?;
        let split = self.split(&call, call.debt_to_cover.min(most), balance)?;

        let account = self.account_mut(call.user)?;
        if split.repaid == debt {
            account.borrowing &= !bit(call.debt);
        }
        if super::math::add(split.seized, split.fee)? == balance {
            account.collateral &= !bit(call.collateral);
        }
        // 3.0 would burn the rest as stable debt, which panics where there is none.
        if version == Version::V3_0 && split.repaid > debt {
            return Err(Revert::Arithmetic);
        }
        let debt_index_ray = self.reserve(call.debt)?.state.variable_borrow_index_ray;
        let debt_scaled = self.with_debt(call.user, call.debt, |holding| {
            holding.burn(split.repaid, long(debt_index_ray))
        })?;
        let cell = self.reserve_mut(call.debt)?;
        let present = cell.state.cash;
        cell.update_rates(version, held, split.repaid, U256::ZERO)?;
        self.repay_isolated(call.user, call.debt, split.repaid)?;

        let seized_scaled = match call.seized {
            Seized::Underlying => {
                let scaled = self.seize_underlying(&call, split.seized, now)?;
                // 3.2 has counted what is repaid, but the liquidator brings it only at the end.
                if call.collateral == call.debt && split.seized > present {
                    return Err(Revert::Underlying);
                }
                scaled
            }
            Seized::AToken(liquidator) => {
                self.seize_a_tokens(&call, liquidator, split.seized, now)?
            }
        };
        let (fee, fee_scaled) = self.take_fee(&call, split.fee, now)?;
        self.reserve_mut(call.debt)?
            .receive(version, split.repaid)?;

        let collateral = self.reserve(call.collateral)?.state;
        Ok(LiquidationOutcome {
            debt_repaid: split.repaid,
            debt_scaled,
            debt_index_ray,
            collateral_seized: split.seized,
            protocol_fee: fee,
            collateral_scaled: seized_scaled
                .checked_add(fee_scaled)
                .ok_or(Revert::Arithmetic)?,
            collateral_index_ray: to_u128(collateral.normalized_income_ray(now)?)?,
            debt_rates: self.reserve(call.debt)?.state.rates,
            collateral_rates: collateral.rates,
            is_collateral: self.account(call.user)?.collateral & bit(call.collateral) != 0,
        })
    }

    /// Mirrors `ValidationLogic.validateLiquidationCall`.
    fn validate_liquidation(
        &self,
        call: &LiquidationCall,
        health: U256,
        debt: U256,
    ) -> Result<(), Revert> {
        let collateral = &self.reserve(call.collateral)?.config;
        let principal = &self.reserve(call.debt)?.config;
        require(
            collateral.active && principal.active,
            PoolError::ReserveInactive,
        )?;
        require(
            !collateral.paused && !principal.paused,
            PoolError::ReservePaused,
        )?;
        require(health < HEALTHY, PoolError::HealthFactorNotBelowThreshold)?;
        let used = self.account(call.user)?.collateral & bit(call.collateral) != 0;
        require(
            used && collateral.liquidation_threshold_bps != 0,
            PoolError::CollateralCannotBeLiquidated,
        )?;
        require(!debt.is_zero(), PoolError::CurrencyNotBorrowedByUser)
    }

    /// Mirrors `_calculateAvailableCollateralToLiquidate` and the choice of the bonus before it.
    fn split(
        &self,
        call: &LiquidationCall,
        to_cover: U256,
        balance: U256,
    ) -> Result<Split, Revert> {
        let collateral = self.reserve(call.collateral)?;
        let debt = self.reserve(call.debt)?;
        let e_mode = self.e_mode_of(self.account(call.user)?);
        let bonus = match e_mode {
            Some((number, category))
                if self.in_category(call.collateral, collateral, number, category) =>
            {
                category.liquidation_bonus_bps
            }
            _ => collateral.config.liquidation_bonus_bps,
        };
        let bonus = u64::from(bonus);
        let (collateral_price, debt_price) = (collateral.price()?, debt.price()?);
        let (collateral_unit, debt_unit) = (collateral.config.unit(), debt.config.unit());

        let base = div_floor(
            mul(mul(debt_price, to_cover)?, collateral_unit)?,
            mul(collateral_price, debt_unit)?,
        )
        .ok_or(Revert::DivisionByZero)?;
        let wanted = percent_mul(base, bonus)?;
        let (amount, repaid) = if wanted > balance {
            let value = div_floor(
                mul(mul(collateral_price, balance)?, debt_unit)?,
                mul(debt_price, collateral_unit)?,
            )
            .ok_or(Revert::DivisionByZero)?;
            (balance, percent_div(value, bonus)?)
        } else {
            (wanted, to_cover)
        };
        let fee_bps = u64::from(collateral.config.liquidation_protocol_fee_bps);
        let fee = if fee_bps == 0 {
            U256::ZERO
        } else {
            percent_mul(sub(amount, percent_div(amount, bonus)?)?, fee_bps)?
        };
        Ok(Split {
            seized: sub(amount, fee)?,
            repaid,
            fee,
        })
    }

    /// Mirrors `_burnCollateralATokens`.
    fn seize_underlying(
        &mut self,
        call: &LiquidationCall,
        amount: U256,
        now: Seconds,
    ) -> Result<u128, Revert> {
        let (version, held) = (self.version, self.rates_held);
        let cell = self.reserve_mut(call.collateral)?;
        cell.update_state(now)?;
        cell.update_rates(version, held, U256::ZERO, amount)?;
        let index = long(cell.state.liquidity_index_ray);
        let scaled = self.with_supply(call.user, call.collateral, |holding| {
            holding.burn(amount, index)
        })?;
        self.reserve_mut(call.collateral)?
            .pay_out(version, amount)?;
        Ok(scaled)
    }

    /// Mirrors `_liquidateATokens`. The collateral's interest is not accrued here.
    fn seize_a_tokens(
        &mut self,
        call: &LiquidationCall,
        liquidator: UserId,
        amount: U256,
        now: Seconds,
    ) -> Result<u128, Revert> {
        let had_none = self.position(liquidator, call.collateral)?.scaled_supply == 0;
        let index = self.transfer_index(call.collateral, now)?;
        let seller = self.position_mut(call.user, call.collateral)?;
        let scaled = debit(&mut seller.scaled_supply, amount, index)?;
        let buyer = self.position_mut(liquidator, call.collateral)?;
        credit(&mut buyer.scaled_supply, scaled)?;
        if had_none {
            self.enable_collateral_by_itself(liquidator, call.collateral)?;
        }
        Ok(scaled)
    }

    /// Moves the treasury's part, cut to what the user has left after the roundings before. Returns
    /// it in base and in scaled units.
    fn take_fee(
        &mut self,
        call: &LiquidationCall,
        fee: U256,
        now: Seconds,
    ) -> Result<(U256, u128), Revert> {
        if fee.is_zero() {
            return Ok((U256::ZERO, 0));
        }
        let index = self.transfer_index(call.collateral, now)?;
        let left = self.position(call.user, call.collateral)?.scaled_supply;
        let scaled = super::math::ray_div(fee, index)?;
        let fee = if scaled > long(left) {
            balance_of(left, index)?
        } else {
            fee
        };
        let position = self.position_mut(call.user, call.collateral)?;
        let moved = debit(&mut position.scaled_supply, fee, index)?;
        let treasury = &mut self
            .reserve_mut(call.collateral)?
            .state
            .treasury_scaled_supply;
        credit(treasury, moved)?;
        Ok((fee, moved))
    }

    /// The index of an aToken transfer, which the token keeps in 128 bits.
    fn transfer_index(&self, reserve: ReserveId, now: Seconds) -> Result<U256, Revert> {
        let index = self.reserve(reserve)?.state.normalized_income_ray(now)?;
        to_u128(index).map(long)
    }
}

#[cfg(test)]
mod tests {
    use super::super::ALL;
    use super::super::test_market::{
        Desk, ETH, STAKED, USD, dollars, ether, price as dollars_each, refused,
    };
    use super::*;

    const BOTH: [Version; 2] = [Version::V3_0, Version::V3_2];

    fn call(debt_to_cover: U256, seized: Seized) -> LiquidationCall {
        LiquidationCall {
            user: UserId(1),
            collateral: ETH,
            debt: USD,
            debt_to_cover,
            seized,
        }
    }

    /// User 1 with 10 ether against 24,000 dollars, ether now at `price`.
    fn underwater(version: Version, price: u64) -> Desk {
        let mut desk = Desk::new(version);
        desk.supply(1, ETH, 10);
        desk.borrow(1, USD, 24_000);
        desk.market.set_price(ETH, dollars_each(price)).unwrap();
        desk
    }

    #[test]
    fn half_the_debt_is_repaid_while_health_is_above_the_close_factors_threshold() {
        for version in BOTH {
            let mut desk = underwater(version, 2_800);
            let all = call(ALL, Seized::Underlying);
            let done = desk.market.liquidation_call(all, desk.now).unwrap();
            assert_eq!(done.debt_repaid, dollars(12_000));
            // 12,000 / 2,800 × 105 %, a tenth of the bonus for the treasury.
            let seized = done.collateral_seized + done.protocol_fee;
            assert_eq!(seized, U256::from(4_500_000_000_000_000_000_u64));
            assert!(done.is_collateral);
            let owned = desk.market.reserve(ETH).unwrap().state();
            assert!(owned.treasury_scaled_supply > 0);
        }
    }

    #[test]
    fn deep_under_water_everything_goes_and_the_rest_stays_debt() {
        for version in BOTH {
            let mut desk = underwater(version, 2_000);
            let all = call(ALL, Seized::Underlying);
            let done = desk.market.liquidation_call(all, desk.now).unwrap();
            assert_eq!(done.collateral_seized + done.protocol_fee, ether(10));
            assert!(done.debt_repaid < dollars(24_000));
            assert!(!done.is_collateral);
            let account = *desk.market.account(UserId(1)).unwrap();
            assert_eq!(account.collateral, 0);
            assert_ne!(account.borrowing, 0, "bad debt stays");
            let position = desk.market.position(UserId(1), ETH).unwrap();
            assert_eq!(position.scaled_supply, 0);
        }
    }

    #[test]
    fn seized_a_tokens_become_collateral_of_a_liquidator_without_any() {
        for version in BOTH {
            let mut desk = underwater(version, 2_800);
            let before = desk.market.reserve(ETH).unwrap().state().scaled_supply;
            let call = call(dollars(1_000), Seized::AToken(UserId(2)));
            let done = desk.market.liquidation_call(call, desk.now).unwrap();
            let state = *desk.market.reserve(ETH).unwrap().state();
            assert_eq!(state.scaled_supply, before);
            let taken = desk.market.position(UserId(2), ETH).unwrap().scaled_supply;
            assert_eq!(taken + state.treasury_scaled_supply, done.collateral_scaled);
            assert_eq!(
                desk.market.account(UserId(2)).unwrap().collateral,
                1 << ETH.0
            );
        }
    }

    #[test]
    fn healthy_users_wrong_collateral_and_wrong_debt_are_refused() {
        for version in BOTH {
            let mut desk = underwater(version, 3_000);
            let now = desk.now;
            let any = call(dollars(1), Seized::Underlying);
            assert_eq!(refused(desk.market.liquidation_call(any, now)), 45);
            let mut desk = underwater(version, 2_800);
            let other = LiquidationCall {
                collateral: STAKED,
                ..any
            };
            assert_eq!(refused(desk.market.liquidation_call(other, now)), 46);
            let other = LiquidationCall {
                debt: STAKED,
                ..any
            };
            assert_eq!(refused(desk.market.liquidation_call(other, now)), 47);
            let nothing = call(U256::ZERO, Seized::Underlying);
            assert_eq!(refused(desk.market.liquidation_call(nothing, now)), 25);
        }
    }

    #[test]
    fn a_refused_liquidation_leaves_no_trace() {
        for version in BOTH {
            let mut desk = underwater(version, 2_800);
            desk.now += 3_600;
            desk.market.reserve_mut(ETH).unwrap().state.cash = ether(1);
            let before = desk.market.clone();
            let all = call(ALL, Seized::Underlying);
            assert!(desk.market.liquidation_call(all, desk.now).is_err());
            assert_eq!(desk.market, before);
        }
    }

    #[test]
    fn e_mode_collateral_is_seized_on_the_categorys_bonus() {
        for version in BOTH {
            let mut desk = Desk::new(version);
            desk.market.set_user_e_mode(UserId(1), 1, desk.now).unwrap();
            desk.supply(1, STAKED, 10);
            desk.borrow(1, ETH, 10);
            desk.market.set_price(STAKED, dollars_each(3_200)).unwrap();
            let call = LiquidationCall {
                user: UserId(1),
                collateral: STAKED,
                debt: ETH,
                debt_to_cover: ether(1),
                seized: Seized::Underlying,
            };
            let done = desk.market.liquidation_call(call, desk.now).unwrap();
            // 1 × 3,000 / 3,200 × 102 %.
            let seized = done.collateral_seized + done.protocol_fee;
            assert_eq!(seized, U256::from(956_250_000_000_000_000_u64));
        }
    }
}
