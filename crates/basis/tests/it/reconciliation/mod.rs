//! No wrong amount goes unnoticed: whatever a simulated venue says wrongly of what it holds, or reports
//! wrongly, ends the run by reconciliation, or is refused, wherever it sits.
//!
//! Every venue of a scripted run stands behind a wrapper that passes everything on but for one thing. The
//! run holds something of every kind; that each kind was met is asserted.

mod amounts;
mod run;
mod tampered;

use std::collections::{BTreeMap, BTreeSet};

use basis::core::error::{Code, ComponentError};
use basis::core::event::EventData;
use basis::core::num::Quantity;
use basis::core::types::{Account, Item};
use basis::core::venue_event::{Position, VenueEvent};
use basis::engine::RunResult;

use self::run::{played, recorded};
use self::tampered::{Change, Corrupt};

/// The smallest amount there is.
const UNIT: Quantity = Quantity::literal("0.000000000000000001");

/// Everything that a book can hold, by the names of [`kind_of`].
const KINDS: [&str; 12] = [
    "cash in the wallet",
    "cash at an exchange",
    "a position",
    "in flight",
    "a rebasing token",
    "a supply",
    "a debt",
    "collateral",
    "liquidity",
    "fees of a pool",
    "a request in a queue",
    "to be claimed",
];

/// Sorts of events that change a holding, by the names of [`amounts::name_of`].
const SORTS: [&str; 10] = [
    "spot fill",
    "perp fill",
    "funding",
    "transaction",
    "sent",
    "credited",
    "moved",
    "accrual",
    "ready",
    "capital flow",
];

/// What kind of holding it is.
fn kind_of(account: Account, item: Item) -> &'static str {
    let (venue, name) = (account.venue.as_str(), account.name.as_str());
    match (item, venue, name) {
        (Item::Position(_), _, _) => "a position",
        (Item::Debt(_), _, _) => "a debt",
        (Item::Liquidity { .. }, _, _) => "liquidity",
        (Item::Shares(_), "wallet", _) => "a rebasing token",
        (Item::Shares(_), _, _) => "a supply",
        _ if account == Account::IN_FLIGHT => "in flight",
        (Item::Asset(_), "wallet", _) => "cash in the wallet",
        (Item::Asset(_), "binance", _) => "cash at an exchange",
        (Item::Asset(_), "morpho", _) => "collateral",
        (Item::Asset(_), "uniswap", _) => "fees of a pool",
        (Item::Asset(_), _, "queue") => "a request in a queue",
        (Item::Asset(_), _, "claimable") => "to be claimed",
        _ => "something else",
    }
}

/// How a tally can be wrong by a holding.
const WRONG: &[(&str, Corrupt)] = &[
    ("a unit more", |rows, at| {
        changed(rows, at, |amount| amount.add(UNIT).unwrap());
    }),
    ("a unit less", |rows, at| {
        changed(rows, at, |amount| amount.sub(UNIT).unwrap());
    }),
    ("turned round", |rows, at| {
        changed(rows, at, |amount| amount.neg().unwrap());
    }),
    ("a unit more of the count alone", |rows, at| {
        let row = rows.get_mut(at).unwrap();
        row.quantity = row.quantity.add(UNIT).unwrap();
    }),
    ("a unit more of what it stands for", |rows, at| {
        let row = rows.get_mut(at).unwrap();
        row.units = row.units.add(UNIT).unwrap();
    }),
    ("a unit less of what it stands for", |rows, at| {
        let row = rows.get_mut(at).unwrap();
        row.units = row.units.sub(UNIT).unwrap();
    }),
    ("left out", |rows, at| {
        rows.remove(at);
    }),
    ("said twice", |rows, at| {
        rows.extend(rows.get(at).copied());
    }),
    ("beside a unit of something else", |rows, at| {
        let account = rows.get(at).unwrap().account;
        rows.push(Position::new(account, elsewhere(), UNIT));
    }),
    ("beside what stands for a unit of something", |rows, at| {
        let account = rows.get(at).unwrap().account;
        rows.push(Position::scaled(account, elsewhere(), Quantity::ZERO, UNIT));
    }),
];

fn changed(rows: &mut [Position], at: usize, change: fn(Quantity) -> Quantity) {
    let row = rows.get_mut(at).unwrap();
    (row.quantity, row.units) = (change(row.quantity), change(row.units));
}

