//! What a pool is set up with.

use super::arithmetic::narrow;
use super::error::StableSwapError;
use super::per_coin::PerCoin;
use basis_core::num::{MathError, U256};

/// The denominator of fees: 4,000,000 is 0.04 %.
pub const FEE_DENOMINATOR: u64 = 10_000_000_000;
/// The rate of a coin with 18 decimals worth one unit, `10^18`.
pub const RATE_ONE: U256 = U256::from_limbs([1_000_000_000_000_000_000, 0, 0, 0]);

/// The contracts' `MAX_FEE`: 50 %.
const FEE_MAX: u64 = 5_000_000_000;
/// The contracts' `MAX_A`: `A` stays below it.
const A_BELOW: u64 = 1_000_000;

/// The contract whose arithmetic a pool follows; the table is in the [module](super).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Template {
    /// `StableSwap3Pool.vy`, the pool of DAI, USDC and USDT; `A` without further decimals.
    ///
    /// An iteration that has not settled after 255 rounds gives what it has, as the contract does.
    ThreePool,
    /// `SwapTemplateBase.vy`, from which most pools of 2020 to 2022 are made; `A × 100`.
    Base,
    /// `CurveStableSwapNG.vy`, version 7.0.0: `A × 100`, rates and the off-peg fee.
    StableSwapNg,
}

impl Template {
    /// `A_PRECISION` of the contract, by which [`Amplification`] is multiplied: 1 or 100.
    #[must_use]
    pub const fn a_precision(self) -> u64 {
        match self {
            Self::ThreePool => 1,
            Self::Base | Self::StableSwapNg => 100,
        }
    }
}

/// `A` as the contract stores it (`A_precise()`: times [`Template::a_precision`]), with its ramp.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Amplification {
    /// `initial_A`.
    pub initial: u64,
    /// `future_A`.
    pub future: u64,
    /// `initial_A_time`, in seconds.
    pub initial_time: u64,
    /// `future_A_time`, in seconds: from then on `future` holds.
    pub future_time: u64,
}

impl Amplification {
    /// An `A` that does not move. `stored` is as the contract keeps it: 2000 for the 3pool's 2000,
    /// 20000 for 200 in a contract with `A_PRECISION` 100.
    #[must_use]
    pub const fn constant(stored: u64) -> Self {
        Self {
            initial: stored,
            future: stored,
            initial_time: 0,
            future_time: 0,
        }
    }

    /// `_A()` at a block's `timestamp` in seconds: linear between the two times, the part gone
    /// through rounded down.
    ///
    /// # Errors
    /// [`StableSwapError::BelowZero`] before the ramp begins, where the contract reverts too.
    pub fn at(&self, timestamp: u64) -> Result<u64, StableSwapError> {
        if timestamp >= self.future_time {
            return Ok(self.future);
        }
        let since = |start: u64, end: u64| {
            end.checked_sub(start).ok_or(StableSwapError::BelowZero {
                op: "amplification ramp",
                left: U256::from(end),
                right: U256::from(start),
            })
        };
        let gone = since(self.initial_time, timestamp)?;
        let whole = since(self.initial_time, self.future_time)?;
        let op = "amplification ramp";
        // At most the distance, for gone < whole; so it fits, and the sums below do.
        let step = u128::from(self.future.abs_diff(self.initial))
            .wrapping_mul(u128::from(gone))
            .checked_div(u128::from(whole))
            .and_then(|step| u64::try_from(step).ok())
            .ok_or(MathError::DivideByZero { op })?;
        Ok(if self.future > self.initial {
            self.initial.saturating_add(step)
        } else {
            self.initial.saturating_sub(step)
        })
    }
}

/// What a pool is set up with.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Parameters {
    /// The contract it follows.
    pub template: Template,
    /// `A`, as stored.
    pub amplification: Amplification,
    /// Fee of an exchange, in [`FEE_DENOMINATOR`]ths: 0 to 50 %.
    pub fee: u64,
    /// The part of the fee that goes to the admin, in [`FEE_DENOMINATOR`]ths: 0 to 100 %.
    pub admin_fee: u64,
    /// How much the fee grows off the peg, in [`FEE_DENOMINATOR`]ths; zero, or anything up to
    /// one: not at all. Times `fee` it is at most 50 %.
    ///
    /// [`Template::StableSwapNg`] applies it to exchanges and to unbalanced liquidity. The other
    /// contracts know no such thing; with them it applies to exchanges alone, as in Curve's own
    /// integer model (curvesim).
    pub offpeg_fee_multiplier: u64,
    /// What balances are multiplied by to get 18 decimals of the common unit, times 10^18. Below
    /// 2^128 and not zero.
    pub rates: PerCoin,
}

