//! What a recorded state must satisfy before it is taken for a pool's.

use std::collections::BTreeMap;

use super::tick_math::{TICK_MAX, ratio_of, tick_at_sqrt_ratio};
use super::ticks::{Ticks, add_delta, is_spaced};
use super::{PoolState, TickInfo, UniswapV3Error};

/// Price and tick agree, and the protocol's fees are ones it can have.
pub(super) fn check_price(state: &PoolState) -> Result<(), UniswapV3Error> {
    check_fee_protocol(state.fee_protocol0, state.fee_protocol1)?;
    if state.sqrt_price_x96.is_zero() {
        return expect("tick without a price", state.tick.into(), 0);
    }
    let tick = tick_at_sqrt_ratio(state.sqrt_price_x96)?;
    let stopped_on_it =
        state.tick == tick.wrapping_sub(1) && ratio_of(tick) == state.sqrt_price_x96;
    if stopped_on_it {
        return Ok(());
    }
    expect("tick", state.tick.into(), tick.into())
}

/// The contract's bounds of `setFeeProtocol`.
pub(super) fn check_fee_protocol(fee0: u8, fee1: u8) -> Result<(), UniswapV3Error> {
    if [fee0, fee1].iter().all(|fee| matches!(fee, 0 | 4..=10)) {
        return Ok(());
    }
    Err(UniswapV3Error::FeeProtocol { fee0, fee1 })
}

/// The ticks, sorted, each with liquidity and a place of its own, adding up to the active liquidity.
pub(super) fn ticks(
    state: &PoolState,
    max_liquidity: u128,
    given: impl IntoIterator<Item = (i32, TickInfo)>,
) -> Result<Ticks, UniswapV3Error> {
    let mut sorted = BTreeMap::new();
    for (tick, info) in given {
        let given_before = sorted.insert(tick, info).is_some();
        expect("times a tick is given before", given_before.into(), 0)?;
    }
    let tick_spacing = state.tick_spacing;
    let (mut active, mut liquidity) = (0, 0);
    for (&tick, info) in &sorted {
        if tick.unsigned_abs() > TICK_MAX.unsigned_abs() {
            let max = TICK_MAX;
            return Err(UniswapV3Error::TickOutOfRange { tick, max });
        }
        if !is_spaced(tick, tick_spacing) {
            return Err(UniswapV3Error::TickNotSpaced { tick, tick_spacing });
        }
        let gross = info.liquidity_gross;
        if gross > max_liquidity {
            let max = max_liquidity;
            return Err(UniswapV3Error::LiquidityPerTick { tick, gross, max });
        }
        if gross < info.liquidity_net.unsigned_abs() || gross == 0 {
            let least = info.liquidity_net.unsigned_abs().max(1);
            return Err(UniswapV3Error::Inconsistent {
                what: "gross liquidity of a tick",
                found: wide(gross),
                expected: wide(least),
            });
        }
        liquidity = add_delta(liquidity, info.liquidity_net)?;
        if tick <= state.tick {
            active = liquidity;
        }
    }
    expect("active liquidity", wide(state.liquidity), wide(active))?;
    expect("liquidity above the last tick", wide(liquidity), 0)?;
    let mut ticks = Ticks::default();
    for (tick, info) in &sorted {
        ticks.set(*tick, tick_spacing, info);
    }
    Ok(ticks)
}

/// A liquidity for a message, which does not need the bits beyond 127.
fn wide(liquidity: u128) -> i128 {
    i128::try_from(liquidity).unwrap_or(i128::MAX)
}

fn expect(what: &'static str, found: i128, expected: i128) -> Result<(), UniswapV3Error> {
    if found == expected {
        return Ok(());
    }
    Err(UniswapV3Error::Inconsistent {
        what,
        found,
        expected,
    })
}
