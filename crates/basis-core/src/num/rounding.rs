//! Which way a result goes when it does not fit its last decimal.

/// Says which neighbor is taken when an exact result lies between two
/// representable numbers.
///
/// An exact result is never changed, whatever the mode.
///
/// | mode | 2.5 | -2.5 | 2.6 | -2.6 | used for |
/// | --- | --- | --- | --- | --- | --- |
/// | `Down` | 2 | -2 | 2 | -2 | order quantities: never more than was asked |
/// | `Up` | 3 | -3 | 3 | -3 | fees and margin: never less than is due |
/// | `Floor` | 2 | -3 | 2 | -3 | what we receive, whatever its sign |
/// | `Ceil` | 3 | -2 | 3 | -2 | what we owe, whatever its sign |
/// | `HalfEven` | 2 | -2 | 3 | -3 | statistics and marks: no drift over many steps |
/// | `HalfUp` | 3 | -3 | 3 | -3 | venues that document commercial rounding |
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Rounding {
    /// Toward zero (truncation).
    Down,
    /// Away from zero.
    Up,
    /// Toward negative infinity.
    Floor,
    /// Toward positive infinity.
    Ceil,
    /// To the nearest; a tie goes to the even neighbor.
    HalfEven,
    /// To the nearest; a tie goes away from zero.
    HalfUp,
}

impl Rounding {
    /// Returns whether the magnitude of a truncated quotient grows by one.
    ///
    /// `odd` is the last bit of the truncated quotient, `remainder` what the
    /// division left over (`0 <= remainder < divisor`), `negative` the sign
    /// of the exact result.
    #[inline]
    pub(super) const fn goes_away(
        self,
        negative: bool,
        odd: bool,
        remainder: u128,
        divisor: u128,
    ) -> bool {
        // Comparing with the complement avoids doubling, which could overflow.
        let complement = divisor.wrapping_sub(remainder);
        match self {
            Self::Down => false,
            Self::Up => remainder != 0,
            Self::Floor => negative && remainder != 0,
            Self::Ceil => !negative && remainder != 0,
            Self::HalfEven => remainder > complement || (odd && remainder == complement),
            Self::HalfUp => remainder >= complement,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Rounding::{self, Ceil, Down, Floor, HalfEven, HalfUp, Up};

    /// Rounds `tenths / 10` to an integer.
    #[expect(clippy::arithmetic_side_effects, reason = "operands are single digits")]
    fn round_tenths(tenths: i32, rounding: Rounding) -> i32 {
        let (quotient, remainder) = (tenths.abs() / 10, tenths.unsigned_abs() % 10);
        let away = rounding.goes_away(tenths < 0, quotient % 2 == 1, u128::from(remainder), 10);
        tenths.signum() * (quotient + i32::from(away))
    }

    #[test]
    fn every_mode_at_below_and_above_the_tie() {
        #[rustfmt::skip]
        let table = [
            //          2.5 -2.5 3.5 -3.5 2.4 -2.4 2.6 -2.6 2.0 -2.0
            (Down,     [ 2,  -2,  3,  -3,  2,  -2,  2,  -2,  2,  -2]),
            (Up,       [ 3,  -3,  4,  -4,  3,  -3,  3,  -3,  2,  -2]),
            (Floor,    [ 2,  -3,  3,  -4,  2,  -3,  2,  -3,  2,  -2]),
            (Ceil,     [ 3,  -2,  4,  -3,  3,  -2,  3,  -2,  2,  -2]),
            (HalfEven, [ 2,  -2,  4,  -4,  2,  -2,  3,  -3,  2,  -2]),
            (HalfUp,   [ 3,  -3,  4,  -4,  2,  -2,  3,  -3,  2,  -2]),
        ];
        let inputs = [25, -25, 35, -35, 24, -24, 26, -26, 20, -20];
        for (mode, expected) in table {
            assert_eq!(inputs.map(|x| round_tenths(x, mode)), expected, "{mode:?}");
        }
    }
}
