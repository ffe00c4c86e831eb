//! The simulated pools.

mod liquidity;
mod state;

use basis_sim::pools::{PoolSettings, SimulatedDex};

use super::errors::REVERTS;
use super::{OPERATIONS, UNISWAP};

pub(super) use self::state::read as read_state;

/// The protocol that `settings` describe.
pub(crate) fn protocol(settings: &PoolSettings) -> SimulatedDex {
    SimulatedDex::new(UNISWAP, OPERATIONS, &REVERTS, settings.pools.clone())
}
