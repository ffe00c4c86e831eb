//! The 256-bit unsigned integers in which contracts count, and the one operation they need beyond
//! them: multiply, then divide, without losing what does not fit in between.
//!
//! A contract's number is a plain [`U256`] in base units (wei, ray, Q96); the names of fields and
//! functions carry the unit. [`Fixed18`] amounts enter and leave through [`units_of`] and
//! [`amount_of`], never through a float.

use super::text::power_of_ten;
use super::{Fixed18, MathError, Rounding};

pub use ruint::Uint;
pub use ruint::aliases::{U128, U256, U512};

/// Returns `a × b ÷ divisor`, rounded down; the product may take 512 bits.
///
/// What `FullMath.mulDiv` of Uniswap and `Math.mulDiv` of the OpenZeppelin contracts compute.
///
/// # Errors
/// [`MathError::DivideByZero`], or [`MathError::Overflow256`] when the quotient does not fit.
#[inline]
pub fn mul_div_floor(a: U256, b: U256, divisor: U256) -> Result<U256, MathError> {
    mul_div_rem(a, b, divisor).map(|(quotient, _)| quotient)
}

/// Returns `a × b ÷ divisor`, rounded up; the product may take 512 bits.
///
/// What Uniswap's `FullMath.mulDivRoundingUp` computes.
///
/// # Errors
/// [`MathError::DivideByZero`], or [`MathError::Overflow256`] when the quotient does not fit.
#[inline]
pub fn mul_div_ceil(a: U256, b: U256, divisor: U256) -> Result<U256, MathError> {
    let (quotient, remainder) = mul_div_rem(a, b, divisor)?;
    if remainder.is_zero() {
        return Ok(quotient);
    }
    quotient
        .checked_add(U256::ONE)
        .ok_or(MathError::Overflow256 { op: "mul_div_ceil" })
}

/// Quotient and remainder of `a × b ÷ divisor`.
#[inline]
fn mul_div_rem(a: U256, b: U256, divisor: U256) -> Result<(U256, U256), MathError> {
    if divisor.is_zero() {
        return Err(MathError::DivideByZero { op: "mul_div" });
    }
    if let Some(product) = a.checked_mul(b) {
        return Ok(product.div_rem(divisor));
    }
    let product: U512 = a.widening_mul(b);
    let (quotient, remainder) = product.div_rem(U512::from(divisor));
    let quotient = U256::checked_from_limbs_slice(quotient.as_limbs())
        .ok_or(MathError::Overflow256 { op: "mul_div" })?;
    let remainder = U256::checked_from_limbs_slice(remainder.as_limbs())
        .expect("invariant: a remainder is below its 256-bit divisor");
    Ok((quotient, remainder))
}

/// Returns `amount` (>= 0) in base units of an asset with `decimals`: 1.5 with 6 decimals is 1500000.
///
/// `rounding` decides about digits beyond the asset's own; with [`Rounding::Down`] nobody is
/// credited what the chain cannot hold.
///
/// # Errors
/// [`MathError::OutOfRange`] for a negative amount or more than 36 decimals;
/// [`MathError::Overflow256`] cannot happen, for 128 bits × 10^18 fit.
pub fn units_of(amount: Fixed18, decimals: u32, rounding: Rounding) -> Result<U256, MathError> {
    if amount.is_negative() {
        return Err(MathError::OutOfRange {
            what: "amount",
            min: Fixed18::ZERO,
            max: Fixed18::MAX,
            value: amount,
        });
    }
    check_decimals(decimals)?;
    let (mantissa, scale) = (amount.mantissa().unsigned_abs(), scale_of(decimals));
    if decimals < Fixed18::DECIMALS {
        let (whole, rest) = divided(mantissa, scale);
        let up = rounding.goes_away(false, whole & 1 == 1, rest, scale);
        return Ok(U256::from(whole.wrapping_add(u128::from(up))));
    }
    if scale == 1 {
        return Ok(U256::from(mantissa));
    }
    U256::from(mantissa)
        .checked_mul(U256::from(scale))
        .ok_or(MathError::Overflow256 { op: "units_of" })
}

