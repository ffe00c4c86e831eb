//! Interest per second, as contracts charge it, and what it makes in a year.

use super::math;
use basis_core::num::uint256::{amount_of, units_of};
use basis_core::num::{Fixed18, MathError, Rate, Rounding, U256};

/// Seconds in the contracts' year of 365 days.
pub const SECONDS_PER_YEAR: u64 = 31_536_000;

/// Interest per second in wad: 1,268,391,679 is 4 % a year.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RatePerSecond(U256);

impl RatePerSecond {
    /// Returns the rate of `wad` per second.
    #[inline]
    #[must_use]
    pub const fn new(wad: U256) -> Self {
        Self(wad)
    }

    /// Returns the rate per second that makes the simple yearly rate `apr` (>= 0, 1 = 100 %),
    /// rounded down as the contracts' constants are.
    ///
    /// # Errors
    /// [`MathError::OutOfRange`] for a negative rate.
    pub fn from_apr(apr: Rate) -> Result<Self, MathError> {
        let wad = units_of(apr.get(), Fixed18::DECIMALS, Rounding::Down)?;
        Ok(Self(wad.wrapping_div(U256::from(SECONDS_PER_YEAR))))
    }

    /// Returns the number, in wad per second.
    #[inline]
    #[must_use]
    pub const fn wad(self) -> U256 {
        self.0
    }

    /// Returns the simple yearly rate, exactly.
    ///
    /// # Errors
    /// [`MathError`] when the yearly rate does not fit.
    pub fn apr(self) -> Result<Rate, MathError> {
        let overflow = MathError::Overflow256 {
            op: "rate per second to apr",
        };
        let wad = self
            .0
            .checked_mul(U256::from(SECONDS_PER_YEAR))
            .ok_or(overflow)?;
        rate_of_wad(wad)
    }

    /// Returns what a debt left alone for a year grows by when it is then accrued once: the three
    /// Taylor terms of e^(rate × year) − 1 that the contract charges, each rounded down.
    ///
    /// # Errors
    /// [`MathError`] when the yearly rate does not fit.
    pub fn apy(self) -> Result<Rate, MathError> {
        let overflow = MathError::Overflow256 {
            op: "rate per second to apy",
        };
        let wad = math::w_taylor_compounded(self.0, SECONDS_PER_YEAR)
            .ok()
            .ok_or(overflow)?;
        rate_of_wad(wad)
    }
}

/// Returns a wad (1e18 = 1) as a rate, exactly: both have 18 decimals.
///
/// # Errors
/// [`MathError::Overflow`] when it does not fit.
pub fn rate_of_wad(wad: U256) -> Result<Rate, MathError> {
    amount_of(wad, Fixed18::DECIMALS, Rounding::Down).map(Rate::new)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn four_percent_a_year_is_the_curve_s_initial_rate() {
        let rate = RatePerSecond::from_apr("0.04".parse().unwrap()).unwrap();
        assert_eq!(rate.wad(), U256::from(1_268_391_679_u64));
        let apr = rate.apr().unwrap();
        assert_eq!(apr, "0.039999999988944".parse().unwrap(), "rounded down");
        assert!(RatePerSecond::from_apr("-0.01".parse().unwrap()).is_err());
    }

    #[test]
    fn a_year_left_alone_grows_by_the_contract_s_three_terms() {
        let rate = RatePerSecond::from_apr("1".parse().unwrap()).unwrap();
        let apy = rate.apy().unwrap().get().to_f64();
        assert!((apy - (1.0 + 0.5 + 1.0 / 6.0)).abs() < 1e-7, "{apy}");
        assert!(RatePerSecond::new(U256::MAX).apy().is_err());
        assert!(RatePerSecond::new(U256::MAX).apr().is_err());
    }
}
