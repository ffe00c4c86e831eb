//! Funding rates as a view shows them.

use std::collections::BTreeMap;
use std::sync::Arc;

use basis_core::num::Rate;
use basis_core::types::{SeriesId, Timestamp};

use super::MarketView;
use crate::schedule::SCHEDULE_TOLERANCE;
use crate::series::{MarketData, RateSeries, SeriesError, check_next};

/// What a view knows of one funding instant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FundingLookup {
    /// The series' own rate.
    Rate(Rate),
    /// The proxy's rate, and which series it is.
    Proxied(Rate, SeriesId),
    /// Nobody recorded one.
    Missing,
}

/// The rates of one perp, and how many of them are not visible yet whatever their instants.
#[derive(Clone, Debug)]
struct RateEntry {
    series: Arc<RateSeries>,
    /// Appended since the view last moved.
    unseen: usize,
}

/// The funding rates behind a view.
#[derive(Clone, Debug, Default)]
pub(crate) struct RateEntries {
    entries: BTreeMap<SeriesId, RateEntry>,
    /// Whether something was appended since the view last moved.
    written: bool,
}

impl RateEntries {
    pub(crate) fn of(data: &MarketData) -> Self {
        let entry = |(id, series): (&SeriesId, &Arc<RateSeries>)| {
            let series = Arc::clone(series);
            (*id, RateEntry { series, unseen: 0 })
        };
        Self {
            entries: data.rates.iter().map(entry).collect(),
            written: false,
        }
    }

    /// Shows what was appended.
    pub(crate) fn advance(&mut self) {
        if !self.written {
            return;
        }
        for entry in self.entries.values_mut() {
            entry.unseen = 0;
        }
        self.written = false;
    }

    fn find(&self, id: SeriesId, instant: Timestamp) -> Option<Rate> {
        let entry = self.entries.get(&id)?;
        let seen = entry.series.at.len().saturating_sub(entry.unseen);
        let times = entry.series.at.get(..seen)?;
        let row = match times.binary_search(&instant) {
            Ok(row) => row,
            Err(next) => nearest(times, next, instant)?,
        };
        entry.series.rate.get(row).copied()
    }

    /// Appends a rate; it is visible from its instant on, but not before the view moves.
    pub(crate) fn push(
        &mut self,
        id: SeriesId,
        at: Timestamp,
        rate: Rate,
    ) -> Result<(), SeriesError> {
        let entry = self.entries.get_mut(&id).ok_or(SeriesError::NotRead(id))?;
        check_next(id, &entry.series.at, at)?;
        let series = Arc::make_mut(&mut entry.series);
        series.at.push(at);
        series.rate.push(rate);
        entry.unseen += 1;
        self.written = true;
        Ok(())
    }

    /// Drops the rates of `id` before `from`, but never the newest, once they are as many as those kept.
    pub(crate) fn forget_before(&mut self, id: SeriesId, from: Timestamp) {
        let Some(entry) = self.entries.get_mut(&id) else {
            return;
        };
        let kept = entry.series.at.len();
        let rows = entry.series.at.partition_point(|at| *at < from);
        let rows = rows.min(kept.saturating_sub(1));
        if rows * 2 > kept {
            let series = Arc::make_mut(&mut entry.series);
            series.at.drain(..rows);
            series.rate.drain(..rows);
        }
    }

    /// How many rates of `id` are kept.
    #[cfg(test)]
    pub(crate) fn kept(&self, id: SeriesId) -> Option<usize> {
        Some(self.entries.get(&id)?.series.at.len())
    }
}

/// The row before `next` or the one there, whichever is nearer to `instant` and within the tolerance of a
/// schedule.
fn nearest(times: &[Timestamp], next: usize, instant: Timestamp) -> Option<usize> {
    let distance = |row: &usize| {
        let at = times.get(*row)?;
        Some(at.since(instant).nanos().unsigned_abs())
    };
    let rows = next.checked_sub(1).into_iter().chain([next]);
    let near = rows.filter_map(|row| Some((distance(&row)?, row))).min()?;
    (near.0 <= SCHEDULE_TOLERANCE.nanos().unsigned_abs()).then_some(near.1)
}

impl MarketView {
    /// The funding rate that `id` settled at `instant`, be it stamped up to [`SCHEDULE_TOLERANCE`] off; `Missing` for an instant still to come.
    #[must_use]
    pub fn funding(&self, id: SeriesId, instant: Timestamp) -> FundingLookup {
        if instant > self.now() {
            return FundingLookup::Missing;
        }
        if let Some(rate) = self.rates.find(id, instant) {
            return FundingLookup::Rate(rate);
        }
        let proxied = self.policy().proxies.get(&id).and_then(|proxy| {
            let rate = self.rates.find(*proxy, instant)?;
            Some(FundingLookup::Proxied(rate, *proxy))
        });
        proxied.unwrap_or(FundingLookup::Missing)
    }
}
