//! Products of two 128-bit numbers and quotients by one limb: what the pool's arithmetic costs.
//!
//! Rays, wads, basis points and token units are all one limb of 64 bits after their powers of two
//! are taken out (a ray is 2^27 × 5^27, and 5^27 has 63 bits), so every division by them is a chain
//! of multiplications with a reciprocal known beforehand.
//!
//! Not a general integer type: [`U256`] is, and holds operands and results.
//!
//! Source: N. Möller and T. Granlund, "Improved division by invariant integers", IEEE Transactions
//! on Computers 60 (2011), algorithm 4. Wrapping operations are used where the bound is proven
//! beside them, for the release profile keeps overflow checks on.

use crate::num::U256;

/// `2 × 5^27`: a ray without 2^26, which leaves its top bit set.
const RAY_OVER_2_26: Divisor = Divisor::new(14_901_161_193_847_656_250);

/// A divisor of one limb with its reciprocal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Divisor {
    /// The divisor shifted left until its top bit is set.
    normalized: u64,
    /// `floor((2^128 - 1) / normalized) - 2^64`.
    reciprocal: u64,
    shift: u32,
}

impl Divisor {
    /// Prepares a divisor above zero.
    pub(super) const fn new(divisor: u64) -> Self {
        assert!(divisor != 0, "invariant: a divisor is above zero");
        let shift = divisor.leading_zeros();
        let normalized = divisor << shift;
        let Some(quotient) = u128::MAX.checked_div(normalized as u128) else {
            panic!("invariant: a divisor is above zero")
        };
        Self {
            normalized,
            // The quotient lies between 2^64 and 2^65: the low limb is it less 2^64.
            reciprocal: low(quotient),
            shift,
        }
    }

    /// Quotient and remainder of `high × 2^64 + low`, for `high` below the normalized divisor.
    #[inline]
    const fn step(self, high: u64, low_limb: u64) -> (u64, u64) {
        let d = self.normalized;
        let q = (self.reciprocal as u128)
            .wrapping_mul(high as u128)
            .wrapping_add(join(high, low_limb));
        let mut quotient = top(q).wrapping_add(1);
        let mut remainder = low_limb.wrapping_sub(quotient.wrapping_mul(d));
        if remainder > low(q) {
            quotient = quotient.wrapping_sub(1);
            remainder = remainder.wrapping_add(d);
        }
        if remainder >= d {
            quotient = quotient.wrapping_add(1);
            remainder = remainder.wrapping_sub(d);
        }
        (quotient, remainder)
    }

    /// `number ÷ divisor`, rounded down.
    #[inline]
    pub(super) const fn div(self, number: U256) -> U256 {
        let [l0, l1, l2, l3] = *number.as_limbs();
        if l2 | l3 == 0 {
            let quotient = self.div_u128(join(l1, l0));
            return U256::from_limbs([low(quotient), top(quotient), 0, 0]);
        }
        let remainder = self.carried(0, l3);
        let (q3, remainder) = self.step(remainder, self.carried(l3, l2));
        let (q2, remainder) = self.step(remainder, self.carried(l2, l1));
        let (q1, remainder) = self.step(remainder, self.carried(l1, l0));
        let (q0, _) = self.step(remainder, l0 << self.shift);
        U256::from_limbs([q0, q1, q2, q3])
    }

    /// `number ÷ divisor`, rounded down.
    #[inline]
    pub(super) const fn div_u128(self, number: u128) -> u128 {
        let (l0, l1) = (low(number), top(number));
        let (q1, remainder) = self.step(self.carried(0, l1), self.carried(l1, l0));
        let (q0, _) = self.step(remainder, l0 << self.shift);
        join(q1, q0)
    }

    /// `high` shifted left, filled up with the top bits of `low`.
    #[inline]
    const fn carried(self, high: u64, low: u64) -> u64 {
        // Two shifts, because a shift of zero would need one by 64.
        (high << self.shift) | ((low >> 1) >> (63_u32.wrapping_sub(self.shift)))
    }
}

/// The full product; it cannot overflow.
#[inline]
pub(super) const fn mul_u128(a: u128, b: u128) -> U256 {
    let low_low = mul_limbs(low(a), low(b));
    let low_high = mul_limbs(low(a), top(b));
    let high_low = mul_limbs(top(a), low(b));
    let high_high = mul_limbs(top(a), top(b));
    // (2^64 - 1)^2 + (2^64 - 1) < 2^128, so only the second sum can carry.
    let middle = low_high.wrapping_add(top(low_low) as u128);
    let (middle, carry) = middle.overflowing_add(high_low);
    let high = high_high.wrapping_add(join(carry as u64, top(middle)));
    U256::from_limbs([low(low_low), low(middle), low(high), top(high)])
}

