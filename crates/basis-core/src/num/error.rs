//! What can go wrong in arithmetic and in reading a number.

use super::Fixed18;

/// A calculation that has no exact or representable answer.
///
/// The caller adds what it was computing. All variants are `Copy` and hold no
/// text of their own, so returning one costs no allocation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum MathError {
    /// The result does not fit the type.
    #[error(
        "overflow in {op}: the result is outside {} to {}",
        Fixed18::MIN,
        Fixed18::MAX
    )]
    Overflow {
        /// The operation, for example `mul` or `quantity notional`.
        op: &'static str,
    },
    /// The result does not fit a contract's integer.
    #[error("overflow in {op}: the result does not fit 256 bits")]
    Overflow256 {
        /// The operation, for example `mul_div`.
        op: &'static str,
    },
    /// The divisor is zero.
    #[error("division by zero in {op}")]
    DivideByZero {
        /// The operation, for example `div`.
        op: &'static str,
    },
    /// An operand or a result is outside the bounds its meaning allows.
    #[error("{what} {value} out of range {min} to {max}")]
    OutOfRange {
        /// What the number means, for example `price`.
        what: &'static str,
        /// The least allowed value.
        min: Fixed18,
        /// The greatest allowed value.
        max: Fixed18,
        /// The refused value.
        value: Fixed18,
    },
}

/// A text that is not a number of the expected type.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ParseError {
    /// The text has no characters.
    #[error("empty text where a decimal number is expected")]
    Empty,
    /// The text has a sign or a point but no digit.
    #[error("no digits in the decimal number")]
    NoDigits,
    /// A character that has no place in a decimal number, white space,
    /// underscores, `NaN` and `inf` among them.
    #[error("unexpected {:?} at byte {at} of the decimal number", char::from(*.byte))]
    InvalidByte {
        /// Offset from the start of the text, in bytes.
        at: usize,
        /// The byte found there.
        byte: u8,
    },
    /// The exponent mark is not followed by digits.
    #[error("no digits after the exponent mark of the decimal number")]
    InvalidExponent,
    /// The number has a non-zero digit beyond the last decimal kept.
    #[error(
        "more than {} decimals: the number cannot be kept exactly",
        Fixed18::DECIMALS
    )]
    Inexact,
    /// The number does not fit the type.
    #[error("number outside {} to {}", Fixed18::MIN, Fixed18::MAX)]
    Overflow,
    /// The number is well formed but outside the bounds of its unit.
    #[error(transparent)]
    Refused(#[from] MathError),
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_name_operation_value_and_bound() {
        let overflow = MathError::Overflow { op: "mul" }.to_string();
        assert_eq!(
            overflow,
            "overflow in mul: the result is outside \
             -170141183460469231731.687303715884105728 to \
             170141183460469231731.687303715884105727"
        );
        let zero = MathError::DivideByZero { op: "div" }.to_string();
        assert_eq!(zero, "division by zero in div");
        let refused = MathError::OutOfRange {
            what: "leverage",
            min: Fixed18::ONE,
            max: Fixed18::from_int(10),
            value: Fixed18::from_ratio(-1, 2, crate::num::Rounding::Down).unwrap(),
        };
        assert_eq!(refused.to_string(), "leverage -0.5 out of range 1 to 10");
        assert_eq!(ParseError::from(refused).to_string(), refused.to_string());
        let byte = ParseError::InvalidByte { at: 3, byte: b'_' }.to_string();
        assert_eq!(byte, "unexpected '_' at byte 3 of the decimal number");
    }

    #[test]
    fn a_result_stays_small_enough_to_return_by_value() {
        assert!(size_of::<Result<Fixed18, MathError>>() <= 80);
    }
}
