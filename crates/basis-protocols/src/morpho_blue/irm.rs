//! What a market's borrowers pay: the interest rate models that a market can be created with.
//!
//! Rates are wad per second: 1e18 would double a debt in a second (before compounding).

use std::num::NonZeroU64;

use super::rate::SECONDS_PER_YEAR;
use super::refusal::Refusal;
use super::signed::{I256, WAD};
use super::state::Totals;
use basis_core::num::U256;

/// A market's interest rate model with its state.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum InterestRateModel {
    /// Nobody pays interest: a market whose model is the zero address.
    None,
    /// A yearly rate equal to utilization. Mirrors `IrmMock` of the Morpho Blue package, which has
    /// no state; for tests, not for real markets.
    Utilization,
    /// A rate in wad per second that never changes. Mirrors `FixedRateIrm`, which refuses zero.
    FixedRate(NonZeroU64),
    /// A curve whose height follows utilization. Mirrors `AdaptiveCurveIrm`.
    AdaptiveCurve(AdaptiveCurve),
}

impl InterestRateModel {
    /// Returns the rate in wad per second to be charged for `elapsed` seconds up to now, and the
    /// model as it stands after that. `totals` are those at the beginning of the interval.
    ///
    /// Mirrors `IIrm.borrowRate`; without the second half of the answer, `IIrm.borrowRateView`.
    ///
    /// # Errors
    /// [`Refusal::ArithmeticPanic`] when an intermediate leaves 256 bits, which totals of a market
    /// that owes no more than it was supplied with cannot cause.
    #[inline]
    pub fn borrow_rate(&self, totals: &Totals, elapsed: u64) -> Result<(U256, Self), Refusal> {
        match self {
            Self::None => Ok((U256::ZERO, *self)),
            Self::Utilization => {
                let rate = totals
                    .utilization_wad()
                    .wrapping_div(U256::from(SECONDS_PER_YEAR));
                Ok((rate, *self))
            }
            Self::FixedRate(rate) => Ok((U256::from(rate.get()), *self)),
            Self::AdaptiveCurve(curve) => {
                let (rate, after) = curve.borrow_rate(totals, elapsed)?;
                Ok((rate, Self::AdaptiveCurve(after)))
            }
        }
    }
}

/// The adaptive curve of one market: four times dearer at full utilization than at 90 %, four times
/// cheaper when idle, its height at 90 % moving by up to 50 e-folds a year toward balance.
///
/// Mirrors `AdaptiveCurveIrm` of morpho-blue-irm, in its `int256` arithmetic.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct AdaptiveCurve {
    rate_at_target: u64,
}

/// Utilization that the curve steers toward: 90 %.
const TARGET_UTILIZATION: I256 = I256::from_u64(900_000_000_000_000_000);

/// What is left above [`TARGET_UTILIZATION`].
const TARGET_COMPLEMENT: I256 = I256::from_u64(100_000_000_000_000_000);

/// 1 − 1/4, the slope of the curve below its target.
const SLOPE_BELOW: I256 = I256::from_u64(750_000_000_000_000_000);

/// 4 − 1, the slope of the curve above its target.
const SLOPE_ABOVE: I256 = I256::from_u64(3_000_000_000_000_000_000);

/// 50 a year, in wad per second.
const ADJUSTMENT_SPEED: I256 = I256::from_u64(1_585_489_599_188);

const RATE_AT_TARGET_MIN: I256 = I256::from_u64(AdaptiveCurve::RATE_AT_TARGET_MIN);
const RATE_AT_TARGET_MAX: I256 = I256::from_u64(AdaptiveCurve::RATE_AT_TARGET_MAX);
const TWO: I256 = I256::from_u64(2);
const FOUR: I256 = I256::from_u64(4);

impl AdaptiveCurve {
    /// The rate at target of a market at its first interaction: 4 % a year, in wad per second.
    pub const RATE_AT_TARGET_INITIAL: u64 = 1_268_391_679;

    /// The least rate at target: 0.1 % a year, in wad per second.
    pub const RATE_AT_TARGET_MIN: u64 = 31_709_791;

    /// The greatest rate at target: 200 % a year, in wad per second.
    pub const RATE_AT_TARGET_MAX: u64 = 63_419_583_967;

    /// Returns a curve at `rate_at_target` wad per second, as the contract's `rateAtTarget` gives it;
    /// zero is a market that was never asked for its rate.
    ///
    /// `None` for a rate that the contract never stores.
    #[must_use]
    pub const fn new(rate_at_target: u64) -> Option<Self> {
        match rate_at_target {
            0 | Self::RATE_AT_TARGET_MIN..=Self::RATE_AT_TARGET_MAX => {
                Some(Self { rate_at_target })
            }
            _ => None,
        }
    }

