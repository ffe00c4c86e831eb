//! The pool's fixed-point arithmetic: `WadRayMath`, `PercentageMath` and `MathUtils`.
//!
//! A wad has 18 decimals, a ray 27, a percentage is in basis points (10,000 = 100 %). Multiplication
//! and division round half up, and revert without data where 256 bits do not hold the intermediate,
//! exactly as the contracts' assembly does. The same in both versions.
//!
//! Everything here is a pure function. Operands of up to 128 bits take a path without long division.

use super::error::Revert;
use super::limbs::{Divisor, half, long, mul_halves, mul_u128, short};
use basis_core::num::U256;

/// One ray, `10^27`.
pub const RAY: u128 = 10_u128.pow(27);
/// One wad, `10^18`.
pub const WAD: u128 = 10_u128.pow(18);
/// 100 % in basis points.
pub const PERCENTAGE_FACTOR: u64 = 10_000;
/// Seconds of the pool's year, which knows no leap years.
pub const SECONDS_PER_YEAR: u64 = 365 * 24 * 60 * 60;

/// Half a ray, in 128 bits.
pub(super) const HALF_RAY_SHORT: u128 = RAY / 2;
const HALF_RAY: U256 = long(HALF_RAY_SHORT);
pub(super) const HALF_PERCENTAGE: u64 = PERCENTAGE_FACTOR / 2;

pub(super) const BY_RAY: Divisor = Divisor::new(RAY);
const BY_WAD: Divisor = Divisor::new(WAD);
pub(super) const BY_PERCENTAGE: Divisor = Divisor::new(PERCENTAGE_FACTOR as u128);
const BY_YEAR: Divisor = Divisor::new(SECONDS_PER_YEAR as u128);
const BY_YEAR_SQUARED: Divisor = Divisor::new((SECONDS_PER_YEAR as u128).pow(2));
const BY_SIX: Divisor = Divisor::new(6);

/// Rates below this and spans below [`SHORT_SPAN`] keep every term of the interest in 128 bits.
const SHORT_RATE: u128 = 1 << 96;
/// 68 years.
const SHORT_SPAN: u64 = 1 << 31;

/// `a × b` in rays, rounded half up. Mirrors `WadRayMath.rayMul`.
///
/// # Errors
/// [`Revert::Math`] where the product does not fit 256 bits.
#[inline]
pub fn ray_mul(a: U256, b: U256) -> Result<U256, Revert> {
    if let (Some(a), Some(b)) = (short(a), short(b)) {
        return Ok(ray_mul_u128(a, b));
    }
    let product = a.checked_mul(b).ok_or(Revert::Math)?;
    Ok(BY_RAY.div(product.checked_add(HALF_RAY).ok_or(Revert::Math)?))
}

/// [`ray_mul`] of numbers whose product always fits.
#[inline]
pub(super) fn ray_mul_u128(a: u128, b: u128) -> U256 {
    // (2^128 - 1)^2 + 10^27 / 2 is below 2^256.
    BY_RAY.div(mul_u128(a, b).wrapping_add(HALF_RAY))
}

/// `a ÷ b` in rays, rounded half up. Mirrors `WadRayMath.rayDiv`.
///
/// # Errors
/// [`Revert::Math`] for a zero divisor, or where `a × 10^27 + b / 2` does not fit 256 bits.
#[inline]
pub fn ray_div(a: U256, b: U256) -> Result<U256, Revert> {
    div_half_up(a, long(RAY), b)
}

/// `a × b` in wads, rounded half up. Mirrors `WadRayMath.wadMul`.
///
/// # Errors
/// [`Revert::Math`] where the product does not fit 256 bits.
#[inline]
pub fn wad_mul(a: U256, b: U256) -> Result<U256, Revert> {
    let product = a.checked_mul(b).ok_or(Revert::Math)?;
    let rounded = product.checked_add(long(WAD / 2)).ok_or(Revert::Math)?;
    Ok(BY_WAD.div(rounded))
}

/// `a ÷ b` in wads, rounded half up. Mirrors `WadRayMath.wadDiv`.
///
/// # Errors
/// [`Revert::Math`] for a zero divisor, or where `a × 10^18 + b / 2` does not fit 256 bits.
#[inline]
pub fn wad_div(a: U256, b: U256) -> Result<U256, Revert> {
    div_half_up(a, long(WAD), b)
}

/// `a × 10^9`. Mirrors `WadRayMath.wadToRay`.
///
/// # Errors
/// [`Revert::Math`] where the product does not fit 256 bits.
#[inline]
pub fn wad_to_ray(a: U256) -> Result<U256, Revert> {
    a.checked_mul(long(RAY / WAD)).ok_or(Revert::Math)
}

