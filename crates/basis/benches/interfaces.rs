//! `cargo bench -p basis --bench interfaces`: creating the simulated interfaces of all ten listed venues
//! through the factory, a new world included, beside reading their settings alone.
//!
//! The sections hold what a user would write: balances, a pool with a state, caps, markets. The target is
//! one millisecond for all ten.

#![expect(
    clippy::unwrap_used,
    reason = "a benchmark stops at the first surprise"
)]

use std::hint::black_box;
use std::sync::Arc;

use basis::assembly::World;
use basis::config::{embedded, yaml};
use basis::core::config::{Node, Problems};
use basis::core::rules::{RuleBook, VenueRules};
use basis::core::types::Timestamp;
use basis::core::venue::FillAt;
use basis::venues::factory::{CreatedInterfaces, FactorySettings};
use basis::venues::registry::Registry;
use criterion::{Criterion, criterion_group, criterion_main};

// As in the program.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

const VENUES: usize = 10;

const SETTINGS: &str = r#"
binance: { leverage: 3, initial_balances: { spot: { USDT: 50000 }, usdm: { USDT: 50000 } } }
bybit: { leverage: 3, initial_balances: { unified: { USDT: 50000 } } }
okx: { leverage: 3, initial_balances: { trading: { USDT: 50000 } } }
uniswap:
  pools:
    ranges:
      model: state
      assets: [WETH, weETH]
      fee: 3000
      tick_spacing: 60
      price: 1
      ranges: [{ lower: -600, upper: 600, liquidity: "1000000000000000000000" }]
curve:
  pools:
    three:
      model: state
      assets: [weETH, WETH, USDC]
      fee: 1000000
      a: 200
      balances: [1000, 1050, 900]
      rates: [staking_rate.etherfi.weETH_ETH, 1, 1]
aave: { supply_caps: { weETH: 1000000 }, borrow_caps: { WETH: 1300000 } }
morpho:
  markets:
    - { name: a, loan: WETH, collateral: weETH, lltv: 0.945, total_supply: 10000, total_borrow: 9000 }
lido: { queue_delay_hours: 24 }
etherfi: { queue_delay_hours: 24 }
instadapp: { network: mainnet }
"#;

fn rules() -> Arc<RuleBook> {
    let problems = Problems::new();
    let read = |file: &embedded::Embedded| {
        let tree = yaml::parse(file.text, file.source).unwrap();
        VenueRules::read(&tree, &problems).unwrap()
    };
    let book = RuleBook::new(embedded::VENUES.iter().map(read));
    assert!(problems.into_sorted().is_empty(), "rules without a problem");
    Arc::new(book)
}

/// A new world, a factory, ten interfaces.
fn create(registry: &Registry, rules: &Arc<RuleBook>, settings: &Node) -> CreatedInterfaces {
    let at = Timestamp::from_date(2024, 1, 2).unwrap_or_default();
    let world = World::new(at, Arc::clone(rules), FillAt::default());
    let mut factory = world.factory(registry, FactorySettings::default(), "");
    factory.create_all_interfaces(settings, Some(world.dependencies()))
}

/// What each driver makes of its section.
fn read(registry: &Registry, settings: &Node) -> usize {
    let problems = Problems::new();
    let read = |entry: &basis::core::config::Entry| {
        let driver = registry.find_name(&entry.key).unwrap();
        drop(black_box(driver.read(&entry.node, &problems)));
    };
    settings.entries().iter().map(read).count()
}

fn interfaces(criterion: &mut Criterion) {
    let registry = Registry::builtin();
    let rules = rules();
    let settings = yaml::parse(SETTINGS, "bench").unwrap();
    let created = create(&registry, &rules, &settings);
    assert!(created.failures.is_empty(), "{:?}", created.failures);
    assert_eq!(created.interfaces.len(), VENUES);
    let mut group = criterion.benchmark_group("interfaces");
    group.bench_function("create all ten", |bencher| {
        bencher.iter(|| black_box(create(&registry, &rules, black_box(&settings))));
    });
    group.bench_function("read their settings only", |bencher| {
        bencher.iter(|| read(&registry, black_box(&settings)));
    });
    group.finish();
}

criterion_group!(benches, interfaces);
criterion_main!(benches);
