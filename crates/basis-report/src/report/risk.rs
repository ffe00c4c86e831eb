//! What `risk.csv` gives: distance to liquidation of every account, health factors, and what the market
//! takes off staking tokens.

use std::path::Path;

use basis_core::error::ComponentError;

use crate::page::series::{Chart, Kind, Sampler, Series};
use crate::table::read::{Row, Table};

/// The charts drawn from `risk.csv`.
#[derive(Debug)]
pub(super) struct RiskCharts {
    pub(super) distance: Chart,
    /// Of lending accounts, where there are any.
    pub(super) health: Option<Chart>,
    /// Of staking tokens that have a market, where there are any.
    pub(super) discount: Option<Chart>,
}

/// What a chart shows of a row, by its measure.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Shown {
    Distance,
    Health,
    Discount,
}

/// A line per account or token, step by step.
#[derive(Debug)]
struct Lines {
    shown: Shown,
    names: Vec<String>,
    values: Vec<f64>,
    sampler: Sampler,
}

impl Lines {
    const fn new(shown: Shown, range: (i64, i64)) -> Self {
        Self {
            shown,
            names: Vec::new(),
            values: Vec::new(),
            sampler: Sampler::new(range),
        }
    }

    fn set(&mut self, (account, item): (&str, &str), value: f64) {
        let is_it = |name: &String| match (account, item) {
            ("", name_only) | (name_only, "") => name == name_only,
            (account, item) => {
                let rest = name.strip_prefix(account);
                rest.and_then(|rest| rest.strip_prefix(' ')) == Some(item)
            }
        };
        let index = self.names.iter().position(is_it).unwrap_or_else(|| {
            let name = format!("{account} {item}");
            self.names.push(name.trim().to_owned());
            self.values.push(f64::NAN);
            self.names.len() - 1
        });
        if let Some(place) = self.values.get_mut(index) {
            *place = value;
        }
    }

    /// Keeps the step; the worst of its values decides whether the chart does.
    fn end_step(&mut self, at: i64) {
        let values = self.values.iter().copied();
        let key = match self.shown {
            Shown::Distance | Shown::Health => values.fold(f64::INFINITY, f64::min),
            Shown::Discount => values.fold(f64::NEG_INFINITY, f64::max),
        };
        self.sampler.push(at, key, &self.values);
        self.values.fill(f64::NAN);
    }

    fn finish(self) -> (Vec<i64>, Vec<Series>) {
        let (x, columns) = self.sampler.finish();
        let named = self.names.iter().zip(columns).enumerate();
        let series = named.map(|(color, (name, values))| Series::new(name, color, values));
        (x, series.collect())
    }
}

const COLUMNS: [&str; 6] = [
    "timestamp",
    "account",
    "item",
    "measure",
    "value",
    "price_distance_fraction",
];

pub(super) fn charts(directory: &Path, range: (i64, i64)) -> Result<RiskCharts, ComponentError> {
    let mut table = Table::open(directory, "risk.csv", &COLUMNS)?;
    let shown = [Shown::Distance, Shown::Health, Shown::Discount];
    let mut lines = shown.map(|shown| Lines::new(shown, range));
    let (mut instant, mut at) = (Vec::new(), None);
    while let Some(row) = table.next()? {
        if row.bytes(0) != instant {
            instant.clear();
            instant.extend_from_slice(row.bytes(0));
            end_step(&mut lines, at);
            at = Some(row.seconds(0)?);
        }
        take(&mut lines, row)?;
    }
    end_step(&mut lines, at);
    let [distance, health, discount] = lines.map(Lines::finish);
    Ok(RiskCharts {
        distance: distance_chart(distance),
        health: (!health.1.is_empty()).then(|| health_chart(health)),
        discount: (!discount.1.is_empty()).then(|| discount_chart(discount)),
    })
}

fn end_step(lines: &mut [Lines], at: Option<i64>) {
    if let Some(at) = at {
        for line in lines {
            line.end_step(at);
        }
    }
}

