//! What a data directory holds and where it has holes.
//!
//! Times in a [`SeriesReport`] are those of the file: opening times of bars, instants of funding and
//! other rows, payout instants of rewards.

use std::path::Path;

use basis_core::error::ComponentError;
use basis_core::num::Fixed18;
use basis_core::rules::RuleBook;
use basis_core::types::{SeriesId, SeriesKind, Span, Timestamp};
use basis_market::{
    Coverage, Gap, MarketData, SCHEDULE_TOLERANCE, Schedule, ViewPolicy, coverage, suspect_months,
};
use serde::{Serialize, Serializer};

use crate::catalogue::{Catalogue, IgnoredFile, RISK_PARAMETERS, SeriesFile};
use crate::csv::{Parsed, Problems, parse_bars, parse_rates, read};
use crate::load::Columns;
use crate::rows::{parse_risk_parameters, parse_rows};

/// How many malformed lines of a file a report spells out.
const SHOWN_PER_FILE: usize = 20;

/// What [`check`] found.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct DataReport {
    /// The directory.
    pub directory: String,
    /// Every series file, sorted by series.
    pub series: Vec<SeriesReport>,
    /// Every table that is no series.
    pub tables: Vec<TableReport>,
    /// Files that are not read, and why.
    pub ignored: Vec<IgnoredFile>,
}

/// What one table holds.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct TableReport {
    /// The file, relative to the directory.
    pub path: String,
    /// Well-formed rows.
    pub rows: u64,
    /// Malformed lines, the first 20 of them; a run refuses a file that has any.
    pub problems: Vec<String>,
    /// How many malformed lines there are.
    pub problem_count: u64,
}

/// What one file holds.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct SeriesReport {
    /// The series, written `kind.venue.symbol`.
    #[serde(serialize_with = "as_text")]
    pub series: SeriesId,
    /// The file, relative to the directory.
    pub path: String,
    /// Bar length, funding interval, or time between rows, in seconds; 0 for rewards, whose dates are
    /// their own.
    pub interval_seconds: i64,
    /// Well-formed rows.
    pub rows: u64,
    /// The first row's time; none without rows.
    pub first: Option<Timestamp>,
    /// The last row's time; none without rows.
    pub last: Option<Timestamp>,
    /// Values missing between first and last.
    pub missing: u64,
    /// Where they are missing.
    pub gaps: Vec<GapRange>,
    /// Rows that lie on no settlement of the rules; a run over them does not start.
    pub unscheduled: u64,
    /// Malformed lines, the first 20 of them; a run refuses a file that has any.
    pub problems: Vec<String>,
    /// How many malformed lines there are.
    pub problem_count: u64,
    /// What is worth knowing but refuses nothing.
    pub notes: Vec<String>,
}

/// Consecutive missing values of a series, in the file's own times.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct GapRange {
    /// Time of the first missing value.
    pub first: Timestamp,
    /// Time of the last missing value.
    pub last: Timestamp,
    /// How many are missing.
    pub missing: u64,
}

pub(crate) fn as_text<S: Serializer>(id: &SeriesId, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(id)
}

/// Reads every series file below `dir` and reports what it holds, settlements by `rules`. Malformed lines
/// are reported, not errors.
///
/// # Errors
/// `DATA-005` as [`Catalogue::scan`].
pub fn check(dir: &Path, rules: &RuleBook) -> Result<DataReport, ComponentError> {
    let catalogue = Catalogue::scan(dir)?;
    // Funding is kept, so that venues can be held against one another.
    let mut funding = MarketData::new(dir.display().to_string(), false);
    let mut series: Vec<_> = catalogue
        .files
        .iter()
        .map(|file| check_file(file, rules, &mut funding))
        .collect();
    for month in suspect_months(&funding, rules) {
        let its = |report: &&mut SeriesReport| report.series == month.series;
        if let Some(report) = series.iter_mut().find(its) {
            report.notes.push(month.note());
        }
    }
    for (file, report) in catalogue.files.iter().zip(&mut series) {
        if let Err(e) = catalogue.find(file.id) {
            report.problem_count += 1;
            report.problems.push(e.message);
        }
    }
    Ok(DataReport {
        directory: dir.display().to_string(),
        series,
        tables: catalogue
            .risk_parameters
            .iter()
            .map(|path| check_table(path))
            .collect(),
        ignored: catalogue.ignored,
    })
}

