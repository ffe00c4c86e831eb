//! The events that the books have taken, so that none is taken twice.

use std::collections::hash_map::Entry;
use std::hash::BuildHasher;
use std::sync::Arc;

use basis_core::ledger::LedgerEntry;
use basis_core::venue_event::EventKey;
use rustc_hash::{FxBuildHasher, FxHashMap};

/// The keys of events, by hash. The keys themselves stand in the lines of the ledger; only those of
/// events without lines are kept here.
#[derive(Debug, Default)]
pub(super) struct Admitted {
    places: FxHashMap<u64, Place>,
    /// Places of keys whose hash another key had first.
    collided: Vec<Place>,
    without_lines: Vec<Arc<EventKey>>,
}

/// Where a key is kept.
#[derive(Clone, Copy, Debug)]
enum Place {
    /// With the first line of its event, by index in the ledger.
    Line(usize),
    /// Among those without lines.
    Apart(usize),
}

impl Admitted {
    /// Makes room for `events` more.
    pub(super) fn reserve(&mut self, events: usize) {
        self.places.reserve(events);
    }

    /// Returns the hash that [`Self::holds`] and [`Self::admit`] ask for.
    pub(super) fn hash(key: &EventKey) -> u64 {
        FxBuildHasher.hash_one(key)
    }

    /// Returns whether `key` was admitted.
    pub(super) fn holds(&self, hash: u64, key: &EventKey, ledger: &[LedgerEntry]) -> bool {
        self.find(hash, key, ledger).is_some()
    }

    /// Returns the lines posted under `key`.
    pub(super) fn lines<'a>(&self, key: &EventKey, ledger: &'a [LedgerEntry]) -> &'a [LedgerEntry] {
        let Some(Place::Line(first)) = self.find(Self::hash(key), key, ledger) else {
            return &[];
        };
        let rest = ledger.get(first..).unwrap_or_default();
        let is_its = |line: &&LedgerEntry| *line.cause.event == *key;
        let count = rest.iter().take_while(is_its).count();
        rest.get(..count).unwrap_or_default()
    }

    /// Admits a key, with the ledger's index of its first line where it has lines. A key that was
    /// admitted without lines has them from then on.
    pub(super) fn admit(
        &mut self,
        hash: u64,
        key: &Arc<EventKey>,
        first: Option<usize>,
        ledger: &[LedgerEntry],
    ) {
        let place = match first {
            Some(line) => Place::Line(line),
            None => {
                self.without_lines.push(Arc::clone(key));
                Place::Apart(self.without_lines.len().saturating_sub(1))
            }
        };
        let without_lines = &self.without_lines;
        match self.places.entry(hash) {
            Entry::Vacant(free) => {
                free.insert(place);
            }
            Entry::Occupied(mut taken) => {
                let is_its = |at: &Place| at.key(without_lines, ledger) == Some(key);
                let known = if is_its(taken.get()) {
                    Some(taken.get_mut())
                } else {
                    self.collided.iter_mut().find(|at| is_its(at))
                };
                match known {
                    Some(known) => *known = place,
                    None => self.collided.push(place),
                }
            }
        }
    }

    fn find(&self, hash: u64, key: &EventKey, ledger: &[LedgerEntry]) -> Option<Place> {
        let is_its = |at: &&Place| {
            let kept = at.key(&self.without_lines, ledger);
            kept.is_some_and(|kept| **kept == *key)
        };
        let first = self.places.get(&hash)?;
        let mut places = std::iter::once(first).chain(&self.collided);
        places.find(is_its).copied()
    }
}

impl Place {
    fn key<'a>(
        self,
        without_lines: &'a [Arc<EventKey>],
        ledger: &'a [LedgerEntry],
    ) -> Option<&'a Arc<EventKey>> {
        match self {
            Self::Line(line) => ledger.get(line).map(|line| &line.cause.event),
            Self::Apart(at) => without_lines.get(at),
        }
    }
}

#[cfg(test)]
mod tests {
    use basis_core::types::Venue;

    use super::*;

    fn key(name: &'static str) -> Arc<EventKey> {
        let venue = Venue::literal("alpha");
        let name = name.into();
        Arc::new(EventKey::Other { venue, name })
    }

    #[test]
    fn keys_with_one_hash_are_kept_apart() {
        let mut admitted = Admitted::default();
        let [first, second, third] = ["first", "second", "third"].map(key);
        admitted.admit(7, &first, None, &[]);
        admitted.admit(7, &second, None, &[]);
        assert!(admitted.holds(7, &first, &[]));
        assert!(admitted.holds(7, &second, &[]));
        assert!(!admitted.holds(7, &third, &[]));
        assert!(!admitted.holds(8, &first, &[]));
    }
}
