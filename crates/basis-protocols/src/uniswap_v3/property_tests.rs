//! Random histories of a pool, and what must hold in all of them.

use super::swap::{Quoting, Walk};
use super::tick_math::{narrow, ratio_of};
use super::*;
use basis_core::num::U256;
use proptest::prelude::*;

/// One thing that somebody does to the pool.
#[derive(Clone, Debug)]
enum Action {
    Swap {
        zero_for_one: bool,
        exact_in: bool,
        units: u128,
        /// The limit's distance from the tick, if there is one.
        limit: Option<u16>,
    },
    Mint {
        owner: u8,
        lower: i8,
        width: u8,
        liquidity: u64,
    },
    Burn {
        place: u8,
        /// Of the position's liquidity.
        percent: u8,
    },
    Collect {
        place: u8,
    },
    CollectProtocol,
}

fn action() -> impl Strategy<Value = Action> {
    let swap = (
        any::<bool>(),
        any::<bool>(),
        (any::<u128>(), 48_u32..127).prop_map(|(random, shift)| (random >> shift).max(1)),
        proptest::option::of(any::<u16>()),
    )
        .prop_map(|(zero_for_one, exact_in, units, limit)| Action::Swap {
            zero_for_one,
            exact_in,
            units,
            limit,
        });
    let mint = (0_u8..3, any::<i8>(), 1..=255_u8, 1..=u64::MAX).prop_map(
        |(owner, lower, width, liquidity)| Action::Mint {
            owner,
            lower,
            width,
            liquidity,
        },
    );
    let burn =
        (any::<u8>(), 0_u8..=100).prop_map(|(place, percent)| Action::Burn { place, percent });
    let collect = any::<u8>().prop_map(|place| Action::Collect { place });
    prop_oneof![
        6 => swap,
        3 => mint,
        2 => burn,
        1 => collect,
        1 => Just(Action::CollectProtocol),
    ]
}

/// A pool and the tokens that it holds.
struct Vault {
    pool: Pool,
    held0: U256,
    held1: U256,
}

impl Vault {
    fn new(fee_pips: u32, tick_spacing: i32, tick: i32, protocol: u8) -> Self {
        let mut pool = Pool::new(fee_pips, tick_spacing).unwrap();
        pool.initialize(ratio_of(tick)).unwrap();
        pool.set_fee_protocol(protocol, protocol).unwrap();
        Self {
            pool,
            held0: U256::ZERO,
            held1: U256::ZERO,
        }
    }

    fn take(&mut self, amounts: Amounts) {
        self.held0 += amounts.amount0;
        self.held1 += amounts.amount1;
    }

    /// The pool pays, and must be able to.
    fn pay(&mut self, amounts: Amounts) {
        self.held0 = self.held0.checked_sub(amounts.amount0).expect("token0");
        self.held1 = self.held1.checked_sub(amounts.amount1).expect("token1");
    }

    fn any_key(&self, place: u8) -> Option<PositionKey> {
        let count = self.pool.positions().count();
        let place = usize::from(place).checked_rem(count)?;
        self.pool.positions().nth(place).map(|(key, _)| *key)
    }

    fn perform(&mut self, action: &Action) {
        match *action {
            Action::Swap { .. } => self.swap(action),
            Action::Mint {
                owner,
                lower,
                width,
                liquidity,
            } => {
                let spacing = self.pool.state().tick_spacing;
                let lower = self.pool.state().tick.div_euclid(spacing) + i32::from(lower);
                let key = PositionKey {
                    owner: Owner([owner; 20]),
                    tick_lower: lower * spacing,
                    tick_upper: (lower + i32::from(width)) * spacing,
                };
                if let Ok(paid) = self.pool.mint(key, liquidity.into()) {
                    self.take(paid);
                }
            }
            Action::Burn { place, percent } => {
                let Some(key) = self.any_key(place) else {
                    return;
                };
                let held = self.pool.position(&key).unwrap().liquidity;
                let all = self.pool.clone().burn(key, held);
                assert_eq!(all.unwrap_or_default(), self.pool.principal(&key));
                // Paid only when collected.
                self.pool.burn(key, held * u128::from(percent) / 100).ok();
            }
            Action::Collect { place } => {
                if let Some(key) = self.any_key(place) {
                    let paid = self.pool.collect(key, u128::MAX, u128::MAX).unwrap();
                    self.pay(paid);
                }
            }
            Action::CollectProtocol => {
                let paid = self.pool.collect_protocol(u128::MAX, u128::MAX).unwrap();
                self.pay(paid);
            }
        }
    }

