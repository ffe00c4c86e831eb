//! Both DEXes on the simulated chain.

mod bars;
mod exact_output;
mod follows;
mod interface;
mod liquidity;
mod reading;
mod states;
mod withdrawals;
