//! Decimal text to and from the mantissa of [`Fixed18`](super::Fixed18).
//!
//! The grammar read is `[+-] digits [. digits] [(e|E) [+-] digits]`, where
//! either side of the point may be empty but not both. There is no white
//! space, no grouping, no `NaN` and no infinity. What is written uses no
//! exponent, no trailing zero after the point and no sign on zero.

use super::error::ParseError;
use super::rounding::Rounding;
use super::wide::{self, U256};

/// Decimal places of the mantissa.
const DECIMALS: i64 = 18;

/// `10^0` to `10^18`, by number of decimals.
const POWERS_OF_TEN: [u64; 19] = {
    let mut powers = [1; 19];
    let mut rest: &mut [u64] = &mut powers;
    let mut power = 1_u64;
    while let [first, tail @ ..] = rest {
        *first = power;
        power = power.wrapping_mul(10);
        rest = tail;
    }
    powers
};

/// Returns `10^exponent`, `None` above `10^18`.
#[inline]
pub(super) fn power_of_ten(exponent: usize) -> Option<u64> {
    POWERS_OF_TEN.get(exponent).copied()
}

/// Reads plain decimals of up to 19 digits, which is nearly every cell of a
/// market data file; `None` sends everything else, errors included, to
/// [`parse`].
#[inline]
pub(super) fn parse_short(text: &[u8]) -> Option<i128> {
    let (negative, digits) = match text {
        [b'-', rest @ ..] => (true, rest),
        _ => (false, text),
    };
    let mut significand = 0_u64;
    let mut decimals = None;
    for (at, byte) in digits.iter().enumerate() {
        let digit = byte.wrapping_sub(b'0');
        if digit <= 9 {
            // Wraps only beyond 19 digits, which are refused below.
            significand = significand.wrapping_mul(10).wrapping_add(u64::from(digit));
        } else if *byte == b'.' && decimals.is_none() {
            decimals = Some(digits.len().wrapping_sub(at).wrapping_sub(1));
        } else {
            return None;
        }
    }
    let digit_count = digits.len().wrapping_sub(usize::from(decimals.is_some()));
    if digit_count == 0 || digit_count > 19 {
        return None;
    }
    let scale = power_of_ten(18_usize.checked_sub(decimals.unwrap_or(0))?)?;
    // Below 10^19 * 10^18 = 10^37, within i128.
    let magnitude = u128::from(significand).wrapping_mul(u128::from(scale));
    signed(magnitude, negative)
}

/// Reads any text of the grammar; without a rounding it is exact or an error.
pub(super) const fn parse(text: &[u8], rounding: Option<Rounding>) -> Result<i128, ParseError> {
    let shape = match scan(text) {
        Ok(shape) => shape,
        Err(e) => return Err(e),
    };
    let mut magnitude = 0_u128;
    // The digit one place below the last decimal, and whether any follows.
    let mut next_digit = 0_u8;
    let mut more = false;
    // The power of ten the digit at the front of `rest` stands for.
    let mut power = shape.first_power;
    let mut rest = shape.digits;
    while let [byte, tail @ ..] = rest {
        rest = tail;
        if *byte == b'.' {
            continue;
        }
        let digit = byte.wrapping_sub(b'0');
        if power >= -DECIMALS {
            magnitude = match append_digit(magnitude, digit) {
                Some(magnitude) => magnitude,
                None => return Err(ParseError::Overflow),
            };
        } else if power == -DECIMALS - 1 {
            next_digit = digit;
        } else if digit != 0 {
            more = true;
        }
        power = power.saturating_sub(1);
    }
    // At most 39 rounds: a non-zero magnitude overflows by then.
    while magnitude != 0 && power >= -DECIMALS {
        magnitude = match append_digit(magnitude, 0) {
            Some(magnitude) => magnitude,
            None => return Err(ParseError::Overflow),
        };
        power = power.saturating_sub(1);
    }
    if next_digit != 0 || more {
        let Some(rounding) = rounding else {
            return Err(ParseError::Inexact);
        };
        // In twentieths of the last decimal, so that `more` is a half of one
        // of the tenths that `next_digit` counts.
        let remainder = (next_digit as u128)
            .wrapping_mul(2)
            .wrapping_add(more as u128);
        let away = rounding.goes_away(shape.negative, magnitude & 1 == 1, remainder, 20);
        magnitude = match magnitude.checked_add(away as u128) {
            Some(magnitude) => magnitude,
            None => return Err(ParseError::Overflow),
        };
    }
    match signed(magnitude, shape.negative) {
        Some(mantissa) => Ok(mantissa),
        None => Err(ParseError::Overflow),
    }
}

