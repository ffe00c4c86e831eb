//! Numbers with a unit, so that units cannot be mixed.
//!
//! Each type is a [`Fixed18`] with a meaning, and has only the operations that
//! make sense for it. `new` and `get` are the way in and out; between two
//! types the operation has a name, says its rounding and computes with one
//! rounding from the exact value.

use std::fmt;
use std::str::FromStr;

use super::error::{MathError, ParseError};
use super::fixed18::Fixed18;
use super::rounding::Rounding;

/// The number of basis points in one.
const BPS_PER_ONE: Fixed18 = Fixed18::from_int(10_000);

/// A price in quote currency per unit of base, never negative.
///
/// Zero is a price (a worthless asset has one); where it is not, as for an
/// order, [`Price::positive`] is the constructor.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
#[repr(transparent)]
pub struct Price(Fixed18);

/// A difference of two prices in quote currency per unit of base; a rise is
/// positive.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
#[repr(transparent)]
pub struct PriceChange(Fixed18);

/// A quantity in units of the base asset (not of the token's smallest unit);
/// a long position or an inflow is positive, a short one negative.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
#[repr(transparent)]
pub struct Quantity(Fixed18);

/// An amount of the reporting currency; ours is positive, owed is negative.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
#[repr(transparent)]
pub struct Value(Fixed18);

/// A dimensionless signed factor: a funding or fee rate, a weight, an exchange
/// rate of a staking token; 0.01 is one percent.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
#[repr(transparent)]
pub struct Rate(Fixed18);

/// A signed number of basis points; 1 is 0.0001.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
#[repr(transparent)]
pub struct Bps(Fixed18);

/// What every unit has: zero, sign, order by the number, text and serde, all
/// of them those of [`Fixed18`].
macro_rules! common {
    ($unit:ident) => {
        impl $unit {
            /// Zero of this unit.
            pub const ZERO: Self = Self(Fixed18::ZERO);

            /// Returns the bare number.
            #[inline]
            pub const fn get(self) -> Fixed18 {
                self.0
            }

            /// Returns whether the number is zero.
            #[inline]
            pub const fn is_zero(self) -> bool {
                self.0.is_zero()
            }

            /// Returns whether the number is above zero.
            #[inline]
            pub const fn is_positive(self) -> bool {
                self.0.is_positive()
            }

            /// Reads a decimal number exactly, as [`Fixed18::parse`] does.
            ///
            /// # Errors
            ///
            /// As [`Fixed18::parse`]; [`ParseError::Refused`] for a number
            /// outside the bounds of the unit.
            #[inline]
            pub fn parse(text: &str) -> Result<Self, ParseError> {
                Self::parse_bytes(text.as_bytes())
            }

            /// Reads a decimal number exactly, as [`Fixed18::parse_bytes`]
            /// does.
            ///
            /// # Errors
            ///
            /// As [`parse`](Self::parse).
            #[inline]
            pub fn parse_bytes(text: &[u8]) -> Result<Self, ParseError> {
                Self::admit(Fixed18::parse_bytes(text)?).map_err(ParseError::from)
            }

            /// Appends the shortest exact decimal text, as
            /// [`Fixed18::write_decimal`] does.
            #[inline]
            pub fn write_decimal(self, out: &mut Vec<u8>) {
                self.0.write_decimal(out);
            }

            /// Returns the nearest binary number, for statistics and charts
            /// only.
            #[inline]
            pub const fn to_f64(self) -> f64 {
                self.0.to_f64()
            }
        }

        impl fmt::Display for $unit {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Display::fmt(&self.0, f)
            }
        }

        impl fmt::Debug for $unit {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, concat!(stringify!($unit), "({})"), self.0)
            }
        }

        impl FromStr for $unit {
            type Err = ParseError;

            fn from_str(text: &str) -> Result<Self, ParseError> {
                Self::parse(text)
            }
        }

        impl serde::Serialize for $unit {
            fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                self.0.serialize(serializer)
            }
        }

        impl<'de> serde::Deserialize<'de> for $unit {
            fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                let number = Fixed18::deserialize(deserializer)?;
                Self::admit(number).map_err(serde::de::Error::custom)
            }
        }
    };
}

