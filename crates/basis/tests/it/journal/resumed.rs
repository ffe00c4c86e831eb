//! Every mode, cut off at commits all over the run and resumed by another start.

use std::sync::Arc;

use basis::assembly::{Backtest, Setup};
use basis::core::event::Event;
use basis::core::ledger::EntryKind;
use basis::core::types::Span;
use basis::data::synthetic::{SyntheticSpec, synthetic};
use basis::engine::{EngineJournal, JournalSync, RunResult};
use basis::live::memory::MemoryJournal;
use basis::market::MarketData;

use super::in_memory;
use super::shown::{assert_same, shown};
use crate::scripted;

fn market() -> Arc<MarketData> {
    Arc::new(synthetic(&SyntheticSpec::default()))
}

fn setup(mode: &str, sets: &[&str], days: i64) -> Setup {
    let from = SyntheticSpec::default().start;
    let to = from.plus(Span::from_hours(24 * days));
    scripted::setup(mode, sets, (from, to))
}

/// Runs, or goes on from what `journal` holds; `None` when the journal was cut off.
fn run(
    (data, setup): (&Arc<MarketData>, &Setup),
    journal: &MemoryJournal,
    sync: JournalSync,
) -> Option<RunResult> {
    let engine_journal = EngineJournal {
        journal: Box::new(journal.clone()),
        epoch: journal.begin_start(setup.run().from, 0, "test").unwrap(),
        sync,
    };
    let mut backtest = Backtest::journaled(Arc::clone(data), setup, Some(engine_journal)).unwrap();
    let recovered = backtest.recover(journal);
    match recovered.and_then(|_| backtest.run_here(&mut |_| {})) {
        Ok(result) => Some(result),
        Err(e) => {
            assert!(e.message.contains("told to fail here"), "{e}");
            None
        }
    }
}

/// Cuts a run off after commits all over it, wherever something is sent among them, and goes on.
fn goes_on_from_any_commit(mode: &str, sets: &[&str], days: i64) -> RunResult {
    let data = market();
    let setup = setup(mode, sets, days);
    let whole = in_memory();
    let result = run((&data, &setup), &whole, JournalSync::Step).unwrap();
    let plain = Backtest::run(Arc::clone(&data), &setup).unwrap();
    let expected = shown(&result);
    assert_same(&shown(&plain), &expected, "without a journal");
    let commits = whole.commits().unwrap();
    let sends = |at: usize| {
        commits
            .get(at)
            .is_some_and(|commit| !commit.instructions.is_empty())
    };
    let places = |at: &usize| sends(*at) || sends(at.wrapping_sub(1)) || at % 37 == 5;
    let places: Vec<_> = (0..commits.len()).filter(places).collect();
    assert!(
        places.len() > 5,
        "{} places of {}",
        places.len(),
        commits.len()
    );
    for at in places {
        let journal = whole.killed_after(at + 1).unwrap();
        let resumed = run((&data, &setup), &journal, JournalSync::Step).unwrap();
        assert_same(&expected, &shown(&resumed), &format!("after commit {at}"));
    }
    result
}

#[test]
fn btc_basis_goes_on() {
    goes_on_from_any_commit("btc_basis", &[], 4);
}

#[test]
fn eth_basis_with_flows_goes_on() {
    let flows = [
        "deposits=[{at: 2024-01-02T00:00:00Z, amount: 20000}]",
        "withdrawals=[{at: 2024-01-03T00:00:00Z, amount: 10000}, {at: 2024-01-03T06:00:00Z, amount: 500000}]",
    ];
    let result = goes_on_from_any_commit("eth_basis", &flows, 5);
    assert_eq!(result.refused_withdrawals.len(), 1);
}

#[test]
fn pure_lending_goes_on() {
    let flows = ["withdrawals=[{at: 2024-01-03T00:00:00Z, amount: 30000}]"];
    goes_on_from_any_commit("pure_lending", &flows, 5);
}

#[test]
fn eth_staking_only_with_a_queue_goes_on() {
    let flows = ["withdrawals=[{at: 2024-01-02T00:00:00Z, amount: 5}]"];
    let result = goes_on_from_any_commit("eth_staking_only", &flows, 12);
    let mut kinds = result.ledger.iter().map(|line| line.kind);
    assert!(
        kinds.any(|kind| kind == EntryKind::Withdrawal),
        "it was paid"
    );
}

