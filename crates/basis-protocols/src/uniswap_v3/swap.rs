//! The walk of a swap from price to price, for quotes and for real.
//!
//! Mirrors `UniswapV3Pool.swap` of v3-core 1.0.1. One walk serves both: a quote leaves the fee growth
//! out, which only positions see, and writes nothing.

use super::sqrt_price::SqrtPrice;
use super::swap_step::{Step, SwapAmount, swap_step};
use super::tick_math::{
    SQRT_RATIO_MAX, SQRT_RATIO_MIN, TICK_MAX, TICK_MIN, narrow, ratio_of, tick_of, widen,
};
use super::ticks::add_delta;
use super::{Pool, UniswapV3Error};
use basis_core::num::U256;
use basis_core::num::uint256::mul_div_floor;

/// A swap as the pool is asked for it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SwapRequest {
    /// The pool takes token0 and pays token1; the price falls. Otherwise the other way round.
    pub zero_for_one: bool,
    /// The amount that is fixed.
    pub amount: SwapAmount,
    /// The sqrt price (Q64.96) at which the swap stops, filled or not; below the price when it
    /// falls, above when it rises. `None`: as far as a price can go, as the routers ask.
    pub sqrt_price_limit_x96: Option<U256>,
}

impl SwapRequest {
    /// Gives `amount_in` base units, fee included, without a price limit.
    #[must_use]
    pub const fn exact_in(zero_for_one: bool, amount_in: U256) -> Self {
        Self {
            zero_for_one,
            amount: SwapAmount::ExactIn(amount_in),
            sqrt_price_limit_x96: None,
        }
    }

    /// Takes `amount_out` base units, without a price limit.
    #[must_use]
    pub const fn exact_out(zero_for_one: bool, amount_out: U256) -> Self {
        Self {
            zero_for_one,
            amount: SwapAmount::ExactOut(amount_out),
            sqrt_price_limit_x96: None,
        }
    }

    /// The same swap with a price limit (Q64.96).
    #[must_use]
    pub const fn with_limit(mut self, sqrt_price_limit_x96: U256) -> Self {
        self.sqrt_price_limit_x96 = Some(sqrt_price_limit_x96);
        self
    }
}

/// What a swap does to one token of the pool.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PoolFlow {
    /// The pool receives these base units (the contract's amount, positive).
    Takes(U256),
    /// The pool gives these base units (the contract's amount, negated).
    Pays(U256),
}

/// What a swap does, or would do. Amounts in base units.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SwapOutcome {
    /// Token0 is taken and token1 paid.
    pub zero_for_one: bool,
    /// What the pool takes, fee included.
    pub amount_in: U256,
    /// What the pool pays.
    pub amount_out: U256,
    /// What is left of the request's amount, because the price limit was met first.
    pub amount_unfilled: U256,
    /// The part of `amount_in` that is fee, the protocol's share included.
    pub fee: U256,
    /// The part of `fee` that is the protocol's.
    pub protocol_fee: U256,
    /// The sqrt price after, Q64.96.
    pub sqrt_price_x96: U256,
    /// The tick after.
    pub tick: i32,
    /// The active liquidity after.
    pub liquidity: u128,
    /// Initialized ticks crossed.
    pub ticks_crossed: u32,
}

impl SwapOutcome {
    /// Whether the request's amount was met in full.
    #[must_use]
    pub fn is_complete(&self) -> bool {
        self.amount_unfilled.is_zero()
    }

    /// The contract's `amount0`.
    #[must_use]
    pub const fn amount0(&self) -> PoolFlow {
        if self.zero_for_one {
            PoolFlow::Takes(self.amount_in)
        } else {
            PoolFlow::Pays(self.amount_out)
        }
    }

    /// The contract's `amount1`.
    #[must_use]
    pub const fn amount1(&self) -> PoolFlow {
        if self.zero_for_one {
            PoolFlow::Pays(self.amount_out)
        } else {
            PoolFlow::Takes(self.amount_in)
        }
    }
}

