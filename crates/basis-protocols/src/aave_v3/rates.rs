//! The rate strategy of a reserve: from utilization to rates.

use super::Version;
use super::error::{PoolError, Revert, require};
use super::limbs::long;
use super::math::{
    PERCENTAGE_FACTOR, RAY, add, percent_mul, ray_div, ray_mul, sub, to_u128, wad_to_ray,
};
use basis_core::num::U256;

/// One basis point in rays.
const BPS_RAY: u128 = RAY / PERCENTAGE_FACTOR as u128;

/// The variable part of a reserve's rate curve, in rays.
///
/// The stable part of 3.0 is absent: without stable debt it enters neither of the two rates.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RateStrategy {
    optimal_usage_ratio_ray: u128,
    base_variable_borrow_rate_ray: u128,
    variable_rate_slope1_ray: u128,
    variable_rate_slope2_ray: u128,
}

/// The two rates a reserve stores, in rays per year and without compounding (APR).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Rates {
    /// What suppliers earn.
    pub liquidity_rate_ray: u128,
    /// What borrowers pay.
    pub variable_borrow_rate_ray: u128,
}

/// What a rate strategy is asked about, in base units of the asset.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ReserveLiquidity {
    /// What lies in the reserve before the operation: in 3.0 the aToken contract's balance, in 3.2
    /// the reserve's virtual balance.
    pub available: U256,
    /// What the operation brings.
    pub added: U256,
    /// What the operation takes.
    pub taken: U256,
    /// Variable debt after the operation, interest included.
    pub total_debt: U256,
    /// The part of the interest that the treasury keeps, in basis points, at most 10,000.
    pub reserve_factor_bps: u16,
}

impl RateStrategy {
    /// A curve in rays, as `DefaultReserveInterestRateStrategy` (3.0) takes it.
    ///
    /// # Errors
    /// [`PoolError::InvalidOptimalUsageRatio`] above one ray.
    pub fn from_ray(
        optimal_usage_ratio_ray: u128,
        base_variable_borrow_rate_ray: u128,
        variable_rate_slope1_ray: u128,
        variable_rate_slope2_ray: u128,
    ) -> Result<Self, Revert> {
        require(
            optimal_usage_ratio_ray <= RAY,
            PoolError::InvalidOptimalUsageRatio,
        )?;
        Ok(Self {
            optimal_usage_ratio_ray,
            base_variable_borrow_rate_ray,
            variable_rate_slope1_ray,
            variable_rate_slope2_ray,
        })
    }

    /// A curve in basis points, as `DefaultReserveInterestRateStrategyV2` (3.2) takes it.
    ///
    /// # Errors
    /// [`PoolError::InvalidOptimalUsageRatio`] outside 1 % to 99 %, [`PoolError::Slope2BelowSlope1`],
    /// [`PoolError::InvalidMaxRate`] above 1000 % in all.
    pub fn from_bps(
        optimal_usage_ratio_bps: u16,
        base_variable_borrow_rate_bps: u32,
        variable_rate_slope1_bps: u32,
        variable_rate_slope2_bps: u32,
    ) -> Result<Self, Revert> {
        require(
            (100..=9_900).contains(&optimal_usage_ratio_bps),
            PoolError::InvalidOptimalUsageRatio,
        )?;
        require(
            variable_rate_slope1_bps <= variable_rate_slope2_bps,
            PoolError::Slope2BelowSlope1,
        )?;
        let most = u64::from(base_variable_borrow_rate_bps)
            .saturating_add(u64::from(variable_rate_slope1_bps))
            .saturating_add(u64::from(variable_rate_slope2_bps));
        require(most <= 100_000, PoolError::InvalidMaxRate)?;
        // At most 2^32 × 10^23, below 2^109.
        let ray = |bps: u32| u128::from(bps).wrapping_mul(BPS_RAY);
        Ok(Self {
            optimal_usage_ratio_ray: ray(optimal_usage_ratio_bps.into()),
            base_variable_borrow_rate_ray: ray(base_variable_borrow_rate_bps),
            variable_rate_slope1_ray: ray(variable_rate_slope1_bps),
            variable_rate_slope2_ray: ray(variable_rate_slope2_bps),
        })
    }

