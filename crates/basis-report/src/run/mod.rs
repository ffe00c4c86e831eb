//! Results as text: the summary that `--json` prints and the files of a run directory.
//!
//! Every number printed here is a value of the run, or follows from its ledger and price columns by
//! a formula in `docs/run-directory.md`; nothing is estimated and no amount passes through a float.
//!
//! It is not where results are computed: that is the engine, which knows no text.
//!
//! **Invariants.** Two runs of the same configuration on the same data write the same bytes, but for
//! `run_id`, `processing_time_ms` and `timing`. A run directory is there whole or not at all. The
//! directory of a run that failed is whole too, and says in `summary.json` that it failed.

mod daily_nav;
mod events;
mod holdings;
mod risk;
#[cfg(test)]
pub(crate) mod sample;
mod summary;
mod tables;
mod writer;

use basis_core::num::{MathError, Price, Quantity, Rounding, Value};
use basis_core::types::{Asset, RunId, Symbol};
use basis_engine::ExternalFlow;
use basis_market::is_dollar;
pub use holdings::value_held_at;
pub use summary::{failed_summary, summary};
pub(crate) use tables::{LEDGER, ledger_row};
pub use writer::{RunWriter, WriteReport, write_run};

/// What the writers need beside the result.
#[derive(Clone, Debug)]
pub struct OutputContext {
    /// The resolved configuration with the rule snapshots, as it goes to `config.yaml`.
    pub config_yaml: String,
    /// Hash of the resolved configuration, hexadecimal.
    pub config_hash: String,
    /// Names the run in its events.
    pub run_id: RunId,
    /// The scheduled capital flows, as the run was asked for them.
    pub flows: Vec<ExternalFlow>,
    /// How long the parts of the run took.
    pub timing: Timing,
    /// Name and version of what the result depends on.
    pub versions: Vec<(&'static str, String)>,
}

/// Wall-clock times in milliseconds; they never decide anything.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Timing {
    /// Reading and checking data.
    pub load_ms: f64,
    /// The engine's loop.
    pub run_ms: f64,
    /// Writing the run directory; absent while nothing has been written.
    pub write_ms: Option<f64>,
}

/// Whether `symbol` prices `asset` in an asset that is valued at 1.
fn prices_asset(symbol: Symbol, asset: Asset) -> bool {
    symbol
        .as_str()
        .strip_prefix(asset.as_str())
        .and_then(|quote| Asset::new(quote).ok())
        .is_some_and(is_dollar)
}

/// `value` in the share class: itself for a class at par, else divided by the reference price.
/// Half-even at 18 decimals.
///
/// # Errors
/// When the quotient leaves the range of exact arithmetic.
pub fn in_share_class(
    share_class: Asset,
    value: Value,
    reference: Price,
) -> Result<Quantity, MathError> {
    if is_dollar(share_class) {
        return Ok(Quantity::new(value.get()));
    }
    value.per(reference, Rounding::HalfEven)
}
