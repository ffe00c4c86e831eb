//! The same pool in the form that each crate wants, and the quote that each makes of it.

use std::collections::HashMap;
use std::pin::pin;
use std::task::{Context, Poll, Waker};

use alloy_primitives::aliases::U24;
use alloy_primitives::{I256, U160, U256};
use basis_protocols::uniswap_v3::{Pool, SQRT_RATIO_MAX, SQRT_RATIO_MIN};
use uniswap_v3_math::{liquidity_math, swap_math, tick_bitmap, tick_math};
use uniswap_v3_sdk::prelude::{Tick, TickListDataProvider, v3_swap};

/// A pool for `uniswap-v3-sdk`: sorted ticks, and its own loop.
#[derive(Debug)]
pub struct SdkPool {
    ticks: TickListDataProvider,
    sqrt_price_x96: U160,
    tick: i32,
    liquidity: u128,
    tick_spacing: i32,
    fee: U24,
}

impl From<&Pool> for SdkPool {
    fn from(pool: &Pool) -> Self {
        let state = pool.state();
        let ticks = pool.initialized_ticks();
        let ticks =
            ticks.map(|(tick, info)| Tick::new(tick, info.liquidity_gross, info.liquidity_net));
        Self {
            ticks: TickListDataProvider::new(ticks.collect(), state.tick_spacing),
            sqrt_price_x96: U160::from(state.sqrt_price_x96),
            tick: state.tick,
            liquidity: state.liquidity,
            tick_spacing: state.tick_spacing,
            fee: U24::from(state.fee_pips),
        }
    }
}

impl SdkPool {
    /// The other side of an amount (in > 0, out < 0), signed the other way.
    ///
    /// # Panics
    /// When the crate refuses or waits, which it has no reason to.
    pub fn quote(&self, zero_for_one: bool, amount: I256) -> I256 {
        let swap = v3_swap(
            self.fee,
            self.sqrt_price_x96,
            self.tick,
            self.liquidity,
            self.tick_spacing,
            &self.ticks,
            zero_for_one,
            amount,
            None,
        );
        match pin!(swap).poll(&mut Context::from_waker(Waker::noop())) {
            Poll::Ready(state) => state.expect("a swap").amount_calculated,
            Poll::Pending => panic!("ticks in memory are ready"),
        }
    }
}

/// A pool for `uniswap_v3_math`: its bitmap and its functions in the contract's loop, which the crate
/// leaves to its user.
#[derive(Debug)]
pub struct MathPool {
    bitmap: HashMap<i16, U256>,
    nets: HashMap<i32, i128>,
    sqrt_price_x96: U256,
    tick: i32,
    liquidity: u128,
    tick_spacing: i32,
    fee: u32,
}

impl From<&Pool> for MathPool {
    fn from(pool: &Pool) -> Self {
        let state = pool.state();
        let mut bitmap = HashMap::new();
        let mut nets = HashMap::new();
        for (tick, info) in pool.initialized_ticks() {
            tick_bitmap::flip_tick(&mut bitmap, tick, state.tick_spacing).expect("a spaced tick");
            nets.insert(tick, info.liquidity_net);
        }
        Self {
            bitmap,
            nets,
            sqrt_price_x96: state.sqrt_price_x96,
            tick: state.tick,
            liquidity: state.liquidity,
            tick_spacing: state.tick_spacing,
            fee: state.fee_pips,
        }
    }
}

impl MathPool {
    /// The other side of an amount (in > 0, out < 0), signed the other way.
    ///
    /// # Panics
    /// When the crate refuses, which it has no reason to.
    pub fn quote(&self, zero_for_one: bool, amount: I256) -> I256 {
        let limit = if zero_for_one {
            SQRT_RATIO_MIN + U256::ONE
        } else {
            SQRT_RATIO_MAX - U256::ONE
        };
        let exact_in = amount > I256::ZERO;
        let (mut remaining, mut calculated) = (amount, I256::ZERO);
        let (mut price, mut tick, mut liquidity) = (self.sqrt_price_x96, self.tick, self.liquidity);
        while !remaining.is_zero() && price != limit {
            let start = price;
            let (next, initialized) = tick_bitmap::next_initialized_tick_within_one_word(
                &self.bitmap,
                tick,
                self.tick_spacing,
                zero_for_one,
            )
            .expect("a tick");
            let next = next.clamp(-887_272, 887_272);
            let next_price = tick_math::get_sqrt_ratio_at_tick(next).expect("in range");
            let target = if zero_for_one {
                next_price.max(limit)
            } else {
                next_price.min(limit)
            };
            let (after, amount_in, amount_out, fee) =
                swap_math::compute_swap_step(price, target, liquidity, remaining, self.fee)
                    .expect("a step");
            price = after;
            let taken = I256::from_raw(amount_in + fee);
            let paid = I256::from_raw(amount_out);
            if exact_in {
                remaining -= taken;
                calculated -= paid;
            } else {
                remaining += paid;
                calculated += taken;
            }
            if price == next_price {
                if initialized {
                    let net = self.nets.get(&next).copied().unwrap_or_default();
                    let delta = if zero_for_one { -net } else { net };
                    liquidity = liquidity_math::add_delta(liquidity, delta).expect("liquidity");
                }
                tick = if zero_for_one { next - 1 } else { next };
            } else if price != start {
                tick = tick_math::get_tick_at_sqrt_ratio(price).expect("in range");
            }
        }
        calculated
    }
}
