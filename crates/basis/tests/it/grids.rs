//! Files as people have them: rows beside their instants, on none, cut off, and rules that change or begin
//! while a run is under way. Each is refused, listed or booked, never passed over.

use std::path::Path;

use serde_json::Value as Json;

use crate::audit::recorded_data;
use crate::runner::{Outcome, Scratch, agrees};

const BYBIT: &str = "--set spot_venue=bybit --set hedge_allocation.binance=0 \
    --set hedge_allocation.bybit=1 --set hedge_allocation.okx=0";
const WEEK: &str = "--from 2024-07-01T00:00:00Z --to 2024-07-07T16:00:00Z";

/// A week of Bybit's BTCUSDT: bars of every hour, and the funding rows given as instant and rate.
pub(crate) fn week(dir: &Scratch, funding: &[(String, &str)]) {
    bars(dir, 1, 7);
    let rows: String = funding
        .iter()
        .map(|(at, rate)| format!("{at},{rate}\n"))
        .collect();
    let text = format!("timestamp,funding_rate\n{rows}");
    dir.write("data/funding/bybit/BTCUSDT.csv", &text);
}

fn bars(dir: &Scratch, first: i64, last: i64) {
    for (kind, base) in [("spot", 60_000), ("perp", 60_010)] {
        let rows: String = (first..=last)
            .flat_map(|day| (0..24).map(move |hour| (day, hour)))
            .map(|(day, hour)| {
                let close = base + (day * 24 + hour) * 7 % 90;
                format!(
                    "2024-07-{day:02}T{hour:02}:00:00Z,{base},{},{},{close},900\n",
                    base + 120,
                    base - 30
                )
            })
            .collect();
        let text = format!("timestamp,open,high,low,close,volume\n{rows}");
        dir.write(&format!("data/{kind}/bybit/BTCUSDT_1h.csv"), &text);
    }
}

/// Every `hours`-th hour of the week, `late` behind.
pub(crate) fn every(hours: usize, late: &str, rate: &'static str) -> Vec<(String, &'static str)> {
    (1..=7)
        .flat_map(|day| (0..24).step_by(hours).map(move |hour| (day, hour)))
        .map(|(day, hour)| (format!("2024-07-{day:02}T{hour:02}:00:{late}Z"), rate))
        .collect()
}

pub(crate) fn basis(dir: &Scratch, more: &str) -> Outcome {
    dir.basis(&format!(
        "backtest btc_basis --data data {BYBIT} {WEEK} {more}"
    ))
}

fn total(summary: &Json, bucket: &str) -> f64 {
    let found = summary.pointer(&format!("/attribution/{bucket}"));
    found.unwrap().as_str().unwrap().parse().unwrap()
}

fn assumed(summary: &Json, text: &str) -> bool {
    let list = summary["assumptions"].as_array().unwrap();
    list.iter()
        .any(|row| row["text"].as_str().unwrap().contains(text))
}

/// Bybit's rules with the funding interval of the BTC perp changed from `day` on.
fn rules_from(dir: &Scratch, day: &str, hours: u32) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../configs/venues/bybit.yaml");
    let text = std::fs::read_to_string(path).unwrap();
    let (head, snapshot) = text.split_once("  - effective_from: 2024-01-01\n").unwrap();
    let changed = snapshot.replacen("interval_hours: 8", &format!("interval_hours: {hours}"), 1);
    let both = format!(
        "{head}  - effective_from: 2024-01-01\n{snapshot}  - effective_from: {day}\n{changed}"
    );
    dir.write("bybit.yaml", &both);
}