/// Returns the signed number, `None` where `i128` does not hold it.
#[inline]
pub(super) const fn signed(magnitude: u128, negative: bool) -> Option<i128> {
    if negative {
        0_i128.checked_sub_unsigned(magnitude)
    } else {
        0_i128.checked_add_unsigned(magnitude)
    }
}

const fn append_digit(number: u128, digit: u8) -> Option<u128> {
    match number.checked_mul(10) {
        Some(number) => number.checked_add(digit as u128),
        None => None,
    }
}

/// A well-formed number, taken apart.
struct Shape<'a> {
    negative: bool,
    /// Digits and at most one point.
    digits: &'a [u8],
    /// The power of ten the first digit stands for, saturated.
    first_power: i64,
}

const fn scan(text: &[u8]) -> Result<Shape<'_>, ParseError> {
    let (negative, body) = match text {
        [] => return Err(ParseError::Empty),
        [b'-', rest @ ..] => (true, rest),
        [b'+', rest @ ..] => (false, rest),
        _ => (false, text),
    };
    let mut integer_digits = 0_i64;
    let mut any_digit = false;
    let mut point = false;
    let mut rest = body;
    let mut exponent = 0;
    while let [byte, tail @ ..] = rest {
        match *byte {
            b'0'..=b'9' => {
                any_digit = true;
                integer_digits = integer_digits.saturating_add(!point as i64);
            }
            b'.' if !point => point = true,
            b'e' | b'E' if any_digit => {
                let offset = text.len().wrapping_sub(tail.len());
                exponent = match scan_exponent(tail, offset) {
                    Ok(exponent) => exponent,
                    Err(e) => return Err(e),
                };
                break;
            }
            byte => {
                let at = text.len().wrapping_sub(rest.len());
                return Err(ParseError::InvalidByte { at, byte });
            }
        }
        rest = tail;
    }
    if !any_digit {
        return Err(ParseError::NoDigits);
    }
    let (digits, _) = body.split_at(body.len().wrapping_sub(rest.len()));
    let first_power = integer_digits.saturating_add(exponent).saturating_sub(1);
    Ok(Shape {
        negative,
        digits,
        first_power,
    })
}

/// Reads what follows the exponent mark, saturated; `offset` is where it
/// starts in the whole text.
const fn scan_exponent(text: &[u8], offset: usize) -> Result<i64, ParseError> {
    let (negative, body) = match text {
        [b'-', rest @ ..] => (true, rest),
        [b'+', rest @ ..] => (false, rest),
        _ => (false, text),
    };
    if body.is_empty() {
        return Err(ParseError::InvalidExponent);
    }
    let mut exponent = 0_i64;
    let mut rest = body;
    while let [byte, tail @ ..] = rest {
        let digit = byte.wrapping_sub(b'0');
        if digit > 9 {
            let at = offset.wrapping_add(text.len()).wrapping_sub(rest.len());
            return Err(ParseError::InvalidByte { at, byte: *byte });
        }
        exponent = exponent.saturating_mul(10);
        exponent = if negative {
            exponent.saturating_sub(digit as i64)
        } else {
            exponent.saturating_add(digit as i64)
        };
        rest = tail;
    }
    Ok(exponent)
}

