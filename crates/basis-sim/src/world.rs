//! The world that the simulated venues of a run share.

use std::sync::Arc;

use basis_core::in_flight::InFlightTransfers;
use basis_core::venue::FillAt;

use crate::chain::SimulatedChain;

/// The world that the simulated venues of a run share.
#[derive(Clone, Debug, Default)]
pub struct SimulatedWorld {
    /// Capital on its way between venues, and from and to outside.
    pub transit: Arc<InFlightTransfers>,
    /// The chain of the on-chain venues.
    pub chain: SimulatedChain,
    /// When taking orders fill.
    pub fill_at: FillAt,
}