#[test]
fn rows_between_settlements_are_refused_or_listed_and_booked_by_rules_that_know_them() {
    let dir = Scratch::new();
    week(&dir, &every(4, "00", "0.0001"));
    let refused = basis(&dir, "--json");
    let why = "funding.bybit.BTCUSDT: 20 row(s) from 2024-07-01T04:00:00Z to 2024-07-07T12:00:00Z \
               lie on no settlement of the rules (every 8h)";
    refused.fails(2, &["DATA-003", why]);
    let check = dir.basis(&format!("data check data --mode btc_basis {BYBIT} {WEEK}"));
    check.fails(2, &[why]);
    let summary = basis(&dir, "--set data.gaps=hold --json").json();
    assert_eq!(summary["unscheduled"][0]["rows"], 20, "{summary}");
    assert!(assumed(&summary, "lie on no settlement"), "{summary}");
    let half = total(&summary, "funding");
    rules_from(&dir, "2024-06-01", 4);
    let out = dir.path().join("run");
    let whole = basis(
        &dir,
        &format!(
            "--set rules.bybit=bybit.yaml --json --out {}",
            out.display()
        ),
    );
    let whole = whole.json();
    assert!(whole["unscheduled"].as_array().unwrap().is_empty());
    let ratio = total(&whole, "funding") / half;
    assert!((1.9..2.1).contains(&ratio), "{ratio}");
    agrees(&out, Some(&dir.path().join("data")));
}

#[test]
fn settlements_stamped_late_are_booked_at_their_instants_and_listed() {
    let dir = Scratch::new();
    week(&dir, &every(8, "00", "0.0001"));
    let exact = basis(&dir, "--json").json();
    week(&dir, &every(8, "00.003", "0.0001"));
    let out = dir.path().join("run");
    let late = basis(&dir, &format!("--json --out {}", out.display())).json();
    assert_eq!(late["attribution"], exact["attribution"]);
    assert_eq!(late["gaps"].as_array().unwrap().len(), 0);
    let shift = &late["shifts"][0];
    assert_eq!(
        (&shift["rows"], &shift["most_ms"]),
        (&20.into(), &3.into()),
        "{shift}"
    );
    assert!(assumed(&late, "stamped 3 to 3 ms off"), "{late}");
    agrees(&out, Some(&dir.path().join("data")));
    week(&dir, &every(8, "59.999", "0.0001"));
    assert_eq!(
        basis(&dir, "--json").json()["attribution"],
        exact["attribution"]
    );
    let beyond: Vec<_> = every(8, "00", "0.0001")
        .into_iter()
        .map(|(at, rate)| (at.replace(":00:00Z", ":01:01Z"), rate))
        .collect();
    week(&dir, &beyond);
    basis(&dir, "--json").fails(2, &["20 missing", "20 row(s)"]);
}

#[test]
fn an_interval_that_the_rules_change_within_the_run_is_expected() {
    let dir = Scratch::new();
    rules_from(&dir, "2024-07-04", 4);
    week(&dir, &every(8, "00", "0.0001"));
    let rules = "--set rules.bybit=bybit.yaml --json";
    let gap = "funding.bybit.BTCUSDT: 1 missing from 2024-07-04T04:00:00Z";
    basis(&dir, rules).fails(2, &["DATA-003", gap]);
    let held = basis(&dir, &format!("{rules} --set data.gaps=hold")).json();
    let covered = held["coverage"].as_array().unwrap();
    let funding = covered
        .iter()
        .find(|row| row["series"] == "funding.bybit.BTCUSDT");
    assert_eq!(funding.unwrap()["expected"], 31, "{covered:?}");
    let mut rows = every(8, "00", "0.0001");
    rows.extend(
        every(4, "00", "0.0001")
            .into_iter()
            .filter(|(at, _)| at.as_str() > "2024-07-04"),
    );
    rows.sort();
    rows.dedup();
    week(&dir, &rows);
    let out = dir.path().join("run");
    let whole = basis(&dir, &format!("{rules} --out {}", out.display())).json();
    assert_eq!(whole["gaps"].as_array().unwrap().len(), 0);
    agrees(&out, Some(&dir.path().join("data")));
    rows.retain(|(at, _)| at != "2024-07-05T04:00:00Z");
    week(&dir, &rows);
    basis(&dir, rules).fails(2, &["1 missing from 2024-07-05T04:00:00Z"]);
}

