//! The protocol maths against the real contracts: the bytecode their authors ship, run in process.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "tests may fail as loudly as they like, their helpers too"
)]

mod aave_v3;
mod gas;
mod morpho_blue;
mod uniswap_v3;
