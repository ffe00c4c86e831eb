//! The exact 18-decimal fixed point number.

use std::fmt;
use std::str::FromStr;

use super::error::{MathError, ParseError};
use super::rounding::Rounding;
use super::text::{self, DecimalText};
use super::wide::{self, U256};

/// An exact decimal number with 18 decimals, `mantissa * 10^-18`.
///
/// The range is that of the `i128` mantissa, about ±1.7·10^20. Adding,
/// subtracting and comparing are exact; everything that can lose a digit takes
/// a [`Rounding`]; everything that can leave the range returns an error.
///
/// # Examples
///
/// ```
/// use basis_core::fixed18;
/// use basis_core::num::{Fixed18, Rounding};
///
/// let rate = Fixed18::parse("4.687e-05")?;
/// let notional = fixed18!("619876.543210987654321");
/// let funding = notional.mul(rate, Rounding::HalfEven)?;
/// assert_eq!(funding.to_string(), "29.053613580298991358");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
#[repr(transparent)]
pub struct Fixed18(i128);

/// Makes a [`Fixed18`](crate::num::Fixed18) from a string literal at compile
/// time; a bad literal does not compile.
///
/// ```
/// use basis_core::fixed18;
/// assert_eq!(fixed18!("0.0001").mantissa(), 100_000_000_000_000);
/// ```
///
/// ```compile_fail
/// let refused = basis_core::fixed18!("0.0000000000000000001");
/// ```
#[macro_export]
macro_rules! fixed18 {
    ($text:literal) => {
        const { $crate::num::Fixed18::literal($text) }
    };
}

impl Fixed18 {
    /// Zero.
    pub const ZERO: Self = Self(0);
    /// One.
    pub const ONE: Self = Self(Self::SCALE);
    /// The least number, about -1.7·10^20. Its negation overflows.
    pub const MIN: Self = Self(i128::MIN);
    /// The greatest number, about 1.7·10^20.
    pub const MAX: Self = Self(i128::MAX);
    /// Digits after the point.
    pub const DECIMALS: u32 = 18;
    /// The mantissa of one, `10^18`.
    pub const SCALE: i128 = wide::SCALE as i128;

    /// Makes the number `mantissa * 10^-18`.
    #[inline]
    pub const fn from_mantissa(mantissa: i128) -> Self {
        Self(mantissa)
    }

    /// Returns the number in units of `10^-18`.
    #[inline]
    pub const fn mantissa(self) -> i128 {
        self.0
    }

    /// Makes a whole number; exact over the whole range of `i64`.
    #[inline]
    pub const fn from_int(int: i64) -> Self {
        // Below 2^63 * 10^18 < 2^123.
        Self((int as i128).wrapping_mul(Self::SCALE))
    }

    /// Returns `num / den`.
    ///
    /// # Errors
    ///
    /// [`MathError::DivideByZero`] if `den` is zero.
    #[inline]
    pub const fn from_ratio(num: i64, den: i64, rounding: Rounding) -> Result<Self, MathError> {
        let dividend = wide::mul(Self::from_int(num).0.unsigned_abs(), 1);
        // The scale of the dividend makes the quotient a mantissa.
        let divisor = Self(den as i128);
        Self::quotient("from_ratio", dividend, divisor, (num ^ den) < 0, rounding)
    }

    /// Reads a decimal number exactly.
    ///
    /// Takes a sign, a point and an exponent (`4.687e-05`, `1E3`, `.5`, `5.`).
    /// White space, underscores, `NaN` and infinities are refused.
    ///
    /// # Errors
    ///
    /// [`ParseError::Inexact`] for a non-zero digit beyond the 18th decimal,
    /// [`ParseError::Overflow`] beyond the range, and the other variants for
    /// text that is no number.
    #[inline]
    pub fn parse(text: &str) -> Result<Self, ParseError> {
        Self::parse_bytes(text.as_bytes())
    }

