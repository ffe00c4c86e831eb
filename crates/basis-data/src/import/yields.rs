//! Indices of a lending reserve out of its rates, where a chart of yields has nothing else.
//!
//! Both begin at 1 with the first row. Until the next one a supply index grows linearly by the rate of its row, a debt
//! index compounded, as Aave's `MathUtils` has both: years of 365 days, three terms of the compounding. Products are
//! cut at 18 decimals.

use basis_core::types::Timestamp;

use super::kind::Kind;
use super::table::{Key, Table};

/// Seconds of Aave's year.
const YEAR: i128 = 365 * 86_400;
/// 1 with 18 decimals, in which growth is computed.
const ONE: i128 = 1_000_000_000_000_000_000;
/// From 27 decimals, which indices and rates have, to 18.
const FINE: i128 = 1_000_000_000;

/// Places of a reserve's row.
const SUPPLY_INDEX: usize = 1;
const SUPPLY_RATE: usize = 2;
const DEBT_INDEX: usize = 3;
const DEBT_RATE: usize = 4;
const PRICE: usize = 7;

/// Fills the indices of a table that has none, its rows in `order`.
///
/// # Errors
/// An index too large.
pub(super) fn accrue(table: &mut Table, order: &[usize]) -> Result<(), String> {
    let (mut supply, mut debt) = (ONE, ONE);
    let mut before: Option<(Timestamp, i128, i128)> = None;
    for row in order {
        let at = table.at.get(*row).copied().unwrap_or(Timestamp::EPOCH);
        if let Some((last, supply_rate, debt_rate)) = before {
            let seconds = i128::from(at.since(last).seconds());
            let grown = |rate: i128| rate / FINE * seconds / YEAR;
            let linear = ONE + grown(supply_rate);
            let x = grown(debt_rate);
            let compounded = ONE + x + times(x, x)? / 2 + times(times(x, x)?, x)? / 6;
            supply = times(supply, linear)?;
            debt = times(debt, compounded)?;
        }
        let start = row * table.width;
        let Some(cells) = table.cells.get_mut(start..start + table.width) else {
            continue;
        };
        let cell = |at: usize| cells.get(at).copied().unwrap_or_default();
        before = Some((at, cell(SUPPLY_RATE), cell(DEBT_RATE)));
        for (place, index) in [(SUPPLY_INDEX, supply), (DEBT_INDEX, debt)] {
            if let Some(cell) = cells.get_mut(place) {
                *cell = index.checked_mul(FINE).ok_or("has an index too large")?;
            }
        }
    }
    Ok(())
}

/// A product at 18 decimals, cut.
fn times(one: i128, other: i128) -> Result<i128, String> {
    let product = one.checked_mul(other);
    let product = product.ok_or("has a rate too large for its time")?;
    Ok(product / ONE)
}

/// Refuses to join rows whose indices were made here with rows of the contract's: they count from other beginnings.
///
/// # Errors
/// Which of the two is there already.
pub(super) fn refuse_other(key: &Key, there: &Table, accrues: bool) -> Result<(), String> {
    let first = (0..there.at.len()).min_by_key(|row| there.at.get(*row).copied());
    let Some(first) = first.filter(|_| key.kind == Kind::AaveReserve) else {
        return Ok(());
    };
    let one = ONE * FINE;
    let cell = |row: usize, at: usize| there.row(row).get(at).copied();
    let is_chart = cell(first, SUPPLY_INDEX) == Some(one)
        && cell(first, DEBT_INDEX) == Some(one)
        && (0..there.at.len()).all(|row| cell(row, PRICE) == Some(ONE));
    if is_chart == accrues {
        return Ok(());
    }
    let (there, new) = if is_chart {
        (
            "a chart of yields, whose indices begin at 1",
            "are the contract's",
        )
    } else {
        ("the contract", "begin at 1, out of a chart of yields")
    };
    Err(format!(
        "{} {} is there already with indices of {there}; those to be imported {new}: use another directory",
        key.kind.as_str(),
        key.symbol
    ))
}
