//! 256-bit unsigned intermediates of 128-bit operands, for
//! [`Fixed18`](super::Fixed18) and for the fast paths of the protocols.
//!
//! Only what multiplication, division and the square root of a 128-bit fixed
//! point need; not a general integer type, and not the 256-bit integers of the
//! chain.
//!
//! Wrapping operations are used throughout because the release profile keeps
//! overflow checks on and these bounds are proven beside each step.
//!
//! Sources: N. Möller and T. Granlund, "Improved division by invariant
//! integers", IEEE Transactions on Computers 60 (2011), algorithms 2
//! (reciprocal word), 4 (two limbs by one), 5 (three by two) and 6 (reciprocal
//! for three by two); P. Barrett, CRYPTO '86, for the constant divisor;
//! D. Knuth, algorithm D, where the processor divides two limbs by one.

/// The divisor of [`div_scale`], `10^18`.
pub(super) const SCALE: u64 = 1_000_000_000_000_000_000;

/// How far a dividend is shifted before it meets [`SCALE_RECIPROCAL`].
///
/// `2^187 / 10^18` is a little above `2^127`, so a dividend with more bits
/// than `128 + 59` has a quotient that no `i128` can hold.
const BARRETT_SHIFT: u32 = 59;

/// `floor(2^(128 + BARRETT_SHIFT) / 10^18)`, a number of 128 bits.
const SCALE_RECIPROCAL: u128 = {
    let power = U256 {
        hi: 1 << BARRETT_SHIFT,
        lo: 0,
    };
    match div(power, SCALE as u128) {
        // What the estimate of `div_scale` can miss, in units of 1 / 10^18,
        // is below one: a single correction is enough.
        Some((quotient, dropped)) if (1 << BARRETT_SHIFT) + dropped < SCALE as u128 => quotient,
        _ => panic!("invariant: 2^187 / 10^18 fits 128 bits and is near enough"),
    }
};

/// An unsigned integer of 256 bits, `hi * 2^128 + lo`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct U256 {
    /// The upper half.
    pub hi: u128,
    /// The lower half.
    pub lo: u128,
}

impl U256 {
    /// Shifts left by `bits < 128`; bits shifted out are lost.
    #[inline]
    const fn shl(self, bits: u32) -> Self {
        if bits == 0 {
            return self;
        }
        Self {
            hi: (self.hi << bits) | (self.lo >> (128_u32.wrapping_sub(bits))),
            lo: self.lo << bits,
        }
    }

    /// Returns the low 128 bits of `self >> bits`, `0 < bits < 128`.
    #[inline]
    const fn shr_low(self, bits: u32) -> u128 {
        (self.lo >> bits) | (self.hi << (128_u32.wrapping_sub(bits)))
    }
}

#[expect(clippy::cast_possible_truncation, reason = "takes the low limb")]
#[inline]
const fn low(x: u128) -> u64 {
    x as u64
}

#[inline]
const fn high(x: u128) -> u64 {
    low(x >> 64)
}

#[inline]
const fn join(hi: u64, lo: u64) -> u128 {
    ((hi as u128) << 64) | lo as u128
}

/// Returns the full product of two limbs; it cannot overflow.
#[inline]
const fn mul_limbs(a: u64, b: u64) -> u128 {
    (a as u128).wrapping_mul(b as u128)
}

/// Returns the full product `a * b`.
#[inline]
pub const fn mul(a: u128, b: u128) -> U256 {
    let low_low = mul_limbs(low(a), low(b));
    let low_high = mul_limbs(low(a), high(b));
    let high_low = mul_limbs(high(a), low(b));
    let high_high = mul_limbs(high(a), high(b));
    // (2^64 - 1)^2 + (2^64 - 1) < 2^128, so only the second sum can carry.
    let middle = low_high.wrapping_add(high(low_low) as u128);
    let (middle, carry) = middle.overflowing_add(high_low);
    U256 {
        hi: high_high.wrapping_add(join(carry as u64, high(middle))),
        lo: join(low(middle), low(low_low)),
    }
}

