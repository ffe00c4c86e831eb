//! Ticks and their prices: `sqrt price = 1.0001^(tick / 2)`, as Q64.96.
//!
//! Mirrors `TickMath.sol` of v3-core 1.0.1. The price of a tick is the contract's own sequence of
//! truncated products. The tick of a price is defined by it (the greatest tick whose price is not
//! above), so it is found another way: a logarithm from a table and a short series, good to a
//! thousandth of a tick, and the tick's own price where the logarithm is closer than that to a
//! whole tick.

use ruint::Uint;

use super::UniswapV3Error;
use basis_core::num::U256;

/// The least tick.
pub const TICK_MIN: i32 = -887_272;
/// The greatest tick.
pub const TICK_MAX: i32 = 887_272;
/// The sqrt price of [`TICK_MIN`], Q64.96: 4295128739.
pub const SQRT_RATIO_MIN: U256 = U256::from_limbs([4_295_128_739, 0, 0, 0]);
/// The sqrt price of [`TICK_MAX`], Q64.96; a pool's price is always below it.
pub const SQRT_RATIO_MAX: U256 =
    U256::from_limbs([0x5d95_1d52_6398_8d26, 0xefd1_fc6a_5064_8849, 0xfffd_8963, 0]);

/// `2^128 / 1.0001^(2^i / 2)` for the bit `i` of a tick's magnitude, as the contract has them.
const RATIOS: [u128; 20] = [
    0xfffc_b933_bd6f_ad37_aa2d_162d_1a59_4001,
    0xfff9_7272_373d_4132_59a4_6990_580e_213a,
    0xfff2_e50f_5f65_6932_ef12_357c_f3c7_fdcc,
    0xffe5_caca_7e10_e4e6_1c36_24ea_a094_1cd0,
    0xffcb_9843_d60f_6159_c9db_5883_5c92_6644,
    0xff97_3b41_fa98_c081_472e_6896_dfb2_54c0,
    0xff2e_a164_66c9_6a38_43ec_78b3_26b5_2861,
    0xfe5d_ee04_6a99_a2a8_11c4_61f1_969c_3053,
    0xfcbe_86c7_900a_88ae_dcff_c83b_479a_a3a4,
    0xf987_a725_3ac4_1317_6f2b_074c_f781_5e54,
    0xf339_2b08_22b7_0005_940c_7a39_8e4b_70f3,
    0xe715_9475_a2c2_9b74_43b2_9c7f_a6e8_89d9,
    0xd097_f3bd_fd20_22b8_845a_d8f7_92aa_5825,
    0xa9f7_4646_2d87_0fdf_8a65_dc1f_90e0_61e5,
    0x70d8_69a1_56d2_a1b8_90bb_3df6_2baf_32f7,
    0x31be_135f_97d0_8fd9_8123_1505_542f_cfa6,
    0x09aa_508b_5b7a_84e1_c677_de54_f3e9_9bc9,
    0x005d_6af8_dedb_8119_6699_c329_225e_e604,
    0x0000_2216_e584_f5fa_1ea9_2604_1bed_fe98,
    0x0000_0000_048a_1703_91f7_dc42_444e_8fa2,
];

/// Bits of a tick's magnitude whose product is tabulated.
const LOW_BITS: u32 = 8;

/// The contract's running product after the lowest [`LOW_BITS`] bits, for magnitudes 1 and above;
/// entry 0 stands for 2^128, which does not fit, and is never read as a product.
const LOW_PRODUCTS: [u128; 1 << LOW_BITS] = low_products();

#[expect(
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    reason = "evaluated by the compiler, which refuses a wrong index"
)]
const fn low_products() -> [u128; 1 << LOW_BITS] {
    let mut products = [0; 1 << LOW_BITS];
    let mut magnitude = 1;
    while magnitude < products.len() {
        let mut product = 0;
        let mut bit = 0;
        while bit < LOW_BITS {
            if magnitude & (1 << bit) != 0 {
                let ratio = RATIOS[bit as usize];
                product = if product == 0 {
                    ratio
                } else {
                    mul_high(product, ratio)
                };
            }
            bit += 1;
        }
        products[magnitude] = product;
        magnitude += 1;
    }
    products
}