/// What a walk notes beside its outcome.
pub(super) trait Notes {
    /// `fee` goes to the positions active at `liquidity`.
    fn fee(&mut self, fee: U256, liquidity: u128) -> Result<(), UniswapV3Error>;
    /// The next initialized tick is crossed.
    fn crossing(&mut self);
}

/// Notes nothing, and still refuses what the contract's fee growth cannot hold.
pub(super) struct Quoting;

impl Notes for Quoting {
    #[inline]
    fn fee(&mut self, fee: U256, liquidity: u128) -> Result<(), UniswapV3Error> {
        if fee.bit_len() > 128 {
            fee_growth(fee, liquidity)?;
        }
        Ok(())
    }

    #[inline]
    fn crossing(&mut self) {}
}

/// Notes the fee growth of the token taken, now and at each crossing.
pub(super) struct Booking {
    pub(super) fee_growth_global_x128: U256,
    pub(super) at_crossings_x128: Vec<U256>,
}

impl Notes for Booking {
    #[inline]
    fn fee(&mut self, fee: U256, liquidity: u128) -> Result<(), UniswapV3Error> {
        let growth = fee_growth(fee, liquidity)?;
        self.fee_growth_global_x128 = self.fee_growth_global_x128.wrapping_add(growth);
        Ok(())
    }

    #[inline]
    fn crossing(&mut self) {
        self.at_crossings_x128.push(self.fee_growth_global_x128);
    }
}

/// Fee per unit of liquidity, Q128.128; nothing where no liquidity is active.
#[inline]
pub(super) fn fee_growth(fee: U256, liquidity: u128) -> Result<U256, UniswapV3Error> {
    if liquidity == 0 {
        return Ok(U256::ZERO);
    }
    let q128 = U256::from_limbs([0, 0, 1, 0]);
    Ok(mul_div_floor(fee, q128, U256::from(liquidity))?)
}

/// The next price at which a swap stops to look.
#[derive(Clone, Copy)]
struct Target {
    /// The tick divided by the spacing; meaningless where the tick was cut to the range of ticks,
    /// which no swap reaches.
    compressed: i32,
    tick: i32,
    sqrt_price: SqrtPrice,
    /// `None` at the end of a word of the bitmap, where no tick is initialized.
    liquidity_net: Option<i128>,
}

/// A swap on its way.
pub(super) struct Walk<'a> {
    pool: &'a Pool,
    zero_for_one: bool,
    limit: SqrtPrice,
    /// The side that is fixed, with what is left of it.
    remaining: SwapAmount,
    /// The other side so far.
    calculated: U256,
    fee: U256,
    protocol_fee: U256,
    sqrt_price: SqrtPrice,
    tick: i32,
    /// The tick divided by the spacing, rounded down.
    compressed: i32,
    /// How many initialized ticks are at or below the tick.
    place: usize,
    liquidity: u128,
    ticks_crossed: u32,
}

impl<'a> Walk<'a> {
    /// Checks a request in the contract's order and stands at the pool's price.
    pub(super) fn start(pool: &'a Pool, request: &SwapRequest) -> Result<Self, UniswapV3Error> {
        let state = pool.state();
        let units = request.amount.units();
        if units.is_zero() {
            return Err(UniswapV3Error::AmountZero);
        }
        if units.bit_len() > 255 {
            return Err(UniswapV3Error::AmountTooLarge { amount: units });
        }
        pool.check_initialized()?;
        let zero_for_one = request.zero_for_one;
        let (above_x96, below_x96) = if zero_for_one {
            (SQRT_RATIO_MIN, state.sqrt_price_x96)
        } else {
            (state.sqrt_price_x96, SQRT_RATIO_MAX)
        };
        let limit_x96 = request.sqrt_price_limit_x96.unwrap_or(if zero_for_one {
            SQRT_RATIO_MIN.wrapping_add(U256::ONE)
        } else {
            SQRT_RATIO_MAX.wrapping_sub(U256::ONE)
        });
        if limit_x96 <= above_x96 || limit_x96 >= below_x96 {
            return Err(UniswapV3Error::PriceLimit {
                limit_x96,
                above_x96,
                below_x96,
            });
        }
        Ok(Self {
            pool,
            zero_for_one,
            limit: narrow(limit_x96),
            remaining: request.amount,
            calculated: U256::ZERO,
            fee: U256::ZERO,
            protocol_fee: U256::ZERO,
            sqrt_price: narrow(state.sqrt_price_x96),
            tick: state.tick,
            compressed: state.tick.div_euclid(state.tick_spacing),
            place: pool.ticks().count_to(state.tick),
            liquidity: state.liquidity,
            ticks_crossed: 0,
        })
    }

