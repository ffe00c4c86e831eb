//! Basis modes at their default carry hurdle on the recorded market.

use basis::core::event::EventData;
use basis::core::types::Span;
use basis::engine::RunResult;

use super::{Recorded, at};

const DEFAULT: &str = "expected_carry.horizon_hours=720";

/// How often the log says a state, and its first sentence.
fn states(result: &RunResult, wanted: &str) -> (usize, Option<String>) {
    let found = result.events.iter().filter_map(|event| match &event.data {
        EventData::StateUpdate { state, detail } if *state == wanted => Some(detail.clone()),
        _ => None,
    });
    let found: Vec<_> = found.collect();
    (found.len(), found.first().cloned())
}

#[test]
fn a_book_waits_for_its_look_back_and_enters_while_funding_pays() {
    let Some(market) = Recorded::of("btc_basis", &[DEFAULT]) else {
        return;
    };
    // The first week of the data: nothing is known of funding yet.
    let first = market.run(at("2024-01-01"), 3, &[]).unwrap();
    assert_eq!(first.counts.orders, 0);
    let (_, said) = states(&first, "look_back_short");
    let said = said.expect("the log says what it waits for");
    assert!(
        said.contains("settlements of the look-back are recorded"),
        "{said}"
    );
    // Funding of early 2024 pays 30 days' carry several times over.
    let entered = market.run(at("2024-02-26"), 30, &[]).unwrap();
    let orders = entered.executions.iter().find(|row| row.fill.is_some());
    let waited = orders.expect("an entry").at.since(at("2024-02-26"));
    assert!(waited <= Span::from_hours(3), "{waited}");
    assert_eq!(states(&entered, "carry_below_cost").0, 0);
}

#[test]
fn a_book_that_would_not_earn_its_round_trip_is_not_entered() {
    let Some(market) = Recorded::of("btc_basis", &[DEFAULT]) else {
        return;
    };
    // The first week of September 2024 paid less than 10 bps a month, against 34 of costs.
    let stood = market.run(at("2024-09-10"), 3, &[]).unwrap();
    assert_eq!(stood.counts.orders, 0);
    let (times, said) = states(&stood, "carry_below_cost");
    assert_eq!(times, 1, "said once");
    let said = said.unwrap();
    assert!(said.starts_with("entry: the expected carry of "), "{said}");
    assert!(
        said.contains(" USD is not above the round trip of "),
        "{said}"
    );
}
