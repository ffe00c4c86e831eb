//! Both DEXes on the simulated chain.

mod bars;
mod interface;
mod liquidity;
mod reading;
mod states;
