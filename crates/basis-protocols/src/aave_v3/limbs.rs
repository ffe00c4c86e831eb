//! Products of two 128-bit numbers and quotients by a divisor known beforehand: what the pool's
//! arithmetic costs.
//!
//! Rays, wads, basis points, the year and token units are known before anything is divided by them,
//! so a division is a multiplication with the reciprocal and a correction.
//!
//! Not a general integer type: [`U256`] is, and holds operands and results.
//!
//! Source: P. Barrett, CRYPTO '86. Wrapping operations are used where the bound is proven beside
//! them, for the release profile keeps overflow checks on.

use basis_core::num::U256;

/// A divisor with its reciprocal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Divisor {
    divisor: u128,
    /// The place of the divisor's top bit.
    shift: u32,
    /// `floor(2^(128 + shift) / divisor)`, between 2^127 and 2^128.
    reciprocal: u128,
}

impl Divisor {
    /// Prepares a divisor from 3 to 2^126; no power of two, whose reciprocal has 129 bits.
    pub(super) const fn new(divisor: u128) -> Self {
        assert!(
            divisor > 2 && divisor < 1 << 126 && !divisor.is_power_of_two(),
            "invariant: a divisor is no power of two and has a reciprocal of 128 bits"
        );
        let shift = divisor.ilog2();
        // 2^(128 + shift) bit by bit: a one and zeros after it.
        let (mut reciprocal, mut remainder, mut left) = (0_u128, 1_u128, shift.wrapping_add(128));
        while left > 0 {
            left = left.wrapping_sub(1);
            remainder = remainder.wrapping_shl(1);
            reciprocal = reciprocal.wrapping_shl(1);
            if remainder >= divisor {
                remainder = remainder.wrapping_sub(divisor);
                reciprocal |= 1;
            }
        }
        Self {
            divisor,
            shift,
            reciprocal,
        }
    }

    /// `number ÷ divisor`, rounded down.
    #[inline]
    pub(super) fn div(&self, number: U256) -> U256 {
        let [l0, l1, l2, l3] = *number.as_limbs();
        match self.div_halves(join(l1, l0), join(l3, l2)) {
            Some(quotient) => long(quotient),
            None => number.wrapping_div(long(self.divisor)),
        }
    }

    /// `(high × 2^128 + low) ÷ divisor`, rounded down; `None` from 2^(128 + shift) on, where the
    /// quotient may have more than 128 bits.
    #[inline]
    pub(super) const fn div_halves(&self, low: u128, high: u128) -> Option<u128> {
        if high >> self.shift == 0 {
            Some(self.estimate(high, low))
        } else {
            None
        }
    }

    /// `number ÷ divisor`, rounded down.
    #[inline]
    pub(super) const fn div_u128(&self, number: u128) -> u128 {
        self.estimate(0, number)
    }

    /// [`Divisor::div_halves`] of a dividend proven to be below 2^(128 + shift).
    #[inline]
    pub(super) const fn div_small(&self, low: u128, high: u128) -> u128 {
        debug_assert!(high >> self.shift == 0);
        self.estimate(high, low)
    }

    /// `(high × 2^128 + low) ÷ divisor`, rounded down, for a dividend below 2^(128 + shift).
    #[inline]
    const fn estimate(&self, high: u128, low: u128) -> u128 {
        // The shift lies between 1 and 125.
        let top = (low >> self.shift) | (high << (128_u32.wrapping_sub(self.shift)));
        // Both the bits shifted out and those missing from the reciprocal are worth less than one
        // each, so the estimate is short by at most two.
        let mut quotient = mul_high(top, self.reciprocal);
        let mut remainder = low.wrapping_sub(quotient.wrapping_mul(self.divisor));
        let short = remainder >= self.divisor;
        quotient = quotient.wrapping_add(short as u128);
        remainder = remainder.wrapping_sub(if short { self.divisor } else { 0 });
        quotient.wrapping_add((remainder >= self.divisor) as u128)
    }
}

/// Low and high half of the full product; it cannot overflow.
#[inline]
pub(super) const fn mul_halves(a: u128, b: u128) -> (u128, u128) {
    let low_low = mul_limbs(low(a), low(b));
    let low_high = mul_limbs(low(a), top(b));
    let high_low = mul_limbs(top(a), low(b));
    let high_high = mul_limbs(top(a), top(b));
    // (2^64 - 1)^2 + (2^64 - 1) < 2^128, so only the second sum can carry.
    let middle = low_high.wrapping_add(top(low_low) as u128);
    let (middle, carry) = middle.overflowing_add(high_low);
    (
        join(low(middle), low(low_low)),
        high_high.wrapping_add(join(carry as u64, top(middle))),
    )
}

#[inline]
const fn mul_high(a: u128, b: u128) -> u128 {
    mul_halves(a, b).1
}

/// The full product; it cannot overflow.
#[inline]
pub(super) const fn mul_u128(a: u128, b: u128) -> U256 {
    let (l, h) = mul_halves(a, b);
    U256::from_limbs([low(l), top(l), low(h), top(h)])
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

    /// What the pool divides by.
    fn divisors() -> Vec<u128> {
        let powers = (1..=36).map(|n| 10_u128.pow(n));
        let year = 365 * 24 * 60 * 60;
        powers.chain([6, year, year * year]).collect()
    }

    proptest! {
        #[test]
        fn prop_quotients_are_those_of_long_division(
            number in any_u256(),
            divisor in any::<u128>(),
            cut in 2_u32..126,
        ) {
            let any = (divisor >> cut).max(3) | 1;
            let mut all = divisors();
            all.push(any);
            for divisor in all {
                let prepared = Divisor::new(divisor);
                let expected = number.wrapping_div(U256::from(divisor));
                prop_assert_eq!(prepared.div(number), expected);
                let part = short(number & long(u128::MAX)).unwrap();
                prop_assert_eq!(prepared.div_u128(part), part.checked_div(divisor).unwrap());
            }
        }

        #[test]
        fn prop_multiples_and_their_neighbors_are_exact(quotient: u128, index in 0_usize..39) {
            let divisor = divisors()[index];
            let prepared = Divisor::new(divisor);
            let multiple = mul_u128(quotient, divisor);
            prop_assert_eq!(prepared.div(multiple), long(quotient));
            let last = multiple.wrapping_add(long(divisor.wrapping_sub(1)));
            prop_assert_eq!(prepared.div(last), long(quotient));
            if quotient > 0 {
                let before = multiple.wrapping_sub(U256::ONE);
                prop_assert_eq!(prepared.div(before), long(quotient.wrapping_sub(1)));
            }
        }

        #[test]
        fn prop_products_and_halves_are_those_of_long_arithmetic(a: u128, b: u128, n in any_u256()) {
            prop_assert_eq!(mul_u128(a, b), U256::from(a).wrapping_mul(U256::from(b)));
            prop_assert_eq!(half(n), n.wrapping_div(U256::from(2)));
        }
    }

    #[test]
    fn length_is_seen_at_the_limit() {
        assert_eq!(short(long(u128::MAX)), Some(u128::MAX));
        assert_eq!(short(long(u128::MAX).wrapping_add(U256::ONE)), None);
        let three = Divisor::new(3);
        assert_eq!(three.div(U256::MAX), U256::MAX.wrapping_div(U256::from(3)));
        assert_eq!(three.div_u128(0), 0);
    }

    #[test]
    #[should_panic(expected = "invariant")]
    fn powers_of_two_have_no_reciprocal_of_128_bits() {
        Divisor::new(1 << 20);
    }
}
