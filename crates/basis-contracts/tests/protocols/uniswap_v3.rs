//! Random histories of pools, each step done by the contract and by us, compared in every word.
//!
//! Steps are swaps (both directions, both sides fixed, with and without limits), mints, burns,
//! collections, flash loans and the protocol's own, sensible and senseless. After each, the returned
//! amounts or the revert's reason, the pool's words, all ticks and the position touched must be the
//! same; the bitmap is compared now and then.

#![expect(
    clippy::panic,
    clippy::unwrap_used,
    reason = "the helpers of tests may fail as loudly as the tests"
)]

use std::collections::BTreeSet;

use basis_contracts::abi::{Token, call, from_address};
use basis_contracts::random::Random;
use basis_contracts::uniswap::{self, FUNDS, Market, USERS};
use basis_contracts::{Address, I256, Revert, args, user};
use basis_core::num::U256;
use basis_protocols::uniswap_v3::{
    Amounts, Owner, Pool, PoolFlow, PositionKey, SQRT_RATIO_MAX, SQRT_RATIO_MIN, SwapAmount,
    SwapRequest, TICK_MAX, TickInfo, UniswapV3Error, sqrt_ratio_at_tick,
};

/// A pool and how it is treated.
struct Case {
    fee_pips: u32,
    tick_spacing: i32,
    first_tick: i32,
    /// Bits of a mint's liquidity, at most.
    liquidity_bits: u32,
    /// How far from the price most ranges and limits are, in spacings.
    reach: i64,
    /// The protocol takes its share from the beginning.
    protocol: bool,
    steps: usize,
    seed: u64,
}

/// The contract's pool and ours.
struct Twins {
    market: Market,
    real: uniswap::Pool,
    ours: Pool,
    random: Random,
    reach: i64,
    liquidity_bits: u32,
    /// Every tick that was ever named, and every position.
    ticks: BTreeSet<i32>,
    keys: Vec<PositionKey>,
    done: usize,
    refused: usize,
}

fn owner(address: Address) -> Owner {
    Owner(address.into_array())
}

fn address(owner: Owner) -> Address {
    Address::from(owner.0)
}

/// An amount as the contract signs it.
fn signed(flow: PoolFlow) -> I256 {
    match flow {
        PoolFlow::Takes(units) => I256::from_raw(units),
        PoolFlow::Pays(units) => -I256::from_raw(units),
    }
}

fn pair(amounts: Amounts) -> (U256, U256) {
    (amounts.amount0, amounts.amount1)
}

impl Twins {
    fn new(case: &Case) -> Option<Self> {
        let mut market = Market::new(18, 6)?;
        if ![100, 500, 3000, 10_000].contains(&case.fee_pips) {
            market.enable_fee(case.fee_pips, case.tick_spacing);
        }
        let price = sqrt_ratio_at_tick(case.first_tick).unwrap();
        let real = market.create_pool(case.fee_pips, price);
        assert_eq!(real.tick_spacing, case.tick_spacing);
        let mut ours = Pool::new(case.fee_pips, case.tick_spacing).unwrap();
        ours.initialize(price).unwrap();
        if case.protocol {
            market.set_fee_protocol(real, 4, 7).unwrap();
            ours.set_fee_protocol(4, 7).unwrap();
        }
        Some(Self {
            market,
            real,
            ours,
            random: Random::new(case.seed),
            reach: case.reach,
            liquidity_bits: case.liquidity_bits,
            ticks: BTreeSet::new(),
            keys: Vec::new(),
            done: 0,
            refused: 0,
        })
    }

    /// Both did the same, or refused for the same reason.
    fn agree<T: PartialEq + std::fmt::Debug>(
        &mut self,
        what: &str,
        real: Result<T, Revert>,
        ours: Result<T, UniswapV3Error>,
    ) {
        match (real, ours) {
            (Ok(real), Ok(ours)) => {
                assert_eq!(ours, real, "{what}");
                self.done += 1;
            }
            (Err(real), Err(ours)) => {
                let code = ours.code();
                let same = match &real {
                    Revert::Empty => code.is_none(),
                    other => code == Some(other.text()),
                };
                assert!(same, "{what}: {real:?}, ours {ours}");
                self.refused += 1;
            }
            (real, ours) => panic!("{what}: {real:?}, ours {ours:?}"),
        }
    }