    /// Reads a decimal number exactly, as [`parse`](Self::parse) does, from
    /// bytes that need not be UTF-8 (a cell of a CSV file).
    ///
    /// # Errors
    ///
    /// As [`parse`](Self::parse).
    #[inline]
    pub fn parse_bytes(text: &[u8]) -> Result<Self, ParseError> {
        match text::parse_short(text) {
            Some(mantissa) => Ok(Self(mantissa)),
            None => text::parse(text, None).map(Self),
        }
    }

    /// Reads a decimal number of any length and rounds it once to 18 decimals.
    ///
    /// # Errors
    ///
    /// As [`parse`](Self::parse), without [`ParseError::Inexact`].
    pub fn parse_rounded(text: &str, rounding: Rounding) -> Result<Self, ParseError> {
        text::parse(text.as_bytes(), Some(rounding)).map(Self)
    }

    /// Reads a literal; meant for [`fixed18!`](crate::fixed18) and constants.
    ///
    /// # Panics
    ///
    /// If the text is not an exact number; in a constant this is a compile
    /// error.
    pub const fn literal(text: &str) -> Self {
        match text::parse(text.as_bytes(), None) {
            Ok(mantissa) => Self(mantissa),
            Err(_) => panic!("not a decimal number of at most 18 decimals"),
        }
    }

    /// Returns `self + rhs`, exact.
    ///
    /// # Errors
    ///
    /// [`MathError::Overflow`] beyond the range.
    #[inline]
    pub const fn add(self, rhs: Self) -> Result<Self, MathError> {
        match self.0.checked_add(rhs.0) {
            Some(mantissa) => Ok(Self(mantissa)),
            None => Err(MathError::Overflow { op: "add" }),
        }
    }

    /// Returns `self - rhs`, exact.
    ///
    /// # Errors
    ///
    /// [`MathError::Overflow`] beyond the range.
    #[inline]
    pub const fn sub(self, rhs: Self) -> Result<Self, MathError> {
        match self.0.checked_sub(rhs.0) {
            Some(mantissa) => Ok(Self(mantissa)),
            None => Err(MathError::Overflow { op: "sub" }),
        }
    }

    /// Returns `-self`, exact.
    ///
    /// # Errors
    ///
    /// [`MathError::Overflow`] for [`MIN`](Self::MIN) only.
    #[inline]
    pub const fn neg(self) -> Result<Self, MathError> {
        match self.0.checked_neg() {
            Some(mantissa) => Ok(Self(mantissa)),
            None => Err(MathError::Overflow { op: "neg" }),
        }
    }

    /// Returns the absolute value, exact.
    ///
    /// # Errors
    ///
    /// [`MathError::Overflow`] for [`MIN`](Self::MIN) only.
    #[inline]
    pub const fn abs(self) -> Result<Self, MathError> {
        match self.0.checked_abs() {
            Some(mantissa) => Ok(Self(mantissa)),
            None => Err(MathError::Overflow { op: "abs" }),
        }
    }

    /// Returns `self * rhs`, rounded once from the exact product.
    ///
    /// # Errors
    ///
    /// [`MathError::Overflow`] beyond the range.
    #[inline]
    pub const fn mul(self, rhs: Self, rounding: Rounding) -> Result<Self, MathError> {
        let product = wide::mul(self.0.unsigned_abs(), rhs.0.unsigned_abs());
        let negative = (self.0 ^ rhs.0) < 0;
        let overflow = MathError::Overflow { op: "mul" };
        let Some((quotient, remainder)) = wide::div_scale(product) else {
            return Err(overflow);
        };
        let odd = quotient & 1 == 1;
        let away = rounding.goes_away(negative, odd, remainder as u128, wide::SCALE as u128);
        Self::assemble(quotient, away, negative, overflow)
    }