/// What a signed unit has besides: any number is one, and sums stay in it.
macro_rules! signed {
    ($unit:ident) => {
        common!($unit);

        #[expect(
            clippy::should_implement_trait,
            reason = "the operators cannot return an error, so the names are methods on purpose"
        )]
        impl $unit {
            /// Gives the number this unit.
            #[inline]
            pub const fn new(number: Fixed18) -> Self {
                Self(number)
            }

            /// Reads a literal; meant for constants and tests.
            ///
            /// # Panics
            ///
            /// If the text is not an exact number.
            pub const fn literal(text: &str) -> Self {
                Self(Fixed18::literal(text))
            }

            /// Returns whether the number is below zero.
            #[inline]
            pub const fn is_negative(self) -> bool {
                self.0.is_negative()
            }

            /// Returns -1, 0 or 1 with the sign of the number.
            #[inline]
            pub const fn signum(self) -> i32 {
                self.0.signum()
            }

            /// Returns `self + rhs`, exact.
            ///
            /// # Errors
            ///
            /// [`MathError::Overflow`] beyond the range.
            #[inline]
            pub fn add(self, rhs: Self) -> Result<Self, MathError> {
                self.0.add(rhs.0).map(Self)
            }

            /// Returns `self - rhs`, exact.
            ///
            /// # Errors
            ///
            /// [`MathError::Overflow`] beyond the range.
            #[inline]
            pub fn sub(self, rhs: Self) -> Result<Self, MathError> {
                self.0.sub(rhs.0).map(Self)
            }

            /// Returns `-self`, exact.
            ///
            /// # Errors
            ///
            /// [`MathError::Overflow`] for the least number only.
            #[inline]
            pub fn neg(self) -> Result<Self, MathError> {
                self.0.neg().map(Self)
            }

            /// Returns the absolute value, exact.
            ///
            /// # Errors
            ///
            /// [`MathError::Overflow`] for the least number only.
            #[inline]
            pub fn abs(self) -> Result<Self, MathError> {
                self.0.abs().map(Self)
            }

            #[inline]
            const fn admit(number: Fixed18) -> Result<Self, MathError> {
                Ok(Self(number))
            }
        }
    };
}

common!(Price);
signed!(PriceChange);
signed!(Quantity);
signed!(Value);
signed!(Rate);
signed!(Bps);

impl Price {
    /// Makes a price of zero or more.
    ///
    /// # Errors
    ///
    /// [`MathError::OutOfRange`] for a negative number.
    #[inline]
    pub const fn new(number: Fixed18) -> Result<Self, MathError> {
        if number.is_negative() {
            return Err(Self::refused(number, Fixed18::ZERO));
        }
        Ok(Self(number))
    }

    /// Makes a price above zero.
    ///
    /// # Errors
    ///
    /// [`MathError::OutOfRange`] for zero or a negative number.
    #[inline]
    pub const fn positive(number: Fixed18) -> Result<Self, MathError> {
        if !number.is_positive() {
            return Err(Self::refused(number, Fixed18::from_mantissa(1)));
        }
        Ok(Self(number))
    }

    /// Reads a literal; meant for constants and tests.
    ///
    /// # Panics
    ///
    /// If the text is not an exact number or is negative.
    pub const fn literal(text: &str) -> Self {
        match Self::new(Fixed18::literal(text)) {
            Ok(price) => price,
            Err(_) => panic!("negative price"),
        }
    }

    /// Returns `self - other`; exact, and within the range since neither is
    /// negative.
    #[inline]
    pub const fn diff(self, other: Self) -> PriceChange {
        let mantissa = self.0.mantissa().wrapping_sub(other.0.mantissa());
        PriceChange(Fixed18::from_mantissa(mantissa))
    }

    /// Returns the price moved by `change`, exact.
    ///
    /// # Errors
    ///
    /// [`MathError::OutOfRange`] if the result is negative,
    /// [`MathError::Overflow`] beyond the range.
    #[inline]
    pub fn shift(self, change: PriceChange) -> Result<Self, MathError> {
        Self::new(self.0.add(change.0)?)
    }

