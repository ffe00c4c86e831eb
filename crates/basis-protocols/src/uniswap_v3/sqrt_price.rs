//! What a move of the price takes and gives, and the price after an amount.
//!
//! Mirrors `SqrtPriceMath.sol` of v3-core 1.0.1. Sqrt prices are Q64.96 with at most 160 bits,
//! amounts are base units. Where the contract divides twice, one division by the product gives the
//! same number (`⌊⌊x/a⌋/b⌋ = ⌊x/ab⌋`, and so for rounding up), and comparing an amount with a
//! quotient needs no division at all.

use ruint::Uint;

use super::UniswapV3Error;
use super::tick_math::{narrow, widen};
use basis_core::num::{MathError, U256};

/// A sqrt price inside the module: 160 bits in three limbs.
pub(super) type SqrtPrice = Uint<192, 3>;
/// A product of a 256-bit number and a price.
type Wide = Uint<448, 7>;
/// Dividend and divisor of an amount of token0: 384 and 320 bits at most.
type Fraction = Uint<384, 6>;

/// `liquidity × 2^96`.
#[inline]
const fn shifted(liquidity: u128) -> U256 {
    let (low, high) = (low_limb(liquidity), low_limb(liquidity >> 64));
    U256::from_limbs([0, low << 32, (low >> 32) | (high << 32), high >> 32])
}

/// Orders two prices.
#[inline]
fn ordered(a: SqrtPrice, b: SqrtPrice) -> (SqrtPrice, SqrtPrice) {
    if a > b { (b, a) } else { (a, b) }
}

/// The fraction whose quotient is the amount of token0 between two prices: dividend and divisor.
#[inline]
fn amount0_fraction(a: SqrtPrice, b: SqrtPrice, liquidity: u128) -> (Fraction, Fraction) {
    let (lower, upper) = ordered(a, b);
    let [p0, p1, p2, p3, p4] = *liquidity_times(liquidity, upper.wrapping_sub(lower)).as_limbs();
    // 128 + 160 bits, moved up by 96.
    let dividend = Fraction::from_limbs([
        0,
        p0 << 32,
        (p0 >> 32) | (p1 << 32),
        (p1 >> 32) | (p2 << 32),
        (p2 >> 32) | (p3 << 32),
        (p3 >> 32) | (p4 << 32),
    ]);
    (dividend, upper.widening_mul(lower))
}

/// `liquidity × difference`.
#[inline]
fn liquidity_times(liquidity: u128, difference: SqrtPrice) -> Uint<320, 5> {
    let limbs = [low_limb(liquidity), low_limb(liquidity >> 64)];
    difference.widening_mul(Uint::<128, 2>::from_limbs(limbs))
}

/// The low 256 bits of a number known to fit them.
#[inline]
fn low_256(number: Wide) -> U256 {
    let [a, b, c, d, ..] = *number.as_limbs();
    U256::from_limbs([a, b, c, d])
}

/// Amount of token0 between two prices, both above zero.
#[inline]
pub(super) fn amount0_between(a: SqrtPrice, b: SqrtPrice, liquidity: u128, round_up: bool) -> U256 {
    let (dividend, divisor) = amount0_fraction(a, b, liquidity);
    let (quotient, remainder) = dividend.div_rem(divisor);
    // Below 2^224: liquidity × 2^96, divided by a price of at least 1.
    let [q0, q1, q2, q3, ..] = *quotient.as_limbs();
    let up = U256::from(u8::from(round_up && !remainder.is_zero()));
    U256::from_limbs([q0, q1, q2, q3]).wrapping_add(up)
}

/// Whether `amount` is at least the amount of token0 between two prices, rounded as asked.
///
/// `amount ≥ ⌈x/y⌉` means `amount × y ≥ x`, and `amount ≥ ⌊x/y⌋` means `(amount + 1) × y > x`: no
/// division.
#[inline]
pub(super) fn covers_amount0(
    amount: U256,
    a: SqrtPrice,
    b: SqrtPrice,
    liquidity: u128,
    round_up: bool,
) -> bool {
    let (dividend, divisor) = amount0_fraction(a, b, liquidity);
    let amount = if round_up {
        amount
    } else {
        amount.saturating_add(U256::ONE)
    };
    let order = if let [low, high, 0, 0] = *amount.as_limbs() {
        let short = Uint::<128, 2>::from_limbs([low, high]);
        let product: Uint<512, 8> = divisor.widening_mul(short);
        product.cmp(&Uint::from_limbs_slice(dividend.as_limbs()))
    } else {
        let product: Uint<640, 10> = divisor.widening_mul(amount);
        product.cmp(&Uint::from_limbs_slice(dividend.as_limbs()))
    };
    order.is_gt() || (round_up && order.is_eq())
}

