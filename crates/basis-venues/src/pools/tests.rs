//! Both DEXes on the simulated chain.

mod bars;
mod reading;
mod states;