impl Parameters {
    /// Refuses what the contract's constructor or its factory refuses.
    ///
    /// # Errors
    /// [`StableSwapError::InvalidParameter`], the first one.
    pub fn validate(&self) -> Result<(), StableSwapError> {
        let a_max = A_BELOW
            .saturating_mul(self.template.a_precision())
            .saturating_sub(1);
        for stored in [self.amplification.initial, self.amplification.future] {
            check("A", self.template.a_precision(), a_max, stored)?;
        }
        check("fee", 0, FEE_MAX, self.fee)?;
        check("admin fee", 0, FEE_DENOMINATOR, self.admin_fee)?;
        let multiplier_max = u128::from(FEE_MAX)
            .wrapping_mul(u128::from(FEE_DENOMINATOR))
            .checked_div(u128::from(self.fee))
            .map_or(u64::MAX, |max| u64::try_from(max).unwrap_or(u64::MAX));
        let multiplier = self.offpeg_fee_multiplier;
        if multiplier > FEE_DENOMINATOR {
            check("offpeg fee multiplier", 0, multiplier_max, multiplier)?;
        }
        self.validate_rates()
    }

    pub(super) fn validate_rates(&self) -> Result<(), StableSwapError> {
        for rate in self.rates.iter() {
            if rate.is_zero() || narrow(rate).is_none() {
                return Err(StableSwapError::InvalidParameter {
                    what: "rate",
                    min: U256::ONE,
                    max: U256::from(u128::MAX),
                    value: *rate,
                });
            }
        }
        Ok(())
    }
}

fn check(what: &'static str, min: u64, max: u64, value: u64) -> Result<(), StableSwapError> {
    if (min..=max).contains(&value) {
        return Ok(());
    }
    Err(StableSwapError::InvalidParameter {
        what,
        min: U256::from(min),
        max: U256::from(max),
        value: U256::from(value),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const UP: Amplification = Amplification {
        initial: 100,
        future: 1000,
        initial_time: 1_000,
        future_time: 2_000,
    };

    #[test]
    fn a_ramp_is_linear_and_rounds_the_part_gone_through_down() {
        assert_eq!(UP.at(1_000), Ok(100));
        assert_eq!(UP.at(1_001), Ok(100), "0.9 gone is none gone");
        assert_eq!(UP.at(1_500), Ok(550));
        assert_eq!(UP.at(1_999), Ok(999));
        assert_eq!(UP.at(2_000), Ok(1_000));
        assert_eq!(UP.at(u64::MAX), Ok(1_000));
        let down = Amplification {
            initial: 1_000,
            future: 100,
            ..UP
        };
        assert_eq!(down.at(1_001), Ok(1_000));
        assert_eq!(down.at(1_500), Ok(550));
        assert!(UP.at(999).is_err(), "the contract reverts before its ramp");
        assert_eq!(Amplification::constant(7).at(0), Ok(7));
    }

    #[test]
    fn parameters_that_the_contract_refuses_are_refused() {
        let good = Parameters {
            template: Template::StableSwapNg,
            amplification: Amplification::constant(20_000),
            fee: 4_000_000,
            admin_fee: 5_000_000_000,
            offpeg_fee_multiplier: 20_000_000_000,
            rates: PerCoin::new(&[RATE_ONE, RATE_ONE]).unwrap(),
        };
        assert_eq!(good.validate(), Ok(()));
        let text = |parameters: Parameters| parameters.validate().unwrap_err().to_string();
        let amplification = Amplification::constant(99);
        assert_eq!(
            text(Parameters {
                amplification,
                ..good
            }),
            "A 99 out of range 100 to 99999999"
        );
        let fee = 5_000_000_001;
        assert_eq!(
            text(Parameters { fee, ..good }),
            "fee 5000000001 out of range 0 to 5000000000"
        );
        let offpeg_fee_multiplier = 12_500_000_000_001;
        assert_eq!(
            text(Parameters {
                offpeg_fee_multiplier,
                ..good
            }),
            "offpeg fee multiplier 12500000000001 out of range 0 to 12500000000000"
        );
        let rates = good.rates.with(1, U256::ZERO);
        assert!(text(Parameters { rates, ..good }).starts_with("rate 0 out of range 1 to"));
        let free = Parameters {
            fee: 0,
            admin_fee: 0,
            ..good
        };
        assert_eq!(free.validate(), Ok(()));
    }
}
