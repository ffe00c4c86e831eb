//! Time-weighted statistics of a run, and its net asset value by day. Floats: for reading, never for books.
//!
//! A step's return is (equity − external flow) ÷ equity before − 1: capital arrives after the move of the
//! step and before its trades. The first step, which only receives the capital, earns equity ÷ capital − 1. A
//! step that ends at zero or below earns −1: from there on the index is zero, and the yearly return −1.
//!
//! Sharpe, Sortino and volatility are those of whole UTC days. Returns of steps within a day depend on one
//! another (a basis that widens comes back), so that √(steps per year) would misstate them.

use serde::{Deserialize, Serialize};

use basis_core::num::Value;
use basis_core::types::{Span, Timestamp};

const SECONDS_PER_YEAR: f64 = 365.0 * 86_400.0;
const DAYS_PER_YEAR: f64 = 365.0;
/// A UTC day.
pub const DAY: Span = Span::from_hours(24);

/// Whole UTC days below which a run has no Sharpe, Sortino and volatility, and a yearly return with a caveat.
pub const DAYS_MIN: u32 = 30;

/// Time-weighted statistics; floats, for reading, never for books.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Statistics {
    /// Time-weighted return over the run, 0.1 = 10 %.
    pub total_return: f64,
    /// The same per year of 365 days, compounded.
    pub apy: f64,
    /// Largest fall of the time-weighted index from its peak after a step, >= 0.
    pub max_drawdown: f64,
    /// Mean ÷ standard deviation of daily returns × √365, without a risk-free rate; absent under [`DAYS_MIN`]
    /// whole days, and when they do not vary.
    pub sharpe: Option<f64>,
    /// Mean ÷ downside deviation of daily returns × √365; absent as [`Statistics::sharpe`], and when no day
    /// lost.
    pub sortino: Option<f64>,
    /// Standard deviation of daily returns × √365, 0.1 = 10 %; absent under [`DAYS_MIN`] whole days.
    pub volatility: Option<f64>,
    /// Whole UTC days of the run.
    pub whole_days: u32,
}

/// The net asset value at the end of a UTC day, or of the part of it that lies in the run.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct DayNav {
    /// Midnight at which the day begins.
    pub day: Timestamp,
    /// Whether the run covers all of it.
    pub is_whole: bool,
    /// Time-weighted index at its end; 1 at the start of the run.
    pub index: f64,
    /// Time-weighted return of the day, 0.1 = 10 %; absent once nothing was left at its start.
    pub day_return: Option<f64>,
    /// Fall of the index at the day's end from its highest day's end so far, the start included, >= 0.
    pub drawdown: f64,
}

/// A daily return that is nearer to zero, or to the mean, is taken to be there: what is left is rounding.
const LEAST: f64 = 1e-9;

/// Moments of the returns of whole days.
#[derive(Clone, Copy, Debug, Default, Serialize, Deserialize)]
struct DailyMoments {
    count: u32,
    mean: f64,
    /// Sum of the squares of the distances from the mean.
    squares: f64,
    /// Sum of the squares of the losses.
    downside_squares: f64,
}

/// A return over `span` as one a year of 365 days, compounded; zero over no time.
#[expect(
    clippy::cast_precision_loss,
    reason = "statistics only; a span has far less than 2^52 seconds"
)]
#[must_use]
pub fn yearly(total_return: f64, span: Span) -> f64 {
    per_year(1.0 + total_return, span.seconds() as f64 / SECONDS_PER_YEAR)
}

fn per_year(index: f64, years: f64) -> f64 {
    if years > 0.0 {
        index.powf(1.0 / years) - 1.0
    } else {
        0.0
    }
}

impl DailyMoments {
    /// Adds a day by Welford's recurrence, which loses no digits where days are much alike.
    fn add(&mut self, earned: f64) {
        self.count += 1;
        let apart = earned - self.mean;
        self.mean += apart / f64::from(self.count);
        self.squares += apart * (earned - self.mean);
        if earned < -LEAST {
            self.downside_squares += earned * earned;
        }
    }
}

/// The day under way.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
struct OpenDay {
    day: Timestamp,
    index_before: f64,
}

/// The time-weighted index of a run, step by step.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub struct TimeWeighted {
    from: Timestamp,
    index: f64,
    peak: f64,
    max_drawdown: f64,
    count: f64,
    before: Value,
    open: Option<OpenDay>,
    peak_of_days: f64,
    days: DailyMoments,
}

