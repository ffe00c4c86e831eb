//! Withdrawals of every hedged mode are paid in time and leave every account far from liquidation.

use std::fmt::Write as _;

use basis::core::ledger::EntryKind;
use basis::core::num::{Fixed18, Quantity};
use basis::core::types::{Span, Timestamp};
use basis::engine::{RunResult, risk::RiskLevel};

use super::{Recorded, at, is_full};

/// Parts of the capital, percent.
const PARTS: [i64; 5] = [10, 25, 50, 75, 95];

/// What is asked back of a mode.
struct Case {
    mode: &'static str,
    sets: &'static [&'static str],
    capital: i64,
    /// The first start; staking tokens are recorded from May 2024.
    first: &'static str,
    /// Longest wait, hours: a stake leaves by its queue.
    within: i64,
}

const CASES: [Case; 5] = [
    Case {
        mode: "btc_basis",
        sets: &[],
        capital: 100_000,
        first: "2024-01-08T01:00:00Z",
        within: 24,
    },
    Case {
        mode: "eth_basis",
        sets: &[],
        capital: 100_000,
        first: "2024-01-08T01:00:00Z",
        within: 24,
    },
    Case {
        mode: "usdt_market_neutral_no_leverage",
        sets: &["exit_route=cheapest"],
        capital: 100_000,
        first: "2024-05-15T01:00:00Z",
        within: 24 * 7 + 24,
    },
    Case {
        mode: "usdt_market_neutral_no_leverage",
        sets: &["exit_route=market"],
        capital: 100_000,
        first: "2024-05-15T01:00:00Z",
        within: 24,
    },
    Case {
        mode: "usdt_market_neutral",
        sets: &[
            "target_ltv=0.65",
            "max_ltv=0.75",
            "risk.health_factor_warn=1.2",
            "risk.health_factor_reduce_only=1.15",
            "risk.health_factor_deleverage=1.1",
            "risk.health_factor_halt=1.04",
        ],
        capital: 100_000,
        first: "2024-05-15T01:00:00Z",
        within: 24,
    },
];

/// When `amount` had been paid out whole, after it was due.
fn waited(result: &RunResult, due: Timestamp, amount: i64) -> Option<Span> {
    let lines = result.ledger.iter();
    let paid = lines.filter(|line| line.kind == EntryKind::Withdrawal);
    let mut sum = Quantity::ZERO;
    for line in paid {
        sum = sum.sub(line.quantity).unwrap();
        if sum.get() == Fixed18::from_int(amount) {
            return Some(line.at.since(due));
        }
    }
    None
}

/// The largest net delta from the day before `due` on, over the capital, at steps at which every market can be
/// traded.
fn naked(result: &RunResult, due: Timestamp) -> f64 {
    let steps = &result.steps;
    let capital = steps.equity_usd[0].to_f64();
    let is_open = |step: &usize| {
        let mut markets = steps.prices.iter();
        steps.at[*step] >= due.minus(Span::DAY)
            && markets.all(|market| market.state[*step].is_tradable())
    };
    let open = (0..steps.at.len()).filter(is_open);
    let naked = open.map(|step| {
        steps.net_delta[step].to_f64().abs() * steps.reference[step].to_f64() / capital
    });
    naked.fold(0.0, f64::max)
}

/// Whether an account is at the deleverage rung after two steps in a row: margin that a jump of the price asks for
/// may take one to arrive.
fn is_low_for_two_steps(result: &RunResult) -> bool {
    let is_low = |step: usize| {
        let rows = result.steps.risk.rows_of(step);
        rows.iter().any(|row| row.level >= RiskLevel::Deleverage)
    };
    (1..result.steps.at.len()).any(|step| is_low(step - 1) && is_low(step))
}

/// What is wrong with a run, in words; empty where nothing is.
fn faults(result: &RunResult, (due, amount): (Timestamp, i64), within: i64) -> String {
    let mut text = String::new();
    let mut note = |wrong: bool, what: &str| {
        if wrong {
            write!(text, " {what}").unwrap();
        }
    };
    note(!result.refused_withdrawals.is_empty(), "refused");
    note(result.counts.liquidations > 0, "liquidated");
    note(result.halted.is_some(), "halted");
    let late = waited(result, due, amount).is_none_or(|span| span > Span::from_hours(within));
    note(late, "late");
    note(is_low_for_two_steps(result), "low on margin");
    note(naked(result, due) > 0.01, "naked");
    text
}