/// Returns quotient and remainder of `dividend / 10^18`, or `None` where the
/// quotient is at least `2^187 / 10^18`, which no `i128` holds.
#[inline]
pub(super) const fn div_scale(dividend: U256) -> Option<(u128, u64)> {
    if dividend.hi >> BARRETT_SHIFT != 0 {
        return None;
    }
    let top = dividend.shr_low(BARRETT_SHIFT);
    // The estimate is short of the exact quotient by less than
    // (2^59 + 2^187 mod 10^18) / 10^18 = 0.776, hence by at most one after
    // the floor, and the remainder with one divisor too many fits a limb.
    let mut quotient = mul(top, SCALE_RECIPROCAL).hi;
    let mut remainder = low(dividend.lo).wrapping_sub(low(quotient).wrapping_mul(SCALE));
    let short = remainder >= SCALE;
    quotient = quotient.wrapping_add(short as u128);
    remainder = remainder.wrapping_sub(if short { SCALE } else { 0 });
    Some((quotient, remainder))
}

/// Returns quotient and remainder, or `None` where the quotient needs more
/// than 128 bits (a zero divisor included).
#[inline]
pub const fn div(dividend: U256, divisor: u128) -> Option<(u128, u128)> {
    if dividend.hi >= divisor {
        return None;
    }
    if dividend.hi == 0 && high(dividend.lo) == 0 && high(divisor) == 0 {
        // The processor's own division: `hi < divisor` has refused a divisor of zero.
        let (dividend, divisor) = (low(dividend.lo), low(divisor));
        let (Some(quotient), Some(remainder)) =
            (dividend.checked_div(divisor), dividend.checked_rem(divisor))
        else {
            return None;
        };
        return Some((quotient as u128, remainder as u128));
    }
    Some(if cfg!(target_arch = "x86_64") {
        div_by_limbs(dividend, divisor)
    } else {
        div_by_reciprocal(dividend, divisor)
    })
}

/// Divides by a `divisor > dividend.hi` with a reciprocal of its own: the way
/// of processors that do not divide two limbs by one.
#[inline]
const fn div_by_reciprocal(dividend: U256, divisor: u128) -> (u128, u128) {
    let shift = divisor.leading_zeros();
    if let Some(shift) = shift.checked_sub(64) {
        // One limb: `hi < divisor` leaves at most three limbs in the dividend.
        let divisor = low(divisor) << shift;
        let reciprocal = reciprocal(divisor);
        let dividend = dividend.shl(shift);
        let (q1, r) = div_2_by_1(low(dividend.hi), high(dividend.lo), divisor, reciprocal);
        let (q0, r) = div_2_by_1(r, low(dividend.lo), divisor, reciprocal);
        (join(q1, q0), (r >> shift) as u128)
    } else {
        let divisor = divisor << shift;
        let reciprocal = reciprocal_3_by_2(divisor);
        let dividend = dividend.shl(shift);
        let (q1, r) = div_3_by_2(dividend.hi, high(dividend.lo), divisor, reciprocal);
        let (q0, r) = div_3_by_2(r, low(dividend.lo), divisor, reciprocal);
        (join(q1, q0), r >> shift)
    }
}

/// Divides by a `divisor > dividend.hi` limb by limb, each step with the
/// processor's division of two limbs by one; half the time of a reciprocal
/// that is used once.
#[inline]
const fn div_by_limbs(dividend: U256, divisor: u128) -> (u128, u128) {
    if high(divisor) == 0 {
        // `hi < divisor` leaves at most three limbs in the dividend.
        let divisor = low(divisor);
        let upper = join(low(dividend.hi), high(dividend.lo));
        let (q1, r) = if dividend.hi == 0 && high(dividend.lo) < divisor {
            (0, high(dividend.lo))
        } else {
            limb_quotient(upper, divisor)
        };
        let (q0, r) = limb_quotient(join(r, low(dividend.lo)), divisor);
        return (join(q1, q0), r as u128);
    }
    let shift = divisor.leading_zeros();
    let divisor = divisor << shift;
    let dividend = dividend.shl(shift);
    let upper = join(low(dividend.hi), high(dividend.lo));
    let (q1, r) = if high(dividend.hi) == 0 && upper < divisor {
        (0, upper)
    } else {
        long_division_step(dividend.hi, high(dividend.lo), divisor)
    };
    let (q0, r) = long_division_step(r, low(dividend.lo), divisor);
    (join(q1, q0), r >> shift)
}

