//! Where series have holes within a range, found before a run starts.

use super::series::MarketData;
use super::view::ViewPolicy;
use crate::types::{SeriesId, SeriesKind, Span, Timestamp};

/// How a gap is treated.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum GapTreatment {
    /// The proxy fills it.
    Proxied(SeriesId),
    /// The mark is held on the reference; no orders there.
    Held,
    /// A funding instant that books nothing.
    Unbooked,
}

/// Consecutive missing values of one series.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Gap {
    /// The series.
    pub series: SeriesId,
    /// When the first missing value would have been known.
    pub first: Timestamp,
    /// When the last missing value would have been known.
    pub last: Timestamp,
    /// How many values are missing.
    pub missing: u64,
    /// How they are treated.
    pub treatment: GapTreatment,
}

/// What one series holds of a range.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Coverage {
    /// The series.
    pub series: SeriesId,
    /// Values expected in the range.
    pub expected: u64,
    /// Values the series has itself.
    pub present: u64,
    /// What is missing, in order of time.
    pub gaps: Vec<Gap>,
}

/// Looks for the values of `series` that should become known in `(from, to]`, one every `every`,
/// on instants that are multiples of `every` since the epoch.
///
/// A gap that a proxy covers in part is split where the treatment changes.
#[must_use]
pub fn coverage(
    data: &MarketData,
    policy: &ViewPolicy,
    series: SeriesId,
    every: Span,
    (from, to): (Timestamp, Timestamp),
) -> Coverage {
    assert!(
        every > Span::ZERO,
        "invariant: a series has a positive interval"
    );
    let has = |id: SeriesId, at: Timestamp| match id.kind {
        SeriesKind::Funding => data
            .rates(id)
            .is_some_and(|rates| rates.at.binary_search(&at).is_ok()),
        SeriesKind::Spot | SeriesKind::Perp => data
            .bars(id)
            .is_some_and(|bars| bars.opened_at.binary_search(&at.minus(bars.length)).is_ok()),
    };
    let proxy = policy.proxies.get(&series).copied();
    let otherwise = match series.kind {
        SeriesKind::Funding => GapTreatment::Unbooked,
        SeriesKind::Spot | SeriesKind::Perp => GapTreatment::Held,
    };
    let mut result = Coverage {
        series,
        expected: 0,
        present: 0,
        gaps: Vec::new(),
    };
    let mut at = from.floor_to(every).plus(every);
    while at <= to {
        result.expected += 1;
        if has(series, at) {
            result.present += 1;
        } else {
            let treatment = match proxy {
                Some(proxy) if has(proxy, at) => GapTreatment::Proxied(proxy),
                _ => otherwise,
            };
            match result.gaps.last_mut() {
                Some(gap) if gap.treatment == treatment && gap.last.plus(every) == at => {
                    gap.last = at;
                    gap.missing += 1;
                }
                _ => result.gaps.push(Gap {
                    series,
                    first: at,
                    last: at,
                    missing: 1,
                    treatment,
                }),
            }
        }
        at = at.plus(every);
    }
    result
}
