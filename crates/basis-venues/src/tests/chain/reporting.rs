//! What is reported, when, and that it is reported once.

use basis_core::config::Problems;
use basis_core::error::VenueErrorKind;
use basis_core::instruction::{Instruction, Operation};
use basis_core::types::InstructionId;
use basis_core::venue::Dependencies;
use basis_core::venue_event::{EventKind, Events, VenueEvent};
use basis_sim::world::SimulatedWorld;
use basis_testkit::node;
use serde_json::json;

use super::desk;
use crate::testing::chain::{ChainDesk, World, at, context, stake, unaddressed, unwrap, wrap};

/// What sending `operation` under `id` to `venue` reports.
fn send(desk: &mut ChainDesk, venue: &str, id: u32, operation: Operation) -> Events {
    let (view, mut events) = (desk.view.clone(), Vec::new());
    let instruction = Instruction::new(InstructionId::plain(id), operation);
    let venue = desk.venue(venue);
    venue.execute_instructions(&view, &[instruction.clone(), instruction], &mut events);
    events
}

/// What polling `venue` reports.
fn poll(desk: &mut ChainDesk, venue: &str) -> Events {
    let (view, mut events) = (desk.view.clone(), Vec::new());
    desk.venue(venue).poll_events(&view, &mut events);
    events
}

#[test]
fn an_instruction_that_a_venue_took_on_before_does_nothing() {
    let mut desk = desk();
    let events = send(&mut desk, "wallet", 900, unwrap("WETH", "ETH", "1"));
    assert_eq!(events.len(), 1, "twice in one call");
    let state = format!("{:?}", desk.chain.state());
    for venue in ["wallet", "lido", "instadapp"] {
        let again = send(&mut desk, venue, 900, unwrap("WETH", "ETH", "1"));
        assert_eq!(again, [], "{venue}");
    }
    assert_eq!(format!("{:?}", desk.chain.state()), state);
    // One that was refused has been taken on, too.
    let events = send(&mut desk, "wallet", 901, unwrap("WETH", "ETH", "100"));
    assert!(matches!(
        events[..],
        [VenueEvent {
            kind: EventKind::Rejected { .. },
            ..
        }]
    ));
    assert_eq!(
        send(&mut desk, "wallet", 901, unwrap("WETH", "ETH", "1")),
        []
    );
}

#[test]
fn a_refusal_is_reported_alone_and_what_happened_follows_when_polled() {
    let mut desk = desk();
    desk.run("lido", stake("ETH", "stETH", "0.5"));
    desk.view.advance_to(at(25)).unwrap();
    let state = format!("{:?}", desk.chain.state());
    let events = send(&mut desk, "wallet", 900, unwrap("WETH", "ETH", "100"));
    let [event] = &events[..] else {
        panic!("{events:?}")
    };
    let EventKind::Rejected { instruction, error } = &event.kind else {
        panic!("{event:?}")
    };
    assert_eq!((event.at, event.received_at), (at(25), at(25)));
    assert_eq!(*instruction, InstructionId::plain(900));
    assert_eq!(error.operation, "unwrap");
    assert_eq!(format!("{:?}", desk.chain.state()), state);
    let events = poll(&mut desk, "lido");
    assert!(matches!(
        events[..],
        [VenueEvent {
            kind: EventKind::Accrual(_),
            ..
        }]
    ));
    assert_eq!(poll(&mut desk, "lido"), []);
}

#[test]
fn what_a_transaction_caught_up_with_is_reported_before_it_and_not_again() {
    let mut desk = desk();
    desk.run("lido", stake("ETH", "stETH", "0.5"));
    desk.view.advance_to(at(25)).unwrap();
    let done = desk.run("wallet", unwrap("WETH", "ETH", "1"));
    let venues: Vec<_> = done
        .events
        .iter()
        .map(|event| event.venue.as_str())
        .collect();
    assert_eq!(venues, ["lido", "wallet"]);
    assert!(matches!(done.events[0].kind, EventKind::Accrual(_)));
    assert_eq!(done.events[0].at, at(24));
    assert_eq!(poll(&mut desk, "lido"), []);
    desk.venue("lido").request_snapshot();
    let events = poll(&mut desk, "lido");
    assert!(matches!(
        events[..],
        [VenueEvent {
            kind: EventKind::Snapshot { .. },
            ..
        }]
    ));
    assert_eq!(poll(&mut desk, "lido"), []);
    assert_eq!(desk.to(26), []);
}

#[test]
fn an_interface_waits_for_its_dependencies() {
    let world = SimulatedWorld::default();
    let context = context(&world, Dependencies::default());
    let problems = Problems::new();
    let section = node(&json!({}));
    for driver in [
        crate::aave::DRIVER,
        crate::instadapp::DRIVER,
        crate::wallet::DRIVER,
    ] {
        let build = driver.read(&section, &problems);
        let mut venue = build(context.clone()).unwrap();
        let view = World::new().view("");
        let mut events = Vec::new();
        venue.request_snapshot();
        venue.poll_events(&view, &mut events);
        assert!(matches!(
            events[..],
            [VenueEvent {
                kind: EventKind::Snapshot { .. },
                ..
            }]
        ));
        assert_eq!(venue.account().positions, []);
        let instruction = unaddressed(wrap("ETH", "WETH", "1"));
        events.clear();
        venue.execute_instructions(&view, &[instruction.clone(), instruction], &mut events);
        assert_eq!(events.len(), 2, "{}", driver.facts.venue);
        for event in events {
            let EventKind::Rejected { error, .. } = event.kind else {
                panic!("{event:?}")
            };
            assert_eq!(error.kind, VenueErrorKind::NotReady);
        }
    }
}