    fn step(&mut self) {
        match self.random.below(100) {
            0..50 => self.swap(),
            50..68 => self.mint(),
            68..82 => self.burn(),
            82..92 => self.collect(),
            92..95 => self.flash(),
            95..97 => self.set_fee_protocol(),
            _ => self.collect_protocol(),
        }
        self.compare();
    }

    fn swap(&mut self) {
        let zero_for_one = self.random.one_in(2);
        let liquidity_bits = 128 - self.ours.state().liquidity.leading_zeros();
        // Mostly of the size of the liquidity; sometimes anything that an int256 holds.
        let bits = match self.random.below(20) {
            0 => 254,
            1..4 => 128,
            _ => liquidity_bits.max(10) + 6,
        };
        let units = self.random.amount(bits);
        let amount = if self.random.one_in(2) {
            SwapAmount::ExactIn(units)
        } else {
            SwapAmount::ExactOut(units)
        };
        let limit = self.limit(zero_for_one);
        let request = SwapRequest {
            zero_for_one,
            amount,
            sqrt_price_limit_x96: Some(limit),
        };
        let specified = match amount {
            SwapAmount::ExactIn(units) => I256::from_raw(units),
            SwapAmount::ExactOut(units) => -I256::from_raw(units),
        };
        let trader = user(self.random.below(USERS.into()).try_into().unwrap());
        let real = self
            .market
            .swap(self.real, trader, zero_for_one, specified, limit);
        let quote = self.ours.quote(&request);
        let ours = self.ours.swap(&request);
        assert_eq!(quote, ours);
        let ours = ours.map(|done| (signed(done.amount0()), signed(done.amount1())));
        self.agree(&format!("{request:?}"), real, ours);
    }

    /// A price limit: none, near the price, exactly at a tick, or one that is refused.
    fn limit(&mut self, zero_for_one: bool) -> U256 {
        let state = *self.ours.state();
        let furthest = if zero_for_one {
            SQRT_RATIO_MIN + U256::ONE
        } else {
            SQRT_RATIO_MAX - U256::ONE
        };
        let ticks = self.reach * i64::from(state.tick_spacing);
        let toward = if zero_for_one { -1 } else { 1 };
        let away = toward * self.random.between(0, ticks);
        let near = |away: i64| {
            let tick = (i64::from(state.tick) + away).clamp(1 - 887_272, 887_271);
            sqrt_ratio_at_tick(tick.try_into().unwrap()).unwrap()
        };
        match self.random.below(20) {
            0..4 => furthest,
            // On a multiple of the spacing, where a tick may be or a word of the bitmap end.
            4..10 => {
                let spacing = i64::from(state.tick_spacing);
                let tick = i64::from(state.tick) + away;
                near(tick.div_euclid(spacing) * spacing - i64::from(state.tick))
            }
            10..12 => near(-away),
            12 => *self.random.pick(&[
                U256::ZERO,
                SQRT_RATIO_MIN,
                SQRT_RATIO_MAX,
                state.sqrt_price_x96,
            ]),
            _ => near(away) + self.random.amount(30),
        }
    }

