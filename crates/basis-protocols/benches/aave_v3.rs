//! Cost of a user's standing in a pool: five reserves, all supplied and all borrowed.
//!
//! Beside it two baselines over the same numbers: the contract's formulas by one 512-bit
//! `mul_div` each, which gives the same answer, and in floating point, which does not.

#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a benchmark is no product code"
)]

use std::hint::black_box;

use basis_core::num::U256;
use basis_core::num::uint256::{U512, mul_div_floor};
use basis_protocols::aave_v3::math::{RAY, SECONDS_PER_YEAR, WAD};
use basis_protocols::aave_v3::{
    Market, RateStrategy, ReserveConfig, ReserveId, ReserveState, Seconds, UserId, Version,
};
use criterion::{Criterion, criterion_group, criterion_main};

const RESERVES: u8 = 5;
const START: Seconds = 1_700_000_000;
/// A month, a day and an odd second after everything was last touched.
const NOW: Seconds = START + 31 * 86_400 + 1;
const USER: UserId = UserId(1);

/// A lender with plenty of everything, and the user.
fn market() -> Market {
    let mut market = Market::new(Version::V3_2);
    for user in 0..2 {
        assert_eq!(market.add_user().unwrap(), UserId(user));
    }
    for n in 0..RESERVES {
        let decimals = [6, 18, 18, 8, 18][usize::from(n)];
        let price = [1_u64, 3_000, 3_450, 60_000, 1][usize::from(n)];
        let strategy = RateStrategy::from_bps(8_000, 10, 400, 8_000).unwrap();
        let config = ReserveConfig {
            ltv_bps: 7_500,
            liquidation_threshold_bps: 7_800 + u16::from(n),
            liquidation_bonus_bps: 10_500,
            reserve_factor_bps: 1_000,
            ..ReserveConfig::new(decimals, strategy)
        };
        let state = ReserveState::listed(U256::from(price * 100_000_000));
        let id = market.add_reserve(config, state).unwrap();
        let value_of = |dollars: u64| {
            let unit = U256::from(10_u64).pow(U256::from(decimals));
            U256::from(dollars) * unit / U256::from(price)
        };
        market
            .supply(UserId(0), id, value_of(1_000_003), START)
            .unwrap();
        market.supply(USER, id, value_of(10_007), START).unwrap();
    }
    for n in 0..RESERVES {
        let reserve = market.reserve(ReserveId(n)).unwrap();
        let amount = reserve.state().scaled_supply / U256::from(200);
        market.borrow(USER, ReserveId(n), amount, START).unwrap();
        let lent = amount * U256::from(120);
        market.borrow(UserId(0), ReserveId(n), lent, START).unwrap();
    }
    market
}

/// The contract's formulas with a general 512-bit division behind every product.
mod mirror {
    use super::*;

    fn half_up(a: U256, b: U256, d: U256) -> U256 {
        let product: U512 = a.widening_mul(b);
        let rounded = product + U512::from(d >> 1);
        U256::from(rounded / U512::from(d))
    }

    fn ray_mul(a: U256, b: U256) -> U256 {
        half_up(a, b, U256::from(RAY))
    }

    fn income(state: &ReserveState) -> U256 {
        let span = U256::from(NOW - state.last_update);
        let year = U256::from(SECONDS_PER_YEAR);
        let rate = U256::from(state.rates.liquidity_rate_ray);
        let grown = U256::from(RAY) + mul_div_floor(rate, span, year).unwrap();
        ray_mul(grown, U256::from(state.liquidity_index_ray))
    }

    fn debt(state: &ReserveState) -> U256 {
        let span = U256::from(NOW - state.last_update);
        let year = U256::from(SECONDS_PER_YEAR);
        let rate = U256::from(state.rates.variable_borrow_rate_ray);
        let two = ray_mul(rate, rate) / (year * year);
        let three = ray_mul(two, rate) / year;
        let pairs = span * (span - U256::ONE);
        let second = mul_div_floor(pairs, two, U256::from(2)).unwrap();
        let third = pairs * (span - U256::from(2));
        let third = mul_div_floor(third, three, U256::from(6)).unwrap();
        let first = mul_div_floor(rate, span, year).unwrap();
        let grown = U256::from(RAY) + first + second + third;
        ray_mul(grown, U256::from(state.variable_borrow_index_ray))
    }