/// Amount of token1 between two prices.
#[inline]
pub(super) fn amount1_between(a: SqrtPrice, b: SqrtPrice, liquidity: u128, round_up: bool) -> U256 {
    let (lower, upper) = ordered(a, b);
    let [p0, p1, p2, p3, p4] = *liquidity_times(liquidity, upper.wrapping_sub(lower)).as_limbs();
    let quotient = U256::from_limbs([
        (p1 >> 32) | (p2 << 32),
        (p2 >> 32) | (p3 << 32),
        (p3 >> 32) | (p4 << 32),
        p4 >> 32,
    ]);
    let inexact = p0 != 0 || p1.trailing_zeros() < 32;
    quotient.wrapping_add(U256::from(u8::from(round_up && inexact)))
}

/// The low 64 bits.
#[inline]
#[expect(
    clippy::cast_possible_truncation,
    reason = "the low limb is what is wanted"
)]
const fn low_limb(number: u128) -> u64 {
    number as u64
}

/// Price after `amount` of token0 is added to (`add`) or taken from the pool; rounded up.
///
/// Mirrors `getNextSqrtPriceFromAmount0RoundingUp`; `None` where it reverts.
#[inline]
pub(super) fn next_from_amount0(
    price: SqrtPrice,
    liquidity: u128,
    amount: U256,
    add: bool,
) -> Option<SqrtPrice> {
    if amount.is_zero() {
        return Some(price);
    }
    let numerator = shifted(liquidity);
    let wide: Wide = amount.widening_mul(price);
    let product = (wide.bit_len() <= 256).then(|| low_256(wide));
    let denominator = if add {
        product.and_then(|product| numerator.checked_add(product))
    } else {
        let product = product.filter(|product| *product < numerator)?;
        Some(numerator.wrapping_sub(product))
    };
    if let Some(denominator) = denominator {
        let [d0, d1, d2, d3] = *denominator.as_limbs();
        let dividend: Wide = numerator.widening_mul(price);
        let (quotient, remainder) = dividend.div_rem(Wide::from_limbs([d0, d1, d2, d3, 0, 0, 0]));
        let up = Wide::from(u8::from(!remainder.is_zero()));
        return fits_160(quotient.wrapping_add(up));
    }
    // Adding so much that the product overflows: the contract loses precision here, and so do we.
    let divisor = numerator.wrapping_div(widen(price)).checked_add(amount)?;
    let (quotient, remainder) = numerator.div_rem(divisor);
    let quotient = quotient.wrapping_add(U256::from(u8::from(!remainder.is_zero())));
    Some(narrow(quotient))
}

/// A number as a price when it has at most 160 bits.
#[inline]
fn fits_160(number: Wide) -> Option<SqrtPrice> {
    (number.bit_len() <= 160).then(|| narrow(low_256(number)))
}

/// Price after `amount` of token1 is added to (`add`) or taken from the pool; rounded down.
///
/// Mirrors `getNextSqrtPriceFromAmount1RoundingDown`; `None` where it reverts. `liquidity` is not 0.
#[inline]
pub(super) fn next_from_amount1(
    price: SqrtPrice,
    liquidity: u128,
    amount: U256,
    add: bool,
) -> Option<SqrtPrice> {
    let [a0, a1, a2, a3] = *amount.as_limbs();
    let dividend = Uint::<384, 6>::from_limbs([
        0,
        a0 << 32,
        (a0 >> 32) | (a1 << 32),
        (a1 >> 32) | (a2 << 32),
        (a2 >> 32) | (a3 << 32),
        a3 >> 32,
    ]);
    let divisor = Uint::from_limbs([low_limb(liquidity), low_limb(liquidity >> 64), 0, 0, 0, 0]);
    let (quotient, remainder) = dividend.div_rem(divisor);
    if quotient.bit_len() > 160 {
        return None;
    }
    let [q0, q1, q2, ..] = *quotient.as_limbs();
    let move_down = SqrtPrice::from_limbs([q0, q1, q2]);
    if add {
        // Two numbers below 2^160 do not overflow 192 bits.
        let next = price.wrapping_add(move_down);
        return (next.bit_len() <= 160).then_some(next);
    }
    let move_up = move_down.wrapping_add(SqrtPrice::from(u8::from(!remainder.is_zero())));
    (price > move_up).then(|| price.wrapping_sub(move_up))
}

