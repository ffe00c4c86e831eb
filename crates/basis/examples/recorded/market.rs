//! The recorded market of a mode, in memory once, and runs on it.

use std::path::Path;
use std::sync::Arc;

use basis::assembly::{Backtest, Setup};
use basis::config::environment::Environment;
use basis::config::layers::{Request, Template};
use basis::core::error::ComponentError;
use basis::core::types::Timestamp;
use basis::engine::RunResult;
use basis::market::MarketData;
use basis::venues::registry::Registry;

/// A mode and what of the recorded data it runs on.
#[derive(Debug)]
pub(crate) struct Mode {
    pub(crate) name: &'static str,
    /// First instant at which everything it reads is there.
    from: &'static str,
    /// The pair of its hedge, of which another exchange's prices and rates stand in for OKX's gaps.
    hedge: Option<&'static str>,
    /// The key whose largest value that starts is stressed too, with its values from the largest on.
    pub(crate) leverage: Option<&'static str>,
}

pub(crate) const MODES: [Mode; 7] = [
    Mode {
        name: "btc_basis",
        from: "2024-01-01T01:00:00Z",
        hedge: Some("BTCUSDT"),
        leverage: Some("hedge_leverage"),
    },
    Mode {
        name: "eth_basis",
        from: "2024-01-01T01:00:00Z",
        hedge: Some("ETHUSDT"),
        leverage: Some("hedge_leverage"),
    },
    Mode {
        name: "pure_lending",
        from: "2024-01-01T01:00:00Z",
        hedge: None,
        leverage: None,
    },
    Mode {
        name: "eth_staking_only",
        from: "2024-05-14T01:00:00Z",
        hedge: None,
        leverage: None,
    },
    Mode {
        name: "eth_leveraged",
        from: "2024-05-14T01:00:00Z",
        hedge: None,
        leverage: Some("target_ltv"),
    },
    Mode {
        name: "usdt_market_neutral_no_leverage",
        from: "2024-05-14T01:00:00Z",
        hedge: Some("ETHUSDT"),
        leverage: Some("hedge_leverage"),
    },
    Mode {
        name: "usdt_market_neutral",
        from: "2024-05-14T01:00:00Z",
        hedge: Some("ETHUSDT"),
        leverage: Some("hedge_leverage"),
    },
];

/// Where 2024 ends and 2025 begins.
pub(crate) const NEW_YEAR: &str = "2025-01-01T00:00:00Z";
/// Where the recorded data ends.
pub(crate) const END: &str = "2025-05-31T00:00:00Z";

/// Exclusive start and inclusive end of a run.
pub(crate) type Range = (Timestamp, Timestamp);

impl Mode {
    /// The mode of that name.
    pub(crate) fn named(name: &str) -> Option<&'static Self> {
        MODES.iter().find(|mode| mode.name == name)
    }

    /// 2024, as far as it is recorded.
    pub(crate) fn year_2024(&self) -> Result<Range, ComponentError> {
        Ok((instant(self.from)?, instant(NEW_YEAR)?))
    }

    /// All that is recorded.
    pub(crate) fn whole(&self) -> Result<Range, ComponentError> {
        Ok((instant(self.from)?, instant(END)?))
    }

    fn sets(&self) -> Vec<String> {
        let mut sets = vec!["data.gaps=hold".to_owned()];
        for kind in ["perp", "funding"] {
            sets.extend(
                self.hedge
                    .map(|pair| format!("data.proxies.{kind}.okx.{pair}={kind}.bybit.{pair}")),
            );
        }
        sets
    }
}

/// 2025, as far as it is recorded.
pub(crate) fn year_2025() -> Result<Range, ComponentError> {
    Ok((instant(NEW_YEAR)?, instant(END)?))
}

fn instant(text: &str) -> Result<Timestamp, ComponentError> {
    text.parse().map_err(|e| {
        let message = format!("{text}: {e}");
        ComponentError::new(basis::core::error::Code::DatesInvalid, message)
    })
}

/// Everything that a mode reads.
pub(crate) struct Market {
    pub(crate) mode: &'static Mode,
    pub(crate) data: Arc<MarketData>,
    environment: Environment,
}

impl Market {
    /// Loads it.
    pub(crate) fn load(directory: &Path, mode: &'static Mode) -> Result<Self, ComponentError> {
        let environment = Environment::default();
        let request = template(mode, &environment, mode.whole()?, &[])?;
        let request = request.resolve(&[])?.setup.data_request()?;
        let data = basis::data::load(directory, &request, &|_| {})?.data;
        Ok(Self {
            mode,
            data,
            environment,
        })
    }

    /// The layers of a run over `range` with `sets` over the defaults.
    pub(crate) fn template(
        &self,
        range: Range,
        sets: &[String],
    ) -> Result<Template<'_>, ComponentError> {
        template(self.mode, &self.environment, range, sets)
    }

    pub(crate) fn setup(&self, range: Range, sets: &[String]) -> Result<Setup, ComponentError> {
        let resolved = self.template(range, sets)?.resolve(&[])?;
        resolved.setup.fitted(&self.data)
    }

    /// One run.
    pub(crate) fn run(&self, range: Range, sets: &[String]) -> Result<RunResult, ComponentError> {
        Backtest::run(Arc::clone(&self.data), &self.setup(range, sets)?)
    }
}

fn template<'a>(
    mode: &Mode,
    environment: &'a Environment,
    (from, to): Range,
    sets: &[String],
) -> Result<Template<'a>, ComponentError> {
    let mut all = mode.sets();
    all.extend(sets.iter().cloned());
    let (from, to) = (from.to_string(), to.to_string());
    let request = Request {
        mode: mode.name,
        sets: &all,
        from: Some(&from),
        to: Some(&to),
        ..Request::default()
    };
    Template::new(&request, environment, Registry::builtin())
}
