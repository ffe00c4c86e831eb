//! Rows under shocks.
//!
//! A row says what holds from its instant on, so a shock that bends between two rows needs rows of its
//! own: at its bends, and within its ramps at every close of the reference's bars. Such a row repeats
//! the newest recorded one; it is put in only while that one is fresh, so that a shock hides no gap.
//!
//! What an oracle quotes in USD follows the reference between its rows (design §6). The reference is
//! shocked itself, so such a value needs no row of its own while both move alike; where only one of
//! them moves, rows are put in that say what the other one would have said.

use basis_core::num::uint256::mul_div_floor;
use basis_core::num::{Fixed18, MathError, Rounding, U256};
use basis_core::types::{Span, Timestamp};
use basis_protocols::aave_v3::math::{compounded_interest, linear_interest};

use super::bars::product;
use super::{Shock, ShockError};
use crate::series::BarSeries;
use crate::series::{GasFees, ReserveRow, RowSeries, SeriesRow};

/// A ray per unit of an 18-decimal number.
const RAY_PER_UNIT: i128 = 1_000_000_000;

/// What rows are put in by.
#[derive(Clone, Copy)]
pub(super) struct Frame<'a> {
    /// Distance of the rows put in within a ramp.
    pub(super) grid: Span,
    /// How much longer than its interval a row stays fresh.
    pub(super) slack: Span,
    /// The recorded bars of the reference that values in USD follow, and what moves it.
    pub(super) reference: Option<(&'a BarSeries, &'a [&'a Shock])>,
}

/// What a value follows between its rows.
#[derive(Clone, Copy)]
struct Follow<'a> {
    bars: Option<&'a BarSeries>,
    shocks: &'a [&'a Shock],
}

impl<'a> Frame<'a> {
    fn follow(&self, follows: bool) -> Follow<'a> {
        match self.reference {
            Some((bars, shocks)) if follows => Follow {
                bars: Some(bars),
                shocks,
            },
            _ => Follow {
                bars: None,
                shocks: &[],
            },
        }
    }
}

impl Follow<'_> {
    /// What the shocks have made of the newest close of the reference at `now`.
    fn factor(&self, now: Timestamp) -> Result<Fixed18, MathError> {
        let closed = || {
            let bars = self.bars?;
            let opened = bars.opened_at(bars.closed_by(now).checked_sub(1)?)?;
            Some(opened.plus(bars.length))
        };
        product(self.shocks, closed().unwrap_or(now))
    }

    /// `value` of `then`, moved to `now` with the recorded reference.
    fn moved(&self, value: Fixed18, then: Timestamp, now: Timestamp) -> Result<Fixed18, MathError> {
        if then == now {
            return Ok(value);
        }
        let close = |at: Timestamp| {
            let bars = self.bars?;
            bars.close(bars.closed_by(at).checked_sub(1)?)
        };
        match (close(now), close(then)) {
            (Some(now), Some(then)) => value.mul_div(now.get(), then.get(), Rounding::HalfEven),
            _ => Ok(value),
        }
    }
}

/// Instants within `(after, until)` at which one of `shocks` may have moved.
fn instants(shocks: &[&Shock], grid: Span, after: Timestamp, until: Timestamp) -> Vec<Timestamp> {
    let mut found = Vec::new();
    for (from, to) in shocks.iter().flat_map(|shock| shock.ramps()) {
        found.extend([from, to]);
        let mut at = from.max(after).floor_to(grid).plus(grid);
        // The first close after the ramp is the one that shows its end.
        while at < to.plus(grid).min(until) {
            found.push(at);
            at = at.plus(grid);
        }
    }
    found.retain(|at| after < *at && *at < until);
    found.sort_unstable();
    found.dedup();
    found
}

/// The instants of `series` in order, with those of `shocks` between them while the row before is
/// fresh: each with the index of its recorded row.
fn timeline<T: SeriesRow>(
    series: &RowSeries<T>,
    frame: &Frame<'_>,
    shocks: &[&Shock],
) -> Vec<(Timestamp, usize)> {
    let recorded = series.at();
    let (Some(first), Some(last)) = (recorded.first(), recorded.last()) else {
        return Vec::new();
    };
    let fresh = |at: Timestamp| {
        let interval = series.interval();
        interval.map_or(Timestamp::MAX, |span| at.plus(span).plus(frame.slack))
    };
    let mut line: Vec<_> = recorded.iter().copied().zip(0..).collect();
    for at in instants(shocks, frame.grid, *first, fresh(*last)) {
        let row = series.known_by(at).saturating_sub(1);
        let newest = recorded.get(row).copied().unwrap_or(Timestamp::MAX);
        if newest < at && at < fresh(newest) {
            line.push((at, row));
        }
    }
    line.sort_unstable();
    line
}

