//! Speed of a Uniswap V3 pool: quotes that cross 0, 1 and 10 initialized ticks, swaps, snapshots.
//!
//! The pool is one of ether and dollars at 0.05 %, with an initialized tick every 10 ticks around the
//! price, as the main one has. `benches/peers` measures other crates on the same pool.

use std::hint::black_box;

use basis_core::num::U256;
use basis_protocols::uniswap_v3::{
    Owner, Pool, PositionKey, SwapRequest, sqrt_ratio_at_tick, tick_at_sqrt_ratio,
};
use criterion::{Criterion, criterion_group, criterion_main};

const TICK: i32 = -196_257;
const SPACING: i32 = 10;

/// Ranges around the price, each a spacing wider on both sides than the one before.
fn pool(ranges: i32) -> Pool {
    let mut pool = Pool::new(500, SPACING).expect("a fee and its spacing");
    let price = sqrt_ratio_at_tick(TICK).expect("in range") + U256::from(12_345_678_901_u64);
    pool.initialize(price).expect("in range");
    let middle = TICK.div_euclid(SPACING) * SPACING;
    for range in 1..=ranges {
        let key = PositionKey {
            owner: Owner::default(),
            tick_lower: middle - range * SPACING,
            tick_upper: middle + range * SPACING,
        };
        let liquidity = 1_000_000_000_000_000_000 + u128::from(range.unsigned_abs()) * 7_777_777;
        pool.mint(key, liquidity).expect("a spaced range");
    }
    pool
}

/// The least input that crosses `crossings` ticks.
fn least(pool: &Pool, zero_for_one: bool, crossings: u32) -> U256 {
    let (mut low, mut high) = (U256::ZERO, U256::ONE << 90);
    while high - low > U256::ONE {
        let middle: U256 = (low + high) >> 1;
        let request = SwapRequest::exact_in(zero_for_one, middle);
        if pool.quote(&request).expect("a quote").ticks_crossed >= crossings {
            high = middle;
        } else {
            low = middle;
        }
    }
    high
}

/// An exact input that crosses `crossings` ticks and stops between two.
fn input(pool: &Pool, zero_for_one: bool, crossings: u32) -> SwapRequest {
    let from = least(pool, zero_for_one, crossings);
    let to = least(pool, zero_for_one, crossings + 1);
    SwapRequest::exact_in(zero_for_one, (from + to) >> 1)
}

/// The output that `request` gives, as the fixed side.
fn output(pool: &Pool, request: &SwapRequest) -> SwapRequest {
    let given = pool.quote(request).expect("a quote").amount_out;
    SwapRequest::exact_out(request.zero_for_one, given)
}

fn quotes(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("uniswap_v3 quote");
    let pool = pool(200);
    for (direction, zero_for_one) in [("falling", true), ("rising", false)] {
        for crossings in [0, 1, 10] {
            let exact_in = input(&pool, zero_for_one, crossings);
            group.bench_function(format!("{direction} in, {crossings} ticks"), |bencher| {
                bencher.iter(|| black_box(&pool).quote(black_box(&exact_in)));
            });
            let exact_out = output(&pool, &exact_in);
            group.bench_function(format!("{direction} out, {crossings} ticks"), |bencher| {
                bencher.iter(|| black_box(&pool).quote(black_box(&exact_out)));
            });
        }
    }
    let sparse = self::pool(2);
    let dry = SwapRequest::exact_in(true, U256::MAX >> 2);
    group.bench_function("falling until the liquidity ends", |bencher| {
        bencher.iter(|| black_box(&sparse).quote(black_box(&dry)));
    });
    group.finish();
}

fn swaps(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("uniswap_v3 swap");
    let pool = pool(200);
    group.bench_function("snapshot", |bencher| {
        bencher.iter(|| black_box(&pool).clone());
    });
    for crossings in [0, 1, 10] {
        let there = input(&pool, true, crossings);
        let price = pool.state().sqrt_price_x96;
        let back = SwapRequest::exact_in(false, U256::MAX >> 2).with_limit(price);
        let mut traded = pool.clone();
        group.bench_function(
            format!("there and back, {crossings} ticks each"),
            |bencher| {
                bencher.iter(|| {
                    (
                        traded.swap(black_box(&there)).is_ok(),
                        traded.swap(black_box(&back)).is_ok(),
                    )
                });
            },
        );
    }
    group.finish();
}

fn ticks(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("uniswap_v3 ticks");
    let ticks: Vec<i32> = (0..1024_i32)
        .map(|n| n.wrapping_mul(0x9e37_79b9_u32.cast_signed()) % 400_000)
        .collect();
    let prices: Vec<U256> = ticks
        .iter()
        .map(|tick| sqrt_ratio_at_tick(*tick).expect("in range") + U256::from(54_321_u64))
        .collect();
    group.bench_function("1024 prices of ticks", |bencher| {
        bencher.iter(|| {
            ticks.iter().fold(U256::ZERO, |sum, tick| {
                sum ^ sqrt_ratio_at_tick(black_box(*tick)).unwrap_or_default()
            })
        });
    });
    group.bench_function("1024 ticks of prices", |bencher| {
        bencher.iter(|| {
            prices.iter().fold(0, |sum, price| {
                sum ^ tick_at_sqrt_ratio(black_box(*price)).unwrap_or_default()
            })
        });
    });
    group.finish();
}

criterion_group!(benches, quotes, swaps, ticks);
criterion_main!(benches);
