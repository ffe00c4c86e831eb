//! Questions about a market that change nothing: how much more, at which price, at which rates.

use super::account::Sums;
use super::e_mode::HEALTHY;
use super::error::Revert;
use super::limbs::{half, long};
use super::market::{bit, isolated_debt};
use super::math::{PERCENTAGE_FACTOR, WAD, add, mul, ray_div, ray_mul, sub, to_u128};
use super::rates::{Rates, ReserveLiquidity, usage_ratio};
use super::reserve::Reserve;
use super::scaled::balance_of;
use super::{Market, ReserveId, Seconds, UserId, Version};
use basis_core::num::U256;

impl Market {
    /// What a scaled unit of supply is worth at `now`, rays. Mirrors
    /// `Pool.getReserveNormalizedIncome`.
    ///
    /// # Errors
    /// [`Revert::UnknownReserve`], or as [`super::ReserveState::normalized_income_ray`].
    pub fn normalized_income_ray(&self, reserve: ReserveId, now: Seconds) -> Result<U256, Revert> {
        self.reserve(reserve)?.state.normalized_income_ray(now)
    }

    /// What a scaled unit of debt is worth at `now`, rays. Mirrors
    /// `Pool.getReserveNormalizedVariableDebt`.
    ///
    /// # Errors
    /// [`Revert::UnknownReserve`], or as [`super::ReserveState::normalized_debt_ray`].
    pub fn normalized_debt_ray(&self, reserve: ReserveId, now: Seconds) -> Result<U256, Revert> {
        self.reserve(reserve)?.state.normalized_debt_ray(now)
    }

    /// Debt over debt and cash at `now`, rays: what the rate curve is read at.
    ///
    /// # Errors
    /// [`Revert::UnknownReserve`], [`Revert::Arithmetic`] or [`Revert::Math`] out of 256 bits.
    pub fn utilization_ray(&self, reserve: ReserveId, now: Seconds) -> Result<U256, Revert> {
        let cell = self.reserve(reserve)?;
        let index = cell.state.normalized_debt_ray(now)?;
        usage_ratio(&ReserveLiquidity {
            available: cell.state.cash,
            added: U256::ZERO,
            taken: U256::ZERO,
            total_debt: ray_mul(cell.state.scaled_debt, index)?,
            reserve_factor_bps: cell.config.reserve_factor_bps,
        })
    }

    /// The rates the reserve would have with `cash` and `total_debt`, base units.
    ///
    /// # Errors
    /// As [`super::RateStrategy::rates`].
    pub fn rates_at(
        &self,
        reserve: ReserveId,
        cash: U256,
        total_debt: U256,
    ) -> Result<Rates, Revert> {
        let config = &self.reserve(reserve)?.config;
        config.rate_strategy.rates(
            self.version,
            &ReserveLiquidity {
                available: cash,
                added: U256::ZERO,
                taken: U256::ZERO,
                total_debt,
                reserve_factor_bps: config.reserve_factor_bps,
            },
        )
    }

    /// The most that [`Market::borrow`] would lend the user at `now` and that leaves a health factor
    /// of at least `health_factor_wad` (zero: whatever the loan to value allows); base units, zero
    /// where nothing would be lent.
    ///
    /// # Errors
    /// [`Revert`] for unknown ids, a missing price, or out of 256 bits.
    pub fn max_borrow(
        &self,
        user: UserId,
        reserve: ReserveId,
        health_factor_wad: U256,
        now: Seconds,
    ) -> Result<U256, Revert> {
        let mut cell = *self.reserve(reserve)?;
        let account = *self.account(user)?;
        let refused = cell.config.require_active().is_err()
            || cell.config.frozen
            || !cell.config.borrowing_enabled
            || self
                .require_borrowable_in_e_mode(&account, reserve)
                .is_err()
            || self.require_no_silo(&account, reserve).is_err();
        if refused {
            return Ok(U256::ZERO);
        }
        cell.update_state(now)?;
        let mut most = cell.state.cash.min(self.room_in_reserve(&cell)?);
        if let Some((collateral, ceiling)) = self.isolation_mode(&account)? {
            if !cell.config.borrowable_in_isolation {
                return Ok(U256::ZERO);
            }
            let owed = self.reserve(collateral)?.state.isolation_total_debt;
            most = most.min(room_below_ceiling(owed, ceiling, &cell)?);
        }
        let sums = self.sums::<U256>(user, now)?;
        let data = sums.finish()?;
        if data.ltv_bps == 0 || data.health_factor_wad <= HEALTHY {
            return Ok(U256::ZERO);
        }
        most = most.min(room_below_ltv(&sums, data.ltv_bps, &cell)?);
        self.bound_by_health(user, reserve, &cell, &sums, most, health_factor_wad)
    }

