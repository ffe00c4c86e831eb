//! Whether the funding of one perp agrees between venues, month by month.
//!
//! Venues follow one another: a month in which one pays far more or less than the others together is more
//! often a wrong file (another symbol, another interval, percentages) than a market.

use std::collections::BTreeMap;

use basis_core::num::{Fixed18, Rounding};
use basis_core::rules::RuleBook;
use basis_core::types::{SeriesId, SeriesKind, Span, Symbol, Timestamp};

use super::schedule::{SCHEDULE_TOLERANCE, Schedule};
use super::series::MarketData;

/// How far a month's mean may be from the median of all venues, a year's rate.
const APART_MAX: Fixed18 = Fixed18::literal("0.15");
/// Fewer venues have no median to be far from.
const VENUES_MIN: usize = 3;
/// A month of fewer rows is no month.
const ROWS_MIN: usize = 10;

/// The sum of squares below which rates do not move.
const STILL: f64 = 1e-28;

/// A month whose mean funding disagrees with that of the other venues.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct SuspectMonth {
    /// The series.
    pub series: SeriesId,
    /// Its first row of the month.
    pub first: Timestamp,
    /// Its last row of the month.
    pub last: Timestamp,
    /// Its rows of the month.
    pub rows: u64,
    /// Its mean rate, a year's, 1 = 100 %.
    pub mean: Fixed18,
    /// The median of the means of all venues, the same way.
    pub median: Fixed18,
    /// Pearson's correlation with the mean of the others at common instants, −1 to 1; none where one of
    /// the two does not move.
    pub correlation: Option<f64>,
}

impl SuspectMonth {
    /// The sentence of a report.
    #[must_use]
    pub fn note(&self) -> String {
        let (year, month, _) = self.first.date();
        let percent = |rate: Fixed18| rate.to_f64() * 100.0;
        let correlation = self
            .correlation
            .map_or("none".to_owned(), |found| format!("{found:.2}"));
        format!(
            "{} is suspect in {year:04}-{month:02}: a mean of {:.1} %/y against {:.1} %/y, the median of \
             all venues; correlation with the others: {correlation}",
            self.series,
            percent(self.mean),
            percent(self.median)
        )
    }
}

/// One venue's rows of one month, by the minute they are nearest to, so that stamps a little late meet.
struct Month {
    series: SeriesId,
    first: Timestamp,
    last: Timestamp,
    rates: BTreeMap<Timestamp, Fixed18>,
    mean: Fixed18,
}

/// The suspect months of the funding series in `data`, in order of series and time: each calendar month of
/// a perp that three venues or more have rows of.
#[must_use]
pub fn suspect_months(data: &MarketData, rules: &RuleBook) -> Vec<SuspectMonth> {
    let mut months: BTreeMap<(Symbol, i64, i64), Vec<Month>> = BTreeMap::new();
    for series in data.ids().filter(|id| id.kind == SeriesKind::Funding) {
        for ((year, month), found) in months_of(data, rules, series) {
            let key = (series.symbol, year, month);
            months.entry(key).or_default().push(found);
        }
    }
    let mut suspects: Vec<_> = months
        .values()
        .filter(|venues| venues.len() >= VENUES_MIN)
        .flat_map(|venues| suspects_among(venues))
        .collect();
    suspects.sort_by_key(|found| (found.series, found.first));
    suspects
}

fn months_of(data: &MarketData, rules: &RuleBook, series: SeriesId) -> Vec<((i64, i64), Month)> {
    let Some(rates) = data.rates(series) else {
        return Vec::new();
    };
    let schedule = Schedule::of(series, rules, data, Span::from_hours(8));
    let mut months: BTreeMap<(i64, i64), Month> = BTreeMap::new();
    for (at, rate) in rates.at.iter().zip(&rates.rate) {
        let instant = at.plus(SCHEDULE_TOLERANCE).floor_to(Span::HOUR);
        let (year, month, _) = instant.date();
        let found = months.entry((year, month)).or_insert_with(|| Month {
            series,
            first: *at,
            last: *at,
            rates: BTreeMap::new(),
            mean: Fixed18::ZERO,
        });
        found.last = *at;
        found.rates.insert(instant, rate.get());
    }
    months.retain(|_, found| found.rates.len() >= ROWS_MIN);
    months.retain(|_, found| match mean_a_year(found, schedule) {
        Some(mean) => {
            found.mean = mean;
            true
        }
        None => false,
    });
    months.into_iter().collect()
}

