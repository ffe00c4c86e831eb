//! The rate curve that a recorded row implies, and what our own size makes of it.
//!
//! A row says one point of the reserve's curve: utilization and the two rates at it. With the kink of
//! the risk table, the second slope of the settings and a base rate of zero, this point fixes the first
//! slope; the suppliers' rate fixes the reserve factor, which the table knows only as of today. The rate
//! in force is the recorded one plus what our supply and debt change on this curve, so that without us
//! it is the recorded one to the last digit. A row without debt implies no curve and stays as it is.

use basis_core::num::U256;
use basis_protocols::aave_v3::math::{PERCENTAGE_FACTOR, RAY, ray_div, ray_mul};
use basis_protocols::aave_v3::{
    RateStrategy, Rates, RecordedReserve, ReserveLiquidity, Revert, Version,
};

/// What is fixed about a reserve's curve beside its rows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Kink {
    /// Utilization at the kink, rays.
    pub(super) optimal_ray: u128,
    /// The second slope, rays.
    pub(super) slope2_ray: u128,
}

/// The curve of one row.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Implied {
    strategy: RateStrategy,
    reserve_factor_bps: u16,
}

/// The rates of `row` with our own supply and debt (base units) beside everybody else's.
///
/// # Errors
/// [`Revert`] when an amount leaves its width.
pub(super) fn rates_with(
    row: &RecordedReserve,
    kink: Kink,
    version: Version,
    (own_supply, own_debt): (U256, U256),
) -> Result<Rates, Revert> {
    let Some(curve) = implied(row, kink)? else {
        return Ok(row.rates);
    };
    let cash = row.total_supplied.saturating_sub(row.total_debt);
    let at = |available: U256, total_debt: U256| {
        let liquidity = ReserveLiquidity {
            available,
            added: U256::ZERO,
            taken: U256::ZERO,
            total_debt,
            reserve_factor_bps: curve.reserve_factor_bps,
        };
        curve.strategy.rates(version, &liquidity)
    };
    let without = at(cash, row.total_debt)?;
    let available = cash.saturating_add(own_supply).saturating_sub(own_debt);
    let with = at(available, row.total_debt.saturating_add(own_debt))?;
    let moved = |recorded: u128, with: u128, without: u128| {
        recorded.saturating_add(with).saturating_sub(without)
    };
    Ok(Rates {
        liquidity_rate_ray: moved(
            row.rates.liquidity_rate_ray,
            with.liquidity_rate_ray,
            without.liquidity_rate_ray,
        ),
        variable_borrow_rate_ray: moved(
            row.rates.variable_borrow_rate_ray,
            with.variable_borrow_rate_ray,
            without.variable_borrow_rate_ray,
        ),
    })
}

/// The curve through the point of `row`; none where nothing is borrowed or it costs nothing.
fn implied(row: &RecordedReserve, kink: Kink) -> Result<Option<Implied>, Revert> {
    let rate = U256::from(row.rates.variable_borrow_rate_ray);
    let supplied = row.total_supplied.max(row.total_debt);
    if row.total_debt.is_zero() || rate.is_zero() {
        return Ok(None);
    }
    let usage = ray_div(row.total_debt, supplied)?;
    if usage.is_zero() {
        return Ok(None);
    }
    let optimal = U256::from(kink.optimal_ray);
    let (mut slope1, mut slope2) = (U256::ZERO, U256::from(kink.slope2_ray));
    if usage <= optimal {
        slope1 = ray_div(ray_mul(rate, optimal)?, usage)?;
    } else {
        let above = ray_div(
            usage.saturating_sub(optimal),
            U256::from(RAY).saturating_sub(optimal),
        )?;
        match rate.checked_sub(ray_mul(slope2, above)?) {
            Some(rest) => slope1 = rest,
            // Steeper than the row allows: all of the rate is the second slope's.
            None => slope2 = ray_div(rate, above)?,
        }
    }
    let paid = ray_mul(rate, usage)?;
    let kept_bps = if paid.is_zero() {
        0
    } else {
        let earned = U256::from(row.rates.liquidity_rate_ray);
        let part = ray_div(earned, paid)?.min(U256::from(RAY));
        let bps = ray_mul(part, U256::from(PERCENTAGE_FACTOR))?;
        U256::from(PERCENTAGE_FACTOR)
            .saturating_sub(bps)
            .saturating_to()
    };
    Ok(Some(Implied {
        strategy: RateStrategy::from_ray(
            kink.optimal_ray,
            0,
            slope1.saturating_to(),
            slope2.saturating_to(),
        )?,
        reserve_factor_bps: kept_bps,
    }))
}

#[cfg(test)]
mod tests {
    use super::*;

    const PERCENT: u128 = RAY / 100;

    /// 1,000 supplied and `debt` owed at `rate`, a tenth of the interest kept.
    fn row(debt: u64, rate: u128) -> RecordedReserve {
        RecordedReserve {
            at: 0,
            liquidity_index_ray: RAY,
            variable_borrow_index_ray: RAY,
            rates: Rates {
                liquidity_rate_ray: rate / 1_000 * u128::from(debt) / 10 * 9,
                variable_borrow_rate_ray: rate,
            },
            total_supplied: U256::from(1_000_000_000_u64),
            total_debt: U256::from(debt * 1_000_000),
            price_base: U256::ZERO,
        }
    }

    const KINK: Kink = Kink {
        optimal_ray: 80 * PERCENT,
        slope2_ray: 60 * PERCENT,
    };

    fn with(row: &RecordedReserve, supply: u64, debt: u64) -> Rates {
        let units = |whole: u64| U256::from(whole * 1_000_000);
        rates_with(row, KINK, Version::V3_2, (units(supply), units(debt))).unwrap()
    }

    #[test]
    fn without_us_the_rates_are_the_recorded_ones() {
        for debt in [0, 100, 800, 950, 1_000] {
            let row = row(debt, 4 * PERCENT);
            assert_eq!(with(&row, 0, 0), row.rates);
        }
    }

    #[test]
    fn the_implied_curve_is_walked_by_hand() {
        // Half is borrowed at 4 %: the first slope is 4 % × 0.8 / 0.5 = 6.4 %. A supply of 1,000 more
        // brings utilization to 25 % and the rate to 2 %, of which suppliers get 90 % of a quarter.
        let rates = with(&row(500, 4 * PERCENT), 1_000, 0);
        assert_eq!(rates.variable_borrow_rate_ray, 2 * PERCENT);
        assert_eq!(rates.liquidity_rate_ray, PERCENT * 45 / 100);
        // A debt of 400 more: 90 %, which is 6.4 % + 60 % / 2.
        let rates = with(&row(500, 4 * PERCENT), 0, 400);
        assert_eq!(rates.variable_borrow_rate_ray, PERCENT * 364 / 10);
        // Above the kink: 35 % at 90 % leaves 5 % to the first slope. With 500 more supplied
        // utilization is 60 %: 5 % × 0.6 / 0.8.
        let rates = with(&row(900, 35 * PERCENT), 500, 0);
        assert_eq!(rates.variable_borrow_rate_ray, PERCENT * 375 / 100);
    }

    #[test]
    fn a_second_slope_too_steep_for_the_row_takes_all_of_its_rate() {
        // 10 % at 90 %: half of the second slope alone would be 30 %.
        let rates = with(&row(900, 10 * PERCENT), 0, 50);
        assert_eq!(rates.variable_borrow_rate_ray, 15 * PERCENT);
    }
}
