//! What the capital would have earned elsewhere: lent to Aave at the recorded rate.
//!
//! The rate is what suppliers earned without us: a real deposit lowers it by its own size, which the mode
//! `pure_lending` shows. Gas, transfers and the risks of the pool are left out.

use basis_core::num::{Fixed18, MathError, Rate, Rounding};
use basis_core::types::{SeriesId, SeriesKind, Span, Symbol, Timestamp, Venue};
use basis_market::{MarketData, ReserveRow};

use crate::config::RunConfig;

const AAVE: Venue = Venue::literal("aave");

/// A year, in which rates are stated.
const YEAR: Span = Span::from_hours(365 * 24);

/// What the dollar token of a run earned in its pool from start to end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Benchmark {
    /// The reserve that was lent to.
    pub series: SeriesId,
    /// Growth of what was lent over the run: 0.05 is 5 %.
    pub total_return: Rate,
}

/// The reserve of the run's dollar token.
#[must_use]
pub fn series_of(config: &RunConfig) -> Option<SeriesId> {
    let symbol = Symbol::new(config.dollar().as_str()).ok()?;
    Some(SeriesId::new(SeriesKind::AaveReserve, AAVE, symbol))
}

/// Lending from the start of the run to its end; `None` where the reserve is not recorded from before its start.
///
/// # Errors
/// POS-002 out of range.
pub(crate) fn supply_rate(
    config: &RunConfig,
    data: &MarketData,
) -> Result<Option<Benchmark>, MathError> {
    let Some(series) = series_of(config) else {
        return Ok(None);
    };
    let index = |at| index_at(data, series, at);
    let (Some(from), Some(to)) = (index(config.from)?, index(config.to)?) else {
        return Ok(None);
    };
    let grown = to.div(from, Rounding::Floor)?.sub(Fixed18::ONE)?;
    Ok(Some(Benchmark {
        series,
        total_return: Rate::new(grown),
    }))
}

/// The index of the newest row known at `at`, grown since then at its rate, simple over the time as the contract has
/// it; without its last nine decimals.
fn index_at(
    data: &MarketData,
    series: SeriesId,
    at: Timestamp,
) -> Result<Option<Fixed18>, MathError> {
    let Some(rows) = data.rows::<ReserveRow>(series) else {
        return Ok(None);
    };
    let known = rows.at().partition_point(|row| *row <= at);
    let newest = known.checked_sub(1);
    let newest = newest.and_then(|row| Some((*rows.at().get(row)?, *rows.rows().get(row)?)));
    let Some((known_at, row)) = newest else {
        return Ok(None);
    };
    let index = from_ray(row.liquidity_index_ray);
    let rate = from_ray(row.liquidity_rate_ray);
    let seconds = |span: Span| Fixed18::from_int(span.seconds());
    let since = seconds(at.since(known_at));
    let grown = rate.mul_div(since, seconds(YEAR), Rounding::Floor)?;
    Ok(Some(index.mul(Fixed18::ONE.add(grown)?, Rounding::Floor)?))
}

/// Ray without its last nine decimals.
fn from_ray(ray: u128) -> Fixed18 {
    let mantissa = i128::try_from(ray / 1_000_000_000).unwrap_or(i128::MAX);
    Fixed18::from_mantissa(mantissa)
}
