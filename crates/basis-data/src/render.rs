//! A [`DataReport`] as plain text for a terminal.

use std::fmt::Write as _;

use basis_core::types::{SeriesKind, Span, Timestamp};

use crate::check::{DataReport, SeriesReport, TableReport};
use crate::runnable::ModeRange;

/// How many ranges without gaps are shown per mode, the longest ones.
const RANGES_SHOWN: usize = 3;

/// The report and, when `modes` is not empty, which of them can run when.
///
/// Lines end with a newline; nothing is colored or wrapped.
#[must_use]
pub fn render(report: &DataReport, modes: &[ModeRange]) -> String {
    let mut out = format!("{}: {} series\n\n", report.directory, report.series.len());
    series_table(&mut out, &report.series);
    gaps(&mut out, &report.series);
    problems(&mut out, &report.series);
    tables(&mut out, &report.tables);
    if !report.ignored.is_empty() {
        out.push_str("\nNot read\n");
        for file in &report.ignored {
            line(&mut out, &format!("  {}: {}", file.path, file.reason));
        }
    }
    if !modes.is_empty() {
        out.push_str("\nModes\n");
        for mode in modes {
            mode_lines(&mut out, mode);
        }
    }
    out
}

fn line(out: &mut String, text: &str) {
    out.push_str(text.trim_end());
    out.push('\n');
}

fn time(at: Option<Timestamp>) -> String {
    at.map_or_else(|| "-".to_owned(), |at| at.to_string())
}

/// The interval, or a dash for dates of their own.
fn every(seconds: i64) -> String {
    if seconds == 0 {
        return "-".to_owned();
    }
    Span::from_seconds(seconds).to_string()
}

fn tables(out: &mut String, tables: &[TableReport]) {
    if tables.is_empty() {
        return;
    }
    out.push_str("\nTables\n");
    for table in tables {
        let text = format!(
            "  {}: {} rows, {} problems",
            table.path, table.rows, table.problem_count
        );
        line(out, &text);
        for problem in &table.problems {
            line(out, &format!("    {problem}"));
        }
    }
}

fn series_table(out: &mut String, series: &[SeriesReport]) {
    let header = [
        "series", "rows", "every", "first", "last", "missing", "problems",
    ];
    let mut rows = vec![header.map(str::to_owned)];
    rows.extend(series.iter().map(|found| {
        [
            found.series.to_string(),
            found.rows.to_string(),
            every(found.interval_seconds),
            time(found.first),
            time(found.last),
            found.missing.to_string(),
            found.problem_count.to_string(),
        ]
    }));
    let mut widths = [0; 7];
    for row in &rows {
        for (width, cell) in widths.iter_mut().zip(row) {
            *width = cell.chars().count().max(*width);
        }
    }
    for row in &rows {
        let mut text = String::new();
        for ((cell, width), column) in row.iter().zip(widths).zip(0..) {
            // Counts are aligned to the right, words and times to the left.
            let written = if matches!(column, 1 | 5 | 6) {
                write!(text, "{cell:>width$}  ")
            } else {
                write!(text, "{cell:<width$}  ")
            };
            written.expect("invariant: writing to a string cannot fail");
        }
        line(out, &text);
    }
}

fn gaps(out: &mut String, series: &[SeriesReport]) {
    if series.iter().all(|found| found.gaps.is_empty()) {
        return;
    }
    out.push_str("\nGaps (opening times of bars, instants of funding and rows)\n");
    for found in series {
        let unit = match found.series.kind {
            SeriesKind::Funding => "instants",
            kind if kind.has_bars() => "bars",
            _ => "rows",
        };
        for gap in &found.gaps {
            line(
                out,
                &format!(
                    "  {}  {} to {}  {} {unit}",
                    found.series, gap.first, gap.last, gap.missing
                ),
            );
        }
    }
}

fn problems(out: &mut String, series: &[SeriesReport]) {
    if series
        .iter()
        .all(|found| found.problems.is_empty() && found.notes.is_empty())
    {
        return;
    }
    out.push_str("\nProblems and notes\n");
    for found in series {
        for problem in &found.problems {
            line(out, &format!("  {}: {problem}", found.path));
        }
        let shown = u64::try_from(found.problems.len()).unwrap_or(u64::MAX);
        if found.problem_count > shown {
            let more = found.problem_count - shown;
            line(out, &format!("  {}: and {more} more", found.path));
        }
        for note in &found.notes {
            line(out, &format!("  {}: note: {note}", found.path));
        }
    }
}

