//! A signed 256-bit integer with Solidity's checked `int256` semantics, as far as the interest rate
//! model needs it.
//!
//! Kept as sign and magnitude: division truncates toward zero by itself, and a magnitude that fits
//! 128 bits is multiplied and divided as such. Not a general integer: no bits, no shifts.

use std::cmp::Ordering;

use super::math::low_128;
use super::refusal::Refusal;
use basis_core::num::U256;

/// A number from −2^255 to 2^255 − 1.
///
/// **Invariants.** Zero is never negative; the magnitude is within the range of its sign.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct I256 {
    negative: bool,
    magnitude: U256,
}

/// 2^255, the magnitude of the least number.
const MAGNITUDE_MAX: U256 = U256::from_limbs([0, 0, 0, 1 << 63]);

impl I256 {
    /// Zero.
    pub const ZERO: Self = Self {
        negative: false,
        magnitude: U256::ZERO,
    };

    /// Returns a small number that is not negative.
    #[inline]
    #[must_use]
    pub const fn from_u64(value: u64) -> Self {
        Self {
            negative: false,
            magnitude: U256::from_limbs([value, 0, 0, 0]),
        }
    }

    /// Returns a number of 128 bits.
    #[inline]
    #[must_use]
    pub fn from_i128(value: i128) -> Self {
        Self {
            negative: value < 0,
            magnitude: U256::from(value.unsigned_abs()),
        }
    }

    /// Returns an unsigned number as a signed one.
    ///
    /// # Errors
    /// [`Refusal::ArithmeticPanic`] for 2^255 and above. The contract casts unchecked where it knows
    /// that this cannot be.
    #[inline]
    pub fn from_u256(value: U256) -> Result<Self, Refusal> {
        Self::new(false, value)
    }

    /// Returns the magnitude of a number that is not negative, `None` for a negative one.
    #[inline]
    #[must_use]
    pub fn to_u256(self) -> Option<U256> {
        (!self.negative).then_some(self.magnitude)
    }

    /// Returns the number when it fits 128 bits.
    #[inline]
    #[must_use]
    pub fn to_i128(self) -> Option<i128> {
        let magnitude = low_128(self.magnitude)?;
        if self.negative {
            0_i128.checked_sub_unsigned(magnitude)
        } else {
            i128::try_from(magnitude).ok()
        }
    }

    /// Returns whether the number is below zero.
    #[inline]
    #[must_use]
    pub const fn is_negative(self) -> bool {
        self.negative
    }

    /// Returns whether the number is zero.
    #[inline]
    #[must_use]
    pub fn is_zero(self) -> bool {
        self.magnitude.is_zero()
    }

    /// Returns `self + other`.
    ///
    /// # Errors
    /// [`Refusal::ArithmeticPanic`] out of range.
    #[inline]
    pub fn try_add(self, other: Self) -> Result<Self, Refusal> {
        if self.negative == other.negative {
            // Two magnitudes of at most 2^255 make at most 2^256, which the check below would miss.
            let sum = self
                .magnitude
                .checked_add(other.magnitude)
                .ok_or(Refusal::ArithmeticPanic)?;
            return Self::new(self.negative, sum);
        }
        if self.magnitude >= other.magnitude {
            let rest = self.magnitude.wrapping_sub(other.magnitude);
            Self::new(self.negative, rest)
        } else {
            let rest = other.magnitude.wrapping_sub(self.magnitude);
            Self::new(other.negative, rest)
        }
    }

    /// Returns `self − other`.
    ///
    /// # Errors
    /// [`Refusal::ArithmeticPanic`] out of range.
    #[inline]
    pub fn try_sub(self, other: Self) -> Result<Self, Refusal> {
        // The negative of −2^255 is out of range itself, but lives only inside this sum.
        self.try_add(Self {
            negative: !other.negative && !other.is_zero(),
            magnitude: other.magnitude,
        })
    }

    /// Returns `self × other`.
    ///
    /// # Errors
    /// [`Refusal::ArithmeticPanic`] out of range.
    #[inline]
    pub fn try_mul(self, other: Self) -> Result<Self, Refusal> {
        let negative = self.negative != other.negative;
        if let (Some(a), Some(b)) = (low_128(self.magnitude), low_128(other.magnitude))
            && let Some(product) = a.checked_mul(b)
        {
            return Self::new(negative, U256::from(product));
        }
        let product = self
            .magnitude
            .checked_mul(other.magnitude)
            .ok_or(Refusal::ArithmeticPanic)?;
        Self::new(negative, product)
    }

    /// Returns `self ÷ other`, truncated toward zero.
    ///
    /// # Errors
    /// [`Refusal::DivisionPanic`] for a zero divisor; [`Refusal::ArithmeticPanic`] for −2^255 ÷ −1.
    #[inline]
    pub fn try_div(self, other: Self) -> Result<Self, Refusal> {
        let negative = self.negative != other.negative;
        if let (Some(a), Some(b)) = (low_128(self.magnitude), low_128(other.magnitude))
            && let Some(quotient) = a.checked_div(b)
        {
            return Self::new(negative, U256::from(quotient));
        }
        let quotient = self
            .magnitude
            .checked_div(other.magnitude)
            .ok_or(Refusal::DivisionPanic)?;
        Self::new(negative, quotient)
    }