/// Ten to the difference between `decimals` (at most 36) and the 18 of an amount.
#[inline]
fn scale_of(decimals: u32) -> u128 {
    let scale = power_of_ten(Fixed18::DECIMALS.abs_diff(decimals) as usize);
    u128::from(scale.expect("invariant: decimals were checked"))
}

/// Quotient and remainder; `divisor` is a power of ten.
#[inline]
fn divided(dividend: u128, divisor: u128) -> (u128, u128) {
    let quotient = dividend.checked_div(divisor).unwrap_or_default();
    let rest = dividend.wrapping_sub(quotient.wrapping_mul(divisor));
    (quotient, rest)
}

/// Returns `units` of an asset with `decimals` as an amount; digits beyond 18 decimals (only for an
/// asset that has more) are rounded.
///
/// # Errors
/// [`MathError::Overflow`] when the amount does not fit; [`MathError::OutOfRange`] for more than 36
/// decimals.
pub fn amount_of(units: U256, decimals: u32, rounding: Rounding) -> Result<Fixed18, MathError> {
    check_decimals(decimals)?;
    if let [low, high, 0, 0] = units.into_limbs() {
        let units = u128::from(high) << 64 | u128::from(low);
        return short_amount(units, decimals, rounding);
    }
    let scale = U256::from(scale_of(decimals));
    let overflow = MathError::Overflow { op: "amount_of" };
    let mantissa = if decimals <= Fixed18::DECIMALS {
        units.checked_mul(scale).ok_or(overflow)?
    } else {
        let (quotient, remainder) = units.div_rem(scale);
        let twice = remainder.saturating_mul(U256::from(2_u64));
        let up = match rounding {
            Rounding::Down | Rounding::Floor => false,
            Rounding::Up | Rounding::Ceil => !remainder.is_zero(),
            Rounding::HalfUp => twice >= scale,
            Rounding::HalfEven => twice > scale || (twice == scale && quotient.bit(0)),
        };
        quotient.wrapping_add(U256::from(u8::from(up)))
    };
    let mantissa = i128::try_from(mantissa).ok().ok_or(overflow)?;
    Ok(Fixed18::from_mantissa(mantissa))
}

/// [`amount_of`] of units that fit 128 bits.
fn short_amount(units: u128, decimals: u32, rounding: Rounding) -> Result<Fixed18, MathError> {
    let scale = scale_of(decimals);
    let mantissa = if scale == 1 {
        Some(units)
    } else if decimals < Fixed18::DECIMALS {
        units.checked_mul(scale)
    } else {
        let (quotient, rest) = divided(units, scale);
        let up = rounding.goes_away(false, quotient & 1 == 1, rest, scale);
        quotient.checked_add(u128::from(up))
    };
    let mantissa = mantissa.and_then(|mantissa| i128::try_from(mantissa).ok());
    let mantissa = mantissa.ok_or(MathError::Overflow { op: "amount_of" })?;
    Ok(Fixed18::from_mantissa(mantissa))
}

const DECIMALS_MAX: u32 = 36;

