//! The codecs of exchanges beside material that is not ours: recorded requests, signatures, sample replies.
//!
//! The material is shared test data beside the checkout; without it the tests say so and pass.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::print_stderr,
    reason = "tests of their own outside any test module"
)]
#![expect(
    clippy::too_many_lines,
    clippy::needless_pass_by_value,
    reason = "tables as long as what they list, of JSON written where it is used"
)]

mod bench;
mod bybit;
mod compare;
mod okx;
mod requests;
mod samples;
#[cfg(feature = "live")]
mod signing;
mod vectors;
