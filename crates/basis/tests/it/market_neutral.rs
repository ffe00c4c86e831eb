//! The hedged stakes, `usdt_market_neutral` and `usdt_market_neutral_no_leverage`, on the synthetic market and
//! on the recorded one.

#![expect(
    clippy::unwrap_used,
    clippy::print_stderr,
    reason = "helpers of tests: a failure is a failed test, and a skip must be loud"
)]

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use basis::assembly::{Backtest, Setup};
use basis::config::environment::Environment;
use basis::config::layers::{self, Request};
use basis::core::error::{Code, ComponentError};
use basis::core::event::EventData;
use basis::core::ledger::EntryKind;
use basis::core::num::{Quantity, Rate, Rounding, Value};
use basis::core::types::{InstrumentKind, Item, Span, Timestamp, Venue};
use basis::data::synthetic::{SyntheticSpec, synthetic};
use basis::data::{LoadRequest, load};
use basis::engine::RunResult;
use basis::market::MarketData;
use basis::venues::registry::Registry;

use crate::runner::usual_sets;
use proptest::prelude::*;

const LEVERED: &str = "usdt_market_neutral";
const PLAIN: &str = "usdt_market_neutral_no_leverage";
const BOTH: [&str; 2] = [LEVERED, PLAIN];
const BARS: usize = 24 * 90;

fn start() -> Timestamp {
    SyntheticSpec::default().start
}

fn setup(mode: &str, sets: &[&str]) -> Result<Setup, ComponentError> {
    let registry = Registry::builtin();
    let usual = usual_sets(mode, sets);
    let sets = usual.iter().chain(sets);
    let sets: Vec<String> = sets.map(|&set| set.to_owned()).collect();
    let request = Request {
        mode,
        sets: &sets,
        ..Request::default()
    };
    let environment = Environment::from_pairs(BTreeMap::new(), &registry);
    Ok(layers::resolve(&request, &environment, &registry)?.setup)
}

fn try_run(mode: &str, sets: &[&str]) -> Result<RunResult, ComponentError> {
    try_run_over(BARS, mode, sets)
}

fn try_run_over(bars: usize, mode: &str, sets: &[&str]) -> Result<RunResult, ComponentError> {
    let data = Arc::new(synthetic(&SyntheticSpec {
        bars,
        ..SyntheticSpec::default()
    }));
    let to = start().plus(Span::from_hours(i64::try_from(bars).unwrap()));
    let setup = setup(mode, sets)?.with_range(start(), to);
    Backtest::run(data, &setup)
}

fn run(mode: &str, sets: &[&str]) -> RunResult {
    let result = try_run(mode, sets).unwrap();
    assert_explained(&result);
    result
}

fn assert_explained(result: &RunResult) {
    let rounding = Value::literal("0.000000001");
    let steps = &result.steps.attribution;
    let worst = steps.iter().map(|step| step.residual.abs().unwrap()).max();
    assert!(worst.unwrap() <= rounding, "{worst:?}");
}

/// The sum of the perps at every step, shorts below zero.
fn perps(result: &RunResult) -> Vec<Quantity> {
    let mut lines = result.ledger.iter().peekable();
    let mut held = Quantity::ZERO;
    let rows = result.steps.ledger_rows.iter().scan(0, |before, &rows| {
        let new = rows - *before;
        *before = rows;
        Some(new)
    });
    rows.map(|new| {
        for line in lines.by_ref().take(new as usize) {
            let of_perp =
                matches!(line.item, Item::Position(key) if key.kind == InstrumentKind::Perp);
            if of_perp && line.kind == EntryKind::Trade {
                held = held.add(line.quantity).unwrap();
            }
        }
        held
    })
    .collect()
}

