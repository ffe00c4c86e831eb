//! The tear sheet: returns by month, the worst day and week, time under water, what moves with BTC and ETH, and
//! where the profit was made.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use basis_core::error::ComponentError;

use super::RunReport;
use super::sections::sign_class;
use crate::page::html::{decimal, escape, table, text};
use crate::table::read::Table;

/// Days that a beta needs.
const BETA_DAYS_MIN: usize = 30;
const WEEK: usize = 7;
const MONTHS: [&str; 12] = [
    "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec",
];

/// One row of `daily_nav.csv`.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Day {
    /// `2024-05-01`.
    date: String,
    is_whole: bool,
    /// Time-weighted index at its end; 1 at the start.
    nav: f64,
    /// Of the day; none once nothing was left.
    earned: Option<f64>,
    drawdown: f64,
    /// USD prices of BTC and ETH at its end, where the run read them.
    prices: [Option<f64>; 2],
}

/// Reads `daily_nav.csv`.
pub(super) fn days(directory: &Path) -> Result<Vec<Day>, ComponentError> {
    let columns = [
        "date",
        "whole_day",
        "nav",
        "return",
        "drawdown",
        "btc_price_usd",
        "eth_price_usd",
    ];
    let mut table = Table::open(directory, "daily_nav.csv", &columns)?;
    let mut days = Vec::new();
    while let Some(row) = table.next()? {
        days.push(Day {
            date: row.text(0).to_owned(),
            is_whole: row.bytes(1) == b"true",
            nav: row.amount(2)?,
            earned: row.number(3)?,
            drawdown: row.amount(4)?,
            prices: [row.number(5)?, row.number(6)?],
        });
    }
    Ok(days)
}

/// The tables of the tear sheet.
pub(super) fn section(run: &RunReport) -> String {
    let summary = &run.summary;
    let class = escape(&text(&summary["share_class"]));
    let mut out = months(&run.days, &class);
    out.push_str(&extremes(&run.days, &class));
    out.push_str(&by_venue(&run.positions.value_at_end, &run.invested));
    out
}

fn percent(ratio: f64) -> String {
    format!("{} %", decimal(ratio * 100.0, 4))
}

fn signed(ratio: f64) -> String {
    let class = sign_class(ratio);
    format!("<span class=\"{}\">{}</span>", class.trim(), percent(ratio))
}

/// Year and month, 0 to 11, of a date.
fn month_of(date: &str) -> Option<(&str, usize)> {
    let (year, rest) = date.split_once('-')?;
    let month = rest.get(..2)?.parse::<usize>().ok()?;
    Some((year, month.checked_sub(1)?))
}

/// Time-weighted returns by year and month; a month that the run has in part counts what it has.
fn months(days: &[Day], class: &str) -> String {
    let mut by_year: BTreeMap<&str, [Option<f64>; 12]> = BTreeMap::new();
    for day in days {
        let Some((year, month)) = month_of(&day.date) else {
            continue;
        };
        if let Some(sum) = by_year.entry(year).or_default().get_mut(month) {
            *sum = Some(sum.unwrap_or(1.0) * (1.0 + day.earned.unwrap_or_default()));
        }
    }
    let rows: Vec<Vec<String>> = by_year
        .iter()
        .map(|(year, months)| {
            let cells = months.iter().map(|month| match month {
                Some(growth) => signed(growth - 1.0),
                None => "–".to_owned(),
            });
            let whole: f64 = months.iter().flatten().product();
            std::iter::once(escape(year))
                .chain(cells)
                .chain([signed(whole - 1.0)])
                .collect()
        })
        .collect();
    let header: Vec<&str> = std::iter::once("year")
        .chain(MONTHS)
        .chain(["all"])
        .collect();
    let caption = format!("Return in {class} by month, time-weighted; parts of months as they are");
    table(&caption, &header, &rows, true)
}