#[test]
fn a_last_row_without_its_line_end_is_refused() {
    let dir = Scratch::new();
    week(&dir, &every(8, "00", "0.00005711"));
    let path = "data/funding/bybit/BTCUSDT.csv";
    let text = std::fs::read_to_string(dir.path().join(path)).unwrap();
    let cut = text.strip_suffix("0.00005711\n").unwrap();
    for last in ["5.7", "0.00005711", "0.0000"] {
        dir.write(path, &format!("{cut}{last}"));
        basis(&dir, "--json").fails(2, &["DATA-002", "line 22", "is the file cut off?"]);
        let check = dir.basis("data check data");
        check.fails(1, &["DATA-002"]);
        assert!(check.out.contains("is the file cut off?"), "{check:?}");
    }
}

#[test]
fn amounts_finer_than_the_share_class_are_refused_at_the_start() {
    let dir = Scratch::new();
    week(&dir, &every(8, "00", "0.0001"));
    let flows = |kind: &str, amount: &str| {
        format!("--set {kind}=[{{at:\u{a0}2024-07-03T00:00:00Z,amount:\u{a0}{amount}}}]")
    };
    for (argument, what) in [
        (
            "--capital 100000.00000001".to_owned(),
            "initial_capital: 100000.00000001",
        ),
        (
            flows("deposits", "0.0000001"),
            "deposits at 2024-07-03T00:00:00Z: 0.0000001",
        ),
        (
            flows("withdrawals", "1000.00000001"),
            "withdrawals at 2024-07-03T00:00:00Z",
        ),
    ] {
        let mut arguments: Vec<_> = "backtest btc_basis --data data --json".split(' ').collect();
        arguments.extend(BYBIT.split(' ').chain(WEEK.split(' ')));
        let argument = argument.replace('\u{a0}', " ");
        arguments.extend(argument.splitn(2, ' '));
        let outcome = dir.run(&arguments, &[]);
        outcome.fails(2, &["CFG-001", what, "more than the 6 decimals of USDT"]);
    }
}

#[test]
fn rules_outside_their_dates_are_an_assumption_with_both_dates() {
    let dir = Scratch::new();
    week(&dir, &every(8, "00", "0.0001"));
    let words = "stand in for the days before";
    assert!(!assumed(&basis(&dir, "--json").json(), words));
    // The same a year earlier, before the built-in rules begin.
    for kind in [
        "spot/bybit/BTCUSDT_1h",
        "perp/bybit/BTCUSDT_1h",
        "funding/bybit/BTCUSDT",
    ] {
        let name = format!("data/{kind}.csv");
        let text = std::fs::read_to_string(dir.path().join(&name)).unwrap();
        dir.write(&name, &text.replace("2024-07", "2023-07"));
    }
    let earlier = WEEK.replace("2024", "2023");
    let run = format!("backtest btc_basis --data data {BYBIT} {earlier} --json");
    let summary = dir.basis(&run).json();
    let line = "the rules of bybit begin on 2024-01-01: they stand in for the days before, from 2023-07-01";
    assert!(assumed(&summary, line), "{summary}");
}

/// The files of the recorded data that `pure_lending` reads, in a directory of one's own.
fn lending_data(dir: &Scratch) -> bool {
    let Some(recorded) = recorded_data() else {
        return false;
    };
    for name in [
        "aave/reserves/USDT_1d.csv",
        "aave/risk_parameters.csv",
        "spot/bybit/ETHUSDT_1h.csv",
        "gas/ethereum_1h.csv",
    ] {
        let text = std::fs::read_to_string(recorded.join(name)).unwrap();
        dir.write(&format!("data/{name}"), &text);
    }
    true
}

