//! The outside auditor over runs under shocks, which it puts on the recorded data itself, and over
//! `risk.csv`: every scenario of the built-in list agrees, and a changed number is found.
//!
//! As in `audit`, the tests need `python3` and the recorded data, and say so when they pass without.

#![expect(
    clippy::unwrap_used,
    reason = "helpers of tests: a failure is a failed test"
)]

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value as Json;

use crate::audit::{assert_agrees, copy_of, data_directory, fresh, tamper, text};
use crate::runner::usual_arguments;

const AT: &str = "2025-02-03T00:00Z";
const DATES: [&str; 4] = ["--from", "2025-01-31", "--to", "2025-02-07"];

/// Runs `mode` on `dates` under `shocks`; none when one of them touches nothing of it.
fn backtest(
    data: &Path,
    mode: &str,
    name: &str,
    dates: &[&str],
    shocks: &[String],
) -> Option<PathBuf> {
    let out = fresh(name);
    let mut command = Command::new(env!("CARGO_BIN_EXE_basis"));
    command.args(["backtest", mode, "-q"]).args(dates);
    command.args(usual_arguments(&["backtest", mode]));
    if mode != "eth_leveraged" {
        let base = if mode == "btc_basis" { "BTC" } else { "ETH" };
        command.args(["--set", "data.gaps=hold"]);
        for kind in ["perp", "funding"] {
            let proxy = format!("data.proxies.{kind}.okx.{base}USDT={kind}.bybit.{base}USDT");
            command.args(["--set", &proxy]);
        }
    }
    for shock in shocks {
        command.args(["--shock", shock]);
    }
    let done = command.arg("--data").arg(data).arg("--out").arg(&out);
    let done = done.output().unwrap();
    let said = text(&done.stderr);
    // A run that risk has halted exits with 1 and is whole.
    if out.is_dir() {
        return Some(out);
    }
    assert!(said.contains("touches nothing of this run"), "{said}");
    None
}

/// The built-in scenarios with everything filled in, by name.
fn scenarios(underlying: &str) -> BTreeMap<String, Vec<String>> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../configs/stress/default.yaml");
    let mut all = BTreeMap::new();
    let mut name = String::new();
    for line in fs::read_to_string(path).unwrap().lines() {
        let body = line.trim();
        if let Some(sentence) = body.strip_prefix("- ") {
            let sentence = sentence
                .trim_matches('"')
                .replace("at T", &format!("at {AT}"));
            let sentence = sentence.replace("{underlying}", underlying);
            let sentence = sentence
                .replace("{lst}", "weETH")
                .replace("{cex}", "binance");
            let list: &mut Vec<String> = all.entry(name.clone()).or_default();
            list.push(sentence);
        } else if let Some(key) = body.strip_suffix(':') {
            key.clone_into(&mut name);
        }
    }
    all
}

/// Exit code and report of one call of the auditor.
fn audit_all<'a>(
    runs: impl IntoIterator<Item = &'a PathBuf>,
    data: &Path,
) -> (Option<i32>, String) {
    let program = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/audit/audit.py");
    let mut command = Command::new("python3");
    command.arg("-B").arg(program).args(runs);
    let done = command.arg("--data").arg(data).output().unwrap();
    let said = text(&done.stdout) + &text(&done.stderr);
    (done.status.code(), said)
}

/// Every scenario that touches the mode, `expected` of them, in one call of the auditor.
fn assert_scenarios_agree(mode: &str, expected: usize) {
    let Some(data) = data_directory() else { return };
    let underlying = if mode == "btc_basis" { "BTC" } else { "ETH" };
    let runs: Vec<_> = scenarios(underlying)
        .iter()
        .filter_map(|(name, shocks)| backtest(&data, mode, name, &DATES, shocks))
        .collect();
    assert_eq!(runs.len(), expected, "{mode}: {runs:?}");
    let (code, report) = audit_all(&runs, &data);
    assert_eq!(code, Some(0), "{report}");
    assert_eq!(report.matches("\n0 differences in ").count(), expected);
    assert!(!report.contains("SKIPPED"), "{report}");
}

#[test]
fn scenarios_on_btc_basis_agree() {
    assert_scenarios_agree("btc_basis", 10);
}

#[test]
fn scenarios_on_eth_basis_agree() {
    assert_scenarios_agree("eth_basis", 10);
}

#[test]
fn scenarios_on_the_hedged_stake_agree() {
    assert_scenarios_agree("usdt_market_neutral_no_leverage", 13);
}

