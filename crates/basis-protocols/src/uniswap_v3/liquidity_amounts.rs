//! How much liquidity amounts buy, and what liquidity is worth in amounts.
//!
//! Mirrors `LiquidityAmounts.sol` of v3-periphery 1.4.4, which the position manager uses. Everything
//! is rounded down. Sqrt prices are Q64.96, amounts base units; the two ends of a range may come in
//! either order.

use super::sqrt_price::{amount0_between, amount1_between, checked_price};
use super::{Amounts, UniswapV3Error};
use basis_core::num::U256;
use basis_core::num::uint256::mul_div_floor;

const Q96: U256 = U256::from_limbs([0, 1 << 32, 0, 0]);

/// Returns the liquidity that `amount0` base units of token0 make over a range above the price.
///
/// Mirrors `LiquidityAmounts.getLiquidityForAmount0`: `amount0 × (upper × lower) / (upper − lower)`.
///
/// # Errors
/// [`UniswapV3Error::Unrepresentable`] beyond 128 bits or for a price beyond 160,
/// [`UniswapV3Error::Math`] for an empty range or a price of zero.
pub fn liquidity_for_amount0(
    sqrt_price_a_x96: U256,
    sqrt_price_b_x96: U256,
    amount0: U256,
) -> Result<u128, UniswapV3Error> {
    let (lower, upper) = range(sqrt_price_a_x96, sqrt_price_b_x96)?;
    let between = mul_div_floor(lower, upper, Q96)?;
    as_liquidity(mul_div_floor(amount0, between, upper.wrapping_sub(lower))?)
}

/// Returns the liquidity that `amount1` base units of token1 make over a range below the price.
///
/// Mirrors `LiquidityAmounts.getLiquidityForAmount1`: `amount1 / (upper − lower)`.
///
/// # Errors
/// As [`liquidity_for_amount0`].
pub fn liquidity_for_amount1(
    sqrt_price_a_x96: U256,
    sqrt_price_b_x96: U256,
    amount1: U256,
) -> Result<u128, UniswapV3Error> {
    let (lower, upper) = range(sqrt_price_a_x96, sqrt_price_b_x96)?;
    as_liquidity(mul_div_floor(amount1, Q96, upper.wrapping_sub(lower))?)
}

/// Returns the most liquidity over a range that the two amounts pay for at the price.
///
/// Mirrors `LiquidityAmounts.getLiquidityForAmounts`. The mint that follows rounds up and never asks
/// for more than the amounts.
///
/// # Errors
/// As [`liquidity_for_amount0`].
pub fn liquidity_for_amounts(
    sqrt_price_x96: U256,
    sqrt_price_a_x96: U256,
    sqrt_price_b_x96: U256,
    amounts: Amounts,
) -> Result<u128, UniswapV3Error> {
    let (lower, upper) = range(sqrt_price_a_x96, sqrt_price_b_x96)?;
    if sqrt_price_x96 <= lower {
        return liquidity_for_amount0(lower, upper, amounts.amount0);
    }
    if sqrt_price_x96 >= upper {
        return liquidity_for_amount1(lower, upper, amounts.amount1);
    }
    let by_token0 = liquidity_for_amount0(sqrt_price_x96, upper, amounts.amount0)?;
    let by_token1 = liquidity_for_amount1(lower, sqrt_price_x96, amounts.amount1)?;
    Ok(by_token0.min(by_token1))
}

/// Returns what `liquidity` over a range is worth in both tokens at the price, rounded down: what a
/// burn pays.
///
/// Mirrors `LiquidityAmounts.getAmountsForLiquidity`.
///
/// # Errors
/// [`UniswapV3Error::Unrepresentable`] for an end of the range beyond 160 bits,
/// [`UniswapV3Error::Math`] for one of zero.
pub fn amounts_for_liquidity(
    sqrt_price_x96: U256,
    sqrt_price_a_x96: U256,
    sqrt_price_b_x96: U256,
    liquidity: u128,
) -> Result<Amounts, UniswapV3Error> {
    let (lower, upper) = range(sqrt_price_a_x96, sqrt_price_b_x96)?;
    let price = checked_price(sqrt_price_x96.clamp(lower, upper))?;
    let (lower, upper) = (checked_price(lower)?, checked_price(upper)?);
    Ok(Amounts {
        amount0: amount0_between(price, upper, liquidity, false),
        amount1: amount1_between(lower, price, liquidity, false),
    })
}

/// The ends of a range in ascending order, both above zero and within 160 bits.
fn range(a_x96: U256, b_x96: U256) -> Result<(U256, U256), UniswapV3Error> {
    checked_price(a_x96)?;
    checked_price(b_x96)?;
    Ok((a_x96.min(b_x96), a_x96.max(b_x96)))
}

fn as_liquidity(number: U256) -> Result<u128, UniswapV3Error> {
    u128::try_from(number)
        .ok()
        .ok_or(UniswapV3Error::Unrepresentable {
            what: "liquidity",
            value: number,
            bits: 128,
        })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::uniswap_v3::{TICK_MAX, TICK_MIN, sqrt_ratio_at_tick};
    use proptest::prelude::*;

    fn amounts(amount0: u64, amount1: u64) -> Amounts {
        Amounts {
            amount0: U256::from(amount0),
            amount1: U256::from(amount1),
        }
    }

    #[test]
    fn the_scarcer_token_decides() {
        let (low, high) = (Q96 >> 1, Q96 << 1);
        // Around price 1 a unit of liquidity takes half a unit of each token.
        assert_eq!(
            liquidity_for_amounts(Q96, low, high, amounts(50, 1000)).unwrap(),
            100
        );
        assert_eq!(
            liquidity_for_amounts(Q96, high, low, amounts(1000, 50)).unwrap(),
            100
        );
        // Outside the range only one of them counts.
        assert_eq!(
            liquidity_for_amounts(low, low, high, amounts(150, 0)).unwrap(),
            100
        );
        assert_eq!(
            liquidity_for_amounts(high, low, high, amounts(0, 150)).unwrap(),
            100
        );
        assert_eq!(
            amounts_for_liquidity(Q96, low, high, 100).unwrap(),
            amounts(50, 50)
        );
    }

    #[test]
    fn what_128_bits_cannot_hold_and_empty_ranges_are_refused() {
        let refused = liquidity_for_amount1(Q96, Q96 << 1, U256::ONE << 128).unwrap_err();
        assert_eq!(
            refused.to_string(),
            "liquidity 340282366920938463463374607431768211456 does not fit 128 bits"
        );
        assert!(liquidity_for_amount0(Q96, Q96, U256::ONE).is_err());
        assert!(liquidity_for_amount1(U256::ZERO, Q96, U256::ONE).is_err());
    }

    proptest! {
        #[test]
        fn prop_bought_liquidity_is_worth_no_more_than_was_paid(
            ticks in proptest::array::uniform3(TICK_MIN..TICK_MAX),
            amount0: u64,
            amount1: u64,
        ) {
            let [price, a, b] = ticks.map(|tick| sqrt_ratio_at_tick(tick).unwrap());
            prop_assume!(a != b);
            let given = amounts(amount0, amount1);
            if let Ok(liquidity) = liquidity_for_amounts(price, a, b, given) {
                let worth = amounts_for_liquidity(price, a, b, liquidity).unwrap();
                prop_assert!(worth.amount0 <= given.amount0);
                prop_assert!(worth.amount1 <= given.amount1);
            }
        }
    }
}
