//! The iterations of [`Curve`](super::Curve) on 128 bits, for the pools that exist.
//!
//! Every step is the contract's own: products in 256 bits, divisions rounded down, in the same
//! order. Where something does not fit, or does not settle, the answer is `None` and the wide form
//! decides; so these never differ from it, they only give up earlier.
//!
//! Three things make them fast: a division of 256 by 128 bits costs less than one of 256 by 256;
//! the divisors of `D_P` stay the same in all rounds, so their reciprocals are computed once; and
//! the search for `y` begins near it ([`root`](super::root)).

use super::arithmetic::narrow;
use super::curve::{Curve, ROUNDS};
use super::parameters::Template;
use super::per_coin::PerCoin;
use super::root::Quadratic;
use basis_core::num::wide::{self, Divisor};

/// `get_D`.
#[inline]
pub(super) fn get_d(curve: &Curve, xp: &PerCoin) -> Option<u128> {
    match &**xp {
        [a, b] => invariant(curve, [narrow(a)?, narrow(b)?]),
        [a, b, c] => invariant(curve, [narrow(a)?, narrow(b)?, narrow(c)?]),
        [a, b, c, d] => invariant(curve, [narrow(a)?, narrow(b)?, narrow(c)?, narrow(d)?]),
        _ => None,
    }
}

/// `get_y_D`, and with it `get_y`: coin `i`'s own entry of `xp` is only where the search begins.
#[inline]
pub(super) fn get_y_d(curve: &Curve, i: usize, xp: &PerCoin, d: u128) -> Option<u128> {
    let start = narrow(xp.get(i)?)?;
    match (&**xp, i) {
        ([_, a], 0) | ([a, _], 1) => balance(curve, [narrow(a)?], d, start),
        ([_, a, b], 0) | ([a, _, b], 1) | ([a, b, _], 2) => {
            balance(curve, [narrow(a)?, narrow(b)?], d, start)
        }
        ([_, a, b, c], 0) | ([a, _, b, c], 1) | ([a, b, _, c], 2) | ([a, b, c, _], 3) => {
            balance(curve, [narrow(a)?, narrow(b)?, narrow(c)?], d, start)
        }
        _ => None,
    }
}

/// `x ÷ A_PRECISION`.
#[inline]
const fn over_precision(template: Template, x: u128) -> u128 {
    match template {
        Template::ThreePool => x,
        Template::Base | Template::StableSwapNg => over_hundred(x),
    }
}

/// `x ÷ 100`, limb by limb, for a division of 128 bits is a call and a constant one of 64 bits a
/// multiplication.
#[expect(clippy::cast_possible_truncation, reason = "takes the limbs apart")]
#[inline]
const fn over_hundred(x: u128) -> u128 {
    /// 2^64 is so many hundreds,
    const HUNDREDS: u64 = 184_467_440_737_095_516;
    /// and so many more.
    const MORE: u64 = 16;
    let (high, low) = ((x >> 64) as u64, x as u64);
    let (high_quotient, carry) = (high / 100, high % 100);
    // carry × 2^64 + low, where carry is below 100, so no term leaves 64 bits.
    let rest = carry.wrapping_mul(MORE).wrapping_add(low % 100);
    let low_quotient = carry
        .wrapping_mul(HUNDREDS)
        .wrapping_add(low / 100)
        .wrapping_add(rest / 100);
    (high_quotient as u128) << 64 | low_quotient as u128
}

/// `x × factor`, or `None` beyond 128 bits.
#[expect(clippy::cast_possible_truncation, reason = "takes the limbs apart")]
#[inline]
const fn times(x: u128, factor: u64) -> Option<u128> {
    let low = (x as u64 as u128).wrapping_mul(factor as u128);
    let high = ((x >> 64) as u64 as u128).wrapping_mul(factor as u128);
    // (2^64 − 1)² + 2^64 fits 128 bits.
    let high = high.wrapping_add(low >> 64);
    if high >> 64 != 0 {
        return None;
    }
    Some(high << 64 | low as u64 as u128)
}

