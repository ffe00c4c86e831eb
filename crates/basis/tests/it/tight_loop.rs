//! The engine with venues that are not ours: late answers, late fills, refused legs, a journal.

use std::sync::{Arc, Mutex};

use basis::core::error::Code;
use basis::core::journal::{Commit, Journal, JournalError};
use basis::core::plan::{FailurePolicy, Leg, Plan};
use basis::core::types::{Side, Span, Timestamp};
use basis::core::venue_event::EventKind;

use crate::world::{
    ALPHA, BETA, Outcome, World, errors, has_no_residual, hour, lines, order, plan, q, send, states,
};

pub(crate) const FLAT: [(&str, &str); 8] = [("60000", "60100"); 8];

/// Hour 1: fund both venues. Hour 3 (the wallet's transfers take 15 minutes): trade.
pub(crate) fn plans(blocks: Vec<Vec<Leg>>, policy: FailurePolicy) -> Vec<(Timestamp, Plan)> {
    let fund = plan(
        vec![vec![send("200000", ALPHA), send("100000", BETA)]],
        FailurePolicy::Halt,
    );
    vec![(hour(1), fund), (hour(3), plan(blocks, policy))]
}

/// What funding leaves in the ledger before any trade.
fn funding_lines() -> Vec<String> {
    [
        "wallet.main USDT 1000000 1000000 deposit",
        "wallet.main USDT -200000 -200000 transfer",
        "wallet.main USDT -10 -10 transfer_cost",
        "in_flight.main USDT 200000 200000 transfer",
        "wallet.main USDT -100000 -100000 transfer",
        "wallet.main USDT -10 -10 transfer_cost",
        "in_flight.main USDT 100000 100000 transfer",
        "in_flight.main USDT -200000 -200000 transfer",
        "alpha.main USDT 200000 200000 transfer",
        "in_flight.main USDT -100000 -100000 transfer",
        "beta.main USDT 100000 100000 transfer",
    ]
    .map(str::to_owned)
    .to_vec()
}

pub(crate) const SPOT: [&str; 3] = [
    "alpha.main BTC 1 60000 trade",
    "alpha.main USDT -60000 -60000 trade",
    "alpha.main USDT -60 -60 fee",
];
pub(crate) const SPOT_BACK: [&str; 3] = [
    "alpha.main BTC -1 -60000 trade",
    "alpha.main USDT 60000 60000 trade",
    "alpha.main USDT -60 -60 fee",
];
pub(crate) const PERP: [&str; 2] = [
    "beta.main beta:perp:BTCUSDT -1.5 -90150 trade",
    "beta.main USDT -45.075 -45.075 fee",
];
pub(crate) const PERP_BACK: [&str; 2] = [
    "beta.main beta:perp:BTCUSDT 1.5 90150 trade",
    "beta.main USDT -45.075 -45.075 fee",
];
const NEXT: [&str; 2] = [
    "beta.main beta:perp:BTCUSDT -0.25 -15025 trade",
    "beta.main USDT -7.5125 -7.5125 fee",
];

pub(crate) fn compensate() -> FailurePolicy {
    compensate_within(Span::from_minutes(1))
}

pub(crate) fn compensate_within(naked_time_max: Span) -> FailurePolicy {
    FailurePolicy::Compensate {
        naked_delta_max: q("0.001"),
        naked_time_max,
    }
}

/// A spot buy of 1 hedged by a perp sale of 1.5.
pub(crate) fn pair() -> Vec<Leg> {
    vec![order(ALPHA, Side::Buy, "1"), order(BETA, Side::Sell, "1.5")]
}

fn refused(settings: &'static str, policy: FailurePolicy) -> Vec<String> {
    let next = vec![order(BETA, Side::Sell, "0.25")];
    let world = World {
        closes: FLAT.to_vec(),
        settings,
        plans: plans(vec![pair(), next], policy),
        ..World::default()
    };
    let result = world.run().result.unwrap();
    assert_eq!(errors(&result, Code::LegFailed).len(), 1);
    assert!(has_no_residual(&result));
    lines(&result)
}

pub(crate) fn after_funding(parts: &[&[&str]]) -> Vec<String> {
    let mut expected = funding_lines();
    expected.extend(
        parts
            .iter()
            .flat_map(|part| part.iter().map(|line| (*line).to_owned())),
    );
    expected
}

