//! A pool: its state, and everything that changes it.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::position::low_128;
use super::sqrt_price::{amount0_between, amount1_between};
use super::swap::{Booking, Quoting, Walk, fee_growth};
use super::swap_step::{FEE_PIPS_ONE, check_fee};
use super::tick_math::{TICK_MAX, TICK_MIN, narrow, ratio_of, tick_at_sqrt_ratio};
use super::ticks::{
    TickContext, Ticks, add_delta, fee_growth_inside, is_spaced, max_liquidity_per_tick,
};
use super::{Position, PositionKey, SwapOutcome, SwapRequest, TickInfo, UniswapV3Error, restore};
use basis_core::num::U256;
use basis_core::num::uint256::mul_div_ceil;

/// The words of a pool's state that are not per tick or per position.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct PoolState {
    /// Swap fee in hundredths of a basis point, below one million.
    pub fee_pips: u32,
    /// Distance of ticks that may be initialized, above 0.
    pub tick_spacing: i32,
    /// `sqrt(token1 per token0)` in base units, Q64.96; zero before the pool is initialized.
    pub sqrt_price_x96: U256,
    /// The greatest tick at or below the price; one less when a falling price stopped exactly on it.
    pub tick: i32,
    /// Liquidity of the positions whose range holds the tick.
    pub liquidity: u128,
    /// Fees of token0 per unit of liquidity since the beginning, Q128.128, wrapping.
    pub fee_growth_global0_x128: U256,
    /// The same of token1.
    pub fee_growth_global1_x128: U256,
    /// The protocol takes one part in this many of token0's swap fees; 0 takes none.
    pub fee_protocol0: u8,
    /// The same of token1.
    pub fee_protocol1: u8,
    /// Base units of token0 that the protocol may collect.
    pub protocol_fees0: u128,
    /// Base units of token1 that the protocol may collect.
    pub protocol_fees1: u128,
}

/// A pair of amounts in base units.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Amounts {
    /// Of token0.
    pub amount0: U256,
    /// Of token1.
    pub amount1: U256,
}

/// A Uniswap V3 pool (`UniswapV3Pool`, v3-core 1.0.1).
///
/// Cloning takes a snapshot: ticks and positions are shared until one of the two changes. Every
/// method that changes the pool either does all of it or, when it returns an error, nothing.
///
/// The pool moves no tokens and knows no balances: what a method returns is what the caller has to
/// move, and the rounding makes sure that the pool can always pay.
///
/// # Examples
/// ```
/// use basis_core::num::U256;
/// use basis_protocols::uniswap_v3::{Owner, Pool, PositionKey, SwapRequest};
///
/// let mut pool = Pool::new(3000, 60)?;
/// pool.initialize(U256::ONE << 96)?;
/// let key = PositionKey { owner: Owner([1; 20]), tick_lower: -600, tick_upper: 600 };
/// let paid = pool.mint(key, 1_000_000_000)?;
/// assert_eq!(paid.amount0, U256::from(29_553_011));
///
/// let request = SwapRequest::exact_in(true, U256::from(1_000_000));
/// let quote = pool.quote(&request)?;
/// assert_eq!(quote.amount_out, U256::from(996_006));
/// assert_eq!(pool.swap(&request)?, quote);
/// # Ok::<(), basis_protocols::uniswap_v3::UniswapV3Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct Pool {
    state: PoolState,
    max_liquidity_per_tick: u128,
    ticks: Ticks,
    positions: Arc<BTreeMap<PositionKey, Position>>,
}

impl Pool {
    /// Makes a pool without a price.
    ///
    /// `fee_pips` is the swap fee in hundredths of a basis point, `tick_spacing` the distance of
    /// usable ticks. The factory pairs 100 with 1, 500 with 10, 3000 with 60 and 10000 with 200.
    ///
    /// # Errors
    /// [`UniswapV3Error::FeeTooHigh`] or [`UniswapV3Error::TickSpacingOutOfRange`].
    pub fn new(fee_pips: u32, tick_spacing: i32) -> Result<Self, UniswapV3Error> {
        check_fee(fee_pips)?;
        Ok(Self {
            state: PoolState {
                fee_pips,
                tick_spacing,
                ..PoolState::default()
            },
            max_liquidity_per_tick: max_liquidity_per_tick(tick_spacing)?,
            ticks: Ticks::default(),
            positions: Arc::default(),
        })
    }