/// The upper 128 bits of `a × b`.
#[inline]
const fn mul_high(a: u128, b: u128) -> u128 {
    const LOW: u128 = u64::MAX as u128;
    // Each product of two halves is at most (2^64 − 1)², so one more half fits beside it.
    let low = (a & LOW).wrapping_mul(b & LOW) >> 64;
    let middle = (a >> 64).wrapping_mul(b & LOW).wrapping_add(low);
    let other = (a & LOW).wrapping_mul(b >> 64).wrapping_add(middle & LOW);
    (a >> 64)
        .wrapping_mul(b >> 64)
        .wrapping_add(middle >> 64)
        .wrapping_add(other >> 64)
}

/// Returns the sqrt price of `tick`, Q64.96, rounded up.
///
/// Mirrors `TickMath.getSqrtRatioAtTick`.
///
/// # Errors
/// [`UniswapV3Error::TickOutOfRange`] ("T") beyond [`TICK_MIN`] and [`TICK_MAX`].
///
/// # Examples
/// ```
/// use basis_core::num::U256;
/// use basis_protocols::uniswap_v3::sqrt_ratio_at_tick;
///
/// assert_eq!(sqrt_ratio_at_tick(0)?, U256::ONE << 96);
/// # Ok::<(), basis_protocols::uniswap_v3::UniswapV3Error>(())
/// ```
#[inline]
pub fn sqrt_ratio_at_tick(tick: i32) -> Result<U256, UniswapV3Error> {
    if tick.unsigned_abs() > TICK_MAX.unsigned_abs() {
        return Err(UniswapV3Error::TickOutOfRange {
            tick,
            max: TICK_MAX,
        });
    }
    Ok(ratio_of(tick))
}

/// [`sqrt_ratio_at_tick`] of a tick known to be in range.
#[inline]
pub(super) fn ratio_of(tick: i32) -> U256 {
    let magnitude = tick.unsigned_abs();
    let low = magnitude & ((1 << LOW_BITS) - 1);
    let mut product = LOW_PRODUCTS.get(low as usize).copied().unwrap_or_default();
    let mut rest = magnitude >> LOW_BITS;
    for ratio in RATIOS.iter().skip(LOW_BITS as usize) {
        if rest == 0 {
            break;
        }
        if rest & 1 != 0 {
            // 0 is 2^128 here: times the ratio, divided by 2^128.
            product = if product == 0 {
                *ratio
            } else {
                mul_high(product, *ratio)
            };
        }
        rest >>= 1;
    }
    if product == 0 {
        return U256::from_limbs([0, 1 << 32, 0, 0]);
    }
    if tick < 0 {
        let up = u128::from(product.trailing_zeros() < 32);
        return U256::from((product >> 32).wrapping_add(up));
    }
    reciprocal_q96(product)
}

/// `(2^256 − 1) / product`, from Q128 to Q96 rounded up.
#[inline]
fn reciprocal_q96(product: u128) -> U256 {
    let ratio = U256::MAX.wrapping_div(U256::from(product));
    let [lowest, ..] = *ratio.as_limbs();
    let up = u64::from(lowest.trailing_zeros() < 32);
    ratio.wrapping_shr(32).wrapping_add(U256::from(up))
}

/// Returns the greatest tick whose sqrt price is not above `sqrt_price_x96`.
///
/// Mirrors `TickMath.getTickAtSqrtRatio`.
///
/// # Errors
/// [`UniswapV3Error::SqrtPriceOutOfRange`] ("R") below [`SQRT_RATIO_MIN`] or not below
/// [`SQRT_RATIO_MAX`].
#[inline]
pub fn tick_at_sqrt_ratio(sqrt_price_x96: U256) -> Result<i32, UniswapV3Error> {
    if sqrt_price_x96 < SQRT_RATIO_MIN || sqrt_price_x96 >= SQRT_RATIO_MAX {
        return Err(UniswapV3Error::SqrtPriceOutOfRange {
            sqrt_price_x96,
            min_x96: SQRT_RATIO_MIN,
            end_x96: SQRT_RATIO_MAX,
        });
    }
    Ok(tick_of(sqrt_price_x96))
}

/// Fraction bits of the logarithm in ticks that [`log_ticks`] returns.
const TICK_FRACTION_BITS: u32 = 31;

/// How far the logarithm may be from the contract's own prices, in units of
/// `2^-`[`TICK_FRACTION_BITS`] ticks: 2^-11 ticks. The series errs by less than 2^-22, but the
/// least prices have only 32 bits, whose rounding is worth 2^-17 ticks.
const TICK_UNCERTAINTY: i64 = 1 << 20;

