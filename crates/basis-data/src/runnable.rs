//! Which modes can run on the data a [`DataReport`] describes, and over which instants.
//!
//! Times in a [`ModeRange`] are instants of a run, as `--from` and `--to` take them: a bar counts
//! when it is known, one length after its opening time; a row that is no bar from its own instant until
//! an hour after the next one is due. Rewards happen at dates of their own and bound nothing.

use std::collections::BTreeMap;

use basis_core::types::{SeriesId, SeriesKind, Span, Timestamp};
use basis_market::ViewPolicy;
use serde::Serialize;

use crate::catalogue::RISK_PARAMETERS;
use crate::check::{DataReport, SeriesReport, as_text};

/// The series a mode needs.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ModeRequirement {
    /// The mode.
    pub mode: String,
    /// Every series it reads with its default configuration.
    pub needed: Vec<SeriesId>,
    /// Series that fill another's gaps, or stand in for it when it is not there.
    pub proxies: BTreeMap<SeriesId, SeriesId>,
}

/// Over which instants a mode can run.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ModeRange {
    /// The mode.
    pub mode: String,
    /// Every range in which nothing it needs is missing, in order of time, of at least a day.
    pub without_gaps: Vec<DateRange>,
    /// The range it can run over with `data.gaps=hold`.
    pub holding: Option<DateRange>,
    /// What is missing in that range, proxies applied: held marks and unbooked funding.
    pub missing: Vec<ModeGaps>,
    /// Why it cannot run at all, empty when it can.
    pub blocked_by: Vec<String>,
}

/// Values of one series missing in a mode's range.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ModeGaps {
    /// The series.
    #[serde(serialize_with = "as_text")]
    pub series: SeriesId,
    /// How many values no proxy fills.
    pub missing: u64,
}

/// Instants from which and to which a run can go.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct DateRange {
    /// The earliest start; values known after it are there.
    pub from: Timestamp,
    /// The latest end.
    pub to: Timestamp,
}

/// For each mode: where it can run without gaps, where with `data.gaps=hold`, and what is missing.
///
/// A proxy that is in the report counts as the series it stands in for.
#[must_use]
pub fn runnable(report: &DataReport, requirements: &[ModeRequirement]) -> Vec<ModeRange> {
    requirements
        .iter()
        .map(|requirement| mode_range(report, requirement))
        .collect()
}

fn mode_range(report: &DataReport, requirement: &ModeRequirement) -> ModeRange {
    let mut result = ModeRange {
        mode: requirement.mode.clone(),
        without_gaps: Vec::new(),
        holding: None,
        missing: Vec::new(),
        blocked_by: Vec::new(),
    };
    let mut needed = requirement.needed.clone();
    needed.sort_unstable();
    needed.dedup();
    let mut sources = Vec::new();
    for id in needed {
        match Source::find(report, requirement, id) {
            Ok(source) => sources.push(source),
            Err(why) => result.blocked_by.extend(why),
        }
    }
    let lends = sources
        .iter()
        .any(|source| source.id.kind == SeriesKind::AaveReserve);
    if lends && report.tables.is_empty() {
        let what = format!("{RISK_PARAMETERS} is not there: the reserves have no risk parameters");
        result.blocked_by.push(what);
    }
    if !result.blocked_by.is_empty() {
        return result;
    }
    let intervals = sources.iter().map(|source| source.every);
    let Some(step) = intervals.filter(|every| *every > Span::ZERO).min() else {
        return result;
    };
    let everything = vec![Window {
        from: Timestamp::MIN,
        until: Timestamp::MAX,
    }];
    let whole = sources.iter().fold(everything.clone(), |windows, source| {
        intersect(&windows, &source.windows)
    });
    result.without_gaps = whole
        .iter()
        .map(|window| window.range(step))
        .filter(|range| range.to.since(range.from) >= Span::DAY)
        .collect();
    if sources.iter().any(|source| source.unscheduled) {
        result.without_gaps.clear();
    }
    let holding = sources
        .iter()
        .filter(|source| !source.id.kind.is_event())
        .filter_map(Source::extent)
        .fold(everything, |windows, extent| intersect(&windows, &[extent]));
    result.holding = holding
        .first()
        .map(|window| window.range(step))
        .filter(|range| range.to > range.from);
    if let Some(range) = result.holding {
        result.missing = sources
            .iter()
            .map(|source| ModeGaps {
                series: source.id,
                missing: source.missing_in(range),
            })
            .filter(|gaps| gaps.missing > 0)
            .collect();
    }
    result
}

