//! Price bars and funding rates under shocks.

use basis_core::num::{Fixed18, MathError, Price, Rate, Rounding};
use basis_core::types::{SeriesId, SeriesKind, Timestamp};

use super::{Shock, ShockError};
use crate::series::{BarSeries, BarSeriesBuilder, RateSeries};

/// Decimals of a shocked price; below every venue's tick, and those of a held mark.
const PRICE_DECIMALS: u32 = 8;

/// What the prices of one bar are multiplied by.
#[derive(Clone, Copy)]
struct Factors {
    open: Fixed18,
    close: Fixed18,
    least: Fixed18,
    most: Fixed18,
}

impl Factors {
    const NONE: Self = Self {
        open: Fixed18::ONE,
        close: Fixed18::ONE,
        least: Fixed18::ONE,
        most: Fixed18::ONE,
    };

    /// The factors of a bar from `opened` to `closed`; what acts at `closed` acts on its close.
    fn of(shocks: &[&Shock], opened: Timestamp, closed: Timestamp) -> Result<Self, MathError> {
        let mut all = Self::NONE;
        for shock in shocks {
            if closed < shock.at || opened >= shock.end() {
                continue;
            }
            let (open, close) = (shock.factor(opened)?, shock.factor(closed)?);
            let (mut least, mut most) = (open.min(close), open.max(close));
            for knot in shock.knots().filter(|at| opened < *at && *at < closed) {
                let factor = shock.factor(knot)?;
                (least, most) = (least.min(factor), most.max(factor));
            }
            let times = |a: Fixed18, b: Fixed18| a.mul(b, Rounding::HalfEven);
            all = Self {
                open: times(all.open, open)?,
                close: times(all.close, close)?,
                least: times(all.least, least)?,
                most: times(all.most, most)?,
            };
        }
        Ok(all)
    }
}

/// `price` × `factor`, half-even at eight decimals, at eighteen for the ratios that pools quote.
fn scaled(id: SeriesId, price: Price, factor: Fixed18) -> Result<Price, MathError> {
    if factor == Fixed18::ONE {
        return Ok(price);
    }
    let value = price.get().mul(factor, Rounding::HalfEven)?;
    let value = match id.kind {
        SeriesKind::Dex => value,
        _ => value.round_to_decimals(PRICE_DECIMALS, Rounding::HalfEven)?,
    };
    Price::new(value)
}

/// The product of the factors in force at `now`, in the order of the shocks.
pub(super) fn product(shocks: &[&Shock], now: Timestamp) -> Result<Fixed18, MathError> {
    shocks.iter().try_fold(Fixed18::ONE, |product, shock| {
        product.mul(shock.factor(now)?, Rounding::HalfEven)
    })
}

/// `series` with open and close as the shocks have them at its ends, and with extremes that hold
/// whatever the shocks do in between.
pub(super) fn shocked(series: &BarSeries, shocks: &[&Shock]) -> Result<BarSeries, ShockError> {
    let id = series.id;
    let mut builder = BarSeriesBuilder::new(id, series.length, series.len());
    for bar in series.bars() {
        let prices = || -> Result<[Price; 4], MathError> {
            let by = Factors::of(shocks, bar.opened_at, bar.opened_at.plus(series.length))?;
            Ok([
                scaled(id, bar.open, by.open)?,
                scaled(id, bar.high, by.most)?,
                scaled(id, bar.low, by.least)?,
                scaled(id, bar.close, by.close)?,
            ])
        };
        let prices = prices().map_err(|source| ShockError::Math { series: id, source })?;
        builder.push(bar.opened_at, prices, bar.volume)?;
    }
    Ok(builder.finish())
}

/// `series` with every rate as the shocks have it at its instant.
pub(super) fn shocked_rates(
    series: &RateSeries,
    shocks: &[&Shock],
) -> Result<RateSeries, ShockError> {
    let shocked = |(at, rate): (&Timestamp, &Rate)| {
        let mut shocks = shocks.iter();
        let rate = shocks.try_fold(rate.get(), |rate, shock| shock.rate(rate, *at));
        rate.map(Rate::new)
    };
    let rates: Result<Vec<_>, MathError> =
        series.at.iter().zip(&series.rate).map(shocked).collect();
    Ok(RateSeries {
        id: series.id,
        at: series.at.clone(),
        rate: rates.map_err(|source| ShockError::Math {
            series: series.id,
            source,
        })?,
    })
}
