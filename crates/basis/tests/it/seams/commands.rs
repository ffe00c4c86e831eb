//! What an operator asks of a running engine: pause, resume, stop, kill.

use basis::core::error::Code;
use basis::core::plan::{FailurePolicy, Leg, Plan};
use basis::core::types::{Side, Span, Timestamp, Venue};
use basis::engine::wake::Command;

use crate::tight_loop::{
    FLAT, PERP, PERP_BACK, SPOT, SPOT_BACK, after_funding, compensate_within, hedged, pair, plans,
};
use crate::world::{
    ALPHA, BETA, Outcome, World, errors, has_no_residual, hour, lines, order, plan, states,
};

fn run(
    settings: &'static str,
    plans: Vec<(Timestamp, Plan)>,
    commands: Vec<(Timestamp, Command)>,
    exit: Vec<Plan>,
) -> Outcome {
    let outcome = World {
        closes: FLAT.to_vec(),
        settings,
        plans,
        exit,
        commands,
        ..World::default()
    }
    .run();
    assert!(has_no_residual(outcome.result.as_ref().unwrap()));
    outcome
}

const PROMPT: &str = "{ wallet: {}, alpha: {}, beta: {} }";

fn halting(legs: Vec<Leg>) -> Plan {
    plan(vec![legs], FailurePolicy::Halt)
}

fn half_past(number: i64) -> Timestamp {
    hour(number).plus(Span::from_minutes(30))
}

fn sent(outcome: &Outcome, venue: Venue) -> usize {
    let sent = format!("{venue} sent");
    let asked = outcome.trace.iter();
    asked.filter(|line| line.starts_with(&sent)).count()
}

#[test]
fn a_paused_strategy_is_asked_nothing_until_it_is_resumed() {
    let commands = vec![
        (half_past(2), Command::Pause),
        (half_past(5), Command::Resume),
    ];
    let legs = plans(vec![hedged()], FailurePolicy::Halt);
    let outcome = run(PROMPT, legs, commands, Vec::new());
    let result = outcome.result.unwrap();
    let fills = result.executions.iter().filter(|row| row.fill.is_some());
    let at: Vec<_> = fills.map(|row| row.at.since(hour(6)).seconds()).collect();
    assert_eq!(at, [1, 1], "what was for three is decided at six");
    assert_eq!(states(&result, "paused").len(), 1);
    assert_eq!(result.counts.steps, 8);
}

#[test]
fn a_pause_lets_the_plan_under_way_go_on() {
    let next = vec![order(BETA, Side::Sell, "0.5")];
    let commands = vec![(hour(3), Command::Pause)];
    let legs = plans(vec![pair(), next], FailurePolicy::Halt);
    let outcome = run(PROMPT, legs, commands, Vec::new());
    assert_eq!(outcome.result.unwrap().counts.fills, 3);
}

#[test]
fn a_resume_lifts_the_halts_of_venues() {
    let mut plans = plans(vec![pair()], FailurePolicy::Halt);
    plans.push((hour(5), halting(vec![order(ALPHA, Side::Buy, "2")])));
    plans.push((hour(6), halting(vec![order(ALPHA, Side::Buy, "1.5")])));
    let settings = "{ wallet: {}, alpha: { answers: ['buy 1: revoked'] }, beta: {} }";
    let commands = vec![(half_past(5), Command::Resume)];
    let outcome = run(settings, plans, commands, Vec::new());
    // Halted at three, it gets nothing at five; resumed, it trades at six.
    assert_eq!(sent(&outcome, ALPHA), 2);
    let result = outcome.result.unwrap();
    let waits = states(&result, "waits_for_venue");
    assert!(waits[0].starts_with("test: alpha is halted"), "{waits:?}");
    assert!(lines(&result).contains(&"alpha.main BTC 1.5 90000 trade".to_owned()));
}

