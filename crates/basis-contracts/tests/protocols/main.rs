//! The protocol maths against the real contracts: the bytecode their authors ship, run in process.

mod morpho_blue;
mod uniswap_v3;