#[test]
fn scenarios_on_the_hedged_loop_agree() {
    assert_scenarios_agree("usdt_market_neutral", 19);
}

#[test]
fn scenarios_on_the_loop_agree() {
    assert_scenarios_agree("eth_leveraged", 13);
}

/// Sentences that bend beside the hour, come back, overlap and close a venue.
#[test]
fn shocks_beside_the_hour_agree() {
    let Some(data) = data_directory() else { return };
    let sentences = |list: &[&str]| {
        list.iter()
            .map(|text| (*text).to_owned())
            .collect::<Vec<_>>()
    };
    let stake = sentences(&[
        "market ETH -20% at 2025-02-01T05:20Z over 130min for 9h",
        "oracle ETH -7% at 2025-02-02T05:20Z over 3h for 2d",
        "oracle weETH -2% at 2025-02-02T07:00Z over 5h for 20h",
        "borrow WETH +20% at 2025-02-02T07:30Z over 5h for 30h",
        "supply weETH +3% at 2025-02-02T09:00Z for 30h",
        "protocol weETH -0.5% at 2025-02-04T11:20Z over 3h",
    ]);
    let hedged = sentences(&[
        "eETH -3% at 2025-02-01T05:20Z over 100min for 2d",
        "ETH +15% at 2025-02-01T05:20Z over 100min for 2d",
        "perp.binance ETH -3% at 2025-02-01T06:00Z for 6h",
        "gas x7 at 2025-02-01T05:30Z over 2h for 8h",
        "outage bybit at 2025-02-01T06:00Z for 6h",
        "halt withdrawals okx at 2025-02-01T00:00Z for 3d",
        "funding.binance ETH x-3 at 2025-01-31T20:00Z over 1d for 4d",
    ]);
    for (mode, shocks) in [("eth_leveraged", stake), ("usdt_market_neutral", hedged)] {
        let run = backtest(&data, mode, mode, &DATES, &shocks).unwrap();
        assert_agrees(&run, Some(&data));
    }
}

/// A withdrawal request that is due while its protocol is out leaves the queue when that is back.
#[test]
fn a_queue_that_stands_still_agrees() {
    let Some(data) = data_directory() else { return };
    let out = fresh("run");
    let mut command = Command::new(env!("CARGO_BIN_EXE_basis"));
    command.args(["backtest", "eth_staking_only", "-q"]);
    command.args(["--from", "2025-01-20", "--to", "2025-02-05"]);
    command.args(["--set", "exit_route=queue", "--set"]);
    command.arg("withdrawals=[{ at: 2025-01-25T00:00:00Z, amount: 20 }]");
    command.args(["--shock", "outage etherfi at 2025-01-31T05:00Z for 3d"]);
    let done = command.arg("--data").arg(&data).arg("--out").arg(&out);
    let done = done.output().unwrap();
    assert!(done.status.success(), "{}", text(&done.stderr));
    assert_agrees(&out, Some(&data));
    let ledger = fs::read_to_string(out.join("ledger.csv")).unwrap();
    let left = ledger
        .lines()
        .find(|row| row.contains(",etherfi.claimable,"));
    assert!(left.unwrap().contains("2025-02-03T05:00:00Z"), "{left:?}");
}

/// The hedged loop, whose `risk.csv` has all three measures, in a fall of the whole market.
fn fallen(data: &Path) -> PathBuf {
    let shock = format!("ETH -20% at {AT} over 1h");
    let dates = ["--from", "2025-02-01", "--to", "2025-02-05"];
    backtest(data, "usdt_market_neutral", "run", &dates, &[shock]).unwrap()
}

/// Copies of one run, each with something changed and what the auditor must say of it.
struct Tampered {
    original: PathBuf,
    copies: Vec<(PathBuf, String)>,
}

impl Tampered {
    fn new(original: PathBuf) -> Self {
        let copies = Vec::new();
        Self { original, copies }
    }

    fn copy(&self) -> PathBuf {
        copy_of(&self.original, &format!("copy-{}", self.copies.len()))
    }

    /// One digit of `column` in the first row that `matches`; the auditor must name the row.
    fn digit(&mut self, file: &str, column: &str, matches: impl Fn(&str) -> bool) {
        let copy = self.copy();
        let row = tamper(&copy.join(file), column, matches);
        self.copies.push((copy, format!("{file} row {row}:")));
    }