    /// Utilization at which the second slope begins, in rays.
    #[must_use]
    pub const fn optimal_usage_ratio_ray(&self) -> u128 {
        self.optimal_usage_ratio_ray
    }

    /// Rates after an operation. Mirrors `calculateInterestRates` of
    /// `DefaultReserveInterestRateStrategy` (3.0) or `DefaultReserveInterestRateStrategyV2` (3.2) and
    /// the casts of `ReserveLogic.updateInterestRates`.
    ///
    /// The versions differ in the last digits: 3.0 averages the variable and the (absent) stable rate
    /// by debt before it takes the suppliers' part.
    ///
    /// # Errors
    /// [`Revert::Arithmetic`] when more is taken than there is, [`Revert::Math`] out of 256 bits,
    /// [`Revert::Cast`] for a rate beyond 128 bits.
    pub fn rates(&self, version: Version, liquidity: &ReserveLiquidity) -> Result<Rates, Revert> {
        let usage = usage_ratio(liquidity)?;
        if version == Version::V3_2 && liquidity.total_debt.is_zero() {
            return Ok(Rates {
                liquidity_rate_ray: 0,
                variable_borrow_rate_ray: self.base_variable_borrow_rate_ray,
            });
        }
        let borrow_rate = self.borrow_rate(usage)?;
        let average_rate = match version {
            Version::V3_0 => overall_rate(liquidity.total_debt, borrow_rate)?,
            Version::V3_2 => borrow_rate,
        };
        let kept = u64::from(liquidity.reserve_factor_bps);
        let paid_out = PERCENTAGE_FACTOR
            .checked_sub(kept)
            .ok_or(Revert::Arithmetic)?;
        let liquidity_rate = percent_mul(ray_mul(average_rate, usage)?, paid_out)?;
        Ok(Rates {
            liquidity_rate_ray: to_u128(liquidity_rate)?,
            variable_borrow_rate_ray: to_u128(borrow_rate)?,
        })
    }

    /// The curve itself: variable borrow rate at `usage`, both in rays.
    fn borrow_rate(&self, usage: U256) -> Result<U256, Revert> {
        let optimal = long(self.optimal_usage_ratio_ray);
        let slope1 = long(self.variable_rate_slope1_ray);
        let above_base = match usage
            .checked_sub(optimal)
            .filter(|excess| !excess.is_zero())
        {
            Some(excess) => {
                let excess_ratio = ray_div(excess, sub(long(RAY), optimal)?)?;
                let slope2 = long(self.variable_rate_slope2_ray);
                add(slope1, ray_mul(slope2, excess_ratio)?)?
            }
            None => ray_div(ray_mul(slope1, usage)?, optimal)?,
        };
        add(long(self.base_variable_borrow_rate_ray), above_base)
    }
}

/// Debt over debt and cash after the operation, in rays; zero without debt, whatever is taken.
pub(super) fn usage_ratio(liquidity: &ReserveLiquidity) -> Result<U256, Revert> {
    if liquidity.total_debt.is_zero() {
        return Ok(U256::ZERO);
    }
    let cash = sub(add(liquidity.available, liquidity.added)?, liquidity.taken)?;
    ray_div(liquidity.total_debt, add(cash, liquidity.total_debt)?)
}

