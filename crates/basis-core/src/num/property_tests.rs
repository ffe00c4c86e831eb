//! Properties of [`Fixed18`]: against `rust_decimal` where that is exact,
//! against long division everywhere, and among themselves.

use super::wide::schoolbook;
use super::{Fixed18, MathError, Rounding};
use proptest::prelude::*;
use rust_decimal::{Decimal, RoundingStrategy};

const MODES: [(Rounding, RoundingStrategy); 6] = [
    (Rounding::Down, RoundingStrategy::ToZero),
    (Rounding::Up, RoundingStrategy::AwayFromZero),
    (Rounding::Floor, RoundingStrategy::ToNegativeInfinity),
    (Rounding::Ceil, RoundingStrategy::ToPositiveInfinity),
    (Rounding::HalfEven, RoundingStrategy::MidpointNearestEven),
    (Rounding::HalfUp, RoundingStrategy::MidpointAwayFromZero),
];

/// Uniform in bit length over the whole range.
fn any_number() -> impl Strategy<Value = Fixed18> {
    (any::<i128>(), 0_u32..128).prop_map(|(x, shift)| Fixed18::from_mantissa(x >> shift))
}

/// As [`any_number`], without zero.
fn any_divisor() -> impl Strategy<Value = Fixed18> {
    any_number().prop_map(|x| Fixed18::from_mantissa(if x.is_zero() { 1 } else { x.mantissa() }))
}

/// 47 bits with up to 14 decimals, so that a product is exact in the 96
/// bits and 28 decimals of the oracle.
fn any_half_number() -> impl Strategy<Value = Decimal> {
    (any::<i64>(), 17_u32..64, 0_u32..=14)
        .prop_map(|(x, shift, scale)| Decimal::new(x >> shift, scale))
}

/// 92 bits with 18 decimals, the widest the oracle adds exactly.
fn any_sum_operand() -> impl Strategy<Value = (Fixed18, Decimal)> {
    (any::<i128>(), 36_u32..128).prop_map(|(x, shift)| {
        let mantissa = x >> shift;
        (
            Fixed18::from_mantissa(mantissa),
            Decimal::from_i128_with_scale(mantissa, 18),
        )
    })
}

/// The same number, `None` beyond the range of [`Fixed18`].
fn try_from_oracle(oracle: Decimal) -> Option<Fixed18> {
    let missing = 18 - oracle.scale();
    let mantissa = oracle.mantissa().checked_mul(10_i128.pow(missing))?;
    Some(Fixed18::from_mantissa(mantissa))
}

fn from_oracle(oracle: Decimal) -> Fixed18 {
    try_from_oracle(oracle).unwrap()
}

/// The rounded quotient of the exact `dividend / divisor`, by the slow
/// division and the definition of each mode; `None` beyond the range.
fn slow_quotient(
    (hi, lo): (u128, u128),
    divisor: u128,
    negative: bool,
    mode: Rounding,
) -> Option<i128> {
    let (below, rest) = schoolbook::div(hi, lo, divisor)?;
    let above = below.checked_add(u128::from(rest != 0))?;
    let doubled = rest * 2;
    let nearest = match doubled.cmp(&divisor) {
        std::cmp::Ordering::Less => below,
        std::cmp::Ordering::Greater => above,
        std::cmp::Ordering::Equal if mode == Rounding::HalfUp => above,
        std::cmp::Ordering::Equal => below + below % 2,
    };
    let magnitude = match mode {
        Rounding::Down => below,
        Rounding::Up => above,
        Rounding::Floor => {
            if negative {
                above
            } else {
                below
            }
        }
        Rounding::Ceil => {
            if negative {
                below
            } else {
                above
            }
        }
        Rounding::HalfEven | Rounding::HalfUp => nearest,
    };
    if negative && magnitude == 1 << 127 {
        return Some(i128::MIN);
    }
    let positive = i128::try_from(magnitude).ok()?;
    Some(if negative { -positive } else { positive })
}