/// Divides `u` by `d`, with `u / 2^64 < d` so that the quotient is a limb.
#[inline]
const fn limb_quotient(u: u128, d: u64) -> (u64, u64) {
    let Some(quotient) = u.checked_div(d as u128) else {
        panic!("invariant: the divisor is above the upper limb")
    };
    let quotient = low(quotient);
    (quotient, low(u).wrapping_sub(quotient.wrapping_mul(d)))
}

/// Divides `u21 * 2^64 + u0` by a normalized `d > u21`: a step of long
/// division (D. Knuth, The Art of Computer Programming 2, 4.3.1, algorithm D),
/// whose estimate is at most two above the quotient's limb.
#[inline]
const fn long_division_step(u21: u128, u0: u64, d: u128) -> (u64, u128) {
    debug_assert!(u21 < d);
    let (d1, d0) = (high(d), low(d));
    let (mut q, mut rest) = if high(u21) >= d1 {
        // The limbs are equal, for `u21 < d`.
        (u64::MAX, u21.wrapping_sub(mul_limbs(u64::MAX, d1)))
    } else {
        let (q, rest) = limb_quotient(u21, d1);
        (q, rest as u128)
    };
    let mut product = mul_limbs(q, d0);
    while high(rest) == 0 && product > join(low(rest), u0) {
        q = q.wrapping_sub(1);
        rest = rest.wrapping_add(d1 as u128);
        product = product.wrapping_sub(d0 as u128);
    }
    (q, join(low(rest), u0).wrapping_sub(product))
}

/// A divisor with its reciprocal: what a loop that divides by the same number
/// again and again computes once.
#[derive(Clone, Copy, Debug)]
pub struct Divisor {
    /// The divisor shifted until its top bit is set.
    normalized: u128,
    shift: u32,
    reciprocal: u64,
}

impl Divisor {
    /// The divisor that changes nothing.
    pub const ONE: Self = match Self::new(1) {
        Some(one) => one,
        None => panic!("invariant: one is not zero"),
    };

    /// Returns `None` for zero.
    #[inline]
    pub const fn new(divisor: u128) -> Option<Self> {
        if divisor == 0 {
            return None;
        }
        let shift = divisor.leading_zeros();
        let normalized = divisor << shift;
        Some(Self {
            normalized,
            shift,
            reciprocal: reciprocal_3_by_2(normalized),
        })
    }

    /// Returns the quotient of `dividend`, rounded down, or `None` where it
    /// needs more than 128 bits.
    #[inline]
    pub const fn quotient(&self, dividend: U256) -> Option<u128> {
        if dividend.hi >= self.normalized >> self.shift {
            return None;
        }
        // `hi < divisor`, so the shift pushes no bit out.
        let dividend = dividend.shl(self.shift);
        let (q1, r) = div_3_by_2(
            dividend.hi,
            high(dividend.lo),
            self.normalized,
            self.reciprocal,
        );
        let (q0, _) = div_3_by_2(r, low(dividend.lo), self.normalized, self.reciprocal);
        Some(join(q1, q0))
    }
}

/// Returns `floor(sqrt(n))` for `n < 2^187`.
#[inline]
pub(super) fn isqrt(n: U256) -> u128 {
    debug_assert!(n.hi >> BARRETT_SHIFT == 0);
    if n.hi == 0 {
        return if n.lo >> SHORT_ROOT_BITS == 0 {
            short_root(n.lo) as u128
        } else {
            n.lo.isqrt()
        };
    }
    let half_shift = 128_u32.wrapping_sub(n.hi.leading_zeros()).div_ceil(2);
    let top = n.shr_low(half_shift.wrapping_mul(2));
    // A start above the root makes Newton's iteration fall monotonically to
    // its floor; 64 correct bits leave one or two rounds.
    let mut root = top.isqrt().wrapping_add(1) << half_shift;
    loop {
        let Some((quotient, _)) = div(n, root) else {
            panic!("invariant: the estimate is at least the root")
        };
        let next = root.wrapping_add(quotient) >> 1;
        if next >= root {
            return root;
        }
        root = next;
    }
}