#[test]
fn a_stop_ends_the_plan_by_its_policy_and_the_run_with_it() {
    let commands = vec![(hour(3).plus(Span::from_seconds(10)), Command::Stop)];
    let legs = plans(vec![hedged()], compensate_within(Span::from_hours(9)));
    let settings =
        "{ wallet: {}, alpha: { answer_seconds: 0 }, beta: { answers: ['sell 1: rests'] } }";
    let outcome = run(settings, legs, commands, Vec::new());
    // 5 takes the resting order back, 6 sells what was bought, and is answered at once.
    let last: Vec<_> = outcome
        .trace
        .iter()
        .filter(|l| l.contains("sent"))
        .collect();
    assert_eq!(last[2..], ["beta sent 5", "alpha sent 6"]);
    assert_eq!(outcome.completed, [false, false]);
    let result = outcome.result.unwrap();
    assert_eq!(lines(&result), after_funding(&[&SPOT, &SPOT_BACK]));
    assert_eq!(result.counts.steps, 3, "no step follows");
    assert_eq!(states(&result, "stopped").len(), 1);
}

#[test]
fn a_kill_that_holds_takes_orders_back_and_keeps_positions() {
    let mut plans = plans(vec![hedged()], FailurePolicy::Halt);
    plans.push((hour(6), halting(pair())));
    let settings = "{ wallet: {}, alpha: {}, beta: { answers: ['sell 1: rests; 8000s fills'] } }";
    let commands = vec![(half_past(4), Command::Kill { flatten: false })];
    let exit = halting(vec![order(ALPHA, Side::Sell, "1")]);
    let outcome = run(settings, plans, commands, vec![exit]);
    // The order that rested since three is taken back; nothing else is sent, at six or ever.
    let last: Vec<_> = outcome
        .trace
        .iter()
        .filter(|l| l.contains("sent"))
        .collect();
    assert_eq!(last, ["alpha sent 3", "beta sent 4", "beta sent 5"]);
    let result = outcome.result.unwrap();
    assert_eq!(lines(&result), after_funding(&[&SPOT]));
    assert_eq!(result.counts.steps, 8);
    assert!(result.halted.unwrap().ends_with("positions are held"));
}

#[test]
fn a_kill_that_flattens_closes_everything() {
    let mut plans = plans(vec![pair()], FailurePolicy::Halt);
    plans.push((hour(6), halting(pair())));
    let commands = vec![(half_past(4), Command::Kill { flatten: true })];
    let exit = halting(vec![
        order(ALPHA, Side::Sell, "1"),
        order(BETA, Side::Buy, "1.5"),
    ]);
    let outcome = run(PROMPT, plans, commands, vec![exit]);
    let result = outcome.result.unwrap();
    let expected = after_funding(&[&SPOT, &PERP, &SPOT_BACK, &PERP_BACK]);
    assert_eq!(lines(&result), expected);
    assert!(result.halted.unwrap().ends_with("positions are closed"));
    let closing = result.ledger.last().unwrap().at;
    assert_eq!(closing, half_past(4).plus(Span::from_seconds(1)), "at once");
}

#[test]
fn a_kill_applies_the_policy_of_the_plan_under_way() {
    let commands = vec![(half_past(3), Command::Kill { flatten: false })];
    let legs = plans(vec![pair()], compensate_within(Span::from_hours(9)));
    let settings = "{ wallet: {}, alpha: {}, beta: { answers: ['sell 1.5: 1s fills 0.5'] } }";
    let outcome = run(settings, legs, commands, Vec::new());
    let result = outcome.result.unwrap();
    // A third of the perp filled: a third of the spot stays, and it ends neutral to its plan.
    let expected = [
        "beta.main beta:perp:BTCUSDT -0.5 -30050 trade",
        "beta.main USDT -15.025 -15.025 fee",
        "alpha.main BTC -0.666 -39960 trade",
        "alpha.main USDT 39960 39960 trade",
        "alpha.main USDT -39.96 -39.96 fee",
    ];
    assert_eq!(lines(&result), after_funding(&[&SPOT, &expected]));
    assert_eq!(errors(&result, Code::VenueHalted), [""; 0]);
}
