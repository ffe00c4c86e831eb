//! A venue that cannot be read: it gets nothing, and is asked again with longer and longer waits.

use std::sync::{Arc, Mutex};

use basis::core::error::{Code, VenueError, VenueErrorKind};
use basis::core::event::EventData;
use basis::core::plan::FailurePolicy;
use basis::core::types::{Side, Span, Timestamp};
use basis::core::venue_event::{EventKind, Events, VenueEvent};

use crate::tight_loop::{FLAT, PERP, PERP_BACK, after_funding, compensate, hedged, pair, plans};
use crate::world::{ALPHA, BETA, Meddle, Outcome, World, errors, hour, lines, order, plan, states};

/// When the venue was asked while it could not be read.
type Asked = Arc<Mutex<Vec<Timestamp>>>;

/// Beta cannot be read for a while. What it would have said it says afterwards.
fn out(
    asked: Asked,
    error: Option<VenueErrorKind>,
    (from, until): (Timestamp, Timestamp),
) -> Meddle {
    let mut kept = Events::new();
    let mut was_out = false;
    Box::new(move |view, events, _| {
        let now = view.now();
        let is_out = from <= now && now < until;
        let event = |connected, error: Option<VenueErrorKind>| {
            let error = error.map(|kind| Box::new(VenueError::new(BETA, "poll", kind)));
            VenueEvent::new(BETA, now, now, EventKind::Connectivity { connected, error })
        };
        if is_out {
            asked.lock().unwrap().push(now);
            kept.append(events);
            kept.retain(|event| !matches!(event.kind, EventKind::Snapshot { .. }));
            events.push(event(false, error.clone()));
        } else if was_out {
            let late = kept.drain(..).map(|event| VenueEvent {
                received_at: now,
                ..event
            });
            let known = std::mem::take(events);
            events.push(event(true, None));
            events.extend(late);
            events.extend(known);
        }
        was_out = is_out;
    })
}

fn run(error: Option<VenueErrorKind>) -> (Outcome, Vec<i64>) {
    let asked = Asked::default();
    let mut plans = plans(vec![hedged()], FailurePolicy::Halt);
    let sell = |quantity| vec![vec![order(BETA, Side::Sell, quantity)]];
    plans.push((hour(5), plan(sell("0.5"), FailurePolicy::Halt)));
    plans.push((
        hour(6),
        plan(
            vec![vec![order(ALPHA, Side::Buy, "0.6")]],
            FailurePolicy::Halt,
        ),
    ));
    plans.push((hour(7), plan(sell("0.7"), FailurePolicy::Halt)));
    let outcome = World {
        closes: FLAT.to_vec(),
        // Half of the perp fills while nobody can read of it.
        settings: "
wallet: {}
alpha: {}
beta: { answers: ['sell 1: 1s fills 0.5; 4500s fills 0.5'] }",
        plans,
        meddled: vec![(
            BETA,
            vec![hour(4)],
            out(
                Arc::clone(&asked),
                error,
                (hour(4), hour(6).plus(Span::from_minutes(5))),
            ),
        )],
        ..World::default()
    }
    .run();
    let asked = asked
        .lock()
        .unwrap()
        .iter()
        .map(|at| at.since(hour(4)).seconds())
        .collect();
    (outcome, asked)
}

#[test]
fn a_venue_that_cannot_be_read_gets_nothing_until_it_can() {
    let down = VenueErrorKind::Unavailable("connection refused".to_owned());
    let (outcome, _) = run(Some(down));
    let result = outcome.result.unwrap();
    let sent: Vec<_> = outcome
        .trace
        .iter()
        .filter(|l| l.contains("sent"))
        .collect();
    assert_eq!(
        sent,
        ["alpha sent 3", "beta sent 4", "alpha sent 5", "beta sent 6"],
        "alpha goes on at six, beta at seven"
    );
    assert_eq!(
        states(&result, "waits_for_venue"),
        ["test: beta cannot be read"]
    );
    assert_eq!(states(&result, "venue_readable"), ["beta can be read"]);
    let down = errors(&result, Code::VenueUnavailable);
    assert!(down[0].contains("connection refused"), "{down:?}");
    // What filled meanwhile is booked, at its own instant, once.
    let late = "beta.main beta:perp:BTCUSDT -0.5 -30050 trade";
    assert_eq!(
        lines(&result).iter().filter(|line| *line == late).count(),
        2
    );
    let filled = result
        .ledger
        .iter()
        .filter(|line| line.instruction.is_some_and(|id| id.counter() == 4));
    let at: Vec<_> = filled
        .map(|line| line.at.since(hour(3)).seconds())
        .collect();
    assert_eq!(at, [1, 1, 4500, 4500]);
    assert_eq!(result.counts.steps, 8);
}

#[test]
fn a_venue_that_cannot_be_read_is_asked_after_longer_and_longer_waits() {
    let (outcome, asked) = run(None);
    // Waits of 1, 2, 4, … 2,048 seconds.
    let expected: Vec<i64> = (0..13).map(|n| (1_i64 << n) - 1).collect();
    assert_eq!(asked, expected);
    let result = outcome.result.unwrap();
    assert_eq!(states(&result, "venue_unreadable").len(), 13);
    // The last wait is an hour, not 4,096 seconds.
    let again = result.events.iter().find(|event| {
        matches!(&event.data, EventData::StateUpdate { state, .. } if *state == "venue_readable")
    });
    assert_eq!(again.unwrap().at.since(hour(4)).seconds(), 4095 + 3600);
}

#[test]
fn a_key_that_is_revoked_while_reading_halts_its_venue() {
    let (outcome, _) = run(Some(VenueErrorKind::Auth("the key was revoked".to_owned())));
    let result = outcome.result.unwrap();
    let halted = errors(&result, Code::VenueHalted);
    assert_eq!(halted.len(), 1, "{halted:?}");
    assert!(halted[0].starts_with("beta is halted"), "{halted:?}");
    assert!(!outcome.trace.iter().any(|line| line == "beta sent 6"));
    assert_eq!(result.counts.steps, 8);
}

#[test]
fn what_would_unwind_waits_for_a_venue_that_cannot_be_read() {
    let from = hour(3).plus(Span::from_seconds(5));
    let until = hour(3).plus(Span::from_minutes(30));
    let mut plans = plans(vec![pair()], compensate());
    let close = vec![vec![order(BETA, Side::Buy, "1.5")]];
    plans.push((hour(5), plan(close, FailurePolicy::Halt)));
    let outcome = World {
        closes: FLAT.to_vec(),
        settings: "{ wallet: {}, alpha: { answers: ['buy 1: 10s refused'] }, beta: {} }",
        plans,
        meddled: vec![(BETA, vec![from], out(Asked::default(), None, (from, until)))],
        ..World::default()
    }
    .run();
    let result = outcome.result.unwrap();
    // What stands open is said; the venue is not to blame, and closes it when it can be read.
    let open = errors(&result, Code::NakedDelta);
    assert!(
        open.first().unwrap().contains("left -1.5 base units open"),
        "{open:?}"
    );
    assert_eq!(errors(&result, Code::VenueHalted), [""; 0]);
    let mut sent = outcome
        .trace
        .iter()
        .filter(|line| line.contains("beta sent"));
    assert_eq!(sent.next().unwrap(), "beta sent 4");
    assert_eq!(sent.next().unwrap(), "beta sent 6", "5 was never sent");
    assert_eq!(lines(&result), after_funding(&[&PERP, &PERP_BACK]));
}
