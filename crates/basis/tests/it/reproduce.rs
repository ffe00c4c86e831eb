//! A run is made again from what its directory says of it, to the byte, and runs are compared by what they were
//! made with.

#![expect(
    clippy::unwrap_used,
    reason = "helpers of tests: a failure is a failed test"
)]

use std::fs;
use std::path::Path;

use serde_json::{Value as Json, json};

use crate::grids::{basis, every, week};
use crate::runner::Scratch;

fn summary_of(run: &Path) -> Json {
    serde_json::from_str(&fs::read_to_string(run.join("summary.json")).unwrap()).unwrap()
}

#[test]
fn a_run_is_made_again_from_its_own_configuration_to_the_byte() {
    let dir = Scratch::new();
    let first = "backtest btc_basis --from 2024-01-01 --to 2024-01-03 --set hedge_leverage=2 --run-id abc1 --out a";
    assert_eq!(dir.basis(first).code, 0);
    let again = dir.basis("backtest --config a/config.yaml --run-id abc1 --out b");
    assert_eq!(again.code, 0, "{again:?}");
    let (a, b) = (dir.path().join("a"), dir.path().join("b"));
    for name in [
        "config.yaml",
        "daily_nav.csv",
        "equity.csv",
        "executions.csv",
        "ledger.csv",
        "positions.csv",
        "report.html",
        "risk.csv",
        "events/strategy_manager_events.jsonl",
        "events/tight_loop_events.jsonl",
    ] {
        let read = |run: &Path| fs::read(run.join(name)).unwrap();
        assert!(read(&a) == read(&b), "{name}");
    }
    let [one, other] = [&a, &b].map(|run| {
        let mut summary = summary_of(run);
        summary["timing"] = Json::Null;
        summary
    });
    assert_eq!(one, other);
    assert_eq!(one["run_id"], "0000abc1");
    let commit = one["versions"]["commit"].as_str().unwrap();
    let is_hash = commit.len() == 12 && commit.bytes().all(|c| c.is_ascii_hexdigit());
    assert!(is_hash || commit == "unknown", "{commit}");
    assert!(one["versions"]["features"].is_string());
}

#[test]
fn a_run_without_a_mode_says_where_one_could_stand() {
    let dir = Scratch::new();
    dir.basis("backtest").fails(
        2,
        &["CFG-005", "no MODE", "--config the config.yaml of a run"],
    );
    dir.write("own.yaml", "hedge_leverage: 2\n");
    dir.basis("backtest --config own.yaml")
        .fails(2, &["CFG-005", "own.yaml has no `mode`"]);
    dir.write("other.yaml", "mode: eth_basis\n");
    dir.basis("backtest btc_basis --config other.yaml")
        .fails(2, &["not for the mode `btc_basis`"]);
    dir.basis("backtest btc_basis --run-id UPPER")
        .fails(2, &["1 to 8 lower-case letters or digits"]);
}

#[test]
fn a_run_s_own_config_says_the_mode_of_sweep_and_stress_too() {
    let dir = Scratch::new();
    let days = "--from 2024-03-01 --to 2024-03-03";
    let whole = dir.basis(&format!("backtest eth_basis {days} --out a"));
    assert_eq!(whole.code, 0, "{whole:?}");
    let swept = dir.basis("sweep --config a/config.yaml --param hedge_leverage=1,1.2 --json");
    assert_eq!(swept.json()["mode"], "eth_basis");
    let stressed =
        dir.basis("stress --config a/config.yaml --scenario down_20_1h --at 2024-03-02 --json");
    assert_eq!(stressed.json()["modes"][0]["mode"], "eth_basis");
    for command in ["sweep --param hedge_leverage=1,2", "stress"] {
        dir.basis(command).fails(2, &["CFG-005", "no MODE"]);
    }
}

#[test]
fn every_file_that_was_read_is_listed_with_the_digest_of_its_bytes() {
    let dir = Scratch::new();
    week(&dir, &every(8, "00", "0.0001"));
    let files = |dir: &Scratch| {
        let summary = basis(dir, "--json").json();
        summary["data_files"].as_array().unwrap().clone()
    };
    let before = files(&dir);
    let named: Vec<_> = before
        .iter()
        .map(|file| file["path"].as_str().unwrap())
        .collect();
    assert!(named.contains(&"funding/bybit/BTCUSDT.csv"), "{named:?}");
    for file in &before {
        assert_eq!(file["sha256"].as_str().unwrap().len(), 64, "{file}");
    }
    // One digit of one rate changes one digest.
    let path = dir.path().join("data/funding/bybit/BTCUSDT.csv");
    let text = fs::read_to_string(&path).unwrap();
    fs::write(&path, text.replacen("0.0001", "0.0002", 1)).unwrap();
    let after = files(&dir);
    let changed: Vec<_> = before.iter().zip(&after).filter(|(a, b)| a != b).collect();
    assert_eq!(changed.len(), 1);
    assert_eq!(changed[0].0["series"], "funding.bybit.BTCUSDT");
}

#[test]
fn three_runs_are_laid_side_by_side_with_the_settings_that_differ() {
    let dir = Scratch::new();
    for (out, leverage) in [("a", "1"), ("b", "2"), ("c", "2")] {
        let line = format!(
            "backtest btc_basis --from 2024-01-01 --to 2024-01-03 --set hedge_leverage={leverage} --out {out}"
        );
        assert_eq!(dir.basis(&line).code, 0);
    }
    let report = dir.basis("report a b c --out all.html --json").json();
    assert_eq!(
        report["differences"],
        json!({ "hedge_leverage": { "a": "1", "b": "2", "c": "2" } })
    );
    assert_eq!(
        report["runs"]["c"]["return"],
        summary_of(&dir.path().join("c"))["return"]
    );
    assert_eq!(
        report["runs"]["a"]["units"]["return"],
        "fraction of the equity in USDT"
    );
    assert!(report["runs"]["a"]["apy_caveat"].is_string(), "three days");
    let page = fs::read_to_string(dir.path().join("all.html")).unwrap();
    assert!(page.contains("Settings that differ: 1 of 1"));
    assert_eq!(dir.basis("report a b c").out, "compare-a-b-c.html\n");
    dir.basis("report a a a a a a a a a")
        .fails(2, &["9 runs do not fit on a page"]);
}