/// Bits of an operand whose root the processor's binary square root misses by
/// at most one.
const SHORT_ROOT_BITS: u32 = 104;

/// Returns `floor(sqrt(n))` for `n < 2^104`.
///
/// The operand becomes binary with an error of at most one part in 2^53, the
/// root is rounded correctly (IEEE 754), and it is below 2^52: the estimate is
/// off by less than one, and what decides is its exact square.
#[expect(
    clippy::cast_precision_loss,
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "an estimate that is corrected in integers"
)]
#[inline]
fn short_root(n: u128) -> u64 {
    let root = (n as f64).sqrt() as u64;
    let square = mul_limbs(root, root);
    if square > n {
        root.wrapping_sub(1)
    } else if n.wrapping_sub(square) > (root as u128) << 1 {
        root.wrapping_add(1)
    } else {
        root
    }
}

/// Returns `floor((2^128 - 1) / d) - 2^64` for a `d` with its top bit set.
#[inline]
const fn reciprocal(d: u64) -> u64 {
    debug_assert!(d >> 63 == 1);
    let d9 = d >> 55;
    let d40 = (d >> 24).wrapping_add(1);
    let d63 = d.div_ceil(2);
    // The paper takes this from a table of 256 entries.
    let Some(v0) = 0x7_fd00_u64.checked_div(d9) else {
        panic!("invariant: the divisor is normalized")
    };
    let v1 = (v0 << 11)
        .wrapping_sub(v0.wrapping_mul(v0).wrapping_mul(d40) >> 40)
        .wrapping_sub(1);
    let correction = (1_u64 << 60).wrapping_sub(v1.wrapping_mul(d40));
    let v2 = (v1 << 13).wrapping_add(v1.wrapping_mul(correction) >> 47);
    let odd_part = if d & 1 == 1 { v2 >> 1 } else { 0 };
    let e = odd_part.wrapping_sub(v2.wrapping_mul(d63));
    let v3 = (v2 << 31).wrapping_add(high(mul_limbs(v2, e)) >> 1);
    // floor((v3 + 2^64 + 1) * d / 2^64), which fits a limb.
    let product = mul_limbs(v3, d).wrapping_add(d as u128);
    v3.wrapping_sub(high(product)).wrapping_sub(d)
}

/// Returns `floor((2^192 - 1) / d) - 2^64` for a `d` with its top bit set.
#[inline]
const fn reciprocal_3_by_2(d: u128) -> u64 {
    let (d1, d0) = (high(d), low(d));
    let mut v = reciprocal(d1);
    let mut p = d1.wrapping_mul(v).wrapping_add(d0);
    if p < d0 {
        v = v.wrapping_sub(1);
        if p >= d1 {
            v = v.wrapping_sub(1);
            p = p.wrapping_sub(d1);
        }
        p = p.wrapping_sub(d1);
    }
    let t = mul_limbs(v, d0);
    p = p.wrapping_add(high(t));
    if p < high(t) {
        v = v.wrapping_sub(1);
        if join(p, low(t)) >= d {
            v = v.wrapping_sub(1);
        }
    }
    v
}

/// Divides `u1 * 2^64 + u0` by a normalized `d > u1` with its reciprocal `v`.
#[inline]
const fn div_2_by_1(u1: u64, u0: u64, d: u64, v: u64) -> (u64, u64) {
    debug_assert!(u1 < d);
    let q = mul_limbs(v, u1).wrapping_add(join(u1, u0));
    let mut q1 = high(q).wrapping_add(1);
    let mut r = u0.wrapping_sub(q1.wrapping_mul(d));
    if r > low(q) {
        q1 = q1.wrapping_sub(1);
        r = r.wrapping_add(d);
    }
    if r >= d {
        q1 = q1.wrapping_add(1);
        r = r.wrapping_sub(d);
    }
    (q1, r)
}

