//! Both DEXes on the simulated chain.

mod bars;
mod follows;
mod interface;
mod liquidity;
mod reading;
mod states;
mod withdrawals;