/// Runs every part at every date; the faults, and the waits in hours.
fn series(case: &Case, dates: usize) -> Option<(Vec<String>, Vec<i64>)> {
    let market = Recorded::of(case.mode, case.sets)?;
    let first = at(case.first);
    let last = at("2025-05-10T00:00:00Z");
    let days = last.since(first).seconds() / 86_400;
    let (mut wrong, mut waits) = (Vec::new(), Vec::new());
    for number in 0..dates {
        let part = PARTS[number % PARTS.len()];
        let parts = if is_full() {
            PARTS.to_vec()
        } else {
            vec![part]
        };
        let day = days * i64::try_from(number).unwrap() / i64::try_from(dates).unwrap();
        let start = first.plus(Span::from_hours(24 * day));
        // Five days in, at an hour of its own.
        let due = start.plus(Span::from_hours(120 + day % 24));
        for part in parts {
            let amount = case.capital * part / 100;
            let asked = format!("withdrawals=[{{ at: {due}, amount: {amount} }}]");
            let (wait, fault) = match market.run(start, 20, &[&asked]) {
                Ok(result) => (
                    waited(&result, due, amount),
                    faults(&result, (due, amount), case.within),
                ),
                Err(e) => (None, format!(" {e}")),
            };
            let hours = wait.map(|span| (span.seconds() + 3_599) / 3_600);
            waits.extend(hours);
            if !fault.is_empty() {
                wrong.push(format!("{part} % at {due}:{fault}, after {hours:?} h"));
            }
        }
    }
    waits.sort_unstable();
    let (mode, sets) = (case.mode, case.sets);
    let slowest = waits.last();
    eprintln!(
        "{mode} {sets:?}: {} runs, median {:?} h, slowest {slowest:?} h, {} wrong",
        waits.len(),
        waits.get(waits.len() / 2),
        wrong.len()
    );
    for fault in &wrong {
        eprintln!("  {fault}");
    }
    Some((wrong, waits))
}

/// Dates of a series.
fn dates() -> usize {
    if is_full() { 50 } else { 10 }
}

#[test]
fn withdrawals_of_basis_modes_are_paid_within_a_day() {
    for case in &CASES[..2] {
        let Some((wrong, _)) = series(case, dates()) else {
            return;
        };
        assert_eq!(wrong, Vec::<String>::new(), "{}", case.mode);
    }
}

#[test]
fn withdrawals_of_hedged_stakes_are_paid_when_the_stake_has_left() {
    for case in &CASES[2..] {
        let Some((wrong, _)) = series(case, dates()) else {
            return;
        };
        assert_eq!(wrong, Vec::<String>::new(), "{} {:?}", case.mode, case.sets);
    }
}

/// 98,331.121666 USDT lacked 0.30 for ever: no account had `min_transfer` to spare.
#[test]
fn the_last_of_a_withdrawal_is_sent_in_as_little_as_it_takes() {
    let case = &CASES[3];
    let Some(market) = Recorded::of(case.mode, case.sets) else {
        return;
    };
    let due = at("2024-08-16T17:00:00Z");
    let asked = format!("withdrawals=[{{ at: {due}, amount: 98331.121666 }}]");
    let result = market
        .run(at("2024-08-11T01:00:00Z"), 20, &[&asked])
        .unwrap();
    let lines = result.ledger.iter();
    let paid: Vec<_> = lines
        .filter(|line| line.kind == EntryKind::Withdrawal)
        .collect();
    let sum = paid
        .iter()
        .fold(Quantity::ZERO, |sum, line| sum.sub(line.quantity).unwrap());
    assert_eq!(sum, Quantity::literal("98331.121666"));
    let waited = paid.last().unwrap().at.since(due);
    assert!(waited <= Span::from_hours(24), "{waited}");
}

#[test]
fn more_than_can_be_paid_is_refused_with_what_can() {
    for case in &CASES {
        let Some(market) = Recorded::of(case.mode, case.sets) else {
            return;
        };
        let start = at("2024-06-15T01:00:00Z");
        let due = start.plus(Span::from_hours(120));
        for part in [100, 120] {
            let amount = case.capital * part / 100;
            let asked = format!("withdrawals=[{{ at: {due}, amount: {amount} }}]");
            let result = market.run(start, 8, &[&asked]).unwrap();
            let [refused] = result.refused_withdrawals.as_slice() else {
                panic!("{} {part} %: {:?}", case.mode, result.refused_withdrawals)
            };
            assert_eq!((refused.at, refused.refused_at), (due, due));
            let available = refused.available.to_f64();
            let capital = f64::from(i32::try_from(case.capital).unwrap());
            let share = available / capital * 100.0;
            assert!((90.0..100.0).contains(&share), "{}: {share} %", case.mode);
            assert_eq!(
                (&result.halted, waited(&result, due, amount)),
                (&None, None)
            );
            // As if it had never been asked.
            assert!(naked(&result, due) <= 0.01, "{}", case.mode);
        }
    }
}