    /// Caps, and in 3.2 the aToken supply, of a reserve up to date.
    fn room_in_reserve(&self, cell: &Reserve) -> Result<U256, Revert> {
        let mut room = U256::MAX;
        if self.version == Version::V3_2 {
            let index = long(cell.state.liquidity_index_ray);
            room = ray_mul(cell.state.scaled_supply, index)?;
        }
        if cell.config.borrow_cap != 0 {
            let cap = mul(U256::from(cell.config.borrow_cap), cell.config.unit())?;
            room = room.min(cap.saturating_sub(cell.total_debt()?));
        }
        Ok(room)
    }

    /// The largest amount up to `most` that leaves the health factor. More debt never heals, so the
    /// bisection ends at the one edge there is.
    fn bound_by_health(
        &self,
        user: UserId,
        reserve: ReserveId,
        cell: &Reserve,
        sums: &Sums<U256>,
        most: U256,
        health_factor_wad: U256,
    ) -> Result<U256, Revert> {
        let index = long(cell.state.variable_borrow_index_ray);
        let scaled = self.position(user, reserve)?.scaled_debt;
        let old = cell.value_of(balance_of(scaled, index)?)?;
        let others = sub(sums.debt, old)?;
        let leaves = |amount: U256| -> Result<bool, Revert> {
            let Ok(minted) = to_u128(ray_div(amount, index)?) else {
                return Ok(false);
            };
            let scaled = scaled.saturating_add(minted);
            let debt = add(others, cell.value_of(balance_of(scaled, index)?)?)?;
            Ok(sums.with_debt(debt).health_factor_wad()? >= health_factor_wad)
        };
        bisect(most, leaves)
    }

    /// The most that [`Market::withdraw`] would give the user at `now` and that leaves a health
    /// factor of at least `health_factor_wad` (the pool itself asks for one wad where there is debt);
    /// base units, zero where nothing would be given.
    ///
    /// The average threshold is in whole basis points, so health is not quite monotone in what is
    /// withdrawn: the result leaves the health factor and one unit more does not, but a larger amount
    /// may again.
    ///
    /// # Errors
    /// [`Revert`] for unknown ids, a missing price, or out of 256 bits.
    pub fn max_withdraw(
        &self,
        user: UserId,
        reserve: ReserveId,
        health_factor_wad: U256,
        now: Seconds,
    ) -> Result<U256, Revert> {
        let mut cell = *self.reserve(reserve)?;
        let account = *self.account(user)?;
        if cell.config.require_active().is_err() {
            return Ok(U256::ZERO);
        }
        cell.update_state(now)?;
        let index = long(cell.state.liquidity_index_ray);
        let scaled = self.position(user, reserve)?.scaled_supply;
        let most = balance_of(scaled, index)?.min(cell.state.cash);
        let is_collateral = account.collateral & bit(reserve) != 0;
        if !is_collateral || account.borrowing == 0 {
            return Ok(most);
        }
        let sums = self.sums::<U256>(user, now)?;
        if sums.finish()?.has_zero_ltv_collateral && cell.config.ltv_bps != 0 {
            return Ok(U256::ZERO);
        }
        let e_mode = self.e_mode_of(&account);
        let (ltv, threshold) = self.collateral_terms(reserve, &cell, e_mode);
        let counts = cell.config.liquidation_threshold_bps != 0;
        let others = if counts {
            sums.less_collateral(cell.value_of(balance_of(scaled, index)?)?, threshold)?
        } else {
            sums
        };
        let wanted = health_factor_wad.max(HEALTHY);
        bisect(most, |amount| {
            let mut after = others;
            if counts {
                let left = scaled.saturating_sub(to_u128(ray_div(amount, index)?)?);
                let value = cell.value_of(balance_of(left, index)?)?;
                // The loan to value does not enter the health factor.
                after.add_collateral(value, ltv, threshold, true)?;
            }
            Ok(after.health_factor_wad()? >= wanted)
        })
    }

