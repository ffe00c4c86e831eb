//! Speed of a Curve exchange beside the same formulas in floats and in plain 512-bit integers.
//!
//! The pools are of the size and imbalance of large ones on the chain. The floats stand for a
//! simulator that does without exactness; the 512-bit integers for one that is exact without
//! thinking about operands.

use std::hint::black_box;

use basis_core::num::U256;
use basis_core::num::uint256::U512;
use basis_protocols::curve_stableswap::{Amplification, Parameters, PerCoin, Pool, Template};
use criterion::{Criterion, criterion_group, criterion_main};

const A: u64 = 2_000;
const FEE: u64 = 1_000_000;

fn units(tokens: u64, decimals: u64) -> U256 {
    U256::from(tokens) * U256::from(10_u64).pow(U256::from(decimals))
}

fn pool(template: Template, coins: &[(u64, u64, u64)]) -> Pool {
    let rates: Vec<U256> = coins
        .iter()
        .map(|(_, decimals, thousandths)| units(*thousandths, 33 - decimals))
        .collect();
    let balances: Vec<U256> = coins
        .iter()
        .map(|(tokens, decimals, _)| units(*tokens, *decimals) + U256::from(123_456_u64))
        .collect();
    let off_peg = match template {
        Template::StableSwapNg => 20_000_000_000,
        Template::ThreePool | Template::Base => 0,
    };
    let parameters = Parameters {
        template,
        amplification: Amplification::constant(A * template.a_precision()),
        fee: FEE,
        admin_fee: 5_000_000_000,
        offpeg_fee_multiplier: off_peg,
        rates: PerCoin::new(&rates).expect("two to four coins"),
    };
    let nothing = vec![U256::ZERO; coins.len()];
    let supply = units(100_000_000, 18);
    Pool::with_state(parameters, &balances, &nothing, supply).expect("good parameters")
}

const THREE: [(u64, u64, u64); 3] = [
    (48_000_000, 18, 1_000),
    (61_000_000, 6, 1_000),
    (87_000_000, 6, 1_000),
];

/// The same exchange in floats, tokens instead of base units.
fn exchange_in_floats(balances: &[f64; 3], a: f64, fee: f64, dx: f64) -> f64 {
    let n = 3.0;
    let ann = a * n;
    let sum: f64 = balances.iter().sum();
    let mut d = sum;
    for _ in 0..255 {
        let product = balances.iter().fold(d, |product, x| product * d / (n * x));
        let last = d;
        d = (ann * sum + product * n) * d / ((ann - 1.0) * d + (n + 1.0) * product);
        if (d - last).abs() <= 1e-6 {
            break;
        }
    }
    let x = balances[0] + dx;
    let c = d * d / (x * n) * d / (balances[2] * n) * d / (ann * n);
    let b = x + balances[2] + d / ann;
    let mut y = d;
    for _ in 0..255 {
        let last = y;
        y = (y * y + c) / (2.0 * y + b - d);
        if (y - last).abs() <= 1e-6 {
            break;
        }
    }
    (balances[1] - y) * (1.0 - fee)
}

/// The same exchange with every step in 512 bits, as one would write it down.
fn exchange_in_512_bits(
    balances: &[U512; 3],
    rates: &[U512; 3],
    a: U512,
    fee: U512,
    dx: U512,
) -> U512 {
    let (one, n) = (U512::from(1_u64), U512::from(3_u64));
    let wad = U512::from(10_u64).pow(U512::from(18_u64));
    let ann = a * n;
    let [p, q, r] = *rates;
    let [a0, a1, a2] = *balances;
    let xp = [a0 * p / wad, a1 * q / wad, a2 * r / wad];
    let sum = xp[0] + xp[1] + xp[2];
    let mut d = sum;
    for _ in 0..255 {
        let product = xp.iter().fold(d, |product, x| product * d / (x * n));
        let last = d;
        d = (ann * sum + product * n) * d / ((ann - one) * d + (n + one) * product);
        if d.abs_diff(last) <= one {
            break;
        }
    }
    let x = xp[0] + dx * rates[0] / wad;
    let c = d * d / (x * n) * d / (xp[2] * n) * d / (ann * n);
    let b = x + xp[2] + d / ann;
    let mut y = d;
    for _ in 0..255 {
        let last = y;
        y = (y * y + c) / (y + y + b - d);
        if y.abs_diff(last) <= one {
            break;
        }
    }
    let dy = xp[1] - y - one;
    (dy - dy * fee / U512::from(10_u64).pow(U512::from(10_u64))) * wad / rates[1]
}

fn exchange(c: &mut Criterion) {
    let three = pool(Template::ThreePool, &THREE);
    let dx = units(250_000, 18);
    let expected = three.quote(0, 1, dx).expect("a liquid pool").received;
    let mut group = c.benchmark_group("curve exchange");
    group.bench_function("3 coins", |bencher| {
        bencher.iter(|| {
            let mut pool = *black_box(&three);
            pool.exchange(0, 1, black_box(dx), U256::ZERO)
                .expect("a liquid pool")
        });
    });
    group.bench_function("3 coins, f64", |bencher| {
        let balances = [48_000_000.0, 61_000_000.0, 87_000_000.0];
        bencher.iter(|| exchange_in_floats(black_box(&balances), 2_000.0, 1e-4, 250_000.0));
    });
    group.bench_function("3 coins, 512 bits", |bencher| {
        let wide = |numbers: &PerCoin| match **numbers {
            [a, b, c] => [a, b, c].map(U512::from),
            _ => panic!("the pool has three coins"),
        };
        let (balances, rates) = (wide(three.balances()), wide(&three.parameters().rates));
        let run = |balances: &[U512; 3]| {
            let (a, fee) = (U512::from(A), U512::from(FEE));
            exchange_in_512_bits(balances, &rates, a, fee, U512::from(dx))
        };
        assert_eq!(run(&balances), U512::from(expected));
        bencher.iter(|| run(black_box(&balances)));
    });
    let pools = [
        ("2 coins", pool(Template::Base, &THREE[..2])),
        (
            "4 coins",
            pool(
                Template::Base,
                &[THREE[0], THREE[1], THREE[2], (70_000_000, 18, 1_000)],
            ),
        ),
        (
            "3 coins, rates and off-peg fee",
            pool(
                Template::StableSwapNg,
                &[
                    (48_000_000, 18, 1_059),
                    (61_000_000, 18, 1_190),
                    (87_000_000, 18, 1_000),
                ],
            ),
        ),
    ];
    for (name, pool) in &pools {
        group.bench_function(*name, |bencher| {
            bencher.iter(|| black_box(pool).quote(0, 1, black_box(dx)));
        });
    }
    group.finish();
}

fn liquidity(c: &mut Criterion) {
    let three = pool(Template::ThreePool, &THREE);
    let mut group = c.benchmark_group("curve liquidity");
    let amounts = [units(10_000, 18), units(20_000, 6), U256::ZERO];
    group.bench_function("add 3 coins", |bencher| {
        bencher.iter(|| {
            let mut pool = *black_box(&three);
            pool.add_liquidity(&amounts, U256::ZERO)
                .expect("a liquid pool")
        });
    });
    let burn = units(10_000, 18);
    group.bench_function("remove one of 3 coins", |bencher| {
        bencher.iter(|| black_box(&three).calc_withdraw_one_coin(black_box(burn), 1));
    });
    group.bench_function("virtual price", |bencher| {
        bencher.iter(|| black_box(&three).virtual_price());
    });
    group.finish();
}

criterion_group!(benches, exchange, liquidity);
criterion_main!(benches);