/// `_getOverallBorrowRate` of 3.0 without stable debt: not quite the identity, for it rounds twice.
fn overall_rate(total_debt: U256, borrow_rate: U256) -> Result<U256, Revert> {
    if total_debt.is_zero() {
        return Ok(U256::ZERO);
    }
    let debt_ray = wad_to_ray(total_debt)?;
    ray_div(ray_mul(debt_ray, borrow_rate)?, debt_ray)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn liquidity(available: u64, total_debt: u64) -> ReserveLiquidity {
        ReserveLiquidity {
            available: U256::from(available),
            added: U256::ZERO,
            taken: U256::ZERO,
            total_debt: U256::from(total_debt),
            reserve_factor_bps: 1_000,
        }
    }

    fn curve() -> RateStrategy {
        RateStrategy::from_bps(8_000, 100, 400, 6_000).unwrap()
    }

    #[test]
    fn the_curve_bends_at_the_optimal_ratio() {
        let borrow = |available, debt| {
            curve()
                .rates(Version::V3_2, &liquidity(available, debt))
                .unwrap()
                .variable_borrow_rate_ray
        };
        let percent = RAY / 100;
        assert_eq!(borrow(100, 0), percent);
        assert_eq!(borrow(60, 40), 3 * percent);
        assert_eq!(borrow(20, 80), 5 * percent);
        assert_eq!(borrow(10, 90), 35 * percent);
        assert_eq!(borrow(0, 100), 65 * percent);
    }

    #[test]
    fn suppliers_earn_what_borrowers_pay_less_the_reserve_factor() {
        let rates = curve().rates(Version::V3_0, &liquidity(20, 80)).unwrap();
        // 5 % × 80 % used × 90 % paid out.
        assert_eq!(rates.liquidity_rate_ray, RAY * 36 / 1_000);
    }

    #[test]
    fn taking_more_than_there_is_panics_only_where_there_is_debt() {
        let mut empty = liquidity(10, 0);
        empty.taken = U256::from(11);
        for version in [Version::V3_0, Version::V3_2] {
            assert!(curve().rates(version, &empty).is_ok());
            let lent = ReserveLiquidity {
                total_debt: U256::ONE,
                ..empty
            };
            assert_eq!(curve().rates(version, &lent), Err(Revert::Arithmetic));
        }
    }

    #[test]
    fn curves_out_of_range_are_refused_with_the_contracts_numbers() {
        let code = |curve: Result<RateStrategy, Revert>| curve.unwrap_err().pool_error().unwrap();
        assert_eq!(code(RateStrategy::from_ray(RAY + 1, 0, 0, 0)).code(), 83);
        assert_eq!(code(RateStrategy::from_bps(99, 0, 0, 0)).code(), 83);
        assert_eq!(code(RateStrategy::from_bps(9_901, 0, 0, 0)).code(), 83);
        assert_eq!(code(RateStrategy::from_bps(8_000, 0, 2, 1)).code(), 95);
        let steep = RateStrategy::from_bps(8_000, 1, 50_000, 50_000);
        assert_eq!(code(steep).code(), 92);
    }

    #[test]
    fn no_curve_in_3_0_may_start_at_zero_utilization() {
        let flat = RateStrategy::from_ray(0, 0, RAY, RAY).unwrap();
        assert_eq!(
            flat.rates(Version::V3_0, &liquidity(1, 0)),
            Err(Revert::Math)
        );
        assert!(flat.rates(Version::V3_0, &liquidity(1, 1)).is_ok());
    }

    proptest! {
        #[test]
        fn prop_rates_rise_with_debt_and_suppliers_never_earn_more_than_is_paid(
            cash in 0..=u64::MAX,
            debt in 1..u64::MAX,
            factor in 0_u16..=10_000,
        ) {
            for version in [Version::V3_0, Version::V3_2] {
                let now = ReserveLiquidity { reserve_factor_bps: factor, ..liquidity(cash, debt) };
                let more = ReserveLiquidity { total_debt: add(now.total_debt, U256::ONE).unwrap(), ..now };
                let (now, more) = (
                    curve().rates(version, &now).unwrap(),
                    curve().rates(version, &more).unwrap(),
                );
                prop_assert!(more.variable_borrow_rate_ray >= now.variable_borrow_rate_ray);
                prop_assert!(now.liquidity_rate_ray <= now.variable_borrow_rate_ray);
            }
        }
    }
}
