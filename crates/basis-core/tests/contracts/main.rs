//! The protocol maths against the real contracts: the bytecode their authors ship, run in process.
#![expect(
    unreachable_pub,
    reason = "the harness is written as a library, `pub` is what the tests use"
)]
#![allow(dead_code, reason = "not every test uses every part of the harness")]
#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::print_stderr,
    reason = "the helpers of tests may fail as loudly as the tests"
)]

mod evm;
