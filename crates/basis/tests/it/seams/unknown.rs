//! Orders whose outcome nobody knows: unknown is no verdict, blocks its venue alone, and ends in one.

use basis::core::error::Code;
use basis::core::plan::{FailurePolicy, Plan};
use basis::core::types::{Side, Timestamp};

use crate::tight_loop::{FLAT, PERP, PERP_BACK, SPOT, after_funding, compensate, pair, plans};
use crate::world::{
    ALPHA, BETA, Outcome, World, errors, has_no_residual, hour, lines, order, plan, states,
};

/// One more order, alone.
fn more(
    at: i64,
    venue: basis::core::types::Venue,
    side: Side,
    quantity: &str,
) -> (Timestamp, Plan) {
    let blocks = vec![vec![order(venue, side, quantity)]];
    (hour(at), plan(blocks, FailurePolicy::Halt))
}

/// The pair at three; at five and seven more for alpha, at six for beta.
fn run(settings: &'static str, policy: FailurePolicy) -> Outcome {
    let mut plans = plans(vec![pair()], policy);
    plans.push(more(5, ALPHA, Side::Buy, "0.005"));
    plans.push(more(6, BETA, Side::Sell, "0.006"));
    plans.push(more(7, ALPHA, Side::Buy, "0.007"));
    let outcome = World {
        closes: FLAT.to_vec(),
        settings,
        plans,
        ..World::default()
    }
    .run();
    let result = outcome.result.as_ref().unwrap();
    assert!(has_no_residual(result));
    assert_eq!(result.counts.steps, 8);
    outcome
}

fn sent(outcome: &Outcome, venue: &str) -> usize {
    let sent = format!("{venue} sent");
    let asked = outcome.trace.iter();
    asked.filter(|line| line.starts_with(&sent)).count()
}

/// What 0.006 more sold at beta and 0.007 more bought at alpha leave.
const AT_SIX: [&str; 2] = [
    "beta.main beta:perp:BTCUSDT -0.006 -360.6 trade",
    "beta.main USDT -0.1803 -0.1803 fee",
];
const AT_SEVEN: [&str; 3] = [
    "alpha.main BTC 0.007 420 trade",
    "alpha.main USDT -420 -420 trade",
    "alpha.main USDT -0.42 -0.42 fee",
];

#[test]
fn an_answer_that_cannot_be_read_is_an_unknown_outcome() {
    let outcome = run(
        "{ wallet: {}, alpha: { answers: ['buy 1: garbled'] }, beta: {} }",
        FailurePolicy::Halt,
    );
    // Nothing more goes to alpha, whether or not it took the order; beta goes on.
    assert_eq!(sent(&outcome, "alpha"), 1);
    let result = outcome.result.unwrap();
    assert_eq!(lines(&result), after_funding(&[&PERP, &AT_SIX]));
    assert_eq!(
        states(&result, "waits_for_venue"),
        ["test: the outcome of instruction 1714521600-3 at alpha is unknown"; 2]
    );
}

#[test]
fn a_garbled_order_that_filled_is_booked_once_and_opens_its_venue() {
    let outcome = run(
        "{ wallet: {}, alpha: { answers: ['buy 1: garbled; 150min fills; 160min again'] }, beta: {} }",
        FailurePolicy::Halt,
    );
    assert_eq!(sent(&outcome, "alpha"), 2);
    let result = outcome.result.unwrap();
    let expected = after_funding(&[&PERP, &SPOT, &AT_SIX, &AT_SEVEN]);
    assert_eq!(lines(&result), expected);
    assert_eq!(errors(&result, Code::VenueEventInvalid), [""; 0]);
}

#[test]
fn siblings_of_an_unknown_leg_are_unwound_and_its_late_fill_is_booked_once() {
    let outcome = run(
        "
wallet: {}
alpha: { answers: ['buy 1: unknown; 150min fills; 160min again'] }
beta: { answer_seconds: 0 }",
        compensate(),
    );
    let result = outcome.result.unwrap();
    // The perp filled at three and is bought back a minute later.
    let expected = after_funding(&[&PERP, &PERP_BACK, &SPOT, &AT_SIX, &AT_SEVEN]);
    assert_eq!(lines(&result), expected);
    let back = result
        .ledger
        .iter()
        .find(|line| line.instruction.is_some_and(|id| id.counter() == 5));
    let after = back.unwrap().at.since(hour(3)).seconds();
    assert_eq!(after, 60);
    assert_eq!(errors(&result, Code::NakedDelta), [""; 0]);
    assert_eq!(outcome.completed[1..2], [false], "the plan did not trade");
}

#[test]
fn an_unknown_leg_that_was_never_accepted_opens_its_venue() {
    let outcome = run(
        "{ wallet: {}, alpha: { answers: ['buy 1: unknown; 150min lost'] }, beta: {} }",
        compensate(),
    );
    let result = outcome.result.unwrap();
    let expected = after_funding(&[&PERP, &PERP_BACK, &AT_SIX, &AT_SEVEN]);
    assert_eq!(lines(&result), expected);
}

#[test]
fn an_outcome_that_stays_unknown_blocks_its_venue_to_the_end() {
    let outcome = run(
        "{ wallet: {}, alpha: { answers: ['buy 1: unknown'] }, beta: {} }",
        compensate(),
    );
    assert_eq!(sent(&outcome, "alpha"), 1);
    let result = outcome.result.unwrap();
    let expected = after_funding(&[&PERP, &PERP_BACK, &AT_SIX]);
    assert_eq!(lines(&result), expected);
    assert_eq!(result.halted, None);
}

#[test]
fn an_unknown_leg_that_answers_in_time_is_no_failure() {
    let outcome = run(
        "{ wallet: {}, alpha: { answers: ['buy 1: unknown; 30s fills'] }, beta: {} }",
        compensate(),
    );
    let result = outcome.result.unwrap();
    assert_eq!(lines(&result)[11..16], after_funding(&[&PERP, &SPOT])[11..]);
    assert_eq!(result.counts.rejections, 0);
}