/// [`tick_at_sqrt_ratio`] of a price known to be in range.
#[inline]
pub(super) fn tick_of(sqrt_price_x96: U256) -> i32 {
    let ticks = log_ticks(sqrt_price_x96);
    let low = whole_tick(ticks.wrapping_sub(TICK_UNCERTAINTY));
    let high = whole_tick(ticks.wrapping_add(TICK_UNCERTAINTY));
    if low == high || high > TICK_MAX {
        return low;
    }
    if low < TICK_MIN || ratio_of(high) <= sqrt_price_x96 {
        high
    } else {
        low
    }
}

#[expect(
    clippy::cast_possible_truncation,
    reason = "a price in range has fewer than 2^20 ticks"
)]
const fn whole_tick(ticks: i64) -> i32 {
    (ticks >> TICK_FRACTION_BITS) as i32
}

/// Bits that choose the entry of the logarithm's table.
const LOG_INDEX_BITS: u32 = 7;

/// For each `c = 1 + i/128`: `2^63 / c` rounded up, and `log2(c)` with 55 fraction bits.
const LOG_TABLE: [(u64, i64); 1 << LOG_INDEX_BITS] = log_table();

#[expect(
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    clippy::cast_possible_truncation,
    reason = "evaluated by the compiler, which refuses a wrong index or an overflow"
)]
const fn log_table() -> [(u64, i64); 1 << LOG_INDEX_BITS] {
    let mut table = [(0, 0); 1 << LOG_INDEX_BITS];
    let mut index = 0;
    while index < table.len() {
        let numerator = (index + (1 << LOG_INDEX_BITS)) as u128;
        let inverse = ((1_u128 << (63 + LOG_INDEX_BITS)) - 1) / numerator + 1;
        // The binary digits of a logarithm: square, and note each time the square passes 2.
        let mut power = numerator << (63 - LOG_INDEX_BITS);
        let mut log = 0_i64;
        let mut bit = 0;
        while bit < LOG_FRACTION_BITS {
            power = (power * power) >> 63;
            log <<= 1;
            if power >= 1 << 64 {
                power >>= 1;
                log += 1;
            }
            bit += 1;
        }
        table[index] = (inverse as u64, log);
        index += 1;
    }
    table
}

/// Fraction bits of a base-2 logarithm.
const LOG_FRACTION_BITS: u32 = 55;
/// `log2(e)` with 62 fraction bits.
const LOG2_E_X62: u64 = 0x5c55_1d94_ae0b_f85d;
/// `1 / log2(sqrt(1.0001))`, ticks per doubling of the sqrt price, with 40 fraction bits.
const TICKS_PER_LOG2_X40: i128 = 15_243_229_806_399_573;

/// The logarithm of a price to base `sqrt(1.0001)`, with [`TICK_FRACTION_BITS`] fraction bits.
///
/// The 64 leading bits `m` of the price are brought near 1 by a tabulated inverse; what remains is
/// `1 + z` with `z < 2^-7`, whose logarithm four terms of the series give to 2^-37.
#[inline]
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_possible_wrap,
    clippy::arithmetic_side_effects,
    reason = "z < 2^-7 and its powers fit their fixed point; a logarithm is below 2^8"
)]
fn log_ticks(sqrt_price_x96: U256) -> i64 {
    let bits = sqrt_price_x96.bit_len();
    let leading = if bits >= 64 {
        sqrt_price_x96 >> (bits - 64)
    } else {
        sqrt_price_x96 << (64 - bits)
    };
    let [mantissa, ..] = *leading.as_limbs();
    let index = (mantissa >> (63 - LOG_INDEX_BITS)) & ((1 << LOG_INDEX_BITS) - 1);
    let (inverse, log_entry) = LOG_TABLE.get(index as usize).copied().unwrap_or_default();
    // m × inverse is 1 + z with 126 fraction bits; z keeps 62.
    let near_one = (u128::from(mantissa) * u128::from(inverse)) >> 64;
    let z = near_one as u64 - (1 << 62);
    let times_z = |x: u64| ((u128::from(x) * u128::from(z)) >> 62) as u64;
    let (z2, z3, z4) = {
        let z2 = times_z(z);
        (z2, times_z(z2), times_z(times_z(z2)))
    };
    let natural = z - z2 / 2 + z3 / 3 - z4 / 4;
    let log_rest = (u128::from(natural) * u128::from(LOG2_E_X62)) >> (124 - LOG_FRACTION_BITS);
    let whole = (bits as i64 - 1 - 96) << LOG_FRACTION_BITS;
    let log2 = whole + log_entry + log_rest as i64;
    let ticks = i128::from(log2) * TICKS_PER_LOG2_X40;
    (ticks >> (LOG_FRACTION_BITS + 40 - TICK_FRACTION_BITS)) as i64
}

