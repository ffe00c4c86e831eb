//! Capital between two simulated accounts.
//!
//! A simulated venue that sends an asset to another venue leaves it here; the receiving venue
//! collects it when its time has come. In live the world itself does this.

use std::sync::{Mutex, PoisonError};

use crate::num::Quantity;
use crate::types::{Account, Asset, InstructionId, Timestamp};

/// One amount on its way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Shipment {
    /// The transfer that sent it.
    pub instruction: InstructionId,
    /// Where it will arrive.
    pub to: Account,
    /// What.
    pub asset: Asset,
    /// How much arrives, > 0.
    pub amount: Quantity,
    /// When.
    pub arrives_at: Timestamp,
}

/// All amounts on their way in one simulated world.
#[derive(Debug, Default)]
pub struct Transit {
    shipments: Mutex<Vec<Shipment>>,
}

impl Transit {
    /// Sends `shipment` off.
    pub fn send(&self, shipment: Shipment) {
        self.with(|shipments| shipments.push(shipment));
    }

    /// Takes what has arrived for the venue of `to` by `now`, in order of arrival.
    #[must_use]
    pub fn collect(&self, venue: crate::types::Venue, now: Timestamp) -> Vec<Shipment> {
        self.with(|shipments| {
            if shipments.is_empty() {
                return Vec::new();
            }
            let arrived = |s: &Shipment| s.to.venue == venue && s.arrives_at <= now;
            let mut taken: Vec<_> = shipments.iter().filter(|s| arrived(s)).copied().collect();
            shipments.retain(|s| !arrived(s));
            taken.sort_by_key(|s| (s.arrives_at, s.instruction));
            taken
        })
    }

    /// When the next amount arrives for `venue`.
    #[must_use]
    pub fn next_arrival(&self, venue: crate::types::Venue) -> Option<Timestamp> {
        self.with(|shipments| {
            shipments
                .iter()
                .filter(|s| s.to.venue == venue)
                .map(|s| s.arrives_at)
                .min()
        })
    }

    /// Everything on its way, for reconciliation.
    #[must_use]
    pub fn in_flight(&self) -> Vec<Shipment> {
        self.with(|shipments| shipments.clone())
    }

    fn with<T>(&self, f: impl FnOnce(&mut Vec<Shipment>) -> T) -> T {
        f(&mut self
            .shipments
            .lock()
            .unwrap_or_else(PoisonError::into_inner))
    }
}
