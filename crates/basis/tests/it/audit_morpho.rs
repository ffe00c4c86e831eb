//! The outside auditor over Morpho: interest, shares and health of every market by its own model, and
//! `risk.csv` from them.
//!
//! The market is the synthetic one, written to files; the tests need `python3` and say so without it.

#![expect(
    clippy::unwrap_used,
    reason = "helpers of tests: a failure is a failed test"
)]

use std::fs;
use std::path::PathBuf;
use std::sync::OnceLock;

use serde_json::{Value as Json, json};

use crate::audit::{assert_agrees, assert_found_in, fresh, python};
use crate::liquidity::{HOURS, hour, leg, market, play};
use crate::scripted::{Script, plan};

/// One market of a single underlying, whose oracle is a rate, and one of two, whose oracle is a price.
const MARKETS: &str = "venue_settings.morpho={ venue_type: OnChain, markets: [ \
    { name: eth, loan: WETH, collateral: weETH, lltv: 0.945, total_supply: 20000, total_borrow: 18900, fee: 0.1 }, \
    { name: dollars, loan: USDT, collateral: WETH, lltv: 0.86, total_supply: 5000000, total_borrow: 4100000, \
    rate_at_target: 0.06 } ] }";

fn lend(operation: &str, market: &str, asset: &str, amount: &Json) -> Json {
    json!({ operation: { "asset": asset, "amount": amount, "market": market } })
}

fn exactly(amount: &str) -> Json {
    json!({ "exactly": amount })
}

/// Every operation on both sides of both markets; `owed` USDT are borrowed on 5 WETH.
fn script(owed: &str) -> Script {
    let convert = |operation: &str, into: &str, amount: &str| json!({ operation: { "asset_in": "ETH", "asset_out": into, "amount": exactly(amount) } });
    let step = |operation: Json| {
        let mut step = operation.as_object().cloned().unwrap_or_default();
        step.insert("venue".to_owned(), json!("morpho"));
        Json::Object(step)
    };
    let group = json!({ "atomic": [
        step(lend("borrow", "eth", "WETH", &exactly("0.75"))),
        step(lend("supply", "dollars", "WETH", &exactly("0.25"))),
        step(lend("repay", "dollars", "USDT", &exactly("300.5"))),
    ]});
    let morpho = |operation, market, asset, amount: &str| {
        let amount = if amount == "all" {
            json!("all")
        } else {
            exactly(amount)
        };
        ("morpho", lend(operation, market, asset, &amount))
    };
    let legs = [
        ("wallet", convert("wrap", "WETH", "40")),
        ("etherfi", convert("stake", "weETH", "30")),
        morpho("supply", "eth", "weETH", "22.000000000000000001"),
        morpho("borrow", "eth", "WETH", "15.123456789012345678"),
        morpho("supply", "dollars", "WETH", "5"),
        morpho("borrow", "dollars", "USDT", owed),
        morpho("supply", "eth", "WETH", "3.3"),
        morpho("repay", "eth", "WETH", "2.000000000000000003"),
        morpho("withdraw", "eth", "weETH", "1.5"),
        morpho("supply", "dollars", "USDT", "1000.000001"),
        ("instadapp", group),
        morpho("withdraw", "eth", "WETH", "1.1"),
        morpho("withdraw", "dollars", "USDT", "all"),
        morpho("repay", "eth", "WETH", "all"),
        morpho("withdraw", "eth", "weETH", "all"),
        morpho("withdraw", "eth", "WETH", "all"),
    ];
    let at = (1..).map(|number| hour(2 * number));
    let legs = legs
        .into_iter()
        .map(|(venue, operation)| plan(vec![leg(venue, operation)]));
    Script(at.zip(legs).collect())
}

fn made(name: &str, sets: &[&str], script: Script) -> (PathBuf, PathBuf) {
    let dir = fresh(name);
    fs::create_dir_all(&dir).unwrap();
    let (data, out) = (market(&dir), dir.join("run"));
    let sets = [sets, &[MARKETS]].concat();
    play(&data, &out, &sets, (hour(0), hour(HOURS)), script);
    (data, out)
}

/// The data and the run of the script, made once.
fn run() -> &'static (PathBuf, PathBuf) {
    static RUN: OnceLock<(PathBuf, PathBuf)> = OnceLock::new();
    RUN.get_or_init(|| made("markets", &[], script("7000.123456")))
}