const SPOT_REFUSED: &str = "{ wallet: {}, alpha: { answers: ['buy 1: refused'] }, beta: {} }";
const PERP_REFUSED: &str = "{ wallet: {}, alpha: {}, beta: { answers: ['sell 1.5: refused'] } }";

#[test]
fn halt_keeps_what_filled_and_drops_the_rest_of_the_plan() {
    assert_eq!(
        refused(SPOT_REFUSED, FailurePolicy::Halt),
        after_funding(&[&PERP])
    );
    assert_eq!(
        refused(PERP_REFUSED, FailurePolicy::Halt),
        after_funding(&[&SPOT])
    );
}

#[test]
fn continue_keeps_what_filled_and_goes_on_with_the_next_block() {
    assert_eq!(
        refused(SPOT_REFUSED, FailurePolicy::Continue),
        after_funding(&[&PERP, &NEXT])
    );
    assert_eq!(
        refused(PERP_REFUSED, FailurePolicy::Continue),
        after_funding(&[&SPOT, &NEXT])
    );
}

#[test]
fn compensate_unwinds_the_legs_that_filled() {
    assert_eq!(
        refused(SPOT_REFUSED, compensate()),
        after_funding(&[&PERP, &PERP_BACK])
    );
    assert_eq!(
        refused(PERP_REFUSED, compensate()),
        after_funding(&[&SPOT, &SPOT_BACK])
    );
}

#[test]
fn open_delta_beyond_its_bound_is_reported_and_the_run_goes_on() {
    // What unwinds the perp is refused as well, so 1.5 stay open.
    let world = World {
        closes: FLAT.to_vec(),
        settings: "
wallet: {}
alpha: { answers: ['buy 1: refused'] }
beta: { answers: ['buy 1.5: refused'] }",
        plans: plans(vec![pair()], compensate()),
        ..World::default()
    };
    let result = world.run().result.unwrap();
    assert_eq!(lines(&result), after_funding(&[&PERP]));
    let open = errors(&result, Code::NakedDelta);
    assert_eq!(open.len(), 1, "{open:?}");
    assert!(open[0].contains("left -1.5 base units open"), "{open:?}");
    // What would not close is asked of nobody again: a person looks at it.
    let halted = errors(&result, Code::VenueHalted);
    assert!(halted[0].starts_with("beta is halted"), "{halted:?}");
    assert_eq!(result.counts.steps, 8);
}

#[test]
fn delta_open_for_longer_than_its_bound_is_reported_when_it_is_closed_late() {
    // Known at 3:01:10, to be closed by 3:02:10, and closed only at 3:02:20.
    let world = World {
        closes: FLAT.to_vec(),
        settings: "
wallet: {}
alpha: { answers: ['buy 1: refused'] }
beta: { answer_seconds: 70 }",
        plans: plans(vec![pair()], compensate()),
        ..World::default()
    };
    let result = world.run().result.unwrap();
    let open = errors(&result, Code::NakedDelta);
    assert_eq!(open.len(), 1, "{open:?}");
    assert!(errors(&result, Code::VenueHalted)[0].starts_with("beta is halted"));
    // The fill that closes comes all the same, and is booked.
    assert_eq!(lines(&result), after_funding(&[&PERP, &PERP_BACK]));
}