/// The shortest exact text of a mantissa, on the stack.
///
/// The point has a fixed place, so that every word of eight digits is copied
/// to a constant offset: sign and integer part end at 25, the decimals are in
/// 26 to 44.
pub(super) struct DecimalText {
    buffer: [u8; 48],
    start: usize,
    end: usize,
}

impl DecimalText {
    #[inline]
    pub(super) fn new(mantissa: i128) -> Self {
        let whole = U256 {
            hi: 0,
            lo: mantissa.unsigned_abs(),
        };
        let Some((integer, fraction)) = wide::div_scale(whole) else {
            unreachable!("invariant: 128 bits divide by 10^18")
        };
        let mut text = Self {
            buffer: [b'0'; 48],
            start: 25,
            end: 25,
        };
        text.write_integer(integer);
        text.write_fraction(fraction);
        if mantissa < 0 {
            text.start = text.start.wrapping_sub(1);
            if let Some(sign) = text.buffer.get_mut(text.start) {
                *sign = b'-';
            }
        }
        text
    }

    #[inline]
    pub(super) fn as_bytes(&self) -> &[u8] {
        self.buffer.get(self.start..self.end).unwrap_or_default()
    }

    pub(super) fn as_str(&self) -> &str {
        std::str::from_utf8(self.as_bytes()).unwrap_or_default()
    }

    #[inline]
    fn write_integer(&mut self, integer: u128) {
        if let Ok(word @ 0..100_000_000) = u32::try_from(integer) {
            let word = eight_digits(word);
            self.buffer[17..25].copy_from_slice(&ascii(word));
            self.start = 17_usize.wrapping_add(leading_zeros(word).min(7));
        } else {
            self.write_long_integer(integer);
        }
    }

    /// Writes an integer part of 9 to 21 digits.
    #[cold]
    fn write_long_integer(&mut self, integer: u128) {
        let (upper, lowest) = split_word(integer);
        let (upper, middle) = split_word(upper);
        let (_, highest) = split_word(upper);
        let (highest, middle) = (eight_digits(highest), eight_digits(middle));
        self.buffer[1..9].copy_from_slice(&ascii(highest));
        self.buffer[9..17].copy_from_slice(&ascii(middle));
        self.buffer[17..25].copy_from_slice(&ascii(eight_digits(lowest)));
        let zeros = leading_zeros(highest);
        self.start = 1_usize.wrapping_add(if zeros == 8 {
            8_usize.wrapping_add(leading_zeros(middle))
        } else {
            zeros
        });
    }

    /// Writes point and decimals, or nothing for a whole number.
    #[inline]
    fn write_fraction(&mut self, fraction: u64) {
        if fraction == 0 {
            return;
        }
        // 18 digits as 8, 8 and 2.
        let (upper, last) = (fraction / 100, fraction % 100);
        let (first, second) = (upper / 100_000_000, upper % 100_000_000);
        let first = eight_digits(narrow(first));
        self.buffer[25] = b'.';
        self.buffer[26..34].copy_from_slice(&ascii(first));
        self.end = 34_usize.wrapping_sub(trailing_zeros(first));
        if second != 0 {
            let second = eight_digits(narrow(second));
            self.buffer[34..42].copy_from_slice(&ascii(second));
            self.end = 42_usize.wrapping_sub(trailing_zeros(second));
        }
        if last != 0 {
            // The two digits are the last of eight.
            let [.., tens, ones] = ascii(eight_digits(narrow(last)));
            // The word in front may have been all zeros and is rewritten then.
            self.buffer[42] = tens;
            self.buffer[43] = ones;
            self.end = if ones == b'0' { 43 } else { 44 };
        }
    }
}

/// Splits off the last eight digits.
fn split_word(number: u128) -> (u128, u32) {
    let word = u64::try_from(number % 100_000_000).unwrap_or_default();
    (number / 100_000_000, narrow(word))
}

