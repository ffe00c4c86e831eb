//! The venue in process, spoken to over its wire forms alone.

#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a test that meets a wrong value fails there"
)]

mod kit;
mod spot;
mod usdm;
