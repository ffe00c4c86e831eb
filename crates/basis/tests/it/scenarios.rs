//! `basis stress`: a table whose rows are single runs held against the run without a shock.

#![allow(
    clippy::indexing_slicing,
    reason = "helpers of tests: a failure is a failed test"
)]

use serde_json::{Value as Json, json};

use crate::runner::{Outcome, Scratch};

const DATES: [&str; 4] = ["--from", "2024-02-01", "--to", "2024-02-14"];

fn stress(dir: &Scratch, more: &[&str]) -> Outcome {
    let arguments = [["stress", "btc_basis", "-q"].as_slice(), &DATES, more].concat();
    dir.run(&arguments, &[])
}

/// The table of the only mode.
fn table(outcome: &Outcome) -> Json {
    outcome.json().pointer("/modes/0").unwrap().clone()
}

fn row<'a>(table: &'a Json, name: &str) -> &'a Json {
    let rows = table["rows"].as_array().unwrap();
    rows.iter().find(|row| row["scenario"] == name).unwrap()
}

/// A table without what a wall clock says.
fn timeless(mut table: Json) -> Json {
    table.as_object_mut().unwrap().remove("timing").unwrap();
    table
}

#[test]
fn the_built_in_scenarios_make_a_whole_table() {
    let dir = Scratch::new();
    let done = stress(&dir, &["--json", "--out", "table", "--jobs", "2"]);
    let whole = table(&done);
    let rows = whole["rows"].as_array().unwrap();
    assert!(rows.len() > 12, "{}", rows.len());
    assert_eq!(rows[0]["scenario"], "base");
    assert_eq!(whole["at"], "2024-02-08T00:00:00Z");
    for row in rows {
        match row["status"].as_str().unwrap() {
            "skipped" => assert!(row["message"].is_string(), "{row}"),
            "ok" | "halted" => {
                assert_eq!(row["residual"], "0", "{row}");
                assert!(row["loss_of_equity"].is_string(), "{row}");
            }
            other => panic!("{other}: {row}"),
        }
    }
    assert_eq!(row(&whole, "base")["loss"], "0");
    let skipped = row(&whole, "lst_discount_5");
    assert_eq!(
        skipped["message"], "the mode has no liquid staking token",
        "{skipped}"
    );
    let untouched = row(&whole, "borrow_weth_30_3d")["message"].to_string();
    assert!(untouched.contains("touches"), "{untouched}");

    let again = table(&stress(&dir, &["--json", "--jobs", "1"]));
    let (mut one, mut two) = (timeless(whole.clone()), timeless(again));
    assert_eq!(one, two);
    let read = |name: &str| std::fs::read_to_string(dir.path().join("table").join(name)).unwrap();
    assert_eq!(read("stress.csv").lines().count(), rows.len() + 1);
    let page = read("report.html");
    for row in rows {
        assert!(page.contains(row["scenario"].as_str().unwrap()), "{row}");
    }
    let written: Json = serde_json::from_str(&read("stress.json")).unwrap();
    assert_eq!(written, whole);

    // What was written makes the same rows again, but for the skipped ones.
    let resolved = ["--json", "--scenarios", "table/scenarios.yaml"];
    let third = table(&stress(&dir, &resolved));
    one = json!(
        rows.iter()
            .filter(|row| row["status"] != "skipped")
            .collect::<Vec<_>>()
    );
    two = third["rows"].clone();
    assert_eq!(one, two);
}

#[test]
fn every_row_is_the_single_run_under_its_shocks() {
    let dir = Scratch::new();
    let two = ["--set", "hedge_leverage=2"];
    let names = ["up_40_6h", "funding_flip", "outage_and_up_20"];
    let mut more = vec!["--json"];
    more.extend(two);
    for name in names {
        more.extend(["--scenario", name]);
    }
    let stressed = table(&stress(&dir, &more));
    assert_eq!(stressed["rows"].as_array().unwrap().len(), 4);
    for name in ["base"].iter().chain(&names) {
        let row = row(&stressed, name);
        let mut arguments = vec!["backtest", "btc_basis", "--json", "-q"];
        arguments.extend(DATES.iter().chain(&two));
        for shock in row["shocks"].as_array().unwrap() {
            arguments.extend(["--shock", shock.as_str().unwrap()]);
        }
        let single = dir.run(&arguments, &[]);
        let single: Json = serde_json::from_str(&single.out).unwrap();
        assert_eq!(row["config_hash"], single["config_hash"], "{name}");
        assert_eq!(row["equity_end"], single["equity_end"], "{name}");
        assert_eq!(row["message"], single["halted"], "{name}");
        assert_eq!(row["residual"], single["attribution"]["residual"], "{name}");
        assert_eq!(
            row["liquidations"]["cex"], single["counts"]["liquidations"],
            "{name}"
        );
    }
    // Margin had to move while the market did.
    let squeezed = row(&stressed, "up_40_6h");
    assert!(
        squeezed["safety_seconds"].as_i64().unwrap() > 0,
        "{squeezed}"
    );
    let calm = row(&stressed, "funding_flip");
    assert_eq!(
        (&calm["risk_actions"], &calm["safe"]),
        (&json!(0), &json!(true))
    );
}

