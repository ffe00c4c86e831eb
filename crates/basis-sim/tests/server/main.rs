//! The venue in process, spoken to over its wire forms alone.

#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::print_stderr,
    reason = "a test that meets a wrong value fails there"
)]

mod book;
mod bybit;
mod conservation;
mod faults;
mod kit;
mod limits;
mod okx;
mod recorded;
mod samples;
mod security;
mod spot;
mod spot_filters;
mod streams;
mod usdm;
mod usdm_filters;
mod usdm_margin;
mod wallet;
