//! Quotes that cross 0, 1 and 10 initialized ticks, by three crates, of one pool.

use std::hint::black_box;

use alloy_primitives::{I256, U256};
use basis_protocols::uniswap_v3::{
    Owner, Pool, PositionKey, SwapAmount, SwapRequest, sqrt_ratio_at_tick,
};
use basis_peers::{MathPool, SdkPool};
use criterion::{Criterion, criterion_group, criterion_main};

const TICK: i32 = -196_257;
const SPACING: i32 = 10;

/// Ether and dollars at 0.05 %, with an initialized tick every 10 ticks around the price.
fn pool() -> Pool {
    let mut pool = Pool::new(500, SPACING).expect("a fee and its spacing");
    let price = sqrt_ratio_at_tick(TICK).expect("in range") + U256::from(12_345_678_901_u64);
    pool.initialize(price).expect("in range");
    let middle = TICK.div_euclid(SPACING) * SPACING;
    for range in 1..=200 {
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
        let middle = (low + high) >> 1;
        let request = SwapRequest::exact_in(zero_for_one, middle);
        if pool.quote(&request).expect("a quote").ticks_crossed >= crossings {
            high = middle;
        } else {
            low = middle;
        }
    }
    high
}

fn quotes(criterion: &mut Criterion) {
    let ours = pool();
    let (sdk, math) = (SdkPool::from(&ours), MathPool::from(&ours));
    for (direction, zero_for_one) in [("falling", true), ("rising", false)] {
        for crossings in [0, 1, 10] {
            let from = least(&ours, zero_for_one, crossings);
            let to = least(&ours, zero_for_one, crossings + 1);
            let units = (from + to) >> 1;
            let request = SwapRequest::exact_in(zero_for_one, units);
            let quote = ours.quote(&request).expect("a quote");
            assert_eq!(quote.ticks_crossed, crossings);
            for (side, amount) in [
                ("in", request.amount),
                ("out", SwapAmount::ExactOut(quote.amount_out)),
            ] {
                let name = format!("uniswap_v3 {direction}, exact {side}, {crossings} ticks");
                let request = SwapRequest { amount, ..request };
                compare(criterion, &name, (&ours, &sdk, &math), &request);
            }
        }
    }
}

fn compare(
    criterion: &mut Criterion,
    name: &str,
    (ours, sdk, math): (&Pool, &SdkPool, &MathPool),
    request: &SwapRequest,
) {
    let zero_for_one = request.zero_for_one;
    let quote = ours.quote(request).expect("a quote");
    let (amount, expected) = match request.amount {
        SwapAmount::ExactIn(units) => (I256::from_raw(units), -I256::from_raw(quote.amount_out)),
        SwapAmount::ExactOut(units) => (-I256::from_raw(units), I256::from_raw(quote.amount_in)),
    };
    assert_eq!(sdk.quote(zero_for_one, amount), expected);
    assert_eq!(math.quote(zero_for_one, amount), expected);
    let mut group = criterion.benchmark_group(name);
    group.bench_function("basis", |bencher| {
        bencher.iter(|| black_box(ours).quote(black_box(request)));
    });
    group.bench_function("uniswap-v3-sdk", |bencher| {
        bencher.iter(|| black_box(sdk).quote(zero_for_one, black_box(amount)));
    });
    group.bench_function("uniswap_v3_math", |bencher| {
        bencher.iter(|| black_box(math).quote(zero_for_one, black_box(amount)));
    });
    group.finish();
}

criterion_group!(benches, quotes);
criterion_main!(benches);
