//! Loops are levered while their debt pays, and sit a spike of a day out.

use std::sync::Arc;

use basis::core::event::EventData;
use basis::core::num::Quantity;
use basis::core::types::{Asset, Item, Span, Timestamp};
use basis::data::synthetic::{SyntheticSpec, synthetic};
use basis::engine::RunResult;

use crate::runner::backtest;

const DAYS: i64 = 85;
const MODES: [&str; 2] = ["eth_leveraged", "usdt_market_neutral"];

fn day(number: i64) -> Timestamp {
    SyntheticSpec::default().start.plus(Span::DAY.times(number))
}

/// A run at the default debt ratios whose debt must pay over a year.
fn run(mode: &str, sets: &[&str]) -> RunResult {
    let data = synthetic(&SyntheticSpec {
        bars: usize::try_from(DAYS * 24).unwrap(),
        ..SyntheticSpec::default()
    });
    let usual = ["expected_carry.horizon_hours=8760"];
    let sets = [&usual[..], sets].concat();
    backtest(&Arc::new(data), mode, &sets, (day(0), day(DAYS)))
}

/// Scaled debt after a day.
fn debt(result: &RunResult, after: Timestamp) -> Quantity {
    let owed = Item::Debt(Asset::literal("WETH"));
    let lines = result.ledger.iter();
    let lines = lines.filter(|line| line.item == owed && line.at <= after);
    lines.fold(Quantity::ZERO, |sum, line| sum.add(line.quantity).unwrap())
}

fn said(result: &RunResult, wanted: &str) -> Vec<(Timestamp, String)> {
    let said = result.events.iter().filter_map(|event| match &event.data {
        EventData::StateUpdate { state, detail } if *state == wanted => {
            Some((event.at, detail.clone()))
        }
        _ => None,
    });
    said.collect()
}

#[test]
fn a_loop_waits_for_its_look_back_and_is_levered_when_the_debt_pays() {
    for mode in MODES {
        let result = run(mode, &[]);
        assert!(debt(&result, day(15)).is_zero(), "{mode}");
        let waits = said(&result, "look_back_short");
        assert!(waits[0].1.contains("of 30 "), "{mode}: {waits:?}");
        let pays = said(&result, "leverage_pays");
        assert_eq!(pays.len(), 1, "{mode}: {pays:?}");
        let (at, why) = &pays[0];
        assert!((day(22)..day(31)).contains(at), "{mode}: {at}");
        assert!(
            why.contains("ETH over the horizon against"),
            "{mode}: {why}"
        );
        assert!(debt(&result, day(DAYS)).is_positive(), "{mode}");
        assert_eq!(
            (result.halted.as_ref(), result.counts.liquidations),
            (None, 0),
            "{mode}"
        );
        assert!(said(&result, "leverage_costs").is_empty(), "{mode}");
    }
}

#[test]
fn a_debt_that_does_not_earn_its_cost_within_the_horizon_is_not_taken() {
    for mode in MODES {
        let result = run(mode, &["expected_carry.horizon_hours=24"]);
        assert!(debt(&result, day(DAYS)).is_zero(), "{mode}");
        let short = said(&result, "carry_below_cost");
        assert!(
            !short.is_empty() && short[0].1.starts_with("leverage: "),
            "{mode}: {short:?}"
        );
        assert!(result.counts.stood_aside_steps > 1_000, "{mode}");
    }
}

/// A day of +30 % makes the week's mean dearer than the stake earns, and leaving would cost more than the day did.
#[test]
fn a_borrow_spike_of_a_day_is_sat_out_and_one_that_stays_is_left() {
    let spike = |days: i64| format!("shocks=['borrow WETH +30% at {} for {days}d']", day(50));
    for mode in MODES {
        let sits = run(mode, &[&spike(1)]);
        assert_eq!(said(&sits, "leverage_pays").len(), 1, "{mode}");
        assert!(said(&sits, "leverage_costs").is_empty(), "{mode}");
        assert!(debt(&sits, day(DAYS)).is_positive(), "{mode}");
        let left = run(mode, &[&spike(20)]);
        let costs = said(&left, "leverage_costs");
        assert_eq!(costs.len(), 1, "{mode}: {costs:?}");
        assert!(
            (day(52)..day(56)).contains(&costs[0].0),
            "{mode}: {costs:?}"
        );
        assert!(
            debt(&left, day(60)).to_f64() < 0.01,
            "{mode}: {}",
            debt(&left, day(60))
        );
        assert_eq!(left.halted, None, "{mode}");
    }
}