#[test]
fn markets_of_morpho_and_their_risk_are_derived_to_the_unit() {
    if !python() {
        return;
    }
    let (data, run) = run();
    let report = assert_agrees(run, Some(data));
    assert!(!report.contains("SKIPPED"), "{report}");
    for kind in ["morpho", "interest", "borrow_cost", "health"] {
        assert!(report.contains(&format!(" in chain: {kind}")), "{report}");
    }
    let risk = fs::read_to_string(run.join("risk.csv")).unwrap();
    for account in [",morpho.eth,", ",morpho.dollars,"] {
        let rows = risk.lines().filter(|row| row.contains(account));
        assert!(rows.count() > 15, "{account}");
    }
}

/// The positions of a script that is liquidated: collateral, debt, and a supply in the same market.
fn liquidated(name: &str, sets: &[&str], legs: &[(i64, &str, &str, &str)]) -> (PathBuf, PathBuf) {
    let wrap =
        json!({ "wrap": { "asset_in": "ETH", "asset_out": "WETH", "amount": exactly("6") } });
    let mut plans = vec![(hour(1), plan(vec![leg("wallet", wrap)]))];
    for (at, operation, asset, amount) in legs {
        let ask = lend(operation, "dollars", asset, &exactly(amount));
        plans.push((hour(*at), plan(vec![leg("morpho", ask)])));
    }
    let ladder = ["warn=1.01", "reduce_only=1", "deleverage=1", "halt=1"];
    let ladder = ladder.map(|rung| format!("risk.health_factor_{rung}"));
    let mut all: Vec<&str> = ladder.iter().map(String::as_str).collect();
    all.extend(sets);
    made(name, &all, Script(plans.into()))
}

#[test]
fn liquidations_at_morpho_are_derived_to_the_unit() {
    if !python() {
        return;
    }
    // Just above the limit until the price falls a little: the debt is repaid whole.
    let legs = [(3, "supply", "WETH", "5"), (13, "borrow", "USDT", "12262")];
    let repaid = liquidated("repaid", &[], &legs);
    // Two fifths of its worth are left at once: all of the collateral is seized, and the rest is lost to suppliers.
    let crash = "shocks=[\"ETH -60% at 2024-01-01T20:00Z\"]";
    let legs = [
        (3, "supply", "WETH", "5"),
        (5, "borrow", "USDT", "7000"),
        (7, "supply", "USDT", "1500"),
    ];
    let lost = liquidated("lost", &[crash], &legs);
    for (data, run) in [&repaid, &lost] {
        let report = assert_agrees(run, Some(data));
        assert!(!report.contains("SKIPPED"), "{report}");
        assert!(report.contains(" in chain: liquidation"), "{report}");
    }
    let lines = |run: &PathBuf| {
        let ledger = fs::read_to_string(run.join("ledger.csv")).unwrap();
        let kinds = [",liquidation,", ",write_off,"];
        let forced = ledger
            .lines()
            .filter(|line| kinds.iter().any(|kind| line.contains(kind)));
        forced.count()
    };
    assert_eq!(lines(&repaid.1), 2);
    // Collateral, what was repaid, bad debt, and what our own supply bears of that.
    assert_eq!(lines(&lost.1), 4);
}

#[test]
fn a_changed_unit_at_morpho_is_found() {
    if !python() {
        return;
    }
    let (data, run) = run();
    let found = |name, file, column, parts: [&str; 3]| {
        let matches = |row: &str| parts.iter().all(|part| row.contains(part));
        assert_found_in(run, data, name, (file, column), matches);
    };
    let eth = "morpho.eth,";
    let ledger = "ledger.csv";
    found(
        "interest",
        ledger,
        "units",
        [eth, "shares:WETH", ",interest,"],
    );
    found("cost", ledger, "units", [eth, "debt:WETH", ",borrow_cost,"]);
    found(
        "shares",
        ledger,
        "quantity",
        [eth, "debt:WETH", ",transfer,"],
    );
    found(
        "supplied",
        ledger,
        "units",
        [eth, "shares:WETH", ",transfer,"],
    );
    found(
        "collateral",
        ledger,
        "units",
        [eth, ",weETH,", ",transfer,"],
    );
    let risk = "risk.csv";
    for account in [eth, "morpho.dollars,"] {
        let late = [account, "health_factor", "2024-01-01T20:"];
        found("factor", risk, "value", late);
        found("distance", risk, "price_distance_fraction", late);
    }
    let late = [eth, "health_factor", "2024-01-02T02:"];
    found("rate", risk, "lst_rate_distance_fraction", late);
    let late = ["morpho.dollars,", "health_factor", "2024-01-02T02:"];
    found("days", risk, "time_to_liquidation_days", late);
}
