//! What the section of a DEX reads as.

use basis_core::num::{Bps, Value};
use basis_protocols::bar_pool::Impact;
use basis_sim::pools::{BarModel, Dex, Model, PoolSettings};
use serde_json::{Value as Json, json};

use crate::testing::pools::{asset, id, read};
use crate::{curve, uniswap};

fn bars(settings: &PoolSettings, name: &str) -> BarModel {
    let found = settings
        .pools
        .iter()
        .find(|pool| pool.name.as_str() == name);
    let Model::Bars(bars) = &found.unwrap().model else {
        panic!("{name} is not known by bars")
    };
    *bars
}

fn good(dex: &Dex, pools: &Json) -> PoolSettings {
    let (settings, problems) = read(dex, pools);
    assert_eq!(problems, Vec::<String>::new());
    settings
}

#[test]
fn an_empty_section_has_the_pools_whose_prices_are_recorded() {
    let names = |dex: &Dex| {
        let settings = good(dex, &json!({}));
        let names: Vec<_> = settings
            .pools
            .iter()
            .map(|pool| pool.name.to_string())
            .collect();
        names
    };
    let expected = ["EIGENWETH", "ETHFIWETH", "WETHUSDT", "wstETHWETH"];
    assert_eq!(names(&uniswap::DEX), expected);
    assert_eq!(names(&curve::DEX), ["weETHWETH"]);
    let settings = good(
        &uniswap::DEX,
        &json!({ "venue_type": "DEX", "network": "ethereum" }),
    );
    let wsteth = bars(&settings, "wstETHWETH");
    assert_eq!(wsteth.series, id("staking_market.uniswap.wstETH_ETH"));
    assert_eq!(
        (wsteth.fee, wsteth.base, wsteth.quote),
        (100, asset("wstETH"), asset("WETH"))
    );
    assert_eq!(bars(&good(&curve::DEX, &json!({})), "weETHWETH").fee, 400);
}

#[test]
fn an_entry_changes_what_it_writes_and_adds_pools() {
    let settings = good(
        &uniswap::DEX,
        &json!({ "pools": {
            "WETHUSDT": { "impact": "sqrt_impact", "impact_bps": "20", "impact_max_bps": "300" },
            "EIGENWETH": { "depth": "250" },
            "cheap": {
                "series": "dex.uniswap.WETHUSDT_3000", "assets": ["WETH", "USDT"], "fee": "500",
                "impact": "fixed_bps", "impact_bps": "3",
            },
        }}),
    );
    assert_eq!(settings.pools.len(), 5);
    let impact = Impact::Sqrt {
        impact: Bps::literal("20"),
        max: Bps::literal("300"),
    };
    assert_eq!(bars(&settings, "WETHUSDT").impact, impact);
    assert_eq!(bars(&settings, "WETHUSDT").fee, 3_000);
    let depth = Value::literal("250");
    assert_eq!(
        bars(&settings, "EIGENWETH").impact,
        Impact::ConstantProduct { depth }
    );
    assert_eq!(
        bars(&settings, "cheap").impact,
        Impact::FixedBps(Bps::literal("3"))
    );
    let settings = good(
        &curve::DEX,
        &json!({ "pools": { "weETHWETH": { "fee": "1000001" } } }),
    );
    assert_eq!(bars(&settings, "weETHWETH").fee, 101, "rounded up");
}

/// The pool `x` is left out, and the problems hold every one of `expected`.
fn assert_refused(dex: &Dex, pool: &Json, expected: &[&str]) {
    let (settings, problems) = read(dex, &json!({ "pools": { "x": pool } }));
    assert!(settings.pools.iter().all(|pool| pool.name.as_str() != "x"));
    for text in expected {
        let found = problems.iter().any(|problem| problem.contains(text));
        assert!(found, "{text}: {problems:?}");
    }
}

