//! A model of what reaches the books: each recorded event is delivered at some wake, perhaps several
//! times, and after every wake the books are compared with what they were sent.

use std::collections::{BTreeMap, BTreeSet};

use basis::core::ledger::{Cause, LedgerEntry};
use basis::core::num::{Quantity, Value};
use basis::core::types::{Account, Item};
use basis::core::venue_event::VenueEvent;
use basis::engine::account::{Books, Posted};
use basis::market::{Mark, MarketView};
use proptest::prelude::*;

use super::recording::Recording;
use super::states::States;

/// One event reaches the books, for the first time or again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Delivery {
    /// The wake it reaches them at, by its place.
    pub(super) wake: usize,
    /// Its turn within the wake.
    pub(super) turn: u64,
    /// Which event, by its place in the recording.
    pub(super) event: usize,
}

/// Every event once, at its own wake and in its own turn.
pub(super) fn as_recorded(run: &Recording) -> Vec<Delivery> {
    let places = run.events.iter().enumerate();
    places
        .map(|(event, recorded)| Delivery {
            wake: run.wake_of(recorded),
            turn: event as u64,
            event,
        })
        .collect()
}

/// What a delivery does to a recording.
#[derive(Clone, Copy, Debug)]
pub(super) enum Disturbance {
    /// An event comes again, so many wakes later, so often.
    Repeat {
        /// Of all events.
        event: prop::sample::Index,
        later: usize,
        times: usize,
    },
    /// An event comes so many wakes late.
    Delay {
        event: prop::sample::Index,
        late: usize,
    },
    /// From one event on a whole venue is so many wakes late, for a while.
    Silence {
        event: prop::sample::Index,
        late: usize,
        length: usize,
    },
}

pub(super) fn repetition() -> impl Strategy<Value = Disturbance> {
    let later = prop_oneof![3 => Just(0_usize), 1 => 1..200_usize];
    (any::<prop::sample::Index>(), later, 1..4_usize).prop_map(|(event, later, times)| {
        Disturbance::Repeat {
            event,
            later,
            times,
        }
    })
}

pub(super) fn disturbance() -> impl Strategy<Value = Disturbance> {
    let index = any::<prop::sample::Index>;
    prop_oneof![
        repetition(),
        (index(), 1..100_usize).prop_map(|(event, late)| Disturbance::Delay { event, late }),
        (index(), 1..30_usize, 1..60_usize).prop_map(|(event, late, length)| {
            Disturbance::Silence {
                event,
                late,
                length,
            }
        }),
    ]
}

/// How the events of one wake follow each other.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Turns {
    /// As recorded.
    Kept,
    /// The venues' events are interleaved; those of one venue keep their order.
    Interleaved(u64),
    /// In any order.
    Shuffled(u64),
}

/// A number that looks drawn at random, the same for the same two.
fn drawn(seed: u64, number: u64) -> u64 {
    let mut mixed = seed ^ number.wrapping_mul(0x9e37_79b9_7f4a_7c15);
    mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    mixed ^ (mixed >> 31)
}

/// The deliveries of a disturbed run, in the order they reach the books. First deliveries of one venue keep
/// the venue's order unless the turns are shuffled.
pub(super) fn disturbed(
    run: &Recording,
    disturbances: &[Disturbance],
    turns: Turns,
) -> Vec<Delivery> {
    let last = run.wakes.len() - 1;
    let mut first = as_recorded(run);
    let mut again = Vec::new();
    for disturbance in disturbances {
        match *disturbance {
            Disturbance::Repeat {
                event,
                later,
                times,
            } => again.push((event.index(first.len()), later, times)),
            Disturbance::Delay { event, late } => {
                first[event.index(run.events.len())].wake += late;
            }
            Disturbance::Silence {
                event,
                late,
                length,
            } => {
                let from = event.index(first.len());
                let (venue, begins) = (run.events[from].venue, first[from].wake);
                let ends = begins + length;
                for delivery in &mut first[from..] {
                    let own = run.events[delivery.event].venue == venue;
                    if own && delivery.wake < ends {
                        delivery.wake += late;
                    }
                }
            }
        }
    }
    if !matches!(turns, Turns::Shuffled(_)) {
        keep_order_of_venues(run, &mut first);
    }
    for delivery in &mut first {
        delivery.wake = delivery.wake.min(last);
    }
    for delivery in &mut first {
        delivery.turn = match turns {
            Turns::Kept => delivery.turn,
            Turns::Interleaved(seed) | Turns::Shuffled(seed) => drawn(seed, delivery.turn),
        };
    }
    if matches!(turns, Turns::Interleaved(_)) {
        sort_turns_of_venues(run, &mut first);
    }
    let mut all = first.clone();
    for (event, later, times) in again {
        let Delivery { wake, turn, .. } = first[event];
        let wake = (wake + later).min(last);
        let turn = if later == 0 { turn } else { drawn(turn, 1) };
        all.extend((0..times).map(|_| Delivery { wake, turn, event }));
    }
    all.sort_unstable();
    all
}

