//! The contract's arithmetic: checked 256-bit integers, wad products and shares.
//!
//! Mirrors `MathLib`, `SharesMathLib` and `UtilsLib` of Morpho Blue 1.0.0. Products are taken in 256
//! bits as the contract takes them: one that does not fit is a panic, not a wider intermediate.

use super::refusal::Refusal;
use basis_core::num::U256;

/// One in wad: 1e18.
pub const WAD: U256 = U256::from_limbs([1_000_000_000_000_000_000, 0, 0, 0]);

/// One in the oracle's scale: 1e36 loan units per collateral unit.
pub const ORACLE_PRICE_SCALE: U256 =
    U256::from_limbs([0xb34b_9f10_0000_0000, 0x00c0_97ce_7bc9_0715, 0, 0]);

/// Shares every market is born with and nobody owns: 1e6.
const VIRTUAL_SHARES: u128 = 1_000_000;

/// Assets that back [`VIRTUAL_SHARES`]: one base unit.
const VIRTUAL_ASSETS: u128 = 1;

/// The largest share of interest that may go to the fee recipient: 25 %, in wad.
pub const FEE_MAX_WAD: u128 = 250_000_000_000_000_000;

/// Returns the value when it fits 128 bits.
#[inline]
pub(super) fn low_128(value: U256) -> Option<u128> {
    let [low, high, third, fourth] = value.into_limbs();
    (third | fourth == 0).then(|| u128::from(low) | (u128::from(high) << 64))
}

/// Returns `a + b`.
///
/// # Errors
/// [`Refusal::ArithmeticPanic`] when the sum does not fit 256 bits.
#[inline]
pub(super) fn add(a: U256, b: U256) -> Result<U256, Refusal> {
    a.checked_add(b).ok_or(Refusal::ArithmeticPanic)
}

/// Returns `a − b`.
///
/// # Errors
/// [`Refusal::ArithmeticPanic`] when `b` is the greater.
#[inline]
pub(super) fn sub(a: U256, b: U256) -> Result<U256, Refusal> {
    a.checked_sub(b).ok_or(Refusal::ArithmeticPanic)
}

/// Adds to a 128-bit slot of storage.
#[inline]
pub(super) fn add_128(a: u128, b: u128) -> Result<u128, Refusal> {
    a.checked_add(b).ok_or(Refusal::ArithmeticPanic)
}

/// Takes from a 128-bit slot of storage.
#[inline]
pub(super) fn sub_128(a: u128, b: u128) -> Result<u128, Refusal> {
    a.checked_sub(b).ok_or(Refusal::ArithmeticPanic)
}

/// Mirrors `UtilsLib.toUint128`.
///
/// # Errors
/// [`Refusal::MaxUint128Exceeded`].
#[inline]
pub(super) fn to_u128(value: U256) -> Result<u128, Refusal> {
    low_128(value).ok_or(Refusal::MaxUint128Exceeded)
}

/// Returns `x × y ÷ d`, rounded down. Mirrors `MathLib.mulDivDown`.
///
/// # Errors
/// [`Refusal::ArithmeticPanic`] when the product does not fit 256 bits; [`Refusal::DivisionPanic`]
/// for a zero divisor.
#[inline]
pub fn mul_div_down(x: U256, y: U256, d: U256) -> Result<U256, Refusal> {
    if let (Some(x), Some(y), Some(d)) = (low_128(x), low_128(y), low_128(d))
        && let Some(product) = x.checked_mul(y)
        && let Some(quotient) = product.checked_div(d)
    {
        return Ok(U256::from(quotient));
    }
    let product = x.checked_mul(y).ok_or(Refusal::ArithmeticPanic)?;
    product.checked_div(d).ok_or(Refusal::DivisionPanic)
}

/// Returns `x × y ÷ d`, rounded up. Mirrors `MathLib.mulDivUp`.
///
/// # Errors
/// [`Refusal::ArithmeticPanic`] when `x × y + d − 1` does not fit 256 bits, and for a zero divisor,
/// which the contract decrements before it divides.
#[inline]
pub fn mul_div_up(x: U256, y: U256, d: U256) -> Result<U256, Refusal> {
    if let (Some(x), Some(y), Some(d)) = (low_128(x), low_128(y), low_128(d))
        && let Some(below) = d.checked_sub(1)
        && let Some(numerator) = x.checked_mul(y).and_then(|p| p.checked_add(below))
        && let Some(quotient) = numerator.checked_div(d)
    {
        return Ok(U256::from(quotient));
    }
    let product = x.checked_mul(y).ok_or(Refusal::ArithmeticPanic)?;
    let numerator = add(product, sub(d, U256::ONE)?)?;
    numerator.checked_div(d).ok_or(Refusal::DivisionPanic)
}