/// `number ÷ 10^27`, rounded down.
#[inline]
pub(super) const fn div_ray(number: U256) -> U256 {
    let [l0, l1, l2, l3] = *number.as_limbs();
    // Shifting out 26 of the 27 bits leaves a divisor with its top bit set and a top limb below it.
    let s0 = (l0 >> 26) | (l1 << 38);
    let s1 = (l1 >> 26) | (l2 << 38);
    let s2 = (l2 >> 26) | (l3 << 38);
    let s3 = l3 >> 26;
    let (q2, remainder) = if s3 == 0 && s2 < RAY_OVER_2_26.normalized {
        (0, s2)
    } else {
        RAY_OVER_2_26.step(s3, s2)
    };
    let (q1, remainder) = RAY_OVER_2_26.step(remainder, s1);
    let (q0, _) = RAY_OVER_2_26.step(remainder, s0);
    U256::from_limbs([q0, q1, q2, 0])
}

/// A number of at most 128 bits as such; `None` for a longer one.
#[inline]
pub(super) const fn short(number: U256) -> Option<u128> {
    let [l0, l1, l2, l3] = *number.as_limbs();
    if l2 | l3 == 0 {
        Some(join(l1, l0))
    } else {
        None
    }
}

/// A number of 128 bits as one of 256.
#[inline]
pub(super) const fn long(number: u128) -> U256 {
    U256::from_limbs([low(number), top(number), 0, 0])
}

/// Half a number, rounded down.
#[inline]
pub(super) const fn half(number: U256) -> U256 {
    let [l0, l1, l2, l3] = *number.as_limbs();
    U256::from_limbs([
        (l0 >> 1) | (l1 << 63),
        (l1 >> 1) | (l2 << 63),
        (l2 >> 1) | (l3 << 63),
        l3 >> 1,
    ])
}

#[expect(clippy::cast_possible_truncation, reason = "takes the low limb")]
#[inline]
const fn low(x: u128) -> u64 {
    x as u64
}

#[inline]
const fn top(x: u128) -> u64 {
    low(x >> 64)
}

#[inline]
const fn join(high: u64, low: u64) -> u128 {
    ((high as u128) << 64) | low as u128
}

#[inline]
const fn mul_limbs(a: u64, b: u64) -> u128 {
    (a as u128).wrapping_mul(b as u128)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// Numbers of every length, with runs of zeros and ones at the limbs' edges.
    fn any_u256() -> impl Strategy<Value = U256> {
        (any::<[u64; 4]>(), 0_usize..=256, any::<bool>()).prop_map(|(limbs, shift, ones)| {
            let number = U256::from_limbs(limbs);
            let cut = if shift == 256 {
                U256::ZERO
            } else {
                number.wrapping_shr(shift)
            };
            if ones { !cut } else { cut }
        })
    }

    proptest! {
        #[test]
        fn prop_quotients_are_those_of_long_division(
            number in any_u256(),
            divisor in any::<u64>(),
            cut in 0_u32..64,
        ) {
            let divisor = (divisor >> cut).max(1);
            let prepared = Divisor::new(divisor);
            let expected = number.wrapping_div(U256::from(divisor));
            prop_assert_eq!(prepared.div(number), expected);
            let part = short(number & long(u128::MAX)).unwrap();
            prop_assert_eq!(prepared.div_u128(part), part.checked_div(u128::from(divisor)).unwrap());
        }

        #[test]
        fn prop_ray_quotients_and_halves_are_those_of_long_division(number in any_u256()) {
            let ray = U256::from(10_u64).pow(U256::from(27));
            prop_assert_eq!(div_ray(number), number.wrapping_div(ray));
            prop_assert_eq!(half(number), number.wrapping_div(U256::from(2)));
        }

        #[test]
        fn prop_products_are_those_of_long_multiplication(a: u128, b: u128) {
            prop_assert_eq!(mul_u128(a, b), U256::from(a).wrapping_mul(U256::from(b)));
        }
    }

    #[test]
    fn length_is_seen_at_the_limit() {
        assert_eq!(short(long(u128::MAX)), Some(u128::MAX));
        assert_eq!(short(long(u128::MAX).wrapping_add(U256::ONE)), None);
        assert_eq!(Divisor::new(1).div(U256::MAX), U256::MAX);
        assert_eq!(Divisor::new(u64::MAX).div_u128(0), 0);
    }
}