fn check_table(path: &Path) -> TableReport {
    let (rows, problems, problem_count) = match read(path) {
        Ok(bytes) => {
            let parsed = parse_risk_parameters(&bytes, SHOWN_PER_FILE);
            let problems = parsed
                .problems
                .kept
                .iter()
                .map(ToString::to_string)
                .collect();
            (parsed.series.len(), problems, parsed.problems.count)
        }
        Err(e) => (0, vec![e.message], 1),
    };
    TableReport {
        path: RISK_PARAMETERS.to_owned(),
        rows: u64::try_from(rows).unwrap_or(u64::MAX),
        problems,
        problem_count,
    }
}

fn check_file(file: &SeriesFile, rules: &RuleBook, funding: &mut MarketData) -> SeriesReport {
    #[cfg(feature = "parquet")]
    if file.is_parquet() {
        return check_parquet(file, rules, funding);
    }
    let bytes = match read(&file.path) {
        Ok(bytes) => bytes,
        Err(e) => return unread(file, e.message),
    };
    let Parsed {
        series: columns,
        problems,
    } = parse_columns(file, &bytes);
    let Problems { kept, count, .. } = problems;
    let problems = kept.iter().map(ToString::to_string).collect();
    file_report(file, columns, (rules, funding), (problems, count))
}

/// A file's well-formed rows.
fn parse_columns(file: &SeriesFile, bytes: &[u8]) -> Parsed<Columns> {
    let (id, every) = (file.id, file.interval);
    match id.kind {
        SeriesKind::Funding => parse_rates(bytes, id, SHOWN_PER_FILE).map(Columns::Rates),
        kind if kind.has_bars() => {
            parse_bars(bytes, id, every, Fixed18::ONE, SHOWN_PER_FILE).map(Columns::Bars)
        }
        _ => parse_rows(bytes, id, every, SHOWN_PER_FILE).map(Columns::Rows),
    }
}

/// The first malformed row of a Parquet file refuses the rest of it.
#[cfg(feature = "parquet")]
fn check_parquet(file: &SeriesFile, rules: &RuleBook, funding: &mut MarketData) -> SeriesReport {
    use crate::parquet::{load_bars, load_rates};
    let columns = if file.id.kind == SeriesKind::Funding {
        load_rates(&file.path, file.id).map(Columns::Rates)
    } else {
        load_bars(&file.path, file.id, file.interval, Fixed18::ONE).map(Columns::Bars)
    };
    match columns {
        Ok(columns) => file_report(file, columns, (rules, funding), (Vec::new(), 0)),
        Err(e) => unread(file, e.message),
    }
}

/// The report of a file of which nothing could be read.
fn unread(file: &SeriesFile, problem: String) -> SeriesReport {
    SeriesReport {
        series: file.id,
        path: file.name.clone(),
        interval_seconds: file.interval.seconds(),
        rows: 0,
        first: None,
        last: None,
        missing: 0,
        gaps: Vec::new(),
        unscheduled: 0,
        problems: vec![problem],
        problem_count: 1,
        notes: Vec::new(),
    }
}

fn file_report(
    file: &SeriesFile,
    columns: Columns,
    (rules, funding): (&RuleBook, &mut MarketData),
    (mut problems, mut problem_count): (Vec<String>, u64),
) -> SeriesReport {
    let (id, times) = (file.id, columns.times());
    let (first, last) = (times.first().copied(), times.last().copied());
    let mut data = MarketData::new(file.name.clone(), false);
    if let Columns::Rates(rates) = &columns
        && !funding.contains(id)
        && let Err(e) = funding.add_rates(rates.clone())
    {
        problems.push(e.to_string());
        problem_count += 1;
    }
    if let Err(e) = columns.add_to(&mut data) {
        problems.push(e.to_string());
        problem_count += 1;
    }
    let schedule = Schedule::of(id, rules, &data, file.interval);
    let mut report = SeriesReport {
        interval_seconds: first
            .map_or(file.interval, |at| schedule_interval(file, schedule, at))
            .seconds(),
        rows: u64::try_from(times.len()).unwrap_or(u64::MAX),
        first,
        last,
        problems,
        problem_count,
        ..unread(file, String::new())
    };
    if let Some((first, last)) = first.zip(last).filter(|_| file.interval > Span::ZERO) {
        let found = whole_coverage(&data, id, schedule, (first, last));
        // A bar is known one length after its opening time.
        let delay = if id.kind.has_bars() {
            file.interval
        } else {
            Span::ZERO
        };
        report.gaps = found
            .gaps
            .iter()
            .map(|gap| GapRange::of(gap, delay))
            .collect();
        report.missing = report.gaps.iter().map(|gap| gap.missing).sum();
        report.unscheduled = found.unscheduled.map_or(0, |stray| stray.rows);
        report.notes = found.notes();
    }
    report
}

