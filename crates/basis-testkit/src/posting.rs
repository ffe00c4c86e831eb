//! Ledger lines as the engine's posting makes them.

use basis_core::ledger::LedgerEntry;
use basis_core::venue_event::VenueEvent;
use basis_engine::posting::{NothingHeld, lines_of};
use basis_market::MarketView;

/// The ledger lines of `events` at `view`, each of which has a price.
pub fn posted(events: &[VenueEvent], view: &MarketView) -> Vec<LedgerEntry> {
    let posted = events.iter().map(|event| {
        let posting = lines_of(event, view, &NothingHeld).unwrap();
        assert_eq!(posting.unpriced, [], "{event:?}");
        posting.lines
    });
    posted.flatten().collect()
}
