//! Size: entries cut to the volume, what leaving costs, and what is refused because it does not fit.

#![expect(
    clippy::unwrap_used,
    reason = "helpers of tests: a failure is a failed test"
)]

use std::sync::Arc;

use basis::assembly::Backtest;
use basis::core::error::{Code, ComponentError};
use basis::core::event::EventData;
use basis::core::num::{Quantity, Rate, Rounding, Value};
use basis::core::plan::Leg;
use basis::core::types::{InstrumentKey, InstrumentKind, Side, Span, Symbol, Timestamp, Venue};
use basis::data::synthetic::{SyntheticSpec, synthetic};
use basis::engine::RunResult;
use basis::market::MarketData;

use crate::runner::{Scratch, backtest};
use crate::scripted::{self, Script, setup};

const BTC: Symbol = Symbol::literal("BTCUSDT");

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

/// The error of a run that does not start.
fn refused(mode: &str, sets: &[&str]) -> ComponentError {
    let setup = setup(mode, sets, (hour(0), hour(240)));
    Backtest::run(market(10), &setup).unwrap_err()
}

#[test]
fn capital_that_cannot_enter_in_time_is_refused_with_what_can() {
    let sets = ["initial_capital=3000000000", "hedge_leverage=0.5"];
    let e = refused("btc_basis", &sets);
    assert_eq!(e.code, Code::StrategyInfeasible, "{e}");
    for words in [
        "entry_time_max_hours 72",
        "max_participation 0.05",
        "enters in time",
    ] {
        assert!(e.message.contains(words), "{e}");
    }
    // A bound of the user's own decides.
    let e = refused(
        "btc_basis",
        &["initial_capital=60000000", "entry_time_max_hours=2"],
    );
    assert!(e.message.contains("entry_time_max_hours 2"), "{e}");
}

#[test]
fn a_position_above_the_last_margin_tier_is_refused_at_the_start() {
    let sets = [
        "initial_capital=400000000",
        "hedge_allocation={ binance: 0, bybit: 1, okx: 0 }",
        "entry_time_max_hours=8760",
    ];
    let e = refused("btc_basis", &sets);
    assert!(
        e.message.contains("above the venue's last margin tier"),
        "{e}"
    );
}

/// 1.5 × the top-up rung of .30: the largest leverage that starts is 2.19 at the first tier of .4 %.
#[test]
fn a_short_that_would_start_too_near_to_liquidation_is_refused() {
    let words = [
        "hedge_leverage makes the short in binance:perp:BTCUSDT 2.3 times its margin",
        "a rise of 0.42",
        "it takes 0.45 at least, 1.5 x risk.distance_top_up 0.3",
        "At most 2.19 times its margin starts: lower hedge_leverage or risk.distance_top_up",
    ];
    for command in [
        "check btc_basis",
        "backtest btc_basis --to 2024-01-03 --json",
    ] {
        let done = Scratch::new().basis(&format!("{command} --set hedge_leverage=2.3"));
        done.fails(2, &["STRAT-001"]);
        done.fails(2, &words);
    }
    // The tier of the account's own size decides.
    let near = ["hedge_leverage=2.1", "entry_time_max_hours=8760"];
    let small = [&near[..], &["initial_capital=100000"]].concat();
    let setup = setup("btc_basis", &small, (hour(0), hour(24)));
    Backtest::run(market(1), &setup).unwrap();
    let large = [&near[..], &["initial_capital=400000000"]].concat();
    let e = refused("btc_basis", &large);
    assert!(e.message.contains("2.1 times its margin"), "{e}");
    // A stake hedged with less margin than that is refused by the key that decides about it.
    let e = refused(
        "usdt_market_neutral_no_leverage",
        &["stake_allocation_eth=0.7", "hedge_leverage=5"],
    );
    assert!(
        e.message.contains("stake_allocation_eth makes the short"),
        "{e}"
    );
    let sets = [
        "hedge_leverage=5",
        "risk.distance_top_up=0.1",
        "risk.distance_deleverage=0.1",
    ];
    let setup = scripted::setup("btc_basis", &sets, (hour(0), hour(24)));
    Backtest::run(market(1), &setup).unwrap();
}