/// Net delta of every step within the tolerance of 0.5 % of the larger side, or too small to trade;
/// `except` says of which steps nothing is asked.
fn assert_hedged(result: &RunResult, except: impl Fn(Timestamp) -> bool) {
    let tolerance = Rate::literal("0.005");
    // Under 100 USDT nothing is traded when nothing is short.
    let smallest = Quantity::literal("0.1");
    let steps = result.steps.at.iter().zip(&result.steps.net_delta);
    for ((at, net), perps) in steps.zip(perps(result)) {
        let short = perps.neg().unwrap();
        let larger = short.max(short.add(*net).unwrap());
        let most = larger.at_rate(tolerance, Rounding::Ceil).unwrap();
        let most = most.max(smallest);
        assert!(
            net.abs().unwrap() <= most || except(*at),
            "{net} against {short} at {at}"
        );
    }
}

fn assert_quiet(result: &RunResult) {
    assert_eq!(result.halted, None);
    assert_eq!(result.counts.liquidations, 0);
}

#[test]
fn a_hedged_stake_is_delta_neutral_at_every_step_and_earns_its_yield() {
    for mode in BOTH {
        let result = run(mode, &[]);
        assert_quiet(&result);
        assert_hedged(&result, |_| false);
        let sum = &result.attribution;
        assert!(sum.staking_yield.is_positive(), "{mode}: {sum:?}");
        assert!(sum.funding.is_positive(), "{mode}");
        assert!(sum.gas.is_negative(), "{mode}");
        assert_eq!(sum.borrow_cost.is_negative(), mode == LEVERED);
    }
}

#[test]
fn an_entry_funds_then_hedges_the_purchase_in_one_block_then_stakes() {
    for mode in BOTH {
        let result = run(mode, &[]);
        let first = |operation: &str| {
            let at = |row: &basis::engine::result::ExecutionRow| row.operation == operation;
            result.executions.iter().position(at).unwrap()
        };
        let stake = if mode == LEVERED { "atomic" } else { "stake" };
        let (funded, bought, short) = (first("transfer"), first("spot_trade"), first("perp_trade"));
        assert!(
            funded < bought && bought < short && short < first(stake),
            "{mode}"
        );
        let bought = &result.executions[bought];
        let entry: Vec<_> = result
            .executions
            .iter()
            .filter(|row| row.at == bought.at && row.fill.is_some())
            .collect();
        assert_eq!(entry.len(), 4, "spot and three perps");
        assert!(entry.iter().all(|row| row.action == "entry_full"));
    }
}

#[test]
fn half_of_the_capital_is_staked_the_gas_beside_it_and_the_rest_is_margin() {
    for (mode, gas) in [(LEVERED, "0.2"), (PLAIN, "0.05")] {
        let result = run(mode, &["stake_allocation_eth=0.4"]);
        let entry = result
            .executions
            .iter()
            .find(|row| row.fill.is_some())
            .unwrap()
            .at;
        let at = result
            .steps
            .at
            .iter()
            .position(|step| *step == entry)
            .unwrap();
        let price = result.steps.reference[at];
        // C = 100,000 less the reserve of 5 %, 0.4 of it staked.
        let staked = Value::literal("38000").per(price, Rounding::Floor).unwrap();
        let wanted = staked.add(gas.parse().unwrap()).unwrap();
        let short = perps(&result)[at].neg().unwrap();
        let off = short.sub(wanted).unwrap().abs().unwrap();
        let band = wanted
            .at_rate(Rate::literal("0.005"), Rounding::Ceil)
            .unwrap();
        assert!(off <= band, "{mode}: {short} for {wanted}");
        let margin = result
            .steps
            .margins
            .iter()
            .try_fold(Value::ZERO, |sum, account| {
                sum.add(account.margin_balance[at])
            });
        let margin = margin.unwrap();
        let expected = Value::literal("56000")..Value::literal("57200");
        assert!(expected.contains(&margin), "{mode}: {margin}");
    }
}

