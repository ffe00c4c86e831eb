//! The run that is tampered with: a book of every kind of holding, and something for every venue to do
//! every few hours.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, OnceLock};

use basis::assembly::{Setup, World};
use basis::core::error::ComponentError;
use basis::core::instruction::Operation;
use basis::core::plan::{Leg, Plan};
use basis::core::types::{Account, Item, SeriesId, Span, Timestamp};
use basis::data::synthetic::{SyntheticSpec, synthetic};
use basis::engine::{Engine, EngineParts, RunResult};
use basis::market::ExecutionInterface;
use basis::market::MarketData;
use basis::venues::registry::Registry;
use serde_json::{Value as Json, json};

use super::Heard;
use super::tampered::{Change, Tamper, tampered};
use crate::scripted::{self, Script};

/// Hours of the run.
const HOURS: i64 = 60;

/// Venues and pools beside those of the mode.
const SETS: &[&str] = &[
    "initial_capital=400",
    "data.gaps=hold",
    "deposits=[{ at: 2024-01-02T12:30:00Z, amount: 5 }]",
    "risk.net_delta_halt=10",
    "venue_settings.binance={ slippage: none }",
    "venue_settings.aave={}",
    "venue_settings.lido={ queue_delay_hours: 24 }",
    "venue_settings.etherfi={ queue_delay_hours: 24 }",
    "venue_settings.morpho={ markets: [{ name: weeth_weth, loan: WETH, collateral: weETH, \
        lltv: 0.945, total_supply: 10000, total_borrow: 9000 }] }",
    "venue_settings.uniswap.pools={ ranges: { model: state, assets: [WETH, weETH], fee: 3000, \
        tick_spacing: 60, price: 0.95, \
        ranges: [{ lower: -12000, upper: 12000, liquidity: \"3000000000000000000000\" }] } }",
    "venue_settings.curve.pools={ pair: { model: state, assets: [weETH, WETH], fee: 4000000, \
        a: 200, balances: [500, 520], rates: [staking_rate.etherfi.weETH_ETH, 1] } }",
];

fn hour(number: i64) -> Timestamp {
    let start = SyntheticSpec::default().start;
    start.plus(Span::from_hours(number))
}

fn plan(legs: &[(&str, Json)]) -> Plan {
    let leg = |(venue, operation): &(&str, Json)| {
        let operation: Operation = serde_json::from_value(operation.clone()).unwrap();
        Leg::new(venue.parse().unwrap(), operation)
    };
    scripted::plan(legs.iter().map(leg).collect())
}

fn staking(kind: &str, way: [&str; 2], units: &str) -> Json {
    let amount = json!({ "exactly": units });
    json!({ kind: { "asset_in": way[0], "asset_out": way[1], "amount": amount } })
}

fn lending(kind: &str, asset: &str, units: &str, market: Option<&str>) -> Json {
    let amount = json!({ "exactly": units });
    json!({ kind: { "asset": asset, "amount": amount, "market": market } })
}

fn swap(pool: &str, way: [&str; 2], units: &str) -> Json {
    json!({ "swap": { "pool": pool, "asset_in": way[0], "asset_out": way[1],
        "amount_in": { "exactly": units }, "minimum_out": "0" } })
}

fn order(kind: &str, side: &str, quantity: &str) -> Json {
    json!({ kind: { "symbol": "ETHUSDT", "side": side, "quantity": quantity,
        "order_type": "market" } })
}

fn send(units: &str, [from, to]: [&str; 2]) -> Json {
    let account = |text: &str| {
        let (venue, name) = text.split_once('.').unwrap();
        json!({ "venue": venue, "name": name })
    };
    json!({ "transfer": { "asset": "USDT", "amount": units,
        "from": account(from), "to": account(to) } })
}

fn opening() -> Vec<Vec<(&'static str, Json)>> {
    let market = Some("weeth_weth");
    vec![
        vec![("wallet", staking("wrap", ["ETH", "WETH"], "150"))],
        vec![("uniswap", swap("WETHUSDT", ["WETH", "USDT"], "8"))],
        vec![("wallet", send("16000", ["wallet.main", "binance.spot"]))],
        vec![("etherfi", staking("stake", ["ETH", "eETH"], "20"))],
        vec![("etherfi", staking("stake", ["ETH", "weETH"], "80"))],
        vec![("lido", staking("stake", ["ETH", "stETH"], "10"))],
        vec![("binance", send("8000", ["binance.spot", "binance.usdm"]))],
        vec![
            ("binance", order("spot_trade", "buy", "1")),
            ("binance", order("perp_trade", "sell", "1")),
        ],
        vec![("aave", lending("supply", "weETH", "15", None))],
        vec![("aave", lending("borrow", "WETH", "5", None))],
        vec![("morpho", lending("supply", "weETH", "10", market))],
        vec![("morpho", lending("supply", "WETH", "5", market))],
        vec![("morpho", lending("borrow", "WETH", "2", market))],
        vec![(
            "uniswap",
            json!({ "add_liquidity": { "pool": "ranges", "amounts": ["10", "10"],
                "ticks": [-1200, 600], "minimum_liquidity": "1" } }),
        )],
        vec![(
            "curve",
            json!({ "add_liquidity": { "pool": "pair", "amounts": ["5", "3"],
                "minimum_liquidity": "1" } }),
        )],
        vec![("uniswap", swap("ranges", ["WETH", "weETH"], "3"))],
        vec![("etherfi", staking("unstake", ["eETH", "ETH"], "4"))],
        vec![("lido", staking("unstake", ["stETH", "ETH"], "2"))],
    ]
}