#[test]
fn eth_leveraged_goes_on() {
    let flows = ["withdrawals=[{at: 2024-01-03T00:00:00Z, amount: 5}]"];
    goes_on_from_any_commit("eth_leveraged", &flows, 5);
}

#[test]
fn usdt_market_neutral_no_leverage_goes_on() {
    let flows = ["withdrawals=[{at: 2024-01-03T00:00:00Z, amount: 30000}]"];
    goes_on_from_any_commit("usdt_market_neutral_no_leverage", &flows, 5);
}

#[test]
fn usdt_market_neutral_goes_on() {
    goes_on_from_any_commit("usdt_market_neutral", &[], 5);
}

#[test]
fn transfers_that_fail_and_orders_at_the_next_open_go_on() {
    let sets = [
        "fill_at=next_open",
        "venue_settings.binance.transfer_failures=[{nth: 1, stage: returned}]",
    ];
    let result = goes_on_from_any_commit("btc_basis", &sets, 4);
    let mut log = result.events.iter();
    let came_back = |event: &Event| format!("{:?}", event.data).contains("transfer_returned");
    assert!(log.any(came_back), "a transfer came back");
}

#[test]
fn a_liquidated_book_goes_on() {
    let sets = [
        "shocks=[\"BTC +60% at 2024-01-03T00:00Z over 2h\"]",
        "hedge_leverage=3",
        "risk.distance_halt=0",
        "risk.distance_deleverage=0",
        "risk.distance_top_up=0",
        "risk.distance_reduce_only=0",
        "risk.distance_warn=0",
    ];
    let result = goes_on_from_any_commit("btc_basis", &sets, 4);
    assert!(result.counts.liquidations > 0);
}

#[test]
fn a_journal_of_days_goes_on_from_its_last_day() {
    let data = market();
    let setup = setup("usdt_market_neutral", &[], 5);
    let whole = in_memory();
    let expected = shown(&run((&data, &setup), &whole, JournalSync::Day).unwrap());
    assert_eq!(
        whole.commits().unwrap().len(),
        7,
        "the first step, five midnights and the end"
    );
    for at in 0..whole.commits().unwrap().len() {
        let journal = whole.killed_after(at + 1).unwrap();
        let resumed = run((&data, &setup), &journal, JournalSync::Day).unwrap();
        assert_same(&expected, &shown(&resumed), &format!("after commit {at}"));
    }
}

#[test]
fn killed_again_while_recovering_it_goes_on_all_the_same() {
    let data = market();
    let setup = setup("usdt_market_neutral", &[], 3);
    let whole = in_memory();
    let expected = shown(&run((&data, &setup), &whole, JournalSync::Step).unwrap());
    // One commit a start: every start is killed before its second commit.
    let mut journal = in_memory();
    for start in 0.. {
        assert!(start < 10_000, "it never ends");
        journal.fail_after(1).unwrap();
        if let Some(result) = run((&data, &setup), &journal, JournalSync::Step) {
            assert!(start > 50, "{start} starts");
            return assert_same(&expected, &shown(&result), "killed at every commit");
        }
        let count = journal.commits().unwrap().len();
        journal = journal.killed_after(count).unwrap();
    }
}

#[test]
fn a_quiet_market_is_traded_in_by_no_start() {
    let data = market();
    let setup = setup(
        "btc_basis",
        &["utilization_band=0.9", "equity_deviation=0.9"],
        4,
    );
    let whole = in_memory();
    run((&data, &setup), &whole, JournalSync::Step).unwrap();
    let commits = whole.commits().unwrap();
    let entered = commits
        .iter()
        .rposition(|commit| !commit.instructions.is_empty());
    let entered = entered.unwrap();
    assert!(
        entered + 40 < commits.len(),
        "{entered} of {}",
        commits.len()
    );
    for at in [entered + 2, entered + 20, commits.len() - 1] {
        let journal = whole.killed_after(at + 1).unwrap();
        run((&data, &setup), &journal, JournalSync::Step).unwrap();
        let own = journal.commits().unwrap();
        let sent = own
            .iter()
            .skip(at + 1)
            .map(|commit| commit.instructions.len());
        assert_eq!(sent.sum::<usize>(), 0, "after commit {at}");
    }
}