#[test]
fn capital_too_small_to_be_invested_is_refused_in_every_mode() {
    for (mode, capital) in [
        ("btc_basis", "20"),
        ("eth_basis", "20"),
        ("pure_lending", "100"),
        ("eth_staking_only", "0.1"),
        ("eth_leveraged", "0.1"),
        ("usdt_market_neutral", "20"),
        ("usdt_market_neutral_no_leverage", "20"),
    ] {
        let e = refused(mode, &[&format!("initial_capital={capital}")]);
        assert_eq!(e.code, Code::CapitalTooSmall, "{mode}: {e}");
        assert!(e.message.contains(capital), "{mode}: {e}");
    }
}

#[test]
fn a_share_class_without_a_network_is_refused_at_the_start() {
    // An Ethereum address cannot send bitcoin.
    let class = "--set share_class=BTC --set initial_capital=1";
    for command in [
        "check btc_basis",
        "backtest btc_basis --to 2024-01-03 --json",
    ] {
        let done = Scratch::new().basis(&format!("{command} {class}"));
        done.fails(2, &["STRAT-001", "wallet sends no BTC"]);
    }
}

/// A book that was wanted and never held fails the run; one that stood aside by its own rule does not.
#[test]
fn a_book_that_is_never_held_fails_the_run_and_one_that_stands_aside_counts_its_steps() {
    let scratch = Scratch::new();
    let dates = "backtest btc_basis --to 2024-01-05 --json";
    // Nothing can be bought: no order fits a bar any more.
    let none = "--set venue_settings.binance.max_participation=0.0000001";
    let done = scratch.basis(&format!("{dates} {none} --set entry_time_max_hours=8760"));
    assert_ne!(done.code, 0, "{done:?}");
    // No carry is worth a round trip within an hour.
    let aside = "--set expected_carry.horizon_hours=1 --set expected_carry.lookback_hours=8";
    let summary = scratch.basis(&format!("{dates} {aside}")).json();
    assert!(
        summary["counts"]["stood_aside_steps"].as_u64().unwrap() > 50,
        "{summary}"
    );
    assert_eq!(summary["never_held"], serde_json::Value::Null);
    assert_eq!(summary["counts"]["fills"], 0);
}

/// An order that a venue refuses for good is not repeated for months: the strategy stops with the venue's
/// own reason. One that is refused for want of volume, which time cures, does not stop it.
#[test]
fn refusals_of_one_permanent_kind_in_a_row_stop_the_strategy() {
    let perp = InstrumentKey::new(Venue::literal("binance"), InstrumentKind::Perp, BTC);
    let stops = |quantity: &str, sets: &[&str]| {
        let leg = || Leg::market(perp, Side::Sell, quantity.parse().unwrap(), false);
        let plans = (1..100).map(|at| (hour(at), scripted::plan(vec![leg()])));
        let setup = setup("btc_basis", sets, (hour(0), hour(10 * 24)));
        let series = setup.required_series().unwrap();
        let script = Script(plans.collect());
        let engine = scripted::engine(&setup, (market(10), &series), script);
        let result = engine.run(&mut |_| {}).unwrap();
        assert!(result.counts.rejections >= 6, "{:?}", result.counts);
        (result.halted, result.counts.rejections)
    };
    let (halted, rejections) = stops("0.0000001", &[]);
    let why = halted.unwrap();
    assert!(
        why.contains("6 refusals in a row") && why.contains("quantity"),
        "{why}"
    );
    assert_eq!(rejections, 6);
    let thin = "venue_settings.binance.max_participation=0.0000001";
    assert_eq!(stops("0.01", &[thin]).0, None, "volume may come");
}
