//! Runs of `btc_basis` on markets made for the purpose: deposits and withdrawals, liquidation,
//! leverage, dust. Hand-computed where a number stands.

use std::collections::BTreeMap;
use std::sync::Arc;

use basis::assembly::Backtest;
use basis::config::environment::Environment;
use basis::config::layers::{self, Request};
use basis::core::event::EventData;
use basis::core::ledger::EntryKind;
use basis::core::num::{Fixed18, Quantity, Value};
use basis::core::types::{Account, Item, Span, Timestamp, Venue};
use basis::data::synthetic::{SyntheticSpec, synthetic};
use basis::engine::RunResult;
use basis::market::MarketData;
use basis::venues::registry::Registry;

use crate::runner::HURDLE_OFF;

const BARS: usize = 24 * 30;

fn market() -> Arc<MarketData> {
    Arc::new(synthetic(&SyntheticSpec {
        bars: BARS,
        ..SyntheticSpec::default()
    }))
}

fn run(data: &Arc<MarketData>, sets: &[&str]) -> RunResult {
    let registry = Registry::builtin();
    let sets = sets.iter().chain(&[HURDLE_OFF]);
    let sets: Vec<String> = sets.map(|&set| set.to_owned()).collect();
    let request = Request {
        mode: "btc_basis",
        sets: &sets,
        ..Request::default()
    };
    let environment = Environment::from_pairs(BTreeMap::new(), &registry);
    let spec = SyntheticSpec::default();
    let to = spec
        .start
        .plus(Span::from_hours(i64::try_from(BARS).unwrap()));
    let resolved = layers::resolve(&request, &environment, &registry).unwrap();
    let setup = resolved.setup.with_range(spec.start, to);
    Backtest::run(Arc::clone(data), &setup).unwrap()
}

fn holding(result: &RunResult, account: Account, item: Item, rows: u32) -> Quantity {
    result
        .ledger
        .iter()
        .take(usize::try_from(rows).unwrap())
        .filter(|entry| entry.account == account && entry.item == item)
        .try_fold(Quantity::ZERO, |sum, entry| sum.add(entry.quantity))
        .unwrap()
}

/// Base units of spot held after each step.
fn spot_per_step(result: &RunResult) -> Vec<Quantity> {
    let account = Account::new(Venue::literal("binance"), "spot".parse().unwrap());
    let item = Item::Asset("BTC".parse().unwrap());
    result
        .steps
        .ledger_rows
        .iter()
        .map(|&rows| holding(result, account, item, rows))
        .collect()
}

fn at_step(result: &RunResult, at: Timestamp) -> usize {
    result.steps.at.iter().position(|step| *step == at).unwrap()
}

fn close_to(value: Fixed18, wanted: Fixed18, parts_per_million: i64) -> bool {
    let allowed = wanted.abs().unwrap().to_f64() * parts_per_million_f64(parts_per_million);
    (value.to_f64() - wanted.to_f64()).abs() <= allowed
}

fn parts_per_million_f64(parts: i64) -> f64 {
    Fixed18::from_ratio(parts, 1_000_000, basis::core::num::Rounding::HalfEven)
        .unwrap()
        .to_f64()
}

#[test]
fn a_deposit_scales_the_position_up_and_is_no_profit() {
    let data = market();
    let start = SyntheticSpec::default().start;
    let when = start.plus(Span::from_hours(240));
    let deposit = format!("deposits=[{{ at: {when}, amount: 100000 }}]");
    let result = run(
        &data,
        &["initial_capital=100000", "utilization_band=0.02", &deposit],
    );
    let plain = run(&data, &["initial_capital=100000", "utilization_band=0.02"]);
    let step = at_step(&result, when);
    let flows: Vec<Value> = result.steps.external_flow_usd.clone();
    assert_eq!(flows[step], Value::literal("100000"));
    assert_eq!(
        flows.iter().filter(|flow| !flow.is_zero()).count(),
        2,
        "the capital, the deposit"
    );
    let spot = spot_per_step(&result);
    // The wallet's transfers take a quarter of an hour: a few steps later the position has doubled.
    let (before, after) = (spot[step - 1], spot[step + 4]);
    let ratio = after
        .get()
        .div(before.get(), basis::core::num::Rounding::HalfEven)
        .unwrap();
    assert!(
        close_to(ratio, Fixed18::from_int(2), 130_000),
        "{before} to {after}"
    );
    // Time-weighted, money that comes in earns nothing by coming in.
    let apart = (result.statistics.total_return - plain.statistics.total_return).abs();
    assert!(
        apart < 0.002,
        "{} against {}",
        result.statistics.total_return,
        plain.statistics.total_return
    );
    assert!(
        result
            .steps
            .attribution
            .iter()
            .all(|step| step.residual.is_zero())
    );
}