/// The time between two values: of settlements by the rules, of rows as the file's name says.
fn schedule_interval(file: &SeriesFile, schedule: Schedule<'_>, at: Timestamp) -> Span {
    match file.id.kind {
        SeriesKind::Funding => schedule.interval(file.id.symbol, at),
        _ => file.interval,
    }
}

/// The coverage of a series from its first value to its last.
fn whole_coverage(
    data: &MarketData,
    id: SeriesId,
    schedule: Schedule<'_>,
    (first, last): (Timestamp, Timestamp),
) -> Coverage {
    let policy = ViewPolicy::default();
    let instant = Span::from_nanos(1);
    let range = match id.kind {
        SeriesKind::Funding => (
            first.minus(SCHEDULE_TOLERANCE).minus(instant),
            last.plus(SCHEDULE_TOLERANCE),
        ),
        kind if kind.has_bars() => {
            let length = schedule.interval(id.symbol, first);
            (first, last.plus(length))
        }
        _ => (first, last.plus(policy.slack())),
    };
    coverage(data, &policy, id, schedule, range)
}

impl GapRange {
    fn of(gap: &Gap, delay: Span) -> Self {
        Self {
            first: gap.first.minus(delay),
            last: gap.last.minus(delay),
            missing: gap.missing,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::csv::{BAR_HEADER, RATE_HEADER};
    use crate::scratch::{Scratch, recorded};
    use basis_core::error::Code;

    const SPOT: &str = "spot.binance.BTCUSDT";
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

    fn gaps_of(report: &DataReport, series: &str) -> Vec<(String, String, u64)> {
        let series = id(series);
        let found = report.series.iter().find(|found| found.series == series);
        let gaps = found.unwrap().gaps.iter();
        gaps.map(|gap| (gap.first.to_string(), gap.last.to_string(), gap.missing))
            .collect()
    }

    #[test]
    fn gaps_are_ranges_with_counts_in_the_files_own_times() {
        let dir = Scratch::new();
        bars(&dir, "spot/binance/BTCUSDT_1h.csv", [0, 1, 4, 5, 7]);
        rates(&dir, "funding/okx/BTCUSDT.csv", [0, 8, 32]);
        let report = check(dir.path(), &RuleBook::default()).unwrap();
        let spot = &report.series[0];
        assert_eq!((spot.rows, spot.missing), (5, 3));
        assert_eq!((spot.first, spot.last), (Some(hour(0)), Some(hour(7))));
        let text = |at| hour(at).to_string();
        let expected = [(text(2), text(3), 2), (text(6), text(6), 1)];
        assert_eq!(gaps_of(&report, SPOT), expected);
        assert_eq!(gaps_of(&report, FUNDING), [(text(16), text(24), 2)]);
        assert_eq!(report.series[1].interval_seconds, 8 * 3_600);
    }

    #[test]
    fn rates_off_schedule_are_noted_and_do_not_hide_gaps() {
        let dir = Scratch::new();
        rates(&dir, "funding/okx/BTCUSDT.csv", [1, 8, 12, 17, 32]);
        let report = check(dir.path(), &RuleBook::default()).unwrap();
        let text = |at| hour(at).to_string();
        assert_eq!(gaps_of(&report, FUNDING), [(text(16), text(24), 2)]);
        assert_eq!(
            report.series[0].notes,
            [
                "3 row(s) of funding.okx.BTCUSDT from 2024-01-01T01:00:00Z to \
                 2024-01-01T17:00:00Z lie on no settlement of the rules: they book nothing"
            ]
        );
    }

    #[test]
    fn every_malformed_line_is_reported_up_to_twenty_and_counted_beyond() {
        let dir = Scratch::new();
        let bad = |at| format!("{},2,3,1,2,nan\n", hour(at));
        let rows: String = (1..=25).map(bad).collect();
        let good = format!("{},2,3,1,2,1\n", hour(0));
        dir.write(
            "spot/binance/BTCUSDT_1h.csv",
            format!("{BAR_HEADER}\n{good}{rows}2024"),
        );
        let report = check(dir.path(), &RuleBook::default()).unwrap();
        let spot = &report.series[0];
        assert_eq!((spot.rows, spot.problem_count), (1, 26));
        assert_eq!(spot.problems.len(), 20);
        assert_eq!(
            spot.problems[0],
            "line 3, column `volume`: `nan` is not a finite number"
        );
    }

    #[test]
    fn missing_directory_is_data_005_and_two_bar_lengths_a_problem() {
        let dir = Scratch::new();
        let e = check(&dir.path().join("absent"), &RuleBook::default()).unwrap_err();
        assert_eq!(e.code, Code::DataDirectory);
        bars(&dir, "spot/binance/BTCUSDT_1h.csv", 0..3);
        bars(&dir, "spot/binance/BTCUSDT_2h.csv", [0, 2]);
        let report = check(dir.path(), &RuleBook::default()).unwrap();
        for found in &report.series {
            assert_eq!(found.problem_count, 1);
            assert!(found.problems[0].contains("keep one bar length"));
        }
    }

    #[test]
    fn report_serializes_with_text_ids_and_times() {
        let dir = Scratch::new();
        bars(&dir, "spot/binance/BTCUSDT_1h.csv", [0, 2]);
        let json = serde_json::to_value(check(dir.path(), &RuleBook::default()).unwrap()).unwrap();
        let spot = &json["series"][0];
        assert_eq!(spot["series"], SPOT);
        assert_eq!(spot["first"], "2024-01-01T00:00:00Z");
        assert_eq!(spot["gaps"][0]["missing"], 1);
    }

    #[test]
    fn known_gaps_of_the_recorded_data_are_found_exactly() {
        let Some(dir) = recorded() else { return };
        let report = check(&dir, &RuleBook::default()).unwrap();
        assert!(report.series.iter().all(|found| found.problem_count == 0));
        let missing: Vec<_> = report
            .series
            .iter()
            .filter(|found| found.missing > 0)
            .map(|found| (found.series.to_string(), found.gaps.len(), found.missing))
            .collect();
        let expected = [
            ("spot.binance.BTCUSDT", 12, 276),
            ("perp.binance.BTCUSDT", 12, 276),
            ("perp.binance.ETHUSDT", 12, 276),
            ("perp.okx.ETHUSDT", 2, 1_440),
            ("funding.okx.BTCUSDT", 11, 123),
            ("funding.okx.ETHUSDT", 11, 123),
        ]
        .map(|(name, gaps, missing)| (name.to_owned(), gaps, missing));
        assert_eq!(missing, expected);
        let binance = gaps_of(&report, SPOT);
        assert!(binance.iter().all(|(_, _, missing)| *missing == 23));
        let first = ("2024-02-10T01:00:00Z", "2024-02-10T23:00:00Z", 23);
        assert_eq!(
            binance[0],
            (first.0.to_owned(), first.1.to_owned(), first.2)
        );
        let gap = |first: &str, last: &str, missing| (first.to_owned(), last.to_owned(), missing);
        assert_eq!(
            gaps_of(&report, "perp.okx.ETHUSDT"),
            [
                gap("2024-08-31T16:00:00Z", "2024-09-30T15:00:00Z", 720),
                gap("2025-03-31T16:00:00Z", "2025-04-30T15:00:00Z", 720),
            ]
        );
        let funding = gaps_of(&report, FUNDING);
        assert_eq!(
            funding[0],
            gap("2024-08-01T00:00:00Z", "2024-08-31T16:00:00Z", 93)
        );
        assert!(funding[1..].iter().all(|(_, _, missing)| *missing == 3));
        let ignored: Vec<_> = report.ignored.iter().map(|file| &file.path).collect();
        assert_eq!(ignored, ["README.md"]);
        let [table] = report.tables.as_slice() else {
            panic!("one table: {:?}", report.tables);
        };
        assert_eq!((table.rows, table.problem_count), (4, 0));
    }
}
