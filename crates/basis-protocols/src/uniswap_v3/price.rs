//! Sqrt prices as prices, and amounts of two tokens as one.
//!
//! Not the contract's: nothing here decides an amount that moves.

use ruint::Uint;

use super::sqrt_price::checked_price;
use super::tick_math::{SQRT_RATIO_MAX, SQRT_RATIO_MIN};
use super::{Amounts, UniswapV3Error};
use basis_core::num::uint256::U512;
use basis_core::num::{Fixed18, MathError, Price, Rounding, U256};

/// The decimals of a pool's two tokens, which make base units into tokens.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PairDecimals {
    /// Of token0, 0 to 36.
    pub token0: u32,
    /// Of token1, 0 to 36.
    pub token1: u32,
}

impl PairDecimals {
    /// The greatest number of decimals.
    const MAX: u32 = 36;

    /// Returns the price of one token0 in token1 at a sqrt price (Q64.96), rounded once to 18
    /// decimals.
    ///
    /// # Errors
    /// [`UniswapV3Error::Math`] when it does not fit or for more than 36 decimals;
    /// [`UniswapV3Error::Unrepresentable`] for a sqrt price beyond 160 bits.
    pub fn price_of_token0(
        self,
        sqrt_price_x96: U256,
        rounding: Rounding,
    ) -> Result<Price, UniswapV3Error> {
        let square = square(sqrt_price_x96)?;
        let dividend = square.wrapping_mul(scale(self.token0, Fixed18::DECIMALS)?);
        let divisor = scale(self.token1, 0)?.wrapping_shl(192);
        quotient(dividend, divisor, rounding)
    }

    /// Returns the price of one token1 in token0 at a sqrt price (Q64.96), rounded once to 18
    /// decimals.
    ///
    /// # Errors
    /// As [`PairDecimals::price_of_token0`].
    pub fn price_of_token1(
        self,
        sqrt_price_x96: U256,
        rounding: Rounding,
    ) -> Result<Price, UniswapV3Error> {
        let square = square(sqrt_price_x96)?;
        let dividend = scale(self.token1, Fixed18::DECIMALS)?.wrapping_shl(192);
        let divisor = square.wrapping_mul(scale(self.token0, 0)?);
        quotient(dividend, divisor, rounding)
    }

    /// Returns the sqrt price (Q64.96) at which one token0 costs `price` of token1, rounded down or
    /// up.
    ///
    /// As a limit: of a falling price, rounding up keeps the pool from trading below `price`; of a
    /// rising one, rounding down keeps it from trading above.
    ///
    /// # Errors
    /// [`UniswapV3Error::SqrtPriceOutOfRange`] ("R") where no pool's price can be, zero among it;
    /// [`UniswapV3Error::Math`] for more than 36 decimals.
    pub fn sqrt_price_of_token0(
        self,
        price: Price,
        round_up: bool,
    ) -> Result<U256, UniswapV3Error> {
        let price = U512::from(price.get().mantissa().unsigned_abs());
        let dividend = price.wrapping_mul(scale(self.token1, 0)?);
        sqrt_of_ratio(dividend, scale(self.token0, Fixed18::DECIMALS)?, round_up)
    }

    /// Returns the sqrt price (Q64.96) at which one token1 costs `price` of token0, rounded down or
    /// up. A higher price of token1 is a lower sqrt price.
    ///
    /// # Errors
    /// As [`PairDecimals::sqrt_price_of_token0`].
    pub fn sqrt_price_of_token1(
        self,
        price: Price,
        round_up: bool,
    ) -> Result<U256, UniswapV3Error> {
        let price = U512::from(price.get().mantissa().unsigned_abs());
        let divisor = price.wrapping_mul(scale(self.token0, 0)?);
        sqrt_of_ratio(scale(self.token1, Fixed18::DECIMALS)?, divisor, round_up)
    }
}

/// Returns both amounts as base units of token1 at a sqrt price (Q64.96), rounded down once.
///
/// # Errors
/// [`UniswapV3Error::Math`] when the sum does not fit 256 bits or the price is zero,
/// [`UniswapV3Error::Unrepresentable`] for a sqrt price beyond 160 bits.
pub fn value_in_token1(amounts: Amounts, sqrt_price_x96: U256) -> Result<U256, UniswapV3Error> {
    let price = checked_price(sqrt_price_x96)?;
    let once: Uint<448, 7> = amounts.amount0.widening_mul(price);
    let twice: Uint<640, 10> = once.widening_mul(price);
    let exchanged = twice.wrapping_shr(192);
    let sum = U256::checked_from_limbs_slice(exchanged.as_limbs())
        .and_then(|exchanged| exchanged.checked_add(amounts.amount1));
    let op = "value_in_token1";
    Ok(sum.ok_or(MathError::Overflow256 { op })?)
}