/// No event of a venue comes before an earlier one of the same venue.
fn keep_order_of_venues(run: &Recording, deliveries: &mut [Delivery]) {
    let mut newest = BTreeMap::new();
    for delivery in deliveries {
        let venue = run.events[delivery.event].venue;
        let newest = newest.entry(venue).or_insert(0);
        *newest = delivery.wake.max(*newest);
        delivery.wake = *newest;
    }
}

/// Hands the turns that a venue's events drew within one wake out in the venue's order.
fn sort_turns_of_venues(run: &Recording, deliveries: &mut [Delivery]) {
    let mut drawn = BTreeMap::new();
    for delivery in &*deliveries {
        let key = (run.events[delivery.event].venue, delivery.wake);
        drawn
            .entry(key)
            .or_insert_with(Vec::new)
            .push(delivery.turn);
    }
    for turns in drawn.values_mut() {
        turns.sort_unstable_by(|a, b| b.cmp(a));
    }
    for delivery in deliveries {
        let key = (run.events[delivery.event].venue, delivery.wake);
        delivery.turn = drawn.get_mut(&key).and_then(Vec::pop).unwrap();
    }
}

/// Where a run of deliveries has led.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Ends {
    causes: BTreeSet<Cause>,
    /// Quantity, units and open cost of everything that was ever held.
    holdings: BTreeMap<(Account, Item), (Quantity, Quantity, Value)>,
    /// Units of what is valued at one dollar, plus open cost.
    cash_plus_cost: Value,
    /// At the marks of the last wake.
    equity: Value,
    states: States,
}

/// Posts the deliveries, each at the view of its wake, and yields the books and where they ended.
///
/// After every wake the books hold the sum of their lines, and after every delivery an event is known: new
/// if it had not come before, and else a repetition that changed nothing.
pub(super) fn deliver(
    run: &Recording,
    deliveries: &[Delivery],
) -> Result<(Books, Ends), TestCaseError> {
    let (mut view, mut books) = (run.view(), run.books());
    let mut states = States::default();
    let mut came = BTreeSet::new();
    let mut left = deliveries;
    for (place, &wake) in run.wakes.iter().enumerate() {
        view.advance_to(wake).unwrap();
        let now = left.iter().take_while(|delivery| delivery.wake == place);
        let (now, rest) = left.split_at(now.count());
        left = rest;
        for delivery in now {
            let event = VenueEvent {
                received_at: wake,
                ..run.events[delivery.event].clone()
            };
            let is_new = came.insert(delivery.event);
            post(&mut books, &view, &event, is_new)?;
            let progress = states.take(&event);
            prop_assert!(
                progress.is_ok(),
                "{}: {:?}: {:?}",
                run.name,
                event,
                progress
            );
        }
        if !now.is_empty() {
            prop_assert_eq!(&sums_of(books.ledger()), &sums_held(&books), "{}", run.name);
        }
    }
    prop_assert!(left.is_empty());
    let ends = ends(&mut books, &view, states)?;
    Ok((books, ends))
}

fn post(
    books: &mut Books,
    view: &MarketView,
    event: &VenueEvent,
    is_new: bool,
) -> Result<(), TestCaseError> {
    let before = books.ledger().len();
    let posted = books.post(view, event);
    let posted = posted.map_err(|e| TestCaseError::fail(format!("{event:?}: {e}")))?;
    let grown = before..books.ledger().len();
    match posted {
        Posted::New { lines, .. } => {
            // What has no key posts nothing, however often it comes.
            prop_assert!(is_new || event.key().is_none(), "taken twice: {:?}", event);
            prop_assert_eq!(lines, grown);
        }
        Posted::Repeated => {
            prop_assert!(!is_new, "taken for a repetition: {:?}", event);
            prop_assert!(grown.is_empty(), "a repetition posts: {:?}", event);
        }
    }
    Ok(())
}

type Sums = BTreeMap<(Account, Item), (Quantity, Quantity)>;

fn sums_of(ledger: &[LedgerEntry]) -> Sums {
    let mut sums = Sums::new();
    for line in ledger {
        let (quantity, units) = sums.entry((line.account, line.item)).or_default();
        *quantity = quantity.add(line.quantity).unwrap();
        *units = units.add(line.units).unwrap();
    }
    sums
}

fn sums_held(books: &Books) -> Sums {
    let holdings = books.holdings().iter();
    holdings
        .map(|held| ((held.account, held.item), (held.quantity, held.units)))
        .collect()
}

fn ends(books: &mut Books, view: &MarketView, states: States) -> Result<Ends, TestCaseError> {
    let equity = books.value(view).unwrap();
    let mut sum = Value::ZERO;
    for held in books.holdings() {
        sum = sum.add(held.cost).unwrap();
        if held.mark() == Some(Mark::Par) {
            let units = held.signed_units().unwrap();
            sum = sum.add(Value::new(units.get())).unwrap();
        }
    }
    let causes: BTreeSet<_> = books
        .ledger()
        .iter()
        .map(|line| line.cause.clone())
        .collect();
    prop_assert_eq!(causes.len(), books.ledger().len(), "two lines of one cause");
    let holdings = books.holdings().iter().map(|held| {
        let amounts = (held.quantity, held.units, held.cost);
        ((held.account, held.item), amounts)
    });
    Ok(Ends {
        causes,
        holdings: holdings.collect(),
        cash_plus_cost: sum,
        equity,
        states,
    })
}
