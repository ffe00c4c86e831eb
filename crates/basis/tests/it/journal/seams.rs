//! Blocks that go wrong, cut off at every commit: unwinding, completing, cancelling, unknown outcomes,
//! venues that cannot be read, an operator's commands.

use std::collections::BTreeMap;

use basis::core::plan::FailurePolicy;
use basis::core::types::{InstructionId, Side, Span, Timestamp};
use basis::engine::RunResult;
use basis::engine::wake::Command;

use super::kept::Kept;
use crate::tight_loop::{FLAT, compensate, compensate_within, hedged, pair, plans};
use crate::world::{ALPHA, BETA, World, hour, order};

/// Ledger lines, step figures and counts, instruction numbers replaced by their order of use.
fn shown(result: &RunResult) -> Vec<String> {
    let mut ids: Vec<InstructionId> = result
        .ledger
        .iter()
        .filter_map(|line| line.instruction)
        .collect();
    ids.extend(result.executions.iter().map(|row| row.instruction));
    ids.sort_unstable();
    ids.dedup();
    let order: BTreeMap<_, _> = ids.into_iter().zip(1..).collect();
    let mut lines = Vec::new();
    for line in &result.ledger {
        lines.push(format!(
            "{} {} {} {} {} {:?} {:?}",
            line.at,
            line.account,
            line.item,
            line.quantity,
            line.value,
            line.kind,
            line.instruction.map(|id| order[&id]),
        ));
    }
    for row in &result.executions {
        let (id, action, status) = (order[&row.instruction], &row.action, &row.status);
        lines.push(format!(
            "{id} {} {} {action} {status}",
            row.venue, row.operation
        ));
    }
    let steps = &result.steps;
    for at in 0..steps.at.len() {
        let (equity, delta, parked) = (steps.equity_usd[at], steps.net_delta[at], steps.parked[at]);
        lines.push(format!("{} {equity} {delta} {parked}", steps.at[at]));
    }
    lines.push(format!("{:?} {:?}", result.counts, result.halted));
    lines
}

/// Runs a world whole, then cuts it off after each of its commits and goes on.
fn goes_on(world: impl Fn() -> World) {
    goes_on_until(Timestamp::MAX, world);
}

/// The same for commits before an instant.
fn goes_on_until(end: Timestamp, world: impl Fn() -> World) {
    let whole = Kept::default();
    let outcome = World {
        journal: Some(Box::new(whole.clone())),
        ..world()
    }
    .run();
    let expected = shown(&outcome.result.unwrap());
    let plain = world().run();
    assert_eq!(shown(&plain.result.unwrap()), expected, "without a journal");
    let commits = whole.commits();
    let places = commits.iter().take_while(|commit| commit.at < end);
    let places = places.count();
    assert!(places > 5, "{places} of {}", commits.len());
    for at in 0..places {
        let journal = whole.first(at + 1);
        let outcome = World {
            journal: Some(Box::new(journal.clone())),
            earlier: Some((Box::new(journal), 1)),
            ..world()
        }
        .run();
        let resumed = shown(&outcome.result.unwrap());
        assert_eq!(resumed, expected, "after commit {at} of {}", whole.len());
    }
}

fn pair_world(settings: &'static str, policy: FailurePolicy) -> World {
    World {
        closes: FLAT.to_vec(),
        settings,
        plans: plans(vec![pair()], policy),
        ..World::default()
    }
}

#[test]
fn an_unwinding_block_goes_on() {
    goes_on(|| {
        let settings = "{ wallet: {}, alpha: { answer_seconds: 3 }, beta: { answer_seconds: 5, answers: \
                        ['sell 1: refused'] } }";
        pair_world(settings, compensate_within(Span::from_minutes(30)))
    });
}

#[test]
fn a_revoked_key_goes_on() {
    goes_on(|| {
        pair_world(
            "{ wallet: {}, alpha: { answers: ['buy 1: revoked'] }, beta: {} }",
            compensate(),
        )
    });
}

#[test]
fn an_unknown_outcome_goes_on() {
    goes_on(|| {
        pair_world(
            "{ wallet: {}, alpha: { answers: ['buy 1: unknown'] }, beta: {} }",
            compensate(),
        )
    });
}

#[test]
fn a_slow_hedge_and_the_next_block_go_on() {
    goes_on(|| World {
        closes: FLAT.to_vec(),
        settings: "{ wallet: {}, alpha: { answer_seconds: 3 }, beta: { answer_seconds: 5 } }",
        plans: plans(
            vec![
                hedged(),
                vec![order(BETA, Side::Sell, "0.25")],
                vec![order(ALPHA, Side::Buy, "0.25")],
            ],
            compensate_within(Span::from_minutes(30)),
        ),
        ..World::default()
    });
}

#[test]
fn an_operator_s_kill_goes_on() {
    // Later the operator would only ask for it again.
    goes_on_until(hour(4), || World {
        closes: FLAT.to_vec(),
        settings: "{ wallet: {}, alpha: { answer_seconds: 3 }, beta: { answer_seconds: 5 } }",
        plans: plans(vec![hedged()], FailurePolicy::Continue),
        commands: vec![(hour(4), Command::Kill { flatten: false })],
        ..World::default()
    });
}