/// A price given from outside, which must be above zero and fit 160 bits.
pub(super) fn checked_price(sqrt_price_x96: U256) -> Result<SqrtPrice, UniswapV3Error> {
    if sqrt_price_x96.bit_len() > 160 {
        return Err(UniswapV3Error::Unrepresentable {
            what: "sqrt price",
            value: sqrt_price_x96,
            bits: 160,
        });
    }
    if sqrt_price_x96.is_zero() {
        return Err(MathError::DivideByZero { op: "sqrt price" }.into());
    }
    Ok(narrow(sqrt_price_x96))
}

/// Returns the base units of token0 that `liquidity` holds between two sqrt prices (Q64.96, in
/// either order), rounded up for what the pool takes and down for what it pays.
///
/// Mirrors `SqrtPriceMath.getAmount0Delta`: `liquidity × 2^96 × (upper − lower) / (upper × lower)`.
///
/// # Errors
/// [`UniswapV3Error::Unrepresentable`] for a price beyond 160 bits, [`MathError::DivideByZero`] for
/// a price of zero.
pub fn amount0_delta(
    sqrt_price_a_x96: U256,
    sqrt_price_b_x96: U256,
    liquidity: u128,
    round_up: bool,
) -> Result<U256, UniswapV3Error> {
    let (a, b) = (
        checked_price(sqrt_price_a_x96)?,
        checked_price(sqrt_price_b_x96)?,
    );
    Ok(amount0_between(a, b, liquidity, round_up))
}

/// Returns the base units of token1 that `liquidity` holds between two sqrt prices (Q64.96, in
/// either order), rounded up for what the pool takes and down for what it pays.
///
/// Mirrors `SqrtPriceMath.getAmount1Delta`: `liquidity × (upper − lower) / 2^96`.
///
/// # Errors
/// [`UniswapV3Error::Unrepresentable`] for a price beyond 160 bits, [`MathError::DivideByZero`] for
/// a price of zero (which the contract would take).
pub fn amount1_delta(
    sqrt_price_a_x96: U256,
    sqrt_price_b_x96: U256,
    liquidity: u128,
    round_up: bool,
) -> Result<U256, UniswapV3Error> {
    let (a, b) = (
        checked_price(sqrt_price_a_x96)?,
        checked_price(sqrt_price_b_x96)?,
    );
    Ok(amount1_between(a, b, liquidity, round_up))
}

/// Returns the sqrt price (Q64.96) after the pool takes `amount_in` base units, fee already taken
/// off; rounded so that the pool never gives too much.
///
/// Mirrors `SqrtPriceMath.getNextSqrtPriceFromInput`. `zero_for_one`: the input is token0 and the
/// price falls.
///
/// # Errors
/// [`MathError::DivideByZero`] without liquidity or for a price of zero,
/// [`UniswapV3Error::Unrepresentable`] for a price, given or reached, beyond 160 bits.
pub fn next_sqrt_price_from_input(
    sqrt_price_x96: U256,
    liquidity: u128,
    amount_in: U256,
    zero_for_one: bool,
) -> Result<U256, UniswapV3Error> {
    let price = checked_price(sqrt_price_x96)?;
    if liquidity == 0 {
        return Err(MathError::DivideByZero { op: "liquidity" }.into());
    }
    next_from_input(price, liquidity, amount_in, zero_for_one).map(widen)
}

#[inline]
pub(super) fn next_from_input(
    price: SqrtPrice,
    liquidity: u128,
    amount_in: U256,
    zero_for_one: bool,
) -> Result<SqrtPrice, UniswapV3Error> {
    if zero_for_one {
        next_from_amount0(price, liquidity, amount_in, true)
    } else {
        next_from_amount1(price, liquidity, amount_in, true)
    }
    .ok_or(UniswapV3Error::Unrepresentable {
        what: "sqrt price after an input of",
        value: amount_in,
        bits: 160,
    })
}

