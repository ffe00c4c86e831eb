//! Whatever is done to a row that a run reads shows: in figures, gaps, assumptions or the exit.
//!
//! Left out is what a run does not read: the volume of a bar at which nothing trades, and the gas of an
//! hour without a transaction.

use std::path::Path;

use basis::assembly::Backtest;
use basis::core::types::Timestamp;
use basis::data::load;
use proptest::prelude::*;

use crate::grids::{every, lending_data, week};
use crate::runner::Scratch;
use crate::scripted::setup;

/// What is done to a row.
#[derive(Clone, Copy, Debug)]
enum Harm {
    Drop,
    Shift,
    Duplicate,
    /// Ten times a field, counted from those that are read.
    Scale(usize),
    /// The file ends within the row.
    Cut,
}

struct Case {
    mode: &'static str,
    sets: &'static [&'static str],
    range: (&'static str, &'static str),
    /// Files with the columns whose every row is read.
    files: &'static [(&'static str, &'static [usize])],
}

const BASIS: Case = Case {
    mode: "btc_basis",
    sets: &[
        "spot_venue=bybit",
        "hedge_allocation.binance=0",
        "hedge_allocation.bybit=1",
        "hedge_allocation.okx=0",
    ],
    range: ("2024-07-01T00:00:00Z", "2024-07-07T16:00:00Z"),
    files: &[
        ("spot/bybit/BTCUSDT_1h.csv", &[1, 2, 3, 4]),
        ("perp/bybit/BTCUSDT_1h.csv", &[1, 2, 3, 4]),
        ("funding/bybit/BTCUSDT.csv", &[1]),
    ],
};

const LENDING: Case = Case {
    mode: "pure_lending",
    sets: &[],
    range: ("2024-06-01T00:00:00Z", "2024-06-06T00:00:00Z"),
    files: &[
        ("aave/reserves/USDT_1d.csv", &[2, 3, 4, 8]),
        ("spot/bybit/ETHUSDT_1h.csv", &[1, 2, 3, 4]),
        ("gas/ethereum_1h.csv", &[]),
    ],
};

/// What a run says, or why there is none.
fn said(case: &Case, data: &Path) -> String {
    let range = (case.range.0.parse().unwrap(), case.range.1.parse().unwrap());
    let setup = setup(case.mode, case.sets, range);
    let run = || {
        let loaded = load(data, &setup.data_request()?, &|_| {})?;
        Backtest::run(loaded.data, &setup)
    };
    match run() {
        Err(e) => e.to_string(),
        Ok(result) => format!(
            "{:?} {:?} {:?} {:?} {:?} {:?}",
            result.steps.equity_usd,
            result.attribution,
            result.risk,
            result.coverage,
            result.assumptions,
            result.ledger
        ),
    }
}

/// The lines of a file after harm to the row at `at` of those within the case's range.
fn harmed(
    text: &str,
    (from, to): (&str, &str),
    at: usize,
    fields: &[usize],
    harm: Harm,
) -> Option<String> {
    let lines: Vec<&str> = text.lines().collect();
    let inside = |line: &&&str| **line >= from && **line < to;
    let count = lines.iter().filter(inside).count();
    let row = lines.iter().filter(inside).nth(at % count.max(1))?;
    let place = lines.iter().position(|line| line == row)?;
    let (stamp, rest) = row.split_once(',')?;
    let instead = match harm {
        Harm::Drop => String::new(),
        Harm::Duplicate => format!("{row}\n{row}\n"),
        Harm::Cut => (*row.get(..row.len() - 1)?).to_owned(),
        Harm::Shift => {
            let later = stamp.replace(":00:00Z", ":00:07Z");
            format!("{later},{rest}\n")
        }
        Harm::Scale(nth) => {
            let field = *fields.get(nth % fields.len().max(1))?;
            let scaled = |(at, text): (usize, &str)| {
                if at == field {
                    format!("{text}e1")
                } else {
                    text.to_owned()
                }
            };
            let fields: Vec<_> = row.split(',').enumerate().map(scaled).collect();
            format!("{}\n", fields.join(","))
        }
    };
    let before: String = lines
        .iter()
        .take(place)
        .map(|line| format!("{line}\n"))
        .collect();
    let after = lines.iter().skip(place + 1).map(|line| format!("{line}\n"));
    Some(match harm {
        Harm::Cut => before + &instead,
        _ => before + &instead + &after.collect::<String>(),
    })
}

fn harms() -> impl Strategy<Value = Harm> {
    prop_oneof![
        Just(Harm::Drop),
        Just(Harm::Shift),
        Just(Harm::Duplicate),
        (0..4_usize).prop_map(Harm::Scale),
        Just(Harm::Cut),
    ]
}

fn never_silent(case: &Case, dir: &Scratch, trials: u32) {
    let data = dir.path().join("data");
    let whole = said(case, &data);
    let again = said(case, &data);
    assert!(whole == again, "two runs differ");
    let config = ProptestConfig {
        cases: trials,
        failure_persistence: None,
        ..ProptestConfig::default()
    };
    let mut runner = proptest::test_runner::TestRunner::new_with_rng(
        config,
        proptest::test_runner::TestRng::deterministic_rng(
            proptest::test_runner::RngAlgorithm::ChaCha,
        ),
    );
    let strategy = (0..case.files.len(), 0..1_000_usize, harms());
    let outcome = runner.run(&strategy, |(file, at, harm)| {
        let (name, fields) = case.files.get(file).unwrap();
        let path = data.join(name);
        let text = std::fs::read_to_string(&path).unwrap();
        if let Some(other) = harmed(&text, case.range, at, fields, harm) {
            std::fs::write(&path, other).unwrap();
            let found = said(case, &data);
            std::fs::write(&path, &text).unwrap();
            prop_assert!(
                found != whole,
                "{harm:?} of row {at} of {name} shows nowhere"
            );
        }
        Ok(())
    });
    outcome.unwrap();
}

#[test]
fn no_harm_to_a_row_of_prices_or_funding_is_silent() {
    let dir = Scratch::new();
    week(&dir, &every(8, "00", "0.0001"));
    never_silent(&BASIS, &dir, 96);
}

#[test]
fn no_harm_to_a_row_of_a_chain_is_silent() {
    let dir = Scratch::new();
    if !lending_data(&dir) {
        return;
    }
    for (name, _) in LENDING.files {
        let path = dir.path().join("data").join(name);
        let text = std::fs::read_to_string(&path).unwrap();
        let kept =
            |line: &&str| line.starts_with('t') || (*line > "2024-05-20" && *line < "2024-06-08");
        let lines: String = text
            .lines()
            .filter(kept)
            .map(|line| format!("{line}\n"))
            .collect();
        std::fs::write(&path, lines).unwrap();
    }
    let from: Timestamp = LENDING.range.0.parse().unwrap();
    assert_eq!(from.to_string(), LENDING.range.0);
    never_silent(&LENDING, &dir, 64);
}
