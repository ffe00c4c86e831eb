//! The simulated pools.

mod liquidity;
mod state;

use basis_sim::pools::{PoolSettings, SimulatedDex};

use super::errors::REVERTS;
use super::{CURVE, OPERATIONS};

pub(super) use self::state::read as read_state;

/// The protocol that `settings` describe.
pub(crate) fn protocol(settings: &PoolSettings) -> SimulatedDex {
    SimulatedDex::new(CURVE, OPERATIONS, &REVERTS, settings.pools.clone())
}
