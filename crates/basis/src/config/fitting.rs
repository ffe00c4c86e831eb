//! The dates of a run: those configured, else all that its data cover.

use std::collections::BTreeMap;
use std::path::Path;

use basis_core::error::{Code, ComponentError};
use basis_core::types::{SeriesId, Span, Timestamp};
use basis_data::catalogue::expected_path;
use basis_market::{MarketData, SCHEDULE_TOLERANCE, Schedule};

use super::setup::Setup;

/// Gives `setup` its dates on loaded data.
///
/// # Errors
/// DATA-001 for series that are neither there nor replaced, CFG-004 for dates outside the data.
pub(super) fn fit(setup: Setup, data: &MarketData) -> Result<Setup, ComponentError> {
    let needed = setup.required_series()?;
    require(&needed, data, &setup)?;
    with_dates(setup, &needed, data)
}

/// Refuses when a needed series is neither there nor replaced by one that is.
fn require(needed: &[SeriesId], data: &MarketData, setup: &Setup) -> Result<(), ComponentError> {
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
                file_of(data, *id, setup.run().step)
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
fn file_of(data: &MarketData, id: SeriesId, step: Span) -> String {
    if data.is_synthetic() {
        return "such series in the synthetic market".to_owned();
    }
    let path = Path::new(data.source()).join(expected_path(id, step));
    format!("file {}", path.display())
}

fn rows(data: &MarketData, id: SeriesId) -> usize {
    let bars = data.bars(id).map(|series| series.len());
    bars.or_else(|| data.rates(id).map(|series| series.at.len()))
        .or_else(|| data.row_count(id))
        .unwrap_or_default()
}

/// From when to when all of `needed` have values, proxies counted: the start is exclusive.
fn covered(
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
        let newest = data.rates(*id).and_then(|rates| rates.at.last());
        newest.is_some_and(|newest| {
            let schedule = Schedule::of(*id, setup.rules(), data, setup.run().step);
            // A row stamped late is the value of the instant before it, one stamped early of that after.
            let settled = newest.plus(SCHEDULE_TOLERANCE);
            schedule.next(id.symbol, settled) == Some(last)
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
    if setup.is_over(from, to) {
        return Ok(setup);
    }
    Ok(setup.with_range(from, to))
}
