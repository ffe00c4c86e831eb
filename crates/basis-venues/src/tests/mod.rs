//! Venues together, on one chain.

mod chain;
mod creation;
mod pools;
mod staking;
mod wallet;