    /// Returns `self / rhs`, rounded once from the exact quotient.
    ///
    /// # Errors
    ///
    /// [`MathError::DivideByZero`] if `rhs` is zero, [`MathError::Overflow`]
    /// beyond the range.
    #[inline]
    pub const fn div(self, rhs: Self, rounding: Rounding) -> Result<Self, MathError> {
        let dividend = wide::mul(self.0.unsigned_abs(), wide::SCALE as u128);
        let negative = (self.0 ^ rhs.0) < 0;
        Self::quotient("div", dividend, rhs, negative, rounding)
    }

    /// Returns `self * mul / div`, rounded once from the exact value.
    ///
    /// # Errors
    ///
    /// [`MathError::DivideByZero`] if `div` is zero, [`MathError::Overflow`]
    /// beyond the range; the product may exceed it.
    #[inline]
    pub const fn mul_div(
        self,
        mul: Self,
        div: Self,
        rounding: Rounding,
    ) -> Result<Self, MathError> {
        let dividend = wide::mul(self.0.unsigned_abs(), mul.0.unsigned_abs());
        let negative = (self.0 ^ mul.0 ^ div.0) < 0;
        Self::quotient("mul_div", dividend, div, negative, rounding)
    }

    /// Returns `self * rhs`, exact.
    ///
    /// # Errors
    ///
    /// [`MathError::Overflow`] beyond the range.
    #[inline]
    pub const fn mul_int(self, rhs: i64) -> Result<Self, MathError> {
        match self.0.checked_mul(rhs as i128) {
            Some(mantissa) => Ok(Self(mantissa)),
            None => Err(MathError::Overflow { op: "mul_int" }),
        }
    }

    /// Returns the number with at most `decimals` digits after the point;
    /// 18 or more change nothing.
    ///
    /// # Errors
    ///
    /// [`MathError::Overflow`] if rounding away leaves the range.
    #[inline]
    pub fn round_to_decimals(self, decimals: u32, rounding: Rounding) -> Result<Self, MathError> {
        let dropped = Self::DECIMALS.saturating_sub(decimals) as usize;
        match text::power_of_ten(dropped) {
            Some(step) if step > 1 => {
                self.round_to_multiple("round_to_decimals", step as u128, rounding)
            }
            _ => Ok(self),
        }
    }

    /// Returns a whole multiple of `step`, a tick or lot size above zero.
    ///
    /// [`Rounding::HalfEven`] resolves a tie to the even multiple.
    ///
    /// # Errors
    ///
    /// [`MathError::DivideByZero`] for a zero step, [`MathError::OutOfRange`]
    /// for a negative one, [`MathError::Overflow`] if rounding away leaves the
    /// range.
    #[inline]
    pub const fn round_to_step(self, step: Self, rounding: Rounding) -> Result<Self, MathError> {
        if step.0 < 0 {
            return Err(MathError::OutOfRange {
                what: "step",
                min: Self(1),
                max: Self::MAX,
                value: step,
            });
        }
        self.round_to_multiple("round_to_step", step.0.unsigned_abs(), rounding)
    }

    /// Returns whether the number is a whole multiple of `step`, whatever the
    /// signs. Zero is a multiple of every step and the only one of zero.
    #[inline]
    pub const fn is_multiple_of(self, step: Self) -> bool {
        let whole = U256 {
            hi: 0,
            lo: self.0.unsigned_abs(),
        };
        match wide::div(whole, step.0.unsigned_abs()) {
            Some((_, remainder)) => remainder == 0,
            None => self.0 == 0,
        }
    }

    /// Returns the greatest number whose square is not above `self`.
    ///
    /// # Errors
    ///
    /// [`MathError::OutOfRange`] for a negative number.
    pub fn sqrt_floor(self) -> Result<Self, MathError> {
        if self.0 < 0 {
            return Err(MathError::OutOfRange {
                what: "operand of a square root",
                min: Self::ZERO,
                max: Self::MAX,
                value: self,
            });
        }
        let root = wide::isqrt(wide::mul(self.0.unsigned_abs(), wide::SCALE as u128));
        Self::assemble(root, false, false, MathError::Overflow { op: "sqrt_floor" })
    }

