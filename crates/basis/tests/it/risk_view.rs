//! `risk.csv` of a mode with perps and a lending account, against the other files of its directory.

#![expect(
    clippy::unwrap_used,
    reason = "helpers of tests: a failure is a failed test"
)]

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use serde_json::Value as Json;

use crate::runner::Scratch;

type Row = BTreeMap<String, String>;

/// The rows of a table by column; none of its fields may be quoted.
fn rows(directory: &Path, name: &str) -> Vec<Row> {
    let text = fs::read_to_string(directory.join(name)).unwrap();
    let mut lines = text.lines();
    let header: Vec<&str> = lines.next().unwrap().split(',').collect();
    let row = |line: &str| {
        let fields: Vec<&str> = line.split(',').collect();
        assert_eq!(fields.len(), header.len(), "{line}");
        let named = header.iter().zip(fields);
        named
            .map(|(name, field)| ((*name).to_owned(), field.to_owned()))
            .collect()
    };
    lines.map(row).collect()
}

fn number(row: &Row, column: &str) -> f64 {
    row[column].parse().unwrap()
}

fn run(mode: &str, days: u32) -> Scratch {
    let dir = Scratch::new();
    let line = format!("backtest {mode} --from 2024-01-01 --to 2024-01-{days:02} --out run");
    let run = dir.basis(&line);
    assert_eq!(run.code, 0, "{run:?}");
    dir
}

#[test]
fn margin_ratios_are_those_of_the_positions_and_deltas_those_of_the_equity() {
    let dir = run("usdt_market_neutral", 7);
    let run = dir.path().join("run");
    let risk = rows(&run, "risk.csv");
    let mut margins = 0;
    for held in rows(&run, "positions.csv") {
        if held["maintenance_margin_usd"].is_empty() {
            continue;
        }
        margins += 1;
        let is_its =
            |row: &&Row| row["timestamp"] == held["timestamp"] && row["account"] == held["account"];
        let row = risk.iter().find(is_its).unwrap();
        assert_eq!((&*row["measure"], &*row["item"]), ("margin_ratio", ""));
        let balance = number(&held, "margin_balance_usd");
        let maintenance = number(&held, "maintenance_margin_usd");
        assert!((number(row, "value") - maintenance / balance).abs() < 1e-12);
        assert_eq!(row["price_direction"], "up");
        assert!(number(row, "price_distance_fraction") > 0.0);
    }
    assert!(margins > 100, "{margins}");
    let of_margin = risk.iter().filter(|row| row["measure"] == "margin_ratio");
    assert_eq!(of_margin.count(), margins);
    let equity = rows(&run, "equity.csv");
    let delta: BTreeMap<_, _> = equity
        .iter()
        .map(|row| (&row["timestamp"], &row["net_delta_base"]))
        .collect();
    for row in &risk {
        assert_eq!(delta[&row["timestamp"]], &row["net_delta_base"]);
        if row["gross_delta_base"] == "0" {
            assert_eq!(row["net_delta_fraction"], "");
            continue;
        }
        let fraction = number(row, "net_delta_base") / number(row, "gross_delta_base");
        assert!((number(row, "net_delta_fraction") - fraction).abs() < 1e-12);
    }
}

#[test]
fn lending_accounts_and_tokens_stand_beside_them_and_the_summary_has_the_worst() {
    let dir = run("usdt_market_neutral", 7);
    let run = dir.path().join("run");
    let risk = rows(&run, "risk.csv");
    let of = |measure: &str| -> Vec<&Row> {
        let rows = risk.iter().filter(|row| row["measure"] == measure);
        rows.collect()
    };
    let lending = of("health_factor");
    assert!(lending.len() > 100, "{}", lending.len());
    for row in &lending {
        let distance = 1.0 - 1.0 / number(row, "value");
        assert!((number(row, "price_distance_fraction") - distance).abs() < 1e-12);
        assert_eq!(row["price_direction"], "down");
        let of_rate = number(row, "lst_rate_distance_fraction");
        assert!((of_rate - distance).abs() < 1e-9, "all of it is staked");
    }
    assert!(of("lst_discount").len() >= lending.len());
    let text = fs::read_to_string(run.join("summary.json")).unwrap();
    let summary: Json = serde_json::from_str(&text).unwrap();
    let worst = summary["risk"]["worst"].as_array().unwrap();
    assert_eq!(worst.len(), 5, "three perp accounts, a lender, a token");
    for worst in worst {
        let rows = of(worst["measure"].as_str().unwrap());
        let is_its = |row: &&&Row| {
            row["account"] == worst["account"].as_str().unwrap_or_default()
                && row["item"] == worst["item"].as_str().unwrap_or_default()
        };
        let mine: Vec<_> = rows.iter().filter(is_its).collect();
        let at = mine.iter().find(|row| row["timestamp"] == worst["at"]);
        assert_eq!(at.unwrap()["value"], worst["value"]);
        let value: f64 = worst["value"].as_str().unwrap().parse().unwrap();
        for row in mine {
            let other = number(row, "value");
            let is_lending = worst["measure"] == "health_factor";
            assert!(if is_lending {
                other >= value
            } else {
                other <= value
            });
        }
    }
}

#[test]
fn a_run_with_nothing_to_liquidate_has_the_header_alone() {
    let dir = run("pure_lending", 2);
    let run = dir.path().join("run");
    assert!(rows(&run, "risk.csv").is_empty());
    let text = fs::read_to_string(run.join("summary.json")).unwrap();
    let summary: Json = serde_json::from_str(&text).unwrap();
    assert_eq!(summary["risk"]["worst"], serde_json::json!([]));
    assert_eq!(summary["risk"]["level"], "clear");
}