/// Returns the sqrt price (Q64.96) after the pool pays `amount_out` base units; rounded so that the
/// pool never takes too little.
///
/// Mirrors `SqrtPriceMath.getNextSqrtPriceFromOutput`. `zero_for_one`: the output is token1 and the
/// price falls.
///
/// # Errors
/// [`UniswapV3Error::OutputTooLarge`] when the liquidity cannot give it;
/// [`MathError::DivideByZero`] without liquidity or for a price of zero,
/// [`UniswapV3Error::Unrepresentable`] for a price beyond 160 bits.
pub fn next_sqrt_price_from_output(
    sqrt_price_x96: U256,
    liquidity: u128,
    amount_out: U256,
    zero_for_one: bool,
) -> Result<U256, UniswapV3Error> {
    let price = checked_price(sqrt_price_x96)?;
    if liquidity == 0 {
        return Err(MathError::DivideByZero { op: "liquidity" }.into());
    }
    next_from_output(price, liquidity, amount_out, zero_for_one).map(widen)
}

#[inline]
pub(super) fn next_from_output(
    price: SqrtPrice,
    liquidity: u128,
    amount_out: U256,
    zero_for_one: bool,
) -> Result<SqrtPrice, UniswapV3Error> {
    if zero_for_one {
        next_from_amount1(price, liquidity, amount_out, false)
    } else {
        next_from_amount0(price, liquidity, amount_out, false)
    }
    .ok_or(UniswapV3Error::OutputTooLarge {
        amount: amount_out,
        liquidity,
    })
}

#[cfg(test)]
#[expect(
    clippy::arithmetic_side_effects,
    reason = "oracles read best in plain operators; tests trap overflow"
)]
mod tests {
    use super::*;
    use crate::uniswap_v3::tick_math::{SQRT_RATIO_MAX, SQRT_RATIO_MIN};
    use basis_core::num::uint256::{mul_div_ceil, mul_div_floor};
    use proptest::prelude::*;

    const Q96: U256 = U256::from_limbs([0, 1 << 32, 0, 0]);

    fn price() -> impl Strategy<Value = U256> {
        (32_usize..160, any::<[u64; 3]>()).prop_map(|(bits, [a, b, c])| {
            let random = U256::from_limbs([a, b, c, 0]) >> (192 - bits - 1);
            random.clamp(SQRT_RATIO_MIN, SQRT_RATIO_MAX)
        })
    }

    fn liquidity() -> impl Strategy<Value = u128> {
        (0_u32..128, any::<u128>()).prop_map(|(shift, random)| (random >> shift).max(1))
    }

    fn amount() -> impl Strategy<Value = U256> {
        (0_usize..256, any::<[u64; 4]>())
            .prop_map(|(shift, limbs)| U256::from_limbs(limbs) >> shift)
    }

    /// Two divisions, as the contract writes it.
    fn amount0_by_definition(lower: U256, upper: U256, liquidity: u128, round_up: bool) -> U256 {
        let numerator = U256::from(liquidity) << 96_usize;
        if round_up {
            let inner = mul_div_ceil(numerator, upper.wrapping_sub(lower), upper).unwrap();
            inner.div_ceil(lower)
        } else {
            let inner = mul_div_floor(numerator, upper.wrapping_sub(lower), upper).unwrap();
            inner.wrapping_div(lower)
        }
    }

    fn next0_by_definition(price: U256, liquidity: u128, amount: U256, add: bool) -> Option<U256> {
        if amount.is_zero() {
            return Some(price);
        }
        let numerator = U256::from(liquidity) << 96_usize;
        let product = amount.checked_mul(price);
        if add {
            if let Some(denominator) = product.and_then(|p| numerator.checked_add(p)) {
                return mul_div_ceil(numerator, price, denominator).ok();
            }
            let divisor = numerator.wrapping_div(price).checked_add(amount)?;
            return Some(numerator.div_ceil(divisor));
        }
        let product = product.filter(|p| *p < numerator)?;
        mul_div_ceil(numerator, price, numerator.wrapping_sub(product))
            .ok()
            .filter(|next| next.bit_len() <= 160)
    }

    fn next1_by_definition(price: U256, liquidity: u128, amount: U256, add: bool) -> Option<U256> {
        let liquidity = U256::from(liquidity);
        if add {
            let next = price.checked_add(mul_div_floor(amount, Q96, liquidity).ok()?)?;
            return Some(next).filter(|next| next.bit_len() <= 160);
        }
        let quotient = mul_div_ceil(amount, Q96, liquidity).ok()?;
        (price > quotient).then(|| price.wrapping_sub(quotient))
    }

