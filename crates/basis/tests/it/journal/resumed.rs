//! Every mode, cut off at commits all over the run and resumed in another one.

use std::collections::BTreeMap;
use std::sync::Arc;

use basis::assembly::{Backtest, Setup};
use basis::core::types::{Epoch, InstructionId, Span};
use basis::data::synthetic::{SyntheticSpec, synthetic};
use basis::engine::{EngineJournal, JournalSync, RunResult};
use basis::market::MarketData;

use super::kept::Kept;
use crate::scripted;

const MODES: [&str; 7] = [
    "btc_basis",
    "eth_basis",
    "pure_lending",
    "eth_staking_only",
    "eth_leveraged",
    "usdt_market_neutral_no_leverage",
    "usdt_market_neutral",
];

fn market() -> Arc<MarketData> {
    Arc::new(synthetic(&SyntheticSpec::default()))
}

fn setup(mode: &str, days: i64) -> Setup {
    let from = SyntheticSpec::default().start;
    let to = from.plus(Span::from_hours(24 * days));
    scripted::setup(mode, &[], (from, to))
}

/// Runs, or goes on from what `journal` holds; `None` when the journal was cut off.
fn run(
    (data, setup): (&Arc<MarketData>, &Setup),
    journal: &Kept,
    (start, sync): (u32, JournalSync),
) -> Option<RunResult> {
    let from = u32::try_from(setup.run().from.seconds()).unwrap();
    let epoch = Epoch::new(from + start, 0);
    let engine_journal = EngineJournal {
        journal: Box::new(journal.clone()),
        epoch,
        sync,
    };
    let mut backtest = Backtest::journaled(Arc::clone(data), setup, Some(engine_journal)).unwrap();
    let recovered = backtest.recover(journal);
    match recovered.and_then(|_| backtest.run_here(&mut |_| {})) {
        Ok(result) => Some(result),
        Err(e) => {
            assert!(e.message.contains("cut off"), "{e}");
            None
        }
    }
}

/// Every text of a result in which instruction numbers are replaced by their order of use.
fn shown(result: &RunResult) -> Vec<String> {
    let mut order: BTreeMap<InstructionId, usize> = BTreeMap::new();
    let mut ids: Vec<_> = result
        .executions
        .iter()
        .map(|row| row.instruction)
        .collect();
    ids.extend(result.ledger.iter().filter_map(|line| line.instruction));
    ids.sort_unstable();
    ids.dedup();
    for (place, id) in ids.into_iter().enumerate() {
        order.insert(id, place + 1);
    }
    let renamed = |text: String| {
        let mut text = text;
        // The longest first, so that none is a part of another.
        let mut texts: Vec<_> = order
            .iter()
            .map(|(id, place)| (id.to_string(), place))
            .collect();
        texts.sort_by_key(|(id, _)| std::cmp::Reverse(id.len()));
        for (id, place) in texts {
            if text.contains(&id) {
                text = text.replace(&id, &format!("#{place}"));
            }
        }
        text
    };
    let mut lines = Vec::new();
    let ledger = result.ledger.iter().map(|line| {
        let instruction = line
            .instruction
            .map(|id| id.to_string())
            .unwrap_or_default();
        format!(
            "{} {} {} {} {} {} {:?} {} {instruction} {}",
            line.at,
            line.account,
            line.item,
            line.quantity,
            line.units,
            line.value,
            line.kind,
            line.reference_price,
            line.cause,
        )
    });
    lines.extend(ledger.map(renamed));
    let steps = &result.steps;
    for at in 0..steps.at.len() {
        lines.push(format!(
            "{} {} {} {:?} {} {}",
            steps.at[at],
            steps.equity_usd[at],
            steps.net_delta[at],
            steps.attribution[at],
            steps.ledger_rows[at],
            steps.parked[at],
        ));
        lines.push(format!("{:?}", steps.risk.rows_of(at)));
    }
    for column in &steps.margins {
        lines.push(format!("{column:?}"));
    }
    lines.extend(result.executions.iter().map(|row| {
        renamed(format!(
            "{} {} {} {} {}",
            row.instruction, row.operation, row.action, row.status, row.at
        ))
    }));
    lines.push(format!("{:?}", result.counts));
    lines.push(format!("{:?}", result.statistics));
    lines.push(format!(
        "{:?} {:?}",
        result.attribution, result.share_attribution
    ));
    lines.push(format!("{:?}", result.risk));
    lines.push(format!("{:?}", result.health));
    lines
}

fn assert_same(whole: &[String], resumed: &[String], what: &str) {
    for (at, (one, other)) in whole.iter().zip(resumed).enumerate() {
        assert_eq!(one, other, "{what}: line {at}");
    }
    assert_eq!(whole.len(), resumed.len(), "{what}");
}

#[test]
fn every_mode_goes_on_from_any_commit_to_the_same_ledger() {
    let data = market();
    for mode in MODES {
        let setup = setup(mode, 12);
        let whole = Kept::default();
        let result = run((&data, &setup), &whole, (0, JournalSync::Step)).unwrap();
        let plain = Backtest::run(Arc::clone(&data), &setup);
        let expected = shown(&result);
        assert_same(
            &shown(&plain.unwrap()),
            &expected,
            &format!("{mode} without a journal"),
        );
        let commits = whole.commits();
        // Wherever something is sent, and here and there in between.
        let sends = |at: &usize| !commits[*at].instructions.is_empty();
        let places = (0..commits.len())
            .filter(|at| sends(at) || sends(&at.saturating_sub(1)) || at % 37 == 5);
        for at in places {
            let journal = whole.first(at + 1);
            let resumed = run((&data, &setup), &journal, (1, JournalSync::Step)).unwrap();
            assert_same(
                &expected,
                &shown(&resumed),
                &format!("{mode} after commit {at}"),
            );
        }
    }
}