fn take(lines: &mut [Lines; 3], row: Row<'_>) -> Result<(), ComponentError> {
    let name = (row.text(1), row.text(2));
    let [distance, health, discount] = lines;
    let percent = |value: Option<f64>| value.unwrap_or(f64::NAN) * 100.0;
    let measure = row.bytes(3);
    if measure == b"lst_discount" {
        discount.set(name, percent(row.number(4)?));
        return Ok(());
    }
    if measure == b"health_factor" {
        health.set(name, row.number(4)?.unwrap_or(f64::NAN));
    }
    distance.set(name, percent(row.number(5)?));
    Ok(())
}

fn distance_chart((x, series): (Vec<i64>, Vec<Series>)) -> Chart {
    Chart {
        id: "distance",
        title: "Distance to liquidation",
        unit: "% price move".to_owned(),
        note: "Perp account: the move of all its marks at which its margin balance equals its \
               maintenance margin, (balance − maintenance) ÷ |maintenance before deductions − signed \
               notional|; upward for a short account, downward for a long one, its tiers as they are. \
               Lending account: the fall of its collateral against its debt, 1 − 1 ÷ health factor."
            .to_owned(),
        kind: Kind::Line,
        decimals: 2,
        x,
        series,
    }
}

fn health_chart((x, series): (Vec<i64>, Vec<Series>)) -> Chart {
    Chart {
        id: "health_factor",
        title: "Health factor",
        unit: "ratio".to_owned(),
        note:
            "Collateral × liquidation threshold ÷ debt at the protocol\u{2019}s oracle (at Morpho \
               LLTV × collateral ÷ debt), per lending account that owes something; below 1 it is \
               liquidated."
                .to_owned(),
        kind: Kind::Line,
        decimals: 4,
        x,
        series,
    }
}

fn discount_chart((x, series): (Vec<i64>, Vec<Series>)) -> Chart {
    Chart {
        id: "lst_discount",
        title: "Staking token discount",
        unit: "%".to_owned(),
        note:
            "1 − what the market pays for the token ÷ what its protocol redeems it for; below zero \
               at a premium. It costs when leaving through the market; lenders that go by the \
               protocol\u{2019}s rate liquidate nothing for it."
                .to_owned(),
        kind: Kind::Line,
        decimals: 3,
        x,
        series,
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::sample_run;
    use super::*;
    use crate::directory::tests::Scratch;

    const RANGE: (i64, i64) = (1_714_521_600, 1_714_528_800);

    #[test]
    fn lending_accounts_stand_beside_margin_accounts() {
        let scratch = sample_run("risk");
        let charts = charts(&scratch.path.join("run"), RANGE).unwrap();
        let labels: Vec<_> = charts.distance.series.iter().map(|s| &s.label).collect();
        assert_eq!(labels, ["binance.usdm", "aave.main"]);
        let lending = &charts.distance.series[1].values;
        assert!(lending[0].is_nan(), "it came with the second step");
        assert!((lending[1] - 20.0).abs() < 1e-9);
        let health = charts.health.unwrap().series[0].values[1];
        assert!((health - 1.25).abs() < 1e-9);
        let discount = charts.discount.unwrap();
        assert_eq!(discount.series[0].label, "weETH");
        assert!((discount.series[0].values[1] - 5.0).abs() < 1e-9);
    }

    #[test]
    fn an_isolated_position_has_a_line_of_its_own_and_a_run_without_lenders_no_chart_of_them() {
        let scratch = Scratch::new("risk-isolated");
        let rows = "2024-05-01T01:00:00Z,okx.trading,,margin_ratio,0.1,0.5\n\
                    2024-05-01T01:00:00Z,okx.trading,okx:perp:BTCUSDT,margin_ratio,0.2,0.25\n\
                    2024-05-01T02:00:00Z,okx.trading,okx:perp:BTCUSDT,margin_ratio,0.2,\n";
        scratch.write("risk.csv", &format!("{}\n{rows}", COLUMNS.join(",")));
        let charts = charts(&scratch.path, RANGE).unwrap();
        assert!(charts.health.is_none() && charts.discount.is_none());
        let series = &charts.distance.series;
        assert_eq!(series[1].label, "okx.trading okx:perp:BTCUSDT");
        let first = [series[0].values[0], series[1].values[0]];
        assert_eq!(first.map(|percent| percent.to_string()), ["50", "25"]);
        assert!(series.iter().all(|series| series.values[1].is_nan()));
    }
}