    /// A range near the price or anywhere, now and then one that is refused.
    fn range(&mut self) -> (i32, i32) {
        let spacing = i64::from(self.ours.state().tick_spacing);
        let here = i64::from(self.ours.state().tick).div_euclid(spacing);
        let last = i64::from(TICK_MAX) / spacing;
        let reach = self.reach;
        let mut draw = |reach: i64| {
            let place = (here + self.random.between(-reach, reach)).clamp(-last, last);
            place * spacing
        };
        let (a, b) = (draw(reach), draw(reach));
        let (mut lower, mut upper) = (a.min(b), a.max(b));
        match self.random.below(40) {
            0 | 1 => (lower, upper) = (-last * spacing, last * spacing),
            2 => (lower, upper) = (upper, lower),
            3 => lower += self.random.between(-3, 3),
            4 => upper = 887_273,
            5 => lower = -887_273,
            6..12 => upper = upper.saturating_add(300 * spacing).min(last * spacing),
            _ => {}
        }
        (lower.try_into().unwrap(), upper.try_into().unwrap())
    }

    fn mint(&mut self) {
        let key = if self.keys.is_empty() || self.random.one_in(2) {
            let (tick_lower, tick_upper) = self.range();
            let owner = owner(user(self.random.below(USERS.into()).try_into().unwrap()));
            PositionKey {
                owner,
                tick_lower,
                tick_upper,
            }
        } else {
            *self.random.pick(&self.keys)
        };
        let bits = if self.random.one_in(25) {
            128
        } else {
            self.liquidity_bits
        };
        let liquidity = self.random.amount(bits).to::<u128>();
        let real = self.market.mint(
            self.real,
            address(key.owner),
            key.tick_lower,
            key.tick_upper,
            liquidity,
        );
        let ours = self.ours.mint(key, liquidity);
        if ours.is_ok() && !self.keys.contains(&key) {
            self.keys.push(key);
            self.ticks.extend([key.tick_lower, key.tick_upper]);
        }
        self.agree(&format!("mint {liquidity} {key:?}"), real, ours.map(pair));
        self.compare_position(&key);
    }

    fn any_key(&mut self) -> PositionKey {
        let key = if self.keys.is_empty() {
            PositionKey {
                owner: owner(user(0)),
                tick_lower: 0,
                tick_upper: 0,
            }
        } else {
            *self.random.pick(&self.keys)
        };
        if self.random.one_in(20) {
            let (tick_lower, tick_upper) = self.range();
            return PositionKey {
                tick_lower,
                tick_upper,
                ..key
            };
        }
        key
    }

    fn burn(&mut self) {
        let key = self.any_key();
        let held = self.ours.position(&key).map_or(0, |held| held.liquidity);
        let liquidity = match self.random.below(10) {
            0 | 1 => 0,
            2 | 3 => held,
            4 => held.saturating_add(1),
            5 => self.random.amount(128).to(),
            _ => self.random.uint(U256::ZERO, U256::from(held)).to(),
        };
        let to_date = self.ours.position_to_date(&key).ok();
        let real = self.market.burn(
            self.real,
            address(key.owner),
            key.tick_lower,
            key.tick_upper,
            liquidity,
        );
        let ours = self.ours.burn(key, liquidity);
        if liquidity == 0 && ours.is_ok() {
            assert_eq!(self.ours.position(&key).copied(), to_date);
        }
        self.agree(&format!("burn {liquidity} {key:?}"), real, ours.map(pair));
        self.compare_position(&key);
    }

    fn collect(&mut self) {
        let key = self.any_key();
        let mut most = || match self.random.below(3) {
            0 => self.random.amount(128).to(),
            _ => u128::MAX,
        };
        let most = (most(), most());
        let range = (key.tick_lower, key.tick_upper);
        let real = self
            .market
            .collect(self.real, address(key.owner), range, most);
        let ours = self.ours.collect(key, most.0, most.1);
        let ours = ours.map(|paid| (paid.amount0.to(), paid.amount1.to()));
        self.agree(&format!("collect {most:?} {key:?}"), real, ours);
        self.compare_position(&key);
    }