fn mode_lines(out: &mut String, mode: &ModeRange) {
    line(out, &format!("  {}", mode.mode));
    for why in &mode.blocked_by {
        line(out, &format!("    cannot run: {why}"));
    }
    let mut longest: Vec<_> = mode.without_gaps.iter().collect();
    longest.sort_by_key(|range| (std::cmp::Reverse(range.to.since(range.from)), range.from));
    for range in longest.iter().take(RANGES_SHOWN) {
        line(
            out,
            &format!("    without gaps: {} to {}", range.from, range.to),
        );
    }
    if longest.len() > RANGES_SHOWN {
        let more = longest.len() - RANGES_SHOWN;
        line(out, &format!("    without gaps: {more} shorter ranges"));
    }
    if let Some(range) = mode.holding {
        let missing: Vec<_> = mode
            .missing
            .iter()
            .map(|gaps| format!("{} {}", gaps.missing, gaps.series))
            .collect();
        let missing = match missing.as_slice() {
            [] => String::new(),
            _ => format!(" (missing: {})", missing.join(", ")),
        };
        line(
            out,
            &format!(
                "    with data.gaps=hold: {} to {}{missing}",
                range.from, range.to
            ),
        );
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::check::check;
    use crate::rows::RISK_HEADER;
    use crate::runnable::{ModeRequirement, runnable};
    use crate::scratch::Scratch;
    use basis_core::rules::RuleBook;

    #[test]
    fn report_reads_as_a_table_with_gaps_problems_and_modes() {
        let dir = Scratch::new();
        let bars = |days: std::ops::Range<i64>| {
            let row = |day| format!("2024-01-{day:02}T00:00:00Z,20,2{day},19,20,10\n");
            let rows: String = days.filter(|day| *day != 5).map(row).collect();
            format!("timestamp,open,high,low,close,volume\n{rows}")
        };
        dir.write("spot/binance/BTCUSDT_1d.csv", bars(1..10));
        dir.write(
            "funding/okx/BTCUSDT.csv",
            "timestamp,funding_rate\n2024-01-01T00:00:00Z,x\n",
        );
        dir.write("pools/ethereum_1h.csv", "");
        dir.write("aave/risk_parameters.csv", "asset\n");
        let report = check(dir.path(), &RuleBook::default()).unwrap();
        let requirement = |mode: &str, series: &str| ModeRequirement {
            mode: mode.to_owned(),
            needed: vec![series.parse().unwrap()],
            ..ModeRequirement::default()
        };
        let modes = runnable(
            &report,
            &[
                requirement("hold_btc", "spot.binance.BTCUSDT"),
                requirement("btc_basis", "funding.okx.BTCUSDT"),
            ],
        );
        let text = render(&report, &modes);
        let expected = format!(
            "\
{}: 2 series

series                rows  every  first                 last                  missing  problems
spot.binance.BTCUSDT     8  1d     2024-01-01T00:00:00Z  2024-01-09T00:00:00Z        1         0
funding.okx.BTCUSDT      0  8h     -                     -                           0         1

Gaps (opening times of bars, instants of funding and rows)
  spot.binance.BTCUSDT  2024-01-05T00:00:00Z to 2024-01-05T00:00:00Z  1 bars

Problems and notes
  funding/okx/BTCUSDT.csv: line 2, column `funding_rate`: `x` is no exact number: unexpected 'x' at byte 0 of the decimal number

Tables
  aave/risk_parameters.csv: 0 rows, 1 problems
    line 1: `asset` is not the header; expected `{RISK_HEADER}`

Not read
  pools/ethereum_1h.csv: not read by this version

Modes
  hold_btc
    without gaps: 2024-01-01T00:00:00Z to 2024-01-05T00:00:00Z
    without gaps: 2024-01-06T00:00:00Z to 2024-01-10T00:00:00Z
    with data.gaps=hold: 2024-01-01T00:00:00Z to 2024-01-10T00:00:00Z (missing: 1 spot.binance.BTCUSDT)
  btc_basis
    cannot run: funding/okx/BTCUSDT.csv has 1 problems
",
            dir.path().display()
        );
        assert_eq!(text, expected);
    }
}
