//! The test kit: what the tests of several crates need to put a venue to work without an engine. Only
//! ever a development dependency.
//!
//! **Invariant.** But for the features `conformance` and `loopback` it knows no venue's code and nothing of the
//! simulation, so that the tests of both can use it.

#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::missing_panics_doc,
    reason = "a test that meets a wrong value fails there"
)]

#[cfg(feature = "conformance")]
pub mod conformance;
mod handles;
#[cfg(feature = "loopback")]
pub mod loopback;
mod operations;
mod posting;
mod rules;
mod values;

pub use self::handles::dependencies;
pub use self::operations::{
    amend, perp_limit, perp_market, reduce_only, set_leverage, sided, spot_limit, spot_market,
    transfer,
};
pub use self::posting::posted;
pub use self::rules::{read_rules, rules, rules_json, rules_with};
pub use self::values::{BTC, ETH, START, USDT, node, p, q};
