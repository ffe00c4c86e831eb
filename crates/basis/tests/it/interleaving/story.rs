//! A run with something of every sort: orders that rest, are amended, taken back and refused, both sides of a
//! perp, requests in queues, lending, liquidity, transfers that fail, capital that comes and goes, and a
//! venue that is adopted.

use std::collections::VecDeque;

use basis::core::instruction::Operation;
use basis::core::plan::Leg;
use basis::core::types::SeriesId;
use basis::data::synthetic::SyntheticGap;
use serde_json::{Value as Json, json};

use super::recording::{Recording, hour, played};
use crate::scripted::{Script, plan};

const HOURS: i64 = 72;

const SETS: &[&str] = &[
    "initial_capital=400",
    "data.gaps=hold",
    "adopt=[bybit]",
    "deposits=[{ at: 2024-01-02T12:30:00Z, amount: 5 }]",
    "withdrawals=[{ at: 2024-01-02T18:00:00Z, amount: 3 }]",
    "risk.net_delta_halt=10",
    "shocks=['ETH +60% at 2024-01-03T00:00Z', 'oracle weETH -30% at 2024-01-03T06:00Z for 12h']",
    "venue_settings.wallet={ transfer_failures: [{ nth: 2, stage: returned }, { nth: 3, stage: rejected }] }",
    "venue_settings.binance={ slippage: none, position_mode: hedge, leverage: 20, spot_margin: true, \
        borrow: [{ asset: USDT, hourly_rate: 0.00001 }] }",
    "venue_settings.bybit={ initial_balances: { unified: { USDT: 1000, ETH: 2 } } }",
    "venue_settings.aave={}",
    "venue_settings.lido={ queue_delay_hours: 24 }",
    "venue_settings.etherfi={ queue_delay_hours: 24 }",
    "venue_settings.morpho={ markets: [{ name: weeth_weth, loan: WETH, collateral: weETH, lltv: 0.945, \
        total_supply: 10000, total_borrow: 9000 }] }",
    "venue_settings.uniswap.pools={ ranges: { model: state, assets: [WETH, weETH], fee: 3000, \
        tick_spacing: 60, price: 0.95, \
        ranges: [{ lower: -12000, upper: 12000, liquidity: \"3000000000000000000000\" }] } }",
    "venue_settings.curve.pools={ pair: { model: state, assets: [weETH, WETH], fee: 4000000, a: 200, \
        balances: [500, 520], rates: [staking_rate.etherfi.weETH_ETH, 1] } }",
];

