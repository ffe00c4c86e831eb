//! One step of a swap: as far as the amount goes, or to the next price of interest.
//!
//! Mirrors `SwapMath.sol` of v3-core 1.0.1.

use super::UniswapV3Error;
use super::sqrt_price::{
    SqrtPrice, amount0_between, amount1_between, checked_price, covers_amount0, next_from_input,
    next_from_output,
};
use super::tick_math::widen;
use basis_core::num::U256;
use basis_core::num::uint256::{mul_div_ceil, mul_div_floor};

/// Hundredths of a basis point in one: the unit of a pool's fee.
pub const FEE_PIPS_ONE: u32 = 1_000_000;

/// What a swap is asked to do. In base units; above zero and below 2^255.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SwapAmount {
    /// Give this much to the pool, fee included (the contract's positive `amountSpecified`).
    ExactIn(U256),
    /// Take this much from the pool (the contract's negative `amountSpecified`).
    ExactOut(U256),
}

impl SwapAmount {
    /// The number of base units, whichever side they are on.
    #[inline]
    #[must_use]
    pub const fn units(self) -> U256 {
        match self {
            Self::ExactIn(units) | Self::ExactOut(units) => units,
        }
    }

    /// The same side with other units.
    #[inline]
    pub(super) const fn with_units(self, units: U256) -> Self {
        match self {
            Self::ExactIn(_) => Self::ExactIn(units),
            Self::ExactOut(_) => Self::ExactOut(units),
        }
    }
}

/// What one step did. Amounts in base units.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SwapStep {
    /// The sqrt price after the step, Q64.96.
    pub sqrt_price_next_x96: U256,
    /// What the pool takes, without the fee; rounded up.
    pub amount_in: U256,
    /// What the pool pays; rounded down.
    pub amount_out: U256,
    /// The fee on top of `amount_in`, in the token taken; rounded up.
    pub fee: U256,
}

/// Returns the step from one sqrt price toward another (Q64.96) with constant `liquidity`.
///
/// Mirrors `SwapMath.computeSwapStep`. The direction is that of the prices: a target at or below
/// the current price takes token0. `remaining` is what is left of the swap's amount, `fee_pips` the
/// fee in hundredths of a basis point, below [`FEE_PIPS_ONE`].
///
/// # Errors
/// [`UniswapV3Error::FeeTooHigh`]; otherwise as [`next_sqrt_price_from_input`] and
/// [`next_sqrt_price_from_output`].
///
/// [`next_sqrt_price_from_input`]: super::next_sqrt_price_from_input
/// [`next_sqrt_price_from_output`]: super::next_sqrt_price_from_output
pub fn compute_swap_step(
    sqrt_price_current_x96: U256,
    sqrt_price_target_x96: U256,
    liquidity: u128,
    remaining: SwapAmount,
    fee_pips: u32,
) -> Result<SwapStep, UniswapV3Error> {
    check_fee(fee_pips)?;
    let current = checked_price(sqrt_price_current_x96)?;
    let target = checked_price(sqrt_price_target_x96)?;
    let step = swap_step(
        current,
        target,
        current >= target,
        liquidity,
        remaining,
        fee_pips,
    )?;
    Ok(SwapStep {
        sqrt_price_next_x96: widen(step.next),
        amount_in: step.amount_in,
        amount_out: step.amount_out,
        fee: step.fee,
    })
}

pub(super) fn check_fee(fee_pips: u32) -> Result<(), UniswapV3Error> {
    if fee_pips < FEE_PIPS_ONE {
        return Ok(());
    }
    Err(UniswapV3Error::FeeTooHigh {
        fee_pips,
        end: FEE_PIPS_ONE,
    })
}

/// [`SwapStep`] with the price as the module keeps it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Step {
    pub(super) next: SqrtPrice,
    pub(super) amount_in: U256,
    pub(super) amount_out: U256,
    pub(super) fee: U256,
}

