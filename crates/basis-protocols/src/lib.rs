//! Pure maths of venues and protocols: no state, no I/O, every rounding named.
//!
//! The same functions serve the simulated venue, the risk monitor and live previews.

pub mod aave_v3;
pub mod bar_pool;
pub mod curve_stableswap;
pub mod exchange;
pub mod gas;
pub mod liquid_staking;
pub mod morpho_blue;
pub mod uniswap_v3;