    /// Lends the pool its own tokens, so that the fee is all that is paid.
    fn flash(&mut self) {
        let balance0 = self
            .market
            .token0
            .balance(&self.market.evm, self.real.address);
        let balance1 = self
            .market
            .token1
            .balance(&self.market.evm, self.real.address);
        let amount0 = self.random.uint(U256::ZERO, balance0);
        let amount1 = self.random.uint(U256::ZERO, balance1);
        let tokens = [self.market.token0, self.market.token1];
        let tokens = tokens.map(|token| from_address(token.address).to_be_bytes::<32>());
        let data = call(
            "flash(address,uint256,uint256,bytes)",
            args![
                self.real.address,
                amount0,
                amount1,
                Token::Bytes(tokens.concat())
            ],
        );
        let real = self
            .market
            .evm
            .send(user(0), self.real.address, data)
            .map(drop);
        let due = self.ours.flash_fees(amount0, amount1).unwrap();
        let ours = self.ours.flash(amount0, amount1, due);
        self.agree(&format!("flash {amount0} {amount1}"), real, ours);
    }

    fn set_fee_protocol(&mut self) {
        if self.ours.state().fee_protocol0 == 0 && !self.random.one_in(4) {
            return;
        }
        let mut draw = || -> u8 { *self.random.pick(&[0, 3, 4, 5, 6, 10, 10, 11]) };
        let (fee0, fee1) = (draw(), draw());
        let real = self
            .market
            .set_fee_protocol(self.real, fee0, fee1)
            .map(drop);
        let ours = self.ours.set_fee_protocol(fee0, fee1);
        self.agree(&format!("protocol fee {fee0} {fee1}"), real, ours);
    }

    fn collect_protocol(&mut self) {
        let state = self.ours.state();
        let (owed0, owed1) = (state.protocol_fees0, state.protocol_fees1);
        let mut most = |owed: u128| match self.random.below(3) {
            0 => self.random.uint(U256::ZERO, U256::from(owed)).to(),
            1 => owed,
            _ => u128::MAX,
        };
        let most = (most(owed0), most(owed1));
        let real = self.market.collect_protocol(self.real, most);
        let ours = self.ours.collect_protocol(most.0, most.1);
        let ours = ours.map(|paid| (paid.amount0.to(), paid.amount1.to()));
        self.agree(&format!("collect protocol {most:?}"), real, ours);
    }

    /// The pool's words and all ticks.
    fn compare(&self) {
        let real = self.market.state(self.real);
        let ours = self.ours.state();
        assert_eq!(ours.sqrt_price_x96, real.slot0.sqrt_price_x96);
        assert_eq!(ours.tick, real.slot0.tick);
        let fee_protocol = ours.fee_protocol0 + (ours.fee_protocol1 << 4);
        assert_eq!(fee_protocol, real.slot0.fee_protocol);
        assert_eq!(ours.liquidity, real.liquidity);
        assert_eq!(ours.fee_growth_global0_x128, real.fee_growth_global0_x128);
        assert_eq!(ours.fee_growth_global1_x128, real.fee_growth_global1_x128);
        assert_eq!(ours.protocol_fees0, real.protocol_fees0);
        assert_eq!(ours.protocol_fees1, real.protocol_fees1);
        for tick in &self.ticks {
            let real = self.market.tick(self.real, *tick);
            let ours = self.ours.tick_info(*tick);
            assert_eq!(ours.is_some(), real.initialized, "tick {tick}");
            let real = TickInfo {
                liquidity_gross: real.liquidity_gross,
                liquidity_net: real.liquidity_net,
                fee_growth_outside0_x128: real.fee_growth_outside0_x128,
                fee_growth_outside1_x128: real.fee_growth_outside1_x128,
            };
            assert_eq!(ours.unwrap_or_default(), real, "tick {tick}");
        }
    }

    fn compare_position(&self, key: &PositionKey) {
        let (lower, upper) = (key.tick_lower, key.tick_upper);
        let real = self
            .market
            .position(self.real, address(key.owner), lower, upper);
        let ours = self.ours.position(key).copied().unwrap_or_default();
        assert_eq!(ours.liquidity, real.liquidity, "{key:?}");
        assert_eq!(
            ours.fee_growth_inside0_last_x128, real.fee_growth_inside0_last_x128,
            "{key:?}"
        );
        assert_eq!(
            ours.fee_growth_inside1_last_x128, real.fee_growth_inside1_last_x128,
            "{key:?}"
        );
        assert_eq!(ours.tokens_owed0, real.tokens_owed0, "{key:?}");
        assert_eq!(ours.tokens_owed1, real.tokens_owed1, "{key:?}");
    }