    /// Returns whether the number is zero.
    #[inline]
    pub const fn is_zero(self) -> bool {
        self.0 == 0
    }

    /// Returns whether the number is above zero.
    #[inline]
    pub const fn is_positive(self) -> bool {
        self.0 > 0
    }

    /// Returns whether the number is below zero.
    #[inline]
    pub const fn is_negative(self) -> bool {
        self.0 < 0
    }

    /// Returns -1, 0 or 1 with the sign of the number.
    #[inline]
    pub const fn signum(self) -> i32 {
        self.0.signum() as i32
    }

    /// Returns the nearest binary number, within one unit in its last place.
    ///
    /// For statistics and charts only: no way leads back into money.
    #[expect(
        clippy::float_arithmetic,
        clippy::cast_precision_loss,
        reason = "the one exit to statistics; 10^18 itself is exact in binary"
    )]
    #[inline]
    pub const fn to_f64(self) -> f64 {
        self.0 as f64 / Self::SCALE as f64
    }

    /// Appends the shortest exact decimal text: no exponent, no trailing
    /// zeros, no sign on zero.
    #[inline]
    pub fn write_decimal(self, out: &mut Vec<u8>) {
        out.extend_from_slice(DecimalText::new(self.0).as_bytes());
    }

    /// Returns `dividend / divisor`, rounded, with the given sign.
    #[inline]
    const fn quotient(
        op: &'static str,
        dividend: U256,
        divisor: Self,
        negative: bool,
        rounding: Rounding,
    ) -> Result<Self, MathError> {
        let divisor = divisor.0.unsigned_abs();
        let Some((quotient, remainder)) = wide::div(dividend, divisor) else {
            return Err(if divisor == 0 {
                MathError::DivideByZero { op }
            } else {
                MathError::Overflow { op }
            });
        };
        let odd = quotient & 1 == 1;
        let away = rounding.goes_away(negative, odd, remainder, divisor);
        Self::assemble(quotient, away, negative, MathError::Overflow { op })
    }

    /// Returns the multiple of `step > 0` next to `self`.
    #[inline]
    const fn round_to_multiple(
        self,
        op: &'static str,
        step: u128,
        rounding: Rounding,
    ) -> Result<Self, MathError> {
        let magnitude = self.0.unsigned_abs();
        let whole = U256 {
            hi: 0,
            lo: magnitude,
        };
        let Some((quotient, remainder)) = wide::div(whole, step) else {
            return Err(MathError::DivideByZero { op });
        };
        let negative = self.0 < 0;
        let away = rounding.goes_away(negative, quotient & 1 == 1, remainder, step);
        // At most 2^127 plus one step, within u128.
        let below = magnitude.wrapping_sub(remainder);
        let rounded = below.wrapping_add(if away { step } else { 0 });
        Self::assemble(rounded, false, negative, MathError::Overflow { op })
    }

    /// Puts sign, magnitude and rounding together.
    #[inline]
    const fn assemble(
        magnitude: u128,
        away: bool,
        negative: bool,
        overflow: MathError,
    ) -> Result<Self, MathError> {
        let Some(magnitude) = magnitude.checked_add(away as u128) else {
            return Err(overflow);
        };
        match text::signed(magnitude, negative) {
            Some(mantissa) => Ok(Self(mantissa)),
            None => Err(overflow),
        }
    }
}

impl fmt::Display for Fixed18 {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(DecimalText::new(self.0).as_str())
    }
}

impl fmt::Debug for Fixed18 {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl FromStr for Fixed18 {
    type Err = ParseError;

    fn from_str(text: &str) -> Result<Self, ParseError> {
        Self::parse(text)
    }
}

impl serde::Serialize for Fixed18 {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(DecimalText::new(self.0).as_str())
    }
}