    /// The highest oracle price of `collateral` (base currency, 8 decimals) at which the user could
    /// be liquidated at `now`, with the price of `debt` as it is. `None` unless these two are the
    /// user's only collateral and only debt. Exact: one unit more, and the pool refuses with 45.
    ///
    /// # Errors
    /// [`Revert`] for unknown ids, a missing price of the debt, or out of 256 bits.
    pub fn liquidation_price_base(
        &self,
        user: UserId,
        collateral: ReserveId,
        debt: ReserveId,
        now: Seconds,
    ) -> Result<Option<U256>, Revert> {
        let account = self.account(user)?;
        let (cell, debt_cell) = (self.reserve(collateral)?, self.reserve(debt)?);
        let (_, threshold) = self.collateral_terms(collateral, cell, self.e_mode_of(account));
        let balance = self.supply_balance(user, collateral, now)?;
        let owed = self.debt_balance(user, debt, now)?;
        let alone = account.collateral == bit(collateral) && account.borrowing == bit(debt);
        if !alone || collateral == debt || threshold == 0 || balance.is_zero() {
            return Ok(None);
        }
        let owed = debt_cell.value_of(owed)?;
        if owed.is_zero() {
            return Ok(None);
        }
        // Health below one wad: (x × wad + owed / 2) / owed < wad, for x = collateral × threshold.
        let wad = long(WAD);
        let least = sub(sub(mul(owed, wad)?, U256::ONE)?, half(owed))?.wrapping_div(wad);
        // x = (value × threshold + 5,000) / 10,000 is at most `least`.
        let factor = U256::from(PERCENTAGE_FACTOR);
        let half_factor = U256::from(PERCENTAGE_FACTOR / 2);
        let weighted = sub(
            mul(add(least, U256::ONE)?, factor)?,
            add(half_factor, U256::ONE)?,
        )?;
        let value = weighted.wrapping_div(U256::from(threshold));
        // value = balance × price / unit, rounded down.
        let scaled = sub(mul(add(value, U256::ONE)?, cell.config.unit())?, U256::ONE)?;
        Ok(Some(scaled.wrapping_div(balance)))
    }
}

/// What may still be borrowed below the isolated collateral's ceiling.
fn room_below_ceiling(owed: u128, ceiling: u64, cell: &Reserve) -> Result<U256, Revert> {
    let Some(left) = u128::from(ceiling).checked_sub(owed) else {
        return Ok(U256::ZERO);
    };
    // An asset of fewer than two decimals cannot be borrowed in isolation at all.
    if isolated_debt(U256::ZERO, cell.config.decimals).is_err() {
        return Ok(U256::ZERO);
    }
    let unit = cell.config.unit().wrapping_div(U256::from(100));
    sub(mul(add(long(left), U256::ONE)?, unit)?, U256::ONE)
}