fn invariant<const N: usize>(curve: &Curve, xp: [u128; N]) -> Option<u128> {
    let template = curve.template;
    let sum = xp.iter().try_fold(0_u128, |sum, x| sum.checked_add(*x))?;
    if sum == 0 {
        return Some(0);
    }
    let coins = N as u64;
    let (per_coin, at_last) = match template {
        Template::ThreePool | Template::Base => (coins, None),
        Template::StableSwapNg => {
            let power = (0..N).try_fold(1_u128, |power, _| times(power, coins))?;
            (1, Some(Divisor::new(power)?))
        }
    };
    let mut divisors = [Divisor::ONE; N];
    for (divisor, x) in divisors.iter_mut().zip(xp) {
        *divisor = Divisor::new(times(x, per_coin)?)?;
    }
    let ann = curve.ann(N)?;
    let weighted = over_precision(template, times(sum, ann)?);
    let ann_less = ann.checked_sub(template.a_precision())?;
    let mut d = sum;
    for _ in 0..ROUNDS {
        let mut product = d;
        for divisor in &divisors {
            product = divisor.quotient(wide::mul(product, d))?;
        }
        if let Some(power) = &at_last {
            product = power.quotient(wide::U256 { hi: 0, lo: product })?;
        }
        let products = times(product, coins)?;
        let top = wide::mul(weighted.checked_add(products)?, d);
        let bottom = over_precision(template, times(d, ann_less)?)
            .checked_add(products.checked_add(product)?)?;
        let (next, _) = wide::div(top, bottom)?;
        let moved = next.abs_diff(d);
        d = next;
        if moved <= 1 {
            return Some(d);
        }
    }
    None
}

fn balance<const OTHERS: usize>(
    curve: &Curve,
    others: [u128; OTHERS],
    d: u128,
    start: u128,
) -> Option<u128> {
    let coins = (OTHERS as u64).checked_add(1)?;
    let ann = curve.ann(OTHERS.checked_add(1)?)?;
    let precision = curve.template.a_precision();
    let mut sum = 0_u128;
    let mut c = d;
    for x in others {
        sum = sum.checked_add(x)?;
        (c, _) = wide::div(wide::mul(c, d), times(x, coins)?)?;
    }
    let c = scaled_quotient(wide::mul(c, d), precision, ann.checked_mul(coins)?)?;
    let (share, _) = wide::div(wide::mul(d, u128::from(precision)), u128::from(ann))?;
    let b = sum.checked_add(share)?;
    Quadratic { b, c, d }.settle(start)
}

/// `x × factor ÷ divisor` with a quotient of up to 256 bits; the product must fit 256 bits too.
#[inline]
fn scaled_quotient(x: wide::U256, factor: u64, divisor: u64) -> Option<wide::U256> {
    let low = wide::mul(x.lo, u128::from(factor));
    let hi = times(x.hi, factor)?.checked_add(low.hi)?;
    let divisor = u128::from(divisor);
    let (quotient_hi, rest) = if hi < divisor {
        (0, hi)
    } else {
        wide::div(wide::U256 { hi: 0, lo: hi }, divisor)?
    };
    let rest = wide::U256 {
        hi: rest,
        lo: low.lo,
    };
    let (quotient_lo, _) = wide::div(rest, divisor)?;
    Some(wide::U256 {
        hi: quotient_hi,
        lo: quotient_lo,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn limb_by_limb_is_right_at_the_edges() {
        for x in [0, 1, 99, 100, 101, u128::MAX, u128::MAX - 56] {
            assert_eq!(over_hundred(x), x / 100, "{x}");
        }
        for bit in [63, 64, 65, 127] {
            for x in [(1_u128 << bit) - 1, 1_u128 << bit] {
                assert_eq!(over_hundred(x), x / 100, "{x}");
                assert_eq!(times(x, u64::MAX), x.checked_mul(u128::from(u64::MAX)));
                assert_eq!(times(x, 1), Some(x));
            }
        }
    }

    proptest! {
        #[test]
        fn prop_limb_by_limb_is_plain(x: u128, shift in 0_u32..128, factor: u64) {
            let x = x >> shift;
            prop_assert_eq!(over_hundred(x), x / 100);
            prop_assert_eq!(times(x, factor), x.checked_mul(u128::from(factor)));
        }
    }
}