#[test]
fn a_halted_scenario_is_a_result_and_a_failed_one_is_reported_beside_the_others() {
    let dir = Scratch::new();
    let text = "scenarios:\n  late: BTC -1% at T+30d\n  crash:\n    - BTC +24% at T over 4h\n";
    dir.write("own.yaml", text);
    let more = [
        "--scenarios",
        "own.yaml",
        "--set",
        "hedge_leverage=4",
        "--set",
        "utilization_band=1",
        "--set",
        "margin_deviation_threshold=1",
        "--set",
        "equity_deviation=1",
        "--set",
        "risk.distance_warn=0.09",
        "--set",
        "risk.distance_reduce_only=0.08",
        "--set",
        "risk.distance_top_up=0.07",
        "--set",
        "risk.distance_deleverage=0.07",
        "--set",
        "risk.distance_halt=0.07",
        "--json",
    ];
    let halted = stress(&dir, &[more.as_slice(), &["--scenario", "crash"]].concat());
    let halted = table(&halted);
    let crash = row(&halted, "crash");
    assert_eq!(
        (&crash["status"], &crash["safe"]),
        (&json!("halted"), &json!(true))
    );
    assert_eq!(crash["liquidations"], json!({ "cex": 0, "lending": 0 }));
    let seconds = |key: &str| crash[key].as_i64().unwrap();
    assert!(crash["risk_actions"].as_u64().unwrap() > 0, "{crash}");
    assert!(
        seconds("first_action_seconds") > 0 && seconds("safety_seconds") > 3_600,
        "{crash}"
    );
    assert!(crash["message"].as_str().unwrap().contains("risk halted"));
    let failed = stress(&dir, &more);
    failed.fails(
        1,
        &["1 scenarios failed", "btc_basis late", "outside the run"],
    );
    let both: Json = serde_json::from_str(&failed.out).unwrap();
    let both = &both["modes"][0];
    assert_eq!(row(both, "crash")["status"], "halted");
    assert_eq!(row(both, "late")["status"], "failed");
    assert_eq!(both["failed"], 1);
}

#[test]
fn what_is_asked_for_wrongly_is_refused_before_anything_runs() {
    let dir = Scratch::new();
    stress(&dir, &["--scenario", "fundng_flip"]).fails(2, &["did you mean `funding_flip`?"]);
    let unknown = dir.basis("stress btc_basi");
    unknown.fails(2, &["error[CFG-003]", "did you mean `btc_basis`?"]);
    stress(&dir, &["--at", "2034-01-01"]).fails(2, &["is outside the run"]);
    stress(&dir, &["--at", "soon"]).fails(2, &["--at soon: no instant"]);
    stress(&dir, &["--scenarios", "absent.yaml"]).fails(2, &["absent.yaml cannot be read"]);
    dir.write(
        "bad.yaml",
        "scenarios:\n  base: BTC -1% at T\n  b: BTC -1% on T\n",
    );
    let bad = stress(&dir, &["--scenarios", "bad.yaml"]);
    bad.fails(
        2,
        &[
            "error[CFG-001]",
            "bad.yaml:2",
            "bad.yaml:3",
            "`on` does not fit",
        ],
    );
}

#[test]
fn the_table_for_people_names_figures_and_skipped_scenarios() {
    let dir = Scratch::new();
    let shown = stress(
        &dir,
        &["--scenario", "up_20_1h", "--scenario", "slashing_1"],
    );
    assert_eq!(shown.code, 0, "{shown:?}");
    for part in [
        "SYNTHETIC",
        "loss USDT",
        "up_20_1h",
        "skipped",
        "slashing_1",
    ] {
        assert!(shown.out.contains(part), "`{part}` is not in {}", shown.out);
    }
}
