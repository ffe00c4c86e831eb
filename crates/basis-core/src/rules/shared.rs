//! Rules that change during a run.

use std::sync::{Arc, PoisonError, RwLock};

use super::{RuleBook, RuleSnapshot, VenueRules};
use crate::types::Venue;

/// A rule book that gains snapshots while venues read it.
///
/// Clones share the same book. Whoever learns of new rules adds them and then reports
/// [`EventKind::Rules`](crate::venue_event::EventKind::Rules); every later call of
/// [`DataProvider::rules`](crate::venue::DataProvider::rules) answers with them. What was read before stays as it was, so a call that is
/// under way sees one set of rules throughout. A recorded run knows every snapshot from the start and
/// reads a [`RuleBook`] without this lock.
#[derive(Clone, Debug, Default)]
pub struct SharedRules {
    book: Arc<RwLock<Arc<RuleBook>>>,
}

impl SharedRules {
    /// Starts with the rules of `book`.
    #[must_use]
    pub fn new(book: RuleBook) -> Self {
        Self {
            book: Arc::new(RwLock::new(Arc::new(book))),
        }
    }

    /// The book as it stands.
    #[must_use]
    pub fn book(&self) -> Arc<RuleBook> {
        // A panic elsewhere cannot leave the book half changed: every change is one assignment.
        let book = self.book.read().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(&book)
    }

    /// Adds a snapshot of the rules of `venue`, in the place of one in force from the same instant.
    pub fn add_snapshot(&self, venue: Venue, snapshot: RuleSnapshot) {
        let mut book = self.book.write().unwrap_or_else(PoisonError::into_inner);
        *book = Arc::new(book.with_snapshot(venue, snapshot));
    }
}

impl RuleBook {
    /// The same book with another snapshot of the rules of `venue`; the rules of the others are shared.
    #[must_use]
    pub fn with_snapshot(&self, venue: Venue, snapshot: RuleSnapshot) -> Self {
        let rules = match self.venue(venue) {
            Some(rules) => rules.with_snapshot(snapshot),
            None => VenueRules {
                venue,
                snapshots: vec![snapshot],
            },
        };
        let mut venues = self.venues.clone();
        venues.insert(venue, Arc::new(rules));
        Self { venues }
    }
}

impl VenueRules {
    /// The same rules with another snapshot, in the place of one in force from the same instant.
    #[must_use]
    pub fn with_snapshot(&self, snapshot: RuleSnapshot) -> Self {
        let from = snapshot.effective_from;
        let mut snapshots = self.snapshots.clone();
        match snapshots.binary_search_by_key(&from, |known| known.effective_from) {
            Ok(at) => {
                if let Some(known) = snapshots.get_mut(at) {
                    *known = snapshot;
                }
            }
            Err(at) => snapshots.insert(at, snapshot),
        }
        Self {
            venue: self.venue,
            snapshots,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::{BTC, at, hours, rules};
    use super::*;
    use crate::types::Asset;
    use crate::venue::DataProvider;

    const OKX: Venue = Venue::literal("okx");

    fn snapshot(day: i64, interval: i64, decimals: u32) -> RuleSnapshot {
        let mut snapshot = rules(&[(day, interval, 0)]).snapshots()[0].clone();
        snapshot.assets = vec![(Asset::literal("BTC"), decimals)];
        snapshot
    }

    #[test]
    fn a_snapshot_added_during_a_run_is_in_the_next_answer_and_in_no_earlier_one() {
        let first = rules(&[(0, 8, 0)]);
        let venue = first.venue;
        let shared = SharedRules::new(RuleBook::new([first]));
        let provider: Arc<dyn DataProvider> = Arc::new(shared.clone());
        let before = provider.rules(venue).unwrap();
        assert_eq!(provider.decimals(venue, Asset::literal("BTC")), None);
        shared.add_snapshot(venue, snapshot(1, 4, 8));
        let after = provider.rules(venue).unwrap();
        assert_eq!(hours(&before, 20, 2), [24, 32]);
        assert_eq!(hours(&after, 20, 2), [24, 28]);
        assert_eq!(after.at(at(23)).effective_from, at(0));
        assert_eq!(after.at(at(24)).effective_from, at(24));
        assert_eq!(after.next_change(at(3)), Some(at(24)));
        assert_eq!(provider.decimals(venue, Asset::literal("BTC")), Some(8));
    }

    #[test]
    fn a_snapshot_from_the_same_instant_replaces_and_an_earlier_one_goes_before() {
        let shared = SharedRules::new(RuleBook::new([rules(&[(1, 8, 0)])]));
        let venue = rules(&[(1, 8, 0)]).venue;
        shared.add_snapshot(venue, snapshot(1, 1, 8));
        shared.add_snapshot(venue, snapshot(0, 4, 8));
        let rules = shared.rules(venue).unwrap();
        assert_eq!(rules.snapshots().len(), 2);
        assert_eq!(hours(&rules, 18, 3), [20, 24, 25]);
        assert_eq!(rules.next_funding(BTC, at(0)), Some(at(4)));
    }

    #[test]
    fn a_venue_gets_its_first_rules_and_the_others_keep_theirs() {
        let first = rules(&[(0, 8, 0)]);
        let venue = first.venue;
        let shared = SharedRules::new(RuleBook::new([first]));
        let before = shared.rules(venue).unwrap();
        assert!(shared.rules(OKX).is_none());
        shared.add_snapshot(OKX, snapshot(0, 8, 8));
        assert_eq!(shared.rules(OKX).unwrap().venue, OKX);
        assert!(Arc::ptr_eq(&before, &shared.rules(venue).unwrap()));
    }
}
