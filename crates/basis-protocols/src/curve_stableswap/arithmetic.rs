//! The checked operations of the contract on 256 bits, and their short cuts on 128.
//!
//! Vyper reverts on overflow, on falling below zero and on division by zero; so do these, as
//! errors. `a * b / c` there takes the product in 256 bits: what does not fit is an error here too,
//! though the quotient would fit.

use super::error::StableSwapError;
use basis_core::num::wide::{self, Divisor};
use basis_core::num::{MathError, U256};

/// A divisor known at compile time: as the contract has it, and with its reciprocal.
pub(super) struct Constant {
    value: U256,
    divisor: Divisor,
}

impl Constant {
    pub(super) const fn new(value: u64) -> Self {
        let Some(divisor) = Divisor::new(value as u128) else {
            panic!("invariant: the constant is not zero")
        };
        Self {
            value: U256::from_limbs([value, 0, 0, 0]),
            divisor,
        }
    }
}

/// `10^18`, what a rate of one is.
pub(super) const PRECISION: Constant = Constant::new(1_000_000_000_000_000_000);
/// `10^10`, in which fees are told.
pub(super) const FEE: Constant = Constant::new(super::parameters::FEE_DENOMINATOR);

/// The number when it fits 128 bits.
#[inline]
pub(super) const fn narrow(x: &U256) -> Option<u128> {
    match *x.as_limbs() {
        [low, high, 0, 0] => Some((high as u128) << 64 | low as u128),
        _ => None,
    }
}

#[expect(clippy::cast_possible_truncation, reason = "takes the limbs apart")]
#[inline]
pub(super) const fn widen(x: u128) -> U256 {
    U256::from_limbs([x as u64, (x >> 64) as u64, 0, 0])
}

#[inline]
pub(super) fn add(a: U256, b: U256, op: &'static str) -> Result<U256, StableSwapError> {
    a.checked_add(b)
        .ok_or_else(|| MathError::Overflow256 { op }.into())
}

#[inline]
pub(super) fn sub(left: U256, right: U256, op: &'static str) -> Result<U256, StableSwapError> {
    left.checked_sub(right)
        .ok_or(StableSwapError::BelowZero { op, left, right })
}

#[inline]
pub(super) fn mul(a: U256, b: U256, op: &'static str) -> Result<U256, StableSwapError> {
    a.checked_mul(b)
        .ok_or_else(|| MathError::Overflow256 { op }.into())
}

#[inline]
pub(super) fn div(a: U256, b: U256, op: &'static str) -> Result<U256, StableSwapError> {
    a.checked_div(b)
        .ok_or_else(|| MathError::DivideByZero { op }.into())
}

/// The mean of two numbers, rounded down; their sum is checked.
#[inline]
pub(super) fn mean(a: U256, b: U256, op: &'static str) -> Result<U256, StableSwapError> {
    Ok(add(a, b, op)?.wrapping_shr(1))
}

/// `a × b ÷ divisor`, rounded down, the product in 256 bits.
#[inline]
pub(super) fn mul_div(
    a: U256,
    b: U256,
    divisor: U256,
    op: &'static str,
) -> Result<U256, StableSwapError> {
    if let (Some(a), Some(b), Some(divisor)) = (narrow(&a), narrow(&b), narrow(&divisor))
        && let Some((quotient, _)) = wide::div(wide::mul(a, b), divisor)
    {
        return Ok(widen(quotient));
    }
    div(mul(a, b, op)?, divisor, op)
}

/// `a × b ÷ divisor`, rounded down, the product in 256 bits.
#[inline]
pub(super) fn mul_div_constant(
    a: U256,
    b: U256,
    divisor: &Constant,
    op: &'static str,
) -> Result<U256, StableSwapError> {
    if let (Some(a), Some(b)) = (narrow(&a), narrow(&b))
        && let Some(quotient) = divisor.divisor.quotient(wide::mul(a, b))
    {
        return Ok(widen(quotient));
    }
    div(mul(a, b, op)?, divisor.value, op)
}

#[cfg(test)]
mod tests {
    use super::*;
    use basis_core::num::uint256::U512;
    use proptest::prelude::*;

    /// Uniform in bit length, so that operands of 128 bits and of more come up alike.
    fn any_width() -> impl Strategy<Value = U256> {
        (any::<[u64; 4]>(), 0_usize..256)
            .prop_map(|(limbs, shift)| U256::from_limbs(limbs).wrapping_shr(shift))
    }

    #[test]
    fn a_product_beyond_256_bits_is_refused_though_the_quotient_would_fit() {
        let overflow = MathError::Overflow256 { op: "test" }.into();
        let two = U256::from(2_u64);
        assert_eq!(mul_div(U256::MAX, two, two, "test"), Err(overflow));
        assert_eq!(
            mul_div_constant(U256::MAX, two, &FEE, "test"),
            Err(overflow)
        );
        let zero = MathError::DivideByZero { op: "test" }.into();
        assert_eq!(mul_div(two, two, U256::ZERO, "test"), Err(zero));
    }

    proptest! {
        #[test]
        fn prop_short_cuts_give_the_plain_quotient(
            a in any_width(), b in any_width(), divisor in any_width(),
        ) {
            let product: U512 = a.widening_mul(b);
            let fits = product <= U512::from(U256::MAX);
            if !divisor.is_zero() {
                let found = mul_div(a, b, divisor, "test");
                let expected = product.div_rem(U512::from(divisor)).0;
                prop_assert_eq!(found.is_ok(), fits);
                if let Ok(found) = found {
                    prop_assert_eq!(U512::from(found), expected);
                }
            }
            for constant in [&PRECISION, &FEE] {
                let found = mul_div_constant(a, b, constant, "test");
                prop_assert_eq!(found, mul_div(a, b, constant.value, "test"));
            }
        }
    }
}