/// Divides `u21 * 2^64 + u0` by a normalized `d > u21` with its reciprocal `v`.
#[inline]
const fn div_3_by_2(u21: u128, u0: u64, d: u128, v: u64) -> (u64, u128) {
    debug_assert!(u21 < d);
    let q = mul_limbs(v, high(u21)).wrapping_add(u21);
    let mut q1 = high(q);
    let r1 = low(u21).wrapping_sub(q1.wrapping_mul(high(d)));
    let mut r = join(r1, u0)
        .wrapping_sub(mul_limbs(low(d), q1))
        .wrapping_sub(d);
    q1 = q1.wrapping_add(1);
    if high(r) >= low(q) {
        q1 = q1.wrapping_sub(1);
        r = r.wrapping_add(d);
    }
    if r >= d {
        q1 = q1.wrapping_add(1);
        r = r.wrapping_sub(d);
    }
    (q1, r)
}

/// A slow long multiplication and division that shares nothing with the code
/// above, as the oracle of the tests.
#[cfg(test)]
#[expect(
    clippy::arithmetic_side_effects,
    reason = "an oracle reads best in plain operators; tests trap overflow"
)]
pub(super) mod schoolbook {
    /// Bits, least significant first.
    type Bits = [bool; 256];

    fn bits_of(mut x: u128) -> Vec<bool> {
        let mut bits = Vec::new();
        for _ in 0..128 {
            bits.push(x % 2 == 1);
            x /= 2;
        }
        bits
    }

    fn number(bits: &[bool]) -> u128 {
        bits.iter()
            .rev()
            .fold(0, |sum, bit| sum * 2 + u128::from(*bit))
    }

    /// Returns the product by adding shifted copies, bit by bit.
    pub(in crate::num) fn mul(a: u128, b: u128) -> (u128, u128) {
        let (a, b) = (bits_of(a), bits_of(b));
        let mut sum: Bits = [false; 256];
        for (shift, _) in b.iter().enumerate().filter(|(_, bit)| **bit) {
            let mut carry = 0;
            let addends = a.iter().copied().chain(std::iter::repeat(false));
            for (bit, addend) in sum.iter_mut().skip(shift).zip(addends) {
                let total = u8::from(*bit) + u8::from(addend) + carry;
                *bit = total % 2 == 1;
                carry = total / 2;
            }
            assert_eq!(carry, 0);
        }
        (number(&sum[128..]), number(&sum[..128]))
    }

    /// Returns quotient and remainder by shifting and subtracting; the
    /// divisor is below `2^127`. `None` where the quotient exceeds 128 bits.
    pub(in crate::num) fn div(hi: u128, lo: u128, divisor: u128) -> Option<(u128, u128)> {
        assert!(divisor != 0 && divisor <= 1 << 127);
        let mut dividend = bits_of(lo);
        dividend.extend(bits_of(hi));
        let mut quotient = [false; 256];
        let mut remainder = 0_u128;
        for place in (0..256).rev() {
            remainder = remainder * 2 + u128::from(dividend[place]);
            if remainder >= divisor {
                remainder -= divisor;
                quotient[place] = true;
            }
        }
        if number(&quotient[128..]) != 0 {
            return None;
        }
        Some((number(&quotient[..128]), remainder))
    }
}

#[cfg(test)]
#[expect(
    clippy::arithmetic_side_effects,
    reason = "test operands are bounded; tests trap overflow"
)]
mod tests {
    use super::*;

    /// Numbers at which limbs, carries and estimates change.
    fn edges() -> Vec<u128> {
        let mut edges = vec![0, 1, 2, 3, 10, u128::MAX, u128::MAX - 1];
        for bit in [31, 32, 58, 59, 60, 63, 64, 65, 95, 96, 126, 127] {
            let power = 1_u128 << bit;
            edges.extend([power - 1, power, power + 1]);
        }
        for exponent in [9, 17, 18, 19, 27, 36, 38] {
            let power = 10_u128.pow(exponent);
            edges.extend([power - 1, power, power + 1]);
        }
        edges
    }

