//! Where a run's market data comes from, and which dates it covers.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use basis_core::error::{Code, ComponentError};
use basis_core::num::Fixed18;
use basis_core::rules::RuleBook;
use basis_core::types::{InstrumentKind, SeriesId, SeriesKind, Span, Timestamp};
use basis_data::catalogue::{FUNDING_INTERVAL, expected_path};
use basis_data::{LoadRequest, SyntheticSpec};
use basis_market::MarketData;

use super::Session;
use super::progress;
use crate::assembly::Setup;
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

    /// Says that the market is synthetic, whatever the log level: before anything else is said.
    pub(super) fn announce(&self, session: &Session) {
        if matches!(self, Self::Synthetic) {
            session.say(
                "note",
                "SYNTHETIC market data (built in); give --data DIR or BASIS_DATA_DIR for recorded data",
            );
        }
    }

    /// Loads `ids`; those that are not there are left out.
    pub(super) fn load(
        &self,
        ids: Vec<SeriesId>,
        rules: &RuleBook,
        quiet: bool,
    ) -> Result<Arc<MarketData>, ComponentError> {
        let multipliers = volume_multipliers(&ids, rules);
        self.load_scaled(ids, multipliers, quiet)
    }

    /// The same with the base units per unit of recorded volume already known.
    pub(super) fn load_scaled(
        &self,
        ids: Vec<SeriesId>,
        volume_multipliers: BTreeMap<SeriesId, Fixed18>,
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
        let loaded = basis_data::load(
            directory,
            &LoadRequest {
                ids,
                volume_multipliers,
            },
            &report,
        )?;
        bar.finish_and_clear();
        Ok(loaded.data)
    }

    /// Loads what `setup` needs and gives it dates: those configured, else all the data covers.
    pub(super) fn prepare(
        &self,
        setup: Setup,
        quiet: bool,
    ) -> Result<(Arc<MarketData>, Setup), ComponentError> {
        let wanted = setup.wanted_series()?;
        let data = self.load(wanted, setup.rules(), quiet)?;
        let setup = self.fit(setup, &data)?;
        Ok((data, setup))
    }

    /// Gives `setup` its dates on loaded data: those configured, else all that its series cover.
    pub(super) fn fit(&self, setup: Setup, data: &MarketData) -> Result<Setup, ComponentError> {
        let needed = setup.required_series()?;
        self.require(&needed, data, &setup)?;
        with_dates(setup, &needed, data)
    }

    /// Refuses when a needed series is neither there nor replaced by one that is.
    fn require(
        &self,
        needed: &[SeriesId],
        data: &MarketData,
        setup: &Setup,
    ) -> Result<(), ComponentError> {
        let present: Vec<_> = data.ids().collect();
        let proxies = &setup.run().view.proxies;
        let absent = needed.iter().filter(|id| {
            let proxied = proxies.get(id).is_some_and(|proxy| present.contains(proxy));
            !present.contains(id) && !proxied
        });
        let lines: Vec<_> = absent
            .map(|id| {
                // The likeliest stand-in: the twin with the most rows.
                let twin = present
                    .iter()
                    .filter(|other| other.kind == id.kind && other.symbol == id.symbol)
                    .max_by_key(|other| rows(data, **other));
                let proxy = twin
                    .map(|twin| format!(", or name a proxy: --set data.proxies.{id}={twin}"))
                    .unwrap_or_default();
                format!(
                    "\n  {id}: no {}{proxy}",
                    self.file_of(*id, setup.run().step)
                )
            })
            .collect();
        if lines.is_empty() {
            return Ok(());
        }
        let message = format!(
            "{} needed series are not there:{}",
            lines.len(),
            lines.concat()
        );
        Err(ComponentError::new(Code::DataMissing, message))
    }

    /// The file a series would be in.
    fn file_of(&self, id: SeriesId, step: Span) -> String {
        let Self::Directory(directory) = self else {
            return "such series in the synthetic market".to_owned();
        };
        let path = directory.join(expected_path(id, step));
        format!("file {}", path.display())
    }
}

fn rows(data: &MarketData, id: SeriesId) -> usize {
    let bars = data.bars(id).map(|series| series.len());
    bars.or_else(|| data.rates(id).map(|series| series.at.len()))
        .or_else(|| data.row_count(id))
        .unwrap_or_default()
}

/// Base units per unit of recorded volume, where a venue counts contracts.
pub(super) fn volume_multipliers(
    ids: &[SeriesId],
    rules: &RuleBook,
) -> BTreeMap<SeriesId, Fixed18> {
    let contract_size = |id: &SeriesId| {
        let snapshot = rules.venue(id.venue)?.at(Timestamp::MAX);
        let perp = snapshot
            .instrument(InstrumentKind::Perp, id.symbol)?
            .perp
            .as_ref()?;
        perp.counts_contracts.then_some(perp.contract_size.get())
    };
    ids.iter()
        .filter(|id| id.kind == SeriesKind::Perp)
        .filter_map(|id| Some((*id, contract_size(id)?)))
        .collect()
}

/// From when to when all of `needed` have values, proxies counted: the start is exclusive.
pub(super) fn covered(
    needed: &[SeriesId],
    data: &MarketData,
    proxies: &BTreeMap<SeriesId, SeriesId>,
) -> Option<(Timestamp, Timestamp)> {
    let ends = |id: SeriesId| data.extent(id);
    let mut range: Option<(Timestamp, Timestamp)> = None;
    for id in needed.iter().filter(|id| !id.kind.is_event()) {
        let proxy = proxies.get(id).copied().and_then(ends);
        let (from, to) = match (ends(*id), proxy) {
            (Some(own), Some(proxy)) => (own.0.min(proxy.0), own.1.max(proxy.1)),
            (own, proxy) => own.or(proxy)?,
        };
        range = Some(range.map_or((from, to), |(a, b)| (a.max(from), b.min(to))));
    }
    range
}

/// The end of prices, or one step earlier when a settlement of that very instant is the only one that
/// has not been recorded: nobody asked for it.
fn last_whole(last: Timestamp, setup: &Setup, needed: &[SeriesId], data: &MarketData) -> Timestamp {
    let is_cut = |id: &SeriesId| {
        data.rates(*id).is_some_and(|rates| {
            rates
                .at
                .last()
                .is_some_and(|newest| newest.plus(FUNDING_INTERVAL) == last)
        })
    };
    if needed.iter().any(is_cut) {
        last.minus(setup.run().step)
    } else {
        last
    }
}

fn with_dates(
    setup: Setup,
    needed: &[SeriesId],
    data: &MarketData,
) -> Result<Setup, ComponentError> {
    let refuse = |message| Err(ComponentError::new(Code::DatesInvalid, message));
    let (asked_from, asked_to) = (setup.run().from, setup.run().to);
    let Some((first, last)) = covered(needed, data, &setup.run().view.proxies) else {
        return refuse("a needed series has no rows at all".to_owned());
    };
    let from = if asked_from == Timestamp::MIN {
        first
    } else {
        asked_from
    };
    let to = if asked_to == Timestamp::MAX {
        last_whole(last, &setup, needed, data)
    } else {
        asked_to
    };
    if first >= last {
        return refuse(format!(
            "no instant is covered by every needed series ({first} to {last})"
        ));
    }
    if from >= last || to <= first {
        return refuse(format!(
            "{from} to {to} is outside the data, which covers {first} to {last}"
        ));
    }
    if from >= to {
        return refuse(format!("the run would start at {from} and end at {to}"));
    }
    Ok(setup.with_range(from, to))
}
