//! Liquidity in pools through factory, engine and tight loop, to a run directory that the auditor
//! agrees with: added, moved by our own swaps, its fees collected, removed.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use basis::core::instruction::Operation;
use basis::core::ledger::EntryKind;
use basis::core::num::Value;
use basis::core::plan::Leg;
use basis::core::types::{Span, Timestamp, Venue};
use basis::data::synthetic::{SyntheticSpec, synthetic};
use basis::data::{LoadRequest, load};
use serde_json::{Value as Json, json};

use crate::audit::{assert_agrees, python};
use crate::files;
use crate::runner::Scratch;
use crate::scripted::{self, Script, plan};

pub(crate) const HOURS: i64 = 72;

const RANGES: &str = "venue_settings.uniswap.pools={ ranges: { model: state, assets: [WETH, weETH], \
    fee: 3000, tick_spacing: 60, price: 0.95, \
    ranges: [{ lower: -12000, upper: 12000, liquidity: \"3000000000000000000000\" }] }, \
    followed: { model: state, assets: [WETH, USDT], fee: 3000, tick_spacing: 60, price: 2500, \
    follows: dex.uniswap.WETHUSDT_3000, \
    ranges: [{ lower: -240000, upper: -150000, liquidity: \"500000000000000000\" }] } }";

const STABLE: &str = "venue_settings.curve.pools={ pair: { model: state, assets: [weETH, WETH], \
    fee: 4000000, a: 200, balances: [500, 520], rates: [staking_rate.etherfi.weETH_ETH, 1] }, \
    tied: { model: state, assets: [weETH, WETH], \
    fee: 4000000, a: 100, balances: [800, 850], rates: [staking_rate.etherfi.weETH_ETH, 1], \
    follows: staking_market.curve.weETH_ETH } }";

pub(crate) fn hour(number: i64) -> Timestamp {
    let start = SyntheticSpec::default().start;
    start.plus(Span::from_hours(number))
}

pub(crate) fn leg(venue: &str, operation: Json) -> Leg {
    let operation: Operation = serde_json::from_value(operation).unwrap();
    Leg::new(Venue::new(venue).unwrap(), operation)
}

pub(crate) fn swap(pool: &str, way: [&str; 2], amount: &str) -> Json {
    json!({ "swap": { "pool": pool, "asset_in": way[0], "asset_out": way[1], "amount_in": amount,
        "minimum_out": "0" } })
}

fn swap_for(pool: &str, way: [&str; 2], amount: &str, most: &str) -> Json {
    json!({ "swap": { "pool": pool, "asset_in": way[0], "asset_out": way[1], "amount_out": amount,
        "maximum_in": most } })
}

/// Into a pool that follows a series; out of one in one coin, and of exact amounts.
fn at_curve() -> [Json; 3] {
    [
        json!({ "add_liquidity": { "pool": "tied", "amounts": ["4", "6"],
            "minimum_liquidity": "10" } }),
        json!({ "remove_liquidity": { "pool": "pair", "liquidity": "2.25", "asset_out": "weETH",
            "minimum_out": ["2"] } }),
        json!({ "remove_liquidity": { "pool": "pair", "amounts": ["0.2", "1.000000001"],
            "maximum_liquidity": "1.3" } }),
    ]
}