#[expect(
    clippy::cast_possible_truncation,
    reason = "takes a word of eight decimal digits, below 2^27"
)]
#[inline]
const fn narrow(word: u64) -> u32 {
    debug_assert!(word < 100_000_000);
    word as u32
}

/// Returns the eight digits of `number < 10^8`, one in each byte, the first
/// digit in the lowest byte.
///
/// Splits in two, four and eight lanes of one machine word, each time by a
/// multiplication with a rounded reciprocal that is exact for the range of
/// the lane. Method: P. Khuong, "How to print integers really fast",
/// <https://pvk.ca/Blog/2017/12/22/appnexus-common-framework-its-out-also-how-to-print-integers-faster/>.
#[inline]
const fn eight_digits(number: u32) -> u64 {
    let number = number as u64;
    let upper = number / 10_000;
    let fours = upper | (number.wrapping_sub(upper.wrapping_mul(10_000)) << 32);
    // x * 10486 >> 20 is x / 100 for x < 10^4.
    let hundreds = (fours.wrapping_mul(10_486) >> 20) & 0x0000_007f_0000_007f;
    let twos = hundreds | (fours.wrapping_sub(hundreds.wrapping_mul(100)) << 16);
    // x * 103 >> 10 is x / 10 for x < 100.
    let tens = (twos.wrapping_mul(103) >> 10) & 0x000f_000f_000f_000f;
    tens | (twos.wrapping_sub(tens.wrapping_mul(10)) << 8)
}

#[inline]
const fn ascii(digits: u64) -> [u8; 8] {
    (digits | 0x3030_3030_3030_3030).to_le_bytes()
}

/// Returns how many of the eight digits, from the first, are zero.
#[inline]
const fn leading_zeros(digits: u64) -> usize {
    (digits.trailing_zeros() / 8) as usize
}