#[test]
fn a_loop_is_entered_changed_and_left_only_by_groups() {
    let result = run(LEVERED, &[]);
    let alone = [
        "supply", "borrow", "repay", "withdraw", "stake", "unstake", "swap",
    ];
    let at_protocols = |operation| alone.contains(&operation);
    assert!(
        !result
            .executions
            .iter()
            .any(|row| at_protocols(&row.operation))
    );
    let groups = result
        .executions
        .iter()
        .filter(|row| row.operation == "atomic");
    assert!(groups.count() >= 2, "entered, and changed as ETH moved");
}

#[test]
fn deposits_are_staked_and_withdrawals_paid_in_full() {
    let hours = |hours| start().plus(Span::from_hours(hours));
    let (first, second) = (hours(500), hours(1_000));
    let deposit = format!("deposits=[{{ at: {first}, amount: 50000 }}]");
    let withdrawal = format!("withdrawals=[{{ at: {second}, amount: 60000 }}]");
    for mode in BOTH {
        let result = run(
            mode,
            &[&deposit, &withdrawal, "exit_route=market"][..if mode == LEVERED { 2 } else { 3 }],
        );
        assert_quiet(&result);
        assert_hedged(&result, |_| false);
        let paid = result
            .ledger
            .iter()
            .filter(|line| line.kind == EntryKind::Withdrawal);
        let paid: Vec<_> = paid.collect();
        assert_eq!(paid.len(), 1, "{mode}");
        assert_eq!(paid[0].quantity, Quantity::literal("-60000"));
        assert!(paid[0].at <= hours(1_000 + 48), "{mode}: {}", paid[0].at);
    }
}

#[test]
fn a_halt_leaves_the_loop_and_every_short_without_opening_the_delta() {
    // Each cut is followed by a move that leaves the account at the last rung.
    let rungs = [
        "risk.distance_warn=0.62",
        "risk.distance_reduce_only=0.6",
        "risk.distance_top_up=0.6",
        "risk.distance_deleverage=0.6",
        "risk.distance_halt=0.6",
        "utilization_band=1",
        "margin_deviation_threshold=1",
        "shocks=['ETH +60% at 2024-02-03T00:00Z over 8h']",
    ];
    for mode in BOTH {
        let sets: Vec<_> = rungs
            .iter()
            .copied()
            .chain((mode == PLAIN).then_some("exit_route=market"))
            .collect();
        let result = run(mode, &sets);
        assert!(result.halted.is_some(), "{mode} reaches the rung");
        assert_eq!(perps(&result).last(), Some(&Quantity::ZERO), "{mode}");
        // What is left is gas; while it goes, delta stays within a hundredth of the equity.
        let last = result.steps.net_delta.last().unwrap();
        assert!(*last <= Quantity::literal("0.35"), "{mode}: {last}");
        assert_hedged(&result, |at| at >= halted_at(&result));
        let naked = result.steps.net_delta.iter().max().unwrap();
        assert!(*naked <= Quantity::literal("0.5"), "{mode}: {naked}");
    }
}

/// The first step of which the log says that it was halted.
fn halted_at(result: &RunResult) -> Timestamp {
    let halted = result.events.iter().find(
        |event| matches!(&event.data, EventData::StateUpdate { state, .. } if *state == "halted"),
    );
    halted.unwrap().at
}

/// When risk cut something.
fn cuts(result: &RunResult) -> Vec<Timestamp> {
    let cuts = result.events.iter().filter(
        |event| matches!(&event.data, EventData::Plan { reason, .. } if *reason == "deleverage"),
    );
    cuts.map(|event| event.at).collect()
}

#[test]
fn risk_shrinks_the_loop_when_its_oracle_falls_and_its_shorts_follow() {
    let result = run(
        LEVERED,
        &[
            // A small cut: what its sale loses is within the tolerance.
            "risk.health_factor_warn=1.02",
            "shocks=['oracle weETH -4% at 2024-02-03T00:00Z for 48h']",
        ],
    );
    assert!(!cuts(&result).is_empty());
    assert_quiet(&result);
    assert_hedged(&result, |_| false);
}