    fn swap(&mut self, action: &Action) {
        let Action::Swap {
            zero_for_one,
            exact_in,
            units,
            limit,
        } = *action
        else {
            return;
        };
        let units = U256::from(units);
        let mut request = if exact_in {
            SwapRequest::exact_in(zero_for_one, units)
        } else {
            SwapRequest::exact_out(zero_for_one, units)
        };
        if let Some(away) = limit {
            let away = i32::from(away);
            let tick = self.pool.state().tick + if zero_for_one { -away } else { away };
            request = request.with_limit(ratio_of(tick.clamp(1 - TICK_MAX, TICK_MAX - 1)));
        }
        let before = self.pool.clone();
        let quote = self.pool.quote(&request);
        let done = self.pool.swap(&request);
        assert_eq!(quote, done, "a quote is the swap");
        let Ok(done) = done else {
            assert_eq!(before.state(), self.pool.state());
            return;
        };
        let met = if exact_in {
            done.amount_in
        } else {
            done.amount_out
        };
        assert_eq!(met + done.amount_unfilled, units);
        assert!(done.protocol_fee <= done.fee && done.fee <= done.amount_in);
        let (took, paid) = if zero_for_one {
            ((done.amount_in, U256::ZERO), (U256::ZERO, done.amount_out))
        } else {
            ((U256::ZERO, done.amount_in), (done.amount_out, U256::ZERO))
        };
        let amounts = |(amount0, amount1)| Amounts { amount0, amount1 };
        self.take(amounts(took));
        self.pay(amounts(paid));
    }

    /// What ties the words of a pool together.
    fn check(&self) {
        let state = *self.pool.state();
        let ticks: Vec<_> = self.pool.initialized_ticks().collect();
        let positions = self.pool.positions().map(|(key, held)| (*key, *held));
        // Restoring checks price against tick and ticks against active liquidity.
        let restored = Pool::restore(state, ticks.clone(), positions).unwrap();
        assert!(restored.initialized_ticks().eq(ticks.iter().copied()));
        for (tick, info) in ticks {
            let (mut gross, mut net) = (0, 0);
            for (key, held) in self.pool.positions() {
                let liquidity = i128::try_from(held.liquidity).unwrap();
                if key.tick_lower == tick {
                    (gross, net) = (gross + held.liquidity, net + liquidity);
                } else if key.tick_upper == tick {
                    (gross, net) = (gross + held.liquidity, net - liquidity);
                }
            }
            assert_eq!((info.liquidity_gross, info.liquidity_net), (gross, net));
        }
    }

    /// Everybody leaves; what remains is rounding, and the pool's.
    fn empty(&mut self) {
        let keys: Vec<_> = self.pool.positions().map(|(key, _)| *key).collect();
        for key in keys {
            let held = self.pool.position(&key).unwrap().liquidity;
            if held > 0 {
                self.pool.burn(key, held).unwrap();
            }
            let paid = self.pool.collect(key, u128::MAX, u128::MAX).unwrap();
            self.pay(paid);
        }
        let paid = self.pool.collect_protocol(u128::MAX, u128::MAX).unwrap();
        self.pay(paid);
        assert_eq!(self.pool.state().liquidity, 0);
        assert_eq!(self.pool.initialized_ticks().count(), 0);
    }
}

