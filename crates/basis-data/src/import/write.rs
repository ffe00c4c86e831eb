//! Makes the file of a series, holds it against the rules that a run reads it by, and puts it there.

use std::fs;
use std::path::Path;

use basis_core::error::{Code, ComponentError};
use basis_core::num::Fixed18;
use basis_core::types::{SeriesKind, Symbol, Timestamp, Venue};

use super::merge::Ordered;
use super::number;
use super::table::From;
use crate::catalogue::classify;
use crate::csv::{Problems, SHOWN_WHEN_LOADING, parse_bars, parse_rates};
use crate::rows::parse_rows;

/// The file of a series, checked.
#[derive(Debug)]
pub(super) struct Made {
    /// Relative to the directory.
    pub(super) path: String,
    pub(super) text: Vec<u8>,
    pub(super) first: Option<Timestamp>,
    pub(super) last: Option<Timestamp>,
}

/// Makes the file of `series`; `place` names a line.
///
/// # Errors
/// What a run would refuse, with the line it came from.
pub(super) fn make(series: &Ordered, place: &dyn Fn(From) -> String) -> Result<Made, String> {
    let key = &series.key;
    let path = key.kind.path(&key.venue, &key.symbol, series.every);
    let parts: Vec<_> = path.split('/').map(str::to_owned).collect();
    // What no run would find is of no use.
    classify(&parts).map_err(|what| format!("{path}: {what}"))?;
    let columns = key.kind.columns();
    // A row of bars has about 70 characters.
    let mut text = Vec::with_capacity(series.order.len().saturating_mul(12 * columns.len() + 24));
    text.extend_from_slice(key.kind.header().as_bytes());
    text.push(b'\n');
    let at = |row: usize| series.table.at.get(row).copied();
    for row in &series.order {
        if let Some(at) = at(*row) {
            at.write_iso(&mut text);
        }
        for (value, (_, decimals)) in series.table.row(*row).iter().zip(&columns) {
            text.push(b',');
            number::write(&mut text, *value, *decimals);
        }
        text.push(b'\n');
    }
    check(series, &text, place).map_err(|what| format!("{path}: {what}"))?;
    Ok(Made {
        path,
        text,
        first: series.order.first().and_then(|row| at(*row)),
        last: series.order.last().and_then(|row| at(*row)),
    })
}

/// Reads the text as a run would.
fn check(series: &Ordered, text: &[u8], place: &dyn Fn(From) -> String) -> Result<(), String> {
    let key = &series.key;
    let venue = Venue::new(&key.venue).map_err(|e| format!("venue `{}` {e}", key.venue))?;
    let symbol = Symbol::new(&key.symbol).map_err(|e| format!("symbol `{}` {e}", key.symbol))?;
    let (id, every) = (key.kind.series(venue, symbol), series.every);
    let problems = match id.kind {
        SeriesKind::Funding => parse_rates(text, id, SHOWN_WHEN_LOADING).problems,
        kind if kind.has_bars() => {
            parse_bars(text, id, every, Fixed18::ONE, SHOWN_WHEN_LOADING).problems
        }
        _ => parse_rows(text, id, every, SHOWN_WHEN_LOADING).problems,
    };
    let Problems { kept, count, .. } = problems;
    if count == 0 {
        return Ok(());
    }
    let mut said: Vec<_> = kept
        .iter()
        .map(|problem| {
            // The header is line 1.
            let row = usize::try_from(problem.line)
                .unwrap_or_default()
                .checked_sub(2);
            let row = row.and_then(|row| series.order.get(row));
            let from = row.and_then(|row| series.table.from.get(*row));
            let place = from.map(|from| place(*from)).unwrap_or_default();
            let column = problem.column.unwrap_or("row");
            format!(
                "{place}, column `{column}`: `{}` {}",
                problem.text, problem.what
            )
        })
        .collect();
    let more = usize::try_from(count)
        .unwrap_or(usize::MAX)
        .saturating_sub(said.len());
    if more > 0 {
        said.push(format!("and {more} more"));
    }
    Err(said.join("; "))
}

/// Puts a file there whole, or not at all.
///
/// # Errors
/// `EVT-001` when it cannot be written.
pub(super) fn put(dir: &Path, made: &Made) -> Result<(), ComponentError> {
    let path = dir.join(&made.path);
    let failed = |e: std::io::Error| {
        let message = format!("{} cannot be written: {e}", path.display());
        ComponentError::new(Code::OutputUnusable, message).with_source(e)
    };
    let folder = path.parent().unwrap_or(dir);
    fs::create_dir_all(folder).map_err(failed)?;
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    // The catalogue passes over names that start with a dot.
    let beside = folder.join(format!(".{name}.part"));
    fs::write(&beside, &made.text).map_err(failed)?;
    fs::rename(&beside, &path).map_err(failed)
}