    /// Returns `self × other ÷ 1e18`, truncated toward zero. Mirrors `MathLib.wMulToZero` of
    /// morpho-blue-irm.
    ///
    /// # Errors
    /// [`Refusal::ArithmeticPanic`] when the product is out of range.
    #[inline]
    pub fn w_mul_to_zero(self, other: Self) -> Result<Self, Refusal> {
        self.try_mul(other)?.try_div(WAD)
    }

    /// Returns `self × 1e18 ÷ other`, truncated toward zero. Mirrors `MathLib.wDivToZero` of
    /// morpho-blue-irm.
    ///
    /// # Errors
    /// [`Refusal::ArithmeticPanic`] when the product is out of range; [`Refusal::DivisionPanic`].
    #[inline]
    pub fn w_div_to_zero(self, other: Self) -> Result<Self, Refusal> {
        self.try_mul(WAD)?.try_div(other)
    }

    #[inline]
    fn new(negative: bool, magnitude: U256) -> Result<Self, Refusal> {
        if magnitude < MAGNITUDE_MAX {
            return Ok(Self {
                negative: negative && !magnitude.is_zero(),
                magnitude,
            });
        }
        if negative && magnitude == MAGNITUDE_MAX {
            return Ok(Self {
                negative,
                magnitude,
            });
        }
        Err(Refusal::ArithmeticPanic)
    }
}

/// One in wad, signed: 1e18.
pub(super) const WAD: I256 = I256::from_u64(1_000_000_000_000_000_000);

impl Ord for I256 {
    #[inline]
    fn cmp(&self, other: &Self) -> Ordering {
        match (self.negative, other.negative) {
            (false, false) => self.magnitude.cmp(&other.magnitude),
            (true, true) => other.magnitude.cmp(&self.magnitude),
            (true, false) => Ordering::Less,
            (false, true) => Ordering::Greater,
        }
    }
}

impl PartialOrd for I256 {
    #[inline]
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn int(value: i128) -> I256 {
        I256::from_i128(value)
    }

    fn least() -> I256 {
        I256::new(true, MAGNITUDE_MAX).unwrap()
    }

    #[test]
    fn division_truncates_toward_zero() {
        assert_eq!(int(-7).try_div(int(2)), Ok(int(-3)));
        assert_eq!(int(7).try_div(int(-2)), Ok(int(-3)));
        assert_eq!(int(-1).try_div(int(2)), Ok(I256::ZERO));
        assert_eq!(int(1).try_div(I256::ZERO), Err(Refusal::DivisionPanic));
    }

    #[test]
    fn the_range_is_that_of_two_s_complement() {
        let greatest = I256::from_u256(MAGNITUDE_MAX - U256::ONE).unwrap();
        assert_eq!(greatest.try_add(int(1)), Err(Refusal::ArithmeticPanic));
        assert_eq!(least().try_sub(int(1)), Err(Refusal::ArithmeticPanic));
        assert_eq!(least().try_add(least()), Err(Refusal::ArithmeticPanic));
        assert_eq!(least().try_div(int(-1)), Err(Refusal::ArithmeticPanic));
        assert_eq!(least().try_sub(least()), Ok(I256::ZERO));
        assert_eq!(I256::ZERO.try_sub(least()), Err(Refusal::ArithmeticPanic));
        assert_eq!(int(-1).try_sub(least()), Ok(greatest));
        assert_eq!(
            greatest.try_mul(int(-1)).unwrap().try_sub(int(1)),
            Ok(least())
        );
        assert!(I256::from_u256(MAGNITUDE_MAX).is_err());
    }

    #[test]
    fn a_number_crosses_128_bits_only_when_it_fits() {
        assert_eq!(int(i128::MIN).to_i128(), Some(i128::MIN));
        assert_eq!(int(i128::MIN).try_sub(int(1)).unwrap().to_i128(), None);
        assert_eq!(int(i128::MAX).try_add(int(1)).unwrap().to_i128(), None);
        assert_eq!(int(-5).to_u256(), None);
        assert_eq!(int(5).to_u256(), Some(U256::from(5_u8)));
    }

    proptest! {
        #[test]
        fn prop_small_numbers_behave_as_the_machine_s(a: i64, b: i64) {
            let (x, y) = (int(i128::from(a)), int(i128::from(b)));
            let (a, b) = (i128::from(a), i128::from(b));
            prop_assert_eq!(x.try_add(y), Ok(int(a + b)));
            prop_assert_eq!(x.try_sub(y), Ok(int(a - b)));
            prop_assert_eq!(x.try_mul(y), Ok(int(a * b)));
            if b != 0 {
                prop_assert_eq!(x.try_div(y), Ok(int(a / b)));
            }
            prop_assert_eq!(x.cmp(&y), a.cmp(&b));
        }

        #[test]
        fn prop_a_product_divided_by_its_factor_is_the_other(a: i128, b: i128) {
            prop_assume!(b != 0 && a.unsigned_abs().leading_zeros() > 0);
            let product = int(a).try_mul(int(b)).unwrap();
            prop_assert_eq!(product.try_div(int(b)), Ok(int(a)));
            prop_assert_eq!(product.is_negative(), a != 0 && (a < 0) != (b < 0));
        }
    }
}