/// Run instants between which nothing is missing: a run from `from` to before `until` is whole.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Window {
    from: Timestamp,
    until: Timestamp,
}

impl Window {
    /// The same with its last step inside.
    fn range(self, step: Span) -> DateRange {
        DateRange {
            from: self.from,
            to: self.until.minus(Span::from_nanos(1)).floor_to(step),
        }
    }
}

/// One needed series, with its proxy's values where it has none itself.
struct Source {
    id: SeriesId,
    every: Span,
    /// Windows without a missing value, in order of time, disjoint.
    windows: Vec<Window>,
    /// Whether rows of its own stand for no instant, so that a run refuses it unless gaps are held.
    unscheduled: bool,
}

impl Source {
    fn find(
        report: &DataReport,
        requirement: &ModeRequirement,
        id: SeriesId,
    ) -> Result<Self, Vec<String>> {
        let proxy = requirement.proxies.get(&id);
        let reports: Vec<_> = std::iter::once(&id)
            .chain(proxy)
            .flat_map(|id| {
                report
                    .series
                    .iter()
                    .filter(move |found| found.series == *id)
            })
            .collect();
        let Some(first) = reports.first() else {
            return Err(vec![match proxy {
                Some(proxy) => format!("{id} is not there, nor its proxy {proxy}"),
                None => format!("{id} is not there and no proxy is named for it"),
            }]);
        };
        let malformed: Vec<_> = reports
            .iter()
            .filter(|found| found.problem_count > 0)
            .map(|found| format!("{} has {} problems", found.path, found.problem_count))
            .collect();
        if !malformed.is_empty() {
            return Err(malformed);
        }
        Ok(Self {
            id,
            every: Span::from_seconds(first.interval_seconds),
            windows: join(reports.iter().flat_map(|found| found.windows()).collect()),
            unscheduled: first.series == id && first.unscheduled > 0,
        })
    }

    /// From the first value to the last.
    fn extent(&self) -> Option<Window> {
        Some(Window {
            from: self.windows.first()?.from,
            until: self.windows.last()?.until,
        })
    }

    /// How many values known in `(from, to]` are missing.
    fn missing_in(&self, range: DateRange) -> u64 {
        if self.every == Span::ZERO {
            return 0;
        }
        let due = |from: Timestamp, to: Timestamp| {
            let steps = to.floor_to(self.every).since(from.floor_to(self.every));
            u64::try_from(steps.nanos() / self.every.nanos()).unwrap_or_default()
        };
        let inside = Window {
            from: range.from,
            until: range.to.plus(Span::from_nanos(1)),
        };
        let there: u64 = intersect(&self.windows, &[inside])
            .iter()
            .map(|window| due(window.from, window.until.minus(Span::from_nanos(1))))
            .sum();
        due(range.from, range.to).saturating_sub(there)
    }
}

impl SeriesReport {
    /// Windows without a missing value, in order of time.
    fn windows(&self) -> Vec<Window> {
        let (Some(first), Some(last)) = (self.first, self.last) else {
            return Vec::new();
        };
        let every = Span::from_seconds(self.interval_seconds);
        let kind = self.series.kind;
        if every == Span::ZERO {
            return vec![Window {
                from: Timestamp::MIN,
                until: Timestamp::MAX,
            }];
        }
        if !kind.has_bars() && !kind.is_event() {
            return self.held_windows(first, last, every);
        }
        // A bar is known one length after its opening time, a rate at its own instant.
        let delay = if kind.has_bars() { every } else { Span::ZERO };
        // A run of values is whole from the instant of the missing one before it to before that of
        // the missing one after it.
        let mut from = first.plus(delay).minus(every);
        let mut windows = Vec::with_capacity(self.gaps.len() + 1);
        for gap in &self.gaps {
            windows.push(Window {
                from,
                until: gap.first.plus(delay),
            });
            from = gap.last.plus(delay);
        }
        windows.push(Window {
            from,
            until: last.plus(delay).plus(every),
        });
        windows
    }
}

