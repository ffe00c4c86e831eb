//! Where a run's market data comes from.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use basis_core::error::ComponentError;
use basis_data::{LoadRequest, SyntheticSpec};
use basis_market::MarketData;

use super::Session;
use super::progress;
use crate::config::environment::DATA_DIR;

/// Where market data comes from.
#[derive(Debug)]
pub(super) enum Source {
    Directory(PathBuf),
    Synthetic,
}

impl Source {
    /// `--data`, else `BASIS_DATA_DIR`, else the synthetic market.
    pub(super) fn choose(data: Option<&Path>, session: &Session) -> Self {
        let named = session.environment.setting(DATA_DIR).map(PathBuf::from);
        data.map(Path::to_owned)
            .or(named)
            .map_or(Self::Synthetic, Self::Directory)
    }

    /// Says that the market is synthetic, whatever the log level: before anything else is said. Every
    /// result says so too, so that `--quiet` may leave this out.
    pub(super) fn announce(&self, session: &Session) {
        if matches!(self, Self::Synthetic) && !session.quiet {
            session.say(
                "note",
                "SYNTHETIC market data (built in); give --data DIR or BASIS_DATA_DIR for recorded data",
            );
        }
    }

    /// Loads what `request` names; series that are not there are left out.
    pub(super) fn load(
        &self,
        request: &LoadRequest,
        quiet: bool,
    ) -> Result<Arc<MarketData>, ComponentError> {
        let directory = match self {
            Self::Synthetic => {
                return Ok(Arc::new(basis_data::synthetic(&SyntheticSpec::default())));
            }
            Self::Directory(directory) => directory,
        };
        let bar = progress::bar("loading", quiet);
        let report = |step: basis_data::LoadProgress| {
            bar.set_length(u64::try_from(step.total).unwrap_or(u64::MAX));
            bar.set_position(u64::try_from(step.done).unwrap_or(u64::MAX));
            bar.set_message(step.series.to_string());
        };
        let loaded = basis_data::load(directory, request, &report)?;
        bar.finish_and_clear();
        Ok(loaded.data)
    }
}
