//! Swaps of an exact output on the recorded market, alone and in groups, to run directories that the
//! auditor agrees with; and that it finds a request they do not fit.

use std::fs;
use std::path::{Path, PathBuf};

use basis::core::instruction::Operation;
use basis::core::plan::Leg;
use basis::core::types::{SeriesId, Span, Timestamp, Venue};
use basis::data::{LoadRequest, load};
use serde_json::{Value as Json, json};

use crate::audit::assert_agrees;
use crate::audit::{data_directory, fresh};
use crate::audit_chain::{assert_reported, changed};
use crate::scripted::{self, Script, plan};

const HOURS: i64 = 24;

fn hour(number: i64) -> Timestamp {
    let start: Timestamp = "2024-11-04T00:00:00Z".parse().unwrap();
    start.plus(Span::from_hours(number))
}

fn leg(venue: &str, operation: Json) -> Leg {
    let operation: Operation = serde_json::from_value(operation).unwrap();
    Leg::new(Venue::new(venue).unwrap(), operation)
}

fn swap_for(way: [&str; 2], amount: &str, most: &str) -> Json {
    json!({ "swap": { "pool": "WETHUSDT", "asset_in": way[0], "asset_out": way[1],
        "amount_out": amount, "maximum_in": most } })
}

fn script() -> Script {
    let (sell, buy) = (["WETH", "USDT"], ["USDT", "WETH"]);
    let uniswap = |way, amount, most| leg("uniswap", swap_for(way, amount, most));
    let ether = |kind: &str, way: [&str; 2], amount: &str| {
        let staking = json!({ "asset_in": way[0], "asset_out": way[1], "amount": amount });
        json!({ kind: staking })
    };
    let lend = |kind: &str, asset: &str, amount: &str| json!({ kind: { "asset": asset, "amount": amount } });
    let step = |venue: &str, operation: Json| {
        let mut step = operation.as_object().cloned().unwrap_or_default();
        step.insert("venue".to_owned(), json!(venue));
        Json::Object(step)
    };
    // Ether is sold for exactly what a debt in dollars has become.
    let repaid = json!({ "atomic": [
        step("wallet", ether("wrap", ["ETH", "WETH"], "3")),
        step("uniswap", swap_for(sell, "500.000001", "1")),
        step("uniswap", swap_for(sell, "1500", "1")),
        step("aave", lend("repay", "USDT", "2000.000001")),
    ]});
    let plans = [
        (1, vec![leg("wallet", ether("wrap", ["ETH", "WETH"], "40"))]),
        // One bar: there, further, back, beyond.
        (
            3,
            vec![
                uniswap(sell, "30000", "15"),
                uniswap(sell, "0.000001", "1"),
                uniswap(buy, "2.123456789012345678", "10000"),
                uniswap(sell, "4000", "2"),
                uniswap(buy, "8.5", "34000"),
            ],
        ),
        (4, vec![leg("aave", lend("supply", "WETH", "10"))]),
        (5, vec![leg("aave", lend("borrow", "USDT", "3000"))]),
        (9, vec![leg("instadapp", repaid)]),
        (10, vec![uniswap(buy, "0.1", "400")]),
    ];
    let plans = plans.into_iter().map(|(at, legs)| (hour(at), plan(legs)));
    Script(plans.collect())
}

/// Runs the script with a pool whose swaps move it like this.
fn run(data: &Path, impact: &str) -> PathBuf {
    let pool = format!("venue_settings.uniswap.pools={{ WETHUSDT: {{ impact: {impact} }} }}");
    let sets = [&pool, "data.gaps=hold", "risk.net_delta_halt=10"];
    let setup = scripted::setup("eth_leveraged", &sets, (hour(0), hour(HOURS)));
    let mut series = setup.wanted_series().unwrap();
    let more = [
        "dex.uniswap.WETHUSDT_3000",
        "aave_reserve.aave.USDT",
        "oracle.aave.USDT_USD",
    ];
    series.extend(more.map(|id| id.parse::<SeriesId>().unwrap()));
    let wanted = LoadRequest {
        ids: series.clone(),
        ..LoadRequest::default()
    };
    let loaded = load(data, &wanted, &|_| {}).unwrap();
    let known: Vec<_> = loaded.data.ids().collect();
    series.retain(|id| known.contains(id));
    let out = fresh(impact);
    scripted::run(&setup, (loaded.data, &series), script(), &out);
    out
}

#[test]
fn exact_outputs_agree_and_a_request_they_do_not_fit_is_found() {
    let Some(data) = data_directory() else { return };
    for impact in ["constant_product", "sqrt_impact", "fixed_bps", "none"] {
        let out = run(&data, impact);
        // The exit through a pool given by its state is not derived.
        let report = assert_agrees(&out, Some(&data));
        assert!(!report.contains("SKIPPED"), "{report}");
        for kind in ["swaps", "lending", "gas"] {
            assert!(report.contains(&format!(" in chain: {kind}")), "{report}");
        }
        let ledger = fs::read_to_string(out.join("ledger.csv")).unwrap();
        let bought = |row: &&str| row.contains(",WETH,2.123456789012345678,");
        assert_eq!(ledger.lines().filter(bought).count(), 1, "{impact}");
        for (name, from, to, what) in [
            (
                "least",
                "\"\"30000\"\"",
                "\"\"29999\"\"",
                "a unit less does not get it",
            ),
            (
                "gets",
                "\"\"30000\"\"",
                "\"\"30001\"\"",
                "what is paid gets the output",
            ),
            (
                "most",
                "\"\"34000\"\"",
                "\"\"1000\"\"",
                "the most that was asked for",
            ),
        ] {
            let tampered = changed(
                &out,
                &format!("{impact}-{name}"),
                "executions.csv",
                |text| text.replace(from, to),
            );
            assert_reported(&tampered, &data, what);
        }
    }
}
