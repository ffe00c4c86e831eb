//! A read-only copy of the holdings for interfaces, refreshed after every reconciled block.

use std::collections::BTreeMap;
use std::sync::{Arc, PoisonError, RwLock};

use basis_core::execution::Position;
use basis_core::num::Quantity;
use basis_core::types::{Account, Item};
use basis_core::venue::PositionReader;

/// Holdings as of the last reconciliation.
#[derive(Debug, Default)]
pub struct SharedPositions {
    holdings: RwLock<BTreeMap<(Account, Item), Quantity>>,
}

impl SharedPositions {
    /// No holdings yet.
    #[must_use]
    pub fn new() -> Arc<Self> {
        Arc::default()
    }

    /// Replaces the copy.
    pub(crate) fn publish(&self, holdings: impl Iterator<Item = Position>) {
        let fresh = holdings
            .filter(|position| !position.quantity.is_zero())
            .map(|position| ((position.account, position.item), position.quantity))
            .collect();
        *self
            .holdings
            .write()
            .unwrap_or_else(PoisonError::into_inner) = fresh;
    }
}

impl PositionReader for SharedPositions {
    fn quantity(&self, account: Account, item: Item) -> Quantity {
        let holdings = self.holdings.read().unwrap_or_else(PoisonError::into_inner);
        holdings.get(&(account, item)).copied().unwrap_or_default()
    }

    fn positions(&self) -> Vec<Position> {
        let holdings = self.holdings.read().unwrap_or_else(PoisonError::into_inner);
        holdings
            .iter()
            .map(|(&(account, item), &quantity)| Position {
                account,
                item,
                quantity,
            })
            .collect()
    }
}