    /// Makes a pool of a recorded state.
    ///
    /// The ticks are all that are initialized, in any order. Positions may be left out: theirs are
    /// then liquidity that nobody here can burn.
    ///
    /// # Errors
    /// [`UniswapV3Error::Inconsistent`] when price and tick, or ticks and active liquidity,
    /// contradict each other; the errors of [`Pool::new`] and of a mint at the given ticks.
    pub fn restore(
        state: PoolState,
        ticks: impl IntoIterator<Item = (i32, TickInfo)>,
        positions: impl IntoIterator<Item = (PositionKey, Position)>,
    ) -> Result<Self, UniswapV3Error> {
        let mut pool = Self::new(state.fee_pips, state.tick_spacing)?;
        restore::check_price(&state)?;
        pool.state = state;
        pool.ticks = restore::ticks(&state, pool.max_liquidity_per_tick, ticks)?;
        pool.positions = Arc::new(positions.into_iter().collect());
        Ok(pool)
    }

    /// Everything but ticks and positions (`slot0`, `liquidity`, `feeGrowthGlobal`, `protocolFees`).
    #[inline]
    #[must_use]
    pub const fn state(&self) -> &PoolState {
        &self.state
    }

    /// The most liquidity that may begin or end at one tick.
    #[must_use]
    pub const fn max_liquidity_per_tick(&self) -> u128 {
        self.max_liquidity_per_tick
    }

    /// What is known of `tick`; `None` when it is not initialized.
    #[must_use]
    pub fn tick_info(&self, tick: i32) -> Option<TickInfo> {
        self.ticks.get(tick)
    }