    pub(super) fn health_factor(market: &Market) -> U256 {
        let (mut collateral, mut weighted, mut owed) = (U256::ZERO, U256::ZERO, U256::ZERO);
        for (n, reserve) in (0..).zip(market.reserves()) {
            let (config, state) = (reserve.config(), reserve.state());
            let position = market.position(USER, ReserveId(n)).unwrap();
            let unit = U256::from(10_u64).pow(U256::from(config.decimals));
            let balance = ray_mul(U256::from(position.scaled_supply), income(state));
            let value = mul_div_floor(balance, state.price_base, unit).unwrap();
            collateral += value;
            weighted += value * U256::from(config.liquidation_threshold_bps);
            let balance = ray_mul(U256::from(position.scaled_debt), debt(state));
            owed += mul_div_floor(balance, state.price_base, unit).unwrap();
        }
        let threshold = weighted / collateral;
        let covered = half_up(collateral, threshold, U256::from(10_000));
        half_up(covered, U256::from(WAD), owed)
    }
}

/// The formulas as a spreadsheet has them, on numbers converted beforehand.
mod float {
    use super::*;

    pub(super) struct Asset {
        supply: f64,
        debt: f64,
        supply_index: f64,
        debt_index: f64,
        supply_rate: f64,
        debt_rate: f64,
        price: f64,
        threshold: f64,
    }

    pub(super) fn assets(market: &Market) -> Vec<Asset> {
        let float = |number: U256| number.to_string().parse::<f64>().unwrap();
        let ray = |number: u128| float(U256::from(number)) / 1e27;
        let asset = |n| {
            let reserve = market.reserve(ReserveId(n)).unwrap();
            let (config, state) = (reserve.config(), reserve.state());
            let position = market.position(USER, ReserveId(n)).unwrap();
            let unit = 10_f64.powi(config.decimals.into());
            Asset {
                supply: float(U256::from(position.scaled_supply)) / unit,
                debt: float(U256::from(position.scaled_debt)) / unit,
                supply_index: ray(state.liquidity_index_ray),
                debt_index: ray(state.variable_borrow_index_ray),
                supply_rate: ray(state.rates.liquidity_rate_ray),
                debt_rate: ray(state.rates.variable_borrow_rate_ray),
                price: float(state.price_base) / 1e8,
                threshold: f64::from(config.liquidation_threshold_bps) / 1e4,
            }
        };
        (0..RESERVES).map(asset).collect()
    }

    pub(super) fn health_factor(assets: &[Asset], seconds: f64) -> f64 {
        let (mut covered, mut owed) = (0.0, 0.0);
        for asset in assets {
            let years = seconds / 31_536_000.0;
            let supply_index = asset.supply_index * (1.0 + asset.supply_rate * years);
            covered += asset.supply * supply_index * asset.price * asset.threshold;
            let debt_index = asset.debt_index * (asset.debt_rate * years).exp();
            owed += asset.debt * debt_index * asset.price;
        }
        covered / owed
    }
}

fn account(c: &mut Criterion) {
    let market = market();
    let exact = market.health_factor_wad(USER, NOW).unwrap();
    assert_eq!(mirror::health_factor(&market), exact);
    let mut group = c.benchmark_group("five assets");
    group.bench_function("account data", |b| {
        b.iter(|| black_box(&market).account_data(USER, black_box(NOW)));
    });
    group.bench_function("health factor", |b| {
        b.iter(|| black_box(&market).health_factor_wad(USER, black_box(NOW)));
    });
    group.bench_function("health factor, touched this second", |b| {
        b.iter(|| black_box(&market).health_factor_wad(USER, black_box(START)));
    });
    group.bench_function("health factor by 512-bit divisions", |b| {
        b.iter(|| mirror::health_factor(black_box(&market)));
    });
    let assets = float::assets(&market);
    let seconds = 2_678_401.0;
    group.bench_function("health factor in floating point, inexact", |b| {
        b.iter(|| float::health_factor(black_box(&assets), black_box(seconds)));
    });
    group.finish();
}

fn operations(c: &mut Criterion) {
    let market = market();
    let amount = U256::from(1_000_000_000_u64);
    let mut group = c.benchmark_group("an operation on five assets");
    group.bench_function("copy of the market alone", |b| {
        b.iter(|| black_box(&market).clone());
    });
    group.bench_function("copy and supply", |b| {
        b.iter(|| {
            let mut market = black_box(&market).clone();
            market.supply(USER, ReserveId(1), amount, NOW).unwrap()
        });
    });
    group.bench_function("copy and borrow", |b| {
        b.iter(|| {
            let mut market = black_box(&market).clone();
            market.borrow(USER, ReserveId(1), amount, NOW).unwrap()
        });
    });
    group.bench_function("most to withdraw", |b| {
        b.iter(|| black_box(&market).max_withdraw(USER, ReserveId(1), U256::ZERO, NOW));
    });
    group.finish();
}

criterion_group!(benches, account, operations);
criterion_main!(benches);