/// `value × percentage`, rounded half up; `percentage` in basis points. Mirrors
/// `PercentageMath.percentMul`.
///
/// # Errors
/// [`Revert::Math`] where the product does not fit 256 bits.
#[inline]
pub fn percent_mul(value: U256, percentage_bps: u64) -> Result<U256, Revert> {
    let product = match short(value) {
        Some(value) => Some(mul_u128(value, u128::from(percentage_bps))),
        None => value.checked_mul(U256::from(percentage_bps)),
    };
    let rounded = product
        .and_then(|product| product.checked_add(U256::from(HALF_PERCENTAGE)))
        .ok_or(Revert::Math)?;
    Ok(BY_PERCENTAGE.div(rounded))
}

/// `value ÷ percentage`, rounded half up; `percentage` in basis points. Mirrors
/// `PercentageMath.percentDiv`.
///
/// # Errors
/// [`Revert::Math`] for a zero percentage, or where 256 bits do not hold `value × 10,000`.
#[inline]
pub fn percent_div(value: U256, percentage_bps: u64) -> Result<U256, Revert> {
    div_half_up(
        value,
        U256::from(PERCENTAGE_FACTOR),
        U256::from(percentage_bps),
    )
}

/// `(a × unit + b / 2) / b`.
#[inline]
fn div_half_up(a: U256, unit: U256, b: U256) -> Result<U256, Revert> {
    let rounded = product(a, unit)
        .and_then(|product| product.checked_add(half(b)))
        .ok_or(Revert::Math)?;
    div_floor(rounded, b).ok_or(Revert::Math)
}

/// `a ÷ b` rounded down; `None` for a zero divisor.
#[inline]
pub(super) fn div_floor(a: U256, b: U256) -> Option<U256> {
    if let (Some(a), Some(b)) = (short(a), short(b)) {
        if let (Ok(a), Ok(b)) = (u64::try_from(a), u64::try_from(b)) {
            return a.checked_div(b).map(|quotient| long(quotient.into()));
        }
        return a.checked_div(b).map(long);
    }
    a.checked_div(b)
}

/// `a × b`; `None` where 256 bits do not hold it.
#[inline]
fn product(a: U256, b: U256) -> Option<U256> {
    match (short(a), short(b)) {
        (Some(a), Some(b)) => Some(mul_u128(a, b)),
        _ => a.checked_mul(b),
    }
}

/// Whether every term of the interest fits 128 bits.
#[inline]
pub(super) const fn is_short_span(rate_ray: u128, seconds: u64) -> bool {
    rate_ray < SHORT_RATE && seconds < SHORT_SPAN
}

/// What a unit grows to in `seconds` at the yearly `rate`, in rays and without compounding. Mirrors
/// `MathUtils.calculateLinearInterest`; the year's division rounds down.
#[inline]
#[must_use]
pub fn linear_interest(rate_ray: u128, seconds: u64) -> U256 {
    if is_short_span(rate_ray, seconds) {
        return long(linear_interest_short(rate_ray, seconds));
    }
    // Below 2^192, and a ray more below 2^193.
    let interest = BY_YEAR.div(mul_u128(rate_ray, u128::from(seconds)));
    interest.wrapping_add(long(RAY))
}

/// [`linear_interest`] of a rate below 2^96 over less than 2^31 seconds.
#[inline]
pub(super) fn linear_interest_short(rate_ray: u128, seconds: u64) -> u128 {
    // Below 2^127 before the division.
    let interest = BY_YEAR.div_u128(rate_ray.wrapping_mul(u128::from(seconds)));
    RAY.wrapping_add(interest)
}

/// What a unit grows to in `seconds` at the yearly `rate`, in rays, by the first three terms of the
/// binomial series of compounding every second. Mirrors `MathUtils.calculateCompoundedInterest`,
/// whose order of roundings is kept: the powers of the rate per second are rounded half up by
/// `rayMul` and then down by the year.
///
/// # Errors
/// [`Revert::Arithmetic`] where a term does not fit 256 bits.
#[inline]
pub fn compounded_interest(rate_ray: u128, seconds: u64) -> Result<U256, Revert> {
    if is_short_span(rate_ray, seconds) {
        return Ok(long(compounded_interest_short(rate_ray, seconds)));
    }
    compounded_interest_long(rate_ray, seconds)
}

