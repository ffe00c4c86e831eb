//! Venues: the drivers behind the one execution interface, the table that lists them, and the
//! factory that creates interfaces from it.
//!
//! **Invariants.** The environment is never read here: variables arrive as
//! [`credentials::Variables`]. Time comes from the injected clock. A credential is never printed.

pub mod aave;
pub mod binance;
pub mod bybit;
pub mod credentials;
pub mod curve;
pub mod driver;
pub mod etherfi;
pub mod factory;
pub mod instadapp;
pub mod lido;
#[cfg(feature = "live")]
pub mod live;
pub mod morpho;
pub mod okx;
pub mod registry;
#[cfg(test)]
mod testing;
#[cfg(test)]
mod tests;
pub mod uniswap;
pub mod wallet;
pub mod wire;