/// A pool with one wide and some narrow ranges.
fn stocked(fee_pips: u32, tick: i32, liquidity: u64) -> Pool {
    let mut pool = Pool::new(fee_pips, 60).unwrap();
    pool.initialize(ratio_of(tick)).unwrap();
    let middle = tick.div_euclid(60) * 60;
    for reach in [60, 180, 600, 30_000] {
        let key = PositionKey {
            owner: Owner::default(),
            tick_lower: middle - reach,
            tick_upper: middle + reach,
        };
        pool.mint(key, u128::from(liquidity) + 1_000_000).unwrap();
    }
    pool
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, ..ProptestConfig::default() })]

    #[test]
    fn prop_a_pool_can_always_pay_and_keeps_its_books(
        fee_pips in prop_oneof![Just(0_u32), Just(500), Just(3000), 0..1_000_000_u32],
        tick_spacing in prop_oneof![Just(1), Just(10), Just(60), Just(200)],
        tick in -300_000_i32..300_000,
        protocol in prop_oneof![Just(0_u8), 4..=10_u8],
        actions in proptest::collection::vec(action(), 1..60),
    ) {
        let mut vault = Vault::new(fee_pips, tick_spacing, tick, protocol);
        for action in &actions {
            vault.perform(action);
            vault.check();
        }
        vault.empty();
    }

    #[test]
    fn prop_a_round_trip_never_profits(
        fee_pips in 0_u32..100_000,
        tick in -200_000_i32..200_000,
        liquidity: u64,
        units in 1_u64..u64::MAX,
        zero_for_one: bool,
    ) {
        let mut pool = stocked(fee_pips, tick, liquidity);
        let there = pool.swap(&SwapRequest::exact_in(zero_for_one, U256::from(units))).unwrap();
        prop_assume!(!there.amount_out.is_zero());
        let back = SwapRequest::exact_in(!zero_for_one, there.amount_out);
        let back = pool.swap(&back).unwrap();
        prop_assert!(back.amount_out <= there.amount_in);
    }

    #[test]
    fn prop_splitting_or_turning_a_swap_around_gains_nothing(
        fee_pips in 0_u32..100_000,
        tick in -200_000_i32..200_000,
        liquidity: u64,
        units in 2_u64..u64::MAX >> 8,
        zero_for_one: bool,
    ) {
        let pool = stocked(fee_pips, tick, liquidity);
        let whole = pool.quote(&SwapRequest::exact_in(zero_for_one, U256::from(units))).unwrap();
        // To buy the output exactly never costs more than the input that gives it, and that
        // cost gives at least the output again.
        if !whole.amount_out.is_zero() {
            let wanted = SwapRequest::exact_out(zero_for_one, whole.amount_out);
            let cost = pool.quote(&wanted).unwrap();
            prop_assert!(cost.amount_in <= whole.amount_in);
            let again = SwapRequest::exact_in(zero_for_one, cost.amount_in);
            prop_assert!(pool.quote(&again).unwrap().amount_out >= whole.amount_out);
        }
    }

    #[test]
    fn prop_a_position_minted_and_burned_at_once_loses_at_most_a_unit(
        tick in -200_000_i32..200_000,
        lower in -2000_i32..2000,
        width in 1_i32..2000,
        liquidity in 1_u64..u64::MAX,
    ) {
        let mut pool = stocked(500, tick, 1);
        let lower = (tick.div_euclid(60) + lower) * 60;
        let key = PositionKey {
            owner: Owner([7; 20]),
            tick_lower: lower,
            tick_upper: lower + width * 60,
        };
        let paid = pool.mint(key, liquidity.into()).unwrap();
        let back = pool.burn(key, liquidity.into()).unwrap();
        for (paid, back) in [(paid.amount0, back.amount0), (paid.amount1, back.amount1)] {
            prop_assert!(back <= paid && paid - back <= U256::ONE);
        }
    }

    #[test]
    fn prop_skipping_words_without_liquidity_changes_nothing(
        tick_spacing in prop_oneof![Just(1_i32), Just(10), Just(60)],
        tick in -20_000_i32..20_000,
        ranges in proptest::collection::vec((-900_i32..900, 1_i32..40, any::<bool>()), 1..5),
        limit in prop_oneof![0_i32..2000, 0_i32..60_000, 0_i32..600_000],
        at_word: bool,
        zero_for_one: bool,
    ) {
        let mut pool = Pool::new(3000, tick_spacing).unwrap();
        pool.initialize(ratio_of(tick)).unwrap();
        for (lower, width, aligned) in ranges {
            // Many ranges begin with a word of the bitmap or end one.
            let lower = if aligned { lower / 256 * 256 } else { lower };
            let key = PositionKey {
                owner: Owner::default(),
                tick_lower: lower * tick_spacing,
                tick_upper: (lower + width) * tick_spacing,
            };
            pool.mint(key, 1_000_000).unwrap();
        }
        let away = if zero_for_one { -1 - limit } else { 1 + limit };
        let mut limit = tick + away;
        if at_word {
            limit = limit.div_euclid(256 * tick_spacing) * 256 * tick_spacing;
        }
        let limit = ratio_of(limit.clamp(1 - TICK_MAX, TICK_MAX - 1));
        let request = SwapRequest::exact_in(zero_for_one, U256::MAX >> 2_usize).with_limit(limit);
        let Ok(mut steps) = Walk::start(&pool, &request) else { return Ok(()) };
        while !steps.is_over() {
            steps.step(&mut Quoting).unwrap();
        }
        prop_assert_eq!(pool.quote(&request).unwrap(), steps.outcome(&request));
        prop_assert_eq!(narrow(limit), narrow(pool.quote(&request).unwrap().sqrt_price_x96));
    }
}
