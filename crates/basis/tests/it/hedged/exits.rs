//! Leaving for good costs what the exit value said it would.
//!
//! A run is asked for nearly all that it has at a date; what trades, gas and transfers then cost is compared with
//! `exit_cost` of the same run at that date. A withdrawal is the mode's own way out.

use basis::core::num::Value;
use basis::core::types::{Span, Timestamp};
use basis::engine::RunResult;

use super::{Recorded, at, is_full};

struct Case {
    mode: &'static str,
    sets: &'static [&'static str],
    capital: &'static str,
    first: &'static str,
}

const HURDLE_OFF: &str = "expected_carry.horizon_hours=null";

const CASES: [Case; 6] = [
    Case {
        mode: "btc_basis",
        sets: &[HURDLE_OFF],
        capital: "100000",
        first: "2024-01-08T01:00:00Z",
    },
    Case {
        mode: "eth_basis",
        sets: &[HURDLE_OFF],
        capital: "100000",
        first: "2024-01-08T01:00:00Z",
    },
    Case {
        mode: "usdt_market_neutral_no_leverage",
        sets: &[HURDLE_OFF, "exit_route=market"],
        capital: "100000",
        first: "2024-05-15T01:00:00Z",
    },
    Case {
        mode: "usdt_market_neutral",
        sets: &[HURDLE_OFF],
        capital: "100000",
        first: "2024-05-15T01:00:00Z",
    },
    Case {
        mode: "eth_staking_only",
        sets: &["exit_route=market"],
        capital: "40",
        first: "2024-05-15T01:00:00Z",
    },
    Case {
        mode: "eth_leveraged",
        sets: &[],
        capital: "40",
        first: "2024-05-15T01:00:00Z",
    },
];

/// Days before the date, and days that the way out has: a stake that waits may take a week.
const BEFORE: i64 = 5;
const AFTER: i64 = 9;

/// What trades, gas and transfers cost from `due` on, USD.
fn costs_after(result: &RunResult, due: Timestamp) -> f64 {
    let steps = &result.steps;
    let rows = steps.at.iter().zip(&steps.attribution);
    let after = rows.filter(|(at, _)| **at >= due);
    let paid = after.map(|(_, step)| {
        let parts = [step.fees, step.slippage, step.gas, step.transfer_cost];
        -parts.iter().map(|part| part.to_f64()).sum::<f64>()
    });
    paid.sum()
}

/// Cost of the way out over the one that was said, of a start; `None` where nothing was held.
fn ratio(market: &Recorded, case: &Case, start: Timestamp) -> Option<f64> {
    let capital = format!("initial_capital={}", case.capital);
    let due = start.plus(Span::from_hours(24 * BEFORE));
    let held = market.run(start, BEFORE, &[&capital]).unwrap();
    let exit = held.exit.unwrap().last;
    assert!(exit.hours.is_some(), "{} at {due}", case.mode);
    let value = held.steps.equity_usd.last()?.sub(exit.cost).unwrap();
    if exit.cost <= Value::ZERO {
        return None;
    }
    let unit = match case.capital {
        "40" => held.steps.reference.last()?.to_f64(),
        _ => 1.0,
    };
    // A hedged stake keeps what a sale may lose at the most: what is asked stays below that.
    let asked = format!(
        "withdrawals=[{{ at: {due}, amount: {:.6} }}]",
        value.to_f64() * 0.98 / unit
    );
    let left = market
        .run(start, BEFORE + AFTER, &[&capital, &asked])
        .unwrap();
    let refused = &left.refused_withdrawals;
    assert!(refused.is_empty(), "{} at {due}: {refused:?}", case.mode);
    Some(costs_after(&left, due) / exit.cost.to_f64())
}

#[test]
fn leaving_costs_what_the_exit_value_says() {
    let dates = if is_full() { 50 } else { 9 };
    for case in &CASES {
        let Some(market) = Recorded::of(case.mode, case.sets) else {
            return;
        };
        let first = at(case.first);
        let days = at("2025-05-10T00:00:00Z").since(first).seconds() / 86_400;
        let start = |number: i64| first.plus(Span::from_hours(24 * (days * number / dates)));
        let mut ratios: Vec<_> = (0..dates)
            .filter_map(|number| ratio(&market, case, start(number)))
            .collect();
        ratios.sort_unstable_by(f64::total_cmp);
        let median = ratios[ratios.len() / 2];
        eprintln!(
            "{}: {} exits cost {median:.3} of exit_cost, {:.3} to {:.3}",
            case.mode,
            ratios.len(),
            ratios[0],
            ratios[ratios.len() - 1]
        );
        assert!(
            ratios.len() * 2 > usize::try_from(dates).unwrap(),
            "{ratios:?}"
        );
        assert!((0.8..=1.2).contains(&median), "{}: {ratios:?}", case.mode);
    }
}