fn found(result: Result<Fixed18, MathError>) -> Option<i128> {
    result.ok().map(Fixed18::mantissa)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    #[test]
    fn prop_product_agrees_with_rust_decimal(a in any_half_number(), b in any_half_number()) {
        let exact = a.checked_mul(b).unwrap();
        prop_assert_eq!(exact.mantissa(), a.mantissa() * b.mantissa());
        for (mode, strategy) in MODES {
            let oracle = exact.round_dp_with_strategy(18, strategy);
            let product = from_oracle(a).mul(from_oracle(b), mode).ok();
            prop_assert_eq!(product, try_from_oracle(oracle), "{:?}", mode);
        }
    }

    #[test]
    fn prop_product_divides_back(a in any_half_number(), b in any_half_number()) {
        let (a, b) = (a.trunc_with_scale(9), b.trunc_with_scale(9));
        let exact = a.checked_mul(b).unwrap();
        let representable = try_from_oracle(exact).filter(|_| !b.is_zero());
        for (mode, _) in MODES {
            let quotient = representable.map(|exact| exact.div(from_oracle(b), mode));
            prop_assert_eq!(quotient, representable.map(|_| Ok(from_oracle(a))));
        }
    }

    #[test]
    fn prop_sums_agree_with_rust_decimal(
        (a, oracle_a) in any_sum_operand(), (b, oracle_b) in any_sum_operand(),
    ) {
        prop_assert_eq!(a.add(b), Ok(from_oracle(oracle_a + oracle_b)));
        prop_assert_eq!(a.sub(b), Ok(from_oracle(oracle_a - oracle_b)));
        prop_assert_eq!(a.cmp(&b), oracle_a.cmp(&oracle_b));
        prop_assert_eq!(a.abs(), Ok(from_oracle(oracle_a.abs())));
    }

    #[test]
    fn prop_text_agrees_with_rust_decimal((a, oracle) in any_sum_operand()) {
        prop_assert_eq!(a.to_string(), oracle.normalize().to_string());
        prop_assert_eq!(Fixed18::parse(&oracle.to_string()), Ok(a));
        prop_assert_eq!(from_oracle(a.to_string().parse().unwrap()), a);
    }

    #[test]
    fn prop_decimals_agree_with_rust_decimal((a, oracle) in any_sum_operand(), decimals in 0_u32..=18) {
        for (mode, strategy) in MODES {
            let expected = oracle.round_dp_with_strategy(decimals, strategy);
            let rounded = a.round_to_decimals(decimals, mode);
            prop_assert_eq!(rounded, Ok(from_oracle(expected)), "{:?}", mode);
        }
    }

    #[test]
    fn prop_product_agrees_with_long_division(a in any_number(), b in any_number()) {
        let exact = schoolbook::mul(a.mantissa().unsigned_abs(), b.mantissa().unsigned_abs());
        let negative = a.is_negative() != b.is_negative();
        for (mode, _) in MODES {
            let expected = slow_quotient(exact, 10_u128.pow(18), negative, mode);
            prop_assert_eq!(found(a.mul(b, mode)), expected, "{:?}", mode);
        }
    }

    #[test]
    fn prop_quotient_agrees_with_long_division(a in any_number(), b in any_divisor()) {
        let exact = schoolbook::mul(a.mantissa().unsigned_abs(), 10_u128.pow(18));
        let negative = a.is_negative() != b.is_negative();
        for (mode, _) in MODES {
            let expected = slow_quotient(exact, b.mantissa().unsigned_abs(), negative, mode);
            prop_assert_eq!(found(a.div(b, mode)), expected, "{:?}", mode);
        }
    }

    #[test]
    fn prop_mul_div_agrees_with_long_division(
        a in any_number(), b in any_number(), c in any_divisor(),
    ) {
        let exact = schoolbook::mul(a.mantissa().unsigned_abs(), b.mantissa().unsigned_abs());
        let negative = a.is_negative() ^ b.is_negative() ^ c.is_negative();
        for (mode, _) in MODES {
            let expected = slow_quotient(exact, c.mantissa().unsigned_abs(), negative, mode);
            prop_assert_eq!(found(a.mul_div(b, c, mode)), expected, "{:?}", mode);
        }
    }

    #[test]
    fn prop_steps_agree_with_long_division(a in any_number(), step in any_number()) {
        let step = Fixed18::from_mantissa(step.mantissa().saturating_abs().max(1));
        for (mode, _) in MODES {
            let multiple = slow_quotient(
                (0, a.mantissa().unsigned_abs()), step.mantissa().unsigned_abs(), a.is_negative(), mode,
            );
            let expected = multiple.and_then(|multiple| multiple.checked_mul(step.mantissa()));
            let rounded = a.round_to_step(step, mode);
            prop_assert_eq!(found(rounded), expected, "{:?}", mode);
            if let Ok(rounded) = rounded {
                prop_assert!(rounded.is_multiple_of(step));
                prop_assert_eq!(rounded == a, a.is_multiple_of(step));
            }
        }
    }

    #[test]
    fn prop_floor_and_ceil_are_neighbors(a in any_number(), b in any_number()) {
        let floor = a.mul(b, Rounding::Floor);
        let ceil = a.mul(b, Rounding::Ceil);
        if let (Ok(floor), Ok(ceil)) = (floor, ceil) {
            let gap = ceil.sub(floor).unwrap().mantissa();
            prop_assert!(gap == 0 || gap == 1);
            for (mode, _) in MODES {
                let rounded = a.mul(b, mode).unwrap();
                prop_assert!(rounded == floor || rounded == ceil);
            }
        }
    }

    #[test]
    fn prop_product_commutes_and_mirrors(a in any_number(), b in any_number()) {
        for (mode, _) in MODES {
            prop_assert_eq!(a.mul(b, mode), b.mul(a, mode));
        }
        if let (Ok(minus_a), Ok(floor)) = (a.neg(), a.mul(b, Rounding::Floor)) {
            prop_assert_eq!(minus_a.mul(b, Rounding::Ceil), floor.neg());
        }
    }

    #[test]
    fn prop_product_is_monotonic(a in any_number(), b in any_number(), c in any_number()) {
        let (less, more) = (a.min(b), a.max(b));
        let factor = Fixed18::from_mantissa(c.mantissa().saturating_abs());
        for (mode, _) in MODES {
            if let (Ok(less), Ok(more)) = (less.mul(factor, mode), more.mul(factor, mode)) {
                prop_assert!(less <= more);
            }
        }
    }

    #[test]
    fn prop_sum_and_difference_cancel(a in any_number(), b in any_number()) {
        if let Ok(sum) = a.add(b) {
            prop_assert_eq!(sum.sub(b), Ok(a));
        }
    }

    #[test]
    fn prop_square_root_brackets(a in any_number()) {
        let a = Fixed18::from_mantissa(a.mantissa().saturating_abs());
        let root = a.sqrt_floor().unwrap().mantissa().unsigned_abs();
        let exact = schoolbook::mul(a.mantissa().unsigned_abs(), 10_u128.pow(18));
        prop_assert!(schoolbook::mul(root, root) <= exact);
        prop_assert!(schoolbook::mul(root + 1, root + 1) > exact);
    }

    #[test]
    fn prop_binary_number_is_close(a in any_number()) {
        let expected: f64 = a.to_string().parse().unwrap();
        let places = a.to_f64().to_bits().abs_diff(expected.to_bits());
        prop_assert!(places <= 1, "{} and {}", a.to_f64(), expected);
    }

    #[test]
    fn prop_json_reads_back(a in any_number()) {
        let json = serde_json::to_string(&a).unwrap();
        prop_assert_eq!(serde_json::from_str::<Fixed18>(&json).unwrap(), a);
    }
}
