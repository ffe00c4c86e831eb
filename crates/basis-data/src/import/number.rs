//! Decimal text of other people's files at a scale of ours, exactly or rounded half to even.

use basis_core::num::Fixed18;

/// A number at some scale, and whether digits beyond it were rounded away.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Scaled {
    pub(super) mantissa: i128,
    pub(super) rounded: bool,
}

/// Why a text is no number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum NumberError {
    Empty,
    NoNumber,
    TooLarge,
}

impl NumberError {
    pub(super) const fn what(self) -> &'static str {
        match self {
            Self::Empty => "is empty",
            Self::NoNumber => "is no finite decimal number",
            Self::TooLarge => "is too large",
        }
    }
}

/// `text × 10^shift` with `decimals` decimals. What is beyond them is rounded half to even.
pub(super) fn parse(text: &[u8], shift: i32, decimals: u8) -> Result<Scaled, NumberError> {
    if shift == 0
        && decimals == 18
        && let Ok(number) = Fixed18::parse_bytes(text)
    {
        return Ok(Scaled {
            mantissa: number.mantissa(),
            rounded: false,
        });
    }
    if let [b'0', b'x' | b'X', digits @ ..] = text {
        return hexadecimal(digits, shift, decimals);
    }
    scan(text, shift, decimals)
}

/// The quantities of nodes are hexadecimal whole numbers.
fn hexadecimal(digits: &[u8], shift: i32, decimals: u8) -> Result<Scaled, NumberError> {
    let text = std::str::from_utf8(digits).unwrap_or_default();
    let whole = u128::from_str_radix(text, 16).map_err(|_any| NumberError::NoNumber)?;
    scan(whole.to_string().as_bytes(), shift, decimals)
}

fn scan(text: &[u8], shift: i32, decimals: u8) -> Result<Scaled, NumberError> {
    let (negative, body) = match text {
        [] => return Err(NumberError::Empty),
        [b'-', rest @ ..] => (true, rest),
        [b'+', rest @ ..] => (false, rest),
        _ => (false, text),
    };
    let at = body.iter().position(|byte| matches!(byte, b'e' | b'E'));
    let (digits, exponent) = match at {
        Some(at) => {
            let (digits, rest) = body.split_at(at);
            (digits, exponent(rest.get(1..).unwrap_or_default())?)
        }
        None => (body, 0),
    };
    let point = digits.iter().position(|byte| *byte == b'.');
    let whole = point.unwrap_or(digits.len());
    if digits.len() == usize::from(point.is_some()) {
        return Err(NumberError::NoNumber);
    }
    let whole = i64::try_from(whole).unwrap_or(i64::MAX);
    // The power of ten of the last place that is kept, seen from the digit at hand.
    let mut power = whole
        .saturating_add(i64::from(exponent))
        .saturating_add(i64::from(shift))
        .saturating_add(i64::from(decimals))
        .saturating_sub(1);
    let (mut kept, mut next, mut more) = (0_u128, 0_u8, false);
    for (at, byte) in digits.iter().enumerate() {
        if Some(at) == point {
            continue;
        }
        let digit = byte.wrapping_sub(b'0');
        if digit > 9 {
            return Err(NumberError::NoNumber);
        }
        match power {
            0.. => kept = append(kept, digit)?,
            -1 => next = digit,
            _ => more |= digit != 0,
        }
        power = power.saturating_sub(1);
    }
    while kept != 0 && power >= 0 {
        kept = append(kept, 0)?;
        power = power.saturating_sub(1);
    }
    let rounded = next != 0 || more;
    if next > 5 || next == 5 && (more || kept % 2 == 1) {
        kept = kept.checked_add(1).ok_or(NumberError::TooLarge)?;
    }
    let magnitude = i128::try_from(kept).map_err(|_any| NumberError::TooLarge)?;
    let mantissa = if negative { -magnitude } else { magnitude };
    Ok(Scaled { mantissa, rounded })
}

fn exponent(text: &[u8]) -> Result<i32, NumberError> {
    let text = std::str::from_utf8(text).unwrap_or_default();
    text.parse().map_err(|_any| NumberError::NoNumber)
}

fn append(number: u128, digit: u8) -> Result<u128, NumberError> {
    let ten_times = number.checked_mul(10).ok_or(NumberError::TooLarge)?;
    ten_times
        .checked_add(u128::from(digit))
        .ok_or(NumberError::TooLarge)
}

/// Writes a mantissa with `decimals` decimals as plain text, without trailing zeros.
pub(super) fn write(out: &mut Vec<u8>, mantissa: i128, decimals: u8) {
    if decimals == 18 {
        return Fixed18::from_mantissa(mantissa).write_decimal(out);
    }
    if mantissa < 0 {
        out.push(b'-');
    }
    let magnitude = mantissa.unsigned_abs();
    let unit = 10_u128.pow(u32::from(decimals));
    out.extend_from_slice((magnitude / unit).to_string().as_bytes());
    let fraction = magnitude % unit;
    if fraction != 0 {
        let digits = format!("{fraction:0width$}", width = usize::from(decimals));
        out.push(b'.');
        out.extend_from_slice(digits.trim_end_matches('0').as_bytes());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn number(text: &str, shift: i32, decimals: u8) -> (String, bool) {
        let scaled = parse(text.as_bytes(), shift, decimals).unwrap();
        let mut out = Vec::new();
        write(&mut out, scaled.mantissa, decimals);
        (String::from_utf8(out).unwrap(), scaled.rounded)
    }

    #[test]
    fn numbers_are_exact_where_they_fit_and_rounded_half_to_even_beyond() {
        let exact = |text: &str| (text.to_owned(), false);
        let rounded = |text: &str| (text.to_owned(), true);
        assert_eq!(number("42313.90000", 0, 18), exact("42313.9"));
        assert_eq!(number("-1.0e-4", 0, 18), exact("-0.0001"));
        assert_eq!(number("1E+3", 0, 18), exact("1000"));
        assert_eq!(
            number("1036196932634649800000000000", -27, 27),
            exact("1.0361969326346498")
        );
        assert_eq!(number("5.25", -2, 18), exact("0.0525"));
        assert_eq!(number("0x3b9aca00", -9, 18), exact("1"));
        assert_eq!(number(".5", 0, 18), exact("0.5"));
        assert_eq!(
            number("0.0000000000000000015", 0, 18),
            rounded("0.000000000000000002")
        );
        assert_eq!(
            number("0.0000000000000000025", 0, 18),
            rounded("0.000000000000000002")
        );
        assert_eq!(
            number("0.00000000000000000250001", 0, 18),
            rounded("0.000000000000000003")
        );
        assert_eq!(number("12345678.9", 0, 0), rounded("12345679"));
    }

    #[test]
    fn what_is_no_number_says_why() {
        for (text, expected) in [
            ("", NumberError::Empty),
            ("nan", NumberError::NoNumber),
            ("1,5", NumberError::NoNumber),
            (".", NumberError::NoNumber),
            ("0xzz", NumberError::NoNumber),
            ("1e", NumberError::NoNumber),
            ("1e30", NumberError::TooLarge),
            ("null", NumberError::NoNumber),
        ] {
            assert_eq!(parse(text.as_bytes(), 0, 18), Err(expected), "{text}");
        }
    }
}