/// The mean rate times the settlements of a year, half-even; none beyond what numbers hold.
fn mean_a_year(month: &Month, schedule: Schedule<'_>) -> Option<Fixed18> {
    let mut sum = Fixed18::ZERO;
    for rate in month.rates.values() {
        sum = sum.add(*rate).ok()?;
    }
    let every = schedule
        .interval(month.series.symbol, month.first)
        .seconds();
    let year = Span::DAY.times(365).seconds();
    let count = i64::try_from(month.rates.len()).ok()?;
    sum.mul(Fixed18::from_int(year), Rounding::HalfEven)
        .and_then(|sum| {
            sum.div(
                Fixed18::from_int(every.checked_mul(count).unwrap_or(1)),
                Rounding::HalfEven,
            )
        })
        .ok()
}

fn suspects_among(venues: &[Month]) -> Vec<SuspectMonth> {
    let mut means: Vec<_> = venues.iter().map(|month| month.mean).collect();
    means.sort_unstable();
    let middle = means.len() / 2;
    let Some(upper) = means.get(middle).copied() else {
        return Vec::new();
    };
    let lower = if means.len().is_multiple_of(2) {
        means
            .get(middle.saturating_sub(1))
            .copied()
            .unwrap_or(upper)
    } else {
        upper
    };
    let two = Fixed18::from_int(2);
    let Ok(median) = lower
        .add(upper)
        .and_then(|sum| sum.div(two, Rounding::HalfEven))
    else {
        return Vec::new();
    };
    let is_far = |month: &&Month| {
        let apart = month.mean.sub(median).and_then(Fixed18::abs);
        apart.is_ok_and(|apart| apart > APART_MAX)
    };
    venues
        .iter()
        .filter(is_far)
        .map(|month| SuspectMonth {
            series: month.series,
            first: month.first,
            last: month.last,
            rows: u64::try_from(month.rates.len()).unwrap_or(u64::MAX),
            mean: month.mean,
            median,
            correlation: correlation(month, venues),
        })
        .collect()
}

/// Pearson's correlation of a venue's rates with the mean of the others at the instants all of them have.
#[expect(
    clippy::cast_precision_loss,
    reason = "counts of rows of a month, for a statistic"
)]
fn correlation(month: &Month, venues: &[Month]) -> Option<f64> {
    let others: Vec<_> = venues
        .iter()
        .filter(|other| other.series != month.series)
        .collect();
    let pairs: Vec<(f64, f64)> = month
        .rates
        .iter()
        .filter_map(|(at, rate)| {
            let mut sum = 0.0;
            for other in &others {
                sum += other.rates.get(at)?.to_f64();
            }
            Some((rate.to_f64(), sum / others.len() as f64))
        })
        .collect();
    let count = pairs.len() as f64;
    let (own, other) = pairs
        .iter()
        .fold((0.0, 0.0), |(a, b), (x, y)| (a + x / count, b + y / count));
    let (mut product, mut own_square, mut other_square) = (0.0, 0.0, 0.0);
    for (x, y) in &pairs {
        product += (x - own) * (y - other);
        own_square += (x - own) * (x - own);
        other_square += (y - other) * (y - other);
    }
    // What does not move deviates by rounding alone.
    let moves = own_square > STILL && other_square > STILL;
    moves.then(|| product / f64::sqrt(own_square * other_square))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::series::RateSeries;
    use basis_core::num::Rate;

    fn market(scale: [i64; 3]) -> MarketData {
        let mut data = MarketData::new("test", false);
        for (venue, scale) in ["binance", "bybit", "okx"].into_iter().zip(scale) {
            let start = Timestamp::from_date(2024, 3, 1).unwrap();
            let at: Vec<_> = (0..60)
                .map(|step| start.plus(Span::from_hours(8 * step)))
                .collect();
            let rate = |step: i64| {
                let base = Fixed18::from_mantissa(i128::from(50 + step % 7) * 1_000_000_000_000);
                Rate::new(base.mul(Fixed18::from_int(scale), Rounding::Down).unwrap())
            };
            let series = RateSeries {
                id: format!("funding.{venue}.BTCUSDT").parse().unwrap(),
                rate: (0..60).map(rate).collect(),
                at,
            };
            data.add_rates(series).unwrap();
        }
        data
    }

    #[test]
    fn a_month_far_from_the_median_is_suspect_whichever_venue_it_is_of() {
        let rules = RuleBook::default();
        assert!(suspect_months(&market([1, 1, 1]), &rules).is_empty());
        let found = suspect_months(&market([1, 1, 5]), &rules);
        let [month] = found.as_slice() else {
            panic!("one month: {found:?}")
        };
        assert_eq!(month.series.venue.as_str(), "okx");
        let note = "funding.okx.BTCUSDT is suspect in 2024-03: a mean of 29.0 %/y against 5.8 %/y, the \
                    median of all venues; correlation with the others: 1.00";
        assert_eq!(month.note(), note);
        let reversed = suspect_months(&market([1, -4, 1]), &rules);
        assert!(reversed.first().unwrap().correlation.unwrap() < -0.99);
    }
}