    /// All initialized ticks, ascending.
    pub fn initialized_ticks(&self) -> impl Iterator<Item = (i32, TickInfo)> + '_ {
        self.ticks.iter()
    }

    /// A position as stored; `None` when there never was one. Fees since its last touch are not in
    /// `tokens_owed`: see [`Pool::position_to_date`].
    #[must_use]
    pub fn position(&self, key: &PositionKey) -> Option<&Position> {
        self.positions.get(key)
    }

    /// All positions that ever were, ordered by key.
    pub fn positions(&self) -> impl Iterator<Item = (&PositionKey, &Position)> + '_ {
        self.positions.iter()
    }

    #[inline]
    pub(super) const fn ticks(&self) -> &Ticks {
        &self.ticks
    }

    #[inline]
    pub(super) fn check_initialized(&self) -> Result<(), UniswapV3Error> {
        if self.state.sqrt_price_x96.is_zero() {
            return Err(UniswapV3Error::NotInitialized);
        }
        Ok(())
    }

    /// Sets the first price, Q64.96, and returns its tick.
    ///
    /// Mirrors `UniswapV3Pool.initialize`.
    ///
    /// # Errors
    /// [`UniswapV3Error::AlreadyInitialized`] ("AI"), [`UniswapV3Error::SqrtPriceOutOfRange`] ("R").
    pub fn initialize(&mut self, sqrt_price_x96: U256) -> Result<i32, UniswapV3Error> {
        if !self.state.sqrt_price_x96.is_zero() {
            return Err(UniswapV3Error::AlreadyInitialized {
                sqrt_price_x96: self.state.sqrt_price_x96,
            });
        }
        self.state.tick = tick_at_sqrt_ratio(sqrt_price_x96)?;
        self.state.sqrt_price_x96 = sqrt_price_x96;
        Ok(self.state.tick)
    }

    /// Returns what [`Pool::swap`] would do, without doing it.
    ///
    /// # Errors
    /// As [`Pool::swap`].
    pub fn quote(&self, request: &SwapRequest) -> Result<SwapOutcome, UniswapV3Error> {
        let mut walk = Walk::start(self, request)?;
        walk.run(&mut Quoting)?;
        Ok(walk.outcome(request))
    }

    /// Swaps one token for the other.
    ///
    /// Mirrors `UniswapV3Pool.swap`. The caller owes `amount_in` and is owed `amount_out`. A swap
    /// that meets its price limit, given or implied, before its amount is filled in part, as in the
    /// contract; [`exact_output_single`](super::exact_output_single) and
    /// [`Route`](super::Route) refuse where the routers do.
    ///
    /// # Errors
    /// [`UniswapV3Error::AmountZero`] ("AS"), [`UniswapV3Error::AmountTooLarge`],
    /// [`UniswapV3Error::NotInitialized`] ("LOK"), [`UniswapV3Error::PriceLimit`] ("SPL");
    /// [`UniswapV3Error::Math`] when a fee is too large for the fee growth of the liquidity.
    pub fn swap(&mut self, request: &SwapRequest) -> Result<SwapOutcome, UniswapV3Error> {
        let taken_global = if request.zero_for_one {
            self.state.fee_growth_global0_x128
        } else {
            self.state.fee_growth_global1_x128
        };
        let mut booking = Booking {
            fee_growth_global_x128: taken_global,
            at_crossings_x128: Vec::new(),
        };
        let mut walk = Walk::start(self, request)?;
        let place = walk.place();
        walk.run(&mut booking)?;
        let outcome = walk.outcome(request);
        self.commit(&outcome, place, &booking);
        Ok(outcome)
    }

    /// Writes a finished swap that began with `place` initialized ticks at or below the price.
    fn commit(&mut self, outcome: &SwapOutcome, place: usize, booking: &Booking) {
        let falling = outcome.zero_for_one;
        let state = &mut self.state;
        let kept_global = if falling {
            state.fee_growth_global1_x128
        } else {
            state.fee_growth_global0_x128
        };
        if !booking.at_crossings_x128.is_empty() {
            let crossings = booking.at_crossings_x128.iter().enumerate();
            self.ticks.cross(crossings.map(|(nth, taken_global)| {
                if falling {
                    let at = place.wrapping_sub(nth).wrapping_sub(1);
                    (at, *taken_global, kept_global)
                } else {
                    (place.wrapping_add(nth), kept_global, *taken_global)
                }
            }));
        }
        state.sqrt_price_x96 = outcome.sqrt_price_x96;
        state.tick = outcome.tick;
        state.liquidity = outcome.liquidity;
        let protocol_fee = low_128(outcome.protocol_fee);
        if falling {
            state.fee_growth_global0_x128 = booking.fee_growth_global_x128;
            state.protocol_fees0 = state.protocol_fees0.wrapping_add(protocol_fee);
        } else {
            state.fee_growth_global1_x128 = booking.fee_growth_global_x128;
            state.protocol_fees1 = state.protocol_fees1.wrapping_add(protocol_fee);
        }
    }

    /// Adds `liquidity` to a position and returns what the owner has to pay, rounded up.
    ///
    /// Mirrors `UniswapV3Pool.mint` without its callback.
    ///
    /// # Errors
    /// [`UniswapV3Error::NotInitialized`] ("LOK"), [`UniswapV3Error::MintZero`],
    /// [`UniswapV3Error::TickOrder`] ("TLU"), [`UniswapV3Error::TickLowerTooLow`] ("TLM"),
    /// [`UniswapV3Error::TickUpperTooHigh`] ("TUM"), [`UniswapV3Error::TickNotSpaced`],
    /// [`UniswapV3Error::LiquidityPerTick`] ("LO"), [`UniswapV3Error::LiquidityOverflow`] ("LA"),
    /// [`UniswapV3Error::Unrepresentable`] for 2^127 and more.
    pub fn mint(&mut self, key: PositionKey, liquidity: u128) -> Result<Amounts, UniswapV3Error> {
        self.check_initialized()?;
        if liquidity == 0 {
            return Err(UniswapV3Error::MintZero);
        }
        self.modify_position(key, signed(liquidity)?)
    }

    /// Removes `liquidity` from a position and returns what its principal was, rounded down. The
    /// amounts are added to what the position can [`collect`](Pool::collect); a burn of 0 only
    /// credits the fees so far.
    ///
    /// Mirrors `UniswapV3Pool.burn`.
    ///
    /// # Errors
    /// [`UniswapV3Error::NotInitialized`] ("LOK"), [`UniswapV3Error::LiquidityUnderflow`] ("LS"),
    /// [`UniswapV3Error::NoPosition`] ("NP") for a burn of 0, the range errors of [`Pool::mint`].
    pub fn burn(&mut self, key: PositionKey, liquidity: u128) -> Result<Amounts, UniswapV3Error> {
        self.check_initialized()?;
        let delta = signed(liquidity)?.wrapping_neg();
        let amounts = self.modify_position(key, delta)?;
        if let Some(position) = Arc::make_mut(&mut self.positions).get_mut(&key) {
            let (owed0, owed1) = (low_128(amounts.amount0), low_128(amounts.amount1));
            position.tokens_owed0 = position.tokens_owed0.wrapping_add(owed0);
            position.tokens_owed1 = position.tokens_owed1.wrapping_add(owed1);
        }
        Ok(amounts)
    }

    /// Pays out what a position is owed, at most the requested base units of each token. Fees since
    /// the last touch are not in it: burn 0 first.
    ///
    /// Mirrors `UniswapV3Pool.collect`. A position that never was is owed nothing.
    ///
    /// # Errors
    /// [`UniswapV3Error::NotInitialized`] ("LOK").
    pub fn collect(
        &mut self,
        key: PositionKey,
        amount0_requested: u128,
        amount1_requested: u128,
    ) -> Result<Amounts, UniswapV3Error> {
        self.check_initialized()?;
        let Some(position) = self.positions.get(&key) else {
            return Ok(Amounts::default());
        };
        let amount0 = amount0_requested.min(position.tokens_owed0);
        let amount1 = amount1_requested.min(position.tokens_owed1);
        if (amount0 > 0 || amount1 > 0)
            && let Some(position) = Arc::make_mut(&mut self.positions).get_mut(&key)
        {
            position.tokens_owed0 = position.tokens_owed0.wrapping_sub(amount0);
            position.tokens_owed1 = position.tokens_owed1.wrapping_sub(amount1);
        }
        Ok(Amounts {
            amount0: U256::from(amount0),
            amount1: U256::from(amount1),
        })
    }

    /// Returns a position with the fees up to now in what it is owed, as a burn of 0 would leave it,
    /// without changing the pool. A position without liquidity is returned as stored.
    ///
    /// # Errors
    /// [`UniswapV3Error::NoPosition`] ("NP") when there never was one.
    pub fn position_to_date(&self, key: &PositionKey) -> Result<Position, UniswapV3Error> {
        let stored = self.positions.get(key).copied();
        let position = stored.ok_or(UniswapV3Error::NoPosition {
            lower: key.tick_lower,
            upper: key.tick_upper,
        })?;
        if position.liquidity == 0 {
            return Ok(position);
        }
        let lower = self.ticks.get(key.tick_lower).unwrap_or_default();
        let upper = self.ticks.get(key.tick_upper).unwrap_or_default();
        let inside = fee_growth_inside(
            (key.tick_lower, &lower),
            (key.tick_upper, &upper),
            &self.tick_context(),
        );
        position.updated(key, 0, inside)
    }

    /// Returns the principal of a position: what burning all of its liquidity would return now, rounded
    /// down. Nothing for a position that never was.
    #[must_use]
    pub fn principal(&self, key: &PositionKey) -> Amounts {
        let liquidity = self.positions.get(key).map_or(0, |stored| stored.liquidity);
        self.amounts_between(key.tick_lower, key.tick_upper, liquidity, false)
    }

    /// Changes a position's liquidity and returns what moves, rounded up for a mint and down for a
    /// burn.
    ///
    /// Mirrors `UniswapV3Pool._modifyPosition`. All checks come before the first write.
    fn modify_position(
        &mut self,
        key: PositionKey,
        delta: i128,
    ) -> Result<Amounts, UniswapV3Error> {
        let (lower, upper) = (key.tick_lower, key.tick_upper);
        check_ticks(lower, upper)?;
        let context = self.tick_context();
        let lower_before = self.ticks.get(lower).unwrap_or_default();
        let upper_before = self.ticks.get(upper).unwrap_or_default();
        let (mut lower_info, mut upper_info) = (lower_before, upper_before);
        if delta != 0 {
            lower_info = lower_before.updated(lower, false, delta, &context)?;
            upper_info = upper_before.updated(upper, true, delta, &context)?;
            self.check_flip(lower, &lower_before, &lower_info)?;
            self.check_flip(upper, &upper_before, &upper_info)?;
        }
        let inside = fee_growth_inside((lower, &lower_info), (upper, &upper_info), &context);
        let stored = self.positions.get(&key).copied().unwrap_or_default();
        let position = stored.updated(&key, delta, inside)?;
        let mut liquidity = self.state.liquidity;
        if (lower..upper).contains(&self.state.tick) {
            liquidity = add_delta(liquidity, delta)?;
        }
        let amounts = self.amounts_between(lower, upper, delta.unsigned_abs(), delta > 0);
        if delta != 0 {
            self.ticks.set(lower, self.state.tick_spacing, &lower_info);
            self.ticks.set(upper, self.state.tick_spacing, &upper_info);
        }
        Arc::make_mut(&mut self.positions).insert(key, position);
        self.state.liquidity = liquidity;
        Ok(amounts)
    }

    /// What `liquidity` between two ticks holds at the pool's price. By the tick, not by the price:
    /// the two differ when a falling price stopped on the lower tick.
    fn amounts_between(&self, lower: i32, upper: i32, liquidity: u128, round_up: bool) -> Amounts {
        if liquidity == 0 {
            return Amounts::default();
        }
        let (low, high) = (narrow(ratio_of(lower)), narrow(ratio_of(upper)));
        let price = narrow(self.state.sqrt_price_x96);
        let (mut amount0, mut amount1) = (U256::ZERO, U256::ZERO);
        if self.state.tick < lower {
            amount0 = amount0_between(low, high, liquidity, round_up);
        } else if self.state.tick < upper {
            amount0 = amount0_between(price, high, liquidity, round_up);
            amount1 = amount1_between(low, price, liquidity, round_up);
        } else {
            amount1 = amount1_between(low, high, liquidity, round_up);
        }
        Amounts { amount0, amount1 }
    }

    const fn tick_context(&self) -> TickContext {
        TickContext {
            tick_current: self.state.tick,
            fee_growth_global0_x128: self.state.fee_growth_global0_x128,
            fee_growth_global1_x128: self.state.fee_growth_global1_x128,
            max_liquidity: self.max_liquidity_per_tick,
        }
    }

    /// Only multiples of the spacing can begin or cease to be initialized (`TickBitmap.flipTick`).
    fn check_flip(
        &self,
        tick: i32,
        before: &TickInfo,
        after: &TickInfo,
    ) -> Result<(), UniswapV3Error> {
        let flips = (before.liquidity_gross == 0) != (after.liquidity_gross == 0);
        let tick_spacing = self.state.tick_spacing;
        if flips && !is_spaced(tick, tick_spacing) {
            return Err(UniswapV3Error::TickNotSpaced { tick, tick_spacing });
        }
        Ok(())
    }

    /// Sets the protocol's share of each token's swap fees: one part in `fee0` (`fee1`), 4 to 10, or
    /// 0 for none.
    ///
    /// Mirrors `UniswapV3Pool.setFeeProtocol`, which only the factory's owner may call.
    ///
    /// # Errors
    /// [`UniswapV3Error::NotInitialized`] ("LOK"), [`UniswapV3Error::FeeProtocol`].
    pub fn set_fee_protocol(&mut self, fee0: u8, fee1: u8) -> Result<(), UniswapV3Error> {
        self.check_initialized()?;
        restore::check_fee_protocol(fee0, fee1)?;
        self.state.fee_protocol0 = fee0;
        self.state.fee_protocol1 = fee1;
        Ok(())
    }

    /// Pays out the protocol's fees, at most the requested base units of each token. The last unit
    /// stays in the pool.
    ///
    /// Mirrors `UniswapV3Pool.collectProtocol`, which only the factory's owner may call.
    ///
    /// # Errors
    /// [`UniswapV3Error::NotInitialized`] ("LOK").
    pub fn collect_protocol(
        &mut self,
        amount0_requested: u128,
        amount1_requested: u128,
    ) -> Result<Amounts, UniswapV3Error> {
        self.check_initialized()?;
        // The contract keeps one unit so that the storage slot stays warm.
        let paid = |owed: u128, requested: u128| requested.min(owed.saturating_sub(1));
        let amount0 = paid(self.state.protocol_fees0, amount0_requested);
        let amount1 = paid(self.state.protocol_fees1, amount1_requested);
        self.state.protocol_fees0 = self.state.protocol_fees0.wrapping_sub(amount0);
        self.state.protocol_fees1 = self.state.protocol_fees1.wrapping_sub(amount1);
        Ok(Amounts {
            amount0: U256::from(amount0),
            amount1: U256::from(amount1),
        })
    }

    /// Returns the least fees of a flash loan of these base units, rounded up.
    ///
    /// # Errors
    /// [`UniswapV3Error::Math`] when a fee does not fit 256 bits, which no held amount's does.
    pub fn flash_fees(&self, amount0: U256, amount1: U256) -> Result<Amounts, UniswapV3Error> {
        let fee = U256::from(self.state.fee_pips);
        let one = U256::from(FEE_PIPS_ONE);
        Ok(Amounts {
            amount0: mul_div_ceil(amount0, fee, one)?,
            amount1: mul_div_ceil(amount1, fee, one)?,
        })
    }

    /// Books a flash loan that came back with `paid` on top. That the pool holds `amount0` and
    /// `amount1` is the caller's to know.
    ///
    /// Mirrors `UniswapV3Pool.flash` after its callback.
    ///
    /// # Errors
    /// [`UniswapV3Error::NotInitialized`] ("LOK"), [`UniswapV3Error::NoLiquidity`] ("L"),
    /// [`UniswapV3Error::FlashUnpaid`] ("F0", "F1"), [`UniswapV3Error::Math`] when a payment is too
    /// large for the fee growth.
    pub fn flash(
        &mut self,
        amount0: U256,
        amount1: U256,
        paid: Amounts,
    ) -> Result<(), UniswapV3Error> {
        self.check_initialized()?;
        if self.state.liquidity == 0 {
            return Err(UniswapV3Error::NoLiquidity);
        }
        let due = self.flash_fees(amount0, amount1)?;
        let tokens = [
            (0, paid.amount0, due.amount0),
            (1, paid.amount1, due.amount1),
        ];
        for (token, paid, due) in tokens {
            if paid < due {
                return Err(UniswapV3Error::FlashUnpaid { token, paid, due });
            }
        }
        let mut state = self.state;
        let (share0, growth0) = shared(paid.amount0, state.fee_protocol0, state.liquidity)?;
        let (share1, growth1) = shared(paid.amount1, state.fee_protocol1, state.liquidity)?;
        state.protocol_fees0 = state.protocol_fees0.wrapping_add(share0);
        state.protocol_fees1 = state.protocol_fees1.wrapping_add(share1);
        state.fee_growth_global0_x128 = state.fee_growth_global0_x128.wrapping_add(growth0);
        state.fee_growth_global1_x128 = state.fee_growth_global1_x128.wrapping_add(growth1);
        self.state = state;
        Ok(())
    }
}