/// [`compounded_interest`] of a rate below 2^96 over less than 2^31 seconds. No seconds need no case
/// of their own: every term has their number as a factor.
#[inline]
pub(super) fn compounded_interest_short(rate_ray: u128, seconds: u64) -> u128 {
    let span = u128::from(seconds);
    let minus_one = span.saturating_sub(1);
    let minus_two = span.saturating_sub(2);
    // rate² < 2^192, in rays below 2^102.4, by the year twice below 2^52.6.
    let power_two = BY_YEAR_SQUARED.div_u128(short_product(rate_ray, rate_ray));
    // Below 2^148.6, in rays below 2^59, by the year below 2^34.1.
    let power_three = BY_YEAR.div_u128(short_product(power_two, rate_ray));
    // Below 2^62 × 2^52.6, and below 2^93 × 2^34.1.
    let pairs = span.wrapping_mul(minus_one);
    let second = pairs.wrapping_mul(power_two) >> 1;
    let third = BY_SIX.div_u128(pairs.wrapping_mul(minus_two).wrapping_mul(power_three));
    let first = BY_YEAR.div_u128(rate_ray.wrapping_mul(span));
    RAY.wrapping_add(first)
        .wrapping_add(second)
        .wrapping_add(third)
}

/// [`ray_mul`] of factors whose product is below 2^217, so that the result has 128 bits.
#[inline]
fn short_product(a: u128, b: u128) -> u128 {
    let (low, high) = mul_halves(a, b);
    let (low, carry) = low.overflowing_add(HALF_RAY_SHORT);
    BY_RAY.div_small(low, high.wrapping_add(carry.into()))
}

fn compounded_interest_long(rate_ray: u128, seconds: u64) -> Result<U256, Revert> {
    let rate = long(rate_ray);
    let span = U256::from(seconds);
    let minus_one = U256::from(seconds.saturating_sub(1));
    let minus_two = U256::from(seconds.saturating_sub(2));
    let power_two = BY_YEAR_SQUARED.div(ray_mul(rate, rate)?);
    let power_three = BY_YEAR.div(ray_mul(power_two, rate)?);
    let pairs = mul(span, minus_one)?;
    let second = half(mul(pairs, power_two)?);
    let third = BY_SIX.div(mul(mul(pairs, minus_two)?, power_three)?);
    let first = BY_YEAR.div(mul(rate, span)?);
    [first, second, third]
        .into_iter()
        .try_fold(long(RAY), |sum, term| {
            sum.checked_add(term).ok_or(Revert::Arithmetic)
        })
}

/// Mirrors `SafeCast.toUint128`.
///
/// # Errors
/// [`Revert::Cast`] for a number of more than 128 bits.
#[inline]
pub(super) fn to_u128(number: U256) -> Result<u128, Revert> {
    short(number).ok_or(Revert::Cast)
}

/// Checked addition, as Solidity does it outside `unchecked`.
#[inline]
pub(super) fn add(a: U256, b: U256) -> Result<U256, Revert> {
    a.checked_add(b).ok_or(Revert::Arithmetic)
}

/// Checked subtraction, as Solidity does it outside `unchecked`.
#[inline]
pub(super) fn sub(a: U256, b: U256) -> Result<U256, Revert> {
    a.checked_sub(b).ok_or(Revert::Arithmetic)
}

/// Checked multiplication, as Solidity does it outside `unchecked`.
#[inline]
pub(super) fn mul(a: U256, b: U256) -> Result<U256, Revert> {
    product(a, b).ok_or(Revert::Arithmetic)
}

#[cfg(test)]
mod tests {
    use super::*;
    use basis_core::num::uint256::U512;
    use proptest::prelude::*;

    /// The interest by its formula, in plain 512-bit operators.
    fn compounded_by_formula(rate: u128, seconds: u64) -> U512 {
        let (ray, year) = (U512::from(RAY), U512::from(SECONDS_PER_YEAR));
        let half_ray = ray.wrapping_div(U512::from(2));
        let rate = U512::from(rate);
        let ray_mul = |a: U512, b: U512| a.wrapping_mul(b).wrapping_add(half_ray).wrapping_div(ray);
        let n = U512::from(seconds);
        let n1 = U512::from(seconds.saturating_sub(1));
        let n2 = U512::from(seconds.saturating_sub(2));
        let p2 = ray_mul(rate, rate).wrapping_div(year.wrapping_mul(year));
        let p3 = ray_mul(p2, rate).wrapping_div(year);
        let second = n.wrapping_mul(n1).wrapping_mul(p2);
        let third = n.wrapping_mul(n1).wrapping_mul(n2).wrapping_mul(p3);
        ray.wrapping_add(rate.wrapping_mul(n).wrapping_div(year))
            .wrapping_add(second.wrapping_div(U512::from(2)))
            .wrapping_add(third.wrapping_div(U512::from(6)))
    }