/// Returns both amounts as base units of token0 at a sqrt price (Q64.96), rounded down once.
///
/// # Errors
/// As [`value_in_token1`].
pub fn value_in_token0(amounts: Amounts, sqrt_price_x96: U256) -> Result<U256, UniswapV3Error> {
    let dividend = U512::from(amounts.amount1).wrapping_shl(192);
    let exchanged = dividend.wrapping_div(square(sqrt_price_x96)?);
    let sum = U256::checked_from_limbs_slice(exchanged.as_limbs())
        .and_then(|exchanged| exchanged.checked_add(amounts.amount0));
    let op = "value_in_token0";
    Ok(sum.ok_or(MathError::Overflow256 { op })?)
}

/// The square of a sqrt price above zero: at most 320 bits.
fn square(sqrt_price_x96: U256) -> Result<U512, UniswapV3Error> {
    checked_price(sqrt_price_x96)?;
    Ok(sqrt_price_x96.widening_mul(sqrt_price_x96))
}

/// `10^(decimals + more)`: at most 180 bits.
fn scale(decimals: u32, more: u32) -> Result<U512, UniswapV3Error> {
    if decimals > PairDecimals::MAX {
        return Err(UniswapV3Error::Math(MathError::OutOfRange {
            what: "decimals",
            min: Fixed18::ZERO,
            max: Fixed18::from_int(i64::from(PairDecimals::MAX)),
            value: Fixed18::from_int(i64::from(decimals)),
        }));
    }
    Ok(U512::from(10_u64).pow(U512::from(decimals.wrapping_add(more))))
}

/// A quotient as the mantissa of a price.
fn quotient(dividend: U512, divisor: U512, rounding: Rounding) -> Result<Price, UniswapV3Error> {
    let (whole, rest) = dividend.div_rem(divisor);
    // Comparing with the complement avoids doubling.
    let complement = divisor.wrapping_sub(rest);
    let up = match rounding {
        Rounding::Down | Rounding::Floor => false,
        Rounding::Up | Rounding::Ceil => !rest.is_zero(),
        Rounding::HalfUp => rest >= complement,
        Rounding::HalfEven => rest > complement || (rest == complement && whole.bit(0)),
    };
    let overflow = MathError::Overflow { op: "price" };
    let mantissa = i128::try_from(whole.wrapping_add(U512::from(u8::from(up))))
        .ok()
        .ok_or(overflow)?;
    Ok(Price::new(Fixed18::from_mantissa(mantissa))?)
}

/// `sqrt(dividend / divisor)` as Q64.96; both have at most 247 bits.
fn sqrt_of_ratio(dividend: U512, divisor: U512, round_up: bool) -> Result<U256, UniswapV3Error> {
    let end_x96 = SQRT_RATIO_MAX;
    let refused = |sqrt_price_x96| UniswapV3Error::SqrtPriceOutOfRange {
        sqrt_price_x96,
        min_x96: SQRT_RATIO_MIN,
        end_x96,
    };
    if divisor.is_zero() {
        return Err(refused(U256::MAX));
    }
    let (whole, rest) = dividend.wrapping_shl(192).div_rem(divisor);
    let root = square_root(whole);
    let inexact = !rest.is_zero() || root.wrapping_mul(root) != whole;
    let rounded = root.wrapping_add(U512::from(u8::from(round_up && inexact)));
    let sqrt_price = U256::checked_from_limbs_slice(rounded.as_limbs()).unwrap_or(U256::MAX);
    if sqrt_price < SQRT_RATIO_MIN || sqrt_price >= end_x96 {
        return Err(refused(sqrt_price));
    }
    Ok(sqrt_price)
}

/// The square root, rounded down, by Newton's method from above.
fn square_root(number: U512) -> U512 {
    if number.is_zero() {
        return number;
    }
    let mut root = U512::ONE.wrapping_shl(number.bit_len().div_ceil(2));
    loop {
        let next = root.wrapping_add(number.wrapping_div(root)).wrapping_shr(1);
        if next >= root {
            return root;
        }
        root = next;
    }
}

#[cfg(test)]
#[expect(
    clippy::arithmetic_side_effects,
    reason = "oracles read best in plain operators; tests trap overflow"
)]
mod tests {
    use super::*;
    use crate::uniswap_v3::{TICK_MAX, TICK_MIN, sqrt_ratio_at_tick};
    use proptest::prelude::*;

    const WETH_USDC: PairDecimals = PairDecimals {
        token0: 18,
        token1: 6,
    };

    fn price(text: &str) -> Price {
        text.parse().unwrap()
    }

