//! Decimal text as a ray: 27 decimals in an integer, exactly.

/// Decimals of a ray.
const DECIMALS: i64 = 27;

/// Why a text is no ray.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum RayError {
    /// Not of the form `digits [. digits] [(e|E) [+-] digits]`, or below zero.
    NoNumber,
    /// A non-zero digit beyond the 27th decimal.
    Inexact,
    /// More than about 3.4·10^11.
    TooLarge,
}

impl RayError {
    /// What is wrong, after the text.
    pub(crate) const fn what(self) -> &'static str {
        match self {
            Self::NoNumber => "is no decimal number of zero or more",
            Self::Inexact => "is no exact number: more than 27 decimals",
            Self::TooLarge => "is too large for 27 decimals",
        }
    }
}

/// Reads a number of zero or more with at most 27 decimals, plain or with an exponent. A text with
/// fewer decimals is exact as it is written.
///
/// # Errors
/// [`RayError`].
pub(crate) fn parse(text: &[u8]) -> Result<u128, RayError> {
    let (number, exponent) = split_exponent(text)?;
    let mut digits = 0_usize;
    let mut point = None;
    let mut value = 0_u128;
    for byte in number {
        match byte {
            b'0'..=b'9' => {
                digits += 1;
                let digit = u128::from(byte - b'0');
                let next = value.checked_mul(10).and_then(|v| v.checked_add(digit));
                value = next.ok_or(RayError::TooLarge)?;
            }
            b'.' if point.is_none() => point = Some(digits),
            _ => return Err(RayError::NoNumber),
        }
    }
    if digits == 0 {
        return Err(RayError::NoNumber);
    }
    if value == 0 {
        return Ok(0);
    }
    let decimals = i64::try_from(digits - point.unwrap_or(digits)).unwrap_or(i64::MAX);
    let shift = DECIMALS.saturating_add(exponent).saturating_sub(decimals);
    let factor = u32::try_from(shift.unsigned_abs())
        .ok()
        .and_then(|power| 10_u128.checked_pow(power));
    match (factor, shift >= 0) {
        (Some(factor), true) => value.checked_mul(factor).ok_or(RayError::TooLarge),
        (None, true) => Err(RayError::TooLarge),
        (Some(factor), false) if value.is_multiple_of(factor) => Ok(value / factor),
        (_, false) => Err(RayError::Inexact),
    }
}

/// The part before the exponent mark, and the exponent.
fn split_exponent(text: &[u8]) -> Result<(&[u8], i64), RayError> {
    let Some(at) = text.iter().position(|byte| matches!(byte, b'e' | b'E')) else {
        return Ok((text, 0));
    };
    let (number, exponent) = text.split_at(at);
    let exponent = exponent.get(1..).unwrap_or_default();
    let (negative, digits) = match exponent {
        [b'-', digits @ ..] => (true, digits),
        [b'+', digits @ ..] | digits => (false, digits),
    };
    // Four digits are more than any ray has; more of them are no number anyone wrote.
    if digits.is_empty() || digits.len() > 4 || !digits.iter().all(u8::is_ascii_digit) {
        return Err(RayError::NoNumber);
    }
    let size = digits
        .iter()
        .fold(0_i64, |value, digit| value * 10 + i64::from(digit - b'0'));
    Ok((number, if negative { -size } else { size }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn plain_and_exponent_decimals_are_exact() {
        for (text, expected) in [
            ("1", "1000000000000000000000000000"),
            ("1.0361969326346498", "1036196932634649800000000000"),
            ("1.40369429193e-05", "14036942919300000000000"),
            ("5.0083031784E-06", "5008303178400000000000"),
            (
                "0.123456789012345678901234567",
                "123456789012345678901234567",
            ),
            ("1e-27", "1"),
            ("10e-28", "1"),
            ("2.5e+2", "250000000000000000000000000000"),
            ("0", "0"),
            ("0.0e-99", "0"),
            (".5", "500000000000000000000000000"),
            (
                "340282366920.938463463374607431768211455",
                "340282366920938463463374607431768211455",
            ),
        ] {
            assert_eq!(
                parse(text.as_bytes()),
                Ok(expected.parse().unwrap()),
                "{text}"
            );
        }
    }

    #[test]
    fn what_is_not_exact_or_no_number_is_refused() {
        for (text, expected) in [
            ("1e-28", RayError::Inexact),
            ("0.1234567890123456789012345678", RayError::Inexact),
            ("1e-9999", RayError::Inexact),
            (
                "340282366920.938463463374607431768211456",
                RayError::TooLarge,
            ),
            ("1e12", RayError::TooLarge),
            ("1e9999", RayError::TooLarge),
            ("", RayError::NoNumber),
            (".", RayError::NoNumber),
            ("-1", RayError::NoNumber),
            ("1.2.3", RayError::NoNumber),
            ("1e", RayError::NoNumber),
            ("1e-", RayError::NoNumber),
            ("1e12345", RayError::NoNumber),
            ("nan", RayError::NoNumber),
            ("1 ", RayError::NoNumber),
        ] {
            assert_eq!(parse(text.as_bytes()), Err(expected), "{text}");
        }
    }
}