/// [`compute_swap_step`] with what it checks already known; `fee_pips` is below [`FEE_PIPS_ONE`].
#[inline]
pub(super) fn swap_step(
    current: SqrtPrice,
    target: SqrtPrice,
    zero_for_one: bool,
    liquidity: u128,
    remaining: SwapAmount,
    fee_pips: u32,
) -> Result<Step, UniswapV3Error> {
    let next = match remaining {
        SwapAmount::ExactIn(amount) => {
            let less_fee = less_fee(amount, fee_pips)?;
            let reached = if zero_for_one {
                covers_amount0(less_fee, target, current, liquidity, true)
            } else {
                less_fee >= amount1_between(current, target, liquidity, true)
            };
            if reached {
                target
            } else {
                next_from_input(current, liquidity, less_fee, zero_for_one)?
            }
        }
        SwapAmount::ExactOut(amount) => {
            let reached = if zero_for_one {
                amount >= amount1_between(target, current, liquidity, false)
            } else {
                covers_amount0(amount, current, target, liquidity, false)
            };
            if reached {
                target
            } else {
                next_from_output(current, liquidity, amount, zero_for_one)?
            }
        }
    };
    let (amount_in, amount_out) = if zero_for_one {
        (
            amount0_between(next, current, liquidity, true),
            amount1_between(next, current, liquidity, false),
        )
    } else {
        (
            amount1_between(current, next, liquidity, true),
            amount0_between(current, next, liquidity, false),
        )
    };
    let (amount_out, fee) = match remaining {
        // The target is out of reach: what the price move does not use is fee.
        SwapAmount::ExactIn(amount) if next != target => {
            (amount_out, amount.wrapping_sub(amount_in))
        }
        SwapAmount::ExactIn(_) => (amount_out, fee_on(amount_in, fee_pips)?),
        // Rounding may release a unit more than was asked.
        SwapAmount::ExactOut(amount) => (amount_out.min(amount), fee_on(amount_in, fee_pips)?),
    };
    Ok(Step {
        next,
        amount_in,
        amount_out,
        fee,
    })
}

/// `amount × (1 − fee)`, rounded down.
#[inline]
fn less_fee(amount: U256, fee_pips: u32) -> Result<U256, UniswapV3Error> {
    const ONE: u128 = FEE_PIPS_ONE as u128;
    let kept = u128::from(FEE_PIPS_ONE.wrapping_sub(fee_pips));
    if let Some(product) = as_u128(amount).and_then(|amount| amount.checked_mul(kept)) {
        return Ok(U256::from(product / ONE));
    }
    Ok(mul_div_floor(
        amount,
        U256::from(kept),
        U256::from(FEE_PIPS_ONE),
    )?)
}

/// The fee that makes `amount_in` the rest after it, rounded up.
#[inline]
fn fee_on(amount_in: U256, fee_pips: u32) -> Result<U256, UniswapV3Error> {
    let kept = FEE_PIPS_ONE.wrapping_sub(fee_pips);
    let product = as_u128(amount_in).and_then(|amount| amount.checked_mul(u128::from(fee_pips)));
    if let Some(product) = product {
        return Ok(U256::from(product.div_ceil(u128::from(kept))));
    }
    Ok(mul_div_ceil(
        amount_in,
        U256::from(fee_pips),
        U256::from(kept),
    )?)
}

/// The number when it fits 128 bits.
#[inline]
fn as_u128(number: U256) -> Option<u128> {
    let [low, high, above, top] = *number.as_limbs();
    (above == 0 && top == 0).then(|| u128::from(low) | (u128::from(high) << 64))
}

#[cfg(test)]
#[expect(
    clippy::arithmetic_side_effects,
    reason = "oracles read best in plain operators; tests trap overflow"
)]
mod tests {
    use super::*;
    use crate::uniswap_v3::{SQRT_RATIO_MAX, SQRT_RATIO_MIN};
    use proptest::prelude::*;

    const Q96: U256 = U256::from_limbs([0, 1 << 32, 0, 0]);

    fn units(n: u64) -> U256 {
        U256::from(n)
    }