fn extremes(days: &[Day], class: &str) -> String {
    let mut rows = Vec::new();
    let mut row =
        |name: &str, value: String, when: String| rows.push(vec![name.to_owned(), value, when]);
    let whole: Vec<&Day> = days.iter().filter(|day| day.is_whole).collect();
    let returns = || {
        whole
            .iter()
            .filter_map(|day| Some((day.earned?, day.date.as_str())))
    };
    if let Some((earned, date)) = returns().min_by(|a, b| a.0.total_cmp(&b.0)) {
        row("worst day", signed(earned), escape(date));
    }
    if let Some((earned, from, to)) = worst_week(&whole) {
        row(
            "worst week",
            signed(earned),
            format!("{} to {}", escape(from), escape(to)),
        );
    }
    if let Some(water) = UnderWater::of(days) {
        row(
            "days under water",
            format!("{} of {}", water.days, days.len()),
            "the day ends below an earlier day's end".to_owned(),
        );
        row(
            "longest time under water",
            format!("{} days", water.longest),
            escape(&water.span),
        );
    }
    for (name, at) in [("beta to BTC", 0), ("beta to ETH", 1)] {
        if let Some((beta, count)) = beta(&whole, at) {
            let what =
                format!("daily returns in {class} on those of the price in USD, {count} days");
            row(name, decimal(beta, 4), what);
        }
    }
    if rows.is_empty() {
        return "<p>The run has no whole day.</p>".to_owned();
    }
    table("Worst and longest", &["", "", ""], &rows, true)
}

/// The seven whole days in a row that lost most.
fn worst_week<'a>(whole: &[&'a Day]) -> Option<(f64, &'a str, &'a str)> {
    let weeks = whole.windows(WEEK).filter_map(|week| {
        let growth: f64 = week
            .iter()
            .map(|day| 1.0 + day.earned.unwrap_or_default())
            .product();
        let (first, last) = (week.first()?, week.last()?);
        Some((growth - 1.0, first.date.as_str(), last.date.as_str()))
    });
    weeks.min_by(|a, b| a.0.total_cmp(&b.0))
}

/// Days that end below an earlier day's end.
#[derive(Debug, PartialEq, Eq)]
struct UnderWater {
    days: usize,
    longest: usize,
    span: String,
}

impl UnderWater {
    fn of(days: &[Day]) -> Option<Self> {
        let is_under = |day: &Day| day.drawdown > 0.0;
        let stretches = days.chunk_by(|a, b| is_under(a) == is_under(b));
        let under: Vec<&[Day]> = stretches
            .filter(|stretch| stretch.first().is_some_and(is_under))
            .collect();
        let count = under.iter().map(|stretch| stretch.len()).sum();
        // Of two as long the first.
        let longest = under.iter().rev().max_by_key(|stretch| stretch.len());
        let span = longest.and_then(|stretch| {
            let (first, last) = (stretch.first()?, stretch.last()?);
            Some(format!("{} to {}", first.date, last.date))
        });
        (!days.is_empty()).then(|| Self {
            days: count,
            longest: longest.map_or(0, |stretch| stretch.len()),
            span: span.unwrap_or_else(|| "–".to_owned()),
        })
    }
}

/// Covariance of the daily returns with those of a price ÷ variance of the latter, and over how many days.
fn beta(whole: &[&Day], price: usize) -> Option<(f64, usize)> {
    let pairs: Vec<(f64, f64)> = whole
        .windows(2)
        .filter_map(|pair| {
            let [before, day] = pair else { return None };
            let then = before.prices.get(price).copied().flatten()?;
            let now = day.prices.get(price).copied().flatten()?;
            Some((day.earned?, now / then - 1.0))
        })
        .collect();
    if pairs.len() < BETA_DAYS_MIN {
        return None;
    }
    let count = f64::from(u32::try_from(pairs.len()).ok()?);
    let mean = |sum: f64| sum / count;
    let of_nav = mean(pairs.iter().map(|pair| pair.0).sum());
    let of_price = mean(pairs.iter().map(|pair| pair.1).sum());
    let covariance: f64 = pairs
        .iter()
        .map(|(a, b)| (a - of_nav) * (b - of_price))
        .sum();
    let variance: f64 = pairs.iter().map(|(_, b)| (b - of_price).powi(2)).sum();
    (variance > 0.0).then_some((covariance / variance, pairs.len()))
}