    /// How many initialized ticks are at or below the current tick.
    pub(super) fn place(&self) -> usize {
        self.place
    }

    /// Goes until the amount is met or the limit is.
    pub(super) fn run(&mut self, notes: &mut impl Notes) -> Result<(), UniswapV3Error> {
        while !self.is_over() {
            if self.liquidity == 0 {
                self.skip_empty_words();
            }
            self.step(notes)?;
        }
        Ok(())
    }

    /// Whether the amount is met or the limit is.
    #[inline]
    pub(super) fn is_over(&self) -> bool {
        self.remaining.units().is_zero() || self.sqrt_price == self.limit
    }

    /// One turn of the contract's loop.
    #[inline]
    pub(super) fn step(&mut self, notes: &mut impl Notes) -> Result<(), UniswapV3Error> {
        let target = self.next_target();
        let beyond_limit = if self.zero_for_one {
            target.sqrt_price < self.limit
        } else {
            target.sqrt_price > self.limit
        };
        let step = swap_step(
            self.sqrt_price,
            if beyond_limit {
                self.limit
            } else {
                target.sqrt_price
            },
            self.zero_for_one,
            self.liquidity,
            self.remaining,
            self.pool.state().fee_pips,
        )?;
        self.book(&step, notes)?;
        if step.next == target.sqrt_price {
            self.reach(&target, notes)?;
        } else if step.next != self.sqrt_price {
            self.tick = tick_of(widen(step.next));
            self.compressed = self.tick.div_euclid(self.pool.state().tick_spacing);
        }
        self.sqrt_price = step.next;
        Ok(())
    }

    /// Adds a step's amounts. Nothing overflows: amounts are below 2^224, and what is taken from an
    /// exact input is never more than it.
    #[inline]
    fn book(&mut self, step: &Step, notes: &mut impl Notes) -> Result<(), UniswapV3Error> {
        let taken = step.amount_in.wrapping_add(step.fee);
        let (met, other) = match self.remaining {
            SwapAmount::ExactIn(_) => (taken, step.amount_out),
            SwapAmount::ExactOut(_) => (step.amount_out, taken),
        };
        let left = self.remaining.units().wrapping_sub(met);
        self.remaining = self.remaining.with_units(left);
        self.calculated = self.calculated.wrapping_add(other);
        self.fee = self.fee.wrapping_add(step.fee);
        let state = self.pool.state();
        let divisor = if self.zero_for_one {
            state.fee_protocol0
        } else {
            state.fee_protocol1
        };
        let mut fee = step.fee;
        if divisor > 0 {
            let share = fee.wrapping_div(U256::from(divisor));
            fee = fee.wrapping_sub(share);
            self.protocol_fee = self.protocol_fee.wrapping_add(share);
        }
        if self.liquidity > 0 {
            notes.fee(fee, self.liquidity)?;
        }
        Ok(())
    }

