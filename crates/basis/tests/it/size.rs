//! Size: entries cut to the volume, what leaving costs, and what is refused because it does not fit.

#![expect(
    clippy::unwrap_used,
    reason = "helpers of tests: a failure is a failed test"
)]

use std::sync::Arc;

use basis::core::event::EventData;
use basis::core::num::{Quantity, Rate, Rounding, Value};
use basis::core::types::{Span, Timestamp};
use basis::data::synthetic::{SyntheticSpec, synthetic};
use basis::engine::RunResult;
use basis::market::MarketData;

use crate::runner::backtest;

fn hour(number: i64) -> Timestamp {
    SyntheticSpec::default()
        .start
        .plus(Span::from_hours(number))
}

fn market(days: i64) -> Arc<MarketData> {
    Arc::new(synthetic(&SyntheticSpec {
        bars: usize::try_from(days * 24).unwrap(),
        ..SyntheticSpec::default()
    }))
}

fn run(days: i64, sets: &[&str]) -> RunResult {
    backtest(&market(days), "btc_basis", sets, (hour(0), hour(days * 24)))
}

/// Fees, slippage and transfers from `first` on.
fn costs_from(result: &RunResult, first: Timestamp) -> Value {
    let steps = result.steps.at.iter().zip(&result.steps.attribution);
    let steps = steps.filter(|(at, _)| **at >= first);
    let costs = steps.flat_map(|(_, step)| [step.fees, step.slippage, step.transfer_cost]);
    costs.fold(Value::ZERO, |sum, cost| sum.sub(cost).unwrap())
}

/// Sixty million dollars are some 700 BTC a leg, and an hour has room for a tenth of that.
#[test]
fn a_large_entry_takes_several_bars_and_is_hedged_after_each() {
    let result = run(10, &["initial_capital=60000000"]);
    let fills = result.executions.iter().filter_map(|row| row.fill.as_ref());
    assert!(fills.count() > 20, "one bar has no room for it");
    assert_eq!(result.counts.rejections, 0, "nothing is asked beyond it");
    let bound = Quantity::literal("0.01");
    for (at, delta) in result.steps.at.iter().zip(&result.steps.net_delta) {
        assert!(delta.abs().unwrap() <= bound, "{delta} BTC open at {at}");
    }
    // And in the end all of it is held: as much as a small book holds of its capital.
    let small = run(10, &["initial_capital=60000"]);
    let held = |result: &RunResult, times: i64| {
        let gross = *result.steps.risk.gross_delta.last().unwrap();
        Quantity::new(gross.get().mul_int(times).unwrap())
    };
    let (large, small) = (held(&result, 1), held(&small, 1_000));
    let off = large.sub(small).unwrap().abs().unwrap();
    let tolerated = small
        .at_rate(Rate::literal("0.03"), Rounding::Ceil)
        .unwrap();
    assert!(off < tolerated, "{large} against {small}");
}

/// What the exit value said before is what a withdrawal of almost everything then costs.
#[test]
fn leaving_costs_what_the_exit_value_said_before() {
    for capital in ["100000", "20000000"] {
        let sets = [format!("initial_capital={capital}")];
        let sets: Vec<&str> = sets.iter().map(String::as_str).collect();
        let base = run(40, &sets);
        let at = hour(30 * 24);
        let step = base.steps.at.iter().position(|step| *step == at).unwrap();
        let said = base.steps.exit[step].cost;
        let equity = base.steps.equity_usd[step];
        let amount = equity
            .at_rate(Rate::literal("0.985"), Rounding::Floor)
            .unwrap();
        let amount = amount.get().round_to_decimals(0, Rounding::Floor).unwrap();
        let withdrawal = format!("withdrawals=[{{at: {at}, amount: {amount}}}]");
        let left = run(40, &[sets[0], &withdrawal]);
        let paid = costs_from(&left, at).sub(costs_from(&base, at)).unwrap();
        let off = paid.sub(said).unwrap().abs().unwrap();
        let tolerated = said.at_rate(Rate::literal("0.2"), Rounding::Floor).unwrap();
        assert!(off < tolerated, "{capital}: paid {paid}, said {said}");
    }
}

#[test]
fn the_exit_value_is_the_equity_less_its_cost_and_accounts_add_up() {
    let result = run(5, &[]);
    let summary = result.exit.unwrap();
    assert_eq!(summary.last, *result.steps.exit.last().unwrap());
    assert!(summary.max_drawdown >= result.statistics.max_drawdown);
    for (step, whole) in result.steps.exit.iter().enumerate() {
        let parts = result
            .steps
            .exits
            .iter()
            .map(|column| column.exit[step].cost);
        let sum = parts.fold(Value::ZERO, |sum, part| sum.add(part).unwrap());
        assert_eq!(sum, whole.cost, "step {step}");
    }
    let first = result.steps.exit[0];
    assert!(first.cost.is_zero(), "what is in the wallet costs nothing");
}

/// Leaving costs some 9 basis points: at a bound of 5 nothing is added to the book, and nothing is sold.
#[test]
fn growth_is_held_back_while_leaving_costs_more_than_its_bound() {
    let deposit = format!("deposits=[{{at: {}, amount: 100000}}]", hour(72));
    let held = |result: &RunResult| *result.steps.risk.gross_delta.last().unwrap();
    let free = run(6, &[&deposit]);
    let bound = run(6, &[&deposit, "risk.exit_cost_max=0.0005"]);
    let before = run(3, &[]);
    assert!(held(&free) > held(&before));
    assert_eq!(held(&bound), held(&before));
    let told = bound.events.iter().filter(|event| {
        matches!(&event.data, EventData::StateUpdate { state, .. } if state.as_ref() == "exit_too_dear")
    });
    assert_eq!(told.count(), 1, "said once");
}
