//! Repetition, delay and interleaving of events: whatever way what was reported once reaches the books,
//! they end alike.
//!
//! Runs are recorded as their journal sees them, and the events are posted again to empty books over the
//! same market: as they came, which gives the run's ledger byte for byte; again and again, which changes no
//! byte; late, interleaved and shuffled, which ends in the same causes, holdings, cash plus open
//! cost, equity and states. What a delayed line is valued at is the marks' of the wake that posts it, and may
//! differ.

#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::print_stderr,
    reason = "helpers of tests: a failure is a failed test, and a skip must be loud"
)]

mod machine;
mod recording;
mod states;
mod story;

use std::collections::BTreeSet;

use basis::core::venue_event::{EventKey, EventKind, VenueEvent};
use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};

use self::machine::{Turns, as_recorded, deliver, disturbance, disturbed, repetition};
use self::recording::{Recording, echoed, over_recorded_data, recorded};

/// Cases of each property for each run.
const CASES: u32 = 32;

/// Most disturbances of one case.
const DISTURBANCES_MAX: usize = 40;

/// Checks everything of one run.
fn assert_holds(run: &Recording) {
    assert!(!run.ledger.is_empty());
    assert_posts_again_as_it_was(run);
    assert_survives_json(run);
    let (_, ends) = deliver(run, &as_recorded(run)).unwrap();
    // What is never delivered is missed.
    let mut short = as_recorded(run);
    short.retain(|delivery| run.events[delivery.event].key() != Some(last_key(run)));
    assert_ne!(deliver(run, &short).unwrap().1, ends, "{}", run.name);

    let repeated = prop::collection::vec(repetition(), 1..DISTURBANCES_MAX);
    check(run, &repeated, |repeated| {
        let deliveries = disturbed(run, &repeated, Turns::Kept);
        let (books, found) = deliver(run, &deliveries)?;
        prop_assert!(books.ledger() == run.ledger, "{}: other lines", run.name);
        prop_assert!(found == ends, "{}: {found:?}\n{ends:?}", run.name);
        Ok(())
    });

    let interleaved = (
        prop::collection::vec(repetition(), 0..DISTURBANCES_MAX),
        any::<u64>(),
    );
    check(run, &interleaved, |(repeated, seed)| {
        for turns in [Turns::Interleaved(seed), Turns::Shuffled(seed)] {
            let (books, found) = deliver(run, &disturbed(run, &repeated, turns))?;
            // Within a wake the marks stand still: the lines are the same, in another order.
            let mut lines = books.ledger().to_vec();
            let mut own = run.ledger.clone();
            lines.sort_by(|a, b| a.cause.cmp(&b.cause));
            own.sort_by(|a, b| a.cause.cmp(&b.cause));
            prop_assert!(lines == own, "{}: other lines", run.name);
            prop_assert!(found == ends, "{}: {found:?}\n{ends:?}", run.name);
        }
        Ok(())
    });

    let late = (
        prop::collection::vec(disturbance(), 1..DISTURBANCES_MAX),
        any::<u64>(),
    );
    check(run, &late, |(disturbances, seed)| {
        for turns in [Turns::Kept, Turns::Interleaved(seed), Turns::Shuffled(seed)] {
            let (_, found) = deliver(run, &disturbed(run, &disturbances, turns))?;
            prop_assert!(found == ends, "{}: {found:?}\n{ends:?}", run.name);
        }
        Ok(())
    });
}

/// The name of the event behind the last line.
fn last_key(run: &Recording) -> EventKey {
    run.ledger[run.ledger.len() - 1]
        .cause
        .event
        .as_ref()
        .clone()
}

fn check<S: Strategy>(
    run: &Recording,
    strategy: &S,
    property: impl Fn(S::Value) -> Result<(), TestCaseError>,
) {
    let config = Config {
        cases: CASES,
        max_shrink_iters: 200,
        failure_persistence: None,
        ..Config::default()
    };
    let outcome = TestRunner::new(config).run(strategy, property);
    if let Err(e) = outcome {
        panic!("{}: {e}", run.name);
    }
}

/// The recorded events at their wakes give the ledger of the run, byte for byte.
fn assert_posts_again_as_it_was(run: &Recording) {
    let (books, _) = deliver(run, &as_recorded(run)).unwrap();
    let bytes = |lines| format!("{lines:?}");
    for (own, again) in run.ledger.iter().zip(books.ledger()) {
        assert_eq!(bytes(own), bytes(again), "{}", run.name);
    }
    assert_eq!(run.ledger, books.ledger(), "{}", run.name);
}