    #[test]
    fn amounts_of_one_unit_of_liquidity_round_for_the_pool() {
        let four = Q96 << 1;
        assert_eq!(amount0_delta(Q96, four, 1, false).unwrap(), U256::ZERO);
        assert_eq!(amount0_delta(four, Q96, 1, true).unwrap(), U256::ONE);
        assert_eq!(amount1_delta(Q96, four, 1, false).unwrap(), U256::ONE);
        let above = four.wrapping_add(U256::ONE);
        assert_eq!(
            amount1_delta(Q96, above, 1, true).unwrap(),
            U256::from(2_u8)
        );
        assert!(amount0_delta(U256::ZERO, Q96, 1, true).is_err());
        assert!(amount0_delta(U256::MAX, Q96, 1, true).is_err());
    }

    #[test]
    fn an_amount_that_divides_exactly_is_covered_by_itself_and_no_less() {
        // Doubling the sqrt price from 1 pays half the liquidity in token0.
        let (a, b) = (narrow(Q96), narrow(Q96 << 1));
        for round_up in [true, false] {
            let covers = |units: u64| covers_amount0(U256::from(units), a, b, 1000, round_up);
            assert_eq!([499, 500, 501].map(covers), [false, true, true]);
        }
    }

    #[test]
    fn more_output_than_the_range_holds_is_refused() {
        let refused = next_sqrt_price_from_output(Q96, 1000, U256::from(1000_u64), true);
        assert!(matches!(
            refused,
            Err(UniswapV3Error::OutputTooLarge {
                liquidity: 1000,
                ..
            })
        ));
        let refused = next_sqrt_price_from_output(Q96, 1000, U256::from(1000_u64), false);
        assert!(refused.is_err());
        assert!(next_sqrt_price_from_input(Q96, 0, U256::ONE, true).is_err());
        assert!(next_sqrt_price_from_input(Q96, 1, U256::ONE << 200, false).is_err());
    }

    proptest! {
        #[test]
        fn prop_one_division_equals_the_contracts_two(
            a in price(), b in price(), liquidity in liquidity(), amount in amount(), up: bool,
        ) {
            let (lower, upper) = if a > b { (b, a) } else { (a, b) };
            let expected = amount0_by_definition(lower, upper, liquidity, up);
            prop_assert_eq!(amount0_delta(a, b, liquidity, up).unwrap(), expected);
            for offered in [
                amount, expected, expected.saturating_sub(U256::ONE), expected.wrapping_add(U256::ONE),
            ] {
                let covers = covers_amount0(offered, narrow(a), narrow(b), liquidity, up);
                prop_assert_eq!(covers, offered >= expected);
            }
            let expected = if up {
                mul_div_ceil(U256::from(liquidity), upper.wrapping_sub(lower), Q96)
            } else {
                mul_div_floor(U256::from(liquidity), upper.wrapping_sub(lower), Q96)
            };
            prop_assert_eq!(amount1_delta(a, b, liquidity, up).unwrap(), expected.unwrap());
        }

        #[test]
        fn prop_next_prices_are_the_contracts(
            price in price(), liquidity in liquidity(), amount in amount(), add: bool,
        ) {
            let next = next_from_amount0(narrow(price), liquidity, amount, add).map(widen);
            prop_assert_eq!(next, next0_by_definition(price, liquidity, amount, add));
            let next = next_from_amount1(narrow(price), liquidity, amount, add).map(widen);
            prop_assert_eq!(next, next1_by_definition(price, liquidity, amount, add));
        }

        #[test]
        fn prop_a_move_by_an_input_takes_no_more_than_it(
            price in price(), liquidity in liquidity(), amount in amount(), zero_for_one: bool,
        ) {
            if let Ok(next) = next_sqrt_price_from_input(price, liquidity, amount, zero_for_one) {
                prop_assume!(!next.is_zero());
                let taken = if zero_for_one {
                    prop_assert!(next <= price);
                    amount0_delta(next, price, liquidity, true)
                } else {
                    prop_assert!(next >= price);
                    amount1_delta(next, price, liquidity, true)
                };
                prop_assert!(taken.unwrap() <= amount);
            }
        }

        #[test]
        fn prop_a_move_by_an_output_gives_at_least_it(
            price in price(), liquidity in liquidity(), amount in amount(), zero_for_one: bool,
        ) {
            if let Ok(next) = next_sqrt_price_from_output(price, liquidity, amount, zero_for_one) {
                let given = if zero_for_one {
                    amount1_delta(next, price, liquidity, false)
                } else {
                    amount0_delta(next, price, liquidity, false)
                };
                prop_assert!(given.unwrap() >= amount);
            }
        }
    }
}
