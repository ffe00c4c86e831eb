//! A venue that passes on what another says, but for one thing.

use std::sync::{Arc, Mutex};

use basis::core::types::{Account, Item};
use basis::core::venue_event::{AccountSnapshot, EventKind, Events, Position, VenueEvent};
use basis::market::{ExecutionInterface, MarketView};

use crate::world::Meddler;

use super::{Heard, UNIT, amounts, kind_of};

/// Makes a snapshot wrong by the holding at a place of it.
pub(super) type Corrupt = fn(&mut Vec<Position>, usize);

/// The one thing that is not passed on as it is. Events are counted from 0, snapshots left out.
#[derive(Clone, Debug)]
pub(super) enum Change {
    /// None: everything is.
    Nothing,
    /// What a venue says it holds, from the reading on that has a holding of the kind after so many
    /// others that have one.
    Tally {
        kind: &'static str,
        reading: usize,
        corrupt: Corrupt,
    },
    /// One amount of an event, by its number in [`amounts::of`], by a unit.
    Amount {
        at: usize,
        number: usize,
        more: bool,
    },
    /// An event that nobody is told of.
    LeftOut { at: usize },
    /// An event after which another comes.
    Again { at: usize, again: Box<VenueEvent> },
}

/// What the venues of one run share.
#[derive(Debug)]
pub(super) struct Tamper {
    change: Change,
    heard: Heard,
    /// Readings so far that had the kind.
    readings: usize,
    /// The holding whose tally is wrong by now, or any that the changed event is about.
    reached: Option<(Account, Item)>,
}

impl Tamper {
    pub(super) fn new(change: Change) -> Self {
        Self {
            change,
            heard: Heard::default(),
            readings: 0,
            reached: None,
        }
    }

    pub(super) fn end(&mut self) -> (Heard, Option<(Account, Item)>) {
        (std::mem::take(&mut self.heard), self.reached)
    }

    fn events(&mut self, said: Events, events: &mut Events) {
        for event in said {
            if matches!(event.kind, EventKind::Snapshot { .. }) {
                events.push(event);
                continue;
            }
            let number = self.heard.events.len();
            self.heard.events.push(event.clone());
            self.event(number, event, events);
        }
    }

    fn event(&mut self, place: usize, mut event: VenueEvent, events: &mut Events) {
        let any = (Account::WALLET, super::elsewhere());
        match &self.change {
            Change::Amount { at, number, more } if *at == place => {
                let amounts = amounts::of(&mut event);
                let amount = amounts.into_iter().nth(*number).unwrap();
                let changed = if *more {
                    amount.value.add(UNIT)
                } else {
                    amount.value.sub(UNIT)
                };
                *amount.value = changed.unwrap();
                self.reached = Some(amount.place);
                events.push(event);
            }
            Change::LeftOut { at } if *at == place => self.reached = Some(any),
            Change::Again { at, again } if *at == place => {
                self.reached = Some(any);
                events.push(event);
                events.push(VenueEvent::clone(again));
            }
            _ => events.push(event),
        }
    }

    fn tally(&mut self, rows: &mut Vec<Position>) {
        let kinds = rows.iter().map(|row| kind_of(row.account, row.item));
        self.heard.kinds.extend(kinds);
        let Change::Tally {
            kind,
            reading,
            corrupt,
        } = self.change
        else {
            return;
        };
        let place_of = |row: &Position| (row.account, row.item);
        let wrong = match self.reached {
            Some(place) => rows.iter().position(|row| place_of(row) == place),
            None => {
                let found = rows
                    .iter()
                    .position(|row| kind_of(row.account, row.item) == kind);
                self.readings += usize::from(found.is_some());
                found.filter(|_| self.readings > reading)
            }
        };
        if let Some(at) = wrong {
            self.reached = rows.get(at).map(place_of);
            corrupt(rows, at);
        }
    }
}

/// One venue of the run.
pub(super) fn tampered(inner: Box<dyn ExecutionInterface>, shared: &Arc<Mutex<Tamper>>) -> Meddler {
    let shared = Arc::clone(shared);
    let meddle = move |_: &MarketView, own: &mut Events, account: &mut AccountSnapshot| {
        let mut tamper = shared.lock().unwrap();
        let is_snapshot = |event: &VenueEvent| matches!(event.kind, EventKind::Snapshot { .. });
        if own.iter().any(is_snapshot) {
            tamper.tally(&mut account.positions);
        }
        let said = std::mem::take(own);
        tamper.events(said, own);
    };
    Meddler::new(inner, Vec::new(), Box::new(meddle))
}