/// What is written as JSON is read as it was, and so is its name.
fn assert_survives_json(run: &Recording) {
    for event in &run.events {
        let text = serde_json::to_string(event).unwrap();
        let read: VenueEvent = serde_json::from_str(&text).unwrap();
        assert_eq!(*event, read, "{text}");
        let (key, read) = (event.key(), read.key());
        assert_eq!(key, read, "{text}");
        let text = serde_json::to_string(&key).unwrap();
        let read: Option<EventKey> = serde_json::from_str(&text).unwrap();
        assert_eq!(key, read, "{text}");
    }
}

/// The sorts of events of a run.
fn sorts(run: &Recording) -> BTreeSet<&'static str> {
    run.events.iter().map(sort).collect()
}

fn sort(event: &VenueEvent) -> &'static str {
    match &event.kind {
        EventKind::Order(update) => update.state.as_str(),
        EventKind::Fill(_) => "fill",
        EventKind::Rejected { .. } => "rejected",
        EventKind::Transaction(update) if update.waits => "waiting transaction",
        EventKind::Transaction(_) => "transaction",
        EventKind::Transfer(update) => update.stage.as_str(),
        EventKind::Funding(_) => "funding",
        EventKind::FundingMissing(_) => "funding missing",
        EventKind::Accrual(_) => "accrual",
        EventKind::Reward(_) => "reward",
        EventKind::Redemption(update) => update.stage.as_str(),
        EventKind::Liquidation(_) => "liquidation",
        EventKind::LendingLiquidation(_) => "lending liquidation",
        EventKind::CapitalFlow(_) => "capital flow",
        EventKind::Adoption(_) => "adoption",
        EventKind::Done { .. } => "done",
        _ => "other",
    }
}

/// Fails when a run lacks an event of one of these sorts: then it shows less than it is there for.
fn assert_has(run: &Recording, wanted: &[&str]) {
    let sorts = sorts(run);
    for wanted in wanted {
        assert!(
            sorts.contains(wanted),
            "{}: no {wanted} in {sorts:?}",
            run.name
        );
    }
}

#[test]
fn a_spot_and_perp_book_with_capital_flows() {
    let sets = [
        "deposits=[{ at: 2024-01-02T05:30:00Z, amount: 12345.678901 }]",
        "withdrawals=[{ at: 2024-01-03T00:00:00Z, amount: 60000 }, { at: 2024-01-04T00:00:00Z, amount: 900000 }]",
    ];
    let run = recorded("btc_basis", "btc_basis", &sets, 24 * 6);
    assert_has(
        &run,
        &[
            "capital flow",
            "fill",
            "funding",
            "sent",
            "credited",
            "done",
        ],
    );
    assert_holds(&run);
}

#[test]
fn a_book_that_exchanges_liquidate() {
    let sets = [
        "hedge_leverage=4",
        "risk.distance_halt=0",
        "risk.distance_deleverage=0",
        "risk.distance_top_up=0",
        "risk.distance_reduce_only=0",
        "risk.distance_warn=0",
        "risk.net_delta_halt=10",
        "shocks=['BTC +60% at 2024-01-03T00:00Z']",
    ];
    let run = recorded("liquidated", "btc_basis", &sets, 24 * 4);
    assert_has(&run, &["liquidation"]);
    assert_holds(&run);
}

#[test]
fn orders_at_the_next_open_and_transfers_that_fail() {
    let failures =
        "[{ nth: 1, stage: returned }, { nth: 2, stage: rejected }, { nth: 4, stage: returned }]";
    let fails = |venue: &str| format!("venue_settings.{venue}.transfer_failures={failures}");
    let failing = ["wallet", "binance", "bybit", "okx"].map(fails);
    let mut sets: Vec<_> = failing.iter().map(String::as_str).collect();
    sets.push("fill_at=next_open");
    let run = recorded("next_open", "btc_basis", &sets, 24 * 5);
    assert_has(
        &run,
        &["submitted", "filled", "rejected", "returned", "credited"],
    );
    assert_holds(&run);
}

#[test]
fn an_eth_basis_book() {
    assert_holds(&recorded("eth_basis", "eth_basis", &[], 24 * 4));
}

