//! The initialized ticks of a pool, sorted.
//!
//! The contract finds the next tick in a bitmap, one word of 256 spaced ticks at a time, and a swap
//! that meets no tick stops at the word's end. The stop is visible in the result (amounts round once
//! more), so it is kept; the bitmap is not: a cursor into the sorted ticks finds the next one without
//! looking. What a quote reads (place, price, net liquidity) lies together and apart from what only a
//! mutation reads, and both are shared between snapshots until one of them changes.

use std::sync::Arc;

use super::UniswapV3Error;
use super::sqrt_price::SqrtPrice;
use super::tick_math::{TICK_MAX, narrow, ratio_of};
use basis_core::num::U256;

/// What the pool knows of one initialized tick.
///
/// `Tick.Info` of the contract without its oracle fields.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct TickInfo {
    /// Liquidity of all positions that begin or end here.
    pub liquidity_gross: u128,
    /// Liquidity added when the price crosses upward, and removed when it crosses downward.
    pub liquidity_net: i128,
    /// Fee growth of token0 on the other side of the tick, Q128.128; only differences have meaning,
    /// and they wrap.
    pub fee_growth_outside0_x128: U256,
    /// The same of token1.
    pub fee_growth_outside1_x128: U256,
}

/// What a quote reads of a tick.
#[derive(Clone, Copy, Debug)]
pub(super) struct Stop {
    /// The tick divided by the spacing.
    pub(super) compressed: i32,
    pub(super) tick: i32,
    pub(super) sqrt_price: SqrtPrice,
    pub(super) liquidity_net: i128,
}

/// What only a mutation reads of a tick.
#[derive(Clone, Copy, Debug)]
struct Rest {
    liquidity_gross: u128,
    fee_growth_outside0_x128: U256,
    fee_growth_outside1_x128: U256,
}

/// Initialized ticks in ascending order; both lists have one entry for each.
#[derive(Clone, Debug, Default)]
pub(super) struct Ticks {
    stops: Arc<Vec<Stop>>,
    rests: Arc<Vec<Rest>>,
}

impl Ticks {
    /// How many initialized ticks are at or below `tick`.
    #[inline]
    pub(super) fn count_to(&self, tick: i32) -> usize {
        self.stops.partition_point(|stop| stop.tick <= tick)
    }

    /// The initialized tick at place `at` of the ascending order.
    #[inline]
    pub(super) fn stop(&self, at: usize) -> Option<&Stop> {
        self.stops.get(at)
    }

    /// All ticks, ascending.
    pub(super) fn iter(&self) -> impl Iterator<Item = (i32, TickInfo)> + '_ {
        let pairs = self.stops.iter().zip(self.rests.iter());
        pairs.map(|(stop, rest)| (stop.tick, info_of(stop, rest)))
    }

    /// What is known of `tick`; `None` when it is not initialized.
    pub(super) fn get(&self, tick: i32) -> Option<TickInfo> {
        let at = self.place(tick).ok()?;
        let (stop, rest) = (self.stops.get(at)?, self.rests.get(at)?);
        Some(info_of(stop, rest))
    }

    /// Writes `info`; without gross liquidity the tick is removed, as the contract clears it. The
    /// tick is a multiple of the spacing, which is above zero.
    pub(super) fn set(&mut self, tick: i32, tick_spacing: i32, info: &TickInfo) {
        let place = self.place(tick);
        let stops = Arc::make_mut(&mut self.stops);
        let rests = Arc::make_mut(&mut self.rests);
        if info.liquidity_gross == 0 {
            if let Ok(at) = place {
                stops.remove(at);
                rests.remove(at);
            }
            return;
        }
        let stop = Stop {
            compressed: tick.div_euclid(tick_spacing),
            tick,
            sqrt_price: narrow(ratio_of(tick)),
            liquidity_net: info.liquidity_net,
        };
        let rest = Rest {
            liquidity_gross: info.liquidity_gross,
            fee_growth_outside0_x128: info.fee_growth_outside0_x128,
            fee_growth_outside1_x128: info.fee_growth_outside1_x128,
        };
        match place {
            Ok(at) => {
                if let (Some(old_stop), Some(old_rest)) = (stops.get_mut(at), rests.get_mut(at)) {
                    (*old_stop, *old_rest) = (stop, rest);
                }
            }
            Err(at) => {
                stops.insert(at, stop);
                rests.insert(at, rest);
            }
        }
    }

    /// Turns the fee growth outside the ticks at `places` over: each is crossed with its pair of
    /// global fee growths (token0, token1).
    ///
    /// Mirrors the part of `Tick.cross` that writes.
    pub(super) fn cross(&mut self, crossings: impl Iterator<Item = (usize, U256, U256)>) {
        let rests = Arc::make_mut(&mut self.rests);
        for (at, global0_x128, global1_x128) in crossings {
            if let Some(rest) = rests.get_mut(at) {
                rest.fee_growth_outside0_x128 =
                    global0_x128.wrapping_sub(rest.fee_growth_outside0_x128);
                rest.fee_growth_outside1_x128 =
                    global1_x128.wrapping_sub(rest.fee_growth_outside1_x128);
            }
        }
    }

    fn place(&self, tick: i32) -> Result<usize, usize> {
        self.stops.binary_search_by_key(&tick, |stop| stop.tick)
    }
}

