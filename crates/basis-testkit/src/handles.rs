//! Handles for an interface that is tested without an engine.

use std::sync::Arc;

use basis_core::event::{Event, EventSink};
use basis_core::num::Quantity;
use basis_core::rules::RuleBook;
use basis_core::types::{Account, Item};
use basis_core::venue::{Dependencies, PositionReader};
use basis_core::venue_event::Position;

use crate::rules::rules;

#[derive(Debug)]
struct NoBooks;

impl PositionReader for NoBooks {
    fn quantity(&self, _: Account, _: Item) -> Quantity {
        Quantity::ZERO
    }
    fn positions(&self) -> Vec<Position> {
        Vec::new()
    }
}

#[derive(Debug)]
struct NoEvents;

impl EventSink for NoEvents {
    fn record(&self, _: Event) {}
}

/// Handles with the rules of `venues` and with books that hold nothing.
#[must_use]
pub fn dependencies(venues: &[&str]) -> Dependencies {
    let book = RuleBook::new(venues.iter().map(|venue| rules(venue)));
    Dependencies {
        position_reader: Some(Arc::new(NoBooks)),
        event_sink: Some(Arc::new(NoEvents)),
        data_provider: Some(Arc::new(book)),
        ..Dependencies::default()
    }
}