    fn text(&mut self, file: &str, said: &str, change: impl Fn(&str) -> String) {
        let copy = self.copy();
        let before = fs::read_to_string(copy.join(file)).unwrap();
        let after = change(&before);
        assert_ne!(before, after, "nothing was changed for `{said}`");
        fs::write(copy.join(file), after).unwrap();
        self.copies.push((copy, said.to_owned()));
    }

    fn summary(&mut self, said: &str, change: impl Fn(&mut Json)) {
        self.text("summary.json", said, |text| {
            let mut summary: Json = serde_json::from_str(text).unwrap();
            change(&mut summary);
            summary.to_string()
        });
    }

    /// One call of the auditor over all of them.
    fn assert_found(&self, data: &Path) {
        let (code, report) = audit_all(self.copies.iter().map(|(copy, _)| copy), data);
        assert_eq!(code, Some(1), "{report}");
        for (at, (copy, said)) in self.copies.iter().enumerate() {
            let (_, own) = report
                .split_once(&format!("{}:\n", copy.display()))
                .unwrap();
            let next = self.copies.get(at + 1);
            let own = next.map_or(own, |(next, _)| {
                own.split_once(&format!("{}:\n", next.display())).unwrap().0
            });
            assert!(own.contains(said.as_str()), "no `{said}` in\n{own}");
        }
    }
}

#[test]
fn a_changed_number_of_risk_is_found() {
    let Some(data) = data_directory() else { return };
    let mut run = Tampered::new(fallen(&data));
    let late = |row: &str| row.contains("2025-02-04T");
    let margin = |row: &str| late(row) && row.contains(",margin_ratio,");
    let lending = |row: &str| row.contains("2025-02-02T") && row.contains(",health_factor,");
    let token = |row: &str| late(row) && row.contains(",lst_discount,");
    for column in ["value", "price_distance_fraction", "net_delta_fraction"] {
        run.digit("risk.csv", column, margin);
    }
    for column in [
        "value",
        "lst_rate_distance_fraction",
        "time_to_liquidation_days",
    ] {
        run.digit("risk.csv", column, lending);
    }
    for column in ["value", "gross_delta_base"] {
        run.digit("risk.csv", column, token);
    }
    run.assert_found(&data);
}

#[test]
fn a_changed_level_row_or_worst_of_risk_is_found() {
    let Some(data) = data_directory() else { return };
    let mut run = Tampered::new(fallen(&data));
    run.text("risk.csv", "rung of the value", |text| {
        text.replacen(",clear,0", ",warn,0", 1)
    });
    run.text("risk.csv", "run_level: the worst rung", |text| {
        text.replacen(",clear\n", ",warn\n", 1)
    });
    run.text("risk.csv", "health_factor of aave.main", |text| {
        let row = text.lines().find(|row| row.contains(",health_factor,"));
        text.replacen(&format!("{}\n", row.unwrap()), "", 1)
    });
    for field in ["value", "distance", "at"] {
        run.summary(&format!("{field} of the worst row"), |summary| {
            let place = &mut summary["risk"]["worst"][1][field];
            let said = place.as_str().unwrap();
            let digit = said.rfind(|c: char| c.is_ascii_digit()).unwrap();
            let mut other = said.to_owned();
            let next = if said[digit..].starts_with('1') {
                "2"
            } else {
                "1"
            };
            other.replace_range(digit..=digit, next);
            *place = other.into();
        });
    }
    run.summary("the highest level of the steps", |summary| {
        summary["risk"]["level"] = "reduce_only".into();
    });
    run.assert_found(&data);
}

#[test]
fn a_changed_shocked_price_or_sentence_is_found() {
    let Some(data) = data_directory() else { return };
    let mut run = Tampered::new(fallen(&data));
    run.digit("positions.csv", "mark_price_usd", |row| {
        row.contains("2025-02-03T01:") && row.contains(":perp:")
    });
    run.digit("executions.csv", "price_quote", |row| {
        row.contains("2025-02-03T") && row.contains(",perp_trade,")
    });
    // A run that says it was shocked otherwise: its prices are not those of that sentence.
    let mark = "mark of binance:perp:ETHUSDT";
    run.text("config.yaml", mark, |text| {
        text.replacen("ETH -20%", "ETH -19%", 1)
    });
    run.summary("summary.json row shocks", |summary| {
        summary["shocks"] = Json::Array(Vec::new());
    });
    run.assert_found(&data);
}
