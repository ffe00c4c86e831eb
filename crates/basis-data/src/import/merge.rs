//! Puts the rows of one series in order: what repeats is kept once, what contradicts is refused.

use basis_core::types::{Span, Timestamp};

use super::kind::Kind;
use super::number;
use super::table::{From, Key, Table};

/// How many contradictions of a series are spelled out.
const SHOWN: usize = 5;
/// How many bars without any volume are no chance.
const SILENT_BARS: usize = 24;

/// The rows of one series in order.
#[derive(Debug)]
pub(super) struct Ordered {
    pub(super) key: Key,
    pub(super) every: Span,
    pub(super) table: Table,
    /// Rows of the table, by instant.
    pub(super) order: Vec<usize>,
    /// Rows that said again what another said.
    pub(super) repeated: u64,
}

/// Orders the rows of a series; `place` names a line.
///
/// # Errors
/// Two rows of one instant that differ, with both lines; rows whose interval cannot be told.
pub(super) fn order(
    key: Key,
    table: Table,
    place: &dyn Fn(From) -> String,
) -> Result<Ordered, String> {
    let mut order: Vec<usize> = (0..table.at.len()).collect();
    if !table.at.is_sorted_by(|a, b| a < b) {
        order.sort_by_key(|row| (table.at.get(*row).copied(), table.from.get(*row).copied()));
    }
    let (mut repeated, mut wrong) = (0, Vec::new());
    let mut kept: Vec<usize> = Vec::with_capacity(order.len());
    for row in order {
        let last = kept.last().copied();
        let Some(last) = last.filter(|last| table.at.get(*last) == table.at.get(row)) else {
            kept.push(row);
            continue;
        };
        if table.row(last) == table.row(row) {
            repeated += 1;
        } else {
            wrong.push((last, row));
        }
    }
    if !wrong.is_empty() {
        return Err(contradictions(&key, &table, &wrong, place));
    }
    refuse_silent(&key, &table, &kept)?;
    let every = match table.every {
        Some(every) => every,
        None => stated_interval(&key, &table, &kept)?,
    };
    Ok(Ordered {
        key,
        every,
        table,
        order: kept,
        repeated,
    })
}

fn contradictions(
    key: &Key,
    table: &Table,
    wrong: &[(usize, usize)],
    place: &dyn Fn(From) -> String,
) -> String {
    let line = |row: usize| {
        let from = table.from.get(row).copied();
        let place = from.map(place).unwrap_or_default();
        format!("{place} ({})", text(key.kind, table, row))
    };
    let mut said: Vec<_> = wrong
        .iter()
        .take(SHOWN)
        .map(|(first, second)| {
            let at = table.at.get(*first).map(ToString::to_string);
            let (first, second) = (line(*first), line(*second));
            format!("{}: {first} and {second}", at.unwrap_or_default())
        })
        .collect();
    if wrong.len() > SHOWN {
        said.push(format!("and {} more", wrong.len() - SHOWN));
    }
    format!(
        "{} {} of {} has two rows of one instant that differ: {}. Remove the wrong one; the last bar \
         of a reply may have been unfinished",
        key.kind.as_str(),
        key.symbol,
        key.venue,
        said.join("; ")
    )
}

/// The values of a row as its file will have them.
fn text(kind: Kind, table: &Table, row: usize) -> String {
    let mut out = Vec::new();
    for (value, (_, decimals)) in table.row(row).iter().zip(kind.columns()) {
        if !out.is_empty() {
            out.push(b',');
        }
        number::write(&mut out, *value, decimals);
    }
    String::from_utf8_lossy(&out).into_owned()
}

/// Trades have volume; marks and indices have none, and look the same otherwise.
fn refuse_silent(key: &Key, table: &Table, rows: &[usize]) -> Result<(), String> {
    let silent = |row: &usize| table.row(*row).last() == Some(&0);
    if matches!(key.kind, Kind::Spot | Kind::Perp)
        && rows.len() >= SILENT_BARS
        && rows.iter().all(silent)
    {
        return Err(format!(
            "{} {} of {} has no volume in any of {} bars, as marks and indices have none; say --kind \
             mark or --kind index if they are that",
            key.kind.as_str(),
            key.symbol,
            key.venue,
            rows.len()
        ));
    }
    Ok(())
}

/// The interval of rows that no name says one of: that of the layout, or of bars their smallest step.
fn stated_interval(key: &Key, table: &Table, rows: &[usize]) -> Result<Span, String> {
    match key.kind {
        Kind::AaveReserve | Kind::Oracle | Kind::StakingRate => return Ok(Span::DAY),
        Kind::StakingMarket | Kind::Gas => return Ok(Span::HOUR),
        Kind::Spot
        | Kind::Perp
        | Kind::Mark
        | Kind::Index
        | Kind::Peg
        | Kind::Dex
        | Kind::Funding => {}
    }
    let at = |row: &usize| table.at.get(*row).copied().unwrap_or(Timestamp::EPOCH);
    let steps = rows.windows(2).filter_map(|pair| match pair {
        [first, second] => Some(at(second).since(at(first))),
        _ => None,
    });
    let least = steps.min();
    if key.kind == Kind::Funding {
        // Settlements are at instants of their own; a name needs no interval.
        return Ok(least.unwrap_or(Span::HOUR));
    }
    least.ok_or_else(|| {
        format!(
            "{} {} of {} has one bar, which says no interval; say --interval",
            key.kind.as_str(),
            key.symbol,
            key.venue
        )
    })
}