fn script() -> Script {
    let ticks = json!([-1200, 600]);
    let exactly = |units: &str| json!({ "exactly": units });
    let add = |amounts: Json| json!({ "pool": "ranges", "amounts": amounts, "ticks": ticks, "minimum_liquidity": "1" });
    let remove = |liquidity: &str| {
        json!({ "remove_liquidity": { "pool": "ranges", "liquidity": liquidity, "ticks": ticks,
            "minimum_out": ["0", "0"] } })
    };
    let collect = json!({ "collect_fees": { "pool": "ranges", "ticks": ticks } });
    let step = |venue: &str, operation: Json| {
        let mut step = operation.as_object().cloned().unwrap_or_default();
        step.insert("venue".to_owned(), json!(venue));
        Json::Object(step)
    };
    let group = json!({ "atomic": [
        step("uniswap", swap("ranges", ["WETH", "weETH"], "2")),
        step("uniswap", json!({ "add_liquidity": add(json!(["1", "1"])) })),
        step("curve", swap("pair", ["weETH", "WETH"], "1")),
        step("uniswap", swap_for("ranges", ["weETH", "WETH"], "0.7", "1")),
        step("uniswap", collect.clone()),
    ]});
    let wrap =
        json!({ "wrap": { "asset_in": "ETH", "asset_out": "WETH", "amount": exactly("50") } });
    let stake =
        json!({ "stake": { "asset_in": "ETH", "asset_out": "weETH", "amount": exactly("40") } });
    let deposit = json!({ "add_liquidity": { "pool": "pair", "amounts": ["10", "3"],
        "minimum_liquidity": "13" } });
    let withdraw = |liquidity: &str| {
        json!({ "remove_liquidity": { "pool": "pair", "liquidity": liquidity,
            "minimum_out": ["0", "0"] } })
    };
    let everything_followed = json!({ "remove_liquidity": { "pool": "followed", "liquidity": "all",
        "ticks": [-210_000, -180_000], "minimum_out": ["0", "0"] } });
    let [tied, in_one, exactly_out] = at_curve();
    let followed = json!({ "add_liquidity": { "pool": "followed", "amounts": ["3", "9000"],
        "ticks": [-210_000, -180_000], "minimum_liquidity": "0" } });
    let for_dollars = swap_for("WETHUSDT", ["WETH", "USDT"], "1234.567891", "1");
    let legs = [
        ("wallet", wrap),
        ("etherfi", stake),
        (
            "uniswap",
            json!({ "add_liquidity": add(json!(["10", "10"])) }),
        ),
        ("uniswap", swap("WETHUSDT", ["WETH", "USDT"], "6")),
        ("uniswap", followed),
        ("curve", tied),
        ("uniswap", swap("ranges", ["WETH", "weETH"], "5.123456789")),
        ("curve", deposit),
        ("uniswap", swap("ranges", ["weETH", "WETH"], "9")),
        ("curve", swap("pair", ["weETH", "WETH"], "8.5")),
        ("uniswap", collect),
        ("curve", swap("pair", ["WETH", "weETH"], "3")),
        ("uniswap", swap_for("ranges", ["WETH", "weETH"], "1.5", "2")),
        ("uniswap", for_dollars),
        ("uniswap", remove("20")),
        ("instadapp", group),
        ("curve", withdraw("6.5")),
        ("uniswap", everything_followed),
        ("curve", in_one),
        ("curve", swap("pair", ["WETH", "weETH"], "4.25")),
        ("curve", exactly_out),
        ("curve", swap("tied", ["WETH", "weETH"], "1.5")),
    ];
    let at = (1..).map(|number| hour(3 * number));
    let legs = legs
        .into_iter()
        .map(|(venue, operation)| plan(vec![leg(venue, operation)]));
    Script(at.zip(legs).collect())
}

/// Whether the auditor has derived some of each kind of line that liquidity leaves.
#[track_caller]
pub(crate) fn assert_counted(report: &str) {
    for kind in [
        "pool swaps",
        "deposits",
        "withdrawals",
        "collections",
        "pool moves",
        "liquidity_fee",
        "fee",
        "pools",
    ] {
        assert!(
            report.contains(&format!(" in chain: {kind}")),
            "{kind}: {report}"
        );
    }
}

/// The synthetic market as files, for the auditor reads them too.
pub(crate) fn market(dir: &Path) -> PathBuf {
    let data = dir.join("data");
    let bars = usize::try_from(HOURS).unwrap();
    let spec = SyntheticSpec {
        bars,
        ..SyntheticSpec::default()
    };
    files::write(&data, &synthetic(&spec));
    data
}

