//! Blocks that go wrong, cut off at every commit: unwinding, completing, cancelling, unknown outcomes,
//! venues that cannot be read, an operator's commands.

use basis::core::plan::FailurePolicy;
use basis::core::types::{Side, Span, Timestamp};
use basis::engine::wake::Command;

use super::in_memory;
use super::shown::{assert_same, shown};
use crate::tight_loop::{FLAT, compensate, compensate_within, hedged, pair, plans};
use crate::world::{ALPHA, BETA, START, World, hour, order};

/// Runs a world whole, then cuts it off after each of its commits and goes on.
fn goes_on(world: impl Fn() -> World) {
    goes_on_until(Timestamp::MAX, world);
}

/// The same for commits before an instant.
fn goes_on_until(end: Timestamp, world: impl Fn() -> World) {
    let whole = in_memory();
    whole.begin_start(START, 0, "test").unwrap();
    let outcome = World {
        journal: Some(Box::new(whole.clone())),
        ..world()
    }
    .run();
    let expected = shown(&outcome.result.unwrap());
    let plain = world().run();
    assert_same(
        &shown(&plain.result.unwrap()),
        &expected,
        "without a journal",
    );
    let commits = whole.commits().unwrap();
    let places = commits.iter().take_while(|commit| commit.at < end);
    let places = places.count();
    assert!(places > 5, "{places} of {}", commits.len());
    for at in 0..places {
        let journal = whole.killed_after(at + 1).unwrap();
        let outcome = World {
            journal: Some(Box::new(journal.clone())),
            earlier: Some((Box::new(journal), 1)),
            ..world()
        }
        .run();
        let resumed = shown(&outcome.result.unwrap());
        assert_same(
            &expected,
            &resumed,
            &format!("after commit {at} of {}", commits.len()),
        );
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