/// What keeps every venue busy: it is then compared again and again.
fn going_on() -> [Vec<(&'static str, Json)>; 4] {
    let market = Some("weeth_weth");
    [
        vec![
            ("morpho", lending("supply", "weETH", "0.3", market)),
            ("binance", send("100", ["binance.spot", "wallet.main"])),
            ("lido", staking("stake", ["ETH", "wstETH"], "0.4")),
        ],
        vec![
            ("wallet", staking("wrap", ["ETH", "WETH"], "0.5")),
            ("binance", order("perp_trade", "buy", "0.1")),
            ("etherfi", staking("wrap", ["eETH", "weETH"], "0.25")),
        ],
        vec![
            ("aave", lending("repay", "WETH", "0.1", None)),
            ("aave", lending("supply", "weETH", "0.2", None)),
            ("morpho", lending("repay", "WETH", "0.1", market)),
            ("uniswap", swap("ranges", ["weETH", "WETH"], "0.7")),
        ],
        vec![
            ("curve", swap("pair", ["WETH", "weETH"], "0.3")),
            ("binance", order("spot_trade", "sell", "0.05")),
            ("lido", staking("unwrap", ["wstETH", "stETH"], "0.1")),
            ("wallet", send("150", ["wallet.main", "binance.spot"])),
        ],
    ]
}

fn script() -> Script {
    let mut plans = VecDeque::new();
    let mut at = 1;
    for legs in opening() {
        plans.push_back((hour(at), plan(&legs)));
        at += 1;
    }
    let turns = going_on();
    for (at, legs) in (at..HOURS).zip(turns.iter().cycle()) {
        plans.push_back((hour(at), plan(legs)));
    }
    Script(plans)
}

struct Market {
    setup: Setup,
    data: Arc<MarketData>,
    series: Vec<SeriesId>,
}

fn market() -> &'static Market {
    static MARKET: OnceLock<Market> = OnceLock::new();
    MARKET.get_or_init(|| {
        let data = synthetic(&SyntheticSpec {
            bars: usize::try_from(HOURS).unwrap(),
            ..SyntheticSpec::default()
        });
        let of_ether = |id: &SeriesId| !id.symbol.as_str().starts_with("BTC");
        let series = data
            .ids()
            .filter(of_ether)
            .filter(|id| !id.kind.as_str().starts_with("reward"));
        Market {
            setup: scripted::setup("eth_staking_only", SETS, (hour(0), hour(HOURS))),
            series: series.collect(),
            data: Arc::new(data),
        }
    })
}

/// Plays the run with one change. Yields what became of it, and the holding that the change was about once
/// it was made.
pub(super) fn played(
    change: Change,
) -> (Result<RunResult, ComponentError>, Option<(Account, Item)>) {
    let (outcome, _, reached) = play(change);
    (outcome, reached)
}

/// The run without a change, and what its venues said.
pub(super) fn recorded() -> (Result<RunResult, ComponentError>, Heard) {
    let (outcome, heard, _) = play(Change::Nothing);
    (outcome, heard)
}

type Played = (
    Result<RunResult, ComponentError>,
    Heard,
    Option<(Account, Item)>,
);

fn play(change: Change) -> Played {
    let Market {
        setup,
        data,
        series,
    } = market();
    let world = World::of(setup);
    let created = world.create_interfaces(&Registry::builtin(), setup);
    assert!(created.failures.is_empty(), "{:?}", created.failures);
    let shared = Arc::new(Mutex::new(Tamper::new(change)));
    let wrapped = created.interfaces.into_iter().map(|inner| {
        let tampered = tampered(inner, &shared);
        Box::new(tampered) as Box<dyn ExecutionInterface>
    });
    let parts = EngineParts {
        config: setup.run().clone(),
        data: Arc::clone(data),
        rules: Arc::clone(setup.rules()),
        interfaces: wrapped.collect(),
        clock: world.clock,
        journal: None,
        events: world.events,
        positions: world.positions,
        transit: world.simulated.transit,
    };
    let engine = Engine::with_strategy(parts, series, Box::new(script())).unwrap();
    let outcome = engine.run(&mut |_| {});
    let (heard, reached) = shared.lock().unwrap().end();
    (outcome, heard, reached)
}