    proptest! {
        #[test]
        fn prop_compounding_follows_the_formula_for_every_rate_and_span(
            rate: u128,
            rate_cut in 0_u32..128,
            seconds in 1..=u64::from(u32::MAX),
            seconds_cut in 0_u32..32,
        ) {
            let (rate, seconds) = (rate >> rate_cut, (seconds >> seconds_cut).max(1));
            let expected = compounded_by_formula(rate, seconds);
            let computed = compounded_interest(rate, seconds).unwrap();
            prop_assert_eq!(U512::from(computed), expected);
        }

        #[test]
        fn prop_compounding_never_earns_less_than_simple_interest(
            rate in 0..10 * RAY,
            seconds in 0..10 * SECONDS_PER_YEAR,
        ) {
            let simple = linear_interest(rate, seconds);
            prop_assert!(compounded_interest(rate, seconds).unwrap() >= simple);
        }

        #[test]
        fn prop_rounding_is_half_up(a: u128, b in 1..=u128::MAX) {
            let product = U256::from(a).wrapping_mul(U256::from(b));
            let ray = long(RAY);
            let twice = U256::from(2);
            let up = |n: U256, d: U256| {
                let (q, r) = n.div_rem(d);
                if r.wrapping_mul(twice) >= d { q.wrapping_add(U256::ONE) } else { q }
            };
            prop_assert_eq!(ray_mul(long(a), long(b)).unwrap(), up(product, ray));
            let scaled = long(a).wrapping_mul(ray);
            // The contracts add half the divisor rounded down, so an odd divisor's middle is above.
            prop_assert_eq!(ray_div(long(a), long(b)).unwrap(), up(scaled, long(b)));
        }
    }

    #[test]
    fn products_and_quotients_beyond_256_bits_revert_without_data() {
        let two = U256::from(2);
        assert_eq!(ray_mul(U256::MAX, two), Err(Revert::Math));
        assert_eq!(ray_mul(U256::MAX, U256::ZERO), Ok(U256::ZERO));
        // The product fits, half a ray more does not.
        assert_eq!(ray_mul(U256::MAX, U256::ONE), Err(Revert::Math));
        let most = U256::MAX.wrapping_sub(HALF_RAY);
        assert!(ray_mul(most, U256::ONE).is_ok());
        assert_eq!(ray_div(U256::ONE, U256::ZERO), Err(Revert::Math));
        assert_eq!(ray_div(U256::MAX, long(RAY)), Err(Revert::Math));
        assert_eq!(wad_div(U256::ONE, U256::ZERO), Err(Revert::Math));
        assert_eq!(wad_mul(U256::MAX, two), Err(Revert::Math));
        assert_eq!(wad_to_ray(U256::MAX), Err(Revert::Math));
        assert_eq!(percent_mul(U256::MAX, 2), Err(Revert::Math));
        assert_eq!(percent_mul(U256::MAX, 0), Ok(U256::ZERO));
        assert_eq!(percent_div(U256::ONE, 0), Err(Revert::Math));
        assert_eq!(
            to_u128(long(u128::MAX).wrapping_add(U256::ONE)),
            Err(Revert::Cast)
        );
    }

    #[test]
    fn halves_round_up_in_every_unit() {
        let n = U256::from(5_000_u64);
        assert_eq!(percent_mul(n, 1), Ok(U256::ONE));
        assert_eq!(percent_mul(U256::from(4_999_u64), 1), Ok(U256::ZERO));
        assert_eq!(percent_div(U256::ONE, 20_000), Ok(U256::ONE));
        assert_eq!(wad_mul(long(WAD / 2), U256::ONE), Ok(U256::ONE));
        assert_eq!(wad_div(U256::ONE, long(2 * WAD)), Ok(U256::ONE));
        assert_eq!(wad_div(U256::ONE, long(2 * WAD + 1)), Ok(U256::ZERO));
        assert_eq!(wad_to_ray(U256::ONE), Ok(long(RAY / WAD)));
    }

    #[test]
    fn the_limit_of_128_bits_is_where_it_is_said_to_be() {
        for rate in [SHORT_RATE - 1, SHORT_RATE] {
            for seconds in [SHORT_SPAN - 1, SHORT_SPAN] {
                let compounded = U512::from(compounded_interest(rate, seconds).unwrap());
                assert_eq!(compounded, compounded_by_formula(rate, seconds));
                let simple = U256::from(rate) * U256::from(seconds) / U256::from(SECONDS_PER_YEAR)
                    + U256::from(RAY);
                assert_eq!(linear_interest(rate, seconds), simple);
            }
        }
    }

    #[test]
    fn the_first_two_seconds_have_no_third_term() {
        let rate = RAY;
        let year = u128::from(SECONDS_PER_YEAR);
        assert_eq!(compounded_interest(rate, 0), Ok(long(RAY)));
        assert_eq!(compounded_interest(rate, 1), Ok(long(RAY + RAY / year)));
        let square = RAY / (year * year);
        assert_eq!(
            compounded_interest(rate, 2),
            Ok(long(RAY + 2 * RAY / year + square))
        );
    }
}
