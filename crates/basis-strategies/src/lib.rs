//! The strategy modes of `basis`: synchronous and pure, each with the keys of its own configuration.
//!
//! A strategy reads the view and the books and returns the next feasible plan towards its target; it sees
//! no venue and does no I/O. It is asked again at every step without a plan under way, so a plan holds
//! only what can be done now, and the rest follows from the state that results.
//!
//! [`builtin`] is the table of the modes; a program of one's own adds rows to it.

mod config;
mod modes;

pub use config::{ChainConfig, StakeRoute};
pub use modes::{
    btc_basis, builtin, eth_basis, eth_leveraged, eth_staking_only, pure_lending,
    usdt_market_neutral, usdt_market_neutral_no_leverage,
};