fn info_of(stop: &Stop, rest: &Rest) -> TickInfo {
    TickInfo {
        liquidity_gross: rest.liquidity_gross,
        liquidity_net: stop.liquidity_net,
        fee_growth_outside0_x128: rest.fee_growth_outside0_x128,
        fee_growth_outside1_x128: rest.fee_growth_outside1_x128,
    }
}

impl TickInfo {
    /// The tick after `liquidity_delta` is added at it, `upper` saying which end of a range it is.
    ///
    /// Mirrors `Tick.update`. `self` is the default for a tick that is not initialized.
    pub(super) fn updated(
        mut self,
        tick: i32,
        upper: bool,
        liquidity_delta: i128,
        pool: &TickContext,
    ) -> Result<Self, UniswapV3Error> {
        let gross = add_delta(self.liquidity_gross, liquidity_delta)?;
        if gross > pool.max_liquidity {
            return Err(UniswapV3Error::LiquidityPerTick {
                tick,
                gross,
                max: pool.max_liquidity,
            });
        }
        // By convention all growth before a tick's first use happened below it.
        if self.liquidity_gross == 0 && tick <= pool.tick_current {
            self.fee_growth_outside0_x128 = pool.fee_growth_global0_x128;
            self.fee_growth_outside1_x128 = pool.fee_growth_global1_x128;
        }
        self.liquidity_gross = gross;
        let net = if upper {
            self.liquidity_net.checked_sub(liquidity_delta)
        } else {
            self.liquidity_net.checked_add(liquidity_delta)
        };
        self.liquidity_net = net.ok_or(UniswapV3Error::Unrepresentable {
            what: "net liquidity of a tick after a change of",
            value: U256::from(liquidity_delta.unsigned_abs()),
            bits: 127,
        })?;
        Ok(self)
    }
}

/// What a tick's update reads of the pool.
#[derive(Clone, Copy, Debug)]
pub(super) struct TickContext {
    pub(super) tick_current: i32,
    pub(super) fee_growth_global0_x128: U256,
    pub(super) fee_growth_global1_x128: U256,
    pub(super) max_liquidity: u128,
}

/// Fee growth of both tokens inside a range, Q128.128, wrapping.
///
/// Mirrors `Tick.getFeeGrowthInside`; a tick that is not initialized counts as all zero.
pub(super) fn fee_growth_inside(
    (lower, lower_info): (i32, &TickInfo),
    (upper, upper_info): (i32, &TickInfo),
    pool: &TickContext,
) -> (U256, U256) {
    let inside = |global: U256, lower_outside: U256, upper_outside: U256| {
        let below = if pool.tick_current >= lower {
            lower_outside
        } else {
            global.wrapping_sub(lower_outside)
        };
        let above = if pool.tick_current < upper {
            upper_outside
        } else {
            global.wrapping_sub(upper_outside)
        };
        global.wrapping_sub(below).wrapping_sub(above)
    };
    (
        inside(
            pool.fee_growth_global0_x128,
            lower_info.fee_growth_outside0_x128,
            upper_info.fee_growth_outside0_x128,
        ),
        inside(
            pool.fee_growth_global1_x128,
            lower_info.fee_growth_outside1_x128,
            upper_info.fee_growth_outside1_x128,
        ),
    )
}

/// Returns the most liquidity that may begin or end at one tick of a pool with `tick_spacing`
/// (above 0): what keeps the sum over all ticks within 128 bits.
///
/// Mirrors `Tick.tickSpacingToMaxLiquidityPerTick`.
///
/// # Errors
/// [`UniswapV3Error::TickSpacingOutOfRange`] outside 1 to [`TICK_SPACING_MAX`].
pub fn max_liquidity_per_tick(tick_spacing: i32) -> Result<u128, UniswapV3Error> {
    if !(1..=TICK_SPACING_MAX).contains(&tick_spacing) {
        return Err(UniswapV3Error::TickSpacingOutOfRange {
            tick_spacing,
            max: TICK_SPACING_MAX,
        });
    }
    let each_side = TICK_MAX.checked_div(tick_spacing).unwrap_or_default();
    let ticks = u128::from(each_side.unsigned_abs())
        .wrapping_mul(2)
        .wrapping_add(1);
    Ok(u128::MAX.wrapping_div(ticks))
}