#[test]
fn risk_cuts_a_short_with_the_stake_that_it_hedged() {
    let margin = [
        "risk.distance_warn=0.75",
        "risk.distance_reduce_only=0.7",
        "risk.distance_top_up=0.65",
        "risk.distance_deleverage=0.65",
        "shocks=['ETH +30% at 2024-02-03T00:00Z over 2h']",
    ];
    for mode in BOTH {
        let result = run(mode, &margin);
        let cut = cuts(&result);
        assert!(!cut.is_empty(), "{mode}");
        assert_quiet(&result);
        let hours = Span::from_hours(6);
        assert_hedged(&result, |at| {
            cut.iter().any(|cut| at >= *cut && at <= cut.plus(hours))
        });
    }
}

#[test]
fn jumps_and_outages_liquidate_nothing_and_leave_the_book_hedged() {
    let at = "2024-02-03T00:00Z";
    let shocks = [
        format!("'ETH -20% at {at} over 1h'"),
        format!("'ETH +40% at {at} over 3h'"),
        format!("'ETH +40% at {at} over 3h','outage bybit at {at} for 24h'"),
        format!("'ETH +40% at {at} over 3h','market weETH -5% at {at} for 48h'"),
        format!("'ETH +40% at {at} over 3h','gas x20 at {at} for 48h'"),
    ];
    for mode in BOTH {
        for shock in &shocks {
            let shocks = format!("shocks=[{shock}]");
            let result = run(mode, &[&shocks, "data.gaps=hold"]);
            assert_quiet(&result);
            let pauses = paused(&result);
            let day = Span::from_hours(24);
            assert_hedged(&result, |at| {
                pauses
                    .iter()
                    .any(|paused| at >= *paused && at <= paused.plus(day))
            });
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    /// A debug build asks the whole book at every step at which the quick look found nothing to do.
    #[test]
    fn prop_the_quick_look_agrees_with_the_whole_book(
        levered: bool,
        capital in 10_000..3_000_000_i64,
        (reserve, staked) in (0..30_u32, 20..50_u32),
        (band, margin_band, tolerance) in (1..40_u32, 1..80_u32, 1..20_u32),
        (leverage, minutes, dust) in (10..25_u32, 0..3_000_u32, 1..300_u32),
        (jump, hour) in (-35..60_i32, 100..500_i64),
    ) {
        prop_assume!(cfg!(debug_assertions));
        let mode = if levered { LEVERED } else { PLAIN };
        let at = start().plus(Span::from_hours(hour));
        let sets = [
            format!("initial_capital={capital}"),
            format!("reserve_ratio=0.{reserve:02}"),
            format!("stake_allocation_eth=0.{staked:02}"),
            format!("utilization_band=0.{band:02}"),
            format!("margin_deviation_threshold=0.{margin_band:02}"),
            format!("delta_tolerance=0.{tolerance:03}"),
            format!("hedge_leverage={}.{}", leverage / 10, leverage % 10),
            format!("rebalance_min_interval_minutes={minutes}"),
            format!("dust_threshold={dust}"),
            format!("shocks=['ETH {jump:+}% at {at} over 5h']"),
        ];
        let sets: Vec<&str> = sets.iter().map(String::as_str).collect();
        match try_run_over(24 * 25, mode, &sets) {
            Ok(result) => assert_explained(&result),
            Err(e) => prop_assert!(
                matches!(e.code, Code::CapitalTooSmall | Code::StrategyInfeasible),
                "{e}"
            ),
        }
    }
}

#[test]
fn nearly_everything_can_be_withdrawn() {
    let due = start().plus(Span::from_hours(500));
    for mode in BOTH {
        let withdrawal = format!("withdrawals=[{{ at: {due}, amount: 90000 }}]");
        let result = run(mode, &[&withdrawal]);
        assert_quiet(&result);
        assert_eq!(result.refused_withdrawals, []);
        let paid = result
            .ledger
            .iter()
            .find(|line| line.kind == EntryKind::Withdrawal);
        let paid = paid.unwrap_or_else(|| panic!("{mode} pays"));
        // The queue takes a week.
        assert!(
            paid.at <= due.plus(Span::from_hours(24 * 9)),
            "{mode}: {}",
            paid.at
        );
    }
}

#[test]
fn what_cannot_be_hedged_or_borrowed_is_refused_at_the_start() {
    let refused = |mode, sets: &[&str], expected: &str| {
        let e = try_run(mode, sets).unwrap_err().to_string();
        assert!(e.contains(expected), "{e}");
    };
    for mode in BOTH {
        refused(
            mode,
            &["stake_allocation_eth=0.61"],
            "at hedge_leverage 1.5 at most 0.6 of the capital can be hedged",
        );
        refused(mode, &["stake_allocation_eth=0"], "nothing would be staked");
        refused(mode, &["share_class=ETH"], "capital in a stablecoin");
        refused(
            mode,
            &["hedge_leverage=2", "initial_capital=40"],
            "below its smallest order",
        );
    }
    refused(LEVERED, &["max_ltv=0.94"], "max_ltv 0.94 is above 0.93");
    refused(
        LEVERED,
        &[
            "target_ltv=0.919",
            "risk.health_factor_deleverage=1.04",
            "risk.health_factor_reduce_only=1.05",
            "risk.health_factor_warn=1.06",
        ],
        "not above risk.health_factor_deleverage",
    );
}

/// The recorded data, when it is there.
fn recorded(setup: &Setup) -> Option<Arc<MarketData>> {
    let beside = || Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared");
    let shared = std::env::var_os("BASIS_SHARED_DIR").map_or_else(beside, PathBuf::from);
    let data = shared.join("data");
    if !data.is_dir() {
        eprintln!("SKIPPED: no recorded data in {}", data.display());
        return None;
    }
    let request = LoadRequest {
        ids: setup.wanted_series().unwrap(),
        volume_multipliers: BTreeMap::new(),
        price_units: BTreeMap::new(),
    };
    Some(load(&data, &request, &|_| {}).unwrap().data)
}

#[test]
fn a_recorded_year_stays_hedged_outside_gaps_and_is_explained() {
    let day = |text: &str| text.parse::<Timestamp>().unwrap();
    let (from, to) = (day("2024-05-14T00:00:00Z"), day("2025-05-31T00:00:00Z"));
    for mode in BOTH {
        let sets = [
            "data.gaps=hold",
            "data.proxies.perp.okx.ETHUSDT=perp.bybit.ETHUSDT",
            "data.proxies.funding.okx.ETHUSDT=funding.bybit.ETHUSDT",
        ];
        let setup = setup(mode, &sets).unwrap();
        let Some(data) = recorded(&setup) else { return };
        let setup = setup.with_range(from, to);
        let result = Backtest::run(data, &setup).unwrap();
        assert_explained(&result);
        assert_quiet(&result);
        // After a refused swap the engine lets the strategy rest, and with it the mending.
        let pauses: Vec<_> = paused(&result);
        let binance = Venue::literal("binance");
        let gaps = result
            .coverage
            .iter()
            .filter(|row| row.series.venue == binance);
        let gaps: Vec<_> = gaps.flat_map(|row| &row.gaps).collect();
        let day = Span::from_hours(24);
        assert_hedged(&result, |at| {
            gaps.iter()
                .any(|gap| at >= gap.first && at <= gap.last.plus(day))
                || pauses
                    .iter()
                    .any(|paused| at >= *paused && at <= paused.plus(day))
        });
        let sum = &result.attribution;
        assert!(sum.staking_yield.is_positive() && sum.funding.is_positive());
        assert!(sum.rewards.is_positive(), "{mode}");
    }
}

/// When the engine let the strategy rest after a refusal.
fn paused(result: &RunResult) -> Vec<Timestamp> {
    let rests = result.events.iter().filter(
        |event| matches!(&event.data, EventData::StateUpdate { state, .. } if *state == "strategy_paused"),
    );
    rests.map(|event| event.at).collect()
}
