//! Hedged modes on the recorded market: from many starts, through many withdrawals. One market in memory
//! serves every run of a test; without recorded data a test says so and passes.
//!
//! CI runs a part of each series. All of it, in release:
//! `BASIS_SERIES=full cargo test --release -p basis --test it --features basis/full hedged -- --nocapture`

#![expect(
    clippy::indexing_slicing,
    clippy::print_stderr,
    reason = "a failure is a failed test; a skip must be loud, and the figures of a series are for reading"
)]

mod exits;
mod hurdle;
mod starts;
mod tiers;
mod withdrawals;

use std::path::Path;
use std::sync::Arc;

use basis::assembly::{Backtest, Setup};
use basis::core::error::ComponentError;
use basis::core::types::{Span, Timestamp};
use basis::engine::RunResult;
use basis::market::MarketData;

use crate::scripted;

/// The recorded series that a mode reads.
struct Recorded {
    mode: &'static str,
    sets: Vec<String>,
    data: Arc<MarketData>,
}

/// Whether the whole of a series is asked for.
fn is_full() -> bool {
    std::env::var_os("BASIS_SERIES").is_some_and(|value| value == "full")
}

impl Recorded {
    /// The market of `mode`, its perps at OKX by proxy; `None` without recorded data.
    fn of(mode: &'static str, sets: &[&str]) -> Option<Self> {
        let beside = || Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared");
        let shared = std::env::var_os("BASIS_SHARED_DIR").map_or_else(beside, Into::into);
        let directory = shared.join("data");
        if !directory.is_dir() {
            eprintln!("SKIPPED: no recorded data in {}", directory.display());
            return None;
        }
        let asset = if mode == "btc_basis" { "BTC" } else { "ETH" };
        // As the modes have them by default.
        let mut all = vec!["risk.venue_share_max=null".to_owned()];
        if mode.contains("basis") {
            all.push("spot_allocation=null".to_owned());
        }
        all.push("data.gaps=hold".to_owned());
        let is_hedged = mode.contains("basis") || mode.contains("neutral");
        for kind in ["perp", "funding"].into_iter().filter(|_| is_hedged) {
            all.push(format!(
                "data.proxies.{kind}.okx.{asset}USDT={kind}.bybit.{asset}USDT"
            ));
        }
        all.extend(sets.iter().map(|set| (*set).to_owned()));
        let borrowed: Vec<_> = all.iter().map(String::as_str).collect();
        let setup = scripted::setup(mode, &borrowed, (at("2024-06-01"), at("2024-06-02")));
        let request = setup.data_request().unwrap();
        let data = basis::data::load(&directory, &request, &|_| {})
            .unwrap()
            .data;
        Some(Self {
            mode,
            sets: all,
            data,
        })
    }

    /// The setup of a run from `from` for `days`, with `sets` beside those of the market.
    fn setup(&self, from: Timestamp, days: i64, sets: &[&str]) -> Setup {
        let own = self.sets.iter().map(String::as_str);
        let all: Vec<_> = own.chain(sets.iter().copied()).collect();
        let to = from.plus(Span::from_hours(24 * days));
        scripted::setup(self.mode, &all, (from, to))
    }

    /// One run of it.
    fn run(&self, from: Timestamp, days: i64, sets: &[&str]) -> Result<RunResult, ComponentError> {
        Backtest::run(Arc::clone(&self.data), &self.setup(from, days, sets))
    }
}

fn at(text: &str) -> Timestamp {
    text.parse()
        .or_else(|_| format!("{text}T00:00:00Z").parse())
        .unwrap()
}
