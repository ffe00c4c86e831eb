//! A read-only copy of the holdings for interfaces, refreshed after every reconciled block.

use std::sync::{Arc, PoisonError, RwLock};

use basis_core::num::Quantity;
use basis_core::types::{Account, Item};
use basis_core::venue::PositionReader;
use basis_core::venue_event::Position;

/// Holdings as of the last reconciliation.
#[derive(Debug, Default)]
pub struct SharedPositions {
    holdings: RwLock<Vec<Position>>,
}

impl SharedPositions {
    /// No holdings yet.
    #[must_use]
    pub fn new() -> Arc<Self> {
        Arc::default()
    }

    /// Replaces the copy, in the room it has.
    pub(crate) fn publish(&self, holdings: impl Iterator<Item = Position>) {
        let mut copy = self
            .holdings
            .write()
            .unwrap_or_else(PoisonError::into_inner);
        copy.clear();
        copy.extend(holdings);
    }
}

impl PositionReader for SharedPositions {
    fn quantity(&self, account: Account, item: Item) -> Quantity {
        let holdings = self.holdings.read().unwrap_or_else(PoisonError::into_inner);
        let held = holdings
            .iter()
            .find(|held| held.account == account && held.item == item);
        held.map(|held| held.quantity).unwrap_or_default()
    }

    fn positions(&self) -> Vec<Position> {
        let mut copy = self
            .holdings
            .read()
            .unwrap_or_else(PoisonError::into_inner)
            .clone();
        copy.sort_unstable_by_key(|held| (held.account, held.item));
        copy
    }
}