fn is_moved(shocks: &[&Shock], then: Timestamp, now: Timestamp) -> Result<bool, MathError> {
    for shock in shocks {
        if shock.strength(then)? != shock.strength(now)? {
            return Ok(true);
        }
    }
    Ok(false)
}

/// Whether a value last stated at `then` is no longer what the shocks make of it.
fn is_off(
    shocks: &[&Shock],
    follow: Follow<'_>,
    then: Timestamp,
    now: Timestamp,
) -> Result<bool, MathError> {
    let (own_then, own_now) = (product(shocks, then)?, product(shocks, now)?);
    let (other_then, other_now) = (follow.factor(then)?, follow.factor(now)?);
    let times = |a: Fixed18, b: Fixed18| a.mul(b, Rounding::HalfEven);
    Ok(times(own_now, other_then)? != times(own_then, other_now)?)
}

/// A series of the rows that `row` makes of the recorded ones, where they are recorded or `is_off`
/// since the row before.
fn reshaped<T: SeriesRow>(
    series: &RowSeries<T>,
    line: &[(Timestamp, usize)],
    is_off: impl Fn(Timestamp, Timestamp) -> Result<bool, MathError>,
    mut row: impl FnMut(&T, Timestamp, Timestamp) -> Result<T, MathError>,
) -> Result<RowSeries<T>, ShockError> {
    let id = series.id();
    let (mut at, mut rows) = (
        Vec::with_capacity(line.len()),
        Vec::with_capacity(line.len()),
    );
    let mut stated = Timestamp::MIN;
    for (now, index) in line {
        let (Some(then), Some(recorded)) = (series.at().get(*index), series.rows().get(*index))
        else {
            continue;
        };
        let math = |source| ShockError::Math { series: id, source };
        if now != then && !is_off(stated, *now).map_err(math)? {
            continue;
        }
        at.push(*now);
        rows.push(row(recorded, *then, *now).map_err(math)?);
        stated = *now;
    }
    Ok(RowSeries::new(id, series.interval(), at, rows)?)
}

/// Oracle values, staking rates and market rates: × the factors, half-even at 18 decimals.
pub(super) fn points(
    series: &RowSeries<Fixed18>,
    frame: &Frame<'_>,
    shocks: &[&Shock],
    follows: bool,
) -> Result<RowSeries<Fixed18>, ShockError> {
    let follow = frame.follow(follows);
    let both: Vec<_> = shocks.iter().chain(follow.shocks).copied().collect();
    reshaped(
        series,
        &timeline(series, frame, &both),
        |then, now| is_off(shocks, follow, then, now),
        |value, then, now| {
            let value = follow.moved(*value, then, now)?;
            value.mul(product(shocks, now)?, Rounding::HalfEven)
        },
    )
}

/// Gas fees: every fee × the factors, half-even at 18 decimals.
pub(super) fn gas(
    series: &RowSeries<GasFees>,
    frame: &Frame<'_>,
    shocks: &[&Shock],
) -> Result<RowSeries<GasFees>, ShockError> {
    reshaped(
        series,
        &timeline(series, frame, shocks),
        |then, now| is_moved(shocks, then, now),
        |fees, _, now| {
            let factor = product(shocks, now)?;
            let times = |fee: Fixed18| fee.mul(factor, Rounding::HalfEven);
            Ok(GasFees {
                block: fees.block,
                base_fee_gwei: times(fees.base_fee_gwei)?,
                priority_fee_gwei: times(fees.priority_fee_gwei)?,
                gas_price_gwei: times(fees.gas_price_gwei)?,
            })
        },
    )
}

/// What moves a reserve.
pub(super) struct ReserveShocks<'a> {
    pub(super) oracle: Vec<&'a Shock>,
    pub(super) borrow: Vec<&'a Shock>,
    pub(super) supply: Vec<&'a Shock>,
    /// Whether the reserve's price follows the reference between rows.
    pub(super) follows: bool,
}

/// One side of a reserve: its rate and its index, as the shocks have them.
struct Side<'a> {
    shocks: &'a [&'a Shock],
    compounds: bool,
    /// Recorded and shocked rate since `since`, rays a year.
    rates: (u128, u128),
    since: Timestamp,
    /// Recorded and shocked index at `since`, rays.
    indices: (U256, U256),
}