fn check_decimals(decimals: u32) -> Result<(), MathError> {
    if decimals <= DECIMALS_MAX {
        return Ok(());
    }
    Err(MathError::OutOfRange {
        what: "decimals",
        min: Fixed18::ZERO,
        max: Fixed18::from_int(36),
        value: Fixed18::from_int(i64::from(decimals)),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn uint(text: &str) -> U256 {
        text.parse().unwrap()
    }

    #[test]
    fn a_product_beyond_256_bits_is_divided_whole() {
        assert_eq!(
            mul_div_floor(U256::MAX, U256::MAX, U256::MAX).unwrap(),
            U256::MAX
        );
        let three = U256::from(3_u64);
        assert_eq!(
            mul_div_floor(U256::MAX, three, U256::from(6_u64)).unwrap(),
            U256::MAX >> 1
        );
        assert_eq!(
            mul_div_ceil(U256::MAX, three, U256::from(6_u64)).unwrap(),
            (U256::MAX >> 1) + U256::ONE
        );
        assert_eq!(
            mul_div_floor(U256::MAX, three, U256::ONE),
            Err(MathError::Overflow256 { op: "mul_div" })
        );
        assert_eq!(
            mul_div_ceil(U256::ONE, U256::ONE, U256::ZERO),
            Err(MathError::DivideByZero { op: "mul_div" })
        );
    }

    #[test]
    fn amounts_become_units_and_come_back() {
        let amount = Fixed18::literal("1.2345678");
        assert_eq!(
            units_of(amount, 6, Rounding::Down).unwrap(),
            uint("1234567")
        );
        assert_eq!(units_of(amount, 6, Rounding::Up).unwrap(), uint("1234568"));
        assert_eq!(
            units_of(amount, 18, Rounding::Down).unwrap(),
            uint("1234567800000000000")
        );
        assert_eq!(
            units_of(amount, 20, Rounding::Down).unwrap(),
            uint("123456780000000000000")
        );
        assert_eq!(
            amount_of(uint("1234567"), 6, Rounding::Down).unwrap(),
            Fixed18::literal("1.234567")
        );
        assert_eq!(
            amount_of(uint("155"), 20, Rounding::HalfEven).unwrap(),
            Fixed18::from_mantissa(2)
        );
        assert_eq!(
            amount_of(U256::MAX, 18, Rounding::Down),
            Err(MathError::Overflow { op: "amount_of" })
        );
        assert!(units_of(Fixed18::from_int(-1), 6, Rounding::Down).is_err());
        assert!(units_of(Fixed18::ONE, 37, Rounding::Down).is_err());
    }

    proptest! {
        #[test]
        fn prop_units_and_amounts_are_inverse(mantissa in 0..=i128::MAX, decimals in 18_u32..=30) {
            let amount = Fixed18::from_mantissa(mantissa);
            let units = units_of(amount, decimals, Rounding::Down).unwrap();
            prop_assert_eq!(amount_of(units, decimals, Rounding::Down).unwrap(), amount);
        }

        #[test]
        fn prop_digits_beyond_18_are_rounded_to_the_nearest(
            units in 0..=u128::MAX,
            decimals in 19_u32..=36,
        ) {
            let amount = |rounding| {
                let amount = amount_of(U256::from(units), decimals, rounding).unwrap();
                U256::from(amount.mantissa().unsigned_abs())
            };
            let scale = U256::from(scale_of(decimals));
            let (below, above) = (amount(Rounding::Down), amount(Rounding::Up));
            let rest = U256::from(units).wrapping_sub(below.wrapping_mul(scale));
            prop_assert!(rest < scale);
            let up = U256::from(u8::from(!rest.is_zero()));
            prop_assert_eq!(above, below.wrapping_add(up));
            let twice = rest.wrapping_add(rest);
            prop_assert_eq!(amount(Rounding::HalfUp), if twice >= scale { above } else { below });
            let even = twice > scale || (twice == scale && below.bit(0));
            prop_assert_eq!(amount(Rounding::HalfEven), if even { above } else { below });
        }

        #[test]
        fn prop_floor_and_ceil_enclose(a: [u64; 4], b: [u64; 4], d: [u64; 4]) {
            let (a, b, d) = (U256::from_limbs(a), U256::from_limbs(b), U256::from_limbs(d));
            prop_assume!(!d.is_zero());
            if let Ok(floor) = mul_div_floor(a, b, d) {
                let product: U512 = a.widening_mul(b);
                let back: U512 = floor.widening_mul(d);
                prop_assert!(back <= product);
                prop_assert!(product.wrapping_sub(back) < U512::from(d));
                if let Ok(ceil) = mul_div_ceil(a, b, d) {
                    prop_assert_eq!(ceil == floor, back == product);
                }
            }
        }
    }
}