/// Whether `tick` is a multiple of the spacing.
pub(super) fn is_spaced(tick: i32, tick_spacing: i32) -> bool {
    tick.checked_rem(tick_spacing) == Some(0)
}

/// The greatest tick spacing that the factory enables (`UniswapV3Factory.enableFeeAmount`).
pub const TICK_SPACING_MAX: i32 = 16_383;

/// `liquidity + delta`.
///
/// Mirrors `LiquidityMath.addDelta`.
#[inline]
pub(super) fn add_delta(liquidity: u128, delta: i128) -> Result<u128, UniswapV3Error> {
    if delta < 0 {
        let removed = delta.unsigned_abs();
        return liquidity
            .checked_sub(removed)
            .ok_or(UniswapV3Error::LiquidityUnderflow { liquidity, removed });
    }
    let added = delta.unsigned_abs();
    liquidity
        .checked_add(added)
        .ok_or(UniswapV3Error::LiquidityOverflow { liquidity, added })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn info(gross: u128, net: i128) -> TickInfo {
        TickInfo {
            liquidity_gross: gross,
            liquidity_net: net,
            ..TickInfo::default()
        }
    }

    fn context(tick_current: i32) -> TickContext {
        TickContext {
            tick_current,
            fee_growth_global0_x128: U256::from(100_u64),
            fee_growth_global1_x128: U256::from(200_u64),
            max_liquidity: 1000,
        }
    }

    #[test]
    fn ticks_stay_sorted_and_leave_without_liquidity() {
        let mut ticks = Ticks::default();
        for tick in [60, -120, 0, 180] {
            ticks.set(tick, 60, &info(1, 1));
        }
        let snapshot = ticks.clone();
        ticks.set(0, 60, &info(0, 0));
        ticks.set(-60, 60, &info(0, 0));
        let all = |ticks: &Ticks| ticks.iter().map(|(tick, _)| tick).collect::<Vec<_>>();
        assert_eq!(all(&ticks), [-120, 60, 180]);
        assert_eq!(all(&snapshot), [-120, 0, 60, 180]);
        assert_eq!((ticks.count_to(59), ticks.count_to(60)), (1, 2));
        assert_eq!(ticks.stop(0).unwrap().compressed, -2);
    }

    #[test]
    fn growth_before_a_tick_counts_as_below_it() {
        let below = TickInfo::default().updated(-60, false, 7, &context(0));
        let above = TickInfo::default().updated(60, true, 7, &context(0));
        let (below, above) = (below.unwrap(), above.unwrap());
        assert_eq!(below.fee_growth_outside0_x128, U256::from(100_u64));
        assert_eq!(above.fee_growth_outside0_x128, U256::ZERO);
        assert_eq!((below.liquidity_net, above.liquidity_net), (7, -7));
        let inside = fee_growth_inside((-60, &below), (60, &above), &context(0));
        assert_eq!(inside, (U256::ZERO, U256::ZERO));
        let outside = fee_growth_inside((-60, &below), (60, &above), &context(60));
        assert_eq!(outside.0, U256::ZERO.wrapping_sub(U256::from(100_u64)));
    }

    #[test]
    fn a_tick_refuses_too_much_and_too_little() {
        let full = info(1000, 1000);
        let codes = [
            full.updated(0, false, 1, &context(0)).unwrap_err().code(),
            full.updated(0, false, -1001, &context(0))
                .unwrap_err()
                .code(),
            add_delta(u128::MAX, 1).unwrap_err().code(),
            info(0, i128::MAX)
                .updated(0, false, 1, &context(0))
                .unwrap_err()
                .code(),
        ];
        assert_eq!(codes, [Some("LO"), Some("LS"), Some("LA"), None]);
        assert_eq!(add_delta(u128::MAX, i128::MIN).unwrap(), u128::MAX >> 1);
    }

    #[test]
    fn the_most_liquidity_of_a_tick_is_the_contracts() {
        let most = [1, 10, 60, 200].map(|spacing| max_liquidity_per_tick(spacing).unwrap());
        assert_eq!(
            most,
            [
                191_757_530_477_355_301_479_181_766_273_477,
                1_917_569_901_783_203_986_719_870_431_555_990,
                11_505_743_598_341_114_571_880_798_222_544_994,
                38_350_317_471_085_141_830_651_933_667_504_588,
            ]
        );
        assert!(max_liquidity_per_tick(0).is_err());
        assert!(max_liquidity_per_tick(TICK_SPACING_MAX + 1).is_err());
    }
}