#[test]
fn legs_overlap_late_fills_and_own_funding_reach_the_books() {
    let world = World {
        closes: vec![
            ("60000", "60100"),
            ("60000", "60100"),
            ("60000", "60100"),
            ("61000", "61200"),
            ("61000", "61200"),
        ],
        settings: "
wallet: {}
alpha: { answer_seconds: 3 }
beta:
  funding_rate: 0.0001
  answers: ['sell 1: 5s fills 0.5; 1h fills 0.5 of 40min']",
        plans: plans(vec![hedged()], compensate_within(Span::from_hours(2))),
        ..World::default()
    };
    let outcome = world.run();
    let result = outcome.result.unwrap();
    // Both were sent before either answered, and the faster answered first.
    let expected = [
        "alpha sent 3",
        "beta sent 4",
        "alpha answered 3",
        "beta answered 4",
        "beta answered 4",
    ];
    assert_eq!(outcome.trace, expected);
    let mut ledger = after_funding(&[&SPOT]);
    ledger.extend(
        [
            // Half at once: 0.5 × 60,100 and its fee.
            "beta.main beta:perp:BTCUSDT -0.5 -30050 trade",
            "beta.main USDT -15.025 -15.025 fee",
            // At half past three, on the position of 0.5 at the mark the view shows at four.
            "beta.main USDT 3.06 3.06 funding",
            // The other half, twenty to four, at 61,200.
            "beta.main beta:perp:BTCUSDT -0.5 -30600 trade",
            "beta.main USDT -15.3 -15.3 fee",
            // Half past four, on the whole position.
            "beta.main USDT 6.12 6.12 funding",
        ]
        .map(str::to_owned),
    );
    assert_eq!(lines(&result), ledger);
    assert_eq!(result.counts.fills, 3);
    assert!(has_no_residual(&result));
    // 1 BTC from 60,000 to 61,000, short half from 60,100 and half from 61,200, funding, fees.
    let equity = "1000000 - 20 + 1000 - 0.5 * 1100 + 9.18 - 60 - 15.025 - 15.3";
    let expected = q("1000348.855");
    assert_eq!(
        result.steps.equity_usd.last().unwrap().get(),
        expected.get(),
        "{equity}"
    );
}

/// A spot buy of 1 and a perp sale of 1.
pub(crate) fn hedged() -> Vec<Leg> {
    vec![order(ALPHA, Side::Buy, "1"), order(BETA, Side::Sell, "1")]
}

#[test]
fn two_overlapping_legs_take_as_long_as_the_slower_one() {
    let next = vec![order(BETA, Side::Sell, "0.25")];
    let world = World {
        closes: FLAT[..4].to_vec(),
        settings: "{ wallet: {}, alpha: { answer_seconds: 3 }, beta: { answer_seconds: 5 } }",
        plans: plans(vec![hedged(), next], compensate()),
        ..World::default()
    };
    let outcome = world.run();
    let result = outcome.result.unwrap();
    // The next block leaves when both have answered.
    let sent: Vec<_> = result
        .executions
        .iter()
        .filter(|row| row.action == "entry_full" && row.venue != basis::core::types::Venue::WALLET)
        .map(|row| (row.instruction.counter(), row.at.since(hour(3))))
        .collect();
    let at_once = Span::from_seconds(0);
    let expected = [(3, at_once), (4, at_once), (5, Span::from_seconds(5))];
    assert_eq!(sent, expected);
    let fills: Vec<_> = result
        .executions
        .iter()
        .filter(|row| row.fill.is_some())
        .map(|row| (row.instruction.counter(), row.at.since(hour(3)).seconds()))
        .collect();
    assert_eq!(fills, [(3, 3), (4, 5), (5, 10)]);
}

#[test]
fn venues_that_are_heard_at_steps_alone_leave_the_same_ledger() {
    let run = |steps_alone| {
        let world = World {
            closes: FLAT.to_vec(),
            settings: "{ wallet: {}, alpha: { answer_seconds: 3 }, beta: { answer_seconds: 5 } }",
            plans: plans(vec![hedged()], compensate()),
            steps_alone,
            ..World::default()
        };
        let outcome = world.run();
        let result = outcome.result.unwrap();
        assert_eq!(result.counts.fills, 2);
        assert_eq!(states(&result, "plan_parked").len(), 1);
        (lines(&result), result.ledger, outcome.completed)
    };
    let (virtual_time, steps_alone) = (run(false), run(true));
    assert_eq!(virtual_time.0.len(), 11 + 3 + 2);
    assert_eq!(virtual_time, steps_alone);
}

/// A journal that only remembers the order of things.
#[derive(Debug, Default)]
struct Remembering {
    lines: Arc<Mutex<Vec<String>>>,
    /// Refuses to write down instructions from this number on.
    full_at: Option<u32>,
}