type Step = (&'static str, Json);

fn staking(kind: &str, way: [&str; 2], units: &str) -> Json {
    json!({ kind: { "asset_in": way[0], "asset_out": way[1], "amount": { "exactly": units } } })
}

fn lending(kind: &str, asset: &str, units: &str, market: Option<&str>) -> Json {
    json!({ kind: { "asset": asset, "amount": { "exactly": units }, "market": market } })
}

fn swap(pool: &str, way: [&str; 2], units: &str) -> Json {
    json!({ "swap": { "pool": pool, "asset_in": way[0], "asset_out": way[1],
        "amount_in": { "exactly": units }, "minimum_out": "0" } })
}

fn spot(side: &str, quantity: &str, limit: Option<&str>, time_in_force: &str) -> Json {
    let order_type = if limit.is_some() { "limit" } else { "market" };
    json!({ "spot_trade": { "symbol": "ETHUSDT", "side": side, "quantity": quantity,
        "order_type": order_type, "limit_price": limit, "time_in_force": time_in_force } })
}

fn perp(side: &str, quantity: &str, of: &str) -> Json {
    json!({ "perp_trade": { "symbol": "ETHUSDT", "side": side, "quantity": quantity,
        "order_type": "market", "position_side": of } })
}

fn send(units: &str, [from, to]: [&str; 2]) -> Json {
    let account = |text: &str| {
        let (venue, name) = text.split_once('.').unwrap();
        json!({ "venue": venue, "name": name })
    };
    json!({ "transfer": { "asset": "USDT", "amount": units,
        "from": account(from), "to": account(to) } })
}

/// What happens, block by block, an hour each. The legs are numbered from 1 as they stand here.
fn blocks() -> Vec<Vec<Step>> {
    let market = Some("weeth_weth");
    // The journal of a recording begins at epoch 1.
    let order = |order: u32| json!({ "symbol": "ETHUSDT", "order": format!("1-{order}") });
    let amended = json!({ "symbol": "ETHUSDT", "order": "1-9", "limit_price": "1600" });
    let mut blocks = vec![
        vec![("wallet", staking("wrap", ["ETH", "WETH"], "150"))],
        vec![("uniswap", swap("WETHUSDT", ["WETH", "USDT"], "8"))],
        vec![("wallet", send("16000", ["wallet.main", "binance.spot"]))],
        vec![("wallet", send("100", ["wallet.main", "binance.spot"]))],
        vec![("wallet", send("200", ["wallet.main", "binance.spot"]))],
        vec![("binance", send("700", ["binance.spot", "binance.usdm"]))],
        vec![
            ("binance", spot("buy", "1", None, "gtc")),
            ("binance", perp("sell", "1", "short")),
            ("binance", spot("buy", "0.2", Some("1500"), "gtc")),
            ("binance", perp("buy", "0.5", "long")),
        ],
        vec![("binance", json!({ "amend_order": amended }))],
        vec![("binance", json!({ "cancel_order": order(9) }))],
        vec![("binance", spot("sell", "0.1", Some("9000"), "ioc"))],
        vec![("binance", spot("sell", "0.3", Some("4000"), "gtc"))],
        vec![("binance", spot("buy", "5", None, "gtc"))],
    ];
    let rest = [
        ("etherfi", staking("stake", ["ETH", "eETH"], "20")),
        ("etherfi", staking("stake", ["ETH", "weETH"], "80")),
        ("lido", staking("stake", ["ETH", "stETH"], "10")),
        ("etherfi", staking("unstake", ["eETH", "ETH"], "4")),
        ("lido", staking("unstake", ["stETH", "ETH"], "2")),
        ("aave", lending("supply", "weETH", "15", None)),
        ("aave", lending("borrow", "WETH", "9", None)),
        ("morpho", lending("supply", "weETH", "10", market)),
        ("morpho", lending("supply", "WETH", "5", market)),
        ("morpho", lending("borrow", "WETH", "2", market)),
        (
            "uniswap",
            json!({ "add_liquidity": { "pool": "ranges", "amounts": ["10", "10"],
                "ticks": [-1200, 600], "minimum_liquidity": "1" } }),
        ),
        (
            "curve",
            json!({ "add_liquidity": { "pool": "pair", "amounts": ["5", "3"],
                "minimum_liquidity": "1" } }),
        ),
        ("uniswap", swap("ranges", ["WETH", "weETH"], "3")),
        ("curve", swap("pair", ["WETH", "weETH"], "0.3")),
        ("etherfi", staking("wrap", ["eETH", "weETH"], "0.25")),
        ("lido", staking("wrap", ["stETH", "wstETH"], "0.25")),
        ("aave", lending("repay", "WETH", "0.1", None)),
        ("binance", send("100", ["binance.spot", "wallet.main"])),
    ];
    blocks.extend(rest.map(|step| vec![step]));
    blocks
}

fn script() -> Script {
    let leg = |(venue, operation): &Step| {
        let operation: Operation = serde_json::from_value(operation.clone()).unwrap();
        Leg::new(venue.parse().unwrap(), operation)
    };
    let mut plans = VecDeque::new();
    for (block, at) in blocks().iter().zip(1..) {
        plans.push_back((hour(at), plan(block.iter().map(leg).collect())));
    }
    for (at, venue) in [(52, "etherfi"), (53, "lido")] {
        let claim = (venue, json!({ "claim_unstake": {} }));
        plans.push_back((hour(at), plan(vec![leg(&claim)])));
    }
    Script(plans)
}

/// The run.
pub(super) fn everything() -> Recording {
    let series: SeriesId = "funding.binance.ETHUSDT".parse().unwrap();
    let gap = SyntheticGap {
        series,
        from: hour(32),
        to: hour(40),
    };
    let of_ether = |id: &SeriesId| !id.symbol.as_str().starts_with("BTC");
    let mode = ("eth_staking_only", SETS);
    played("everything", mode, (HOURS, vec![gap]), of_ether, script())
}