    #[test]
    fn a_price_and_its_inverse_account_for_decimals() {
        let sqrt_price = WETH_USDC
            .sqrt_price_of_token0(price("2500"), false)
            .unwrap();
        // sqrt(2500 × 10^6 / 10^18) = 5 × 10^-5, times 2^96.
        assert_eq!(sqrt_price.to_string(), "3961408125713216879677197");
        let back = WETH_USDC.price_of_token0(sqrt_price, Rounding::Floor);
        assert_eq!(back.unwrap(), price("2499.999999999999999999"));
        let back = WETH_USDC.price_of_token0(sqrt_price, Rounding::HalfEven);
        assert_eq!(back.unwrap(), price("2500"));
        let inverse = WETH_USDC.price_of_token1(sqrt_price, Rounding::HalfEven);
        assert_eq!(inverse.unwrap(), price("0.0004"));
        let other = WETH_USDC
            .sqrt_price_of_token1(price("0.0004"), true)
            .unwrap();
        assert_eq!(other, sqrt_price.wrapping_add(U256::ONE));
    }

    #[test]
    fn amounts_are_worth_their_price() {
        let sqrt_price = WETH_USDC.sqrt_price_of_token0(price("2500"), true).unwrap();
        let amounts = Amounts {
            amount0: U256::from(10_u64.pow(18)),
            amount1: U256::from(500_000_000_u64),
        };
        let in_usdc = value_in_token1(amounts, sqrt_price).unwrap();
        assert_eq!(in_usdc, U256::from(3_000_000_000_u64));
        let in_weth = value_in_token0(amounts, sqrt_price).unwrap();
        assert_eq!(in_weth, U256::from(1_199_999_999_999_999_999_u64));
        let endless = Amounts {
            amount0: U256::MAX,
            amount1: U256::ZERO,
        };
        assert!(value_in_token1(endless, U256::ONE << 97).is_err());
    }

    #[test]
    fn prices_that_no_pool_can_have_are_refused() {
        let codes = [
            WETH_USDC.sqrt_price_of_token0(Price::ZERO, false),
            WETH_USDC.sqrt_price_of_token1(Price::ZERO, false),
            PairDecimals {
                token0: 0,
                token1: 36,
            }
            .sqrt_price_of_token0(price("1000"), false),
        ]
        .map(|refused| refused.unwrap_err().code());
        assert_eq!(codes, [Some("R"); 3]);
        let decimals = PairDecimals {
            token0: 37,
            token1: 6,
        };
        assert!(
            decimals
                .price_of_token0(U256::ONE << 96, Rounding::Down)
                .is_err()
        );
        assert!(
            WETH_USDC
                .price_of_token0(U256::ZERO, Rounding::Down)
                .is_err()
        );
        let highest = sqrt_ratio_at_tick(TICK_MAX).unwrap();
        assert_eq!(
            WETH_USDC
                .price_of_token0(highest, Rounding::Down)
                .unwrap_err(),
            UniswapV3Error::Math(MathError::Overflow { op: "price" })
        );
    }

    proptest! {
        #[test]
        fn prop_roots_enclose(limbs: [u64; 8], shift in 0_usize..512) {
            let number = U512::from_limbs(limbs) >> shift;
            let root = square_root(number);
            prop_assert!(root.checked_mul(root).is_some_and(|square| square <= number));
            let above = root.wrapping_add(U512::ONE);
            prop_assert!(above.checked_mul(above).is_none_or(|square| square > number));
        }

        #[test]
        fn prop_sqrt_prices_enclose_the_price(
            mantissa in 1_i128..=i128::MAX,
            token0 in 0_u32..=24,
            token1 in 0_u32..=24,
        ) {
            let decimals = PairDecimals { token0, token1 };
            let price = Price::new(Fixed18::from_mantissa(mantissa)).unwrap();
            if let (Ok(low), Ok(high)) = (
                decimals.sqrt_price_of_token0(price, false),
                decimals.sqrt_price_of_token0(price, true),
            ) {
                prop_assert!(high.wrapping_sub(low) <= U256::ONE);
                prop_assert!(decimals.price_of_token0(low, Rounding::Floor).unwrap() <= price);
                if let Ok(above) = decimals.price_of_token0(high, Rounding::Ceil) {
                    prop_assert!(above >= price);
                }
            }
        }

        #[test]
        fn prop_a_tick_comes_back_from_its_price(tick in -200_000_i32..200_000) {
            // Between these ticks 18 decimals tell neighbors apart.
            prop_assume!((TICK_MIN..TICK_MAX).contains(&tick));
            let decimals = PairDecimals { token0: 18, token1: 18 };
            let sqrt_price = sqrt_ratio_at_tick(tick).unwrap();
            let price = decimals.price_of_token0(sqrt_price, Rounding::Ceil).unwrap();
            let back = decimals.sqrt_price_of_token0(price, true).unwrap();
            prop_assert_eq!(super::super::tick_at_sqrt_ratio(back).unwrap(), tick);
        }
    }
}
