//! The page of every mode: its numbers are the summary's, its exposure is what the books hold, and its profits by
//! venue are the whole profit.

#![expect(
    clippy::unwrap_used,
    reason = "helpers of tests: a failure is a failed test"
)]

use std::fs;
use std::path::Path;

use serde_json::Value as Json;

use crate::report::{
    DESKTOP, PHONE, chart_data, chromium, equals_summary, look, summary_of, values,
};
use crate::runner::Scratch;

const MODES: [&str; 7] = [
    "btc_basis",
    "eth_basis",
    "eth_leveraged",
    "eth_staking_only",
    "pure_lending",
    "usdt_market_neutral",
    "usdt_market_neutral_no_leverage",
];

/// The run of `mode` in the folder of its name.
fn run_of(dir: &Scratch, mode: &str) {
    let line = format!("backtest {mode} --from 2024-01-01 --to 2024-02-04 --out {mode}");
    let run = dir.basis(&line);
    assert_eq!(run.code, 0, "{run:?}");
}

/// The rows of a table of a run, by the names of its header.
fn rows(run: &Path, table: &str) -> Vec<std::collections::BTreeMap<String, String>> {
    let text = fs::read_to_string(run.join(table)).unwrap();
    let mut lines = text.lines();
    let header: Vec<&str> = lines.next().unwrap().split(',').collect();
    lines
        .map(|line| {
            let cells = header.iter().zip(line.split(','));
            cells
                .map(|(name, cell)| ((*name).to_owned(), cell.to_owned()))
                .collect()
        })
        .collect()
}

/// What is long and what is short after the last step, USD, from `positions.csv` alone.
fn exposure(run: &Path) -> (f64, f64) {
    let rows = rows(run, "positions.csv");
    let last = rows.last().unwrap()["timestamp"].clone();
    let (mut long, mut short) = (0.0, 0.0);
    for row in rows.iter().filter(|row| row["timestamp"] == last) {
        if row["mark_state"] == "par" {
            continue;
        }
        let number = |name: &str| row[name].parse::<f64>().unwrap();
        let value = number("units") * number("mark_price_usd");
        let value = if row["item"].starts_with("debt:") {
            -value
        } else {
            value
        };
        long += value.max(0.0);
        short += value.min(0.0);
    }
    (long, short)
}

/// The profits by venue that a page shows.
fn profits(page: &str) -> Vec<f64> {
    page.split("data-venue=")
        .skip(1)
        .map(|rest| {
            let value = rest.split("value=\"").nth(1).unwrap();
            value.split('"').next().unwrap().parse().unwrap()
        })
        .collect()
}

fn amount(summary: &Json, pointer: &str) -> f64 {
    let found = summary.pointer(pointer).unwrap();
    found.as_str().unwrap().parse().unwrap()
}

#[test]
fn exposure_is_what_is_held_and_profits_by_venue_add_up() {
    let dir = Scratch::new();
    for mode in MODES {
        run_of(&dir, mode);
        let run = dir.path().join(mode);
        let summary = summary_of(&run);
        let page = fs::read_to_string(run.join("report.html")).unwrap();
        let charts = chart_data(&page);
        let last = |label: &str| *values(&charts, "exposure", label).last().unwrap();
        let (long, short) = exposure(&run);
        for (label, expected) in [("long", long), ("short", short), ("net", long + short)] {
            let found = last(label);
            assert!(
                (found - expected).abs() < 0.02,
                "{mode} {label}: {found}, {expected}"
            );
        }
        // The books' own delta at the reference: what the marks of perps add is their basis.
        let steps = rows(&run, "equity.csv");
        let number = |name: &str| steps.last().unwrap()[name].parse::<f64>().unwrap();
        let delta = number("net_delta_base") * number("reference_price_usd");
        let apart = (last("net") - delta).abs();
        assert!(
            apart <= 0.01 * (long - short).max(1.0),
            "{mode}: {} and {delta}",
            last("net")
        );
        let made: f64 = profits(&page).iter().sum();
        let gained = amount(&summary, "/equity_end_usd") - amount(&summary, "/equity_start_usd");
        assert!((made - gained).abs() < 0.02, "{mode}: {made} of {gained}");
    }
}

#[test]
fn the_page_of_every_mode_is_sound_at_desktop_and_phone_width() {
    let Some(browser) = chromium() else { return };
    let dir = Scratch::new();
    for mode in MODES {
        run_of(&dir, mode);
        let run = dir.path().join(mode);
        let summary = summary_of(&run);
        for width in [DESKTOP, PHONE] {
            let found = look(browser, &run.join("report.html"), width);
            assert_eq!(found["errors"], serde_json::json!([]), "{mode}");
            assert_eq!(found["inner_width"], width);
            let wide = found["scroll_width"].as_u64().unwrap();
            assert!(wide <= u64::from(width), "{mode}: {wide} pixels in {width}");
            assert!(equals_summary(&found, &summary, "") >= 20, "{mode}");
            let drawn = found["charts"].as_array().unwrap();
            for id in ["equity", "drawdown", "attribution", "exposure", "delta"] {
                let chart = drawn.iter().find(|chart| chart["id"] == id).unwrap();
                assert!(chart["ink"].as_u64().unwrap() > 500, "{mode}: {chart}");
            }
        }
    }
}