#[test]
fn rows_of_block_time_are_present_and_accrue_as_they_stand() {
    let dir = Scratch::new();
    if !lending_data(&dir) {
        return;
    }
    let path = "data/aave/reserves/USDT_1d.csv";
    let text = std::fs::read_to_string(dir.path().join(path)).unwrap();
    let run = "backtest pure_lending --data data --from 2024-06-01 --to 2024-06-10 --json";
    let exact = dir.basis(run).json();
    for (late, within) in [("00:00:11", true), ("12:24:5", false)] {
        let minute = |line: usize| line % 9;
        let moved: String = text
            .lines()
            .enumerate()
            .map(|(line, row)| {
                let stamp = if within {
                    late.to_owned()
                } else {
                    format!("{late}{}", minute(line))
                };
                format!("{}\n", row.replace("T00:00:00Z", &format!("T{stamp}Z")))
            })
            .collect();
        dir.write(path, &moved);
        let name = format!("run-{within}");
        let out = dir.path().join(&name);
        let found = dir.basis(&format!("{run} --out {}", out.display())).json();
        let shift = &found["shifts"][0];
        assert_eq!(shift["series"], "aave_reserve.aave.USDT", "{found}");
        assert!(found["gaps"].as_array().unwrap().is_empty(), "{found}");
        let (late, exact) = (total(&found, "interest"), total(&exact, "interest"));
        assert!((late / exact - 1.0).abs() < 0.1, "{late} {exact}");
        agrees(&out, Some(&dir.path().join("data")));
    }
    let lacking: String = text
        .lines()
        .filter(|row| !row.starts_with("2024-06-05"))
        .map(|row| format!("{}\n", row.replace("T00:00:00Z", "T12:24:59Z")))
        .collect();
    dir.write(path, &lacking);
    dir.basis(run)
        .fails(2, &["1 missing from 2024-06-05T12:24:59Z"]);
}

#[test]
fn values_that_cannot_be_are_refused_and_listed_when_the_bounds_take_them() {
    let dir = Scratch::new();
    week(&dir, &every(8, "00", "0.01"));
    let why = "funding.bybit.BTCUSDT: 21 row(s) from 2024-07-01T00:00:00Z to 2024-07-07T16:00:00Z are \
               not plausible: `funding_rate` 0.01 at 2024-07-01T00:00:00Z is beyond the bound of 0.005";
    // What a percentage looks like; no gap policy takes it.
    for gaps in ["refuse", "hold"] {
        let refused = basis(&dir, &format!("--set data.gaps={gaps}"));
        refused.fails(2, &["DATA-002", why, "raise data.bounds.funding_rate_max"]);
    }
    let check = dir.basis(&format!("data check data --mode btc_basis {BYBIT} {WEEK}"));
    check.fails(2, &[why]);
    let taken = basis(&dir, "--set data.bounds.funding_rate_max=0.02 --json").json();
    assert!(
        assumed(&taken, "not plausible: `funding_rate` 0.01"),
        "{taken}"
    );
    assert_eq!(taken["implausible"].as_array().unwrap().len(), 1);
    week(&dir, &every(8, "00", "0.0001"));
    let path = "data/perp/bybit/BTCUSDT_1h.csv";
    let text = std::fs::read_to_string(dir.path().join(path)).unwrap();
    let row = text.lines().nth(60).unwrap();
    let tenth: Vec<_> = row
        .split(',')
        .enumerate()
        .map(|(at, field)| {
            if (1..5).contains(&at) {
                format!("{field}e-1")
            } else {
                field.to_owned()
            }
        })
        .collect();
    dir.write(path, &text.replace(row, &tenth.join(",")));
    basis(&dir, "").fails(
        2,
        &[
            "perp.bybit.BTCUSDT: 2 row(s)",
            "raise data.bounds.price_ratio_max",
        ],
    );
}