    /// Returns the curve of a market not yet created.
    #[must_use]
    pub const fn untouched() -> Self {
        Self { rate_at_target: 0 }
    }

    /// Returns the rate at 90 % utilization in wad per second, zero before the first interaction.
    #[must_use]
    pub const fn rate_at_target(&self) -> u64 {
        self.rate_at_target
    }

    /// Returns the average rate in wad per second over `elapsed` seconds with `totals`, and the
    /// curve at their end. Mirrors `AdaptiveCurveIrm._borrowRate`.
    ///
    /// # Errors
    /// As [`InterestRateModel::borrow_rate`].
    pub fn borrow_rate(&self, totals: &Totals, elapsed: u64) -> Result<(U256, Self), Refusal> {
        let error = normalized_error(totals.utilization_wad())?;
        if self.rate_at_target == 0 {
            let initial = Self::RATE_AT_TARGET_INITIAL;
            let after = Self {
                rate_at_target: initial,
            };
            return Ok((curve(I256::from_u64(initial), error)?, after));
        }
        let start = I256::from_u64(self.rate_at_target);
        let speed = ADJUSTMENT_SPEED.w_mul_to_zero(error)?;
        let adaptation = speed.try_mul(I256::from_u64(elapsed))?;
        if adaptation.is_zero() {
            return Ok((curve(start, error)?, *self));
        }
        let end = new_rate_at_target(start, adaptation)?;
        let middle = new_rate_at_target(start, adaptation.try_div(TWO)?)?;
        // The trapezoidal rule over two intervals: (start + end + 2 × middle) ÷ 4.
        let average = start
            .try_add(end)?
            .try_add(TWO.try_mul(middle)?)?
            .try_div(FOUR)?;
        let after = Self {
            rate_at_target: end
                .to_i128()
                .and_then(|rate| u64::try_from(rate).ok())
                .ok_or(Refusal::ArithmeticPanic)?,
        };
        Ok((curve(average, error)?, after))
    }
}

/// How far utilization is from target, in wad: −1 when idle, 0 at target, 1 at full use.
fn normalized_error(utilization_wad: U256) -> Result<I256, Refusal> {
    let utilization = I256::from_u256(utilization_wad)?;
    let span = if utilization > TARGET_UTILIZATION {
        TARGET_COMPLEMENT
    } else {
        TARGET_UTILIZATION
    };
    utilization.try_sub(TARGET_UTILIZATION)?.w_div_to_zero(span)
}

/// The rate at `error` from target on a curve of height `rate_at_target`. Mirrors `_curve`.
fn curve(rate_at_target: I256, error: I256) -> Result<U256, Refusal> {
    let slope = if error.is_negative() {
        SLOPE_BELOW
    } else {
        SLOPE_ABOVE
    };
    slope
        .w_mul_to_zero(error)?
        .try_add(WAD)?
        .w_mul_to_zero(rate_at_target)?
        .to_u256()
        .ok_or(Refusal::ArithmeticPanic)
}

/// The height of the curve after `adaptation` e-folds (wad), within its bounds. Mirrors
/// `_newRateAtTarget`.
fn new_rate_at_target(start: I256, adaptation: I256) -> Result<I256, Refusal> {
    let moved = start.w_mul_to_zero(w_exp(adaptation)?)?;
    Ok(moved.clamp(RATE_AT_TARGET_MIN, RATE_AT_TARGET_MAX))
}