impl SeriesReport {
    /// As [`SeriesReport::windows`], for rows that hold until the next one and a slack longer.
    fn held_windows(&self, first: Timestamp, last: Timestamp, every: Span) -> Vec<Window> {
        let slack = ViewPolicy::default().slack();
        let mut from = first;
        let mut windows = Vec::with_capacity(self.gaps.len() + 1);
        for gap in &self.gaps {
            windows.push(Window {
                from,
                until: gap.first.plus(slack),
            });
            from = gap.last.plus(every);
        }
        windows.push(Window {
            from,
            until: last.plus(every).plus(slack),
        });
        windows
    }
}

/// The windows of a series and its proxy as disjoint ones: those that overlap become one.
fn join(mut windows: Vec<Window>) -> Vec<Window> {
    windows.sort_unstable_by_key(|window| (window.from, window.until));
    let mut joined: Vec<Window> = Vec::with_capacity(windows.len());
    for window in windows {
        match joined.last_mut() {
            // A run may not cross the end of one at the start of the next: the value due at the
            // common instant belongs to neither.
            Some(last) if window.from < last.until => last.until = last.until.max(window.until),
            _ => joined.push(window),
        }
    }
    joined
}

/// What lies in both; both in order of time and disjoint.
fn intersect(a: &[Window], b: &[Window]) -> Vec<Window> {
    let (mut a, mut b) = (a.iter().peekable(), b.iter().peekable());
    let mut result = Vec::new();
    while let (Some(x), Some(y)) = (a.peek(), b.peek()) {
        let (from, until) = (x.from.max(y.from), x.until.min(y.until));
        if from < until {
            result.push(Window { from, until });
        }
        if x.until <= y.until {
            a.next();
        } else {
            b.next();
        }
    }
    result
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::check::check;
    use crate::csv::{BAR_HEADER, RATE_HEADER};
    use crate::scratch::Scratch;
    use basis_core::rules::RuleBook;

    const SPOT: &str = "spot.binance.BTCUSDT";
    const PERP: &str = "perp.okx.BTCUSDT";
    const FUNDING: &str = "funding.okx.BTCUSDT";

    fn id(text: &str) -> SeriesId {
        text.parse().unwrap()
    }

    fn hour(hour: i64) -> Timestamp {
        Timestamp::from_date(2024, 1, 1)
            .unwrap()
            .plus(Span::from_hours(hour))
    }

    fn bars(dir: &Scratch, name: &str, opened: impl IntoIterator<Item = i64>) {
        let rows: String = opened
            .into_iter()
            .map(|at| format!("{},2,3,1,2,10\n", hour(at)))
            .collect();
        dir.write(name, format!("{BAR_HEADER}\n{rows}"));
    }

    fn rates(dir: &Scratch, name: &str, at: impl IntoIterator<Item = i64>) {
        let rows: String = at
            .into_iter()
            .map(|at| format!("{},0.0001\n", hour(at)))
            .collect();
        dir.write(name, format!("{RATE_HEADER}\n{rows}"));
    }

    fn range(from: i64, to: i64) -> DateRange {
        DateRange {
            from: hour(from),
            to: hour(to),
        }
    }

    fn requirement(needed: &[&str], proxies: &[(&str, &str)]) -> ModeRequirement {
        ModeRequirement {
            mode: "btc_basis".to_owned(),
            needed: needed.iter().map(|text| id(text)).collect(),
            proxies: proxies.iter().map(|(a, b)| (id(a), id(b))).collect(),
        }
    }

    #[test]
    fn mode_runs_where_nothing_it_needs_is_missing() {
        let dir = Scratch::new();
        bars(&dir, "spot/binance/BTCUSDT_1h.csv", 0..200);
        bars(&dir, "perp/okx/BTCUSDT_1h.csv", (10..90).chain(100..180));
        rates(&dir, "funding/okx/BTCUSDT.csv", (0..=200).step_by(8));
        let report = check(dir.path(), &RuleBook::default()).unwrap();
        let modes = runnable(&report, &[requirement(&[SPOT, PERP, FUNDING], &[])]);
        let mode = &modes[0];
        // Opening at 90 is missing, so nothing is known at 91; known again at 101.
        assert_eq!(mode.without_gaps, [range(10, 90), range(100, 180)]);
        assert_eq!(mode.holding, Some(range(10, 180)));
        let missing = ModeGaps {
            series: id(PERP),
            missing: 10,
        };
        assert_eq!(mode.missing, [missing]);
        assert_eq!(mode.blocked_by, [""; 0]);
    }

    #[test]
    fn missing_funding_splits_the_ranges_but_only_counts_when_holding() {
        let dir = Scratch::new();
        bars(&dir, "perp/okx/BTCUSDT_1h.csv", 0..100);
        rates(
            &dir,
            "funding/okx/BTCUSDT.csv",
            (0..=96).step_by(8).filter(|at| *at != 48),
        );
        let report = check(dir.path(), &RuleBook::default()).unwrap();
        let modes = runnable(&report, &[requirement(&[PERP, FUNDING], &[])]);
        let mode = &modes[0];
        assert_eq!(mode.without_gaps, [range(0, 47), range(48, 100)]);
        assert_eq!(mode.holding, Some(range(0, 100)));
        let missing = ModeGaps {
            series: id(FUNDING),
            missing: 1,
        };
        assert_eq!(mode.missing, [missing]);
    }

    #[test]
    fn proxy_fills_gaps_or_stands_in_for_a_series_that_is_not_there() {
        let dir = Scratch::new();
        bars(&dir, "perp/okx/BTCUSDT_1h.csv", (0..40).chain(50..100));
        bars(&dir, "perp/bybit/BTCUSDT_1h.csv", 30..90);
        let report = check(dir.path(), &RuleBook::default()).unwrap();
        let proxies = [(PERP, "perp.bybit.BTCUSDT"), (SPOT, "perp.bybit.BTCUSDT")];
        let modes = runnable(
            &report,
            &[
                requirement(&[PERP], &proxies),
                requirement(&[SPOT], &proxies),
                requirement(&[SPOT], &[]),
                requirement(&[SPOT], &[(SPOT, "spot.okx.BTCUSDT")]),
            ],
        );
        assert_eq!(modes[0].without_gaps, [range(0, 100)]);
        assert_eq!(modes[0].missing, []);
        assert_eq!(modes[1].without_gaps, [range(30, 90)]);
        assert_eq!(
            modes[2].blocked_by,
            ["spot.binance.BTCUSDT is not there and no proxy is named for it"]
        );
        assert_eq!(
            modes[3].blocked_by,
            ["spot.binance.BTCUSDT is not there, nor its proxy spot.okx.BTCUSDT"]
        );
    }

    #[test]
    fn rows_count_from_their_instant_until_an_hour_after_the_next_is_due() {
        let dir = Scratch::new();
        let days = |days: &[i64]| {
            let row = |day: &i64| format!("{},1.05\n", hour(24 * day));
            let rows: String = days.iter().map(row).collect();
            format!("timestamp,price\n{rows}")
        };
        dir.write("aave/oracle/weETH_ETH_1d.csv", days(&[1, 2, 3, 5, 6]));
        bars(&dir, "spot/binance/BTCUSDT_1h.csv", 0..200);
        dir.write(
            "rewards/etherfi_ethfi_topups.csv",
            format!(
                "{}\n2024-03-01,2024-01-01,2024-01-07,5,0.1\n",
                crate::rows::TOP_UP_HEADER
            ),
        );
        let report = check(dir.path(), &RuleBook::default()).unwrap();
        let (oracle, top_up) = ("oracle.aave.weETH_ETH", "reward_top_up.etherfi.ETHFI");
        let modes = runnable(&report, &[requirement(&[SPOT, oracle, top_up], &[])]);
        let mode = &modes[0];
        // Day 4 is missing: what day 3 said is fresh until hour 97, exclusive.
        assert_eq!(mode.without_gaps, [range(24, 96), range(120, 168)]);
        assert_eq!(mode.holding, Some(range(24, 168)));
        let missing = ModeGaps {
            series: id(oracle),
            missing: 1,
        };
        assert_eq!(mode.missing, [missing]);
        assert_eq!(mode.blocked_by, [""; 0]);
    }

    #[test]
    fn malformed_file_blocks_the_modes_that_need_it() {
        let dir = Scratch::new();
        let rows = format!("{BAR_HEADER}\n{},2,3,1,2,nan\n2024", hour(0));
        dir.write("spot/binance/BTCUSDT_1h.csv", rows);
        let report = check(dir.path(), &RuleBook::default()).unwrap();
        let modes = runnable(&report, &[requirement(&[SPOT], &[])]);
        assert_eq!(
            modes[0].blocked_by,
            ["spot/binance/BTCUSDT_1h.csv has 2 problems"]
        );
        assert_eq!(modes[0].holding, None);
    }
}
