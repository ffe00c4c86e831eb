//! Speed of Morpho Blue's operations on a market of the main network's size, in the units of a
//! token of 18 decimals, where amounts times 1e18 leave 128 bits, and of one of 6, where they do not.

use std::hint::black_box;

use basis_core::num::U256;
use basis_protocols::morpho_blue::{
    AdaptiveCurve, AmountInput, InterestRateModel, LiquidationInput, Market, MarketTerms, Position,
    Totals, User,
};
use criterion::{Criterion, criterion_group, criterion_main};

const START: u64 = 1_700_000_000;
const HOUR: u64 = START + 3_600;
const USER: User = User(1);

/// 100,000,000 supplied, 90,000,000 owed, our position with 1,000 of collateral and 2,000,000 of
/// debt at a price of 3,000.
fn market(decimals: u32) -> (Market, U256) {
    let unit = 10_u128.pow(decimals);
    let curve = AdaptiveCurve::new(AdaptiveCurve::RATE_AT_TARGET_INITIAL).expect("in range");
    let terms = MarketTerms {
        lltv_wad: U256::from(860_000_000_000_000_000_u64),
        fee_wad: 100_000_000_000_000_000,
        fee_recipient: User(0),
        irm: InterestRateModel::AdaptiveCurve(curve),
    };
    let totals = Totals {
        supply_assets: 100_000_000 * unit,
        supply_shares: 97_000_000 * unit * 1_000_000,
        borrow_assets: 91_000_000 * unit,
        borrow_shares: 87_000_000 * unit * 1_000_000,
    };
    let mut market = Market::from_totals(terms, totals, START).expect("totals in range");
    let position = Position {
        supply_shares: U256::from(5_000_000 * unit * 1_000_000),
        borrow_shares: 2_000_000 * unit * 1_000_000,
        collateral: 1_000 * 10_u128.pow(18),
    };
    market
        .insert_position(USER, position)
        .expect("shares within totals");
    let price = U256::from(3_000 * unit) * U256::from(10_u64.pow(18));
    (market, price)
}

fn operations(c: &mut Criterion) {
    for decimals in [6, 18] {
        let (market, price) = market(decimals);
        let mut group = c.benchmark_group(format!("{decimals}_decimals"));
        let amount = AmountInput::assets(U256::from(1_234 * 10_u128.pow(decimals)));
        group.bench_function("accrue_an_hour", |b| {
            b.iter(|| black_box(&market).expected_totals(black_box(HOUR)));
        });
        group.bench_function("health", |b| {
            b.iter(|| black_box(&market).health(USER, black_box(price), START));
        });
        group.bench_function("rates", |b| {
            b.iter(|| black_box(&market).rates(black_box(HOUR)));
        });
        group.bench_function("snapshot", |b| b.iter(|| black_box(&market).clone()));
        let mut busy = market.clone();
        group.bench_function("supply_and_withdraw", |b| {
            b.iter(|| {
                let market = black_box(&mut busy);
                let supplied = market.supply(USER, black_box(amount), START);
                (supplied, market.withdraw(USER, black_box(amount), START))
            });
        });
        let crash = price / U256::from(2_u8);
        let half = LiquidationInput::seizing(U256::from(10_u64.pow(18)));
        group.bench_function("snapshot_and_liquidate", |b| {
            b.iter(|| {
                let mut market = black_box(&market).clone();
                market.liquidate(USER, black_box(half), crash, HOUR)
            });
        });
        group.finish();
    }
}

criterion_group!(benches, operations);
criterion_main!(benches);
