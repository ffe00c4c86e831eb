//! The numbers of triggers and of risk in the event log: the auditor derives them anew, and finds a changed one.

#![expect(
    clippy::unwrap_used,
    reason = "helpers of tests: a failure is a failed test"
)]

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::audit::{assert_agrees, audit, copy_of, data_directory, fresh, text};
use crate::runner::usual_arguments;

/// Runs `mode` over the recorded data and writes it.
fn backtest(
    data: &Path,
    (name, mode): (&str, &str),
    dates: (&str, &str),
    sets: &[&str],
) -> PathBuf {
    let out = fresh(name);
    let mut command = Command::new(env!("CARGO_BIN_EXE_basis"));
    command.args(["backtest", mode, "-q", "--from", dates.0, "--to", dates.1]);
    command.args(usual_arguments(&["backtest", mode]));
    let asset = if mode == "btc_basis" { "BTC" } else { "ETH" };
    if mode != "eth_leveraged" {
        command.args(["--set", "data.gaps=hold"]);
        for kind in ["perp", "funding"] {
            let proxy = format!("data.proxies.{kind}.okx.{asset}USDT={kind}.bybit.{asset}USDT");
            command.args(["--set", &proxy]);
        }
    }
    for set in sets {
        command.args(["--set", set]);
    }
    let done = command.arg("--data").arg(data).arg("--out").arg(&out);
    let done = done.output().unwrap();
    assert!(out.is_dir(), "{}", text(&done.stderr));
    out
}

/// The auditor agrees with `run`, which has a line with `words`; with a digit behind `number` changed in the first
/// of them it does not.
fn agrees_and_finds(run: &Path, data: &Path, words: &str, number: &str) {
    assert_agrees(run, Some(data));
    let changed = copy_of(run, "changed");
    let mut files = fs::read_dir(changed.join("events")).unwrap();
    let file = files.find_map(|entry| {
        let path = entry.unwrap().path();
        let log = fs::read_to_string(&path).unwrap();
        log.contains(words).then_some((path, log))
    });
    let (path, log) = file.unwrap_or_else(|| panic!("no `{words}` in the log"));
    let line = log.find(words).unwrap();
    let at = line + log[line..].find(number).unwrap() + number.len();
    let digit = log[at..].find(|c: char| c.is_ascii_digit()).unwrap() + at;
    let other = if log[digit..].starts_with('1') {
        "2"
    } else {
        "1"
    };
    let tampered = format!("{}{other}{}", &log[..digit], &log[digit + 1..]);
    fs::write(&path, tampered).unwrap();
    let done = audit(&changed, Some(data));
    let report = text(&done.stdout);
    assert_eq!(done.status.code(), Some(1), "{words}: {report}");
    assert!(report.contains("events row"), "{report}");
}

#[test]
fn equity_and_utilization_of_a_basis_are_derived() {
    let Some(data) = data_directory() else { return };
    let dates = ("2024-05-01", "2024-06-30");
    let sets = ["utilization_band=0.02", "equity_deviation=1"];
    let run = backtest(&data, ("narrow", "btc_basis"), dates, &sets);
    for number in ["utilization ", "held ", "target of ", "equity "] {
        agrees_and_finds(&run, &data, "utilization 0.", number);
    }
    let sets = ["utilization_band=1", "equity_deviation=0.001"];
    let run = backtest(&data, ("equity", "btc_basis"), dates, &sets);
    for number in ["equity_deviation ", "own ", "USD, ", "equity "] {
        agrees_and_finds(&run, &data, "equity_deviation 0.", number);
    }
}

#[test]
fn delta_of_a_hedged_stake_is_derived() {
    let Some(data) = data_directory() else { return };
    let dates = ("2024-05-15", "2024-07-15");
    let mode = "usdt_market_neutral_no_leverage";
    let sets = ["delta_tolerance=0.0005"];
    let run = backtest(&data, ("delta", mode), dates, &sets);
    for number in ["delta ", "long ", "short "] {
        agrees_and_finds(&run, &data, "\"delta 0.", number);
    }
}

#[test]
fn the_debt_ratio_of_a_loop_is_derived() {
    let Some(data) = data_directory() else { return };
    let dates = ("2024-05-15", "2024-08-15");
    let sets = ["equity_deviation=0.0005"];
    let run = backtest(&data, ("ltv", "eth_leveraged"), dates, &sets);
    for number in ["ltv ", "debt ", "collateral of "] {
        agrees_and_finds(&run, &data, "\"ltv 0.", number);
    }
}

#[test]
fn the_distance_that_risk_saw_is_derived() {
    let Some(data) = data_directory() else { return };
    let dates = ("2024-05-15", "2024-05-31");
    let sets = ["shocks=[\"BTC +45% at 2024-05-20T00:00:00Z over 12h\"]"];
    let run = backtest(&data, ("distance", "btc_basis"), dates, &sets);
    agrees_and_finds(&run, &data, "\"measure\":\"distance\"", "\"value\":");
}