    /// The bitmap says what our list of ticks says, and nobody runs out of tokens.
    fn compare_bitmap(&mut self) {
        let spacing = self.ours.state().tick_spacing;
        let words: BTreeSet<i32> = self
            .ticks
            .iter()
            .map(|tick| tick.div_euclid(spacing) >> 8)
            .collect();
        for word in words {
            let mut expected = U256::ZERO;
            for (tick, _) in self.ours.initialized_ticks() {
                let place = tick.div_euclid(spacing);
                if place >> 8 == word {
                    expected.set_bit(usize::try_from(place & 0xff).unwrap(), true);
                }
            }
            let real = self.market.tick_bitmap(self.real, word.try_into().unwrap());
            assert_eq!(expected, real, "word {word}");
        }
        for n in 0..USERS {
            for token in [self.market.token0, self.market.token1] {
                if token.balance(&self.market.evm, user(n)) < FUNDS {
                    token.mint(&mut self.market.evm, user(n), FUNDS);
                }
            }
        }
    }
}

fn run(case: &Case) {
    let Some(mut twins) = Twins::new(case) else {
        return;
    };
    for step in 0..case.steps {
        twins.step();
        if step % 100 == 0 {
            twins.compare_bitmap();
        }
    }
    for key in twins.keys.clone() {
        twins.compare_position(&key);
    }
    twins.compare_bitmap();
    // Most steps make sense, and some do not.
    assert!(twins.done > case.steps / 2, "{} done", twins.done);
    assert!(twins.refused > case.steps / 50, "{} refused", twins.refused);
}

#[test]
fn a_pool_of_the_finest_ticks_is_the_contracts() {
    run(&Case {
        fee_pips: 100,
        tick_spacing: 1,
        first_tick: 0,
        liquidity_bits: 80,
        reach: 400,
        protocol: false,
        steps: 4000,
        seed: 1,
    });
}

#[test]
fn a_pool_of_ether_and_dollars_is_the_contracts() {
    run(&Case {
        fee_pips: 500,
        tick_spacing: 10,
        first_tick: -196_257,
        liquidity_bits: 70,
        reach: 300,
        protocol: false,
        steps: 4000,
        seed: 2,
    });
}

#[test]
fn a_pool_with_protocol_fees_is_the_contracts() {
    run(&Case {
        fee_pips: 3000,
        tick_spacing: 60,
        first_tick: 85_176,
        liquidity_bits: 90,
        reach: 40,
        protocol: true,
        steps: 4000,
        seed: 3,
    });
}

#[test]
fn a_pool_of_the_widest_ticks_is_the_contracts() {
    run(&Case {
        fee_pips: 10_000,
        tick_spacing: 200,
        first_tick: 200_000,
        liquidity_bits: 100,
        reach: 20,
        protocol: false,
        steps: 4000,
        seed: 4,
    });
}

#[test]
fn a_pool_that_takes_nearly_all_at_the_lowest_prices_is_the_contracts() {
    run(&Case {
        fee_pips: 990_000,
        tick_spacing: 7,
        first_tick: -880_000,
        liquidity_bits: 60,
        reach: 1000,
        protocol: true,
        steps: 2000,
        seed: 5,
    });
}

#[test]
fn a_free_pool_at_the_highest_prices_with_dust_for_liquidity_is_the_contracts() {
    run(&Case {
        fee_pips: 0,
        tick_spacing: 16_383,
        first_tick: 870_000,
        liquidity_bits: 12,
        reach: 60,
        protocol: false,
        steps: 2000,
        seed: 6,
    });
}