    /// Returns `self * (1 + bps / 10000)`; a positive shift raises the price.
    ///
    /// # Errors
    ///
    /// [`MathError::OutOfRange`] below -10000 basis points,
    /// [`MathError::Overflow`] beyond the range.
    #[inline]
    pub fn shift_bps(self, bps: Bps, rounding: Rounding) -> Result<Self, MathError> {
        let factor = BPS_PER_ONE.add(bps.0)?;
        Self::new(self.0.mul_div(factor, BPS_PER_ONE, rounding)?)
    }

    /// Returns `self * rate`, for example the market price of a staking token
    /// from that of its underlying and its exchange rate.
    ///
    /// # Errors
    ///
    /// [`MathError::OutOfRange`] if the result is negative,
    /// [`MathError::Overflow`] beyond the range.
    #[inline]
    pub fn at_rate(self, rate: Rate, rounding: Rounding) -> Result<Self, MathError> {
        Self::new(self.0.mul(rate.0, rounding)?)
    }

    /// Returns `self / other`.
    ///
    /// # Errors
    ///
    /// [`MathError::DivideByZero`] if `other` is zero, [`MathError::Overflow`]
    /// beyond the range.
    #[inline]
    pub fn ratio(self, other: Self, rounding: Rounding) -> Result<Rate, MathError> {
        self.0.div(other.0, rounding).map(Rate)
    }

    /// Returns `(self - other) / other`, the premium of `self` over `other`.
    ///
    /// # Errors
    ///
    /// As [`ratio`](Self::ratio).
    #[inline]
    pub fn premium(self, other: Self, rounding: Rounding) -> Result<Rate, MathError> {
        self.diff(other).0.div(other.0, rounding).map(Rate)
    }

    /// Returns `self * other` where the quote of `self` is the base of
    /// `other`: WBTC/ETH times ETH/USDT is WBTC/USDT.
    ///
    /// # Errors
    ///
    /// [`MathError::Overflow`] beyond the range.
    #[inline]
    pub fn cross(self, other: Self, rounding: Rounding) -> Result<Self, MathError> {
        self.0.mul(other.0, rounding).map(Self)
    }

    /// Returns `1 / self`, with base and quote exchanged.
    ///
    /// # Errors
    ///
    /// [`MathError::DivideByZero`] if the price is zero.
    #[inline]
    pub fn inverse(self, rounding: Rounding) -> Result<Self, MathError> {
        Fixed18::ONE.div(self.0, rounding).map(Self)
    }

    /// Returns a whole multiple of the tick size.
    ///
    /// # Errors
    ///
    /// As [`Fixed18::round_to_step`].
    #[inline]
    pub fn round_to_tick(self, tick: Self, rounding: Rounding) -> Result<Self, MathError> {
        self.0.round_to_step(tick.0, rounding).map(Self)
    }

    /// Returns whether the price is a whole multiple of the tick size.
    #[inline]
    pub const fn is_multiple_of(self, tick: Self) -> bool {
        self.0.is_multiple_of(tick.0)
    }

    #[inline]
    const fn admit(number: Fixed18) -> Result<Self, MathError> {
        Self::new(number)
    }

    #[cold]
    const fn refused(value: Fixed18, min: Fixed18) -> MathError {
        MathError::OutOfRange {
            what: "price",
            min,
            max: Fixed18::MAX,
            value,
        }
    }
}

impl Quantity {
    /// Returns `self * price`, with the sign of the quantity.
    ///
    /// # Errors
    ///
    /// [`MathError::Overflow`] beyond the range.
    #[inline]
    pub fn notional(self, price: Price, rounding: Rounding) -> Result<Value, MathError> {
        self.0.mul(price.0, rounding).map(Value)
    }

    /// Returns `self * change`, what a position of this quantity earns when
    /// the price moves; a short position earns from a fall.
    ///
    /// # Errors
    ///
    /// [`MathError::Overflow`] beyond the range.
    #[inline]
    pub fn gain(self, change: PriceChange, rounding: Rounding) -> Result<Value, MathError> {
        self.0.mul(change.0, rounding).map(Value)
    }