    #[test]
    fn products_of_edge_operands_match_long_multiplication() {
        for a in edges() {
            for b in edges() {
                let product = mul(a, b);
                assert_eq!((product.hi, product.lo), schoolbook::mul(a, b), "{a} {b}");
            }
        }
    }

    #[test]
    fn quotients_of_edge_operands_match_long_division() {
        for hi in edges() {
            for lo in edges() {
                for divisor in edges() {
                    if divisor == 0 || divisor > 1 << 127 || hi >= divisor {
                        continue;
                    }
                    let dividend = U256 { hi, lo };
                    let expected = schoolbook::div(hi, lo, divisor);
                    assert_eq!(div(dividend, divisor), expected, "{hi} {lo} {divisor}");
                    for found in [
                        div_by_limbs(dividend, divisor),
                        div_by_reciprocal(dividend, divisor),
                    ] {
                        assert_eq!(Some(found), expected, "{hi} {lo} {divisor}");
                    }
                }
            }
        }
    }

    #[test]
    fn quotients_by_a_kept_reciprocal_match_those_without() {
        for divisor in edges().into_iter().filter(|divisor| *divisor != 0) {
            let kept = Divisor::new(divisor).unwrap();
            for hi in edges() {
                for lo in edges() {
                    let dividend = U256 { hi, lo };
                    let expected = div(dividend, divisor).map(|(quotient, _)| quotient);
                    assert_eq!(kept.quotient(dividend), expected, "{hi} {lo} {divisor}");
                }
            }
        }
    }

    #[test]
    fn quotient_beyond_128_bits_and_zero_divisor_are_refused() {
        assert!(Divisor::new(0).is_none());
        assert_eq!(div(U256 { hi: 5, lo: 0 }, 5), None);
        assert_eq!(div(U256 { hi: 0, lo: 5 }, 0), None);
        let (hi, lo) = (4, u128::MAX);
        assert!(div(U256 { hi, lo }, 5).is_some());
    }

    #[test]
    fn scale_division_at_edges_matches_long_division() {
        let limit = 1_u128 << BARRETT_SHIFT;
        for hi in edges().into_iter().filter(|hi| *hi < limit) {
            for lo in edges() {
                let (quotient, remainder) = div_scale(U256 { hi, lo }).unwrap();
                let expected = schoolbook::div(hi, lo, u128::from(SCALE)).unwrap();
                assert_eq!((quotient, u128::from(remainder)), expected);
            }
        }
        assert_eq!(div_scale(U256 { hi: limit, lo: 0 }), None);
    }

    #[test]
    fn scale_division_is_exact_next_to_multiples() {
        for quotient in edges().into_iter().filter(|q| *q <= 1 << 127) {
            let product = mul(quotient, u128::from(SCALE));
            assert_eq!(div_scale(product), Some((quotient, 0)));
            let (lo, borrow) = product.lo.overflowing_sub(1);
            let below = (!borrow || product.hi > 0).then(|| U256 {
                hi: product.hi - u128::from(borrow),
                lo,
            });
            if let Some(below) = below {
                assert_eq!(div_scale(below), Some((quotient - 1, SCALE - 1)));
            }
        }
    }

    /// `2^64 + v` is the greatest factor of `d` with a product below `2^192`.
    fn assert_defining_bracket(d: u128) {
        let factor = (1 << 64) + u128::from(reciprocal_3_by_2(d));
        let limit = (u128::from(u64::MAX), u128::MAX);
        assert!(schoolbook::mul(factor, d) <= limit, "{d:#x}");
        assert!(schoolbook::mul(factor + 1, d) > limit, "{d:#x}");
    }