/// What may still be borrowed below the loan to value: the largest amount whose value, together with
/// the debt there is, divided by the loan to value half up is at most the collateral.
fn room_below_ltv(sums: &Sums<U256>, ltv_bps: u64, cell: &Reserve) -> Result<U256, Revert> {
    let ltv = U256::from(ltv_bps);
    let factor = U256::from(PERCENTAGE_FACTOR);
    let covered = sub(
        sub(mul(add(sums.collateral, U256::ONE)?, ltv)?, U256::ONE)?,
        half(ltv),
    )?
    .wrapping_div(factor);
    let Some(value) = covered.checked_sub(sums.debt) else {
        return Ok(U256::ZERO);
    };
    let scaled = sub(mul(add(value, U256::ONE)?, cell.config.unit())?, U256::ONE)?;
    Ok(scaled.wrapping_div(cell.price()?))
}

/// The largest number up to `most` that has the property, by bisection; zero where zero lacks it.
fn bisect(most: U256, has: impl Fn(U256) -> Result<bool, Revert>) -> Result<U256, Revert> {
    if has(most)? {
        return Ok(most);
    }
    let (mut low, mut high) = (U256::ZERO, most);
    if most.is_zero() || !has(low)? {
        return Ok(U256::ZERO);
    }
    // `low` has it, `high` does not; at most 256 rounds.
    loop {
        let middle = low.wrapping_add(half(high.wrapping_sub(low)));
        if middle == low {
            return Ok(low);
        }
        if has(middle)? {
            low = middle;
        } else {
            high = middle;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::math::RAY;
    use super::super::test_market::{Desk, ETH, STAKED, USD, dollars, ether, refused};
    use super::*;

    const BOTH: [Version; 2] = [Version::V3_0, Version::V3_2];

    #[test]
    fn the_most_that_can_be_borrowed_is_lent_and_a_unit_more_is_not() {
        for version in BOTH {
            let mut desk = Desk::new(version);
            desk.supply(1, ETH, 7);
            desk.borrow(1, USD, 123);
            desk.now += 1_000_003;
            let (user, now) = (UserId(1), desk.now);
            for id in [USD, STAKED] {
                let most = desk.market.max_borrow(user, id, U256::ZERO, now).unwrap();
                let over = most + U256::ONE;
                let refusal = desk.market.clone().borrow(user, id, over, now);
                assert_eq!(refused(refusal), 36);
                assert!(desk.market.clone().borrow(user, id, most, now).is_ok());
            }
        }
    }

    #[test]
    fn a_health_factor_to_keep_bounds_borrows_and_withdrawals() {
        let target = long(WAD * 3 / 2);
        for version in BOTH {
            let mut desk = Desk::new(version);
            desk.supply(1, ETH, 7);
            desk.borrow(1, USD, 5_000);
            desk.now += 1_000_003;
            let (user, now) = (UserId(1), desk.now);
            let health_after = |amount: U256, borrows: bool| {
                let mut market = desk.market.clone();
                if borrows {
                    market.borrow(user, USD, amount, now).unwrap();
                } else {
                    market.withdraw(user, ETH, amount, now).unwrap();
                }
                market.health_factor_wad(user, now).unwrap()
            };
            let most = desk.market.max_borrow(user, USD, target, now).unwrap();
            assert!(health_after(most, true) >= target);
            assert!(health_after(most + U256::ONE, true) < target);
            let most = desk.market.max_withdraw(user, ETH, target, now).unwrap();
            assert!(health_after(most, false) >= target);
            assert!(health_after(most + U256::ONE, false) < target);
            let all = desk
                .market
                .max_withdraw(user, ETH, U256::ZERO, now)
                .unwrap();
            let over = desk.market.withdraw(user, ETH, all + U256::ONE, now);
            assert_eq!(refused(over), 35);
            assert!(desk.market.withdraw(user, ETH, all, now).is_ok());
        }
    }

    #[test]
    fn cash_and_caps_bound_what_can_be_borrowed() {
        for version in BOTH {
            let mut desk = Desk::new(version);
            desk.supply(1, ETH, 1_000_000);
            let (user, now) = (UserId(1), desk.now);
            let most = |desk: &Desk| desk.market.max_borrow(user, USD, U256::ZERO, now).unwrap();
            assert_eq!(most(&desk), dollars(1_000_000));
            let mut config = *desk.market.reserve(USD).unwrap().config();
            config.borrow_cap = 5;
            desk.market.set_config(USD, config, now).unwrap();
            assert_eq!(most(&desk), dollars(5));
            config.frozen = true;
            desk.market.set_config(USD, config, now).unwrap();
            assert_eq!(most(&desk), U256::ZERO);
        }
    }

    #[test]
    fn isolated_collateral_bounds_what_can_be_borrowed() {
        for version in BOTH {
            let mut desk = Desk::new(version);
            desk.supply(1, ETH, 10);
            let mut config = *desk.market.reserve(ETH).unwrap().config();
            config.debt_ceiling = 100;
            let (user, now) = (UserId(1), desk.now);
            desk.market.set_config(ETH, config, now).unwrap();
            let most = |desk: &Desk| desk.market.max_borrow(user, USD, U256::ZERO, now).unwrap();
            assert_eq!(most(&desk), U256::ZERO);
            let mut config = *desk.market.reserve(USD).unwrap().config();
            config.borrowable_in_isolation = true;
            desk.market.set_config(USD, config, now).unwrap();
            let amount = most(&desk);
            assert_eq!(amount, U256::from(1_009_999));
            let over = amount + U256::ONE;
            let refusal = desk.market.clone().borrow(user, USD, over, now);
            assert_eq!(refused(refusal), 53);
            assert!(desk.market.borrow(user, USD, amount, now).is_ok());
        }
    }

    #[test]
    fn the_liquidation_price_is_the_last_one_that_allows_it() {
        for version in BOTH {
            let mut desk = Desk::new(version);
            desk.supply(1, ETH, 7);
            desk.borrow(1, USD, 12_345);
            desk.now += 1_000_003;
            let (user, now) = (UserId(1), desk.now);
            let market = &mut desk.market;
            let price = market.liquidation_price_base(user, ETH, USD, now);
            let price = price.unwrap().unwrap();
            market.set_price(ETH, price).unwrap();
            assert!(market.health_factor_wad(user, now).unwrap() < HEALTHY);
            market.set_price(ETH, price + U256::ONE).unwrap();
            assert!(market.health_factor_wad(user, now).unwrap() >= HEALTHY);
            let swapped = market.liquidation_price_base(user, USD, ETH, now);
            assert_eq!(swapped, Ok(None));
            desk.supply(1, STAKED, 1);
            let mixed = desk.market.liquidation_price_base(user, ETH, USD, now);
            assert_eq!(mixed, Ok(None));
        }
    }

    #[test]
    fn utilization_and_hypothetical_rates_follow_the_curve() {
        for version in BOTH {
            let mut desk = Desk::new(version);
            desk.supply(1, ETH, 1_000);
            desk.borrow(1, USD, 800_000);
            let used = desk.market.utilization_ray(USD, desk.now).unwrap();
            assert_eq!(used, long(RAY / 5 * 4));
            let rates = desk
                .market
                .rates_at(USD, dollars(200_000), dollars(800_000))
                .unwrap();
            assert_eq!(rates, desk.market.reserve(USD).unwrap().state().rates);
            assert_eq!(rates.variable_borrow_rate_ray, RAY / 25);
            assert!(desk.market.utilization_ray(USD, desk.now + 9).unwrap() > used);
            let idle = desk.market.normalized_income_ray(ETH, desk.now).unwrap();
            assert_eq!(idle, long(RAY));
            assert_eq!(
                desk.market
                    .max_withdraw(UserId(0), ETH, U256::ZERO, desk.now),
                Ok(ether(1_000))
            );
        }
    }
}