#[test]
fn a_withdrawal_is_paid_in_full_and_scales_the_position_down() {
    let data = market();
    let start = SyntheticSpec::default().start;
    let when = start.plus(Span::from_hours(240));
    let withdrawal = format!("withdrawals=[{{ at: {when}, amount: 50000 }}]");
    // A narrow band, so that what is scaled is at its target.
    let band = "utilization_band=0.02";
    let result = run(&data, &["initial_capital=100000", band, &withdrawal]);
    let paid: Vec<_> = result
        .ledger
        .iter()
        .filter(|entry| entry.kind == EntryKind::Withdrawal)
        .collect();
    let sum = paid
        .iter()
        .try_fold(Quantity::ZERO, |sum, entry| sum.add(entry.quantity))
        .unwrap();
    assert_eq!(sum, Quantity::literal("-50000"));
    assert!(
        paid[0].at >= when && paid[0].at <= when.plus(Span::from_hours(12)),
        "{}",
        paid[0].at
    );
    let spot = spot_per_step(&result);
    let step = at_step(&result, when);
    let ratio = spot[step + 12]
        .get()
        .div(spot[step - 1].get(), basis::core::num::Rounding::HalfEven)
        .unwrap();
    // The book may have stood above its target, as the price had left it; a flow is met at the target.
    assert!(close_to(ratio, "0.5".parse().unwrap(), 130_000), "{ratio}");
    assert!(
        result
            .steps
            .attribution
            .iter()
            .all(|step| step.residual.is_zero())
    );
}

#[test]
fn withdrawing_everything_leaves_a_flat_book() {
    let data = market();
    let start = SyntheticSpec::default().start;
    let when = start.plus(Span::from_hours(240));
    let withdrawal = format!("withdrawals=[{{ at: {when}, amount: 99000 }}]");
    let result = run(&data, &["initial_capital=100000", &withdrawal]);
    let last = result.steps.net_delta.last().unwrap();
    assert!(last.abs().unwrap() <= Quantity::literal("0.05"), "{last}");
    let paid = result
        .ledger
        .iter()
        .any(|entry| entry.kind == EntryKind::Withdrawal);
    assert!(paid, "the withdrawal was paid");
}

#[test]
fn a_hedge_at_the_venues_default_leverage_is_entered() {
    let data = market();
    // The ladder is out of the way: it would refuse to start so near to liquidation.
    let near = [
        "risk.distance_warn=0.06",
        "risk.distance_reduce_only=0.06",
        "risk.distance_top_up=0.06",
        "risk.distance_deleverage=0.05",
        "risk.distance_halt=0.02",
    ];
    for leverage in ["hedge_leverage=5", "hedge_leverage=8"] {
        let sets = [&["initial_capital=100000", leverage], near.as_slice()].concat();
        let result = run(&data, &sets);
        assert_eq!(result.counts.rejections, 0, "{leverage}");
        assert!(result.counts.fills >= 4, "{leverage}");
        assert_eq!(result.halted, None, "{leverage}");
    }
}

#[test]
fn the_risk_ladder_cuts_then_closes_and_stays_closed() {
    let data = market();
    // Each cut is followed by a move that leaves the account at the last rung.
    let from = SyntheticSpec::default().start.plus(Span::from_hours(48));
    let shocks = format!("shocks=['BTC +24% at {from} over 4h']");
    let result = run(
        &data,
        &[
            "risk.distance_warn=0.09",
            "risk.distance_reduce_only=0.08",
            "risk.distance_top_up=0.07",
            "risk.distance_deleverage=0.07",
            "risk.distance_halt=0.07",
            "hedge_leverage=4",
            "utilization_band=1",
            "margin_deviation_threshold=1",
            "equity_deviation=1",
            &shocks,
        ],
    );
    let levels: Vec<&str> = result
        .events
        .iter()
        .filter_map(|event| match &event.data {
            EventData::Risk { level, .. } => Some(level.as_ref()),
            _ => None,
        })
        .collect();
    assert!(levels.contains(&"deleverage"), "{levels:?}");
    assert_eq!(
        levels.iter().filter(|level| **level == "halt").count(),
        1,
        "{levels:?}"
    );
    assert!(result.halted.is_some());
    let last = result.steps.ledger_rows.len() - 1;
    assert!(
        spot_per_step(&result)[last] < Quantity::literal("0.0001"),
        "everything is sold"
    );
    let trades_after_halt = result
        .executions
        .iter()
        .rev()
        .take_while(|row| row.fill.is_some());
    assert!(
        trades_after_halt.count() >= 4,
        "the exit is the last thing that traded"
    );
    assert!(
        result
            .steps
            .attribution
            .iter()
            .all(|step| step.residual.is_zero())
    );
}
