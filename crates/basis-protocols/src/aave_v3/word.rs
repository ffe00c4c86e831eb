//! One arithmetic at two widths.
//!
//! A user's standing fits 128 bits, but for amounts that no asset has, and registers hold 128 bits
//! where 256 go through memory: twice the speed. What is written over [`Word`] runs with `u128`
//! first, where every result that does not fit is an error, and on any error again with [`U256`],
//! whose answer counts. So the first width is never asked why it refused.

use super::error::Revert;
use super::limbs::{Divisor, long, mul_halves, short};
use super::math::{
    self, BY_PERCENTAGE, BY_RAY, HALF_PERCENTAGE, HALF_RAY_SHORT, WAD, compounded_interest_short,
    is_short_span, linear_interest_short,
};
use basis_core::num::U256;

/// An unsigned integer that the pool's formulas are computed in.
pub(super) trait Word: Copy + Default {
    /// The number at the width of the contracts.
    fn widen(self) -> U256;
    /// A number of the contracts, if it fits.
    fn narrow(number: U256) -> Result<Self, Revert>;
    /// A number of 128 bits, which always fits.
    fn from_short(number: u128) -> Self;
    /// Whether it is zero.
    fn is_zero(self) -> bool;
    /// Checked sum.
    fn add(self, other: Self) -> Result<Self, Revert>;
    /// Checked product.
    fn mul(self, other: Self) -> Result<Self, Revert>;
    /// Product over `divisor`, rounded down; the product is checked, as the contracts' is.
    fn mul_div(self, other: Self, divisor: &Divisor) -> Result<Self, Revert>;
    /// Mirrors `WadRayMath.rayMul`.
    fn ray_mul(self, other: Self) -> Result<Self, Revert>;
    /// Mirrors `WadRayMath.wadDiv`.
    fn wad_div(self, other: Self) -> Result<Self, Revert>;
    /// Mirrors `PercentageMath.percentMul`.
    fn percent_mul(self, percentage_bps: u64) -> Result<Self, Revert>;
    /// The weighted sum `self` over `total`, rounded down; zero over zero. Weights have 16 bits, and
    /// so has the average.
    fn average(self, total: Self) -> u64;
    /// Mirrors `MathUtils.calculateLinearInterest`.
    fn linear_interest(rate_ray: u128, seconds: u64) -> Result<Self, Revert>;
    /// Mirrors `MathUtils.calculateCompoundedInterest`.
    fn compounded_interest(rate_ray: u128, seconds: u64) -> Result<Self, Revert>;
}

impl Word for U256 {
    #[inline]
    fn widen(self) -> U256 {
        self
    }

    #[inline]
    fn narrow(number: U256) -> Result<Self, Revert> {
        Ok(number)
    }

    #[inline]
    fn from_short(number: u128) -> Self {
        long(number)
    }

    #[inline]
    fn is_zero(self) -> bool {
        Self::is_zero(&self)
    }

    #[inline]
    fn add(self, other: Self) -> Result<Self, Revert> {
        math::add(self, other)
    }

    #[inline]
    fn mul(self, other: Self) -> Result<Self, Revert> {
        math::mul(self, other)
    }

    #[inline]
    fn mul_div(self, other: Self, divisor: &Divisor) -> Result<Self, Revert> {
        Ok(divisor.div(math::mul(self, other)?))
    }

    #[inline]
    fn ray_mul(self, other: Self) -> Result<Self, Revert> {
        math::ray_mul(self, other)
    }

    #[inline]
    fn wad_div(self, other: Self) -> Result<Self, Revert> {
        math::wad_div(self, other)
    }

    #[inline]
    fn percent_mul(self, percentage_bps: u64) -> Result<Self, Revert> {
        math::percent_mul(self, percentage_bps)
    }

    #[inline]
    fn average(self, total: Self) -> u64 {
        math::div_floor(self, total).map_or(0, |average| average.saturating_to())
    }

    #[inline]
    fn linear_interest(rate_ray: u128, seconds: u64) -> Result<Self, Revert> {
        Ok(math::linear_interest(rate_ray, seconds))
    }

    #[inline]
    fn compounded_interest(rate_ray: u128, seconds: u64) -> Result<Self, Revert> {
        math::compounded_interest(rate_ray, seconds)
    }
}

/// What the narrow width says of everything it cannot hold.
const TOO_LONG: Revert = Revert::Arithmetic;

impl Word for u128 {
    #[inline]
    fn widen(self) -> U256 {
        long(self)
    }

    #[inline]
    fn narrow(number: U256) -> Result<Self, Revert> {
        short(number).ok_or(TOO_LONG)
    }

    #[inline]
    fn from_short(number: u128) -> Self {
        number
    }

    #[inline]
    fn is_zero(self) -> bool {
        self == 0
    }

    #[inline]
    fn add(self, other: Self) -> Result<Self, Revert> {
        self.checked_add(other).ok_or(TOO_LONG)
    }