    #[test]
    fn reciprocals_that_need_every_correction_are_exact() {
        for d in [
            1 << 127,
            u128::MAX,
            // The last correction of algorithm 6, which few divisors reach.
            0x8000_0000_0000_0003_feb2_6267_871a_ef9e,
            0x8000_0000_0000_0002_ffff_ffff_ffff_ffff,
            0x8000_0000_0000_00be_ffff_d1d1_abb9_22b0,
        ] {
            assert_defining_bracket(d);
        }
        for head in 0..64_u128 {
            for tail in edges() {
                let tail = tail & u128::from(u64::MAX);
                assert_defining_bracket(1 << 127 | head << 64 | tail);
                assert_defining_bracket((u128::MAX - (head << 64)) & !u128::from(u64::MAX) | tail);
            }
        }
    }

    #[test]
    fn roots_of_edge_operands_bracket_the_operand() {
        for hi in edges().into_iter().filter(|hi| *hi < 1 << BARRETT_SHIFT) {
            for lo in edges() {
                let root = isqrt(U256 { hi, lo });
                assert!(schoolbook::mul(root, root) <= (hi, lo));
                assert!(schoolbook::mul(root + 1, root + 1) > (hi, lo));
            }
        }
    }

    #[test]
    fn short_roots_next_to_squares_are_exact() {
        let roots = edges().into_iter().filter(|root| *root < 1 << 52);
        for root in roots
            .chain((1 << 52) - 1000..1 << 52)
            .filter(|root| *root > 0)
        {
            let square = root * root;
            assert_eq!(u128::from(short_root(square)), root);
            assert_eq!(u128::from(short_root(square - 1)), root - 1);
            assert_eq!(u128::from(short_root(square + 2 * root)), root);
        }
        let largest = (1 << SHORT_ROOT_BITS) - 1;
        assert_eq!(u128::from(short_root(largest)), largest.isqrt());
    }
}

#[cfg(test)]
mod property_tests {
    use super::*;
    use proptest::prelude::*;

    /// Uniform in bit length, so that short operands come up too.
    fn any_width() -> impl Strategy<Value = u128> {
        (any::<u128>(), 0_u32..128).prop_map(|(x, shift)| x >> shift)
    }

    proptest! {
        #[test]
        fn prop_product_matches_long_multiplication(a in any_width(), b in any_width()) {
            let product = mul(a, b);
            prop_assert_eq!((product.hi, product.lo), schoolbook::mul(a, b));
        }

        #[test]
        fn prop_quotient_matches_long_division(
            hi in any_width(), lo in any_width(), divisor in any_width(),
        ) {
            let divisor = (divisor >> 1).max(1);
            let hi = hi.checked_rem(divisor).unwrap();
            let dividend = U256 { hi, lo };
            let quotient = div(dividend, divisor);
            prop_assert_eq!(quotient, schoolbook::div(hi, lo, divisor));
            prop_assert_eq!(Some(div_by_limbs(dividend, divisor)), quotient);
            prop_assert_eq!(Some(div_by_reciprocal(dividend, divisor)), quotient);
            let kept = Divisor::new(divisor).unwrap().quotient(U256 { hi, lo });
            prop_assert_eq!(kept, quotient.map(|(quotient, _)| quotient));
        }

        #[test]
        fn prop_short_root_brackets_its_operand(n in any_width()) {
            let n = n >> 128_u32.wrapping_sub(SHORT_ROOT_BITS);
            let root = u128::from(short_root(n));
            prop_assert!(schoolbook::mul(root, root) <= (0, n));
            let next = root.wrapping_add(1);
            prop_assert!(schoolbook::mul(next, next) > (0, n));
        }

        #[test]
        fn prop_scale_division_matches_long_division(hi in any_width(), lo in any_width()) {
            let hi = hi >> 69;
            let (quotient, remainder) = div_scale(U256 { hi, lo }).unwrap();
            let expected = schoolbook::div(hi, lo, u128::from(SCALE)).unwrap();
            prop_assert_eq!((quotient, u128::from(remainder)), expected);
        }

        #[test]
        fn prop_reciprocal_is_the_defining_quotient(d in any::<u64>()) {
            let d = d | 1 << 63;
            let expected = u128::MAX.checked_div(u128::from(d)).unwrap();
            prop_assert_eq!(u128::from(reciprocal(d)), expected.wrapping_sub(1 << 64));
        }
    }
}