/// Returns `x × y`, both or one in wad, rounded down. Mirrors `MathLib.wMulDown`.
///
/// # Errors
/// As [`mul_div_down`].
#[inline]
pub fn w_mul_down(x: U256, y: U256) -> Result<U256, Refusal> {
    mul_div_down(x, y, WAD)
}

/// Returns `x ÷ y` in wad, rounded down. Mirrors `MathLib.wDivDown`.
///
/// # Errors
/// As [`mul_div_down`].
#[inline]
pub fn w_div_down(x: U256, y: U256) -> Result<U256, Refusal> {
    mul_div_down(x, WAD, y)
}

/// Returns `x ÷ y` in wad, rounded up. Mirrors `MathLib.wDivUp`.
///
/// # Errors
/// As [`mul_div_up`].
#[inline]
pub fn w_div_up(x: U256, y: U256) -> Result<U256, Refusal> {
    mul_div_up(x, WAD, y)
}

/// Returns e^(x·n) − 1 in wad by the first three terms of its Taylor series, each rounded down, so
/// that interest is never overstated. `x` is a rate per second in wad, `n` a number of seconds.
///
/// Mirrors `MathLib.wTaylorCompounded`.
///
/// # Errors
/// [`Refusal::ArithmeticPanic`] when a term does not fit 256 bits.
#[inline]
pub fn w_taylor_compounded(x: U256, n: u64) -> Result<U256, Refusal> {
    const TWO_WAD: U256 = U256::from_limbs([2_000_000_000_000_000_000, 0, 0, 0]);
    const THREE_WAD: U256 = U256::from_limbs([3_000_000_000_000_000_000, 0, 0, 0]);
    let first = x
        .checked_mul(U256::from(n))
        .ok_or(Refusal::ArithmeticPanic)?;
    let second = mul_div_down(first, first, TWO_WAD)?;
    let third = mul_div_down(second, first, THREE_WAD)?;
    add(add(first, second)?, third)
}

/// Total shares with the virtual ones, and total assets with the virtual one.
#[inline]
fn virtual_totals(total_assets: u128, total_shares: u128) -> (U256, U256) {
    // 128-bit totals leave room for both additions in 256 bits.
    let assets = U256::from(total_assets).wrapping_add(U256::from(VIRTUAL_ASSETS));
    let shares = U256::from(total_shares).wrapping_add(U256::from(VIRTUAL_SHARES));
    (assets, shares)
}

/// Returns the shares that `assets` base units are worth, rounded down. Mirrors
/// `SharesMathLib.toSharesDown`.
///
/// # Errors
/// As [`mul_div_down`].
#[inline]
pub fn to_shares_down(
    assets: U256,
    total_assets: u128,
    total_shares: u128,
) -> Result<U256, Refusal> {
    let (total_assets, total_shares) = virtual_totals(total_assets, total_shares);
    mul_div_down(assets, total_shares, total_assets)
}

/// Returns the base units that `shares` are worth, rounded down. Mirrors
/// `SharesMathLib.toAssetsDown`.
///
/// # Errors
/// As [`mul_div_down`].
#[inline]
pub fn to_assets_down(
    shares: U256,
    total_assets: u128,
    total_shares: u128,
) -> Result<U256, Refusal> {
    let (total_assets, total_shares) = virtual_totals(total_assets, total_shares);
    mul_div_down(shares, total_assets, total_shares)
}

/// Returns the shares that `assets` base units are worth, rounded up. Mirrors
/// `SharesMathLib.toSharesUp`.
///
/// # Errors
/// As [`mul_div_up`].
#[inline]
pub fn to_shares_up(assets: U256, total_assets: u128, total_shares: u128) -> Result<U256, Refusal> {
    let (total_assets, total_shares) = virtual_totals(total_assets, total_shares);
    mul_div_up(assets, total_shares, total_assets)
}

/// Returns the base units that `shares` are worth, rounded up. Mirrors `SharesMathLib.toAssetsUp`.
///
/// # Errors
/// As [`mul_div_up`].
#[inline]
pub fn to_assets_up(shares: U256, total_assets: u128, total_shares: u128) -> Result<U256, Refusal> {
    let (total_assets, total_shares) = virtual_totals(total_assets, total_shares);
    mul_div_up(shares, total_assets, total_shares)
}