/// Returns e^`x` in wad, by 2^q × (1 + r + r²/2) with x = q·ln 2 + r; zero below ln 1e-18, clipped
/// above ln(2^255 ÷ 1e36). Truncated as the contract truncates: within 1 % of the exact value.
///
/// Mirrors `ExpLib.wExp` of morpho-blue-irm.
///
/// # Errors
/// None for any `x`; the type is that of the arithmetic it is part of.
pub fn w_exp(x: I256) -> Result<I256, Refusal> {
    const LN_2: i128 = 693_147_180_559_945_309;
    const LN_WEI: i128 = -41_446_531_673_892_822_312;
    const UPPER_BOUND: i128 = 93_859_467_695_000_404_319;
    const UPPER_VALUE: U256 = U256::from_limbs([0, 0, 0x31d8_1650_c7d8_8b80, 9]);
    const ONE: i128 = 1_000_000_000_000_000_000;
    if x.is_negative() && x.to_i128().is_none_or(|x| x < LN_WEI) {
        return Ok(I256::ZERO);
    }
    let Some(x) = x.to_i128().filter(|x| *x < UPPER_BOUND) else {
        return I256::from_u256(UPPER_VALUE);
    };
    // The contract computes unchecked from here on; with |x| < 1e20 nothing leaves 128 bits.
    let half = LN_2.wrapping_div(2);
    let rounding = if x < 0 { half.wrapping_neg() } else { half };
    let q = x.wrapping_add(rounding).wrapping_div(LN_2);
    let r = x.wrapping_sub(q.wrapping_mul(LN_2));
    let square = r.wrapping_mul(r).wrapping_div(ONE).wrapping_div(2);
    let mantissa = ONE.wrapping_add(r).wrapping_add(square);
    let shift = usize::try_from(q.unsigned_abs()).ok();
    let (Ok(mantissa), Some(shift)) = (U256::try_from(mantissa), shift) else {
        return Err(Refusal::ArithmeticPanic);
    };
    I256::from_u256(if q < 0 {
        mantissa.wrapping_shr(shift)
    } else {
        mantissa.wrapping_shl(shift)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const ONE: i128 = 1_000_000_000_000_000_000;

    fn exp(x: i128) -> U256 {
        w_exp(I256::from_i128(x)).unwrap().to_u256().unwrap()
    }

    fn totals(borrowed: u128) -> Totals {
        Totals {
            supply_assets: 1_000,
            borrow_assets: borrowed,
            ..Totals::default()
        }
    }

    fn rate(borrowed: u128, elapsed: u64) -> (U256, u64) {
        let curve = AdaptiveCurve::new(AdaptiveCurve::RATE_AT_TARGET_INITIAL).unwrap();
        let (rate, after) = curve.borrow_rate(&totals(borrowed), elapsed).unwrap();
        (rate, after.rate_at_target())
    }

    #[test]
    fn the_exponential_is_exact_at_powers_of_two_and_clipped_at_its_ends() {
        assert_eq!(exp(0), U256::from(1_000_000_000_000_000_000_u64));
        assert_eq!(
            exp(693_147_180_559_945_309),
            U256::from(2_000_000_000_000_000_000_u64)
        );
        assert_eq!(
            exp(-693_147_180_559_945_309),
            U256::from(500_000_000_000_000_000_u64)
        );
        assert_eq!(exp(-42 * ONE), U256::ZERO);
        assert_eq!(exp(i128::MIN), U256::ZERO);
        assert_eq!(exp(94 * ONE), exp(i128::MAX));
        let last = exp(93_859_467_695_000_404_318);
        assert!(last < exp(94 * ONE) && last.bit_len() == 196);
    }

    #[test]
    fn the_curve_is_four_times_dearer_when_full_and_cheaper_when_idle() {
        let at_target = AdaptiveCurve::RATE_AT_TARGET_INITIAL;
        assert_eq!(rate(900, 0), (U256::from(at_target), at_target));
        assert_eq!(rate(1_000, 0).0, U256::from(at_target * 4));
        assert_eq!(rate(0, 0).0, U256::from(at_target / 4));
    }

    #[test]
    fn the_curve_rises_while_full_and_falls_while_idle() {
        let day = 86_400;
        let (average, end) = rate(1_000, day);
        // A fiftieth of a year to an e-fold: e^(50/365) = 1.1468.
        let growth = 1_000 * end / AdaptiveCurve::RATE_AT_TARGET_INITIAL;
        assert_eq!(growth, 1_146);
        assert!(average > rate(1_000, 0).0);
        assert!(rate(0, day).1 < AdaptiveCurve::RATE_AT_TARGET_INITIAL);
        let decade = 315_360_000;
        assert_eq!(rate(1_000, decade).1, AdaptiveCurve::RATE_AT_TARGET_MAX);
        assert_eq!(rate(0, decade).1, AdaptiveCurve::RATE_AT_TARGET_MIN);
    }

    #[test]
    fn the_first_interaction_sets_the_initial_rate_whatever_time_passed() {
        let untouched = AdaptiveCurve::untouched();
        let (rate, after) = untouched.borrow_rate(&totals(900), 1_000_000).unwrap();
        assert_eq!(rate, U256::from(AdaptiveCurve::RATE_AT_TARGET_INITIAL));
        assert_eq!(
            after.rate_at_target(),
            AdaptiveCurve::RATE_AT_TARGET_INITIAL
        );
        assert_eq!(AdaptiveCurve::new(1), None);
        assert_eq!(AdaptiveCurve::new(0), Some(untouched));
    }

    #[test]
    fn simple_models_answer_without_state() {
        let of = |irm: InterestRateModel| irm.borrow_rate(&totals(500), 7).unwrap();
        assert_eq!(of(InterestRateModel::None).0, U256::ZERO);
        let half = U256::from(500_000_000_000_000_000_u64 / SECONDS_PER_YEAR);
        assert_eq!(of(InterestRateModel::Utilization).0, half);
        let fixed = InterestRateModel::FixedRate(NonZeroU64::new(42).unwrap());
        assert_eq!(of(fixed), (U256::from(42_u8), fixed));
        let empty = InterestRateModel::Utilization.borrow_rate(&Totals::default(), 7);
        assert_eq!(empty.unwrap().0, U256::ZERO);
    }
}