/// Returns how many of the eight digits, from the last, are zero.
#[inline]
const fn trailing_zeros(digits: u64) -> usize {
    (digits.leading_zeros() / 8) as usize
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(mantissa: i128) -> String {
        DecimalText::new(mantissa).as_str().to_owned()
    }

    #[test]
    fn eight_digits_are_exact_in_both_lanes() {
        for four in 0..10_000_u32 {
            for number in [four, four.wrapping_mul(10_000), four.wrapping_mul(10_001)] {
                let digits = ascii(eight_digits(number));
                assert_eq!(digits.as_slice(), format!("{number:08}").as_bytes());
            }
        }
    }

    #[test]
    fn shortest_text_at_every_layout_change() {
        let table: [(i128, &str); 22] = [
            (0, "0"),
            (1, "0.000000000000000001"),
            (-1, "-0.000000000000000001"),
            (10, "0.00000000000000001"),
            (99, "0.000000000000000099"),
            (100, "0.0000000000000001"),
            (101, "0.000000000000000101"),
            (10_000_000_000, "0.00000001"),
            (10_000_000_001, "0.000000010000000001"),
            (1_000_000_000, "0.000000001"),
            (100_000_000_000_000_001, "0.100000000000000001"),
            (100_000_000_100_000_000, "0.1000000001"),
            (500_000_000_000_000_000, "0.5"),
            (1_000_000_000_000_000_000, "1"),
            (-1_500_000_000_000_000_000, "-1.5"),
            (61_234_560_000_000_000_000_000, "61234.56"),
            (99_999_999_000_000_000_000_000_000, "99999999"),
            (100_000_000_000_000_000_000_000_000, "100000000"),
            (
                -12_345_678_901_234_567_100_000_000_000_000_000,
                "-12345678901234567.1",
            ),
            (
                10_000_000_000_000_000_000_000_000_000_000_000,
                "10000000000000000",
            ),
            (i128::MAX, "170141183460469231731.687303715884105727"),
            (i128::MIN, "-170141183460469231731.687303715884105728"),
        ];
        for (mantissa, expected) in table {
            assert_eq!(text(mantissa), expected);
            assert_eq!(parse(expected.as_bytes(), None), Ok(mantissa));
        }
    }

    #[test]
    fn exponent_and_point_forms_read_exactly() {
        const ONE: i128 = 1_000_000_000_000_000_000;
        let table: [(&str, i128); 21] = [
            ("4.687e-05", 46_870_000_000_000),
            ("1E3", 1_000_000_000_000_000_000_000),
            ("1e+3", 1_000_000_000_000_000_000_000),
            ("+1", ONE),
            ("-1", -ONE),
            ("-0", 0),
            ("-0.0", 0),
            (".5", 500_000_000_000_000_000),
            ("5.", 5_000_000_000_000_000_000),
            ("000001", ONE),
            ("1.000000000000000000000000", ONE),
            ("0.0000000000000000010000", 1),
            ("100e-20", 1),
            ("0.00001e5", ONE),
            ("1000000000000000000000000000000000000000000e-42", ONE),
            ("0.000000000000000000000000000000000000000001e42", ONE),
            ("0e999999999999999999999999", 0),
            ("0e-999999999999999999999999", 0),
            ("12345.e-5", 123_450_000_000_000_000),
            ("-.5e1", -5_000_000_000_000_000_000),
            ("1e20", 100_000_000_000_000_000_000_000_000_000_000_000_000),
        ];
        for (text, expected) in table {
            assert_eq!(parse(text.as_bytes(), None), Ok(expected), "{text}");
            if let Some(short) = parse_short(text.as_bytes()) {
                assert_eq!(short, expected, "{text}");
            }
        }
    }

    #[test]
    fn text_that_is_no_number_is_refused_with_its_place() {
        use ParseError::{Empty, Inexact, InvalidByte, InvalidExponent, NoDigits, Overflow};
        let byte = |at, byte| InvalidByte { at, byte };
        let table = [
            ("", Empty),
            ("-", NoDigits),
            (".", NoDigits),
            ("+.", NoDigits),
            ("e5", byte(0, b'e')),
            (" 1", byte(0, b' ')),
            ("1 ", byte(1, b' ')),
            ("1_000", byte(1, b'_')),
            ("1,5", byte(1, b',')),
            ("NaN", byte(0, b'N')),
            ("-inf", byte(1, b'i')),
            ("--1", byte(1, b'-')),
            ("+-1", byte(1, b'-')),
            ("1.2.3", byte(3, b'.')),
            ("1e", InvalidExponent),
            ("1e-", InvalidExponent),
            ("1e5.0", byte(3, b'.')),
            ("-1e+5x", byte(5, b'x')),
            ("1e--5", byte(3, b'-')),
            ("0.0000000000000000001", Inexact),
            ("1.0000000000000000000000001", Inexact),
            ("1e-19", Inexact),
            ("1e-999999999999999999999", Inexact),
            ("1e21", Overflow),
            ("1e999999999999999999999", Overflow),
            ("170141183460469231731.687303715884105728", Overflow),
            ("-170141183460469231731.687303715884105729", Overflow),
            ("999999999999999999999999999999999999999999", Overflow),
        ];
        for (text, expected) in table {
            assert_eq!(parse(text.as_bytes(), None), Err(expected), "{text}");
            assert_eq!(parse_short(text.as_bytes()), None, "{text}");
        }
    }

    #[test]
    fn digits_beyond_the_last_decimal_round_as_told() {
        use Rounding::{Ceil, Down, Floor, HalfEven, HalfUp, Up};
        let table = [
            ("0.0000000000000000025", [2, 3, 2, 3, 2, 3]),
            ("-0.0000000000000000025", [-2, -3, -3, -2, -2, -3]),
            ("0.0000000000000000035", [3, 4, 3, 4, 4, 4]),
            ("0.00000000000000000250000000000001", [2, 3, 2, 3, 3, 3]),
            ("0.0000000000000000024999999", [2, 3, 2, 3, 2, 2]),
            ("1e-30", [0, 1, 0, 1, 0, 0]),
            ("-9e-1000000000000000000000", [0, -1, -1, 0, 0, 0]),
            ("0.000000000000000002", [2, 2, 2, 2, 2, 2]),
        ];
        for (text, expected) in table {
            for (mode, expected) in [Down, Up, Floor, Ceil, HalfEven, HalfUp]
                .into_iter()
                .zip(expected)
            {
                assert_eq!(
                    parse(text.as_bytes(), Some(mode)),
                    Ok(expected),
                    "{text} {mode:?}"
                );
            }
        }
        let past_max = "170141183460469231731.6873037158841057275";
        assert!(parse(past_max.as_bytes(), Some(Down)).is_ok());
        assert_eq!(
            parse(past_max.as_bytes(), Some(Up)),
            Err(ParseError::Overflow)
        );
    }
}