/// The 192 low bits of a price, which has at most 160.
#[inline]
pub(super) const fn narrow(sqrt_price_x96: U256) -> Uint<192, 3> {
    let [a, b, c, _] = *sqrt_price_x96.as_limbs();
    Uint::from_limbs([a, b, c])
}

/// A 160-bit number with the limbs of 256.
#[inline]
pub(super) const fn widen(number: Uint<192, 3>) -> U256 {
    let [a, b, c] = *number.as_limbs();
    U256::from_limbs([a, b, c, 0])
}

#[cfg(test)]
#[expect(
    clippy::arithmetic_side_effects,
    reason = "oracles read best in plain operators; tests trap overflow"
)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// The product bit by bit, as the contract writes it.
    fn ratio_by_definition(tick: i32) -> U256 {
        let magnitude = tick.unsigned_abs();
        let mut ratio = U256::ONE << 128_usize;
        for (bit, factor) in RATIOS.iter().enumerate() {
            if magnitude >> bit & 1 == 1 {
                ratio = ratio.wrapping_mul(U256::from(*factor)) >> 128_usize;
            }
        }
        if tick > 0 {
            ratio = U256::MAX / ratio;
        }
        (ratio + U256::from(u32::MAX)) >> 32_usize
    }

    fn price(text: &str) -> U256 {
        text.parse().unwrap()
    }

    #[test]
    fn the_bounds_are_the_contracts() {
        assert_eq!(sqrt_ratio_at_tick(TICK_MIN).unwrap(), SQRT_RATIO_MIN);
        assert_eq!(sqrt_ratio_at_tick(TICK_MAX).unwrap(), SQRT_RATIO_MAX);
        assert_eq!(
            SQRT_RATIO_MAX,
            price("1461446703485210103287273052203988822378723970342")
        );
        assert_eq!(tick_at_sqrt_ratio(SQRT_RATIO_MIN).unwrap(), TICK_MIN);
        assert_eq!(
            tick_at_sqrt_ratio(SQRT_RATIO_MAX - U256::ONE).unwrap(),
            TICK_MAX - 1
        );
        let codes = [
            sqrt_ratio_at_tick(TICK_MAX + 1).unwrap_err().code(),
            sqrt_ratio_at_tick(i32::MIN).unwrap_err().code(),
            tick_at_sqrt_ratio(SQRT_RATIO_MAX).unwrap_err().code(),
            tick_at_sqrt_ratio(SQRT_RATIO_MIN - U256::ONE)
                .unwrap_err()
                .code(),
        ];
        assert_eq!(codes, [Some("T"), Some("T"), Some("R"), Some("R")]);
    }

    #[test]
    fn ticks_and_prices_are_inverse_over_the_whole_range() {
        // A stride prime to every power of two visits all bit patterns; near zero and at the
        // ends every tick is visited.
        let ends = (TICK_MIN..TICK_MIN + 400).chain(TICK_MAX - 400..TICK_MAX);
        let ticks = (TICK_MIN..TICK_MAX)
            .step_by(53)
            .chain(-600..600)
            .chain(ends);
        for tick in ticks {
            let ratio = ratio_of(tick);
            assert_eq!(ratio, ratio_by_definition(tick), "tick {tick}");
            assert_eq!(tick_of(ratio), tick, "at the price of tick {tick}");
            if tick > TICK_MIN {
                assert_eq!(tick_of(ratio - U256::ONE), tick - 1, "below tick {tick}");
            }
        }
    }

    proptest! {
        #[test]
        fn prop_a_price_lies_between_its_tick_and_the_next(bits in 32_u32..160, limbs: [u64; 3]) {
            let [a, b, c] = limbs;
            let random = U256::from_limbs([a, b, c, 0]) >> (192 - bits - 1);
            let price = random.clamp(SQRT_RATIO_MIN, SQRT_RATIO_MAX - U256::ONE);
            let tick = tick_at_sqrt_ratio(price).unwrap();
            prop_assert!(ratio_by_definition(tick) <= price);
            prop_assert!(price < ratio_by_definition(tick + 1));
        }
    }
}