#[test]
fn a_stake_that_leaves_by_the_queue() {
    let sets = [
        "exit_route=queue",
        "venue_settings.etherfi={ queue_delay_hours: 24 }",
        "withdrawals=[{ at: 2024-01-02T00:00:00Z, amount: 60 }]",
    ];
    let run = recorded("eth_staking_only", "eth_staking_only", &sets, 24 * 9);
    assert_has(
        &run,
        &[
            "reward",
            "waiting transaction",
            "ready",
            "accrual",
            "capital flow",
        ],
    );
    assert_holds(&run);
}

#[test]
fn a_loop_that_the_pool_liquidates() {
    let sets = [
        "risk.health_factor_halt=1",
        "risk.health_factor_deleverage=1",
        "risk.health_factor_reduce_only=1",
        "risk.health_factor_warn=1",
        "shocks=['oracle weETH -8% at 2024-01-03T00:00Z for 1d']",
    ];
    let run = recorded("eth_leveraged", "eth_leveraged", &sets, 24 * 4);
    assert_has(&run, &["lending liquidation", "transaction", "accrual"]);
    assert_holds(&run);
}

#[test]
fn a_lender() {
    let sets = ["withdrawals=[{ at: 2024-01-03T00:00:00Z, amount: 20000 }]"];
    let run = recorded("pure_lending", "pure_lending", &sets, 24 * 5);
    assert_has(&run, &["capital flow", "transaction", "accrual"]);
    assert_holds(&run);
}

#[test]
fn hedged_stakes() {
    for mode in ["usdt_market_neutral", "usdt_market_neutral_no_leverage"] {
        let run = recorded(mode, mode, &[], 24 * 4);
        assert_has(&run, &["transaction", "fill", "funding", "credited"]);
        assert_holds(&run);
    }
}

#[test]
fn something_of_every_sort() {
    let run = story::everything();
    let wanted = [
        "adoption",
        "capital flow",
        "sent",
        "credited",
        "moved",
        "returned",
        "rejected",
        "done",
        "working",
        "filled",
        "cancelled",
        "fill",
        "funding",
        "funding missing",
        "transaction",
        "waiting transaction",
        "ready",
        "accrual",
        "liquidation",
        "lending liquidation",
    ];
    assert_has(&run, &wanted);
    assert_holds(&run);
}

#[test]
fn the_recorded_market() {
    let hold = "data.gaps=hold";
    let perp = "data.proxies.perp.okx.BTCUSDT=perp.bybit.BTCUSDT";
    let funding = "data.proxies.funding.okx.BTCUSDT=funding.bybit.BTCUSDT";
    let span = ("2024-06-01T00:00:00Z", "2024-06-08T00:00:00Z");
    let sets = [hold, perp, funding];
    if let Some(run) = over_recorded_data("recorded btc_basis", "btc_basis", &sets, span) {
        assert_holds(&run);
    }
    let perp = "data.proxies.perp.okx.ETHUSDT=perp.bybit.ETHUSDT";
    let funding = "data.proxies.funding.okx.ETHUSDT=funding.bybit.ETHUSDT";
    let span = ("2024-06-01T00:00:00Z", "2024-06-05T00:00:00Z");
    let mode = "usdt_market_neutral";
    if let Some(run) = over_recorded_data(mode, mode, &[hold, perp, funding], span) {
        assert_holds(&run);
    }
}

#[test]
fn venues_that_repeat_themselves_change_no_byte_of_a_run() {
    let at_the_close: &[&str] = &[];
    for (mode, sets) in [
        ("btc_basis", at_the_close),
        ("btc_basis", &["fill_at=next_open"]),
        ("eth_basis", at_the_close),
        (
            "eth_staking_only",
            &[
                "exit_route=queue",
                "withdrawals=[{ at: 2024-01-02T00:00:00Z, amount: 60 }]",
            ],
        ),
        ("eth_leveraged", at_the_close),
        ("pure_lending", at_the_close),
        ("usdt_market_neutral", &["fill_at=next_open"]),
        ("usdt_market_neutral_no_leverage", at_the_close),
    ] {
        let once = recorded(mode, mode, sets, 24 * 9);
        let again = echoed(mode, mode, sets, 24 * 9);
        assert!(again.repeated > 50, "{mode}: {}", again.repeated);
        assert!(once.ledger == again.ledger, "{mode}");
        assert!(once.executions == again.executions, "{mode}");
        assert!(once.equity == again.equity, "{mode}");
    }
}