#[cfg(test)]
mod property_tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn prop_text_reads_back(mantissa in any::<i128>(), shift in 0_u32..128) {
            let mantissa = mantissa >> shift;
            let text = DecimalText::new(mantissa);
            prop_assert_eq!(parse(text.as_bytes(), None), Ok(mantissa));
            if let Some(short) = parse_short(text.as_bytes()) {
                prop_assert_eq!(short, mantissa);
            }
        }

        #[test]
        fn prop_text_is_the_padded_text_without_zeros(mantissa in any::<i128>(), shift in 0_u32..128) {
            let mantissa = mantissa >> shift;
            let digits = format!("{:019}", mantissa.unsigned_abs());
            let (integer, fraction) = digits.split_at(digits.len().checked_sub(18).unwrap());
            let padded = format!("{}{integer}.{fraction}", if mantissa < 0 { "-" } else { "" });
            let expected = padded.trim_end_matches('0').trim_end_matches('.');
            let text = DecimalText::new(mantissa);
            prop_assert_eq!(text.as_str(), expected);
        }

        #[test]
        fn prop_short_route_agrees_with_the_general_one(text in "-?[0-9]{0,12}(\\.[0-9]{0,12})?") {
            if let Some(short) = parse_short(text.as_bytes()) {
                prop_assert_eq!(parse(text.as_bytes(), None), Ok(short));
            }
        }

        #[test]
        fn prop_any_bytes_never_panic(text in proptest::collection::vec(any::<u8>(), 0..40)) {
            let strict = parse(&text, None);
            let rounded = parse(&text, Some(Rounding::HalfEven));
            if let Ok(exact) = strict {
                prop_assert_eq!(rounded, Ok(exact));
            }
        }

        #[test]
        fn prop_number_like_text_never_panics(text in "[-+]?[0-9]{0,30}\\.?[0-9]{0,30}([eE][-+]?[0-9]{0,22})?") {
            if let Ok(exact) = parse(text.as_bytes(), None) {
                for mode in [Rounding::Down, Rounding::Up, Rounding::HalfUp] {
                    prop_assert_eq!(parse(text.as_bytes(), Some(mode)), Ok(exact));
                }
            }
        }

        #[test]
        fn prop_shifting_point_and_exponent_changes_nothing(
            mantissa in any::<i128>(), shift in 0_u32..128, exponent in -60_i32..60,
        ) {
            let mantissa = mantissa >> shift;
            // mantissa * 10^-18, written as an integer with an exponent and
            // as many zeros as the exponent needs.
            let zeros = "0".repeat(usize::try_from(exponent.max(0)).unwrap());
            let shown = exponent.max(0).checked_add(18).unwrap();
            let text = format!("{mantissa}{zeros}e-{shown}");
            prop_assert_eq!(parse(text.as_bytes(), None), Ok(mantissa));
        }
    }
}