    #[test]
    fn an_amount_that_stops_short_pays_its_remainder_as_fee() {
        let target = Q96 >> 1;
        let amount = SwapAmount::ExactIn(units(1_000_000));
        let step = compute_swap_step(Q96, target, 10_u128.pow(15), amount, 3000).unwrap();
        assert!(step.sqrt_price_next_x96 > target);
        assert_eq!(step.amount_in.wrapping_add(step.fee), units(1_000_000));
        assert!(step.fee >= units(3000) && step.fee <= units(3001));
    }

    #[test]
    fn an_amount_that_goes_beyond_stops_at_the_target() {
        let target = Q96 >> 1;
        let amount = SwapAmount::ExactIn(units(10_000));
        let step = compute_swap_step(Q96, target, 1000, amount, 500).unwrap();
        // Halving the sqrt price takes as much token0 as the liquidity, and pays half of it.
        assert_eq!(step.sqrt_price_next_x96, target);
        assert_eq!((step.amount_in, step.amount_out), (units(1000), units(500)));
        assert_eq!(step.fee, units(1), "1000 × 0.05 % / 99.95 %, rounded up");
    }

    #[test]
    fn an_exact_output_is_never_exceeded() {
        let amount = SwapAmount::ExactOut(units(1));
        let step = compute_swap_step(Q96, Q96 << 1, 1000, amount, 0).unwrap();
        assert_eq!(step.amount_out, units(1));
        assert!(step.amount_in > units(1));
        assert_eq!(step.fee, U256::ZERO);
    }

    #[test]
    fn without_liquidity_the_price_goes_to_the_target_for_nothing() {
        for amount in [
            SwapAmount::ExactIn(units(9)),
            SwapAmount::ExactOut(units(9)),
        ] {
            let step = compute_swap_step(Q96, Q96 << 1, 0, amount, 3000).unwrap();
            assert_eq!(step.sqrt_price_next_x96, Q96 << 1);
            assert_eq!(step.amount_in, U256::ZERO);
            assert_eq!(step.amount_out, U256::ZERO);
            assert_eq!(step.fee, U256::ZERO);
        }
    }

    #[test]
    fn a_fee_of_all_is_refused() {
        let amount = SwapAmount::ExactIn(units(9));
        let refused = compute_swap_step(Q96, Q96 << 1, 1, amount, 1_000_000).unwrap_err();
        assert_eq!(
            refused.to_string(),
            "fee 1000000 is not below 1000000 hundredths of a basis point"
        );
    }

    fn price() -> impl Strategy<Value = U256> {
        (32_usize..160, any::<[u64; 3]>()).prop_map(|(bits, [a, b, c])| {
            let random = U256::from_limbs([a, b, c, 0]) >> (192 - bits - 1);
            random.clamp(SQRT_RATIO_MIN, SQRT_RATIO_MAX)
        })
    }

    proptest! {
        #[test]
        fn prop_a_step_keeps_its_bounds(
            current in price(),
            target in price(),
            liquidity: u128,
            shift in 0_u32..128,
            amount: [u64; 4],
            amount_shift in 1_usize..255,
            fee_pips in 0_u32..FEE_PIPS_ONE,
            exact_in: bool,
        ) {
            let amount = (U256::from_limbs(amount) >> amount_shift).max(U256::ONE);
            let remaining = if exact_in {
                SwapAmount::ExactIn(amount)
            } else {
                SwapAmount::ExactOut(amount)
            };
            let step = compute_swap_step(current, target, liquidity >> shift, remaining, fee_pips);
            let step = step.unwrap();
            let next = step.sqrt_price_next_x96;
            prop_assert!(next >= current.min(target) && next <= current.max(target));
            let taken = step.amount_in.wrapping_add(step.fee);
            if exact_in {
                prop_assert!(taken <= amount);
                prop_assert!(next == target || taken == amount);
            } else {
                prop_assert!(step.amount_out <= amount);
                prop_assert!(next == target || step.amount_out == amount);
            }
            // The fee is at least its rate of everything taken.
            prop_assert!(
                step.fee.saturating_mul(U256::from(FEE_PIPS_ONE))
                    >= taken.saturating_mul(U256::from(fee_pips))
                    || taken.bit_len() > 230
            );
        }
    }
}