/// Reads a string or a whole number; a floating point token is refused since
/// its digits are gone before they arrive here. Needs a self-describing format.
impl<'de> serde::Deserialize<'de> for Fixed18 {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(DecimalVisitor)
    }
}

struct DecimalVisitor;

impl DecimalVisitor {
    fn whole<E: serde::de::Error>(int: Option<i128>) -> Result<Fixed18, E> {
        int.and_then(|int| int.checked_mul(Fixed18::SCALE))
            .map(Fixed18)
            .ok_or_else(|| E::custom(ParseError::Overflow))
    }
}

impl serde::de::Visitor<'_> for DecimalVisitor {
    type Value = Fixed18;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a quoted decimal number such as \"0.0001\", or a whole number")
    }

    fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<Fixed18, E> {
        Fixed18::parse(text).map_err(|e| E::custom(format_args!("{text:?}: {e}")))
    }

    fn visit_i64<E: serde::de::Error>(self, int: i64) -> Result<Fixed18, E> {
        Ok(Fixed18::from_int(int))
    }

    fn visit_u64<E: serde::de::Error>(self, int: u64) -> Result<Fixed18, E> {
        Self::whole(Some(i128::from(int)))
    }

    fn visit_i128<E: serde::de::Error>(self, int: i128) -> Result<Fixed18, E> {
        Self::whole(Some(int))
    }

    fn visit_u128<E: serde::de::Error>(self, int: u128) -> Result<Fixed18, E> {
        Self::whole(i128::try_from(int).ok())
    }

    fn visit_f64<E: serde::de::Error>(self, float: f64) -> Result<Fixed18, E> {
        Err(E::custom(format_args!(
            "floating point number {float}: quote the number, as in \"{float}\", to keep it exact"
        )))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use Rounding::{Ceil, Down, Floor, HalfEven, HalfUp, Up};

    const MODES: [Rounding; 6] = [Down, Up, Floor, Ceil, HalfEven, HalfUp];

    fn number(text: &str) -> Fixed18 {
        Fixed18::parse(text).unwrap()
    }

    fn overflow<T>(op: &'static str) -> Result<T, MathError> {
        Err(MathError::Overflow { op })
    }

    #[test]
    fn literal_is_read_at_compile_time() {
        const TICK: Fixed18 = fixed18!("0.0001");
        assert_eq!(TICK.mantissa(), 100_000_000_000_000);
        assert_eq!(fixed18!("4.687e-05").mantissa(), 46_870_000_000_000);
        assert_eq!(fixed18!("-1"), Fixed18::from_int(-1));
    }

    #[test]
    #[should_panic(expected = "not a decimal number")]
    fn bad_literal_panics() {
        let _ = Fixed18::literal("1,5");
    }

    #[test]
    fn sums_at_the_bounds_are_exact_or_refused() {
        let least = Fixed18::from_mantissa(1);
        assert_eq!(Fixed18::MAX.add(least), overflow("add"));
        assert_eq!(Fixed18::MIN.sub(least), overflow("sub"));
        assert_eq!(Fixed18::MIN.neg(), overflow("neg"));
        assert_eq!(Fixed18::MIN.abs(), overflow("abs"));
        assert_eq!(Fixed18::MIN.mul_int(-1), overflow("mul_int"));
        assert_eq!(Fixed18::MAX.neg().unwrap().sub(least), Ok(Fixed18::MIN));
        assert_eq!(number("0.1").add(number("0.2")), Ok(number("0.3")));
        assert_eq!(number("-0.1").mul_int(-3), Ok(number("0.3")));
    }

    #[test]
    fn product_of_a_typical_fill_is_exact() {
        let notional = number("10.12345678").mul(number("61234.56"), Down);
        assert_eq!(notional, Ok(number("619905.4216023168")));
    }

    #[test]
    fn product_rounds_each_sign_in_each_mode() {
        // 2.5e-18, 3.5e-18 and 2.4e-18.
        let table = [
            ("5e-18", "0.5", [2, 3, 2, 3, 2, 3]),
            ("-5e-18", "0.5", [-2, -3, -3, -2, -2, -3]),
            ("7e-18", "-0.5", [-3, -4, -4, -3, -4, -4]),
            ("-7e-18", "-0.5", [3, 4, 3, 4, 4, 4]),
            ("24e-18", "0.1", [2, 3, 2, 3, 2, 2]),
            ("1e-18", "1e-18", [0, 1, 0, 1, 0, 0]),
            ("-1e-18", "1e-18", [0, -1, -1, 0, 0, 0]),
            ("5e-10", "-1e-9", [0, -1, -1, 0, 0, -1]),
        ];
        for (a, b, expected) in table {
            for (mode, expected) in MODES.into_iter().zip(expected) {
                let product = number(a).mul(number(b), mode).map(Fixed18::mantissa);
                assert_eq!(product, Ok(expected), "{a} * {b} {mode:?}");
            }
        }
    }

    #[test]
    fn quotient_rounds_each_sign_in_each_mode() {
        let table = [
            (
                "1",
                "3",
                "0.333333333333333333",
                "0.333333333333333334",
                false,
            ),
            (
                "2",
                "3",
                "0.666666666666666666",
                "0.666666666666666667",
                true,
            ),
            ("1e-18", "2", "0", "1e-18", false),
            ("3e-18", "2", "1e-18", "2e-18", true),
            (
                "100",
                "61234.56",
                "0.001633064726847061",
                "0.001633064726847062",
                true,
            ),
        ];
        for (a, b, below, above, even_is_above) in table {
            let (a, b, below, above) = (number(a), number(b), number(below), number(above));
            let nearest_even = if even_is_above { above } else { below };
            assert_eq!(a.div(b, Down), Ok(below));
            assert_eq!(a.div(b, Floor), Ok(below));
            assert_eq!(a.div(b, Up), Ok(above));
            assert_eq!(a.div(b, Ceil), Ok(above));
            assert_eq!(a.div(b, HalfEven), Ok(nearest_even), "{a} / {b}");
            let minus_a = a.neg().unwrap();
            assert_eq!(minus_a.div(b, Down), below.neg());
            assert_eq!(minus_a.div(b, Floor), above.neg());
            assert_eq!(minus_a.div(b, Up), above.neg());
            assert_eq!(minus_a.div(b, Ceil), below.neg());
            assert_eq!(minus_a.div(b, HalfEven), nearest_even.neg());
        }
        assert_eq!(
            number("1e-18").div(number("2"), HalfUp),
            Ok(number("1e-18"))
        );
    }

    #[test]
    fn results_outside_the_range_and_zero_divisors_are_refused() {
        let zero_divisor = |op| Err(MathError::DivideByZero { op });
        for mode in MODES {
            assert_eq!(Fixed18::MAX.mul(Fixed18::MAX, mode), overflow("mul"));
            assert_eq!(Fixed18::MIN.mul(Fixed18::MIN, mode), overflow("mul"));
            assert_eq!(Fixed18::MIN.mul(fixed18!("-1"), mode), overflow("mul"));
            assert_eq!(Fixed18::MIN.mul(Fixed18::ONE, mode), Ok(Fixed18::MIN));
            assert_eq!(Fixed18::MAX.mul(Fixed18::ONE, mode), Ok(Fixed18::MAX));
            assert_eq!(Fixed18::MAX.mul(Fixed18::ZERO, mode), Ok(Fixed18::ZERO));
            assert_eq!(Fixed18::MIN.div(Fixed18::ONE, mode), Ok(Fixed18::MIN));
            assert_eq!(Fixed18::MIN.div(fixed18!("-1"), mode), overflow("div"));
            assert_eq!(Fixed18::MIN.div(Fixed18::MIN, mode), Ok(Fixed18::ONE));
            assert_eq!(Fixed18::MAX.div(fixed18!("0.5"), mode), overflow("div"));
            assert_eq!(Fixed18::MAX.div(fixed18!("1e-18"), mode), overflow("div"));
            assert_eq!(Fixed18::ONE.div(Fixed18::ZERO, mode), zero_divisor("div"));
            assert_eq!(Fixed18::ZERO.div(Fixed18::ZERO, mode), zero_divisor("div"));
            assert_eq!(Fixed18::from_ratio(1, 0, mode), zero_divisor("from_ratio"));
            let max_over_max = Fixed18::MAX.mul_div(Fixed18::MAX, Fixed18::MAX, mode);
            assert_eq!(max_over_max, Ok(Fixed18::MAX));
            let nothing = Fixed18::ONE.mul_div(Fixed18::ONE, Fixed18::ZERO, mode);
            assert_eq!(nothing, zero_divisor("mul_div"));
        }
        let past_max = Fixed18::MAX.mul_div(fixed18!("3"), fixed18!("2"), Down);
        assert_eq!(past_max, overflow("mul_div"));
    }

    #[test]
    fn product_above_the_range_divides_back_into_it() {
        let (big, third) = (fixed18!("1e20"), fixed18!("3"));
        let found = big.mul_div(big, fixed18!("1e20"), Down);
        assert_eq!(found, Ok(big));
        let found = big.mul_div(third, fixed18!("-7"), Floor);
        assert_eq!(
            found,
            Ok(fixed18!("-42857142857142857142.857142857142857143"))
        );
    }

    #[test]
    fn ratio_of_integers_at_their_bounds() {
        assert_eq!(Fixed18::from_ratio(1, 8, Down), Ok(fixed18!("0.125")));
        assert_eq!(
            Fixed18::from_ratio(-1, 3, Floor),
            Ok(fixed18!("-0.333333333333333334"))
        );
        let most = Fixed18::from_ratio(i64::MIN, -1, Down);
        assert_eq!(most, Ok(fixed18!("9223372036854775808")));
        assert_eq!(
            Fixed18::from_int(i64::MIN).to_string(),
            "-9223372036854775808"
        );
    }

    #[test]
    fn decimals_are_cut_as_told() {
        let price = fixed18!("61234.565");
        let cut = |decimals, mode| price.round_to_decimals(decimals, mode).unwrap().to_string();
        assert_eq!(cut(2, Down), "61234.56");
        assert_eq!(cut(2, HalfEven), "61234.56");
        assert_eq!(cut(2, HalfUp), "61234.57");
        assert_eq!(cut(0, Ceil), "61235");
        assert_eq!(cut(3, Up), "61234.565");
        assert_eq!(cut(18, Up), "61234.565");
        assert_eq!(cut(u32::MAX, Up), "61234.565");
        assert_eq!(
            Fixed18::MAX.round_to_decimals(0, Up),
            overflow("round_to_decimals")
        );
    }

    #[test]
    fn steps_need_not_be_powers_of_ten() {
        let rounded = |x, step, mode| number(x).round_to_step(number(step), mode);
        assert_eq!(rounded("10.07", "0.05", Down), Ok(fixed18!("10.05")));
        assert_eq!(rounded("-10.07", "0.05", Floor), Ok(fixed18!("-10.1")));
        assert_eq!(rounded("10.075", "0.05", HalfEven), Ok(fixed18!("10.1")));
        assert_eq!(rounded("10.025", "0.05", HalfEven), Ok(fixed18!("10")));
        assert_eq!(rounded("10.025", "0.05", HalfUp), Ok(fixed18!("10.05")));
        assert_eq!(rounded("7", "100", Down), Ok(Fixed18::ZERO));
        assert_eq!(rounded("7", "100", Up), Ok(fixed18!("100")));
        assert_eq!(rounded("1e20", "3e19", HalfUp), Ok(fixed18!("9e19")));
        assert_eq!(
            Fixed18::MAX.round_to_step(Fixed18::MAX, Up),
            Ok(Fixed18::MAX)
        );
        assert_eq!(
            rounded("1", "0", Down),
            Err(MathError::DivideByZero {
                op: "round_to_step"
            })
        );
        assert!(matches!(
            rounded("1", "-1", Down),
            Err(MathError::OutOfRange { what: "step", .. })
        ));
    }

    #[test]
    fn multiples_ignore_the_signs() {
        let multiple = |x, step| number(x).is_multiple_of(number(step));
        assert!(multiple("10.05", "0.05"));
        assert!(multiple("-10.05", "0.05"));
        assert!(multiple("10.05", "-0.05"));
        assert!(multiple("0", "0.05"));
        assert!(multiple("0", "0"));
        assert!(!multiple("1", "0"));
        assert!(!multiple("10.06", "0.05"));
        assert!(Fixed18::MIN.is_multiple_of(Fixed18::MIN));
    }

    #[test]
    fn square_roots_are_floored() {
        let root = |x| number(x).sqrt_floor();
        assert_eq!(root("4"), Ok(fixed18!("2")));
        assert_eq!(root("2"), Ok(fixed18!("1.414213562373095048")));
        assert_eq!(root("1e-18"), Ok(fixed18!("1e-9")));
        assert_eq!(root("0"), Ok(Fixed18::ZERO));
        assert_eq!(root("1e20"), Ok(fixed18!("1e10")));
        assert!(Fixed18::MAX.sqrt_floor().is_ok());
        assert!(matches!(root("-1"), Err(MathError::OutOfRange { .. })));
    }

    #[test]
    fn sign_queries_agree() {
        for (x, signum) in [("-3", -1), ("0", 0), ("1e-18", 1)] {
            let x = number(x);
            assert_eq!(x.signum(), signum);
            assert_eq!(x.is_negative(), signum < 0);
            assert_eq!(x.is_zero(), signum == 0);
            assert_eq!(x.is_positive(), signum > 0);
        }
        assert_eq!(fixed18!("2").max(fixed18!("-3")), fixed18!("2"));
    }

    #[test]
    #[expect(clippy::float_cmp, reason = "the values are exact in binary")]
    fn binary_numbers_are_near() {
        assert_eq!(fixed18!("0.5").to_f64(), 0.5);
        assert_eq!(fixed18!("-61234.75").to_f64(), -61234.75);
        assert_eq!(Fixed18::ZERO.to_f64(), 0.0);
    }

    #[test]
    fn json_strings_and_integers_are_read_and_floats_are_refused() {
        let read = serde_json::from_str::<Fixed18>;
        assert_eq!(read("\"4.687e-05\"").unwrap(), fixed18!("0.00004687"));
        assert_eq!(read("-12").unwrap(), fixed18!("-12"));
        assert_eq!(
            read("18446744073709551615").unwrap(),
            fixed18!("18446744073709551615")
        );
        let refused = read("0.1").unwrap_err().to_string();
        assert!(
            refused.contains("quote the number, as in \"0.1\""),
            "{refused}"
        );
        let inexact = read("\"1e-19\"").unwrap_err().to_string();
        assert!(
            inexact.contains("\"1e-19\": more than 18 decimals"),
            "{inexact}"
        );
        let wrong = read("true").unwrap_err().to_string();
        assert!(
            wrong.contains("expected a quoted decimal number"),
            "{wrong}"
        );
        assert_eq!(
            serde_json::to_string(&fixed18!("-0.50")).unwrap(),
            "\"-0.5\""
        );
    }

    #[test]
    fn text_is_appended_and_debug_prints_it() {
        let mut out = b"price=".to_vec();
        fixed18!("61234.56").write_decimal(&mut out);
        assert_eq!(out, b"price=61234.56");
        assert_eq!(format!("{:?}", Some(fixed18!("-0.1"))), "Some(-0.1)");
        assert_eq!("-0.1".parse(), Ok(fixed18!("-0.1")));
    }
}