/// What the run never holds.
fn elsewhere() -> Item {
    Item::Asset("DOGE".parse().unwrap())
}

/// Whether the run was ended by a comparison that names the holding.
fn is_found(outcome: &Result<RunResult, ComponentError>, account: Account, item: Item) -> bool {
    let place = format!("{account} {item}: books ");
    matches!(outcome, Err(e) if e.code == Code::ReconcileFailed && e.message.contains(&place))
}

/// Whether something that a venue said was refused as impossible, and the venue halted.
fn is_refused(outcome: &Result<RunResult, ComponentError>) -> bool {
    let Ok(result) = outcome else { return false };
    let has = |wanted: Code| {
        let codes = result.events.iter().filter_map(|event| match &event.data {
            EventData::Error { code, .. } => Some(*code),
            _ => None,
        });
        codes.into_iter().any(|code| code == wanted)
    };
    has(Code::VenueEventInvalid) && has(Code::VenueHalted)
}

fn shown(outcome: &Result<RunResult, ComponentError>) -> String {
    match outcome {
        Ok(result) => format!("accepted, in {} steps", result.counts.steps),
        Err(e) => format!("{} {}", e.code, e.message),
    }
}

#[test]
fn the_run_that_nobody_tampers_with_meets_every_kind_and_ends_well() {
    let (outcome, heard) = recorded();
    let result = outcome.unwrap();
    let errors: Vec<_> = result
        .events
        .iter()
        .filter(|event| matches!(event.data, EventData::Error { .. }))
        .collect();
    assert!(errors.is_empty(), "{errors:#?}");
    assert_eq!(result.counts.rejections, 0);
    let missing: Vec<_> = KINDS
        .iter()
        .filter(|kind| !heard.kinds.contains(*kind))
        .collect();
    assert!(missing.is_empty(), "never held: {missing:?}");
    let sorts: BTreeSet<_> = heard.events.iter().map(amounts::name_of).collect();
    let missing: Vec<_> = SORTS.iter().filter(|sort| !sorts.contains(*sort)).collect();
    assert!(missing.is_empty(), "never reported: {missing:?}");
    let strange: Vec<_> = heard
        .kinds
        .iter()
        .filter(|kind| !KINDS.contains(kind))
        .collect();
    assert!(strange.is_empty(), "held besides: {strange:?}");
}

/// Corrupts one amount of each kind in each way, at the first reading that has it and at a later one.
#[test]
fn a_tally_that_is_wrong_by_one_amount_is_found() {
    let mut wrong = Vec::new();
    for kind in KINDS {
        for (how, corrupt) in WRONG {
            for reading in [0, 2] {
                let change = Change::Tally {
                    kind,
                    reading,
                    corrupt: *corrupt,
                };
                let (outcome, place) = played(change);
                let name = format!("{kind}, {how}, reading {reading}");
                let Some((account, item)) = place else {
                    wrong.push(format!("{name}: never reached"));
                    continue;
                };
                let item = if how.starts_with("beside") {
                    elsewhere()
                } else {
                    item
                };
                let is_impossible =
                    *how == "said twice" || (kind == "a debt" && *how == "turned round");
                let is_noticed = if is_impossible {
                    is_refused(&outcome)
                } else {
                    is_found(&outcome, account, item)
                };
                if !is_noticed {
                    wrong.push(format!("{name}, {account} {item}: {}", shown(&outcome)));
                }
            }
        }
    }
    assert!(
        wrong.is_empty(),
        "{} of them:\n{}",
        wrong.len(),
        wrong.join("\n")
    );
}

/// The holdings that an event changed, by the lines that the untampered run has of it.
fn changed_by(result: &RunResult, event: &VenueEvent) -> Vec<(Account, Item)> {
    let mut sums: BTreeMap<(Account, Item), (Quantity, Quantity)> = BTreeMap::new();
    let key = event.key();
    let lines = result.ledger.iter();
    for line in lines.filter(|line| Some(&*line.cause.event) == key.as_ref()) {
        let sum = sums.entry((line.account, line.item)).or_default();
        sum.0 = sum.0.add(line.quantity).unwrap();
        sum.1 = sum.1.add(line.units).unwrap();
    }
    sums.retain(|_, (quantity, units)| !quantity.is_zero() || !units.is_zero());
    sums.into_keys().collect()
}

/// An event by its number, and the holdings it changed.
type Target<'a> = (usize, &'a VenueEvent, Vec<(Account, Item)>);