impl Side<'_> {
    /// What a unit grows to from `since` to `now` at `rate`.
    fn growth(&self, rate: u128, now: Timestamp) -> Result<U256, MathError> {
        let seconds = u64::try_from(now.since(self.since).seconds()).unwrap_or(0);
        if !self.compounds {
            return Ok(linear_interest(rate, seconds));
        }
        let op = "compounded interest";
        compounded_interest(rate, seconds).map_err(|_e| MathError::Overflow256 { op })
    }

    /// The shocked rate and index at `now`, where `recorded` rate and index stand; `None` for the
    /// index where nothing was recorded.
    ///
    /// The index grows by the shocked rate; where a row corrects what the recorded rate had made of
    /// the recorded index, the shocked one is corrected in proportion. Rounded down.
    fn step(
        &mut self,
        (rate, index): (u128, Option<u128>),
        now: Timestamp,
    ) -> Result<(u128, u128), MathError> {
        let untouched = self.indices.0 == self.indices.1 && self.rates.0 == self.rates.1;
        let (recorded, shocked) = self.indices;
        let ray = U256::from(10_u128.pow(27));
        let grown = |index: U256, growth: U256| mul_div_floor(index, growth, ray);
        let first = self.since == Timestamp::MIN;
        let indices = match index.map(U256::from) {
            Some(index) if first || untouched => (index, index),
            index => {
                let by = grown(recorded, self.growth(self.rates.0, now)?)?;
                let with = grown(shocked, self.growth(self.rates.1, now)?)?;
                match index {
                    Some(index) => (index, mul_div_floor(with, index, by)?),
                    None => (by, with),
                }
            }
        };
        let op = "shocked index";
        let narrow =
            |index: U256| u128::try_from(index).map_err(|_e| MathError::Overflow256 { op });
        self.indices = indices;
        self.rates = (rate, self.shocked_rate(rate, now)?);
        self.since = now;
        Ok((self.rates.1, narrow(indices.1)?))
    }

    /// `rate` under the shocks, not below zero.
    fn shocked_rate(&self, rate: u128, now: Timestamp) -> Result<u128, MathError> {
        if self
            .shocks
            .iter()
            .all(|shock| now < shock.at || now >= shock.end())
        {
            return Ok(rate);
        }
        let op = "yearly rate";
        let units = i128::try_from(rate).map_err(|_e| MathError::Overflow { op })?;
        // The last nine of the ray's decimals are carried past the 18 of the arithmetic.
        let (units, rest) = (units / RAY_PER_UNIT, units % RAY_PER_UNIT);
        let mut shocks = self.shocks.iter();
        let shocked = shocks.try_fold(Fixed18::from_mantissa(units), |rate, shock| {
            shock.rate(rate, now)
        })?;
        let shocked = shocked.mantissa().max(0).checked_mul(RAY_PER_UNIT);
        let shocked = shocked.and_then(|rays| rays.checked_add(rest));
        let rays = shocked.ok_or(MathError::Overflow { op })?;
        u128::try_from(rays).map_err(|_e| MathError::Overflow { op })
    }
}

/// Rows of a lending reserve: oracle price × the factors, half-even at 18 decimals; rates as the
/// shocks have them, and indices that grow by these.
///
/// Rows are put in for the rates alone. What follows a reserve accrues from row to row, so that one
/// put in for the price would change the interest; the price is read from the oracle's own series.
pub(super) fn reserve(
    series: &RowSeries<ReserveRow>,
    frame: &Frame<'_>,
    shocks: &ReserveShocks<'_>,
) -> Result<RowSeries<ReserveRow>, ShockError> {
    let follow = frame.follow(shocks.follows);
    let rates: Vec<_> = shocks
        .borrow
        .iter()
        .chain(&shocks.supply)
        .copied()
        .collect();
    let side = |shocks, compounds| Side {
        shocks,
        compounds,
        rates: (0, 0),
        since: Timestamp::MIN,
        indices: (U256::ZERO, U256::ZERO),
    };
    let mut supply = side(&shocks.supply, false);
    let mut borrow = side(&shocks.borrow, true);
    reshaped(
        series,
        &timeline(series, frame, &rates),
        |then, now| is_moved(&rates, then, now),
        |row, then, now| {
            let recorded = |index: u128| (then == now).then_some(index);
            let supplied = (row.liquidity_rate_ray, recorded(row.liquidity_index_ray));
            let borrowed = (
                row.variable_borrow_rate_ray,
                recorded(row.variable_borrow_index_ray),
            );
            let (liquidity_rate_ray, liquidity_index_ray) = supply.step(supplied, now)?;
            let (variable_borrow_rate_ray, variable_borrow_index_ray) =
                borrow.step(borrowed, now)?;
            let price = follow.moved(row.oracle_price_usd, then, now)?;
            Ok(ReserveRow {
                liquidity_rate_ray,
                liquidity_index_ray,
                variable_borrow_rate_ray,
                variable_borrow_index_ray,
                oracle_price_usd: price.mul(product(&shocks.oracle, now)?, Rounding::HalfEven)?,
                ..*row
            })
        },
    )
}