    /// Stands at a target; crosses it when it is an initialized tick.
    #[inline]
    fn reach(&mut self, target: &Target, notes: &mut impl Notes) -> Result<(), UniswapV3Error> {
        if let Some(net) = target.liquidity_net {
            notes.crossing();
            // A net of the least i128 cannot be: it is the sum of changes that fit.
            let delta = if self.zero_for_one {
                net.wrapping_neg()
            } else {
                net
            };
            self.liquidity = add_delta(self.liquidity, delta)?;
            self.ticks_crossed = self.ticks_crossed.wrapping_add(1);
            self.place = if self.zero_for_one {
                self.place.wrapping_sub(1)
            } else {
                self.place.wrapping_add(1)
            };
        }
        // Falling, the tick at the price itself is already behind.
        let behind = i32::from(self.zero_for_one);
        self.tick = target.tick.wrapping_sub(behind);
        self.compressed = target.compressed.wrapping_sub(behind);
        Ok(())
    }

    /// The next initialized tick of the current word of the bitmap, or else the word's end.
    ///
    /// Mirrors `TickBitmap.nextInitializedTickWithinOneWord`. A falling price looks at its own tick
    /// and below, a rising price above.
    #[inline]
    fn next_target(&self) -> Target {
        let ticks = self.pool.ticks();
        let (stop, word, end) = if self.zero_for_one {
            let word = self.compressed >> 8;
            let stop = self.place.checked_sub(1).and_then(|at| ticks.stop(at));
            (stop, word, word << 8)
        } else {
            let next = self.compressed.wrapping_add(1);
            (ticks.stop(self.place), next >> 8, next | 0xff)
        };
        if let Some(stop) = stop
            && stop.compressed >> 8 == word
        {
            return Target {
                compressed: stop.compressed,
                tick: stop.tick,
                sqrt_price: stop.sqrt_price,
                liquidity_net: Some(stop.liquidity_net),
            };
        }
        let tick = end
            .wrapping_mul(self.pool.state().tick_spacing)
            .clamp(TICK_MIN, TICK_MAX);
        Target {
            compressed: end,
            tick,
            sqrt_price: narrow(ratio_of(tick)),
            liquidity_net: None,
        }
    }

    /// Without liquidity nothing is exchanged, whatever the number of steps: goes at once to the word
    /// that holds the next initialized tick or the limit, as if all words before had been walked.
    fn skip_empty_words(&mut self) {
        let spacing = self.pool.state().tick_spacing;
        let limit_word = tick_of(widen(self.limit)).div_euclid(spacing) >> 8;
        let ticks = self.pool.ticks();
        let compressed = if self.zero_for_one {
            let stop = self.place.checked_sub(1).and_then(|at| ticks.stop(at));
            let word = stop.map_or(limit_word, |stop| limit_word.max(stop.compressed >> 8));
            if word >= self.compressed >> 8 {
                return;
            }
            // The end of the word above was reached: its price, and the tick below.
            (word.wrapping_add(1) << 8).wrapping_sub(1)
        } else {
            let stop = ticks.stop(self.place);
            let word = stop.map_or(limit_word, |stop| limit_word.min(stop.compressed >> 8));
            if word <= self.compressed.wrapping_add(1) >> 8 {
                return;
            }
            (word << 8).wrapping_sub(1)
        };
        let behind = i32::from(self.zero_for_one);
        let reached = compressed.wrapping_add(behind).wrapping_mul(spacing);
        self.compressed = compressed;
        self.tick = reached.wrapping_sub(behind);
        self.sqrt_price = narrow(ratio_of(reached));
    }

    /// What the walk came to, for the request that it started with.
    pub(super) fn outcome(&self, request: &SwapRequest) -> SwapOutcome {
        let left = self.remaining.units();
        let met = request.amount.units().wrapping_sub(left);
        let (amount_in, amount_out) = match request.amount {
            SwapAmount::ExactIn(_) => (met, self.calculated),
            SwapAmount::ExactOut(_) => (self.calculated, met),
        };
        SwapOutcome {
            zero_for_one: self.zero_for_one,
            amount_in,
            amount_out,
            amount_unfilled: left,
            fee: self.fee,
            protocol_fee: self.protocol_fee,
            sqrt_price_x96: widen(self.sqrt_price),
            tick: self.tick,
            liquidity: self.liquidity,
            ticks_crossed: self.ticks_crossed,
        }
    }
}