/// Every event of the untampered run whose kind, and the kinds of holdings it changes, come up first.
fn targets<'a>(result: &RunResult, events: &'a [VenueEvent]) -> Vec<Target<'a>> {
    let mut known = BTreeSet::new();
    let mut targets = Vec::new();
    for (at, event) in events.iter().enumerate() {
        let places = changed_by(result, event);
        let kinds: BTreeSet<_> = places.iter().map(|(a, i)| kind_of(*a, *i)).collect();
        if !places.is_empty() && known.insert((amounts::name_of(event), kinds)) {
            targets.push((at, event, places));
        }
    }
    targets
}

/// What is changed, in words and in fact, and the holdings by which it must be found.
type Tampering = (String, Change, Vec<(Account, Item)>);

fn met(places: &BTreeSet<(Account, Item)>) -> BTreeSet<&'static str> {
    places
        .iter()
        .map(|(account, item)| kind_of(*account, *item))
        .collect()
}

/// Plays every change and lists those that nothing came of; then asserts that every kind was met.
fn all_found(changes: Vec<Tampering>) {
    let mut wrong = Vec::new();
    let mut places = BTreeSet::new();
    for (name, change, of) in changes {
        places.extend(of.iter().copied());
        let (outcome, reached) = played(change);
        if reached.is_none() {
            wrong.push(format!("{name}: never reached"));
            continue;
        }
        let found = of
            .iter()
            .any(|(account, item)| is_found(&outcome, *account, *item));
        if !found {
            wrong.push(format!("{name}: {}", shown(&outcome)));
        }
    }
    assert!(
        wrong.is_empty(),
        "{} of them:\n{}",
        wrong.len(),
        wrong.join("\n")
    );
    let met = met(&places);
    let missing: Vec<_> = KINDS.iter().filter(|kind| !met.contains(*kind)).collect();
    assert!(missing.is_empty(), "no event changed {missing:?}");
}

/// Alters every amount of every sort of event by a unit, both ways.
#[test]
fn an_event_with_one_wrong_amount_is_found() {
    let (_, heard) = recorded();
    let mut known = BTreeSet::new();
    let mut changes = Vec::new();
    for (at, event) in heard.events.iter().enumerate() {
        for (number, amount) in amounts::of(&mut event.clone()).into_iter().enumerate() {
            let (account, item) = amount.place;
            let sort = (
                amounts::name_of(event),
                amount.name,
                amount.kind,
                kind_of(account, item),
            );
            if !known.insert(sort) {
                continue;
            }
            for more in [true, false] {
                let change = Change::Amount { at, number, more };
                changes.push((
                    format!("{sort:?}, more: {more}"),
                    change,
                    vec![amount.place],
                ));
            }
        }
    }
    assert!(changes.len() > 60, "only {} amounts", changes.len());
    all_found(changes);
}

#[test]
fn an_event_that_is_left_out_is_found() {
    let (outcome, heard) = recorded();
    let targets = targets(&outcome.unwrap(), &heard.events).into_iter();
    let changes =
        targets.map(|(at, event, places)| (format!("{event:?}"), Change::LeftOut { at }, places));
    all_found(changes.collect());
}

#[test]
fn an_event_that_comes_again_under_another_key_is_found() {
    let (outcome, heard) = recorded();
    let targets = targets(&outcome.unwrap(), &heard.events).into_iter();
    let changes = targets.map(|(at, event, places)| {
        let again = Box::new(amounts::renamed(event));
        assert_ne!(again.key(), event.key());
        (format!("{event:?}"), Change::Again { at, again }, places)
    });
    all_found(changes.collect());
}

#[test]
fn an_event_that_comes_again_under_its_own_key_changes_nothing() {
    let (outcome, heard) = recorded();
    let honest = outcome.unwrap();
    for (at, event, _) in targets(&honest, &heard.events) {
        let again = Box::new(event.clone());
        let (outcome, reached) = played(Change::Again { at, again });
        assert!(reached.is_some());
        let result = outcome.unwrap();
        assert_eq!(result.ledger, honest.ledger, "{event:?}");
        assert_eq!(result.steps.equity_usd, honest.steps.equity_usd);
    }
}

/// What the untampered run was heard to say.
#[derive(Debug, Default)]
struct Heard {
    /// Every event but snapshots, in order.
    events: Vec<VenueEvent>,
    /// The kinds of holdings that were reported.
    kinds: BTreeSet<&'static str>,
}