/// What each venue made: what is held there at the end, less what came there.
fn by_venue(value: &BTreeMap<String, f64>, invested: &BTreeMap<String, f64>) -> String {
    let made = profits(value, invested);
    let total: f64 = made.iter().map(|(_, profit)| profit).sum();
    let rows: Vec<_> = made
        .iter()
        .map(|(venue, profit)| {
            let share = if total.abs() > 0.0 {
                decimal(profit / total * 100.0, 1)
            } else {
                "–".to_owned()
            };
            let shown = decimal(*profit, 2);
            let key = format!(
                "<data data-venue=\"{}\" value=\"{profit}\">{shown}</data>",
                escape(venue)
            );
            vec![escape(venue), key, share]
        })
        .chain([vec!["all".to_owned(), decimal(total, 2), String::new()]])
        .collect();
    table(
        "Profit by venue: what is held there at the end, less what trades, transfers and capital brought \
         there at the prices of then",
        &["venue", "USD", "% of all"],
        &rows,
        true,
    )
}

fn profits<'a>(
    value: &'a BTreeMap<String, f64>,
    invested: &'a BTreeMap<String, f64>,
) -> Vec<(&'a str, f64)> {
    let venues: BTreeSet<&String> = value.keys().chain(invested.keys()).collect();
    let of =
        |sums: &BTreeMap<String, f64>, venue: &String| sums.get(venue).copied().unwrap_or_default();
    venues
        .into_iter()
        .map(|venue| (venue.as_str(), of(value, venue) - of(invested, venue)))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn day(date: &str, earned: f64, nav: f64, peak: f64) -> Day {
        Day {
            date: date.to_owned(),
            is_whole: true,
            nav,
            earned: Some(earned),
            drawdown: 1.0 - nav / peak,
            prices: [Some(100.0), None],
        }
    }

    #[test]
    fn months_are_chained_and_years_are_their_product() {
        let days = [
            day("2024-01-31", 0.1, 1.1, 1.1),
            day("2024-02-01", -0.05, 1.045, 1.1),
            day("2024-02-02", 0.02, 1.0659, 1.1),
        ];
        let html = months(&days, "USDT");
        assert!(
            html.contains("10.0000 %") && html.contains("3.1000 %"),
            "{html}"
        );
        assert!(
            html.contains("6.5899 %") || html.contains("6.5900 %"),
            "{html}"
        );
    }

    #[test]
    fn the_worst_week_and_the_longest_time_under_water_are_found() {
        let mut days = Vec::new();
        let (mut nav, mut peak) = (1.0_f64, 1.0_f64);
        for number in 1..=20 {
            let earned = if (5..=8).contains(&number) {
                -0.01
            } else {
                0.005
            };
            nav *= 1.0 + earned;
            peak = peak.max(nav);
            days.push(day(&format!("2024-03-{number:02}"), earned, nav, peak));
        }
        let whole: Vec<&Day> = days.iter().collect();
        let (lost, from, to) = worst_week(&whole).unwrap();
        assert_eq!((from, to), ("2024-03-02", "2024-03-08"));
        assert!((lost - (0.99_f64.powi(4) * 1.005_f64.powi(3) - 1.0)).abs() < 1e-12);
        let water = UnderWater::of(&days).unwrap();
        assert_eq!(water.span, "2024-03-05 to 2024-03-16");
        assert_eq!((water.days, water.longest), (12, 12));
    }

    #[test]
    fn beta_is_the_slope_and_absent_without_prices_or_days() {
        let mut days: Vec<Day> = Vec::new();
        let mut price = 100.0;
        for number in 0..40 {
            let moved = if number % 3 == 0 { 0.02 } else { -0.01 };
            price *= 1.0 + moved;
            let mut one = day("2024-03-01", 0.25 * moved + 0.001, 1.0, 1.0);
            one.prices = [Some(price), None];
            days.push(one);
        }
        let whole: Vec<&Day> = days.iter().collect();
        let (slope, count) = beta(&whole, 0).unwrap();
        assert!(
            (slope - 0.25).abs() < 1e-9 && count == 39,
            "{slope} {count}"
        );
        assert_eq!(beta(&whole, 1), None);
        assert_eq!(beta(&whole[..20], 0), None);
    }

    #[test]
    fn profits_of_venues_add_up_to_what_was_made() {
        let of = |pairs: &[(&str, f64)]| -> BTreeMap<String, f64> {
            pairs
                .iter()
                .map(|(name, sum)| ((*name).to_owned(), *sum))
                .collect()
        };
        let value = of(&[("binance", 60.0), ("okx", 47.0)]);
        let invested = of(&[("binance", 55.0), ("okx", 50.0), ("wallet", -5.0)]);
        let made = profits(&value, &invested);
        assert_eq!(made, [("binance", 5.0), ("okx", -3.0), ("wallet", 5.0)]);
    }
}