impl TimeWeighted {
    /// Creates the index of a run whose first step is after `from`.
    #[must_use]
    pub const fn new(from: Timestamp) -> Self {
        Self {
            from,
            index: 1.0,
            peak: 1.0,
            max_drawdown: 0.0,
            count: 0.0,
            before: Value::ZERO,
            open: None,
            peak_of_days: 1.0,
            days: DailyMoments {
                count: 0,
                mean: 0.0,
                squares: 0.0,
                downside_squares: 0.0,
            },
        }
    }

    /// Takes the next step, `at`, with the equity at its end and the capital that came (> 0) or went within
    /// it, and returns the day that it ends. A step at midnight ends the day before; where none is, the first
    /// step after midnight does. Steps are a day apart at most.
    pub fn step(&mut self, at: Timestamp, equity: Value, flow: Value) -> Option<DayNav> {
        let day = at.minus(Span::from_nanos(1)).floor_to(DAY);
        let is_new = self.open.is_none_or(|open| open.day != day);
        let closed = if is_new { self.close_day(true) } else { None };
        self.open.get_or_insert(OpenDay {
            day,
            index_before: self.index,
        });
        self.earn(equity, flow);
        if at == day.plus(DAY) {
            return self.close_day(true);
        }
        closed
    }

    fn earn(&mut self, equity: Value, flow: Value) {
        let (start, end) = if self.before.is_positive() {
            (self.before.to_f64(), equity.to_f64() - flow.to_f64())
        } else {
            (flow.to_f64(), equity.to_f64())
        };
        self.before = equity;
        if start <= 0.0 {
            return;
        }
        // A lost book has lost what it had, not what it owes beyond that.
        let earned = (end / start - 1.0).max(-1.0);
        self.index *= 1.0 + earned;
        self.peak = self.peak.max(self.index);
        self.max_drawdown = self.max_drawdown.max(1.0 - self.index / self.peak);
        self.count += 1.0;
    }

    /// Returns the day under way at the end of the run, which lacks its midnight.
    pub fn last_day(&mut self) -> Option<DayNav> {
        self.close_day(false)
    }

    fn close_day(&mut self, has_ended: bool) -> Option<DayNav> {
        let open = self.open.take()?;
        let is_whole = has_ended && open.day >= self.from;
        let day_return = (open.index_before > 0.0).then(|| self.index / open.index_before - 1.0);
        if let Some(earned) = day_return.filter(|_| is_whole) {
            self.days.add(earned);
        }
        self.peak_of_days = self.peak_of_days.max(self.index);
        Some(DayNav {
            day: open.day,
            is_whole,
            index: self.index,
            day_return,
            drawdown: 1.0 - self.index / self.peak_of_days,
        })
    }

    /// Returns the statistics of the steps so far, which are `step` apart.
    #[expect(
        clippy::cast_precision_loss,
        reason = "statistics only; step counts are far below 2^52"
    )]
    #[must_use]
    pub fn finish(&self, step: Span) -> Statistics {
        let years = self.count * step.seconds() as f64 / SECONDS_PER_YEAR;
        let apy = per_year(self.index, years);
        let days = self.days.ratios();
        Statistics {
            total_return: self.index - 1.0,
            apy,
            max_drawdown: self.max_drawdown,
            sharpe: days.and_then(|ratios| ratios.sharpe),
            sortino: days.and_then(|ratios| ratios.sortino),
            volatility: days.map(|ratios| ratios.volatility),
            whole_days: self.days.count,
        }
    }
}

/// What follows from enough daily returns.
#[derive(Clone, Copy, Debug)]
struct Ratios {
    sharpe: Option<f64>,
    sortino: Option<f64>,
    volatility: f64,
}

