//! Both DEXes on the simulated chain.

mod bars;
mod interface;
mod reading;
mod states;