    /// Returns `self * rate`, for example a share of a position or a staking
    /// token in its underlying.
    ///
    /// # Errors
    ///
    /// [`MathError::Overflow`] beyond the range.
    #[inline]
    pub fn at_rate(self, rate: Rate, rounding: Rounding) -> Result<Self, MathError> {
        self.0.mul(rate.0, rounding).map(Self)
    }

    /// Returns `self / rate`, the inverse of [`at_rate`](Self::at_rate).
    ///
    /// # Errors
    ///
    /// [`MathError::DivideByZero`] if the rate is zero,
    /// [`MathError::Overflow`] beyond the range.
    #[inline]
    pub fn div_rate(self, rate: Rate, rounding: Rounding) -> Result<Self, MathError> {
        self.0.div(rate.0, rounding).map(Self)
    }

    /// Returns `self / other`.
    ///
    /// # Errors
    ///
    /// [`MathError::DivideByZero`] if `other` is zero, [`MathError::Overflow`]
    /// beyond the range.
    #[inline]
    pub fn ratio(self, other: Self, rounding: Rounding) -> Result<Rate, MathError> {
        self.0.div(other.0, rounding).map(Rate)
    }

    /// Returns a whole multiple of the lot size.
    ///
    /// # Errors
    ///
    /// As [`Fixed18::round_to_step`].
    #[inline]
    pub fn round_to_lot(self, lot: Self, rounding: Rounding) -> Result<Self, MathError> {
        self.0.round_to_step(lot.0, rounding).map(Self)
    }

    /// Returns whether the quantity is a whole multiple of the lot size.
    #[inline]
    pub const fn is_multiple_of(self, lot: Self) -> bool {
        self.0.is_multiple_of(lot.0)
    }
}

impl Value {
    /// Returns `self * rate`, with the signs multiplied.
    ///
    /// # Errors
    ///
    /// [`MathError::Overflow`] beyond the range.
    #[inline]
    pub fn at_rate(self, rate: Rate, rounding: Rounding) -> Result<Self, MathError> {
        self.0.mul(rate.0, rounding).map(Self)
    }

    /// Returns `self / rate`, the inverse of [`at_rate`](Self::at_rate).
    ///
    /// # Errors
    ///
    /// [`MathError::DivideByZero`] if the rate is zero,
    /// [`MathError::Overflow`] beyond the range.
    #[inline]
    pub fn div_rate(self, rate: Rate, rounding: Rounding) -> Result<Self, MathError> {
        self.0.div(rate.0, rounding).map(Self)
    }

    /// Returns `self * bps / 10000`, for example a fee; rounded once.
    ///
    /// # Errors
    ///
    /// [`MathError::Overflow`] beyond the range.
    #[inline]
    pub fn at_bps(self, bps: Bps, rounding: Rounding) -> Result<Self, MathError> {
        self.0.mul_div(bps.0, BPS_PER_ONE, rounding).map(Self)
    }

    /// Returns `self / price`, the quantity this value buys.
    ///
    /// # Errors
    ///
    /// [`MathError::DivideByZero`] if the price is zero,
    /// [`MathError::Overflow`] beyond the range.
    #[inline]
    pub fn per(self, price: Price, rounding: Rounding) -> Result<Quantity, MathError> {
        self.0.div(price.0, rounding).map(Quantity)
    }

    /// Returns `self / quantity`, the average price.
    ///
    /// # Errors
    ///
    /// [`MathError::DivideByZero`] if the quantity is zero,
    /// [`MathError::OutOfRange`] if the signs differ, [`MathError::Overflow`]
    /// beyond the range.
    #[inline]
    pub fn div_quantity(self, quantity: Quantity, rounding: Rounding) -> Result<Price, MathError> {
        Price::new(self.0.div(quantity.0, rounding)?)
    }

    /// Returns `self / other`.
    ///
    /// # Errors
    ///
    /// [`MathError::DivideByZero`] if `other` is zero, [`MathError::Overflow`]
    /// beyond the range.
    #[inline]
    pub fn ratio(self, other: Self, rounding: Rounding) -> Result<Rate, MathError> {
        self.0.div(other.0, rounding).map(Rate)
    }
}

impl Rate {
    /// One, the rate that changes nothing.
    pub const ONE: Self = Self(Fixed18::ONE);