#[test]
fn a_month_of_funding_that_disagrees_with_the_other_venues_is_suspect() {
    let dir = Scratch::new();
    bars(&dir, 1, 7);
    for kind in ["spot", "perp"] {
        let name = |venue: &str| format!("data/{kind}/{venue}/BTCUSDT_1h.csv");
        let text = std::fs::read_to_string(dir.path().join(name("bybit"))).unwrap();
        for venue in ["binance", "okx"] {
            dir.write(&name(venue), &text);
        }
    }
    for (venue, rate) in [
        ("binance", "0.00005"),
        ("bybit", "0.00006"),
        ("okx", "-0.0002"),
    ] {
        let rows = every(8, "00", rate);
        let rows: String = rows
            .iter()
            .map(|(at, rate)| format!("{at},{rate}\n"))
            .collect();
        let text = format!("timestamp,funding_rate\n{rows}");
        dir.write(&format!("data/funding/{venue}/BTCUSDT.csv"), &text);
    }
    let note = "funding.okx.BTCUSDT is suspect in 2024-07: a mean of -21.9 %/y against 5.5 %/y, the median \
                of all venues; correlation with the others: none";
    let check = dir.basis("data check data");
    assert!(check.out.contains(note), "{check:?}");
    let mode = dir.basis(&format!("data check data --mode btc_basis {WEEK}"));
    assert!(
        mode.out.contains(note) && mode.out.contains("  starts"),
        "{mode:?}"
    );
    let out = dir.path().join("run");
    let run = format!(
        "backtest btc_basis --data data {WEEK} --json --out {}",
        out.display()
    );
    let summary = dir.basis(&run).json();
    assert!(assumed(&summary, note), "{summary}");
    let gaps = summary["gaps"].as_array().unwrap();
    assert!(
        gaps.iter().any(|gap| gap["treatment"] == "suspect"),
        "{gaps:?}"
    );
    agrees(&out, Some(&dir.path().join("data")));
}

#[test]
fn a_lost_book_ends_at_minus_one_hundred_percent_and_ranks_last() {
    let dir = Scratch::new();
    let dates = "--from 2024-03-01 --to 2024-03-11";
    let at = "at 2024-03-10T05:00:00Z";
    let shocks = [
        format!("protocol weETH -50% {at}"),
        format!("oracle weETH -50% {at}"),
    ];
    let mut arguments: Vec<&str> = "backtest eth_leveraged --json -q".split(' ').collect();
    arguments.extend(dates.split(' '));
    for shock in &shocks {
        arguments.extend(["--shock", shock.as_str()]);
    }
    let out = dir.path().join("run");
    arguments.extend(["--out", out.to_str().unwrap()]);
    let ruin = dir.run(&arguments, &[]);
    let summary: Json = serde_json::from_str(&ruin.out).unwrap();
    let left: f64 = summary["equity_end"].as_str().unwrap().parse().unwrap();
    assert!(
        (0.0..10.0).contains(&left),
        "debt without recourse stays with the lender: {left}"
    );
    for found in [&summary, &summary["statistics_usd"]] {
        let figure = |key: &str| found[key].as_f64().unwrap();
        assert!((-1.0..-0.9).contains(&figure("return")), "{found}");
        assert!((-1.0..-0.9).contains(&figure("apy")), "{found}");
        assert!((0.9..=1.0).contains(&figure("max_drawdown")), "{found}");
    }
    agrees(&out, None);
    let lists = [
        format!("[\"ETH -30% {at}\"]"),
        format!(
            "[\"{}\",\"{}\"]",
            shocks.first().unwrap(),
            shocks.last().unwrap()
        ),
    ];
    let param = format!("shocks={}", lists.join(","));
    let mut arguments: Vec<&str> = "sweep eth_leveraged --rank apy --json -q --param"
        .split(' ')
        .collect();
    arguments.push(&param);
    arguments.extend(dates.split(' '));
    let sweep = dir.run(&arguments, &[]);
    let found: Json = serde_json::from_str(&sweep.out).unwrap();
    let rows = found["variants"].as_array().unwrap();
    let last = rows.last().unwrap()["apy"].as_f64().unwrap();
    assert!(last < -0.9, "{found}");
}
