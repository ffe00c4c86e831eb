//! The live client of Binance against a Binance in process, under virtual time: whatever the network, the
//! venue and the process do, an instruction becomes at most one order, every fill is known once, and what
//! was unknown is resolved when the faults end.

#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a test that meets a wrong value fails there"
)]

mod book;
mod bybit;
mod cases;
mod durable;
mod funding;
mod kills;
mod kit;
mod okx;
mod pair;
mod plan;
mod process;
mod random;
mod schedules;
mod secrets;
mod streams;
mod teeth;
mod venue;
mod verdict;
