//! The protocol maths against the real contracts: the bytecode their authors ship, run in process.

mod aave_v3;
mod gas;
mod morpho_blue;
mod uniswap_v3;