    #[inline]
    fn mul(self, other: Self) -> Result<Self, Revert> {
        let (low, high) = mul_halves(self, other);
        if high == 0 { Ok(low) } else { Err(TOO_LONG) }
    }

    #[inline]
    fn mul_div(self, other: Self, divisor: &Divisor) -> Result<Self, Revert> {
        let (low, high) = mul_halves(self, other);
        divisor.div_halves(low, high).ok_or(TOO_LONG)
    }

    #[inline]
    fn ray_mul(self, other: Self) -> Result<Self, Revert> {
        let (low, high) = mul_halves(self, other);
        let (low, carry) = low.overflowing_add(HALF_RAY_SHORT);
        // The high half of a product is below 2^128 - 1.
        let high = high.wrapping_add(carry.into());
        BY_RAY.div_halves(low, high).ok_or(TOO_LONG)
    }

    #[inline]
    fn wad_div(self, other: Self) -> Result<Self, Revert> {
        self.checked_mul(WAD)
            .and_then(|product| product.checked_add(other >> 1))
            .and_then(|rounded| rounded.checked_div(other))
            .ok_or(TOO_LONG)
    }

    #[inline]
    fn percent_mul(self, percentage_bps: u64) -> Result<Self, Revert> {
        self.checked_mul(percentage_bps.into())
            .and_then(|product| product.checked_add(HALF_PERCENTAGE.into()))
            .map(|rounded| BY_PERCENTAGE.div_u128(rounded))
            .ok_or(TOO_LONG)
    }

    #[inline]
    fn average(self, total: Self) -> u64 {
        if let (Ok(sum), Ok(total)) = (u64::try_from(self), u64::try_from(total)) {
            return sum.checked_div(total).unwrap_or(0);
        }
        let average = self.checked_div(total).unwrap_or(0);
        u64::try_from(average).unwrap_or(u64::MAX)
    }

    #[inline]
    fn linear_interest(rate_ray: u128, seconds: u64) -> Result<Self, Revert> {
        if is_short_span(rate_ray, seconds) {
            Ok(linear_interest_short(rate_ray, seconds))
        } else {
            Err(TOO_LONG)
        }
    }

    #[inline]
    fn compounded_interest(rate_ray: u128, seconds: u64) -> Result<Self, Revert> {
        if is_short_span(rate_ray, seconds) {
            Ok(compounded_interest_short(rate_ray, seconds))
        } else {
            Err(TOO_LONG)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn any_short() -> impl Strategy<Value = u128> {
        (any::<u128>(), 0_u32..128).prop_map(|(number, cut)| number >> cut)
    }

    proptest! {
        /// Whatever the narrow width answers, the width of the contracts answers too.
        #[test]
        fn prop_both_widths_give_the_same_numbers(
            a in any_short(),
            b in any_short(),
            bps: u16,
            power in 1_u32..37,
            seconds: u32,
        ) {
            let (bps, seconds) = (u64::from(bps), u64::from(seconds));
            let (wide_a, wide_b) = (long(a), long(b));
            let unit = Divisor::new(10_u128.pow(power));
            let pairs = [
                (Word::add(a, b), Word::add(wide_a, wide_b)),
                (Word::mul(a, b), Word::mul(wide_a, wide_b)),
                (a.mul_div(b, &unit), Word::mul_div(wide_a, wide_b, &unit)),
                (a.ray_mul(b), Word::ray_mul(wide_a, wide_b)),
                (a.wad_div(b), Word::wad_div(wide_a, wide_b)),
                (a.percent_mul(bps), Word::percent_mul(wide_a, bps)),
                (u128::linear_interest(a, seconds), U256::linear_interest(a, seconds)),
                (u128::compounded_interest(a, seconds), U256::compounded_interest(a, seconds)),
                (u128::narrow(wide_a), U256::narrow(wide_a)),
            ];
            for (place, (narrow, wide)) in pairs.into_iter().enumerate() {
                if let Ok(narrow) = narrow {
                    prop_assert_eq!(Ok(narrow.widen()), wide, "operation {}", place);
                }
            }
            prop_assert_eq!(a.average(b), Word::average(wide_a, wide_b));
        }
    }

    #[test]
    fn usual_sizes_fit_the_narrow_width() {
        let ray = math::RAY;
        let balance = 1_000_000_000 * 10_u128.pow(18);
        assert_eq!(balance.ray_mul(2 * ray), Ok(2 * balance));
        let unit = Divisor::new(10_u128.pow(18));
        let price = 100_000 * 10_u128.pow(8);
        let value = 1_000_000_000 * price;
        assert_eq!(balance.mul_div(price, &unit), Ok(value));
        let trillion = 10_u128.pow(20);
        assert_eq!(trillion.wad_div(trillion), Ok(WAD));
        assert!(u128::MAX.wad_div(1).is_err());
    }
}