/// Runs `script` over the market at `data` with `sets`, and leaves its directory at `out`.
pub(crate) fn play(
    data: &Path,
    out: &Path,
    sets: &[&str],
    range: (Timestamp, Timestamp),
    script: Script,
) {
    let sets = [sets, &["data.gaps=hold", "risk.net_delta_halt=10"]].concat();
    let setup = scripted::setup("eth_staking_only", &sets, range);
    let mut ids = setup.wanted_series().unwrap();
    for followed in [
        "dex.uniswap.WETHUSDT_3000",
        "staking_market.curve.weETH_ETH",
    ] {
        ids.push(followed.parse().unwrap());
    }
    ids.sort();
    ids.dedup();
    // Rewards are in no file here, and the mode does without.
    ids.retain(|id| !id.kind.as_str().starts_with("reward"));
    let request = LoadRequest {
        ids,
        volume_multipliers: BTreeMap::new(),
        price_units: BTreeMap::new(),
    };
    let loaded = load(data, &request, &|_| {}).unwrap();
    // What is read where it is there is not asked for.
    let there = request.ids.iter().copied();
    let there: Vec<_> = there.filter(|id| !loaded.absent.contains(id)).collect();
    scripted::run(&setup, (loaded.data, &there), script, out);
}

#[test]
fn liquidity_is_added_moved_collected_and_removed_without_a_residual() {
    let dir = Scratch::new();
    let out = dir.path().join("run");
    let data = market(dir.path());
    play(
        &data,
        &out,
        &[RANGES, STABLE],
        (hour(0), hour(HOURS)),
        script(),
    );
    let equity = fs::read_to_string(out.join("equity.csv")).unwrap();
    let mut rows = equity.lines().map(|row| row.split(',').collect::<Vec<_>>());
    let header = rows.next().unwrap();
    let column = |name: &str| header.iter().position(|head| *head == name).unwrap();
    let (residual, fees) = (column("residual"), column("liquidity_fees"));
    let bound = Value::literal("0.000000000001");
    let mut earned = Value::ZERO;
    for row in rows {
        let left: Value = row[residual].parse().unwrap();
        assert!(left.abs().unwrap() < bound, "{row:?}");
        earned = earned.add(row[fees].parse().unwrap()).unwrap();
    }
    assert!(earned.is_positive());
    let ledger = fs::read_to_string(out.join("ledger.csv")).unwrap();
    for kind in [
        EntryKind::LiquidityFee,
        EntryKind::Trade,
        EntryKind::Transfer,
    ] {
        let line = |line: &str| line.contains("liquidity:") && line.contains(kind.as_str());
        let own = |line: &str| line.contains("uniswap.ranges,WETH,");
        assert!(ledger.lines().any(|l| line(l) || own(l)), "{kind}");
    }
    // Hours in which the recorded price moved the pool that follows it.
    for venue in ["uniswap", "curve"] {
        let cause = format!("accrual:{venue}.");
        let moved = ledger.lines().filter(|line| line.contains(&cause));
        assert!(moved.count() > 60, "{venue}");
    }
    let positions = fs::read_to_string(out.join("positions.csv")).unwrap();
    let last = positions.lines().last().unwrap().split(',').next().unwrap();
    for item in [
        "uniswap.ranges,liquidity:WETH:-1200:600,",
        "uniswap.ranges,liquidity:weETH:-1200:600,",
        "curve.pair,liquidity:WETH,",
        "curve.pair,liquidity:weETH,",
        "curve.tied,liquidity:WETH,",
    ] {
        let row = format!("{last},{item}");
        assert!(positions.contains(&row), "{row}");
    }
    let left = format!("{last},uniswap.followed,liquidity:");
    assert!(!positions.contains(&left), "all of it was removed");
    if python() {
        let report = assert_agrees(&out, Some(&data));
        assert!(!report.contains("SKIPPED"), "{report}");
        assert_counted(&report);
    }
}