    /// Returns `self * rhs`.
    ///
    /// # Errors
    ///
    /// [`MathError::Overflow`] beyond the range.
    #[inline]
    pub fn mul(self, rhs: Self, rounding: Rounding) -> Result<Self, MathError> {
        self.0.mul(rhs.0, rounding).map(Self)
    }

    /// Returns `self / rhs`.
    ///
    /// # Errors
    ///
    /// [`MathError::DivideByZero`] if `rhs` is zero, [`MathError::Overflow`]
    /// beyond the range.
    #[inline]
    pub fn div(self, rhs: Self, rounding: Rounding) -> Result<Self, MathError> {
        self.0.div(rhs.0, rounding).map(Self)
    }

    /// Returns the same rate in basis points, exact.
    ///
    /// # Errors
    ///
    /// [`MathError::Overflow`] beyond the range.
    #[inline]
    pub fn to_bps(self) -> Result<Bps, MathError> {
        self.0.mul_int(10_000).map(Bps)
    }
}

impl Bps {
    /// Returns the same number as a rate; exact, whatever the rounding, for
    /// up to 14 decimals.
    ///
    /// # Errors
    ///
    /// None in practice: the result is smaller than the operand.
    #[inline]
    pub fn to_rate(self, rounding: Rounding) -> Result<Rate, MathError> {
        self.0.div(BPS_PER_ONE, rounding).map(Rate)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixed18;
    use Rounding::{Ceil, Down, Floor, HalfEven, Up};

    const PRICE: Price = Price::literal("61234.56");
    const QUANTITY: Quantity = Quantity::literal("10.12345678");

    #[test]
    fn price_refuses_what_is_no_price() {
        assert!(Price::new(fixed18!("-0.01")).is_err());
        assert_eq!(Price::new(Fixed18::ZERO), Ok(Price::ZERO));
        assert!(Price::positive(Fixed18::ZERO).is_err());
        assert_eq!(Price::positive(PRICE.get()), Ok(PRICE));
        let refused = Price::parse("-1").unwrap_err().to_string();
        assert_eq!(
            refused,
            "price -1 out of range 0 to 170141183460469231731.687303715884105727"
        );
        assert!(serde_json::from_str::<Price>("\"-1\"").is_err());
        assert!(serde_json::from_str::<Price>("1.5").is_err());
    }

    #[test]
    fn notional_carries_the_sign_of_the_quantity() {
        let long = QUANTITY.notional(PRICE, Down);
        assert_eq!(long, Ok(Value::literal("619905.4216023168")));
        let short = QUANTITY.neg().unwrap().notional(PRICE, Down);
        assert_eq!(short, long.unwrap().neg());
    }

    #[test]
    fn short_position_gains_from_a_fall() {
        let fall = Price::literal("99").diff(Price::literal("100"));
        assert_eq!(fall, PriceChange::literal("-1"));
        let gain = Quantity::literal("-2.5").gain(fall, Down);
        assert_eq!(gain, Ok(Value::literal("2.5")));
        assert_eq!(Price::literal("100").shift(fall), Ok(Price::literal("99")));
        assert!(Price::literal("0.5").shift(fall).is_err());
    }

    #[test]
    fn difference_of_extreme_prices_is_exact() {
        let most = Price::new(Fixed18::MAX).unwrap();
        assert_eq!(Price::ZERO.diff(most).get(), Fixed18::MAX.neg().unwrap());
        assert_eq!(most.diff(Price::ZERO).get(), Fixed18::MAX);
    }

    #[test]
    fn basis_points_shift_and_charge_with_one_rounding() {
        let price = Price::literal("100");
        let shifted = |bps| price.shift_bps(Bps::literal(bps), HalfEven);
        assert_eq!(shifted("25"), Ok(Price::literal("100.25")));
        assert_eq!(shifted("-0.5"), Ok(Price::literal("99.995")));
        assert_eq!(shifted("-10000"), Ok(Price::ZERO));
        assert!(shifted("-10001").is_err());
        let fee = Value::literal("619905.4216023168").at_bps(Bps::literal("4.5"), Up);
        assert_eq!(fee, Ok(Value::literal("278.95743972104256")));
        let dust = Value::literal("1e-18").at_bps(Bps::literal("1"), Ceil);
        assert_eq!(dust, Ok(Value::literal("1e-18")));
    }

    #[test]
    fn rates_and_basis_points_convert() {
        let rate = Bps::literal("4.5").to_rate(Down);
        assert_eq!(rate, Ok(Rate::literal("0.00045")));
        assert_eq!(Rate::literal("0.00045").to_bps(), Ok(Bps::literal("4.5")));
        assert!(Rate::new(Fixed18::MAX).to_bps().is_err());
        let funding = Value::literal("-50000").at_rate(Rate::literal("4.687e-05"), Floor);
        assert_eq!(funding, Ok(Value::literal("-2.3435")));
    }

    #[test]
    fn value_price_and_quantity_form_a_triangle() {
        let value = Value::literal("150000");
        let price = Price::literal("60000");
        let quantity = Quantity::literal("2.5");
        assert_eq!(value.per(price, Down), Ok(quantity));
        assert_eq!(value.div_quantity(quantity, Down), Ok(price));
        assert!(value.div_quantity(quantity.neg().unwrap(), Down).is_err());
        assert!(value.per(Price::ZERO, Down).is_err());
    }

    #[test]
    fn ratios_and_premium_have_no_unit() {
        let (perp, spot) = (Price::literal("101"), Price::literal("100"));
        assert_eq!(perp.ratio(spot, Down), Ok(Rate::literal("1.01")));
        assert_eq!(perp.premium(spot, Down), Ok(Rate::literal("0.01")));
        assert_eq!(
            spot.premium(perp, Floor),
            Ok(Rate::literal("-0.009900990099009901"))
        );
        let half = Quantity::literal("-1").ratio(Quantity::literal("2"), Down);
        assert_eq!(half, Ok(Rate::literal("-0.5")));
        assert!(Value::ZERO.ratio(Value::ZERO, Down).is_err());
    }

    #[test]
    fn staking_rate_goes_to_the_underlying_and_back() {
        let rate = Rate::literal("1.0625");
        let underlying = Quantity::literal("8").at_rate(rate, Down);
        assert_eq!(underlying, Ok(Quantity::literal("8.5")));
        assert_eq!(
            underlying.unwrap().div_rate(rate, Down),
            Ok(Quantity::literal("8"))
        );
        let price = Price::literal("3000").at_rate(rate, Down);
        assert_eq!(price, Ok(Price::literal("3187.5")));
        assert_eq!(rate.mul(rate, Down), Ok(Rate::literal("1.12890625")));
        assert_eq!(rate.div(rate, Down), Ok(Rate::ONE));
    }

    #[test]
    fn prices_cross_and_invert() {
        let crossed = Price::literal("20").cross(Price::literal("3000"), Down);
        assert_eq!(crossed, Ok(Price::literal("60000")));
        assert_eq!(
            Price::literal("8").inverse(Down),
            Ok(Price::literal("0.125"))
        );
        assert!(Price::ZERO.inverse(Down).is_err());
    }

    #[test]
    fn ticks_and_lots_round() {
        let tick = Price::literal("0.1");
        assert_eq!(
            PRICE.round_to_tick(tick, Floor),
            Ok(Price::literal("61234.5"))
        );
        assert!(!PRICE.is_multiple_of(tick));
        let lot = Quantity::literal("0.001");
        assert_eq!(
            QUANTITY.round_to_lot(lot, Down),
            Ok(Quantity::literal("10.123"))
        );
        assert!(!QUANTITY.is_multiple_of(lot));
    }

    #[test]
    fn text_and_json_are_those_of_the_number() {
        assert_eq!(PRICE.to_string(), "61234.56");
        assert_eq!(format!("{PRICE:?}"), "Price(61234.56)");
        assert_eq!("61234.56".parse(), Ok(PRICE));
        assert_eq!(serde_json::to_string(&PRICE).unwrap(), "\"61234.56\"");
        assert_eq!(
            serde_json::from_str::<Price>("\"61234.56\"").unwrap(),
            PRICE
        );
        assert_eq!(size_of::<Price>(), size_of::<i128>());
    }
}