/// Returns the wad factor by which a liquidator's collateral exceeds what was repaid: the lesser of
/// 1.15 and 1 ÷ (1 − 0.3 × (1 − `lltv_wad`)).
///
/// Mirrors the first lines of `Morpho.liquidate`.
///
/// # Errors
/// [`Refusal::ArithmeticPanic`] for a loan-to-value above 100 %.
pub fn liquidation_incentive_factor(lltv_wad: U256) -> Result<U256, Refusal> {
    const CURSOR: U256 = U256::from_limbs([300_000_000_000_000_000, 0, 0, 0]);
    const FACTOR_MAX: U256 = U256::from_limbs([1_150_000_000_000_000_000, 0, 0, 0]);
    let discount = w_mul_down(CURSOR, sub(WAD, lltv_wad)?)?;
    Ok(FACTOR_MAX.min(w_div_down(WAD, sub(WAD, discount)?)?))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn wide(limbs: [u64; 4], bits: usize) -> U256 {
        U256::from_limbs(limbs) >> bits
    }

    #[test]
    fn the_oracle_scale_is_a_power_of_ten() {
        assert_eq!(ORACLE_PRICE_SCALE, U256::from(10_u8).pow(U256::from(36_u8)));
    }

    #[test]
    fn products_beyond_256_bits_panic_even_when_the_quotient_fits() {
        assert_eq!(
            mul_div_down(U256::MAX, WAD, WAD),
            Err(Refusal::ArithmeticPanic)
        );
        assert_eq!(
            mul_div_up(U256::MAX, U256::ONE, WAD),
            Err(Refusal::ArithmeticPanic)
        );
    }

    #[test]
    fn a_zero_divisor_panics_as_the_contract_does() {
        assert_eq!(w_div_down(WAD, U256::ZERO), Err(Refusal::DivisionPanic));
        assert_eq!(w_div_up(WAD, U256::ZERO), Err(Refusal::ArithmeticPanic));
    }

    #[test]
    fn a_first_supplier_gets_a_million_shares_a_unit() {
        let million = U256::from(1_000_000_u64);
        assert_eq!(to_shares_down(U256::ONE, 0, 0), Ok(million));
        assert_eq!(to_assets_up(million, 0, 0), Ok(U256::ONE));
        assert_eq!(
            to_assets_down(U256::from(999_999_u64), 0, 0),
            Ok(U256::ZERO)
        );
        assert_eq!(to_shares_up(U256::ONE, 2, 0), Ok(U256::from(333_334_u64)));
    }

    #[test]
    fn one_percent_compounds_by_three_terms() {
        let rate = U256::from(10_000_000_000_000_000_u64);
        let grown = w_taylor_compounded(rate, 1).unwrap();
        assert_eq!(grown, U256::from(10_050_166_666_666_666_u64));
    }

    #[test]
    fn the_incentive_falls_with_the_loan_to_value_and_is_capped() {
        let factor = |lltv: u64| liquidation_incentive_factor(U256::from(lltv)).unwrap();
        assert_eq!(
            factor(860_000_000_000_000_000),
            U256::from(1_043_841_336_116_910_229_u64)
        );
        assert_eq!(factor(0), U256::from(1_150_000_000_000_000_000_u64));
        assert!(liquidation_incentive_factor(WAD + U256::ONE).is_err());
    }

    proptest! {
        #[test]
        fn prop_the_short_path_equals_the_long_one(
            x: [u64; 4], y: [u64; 4], d: [u64; 4], a in 0_usize..256, b in 0_usize..256, c in 0_usize..256,
        ) {
            let (x, y, d) = (wide(x, a), wide(y, b), wide(d, c));
            let down = match x.checked_mul(y) {
                None => Err(Refusal::ArithmeticPanic),
                Some(p) => p.checked_div(d).ok_or(Refusal::DivisionPanic),
            };
            prop_assert_eq!(mul_div_down(x, y, d), down);
            let up = x
                .checked_mul(y)
                .and_then(|p| d.checked_sub(U256::ONE).and_then(|e| p.checked_add(e)))
                .map(|n| n.wrapping_div(d))
                .ok_or(Refusal::ArithmeticPanic);
            prop_assert_eq!(mul_div_up(x, y, d), up);
        }

        #[test]
        fn prop_shares_and_back_never_gain(assets: u64, total_assets: u64, total_shares: u128) {
            let (ta, ts) = (u128::from(total_assets), total_shares >> 40);
            let assets = U256::from(assets);
            let shares = to_shares_down(assets, ta, ts).unwrap();
            prop_assert!(to_assets_down(shares, ta, ts).unwrap() <= assets);
            let owed = to_shares_up(assets, ta, ts).unwrap();
            prop_assert!(to_assets_up(owed, ta, ts).unwrap() >= assets);
            prop_assert!(shares <= owed && owed - shares <= U256::ONE);
        }
    }
}