impl Journal for Remembering {
    fn commit(&mut self, commit: &Commit) -> Result<(), JournalError> {
        let events = commit.events.iter().map(|taken| &taken.event);
        let words = events.map(|event| match (&event.kind, event.key()) {
            (EventKind::OutcomeUnknown { instruction, .. }, _) => {
                format!("{} unknown", instruction.counter())
            }
            (EventKind::Order(update), _) => {
                format!("{} {}", update.instruction.counter(), update.state.as_str())
            }
            (_, Some(key)) => key.to_string(),
            (kind, None) => format!("{kind:?}"),
        });
        let line = words.collect::<Vec<_>>().join(", ");
        let mut lines = self.lines.lock().unwrap();
        if !line.is_empty() {
            lines.push(line);
        }
        let ids = commit.instructions.iter();
        let ids: Vec<_> = ids.map(|open| open.instruction.id.counter()).collect();
        if self
            .full_at
            .is_some_and(|full| ids.iter().any(|id| *id >= full))
        {
            let (path, problem) = ("book.journal".into(), "disk full".to_owned());
            return Err(JournalError::Storage { path, problem });
        }
        if !ids.is_empty() {
            lines.push(format!("submit {ids:?}"));
        }
        Ok(())
    }
}

fn journaled(settings: &'static str, full_at: Option<u32>) -> (Outcome, Vec<String>) {
    let lines: Arc<Mutex<Vec<String>>> = Arc::default();
    let journal = Remembering {
        lines: Arc::clone(&lines),
        full_at,
    };
    let mut plans = plans(vec![hedged()], FailurePolicy::Halt);
    let more = plan(
        vec![vec![order(ALPHA, Side::Buy, "2")]],
        FailurePolicy::Halt,
    );
    plans.push((hour(6), more));
    let world = World {
        closes: FLAT.to_vec(),
        settings,
        plans,
        journal: Some(Box::new(journal)),
        ..World::default()
    };
    let outcome = world.run();
    let lines = lines.lock().unwrap().clone();
    (outcome, lines)
}

#[test]
fn nothing_is_sent_unless_the_instructions_are_written() {
    let (outcome, _) = journaled("{ wallet: {}, alpha: {}, beta: {} }", Some(3));
    let e = outcome.result.unwrap_err();
    assert_eq!(e.code, Code::JournalFailed);
    assert!(e.message.contains("disk full"), "{}", e.message);
    assert_eq!(outcome.trace, [""; 0], "no venue was asked anything");
}

#[test]
fn what_comes_of_a_block_is_journaled_in_order() {
    let (outcome, journal) = journaled(
        "{ wallet: {}, alpha: { answer_seconds: 3 }, beta: {} }",
        None,
    );
    outcome.result.unwrap();
    assert_eq!(
        journal,
        [
            "capital_flow:2024-05-01T01:00:00Z:0",
            "submit [1, 2]",
            "transfer:1-1:sent, transfer:1-2:sent",
            "transfer:1-1:credited, transfer:1-2:credited",
            "submit [3, 4]",
            // Beta answers first.
            "fill:beta.main:beta:perp:BTCUSDT:beta-1:sell, 4 filled",
            "fill:alpha.main:alpha:spot:BTCUSDT:alpha-1:buy, 3 filled",
            "submit [5]",
            "fill:alpha.main:alpha:spot:BTCUSDT:alpha-2:buy, 5 filled",
        ]
    );
}

#[test]
fn an_unknown_outcome_blocks_its_venue_and_is_never_sent_again() {
    let (outcome, journal) = journaled(
        "{ wallet: {}, alpha: { answers: ['buy 1: unknown'] }, beta: {} }",
        None,
    );
    assert_eq!(
        journal[4..],
        [
            "submit [3, 4]".to_owned(),
            "3 unknown, fill:beta.main:beta:perp:BTCUSDT:beta-1:sell, 4 filled".to_owned(),
        ]
    );
    let result = outcome.result.unwrap();
    assert_eq!(
        outcome
            .trace
            .iter()
            .filter(|l| *l == "alpha sent 3")
            .count(),
        1
    );
    // The plan of hour six is for the same venue, and waits.
    assert!(!outcome.trace.iter().any(|line| line == "alpha sent 5"));
    let waits = states(&result, "waits_for_venue");
    let why = "test: the outcome of instruction 1-3 at alpha is unknown";
    assert_eq!(waits, [why]);
}