impl DailyMoments {
    fn ratios(&self) -> Option<Ratios> {
        if self.count < DAYS_MIN {
            return None;
        }
        let count = f64::from(self.count);
        let deviation = (self.squares / (count - 1.0)).sqrt();
        let downside = (self.downside_squares / count).sqrt();
        let yearly = |deviation: f64| self.mean / deviation * DAYS_PER_YEAR.sqrt();
        Some(Ratios {
            sharpe: (deviation > LEAST).then(|| yearly(deviation)),
            sortino: (downside > 0.0).then(|| yearly(downside)),
            volatility: deviation * DAYS_PER_YEAR.sqrt(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOUR: Span = Span::from_hours(1);

    fn midnight() -> Timestamp {
        Timestamp::from_date(2024, 1, 1).unwrap()
    }

    fn usd(units: f64) -> Value {
        format!("{units:.9}").parse().unwrap()
    }

    /// Steps an hour apart from `from`, the capital in the first; `equity` of each by its number from 1.
    fn run(
        from: Timestamp,
        steps: i32,
        equity: impl Fn(i32) -> f64,
    ) -> (TimeWeighted, Vec<DayNav>) {
        let mut all = TimeWeighted::new(from);
        let mut days = Vec::new();
        for number in 1..=steps {
            let flow = if number == 1 { usd(100.0) } else { Value::ZERO };
            let at = from.plus(HOUR.times(i64::from(number)));
            days.extend(all.step(at, usd(equity(number)), flow));
        }
        days.extend(all.last_day());
        (all, days)
    }

    #[test]
    fn twenty_nine_days_have_no_ratio_and_thirty_have() {
        // Up 1 % on even days, down 0.5 % on odd ones.
        let equity = |number: i32| {
            (1..=(number / 24)).fold(100.0, |sum, day| {
                sum * if day % 2 == 0 { 1.01 } else { 0.995 }
            })
        };
        let (short, _) = run(midnight(), 29 * 24, equity);
        let short = short.finish(HOUR);
        assert_eq!(short.whole_days, 29);
        assert_eq!(
            (short.sharpe, short.sortino, short.volatility),
            (None, None, None)
        );
        let (long, days) = run(midnight(), 30 * 24, equity);
        let long = long.finish(HOUR);
        assert_eq!((long.whole_days, days.len()), (30, 30));
        let mean = 0.0025;
        let deviation = (30.0 * 0.0075_f64.powi(2) / 29.0).sqrt();
        let downside = (0.005_f64.powi(2) / 2.0).sqrt();
        let yearly = 365.0_f64.sqrt();
        for (found, expected) in [
            (long.sharpe, mean / deviation * yearly),
            (long.sortino, mean / downside * yearly),
            (long.volatility, deviation * yearly),
        ] {
            assert!(
                (found.unwrap() - expected).abs() < 1e-6,
                "{found:?} {expected}"
            );
        }
    }

    #[test]
    fn hours_within_a_day_do_not_change_the_ratio() {
        // The same days, but for a swing within each of them that is gone by its end.
        let days = |number: i32| {
            100.0 + f64::from(number / 24) * if number / 24 % 2 == 0 { 0.3 } else { 0.2 }
        };
        let swing = |number: i32| days(number) - if number % 24 == 0 { 0.0 } else { 5.0 };
        let (plain, swings) = (
            run(midnight(), 40 * 24, days),
            run(midnight(), 40 * 24, swing),
        );
        let (plain, swings) = (plain.0.finish(HOUR), swings.0.finish(HOUR));
        assert!((plain.sharpe.unwrap() - swings.sharpe.unwrap()).abs() < 1e-9);
        assert!(swings.max_drawdown > plain.max_drawdown);
    }

    #[test]
    fn parts_of_days_at_both_ends_are_listed_and_not_counted() {
        let from = midnight().plus(HOUR.times(6));
        let (all, days) = run(from, 18 + 24 + 5, |number| 100.0 + f64::from(number));
        let whole: Vec<_> = days.iter().map(|day| day.is_whole).collect();
        assert_eq!(whole, [false, true, false]);
        assert_eq!(days[0].day, midnight());
        assert_eq!(all.finish(HOUR).whole_days, 1);
        assert!((days[2].index - 1.47).abs() < 1e-12);
        let chained: f64 = days
            .iter()
            .map(|day| 1.0 + day.day_return.unwrap())
            .product();
        assert!((chained - days[2].index).abs() < 1e-12);
    }

    #[test]
    fn a_lost_book_stays_at_minus_one_hundred_percent() {
        let (all, days) = run(
            midnight(),
            72,
            |number| if number < 30 { 100.0 } else { -50.0 },
        );
        let statistics = all.finish(HOUR);
        assert_eq!((statistics.total_return, statistics.apy), (-1.0, -1.0));
        assert_eq!(days[1].day_return, Some(-1.0));
        assert_eq!((days[2].day_return, days[2].drawdown), (None, 1.0));
    }
}