/// The protocol's share of a fee and the fee growth of the rest.
fn shared(fee: U256, divisor: u8, liquidity: u128) -> Result<(u128, U256), UniswapV3Error> {
    let share = fee.checked_div(U256::from(divisor)).unwrap_or_default();
    let growth = fee_growth(fee.wrapping_sub(share), liquidity)?;
    Ok((low_128(share), growth))
}

/// Checks that a pool of this spacing takes a position from `lower` to `upper`: as
/// `UniswapV3Pool.checkTicks`, and that both are multiples of the spacing, which the contract asks of
/// ticks that are not in use yet, and which is so of those that are.
///
/// # Errors
/// [`UniswapV3Error::TickOrder`] ("TLU"), [`UniswapV3Error::TickLowerTooLow`] ("TLM"),
/// [`UniswapV3Error::TickUpperTooHigh`] ("TUM"), [`UniswapV3Error::TickNotSpaced`].
pub fn check_range(lower: i32, upper: i32, tick_spacing: i32) -> Result<(), UniswapV3Error> {
    check_ticks(lower, upper)?;
    for tick in [lower, upper] {
        if !is_spaced(tick, tick_spacing) {
            return Err(UniswapV3Error::TickNotSpaced { tick, tick_spacing });
        }
    }
    Ok(())
}

/// Mirrors `UniswapV3Pool.checkTicks`.
fn check_ticks(lower: i32, upper: i32) -> Result<(), UniswapV3Error> {
    if lower >= upper {
        return Err(UniswapV3Error::TickOrder { lower, upper });
    }
    if lower < TICK_MIN {
        let min = TICK_MIN;
        return Err(UniswapV3Error::TickLowerTooLow { lower, min });
    }
    if upper > TICK_MAX {
        let max = TICK_MAX;
        return Err(UniswapV3Error::TickUpperTooHigh { upper, max });
    }
    Ok(())
}

/// A liquidity as the contract's signed number.
fn signed(liquidity: u128) -> Result<i128, UniswapV3Error> {
    i128::try_from(liquidity)
        .ok()
        .ok_or(UniswapV3Error::Unrepresentable {
            what: "liquidity",
            value: U256::from(liquidity),
            bits: 127,
        })
}