#[test]
fn what_is_wrong_with_a_pool_of_bars_is_reported_at_its_place() {
    let missing = [
        "pools.x.series",
        "pools.x.fee",
        "pools.x.assets",
        "pools.x.depth",
    ];
    assert_refused(&uniswap::DEX, &json!({}), &missing);
    let base = json!({
        "series": "staking_market.uniswap.wstETH_ETH", "assets": ["wstETH", "WETH"], "fee": "100",
    });
    let cases = [
        ("impact", json!("sqrt_impact"), "has none"),
        (
            "series",
            json!("spot.binance.ETHUSDT"),
            "neither bars of a pool",
        ),
        ("assets", json!(["WETH", "WETH"]), "each once"),
        (
            "assets",
            json!(["WETH", "USDT", "USDC"]),
            "has 2: base and quote",
        ),
        ("fee", json!("1000000"), "1000000 is outside 0 to 999999"),
        ("depth", json!("0"), "pools.x.depth"),
        ("volume", json!("eur"), "none of usd, quote"),
    ];
    for (key, value, expected) in cases {
        let mut pool = base.clone();
        if key != "depth" {
            pool["depth"] = json!("100");
        }
        pool[key] = value;
        if key == "volume" {
            let (_, problems) = read(&uniswap::DEX, &json!({ "pools": { "x": pool } }));
            assert!(
                problems.iter().any(|p| p.contains(expected)),
                "{problems:?}"
            );
        } else {
            assert_refused(&uniswap::DEX, &pool, &[expected]);
        }
    }
}

#[test]
fn what_is_wrong_with_a_pool_given_by_its_state_is_reported_at_its_place() {
    let state = json!({
        "model": "state", "assets": ["WETH", "USDT"], "fee": "3000", "tick_spacing": "60",
        "price": "1", "ranges": [{ "lower": "-61", "upper": "60", "liquidity": "1" }],
    });
    assert_refused(&uniswap::DEX, &state, &["pools.x.ranges"]);
    let missing = [
        "fee",
        "tick_spacing",
        "price",
        "ranges[0].upper",
        "ranges[0].liquidity",
        "assets",
    ];
    let state = json!({ "model": "state", "ranges": [{ "lower": "0" }] });
    assert_refused(&uniswap::DEX, &state, &missing);
    let state = json!({
        "model": "state", "assets": ["WETH", "USDT"], "fee": "3000", "tick_spacing": "60",
        "sqrt_price_x96": "1",
        "ranges": [{ "lower": "60", "upper": "x", "liquidity": "1.5" }],
    });
    let wrong = [
        "pools.x.sqrt_price_x96: 1 is outside 4295128739 to 146144670",
        "pools.x.ranges[0].upper: `x` is no number from -887272 to 887272",
        "pools.x.ranges[0].liquidity: `1.5` is no whole number from 1 to 340282366",
    ];
    assert_refused(&uniswap::DEX, &state, &wrong);
    let stable = json!({
        "model": "state", "assets": ["WETH", "stETH"], "fee": "4000000", "a": "100",
        "template": "base", "balances": ["1", "0", "3"], "rates": ["1", "1.1"],
    });
    let wrong = [
        "3 given for 2 assets",
        "0 is not above zero",
        "only pools of the template stableswap_ng",
    ];
    assert_refused(&curve::DEX, &stable, &wrong);
    let stable = json!({
        "model": "state", "balances": ["a"], "rates": ["spot.binance.ETHUSDT"],
    });
    let missing = [
        "pools.x.a",
        "pools.x.balances",
        "pools.x.rates",
        "pools.x.fee",
    ];
    assert_refused(&curve::DEX, &stable, &missing);
}

#[test]
fn unknown_keys_are_told_apart() {
    let (settings, problems) = read(
        &uniswap::DEX,
        &json!({ "pool": {}, "pools": { "WETHUSDT": { "fees": "3000" } } }),
    );
    assert_eq!(settings.pools.len(), 4);
    assert_eq!(problems.len(), 2, "{problems:?}");
    assert!(
        problems
            .iter()
            .all(|problem| problem.contains("did you mean"))
    );
}
