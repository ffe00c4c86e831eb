//! What `equity.csv` gives: equity, index and drawdown, attribution, net delta, reference price.

use std::path::Path;

use basis_core::error::ComponentError;
use basis_engine::pnl::Attribution;

use crate::page::series::{Chart, Kind, Sampler, Series};
use crate::table::read::{Row, Table};

/// Whether a share class is a dollar.
pub(super) fn is_dollar(share_class: &str) -> bool {
    matches!(share_class, "USDT" | "USDC" | "USD")
}

/// The charts drawn from `equity.csv`.
#[derive(Debug)]
pub(super) struct EquityCharts {
    pub(super) equity: Chart,
    /// Equity in the share class, when that is no dollar.
    pub(super) class: Option<Chart>,
    /// 100 at the start, time-weighted.
    pub(super) index: Chart,
    pub(super) drawdown: Chart,
    /// What leaving everything takes; none of a run of a program that did not value it.
    pub(super) exit: Option<Chart>,
    pub(super) attribution: Chart,
    pub(super) delta: Chart,
    pub(super) price: Chart,
}

/// What the reading of `equity.csv` needs to know of the run.
#[derive(Clone, Copy, Debug)]
pub(super) struct Frame<'a> {
    /// Start and end of the run, seconds.
    pub(super) range: (i64, i64),
    pub(super) share_class: &'a str,
    /// First capital, in the share class.
    pub(super) start: f64,
}

/// Everything being gathered while the rows go by.
#[derive(Debug)]
struct Pass {
    buckets: Vec<String>,
    sums: Vec<f64>,
    /// The sums and their total.
    stacked: Vec<f64>,
    in_dollars: bool,
    /// Equity in the share class after the step before.
    before: f64,
    index: f64,
    peak: f64,
    equity: Sampler,
    performance: Sampler,
    attribution: Sampler,
    delta: Sampler,
    price: Sampler,
    /// Cost of leaving in basis points of the equity, and hours.
    exit: Sampler,
    has_exit: bool,
    /// The column of the dollar token's price in dollars.
    peg: Option<usize>,
}

const EQUITY: usize = 1;
const CLASS: usize = 2;
const FLOW: usize = 3;
const DELTA: usize = 4;
const REFERENCE: usize = 5;
const FIXED: usize = 6;
/// Dollars per token that the run counts in; empty without a series.
const PEG: &str = "peg_price_usd";

/// What leaving takes: columns of their own, not buckets.
const EXIT: [&str; 3] = ["exit_value_usd", "exit_cost_usd", "exit_hours"];

pub(super) fn charts(directory: &Path, frame: Frame<'_>) -> Result<EquityCharts, ComponentError> {
    let mut wanted: Vec<String> = [
        "timestamp",
        "equity_usd",
        "equity_share_class",
        "external_flow_usd",
        "net_delta_base",
        "reference_price_usd",
    ]
    .map(str::to_owned)
    .to_vec();
    let has_exit = Table::has(directory, "equity.csv", EXIT[1])?;
    let has_peg = Table::has(directory, "equity.csv", PEG)?;
    let rows = Attribution::default().rows();
    let names = rows.iter().map(|(name, _)| (*name).to_owned());
    let buckets: Vec<String> = names.filter(|name| name != "residual").collect();
    wanted.extend(buckets.iter().cloned());
    if has_exit {
        wanted.extend(EXIT.iter().skip(1).map(|name| (*name).to_owned()));
    }
    let peg = has_peg.then_some(wanted.len());
    wanted.extend(peg.map(|_| PEG.to_owned()));
    let wanted: Vec<&str> = wanted.iter().map(String::as_str).collect();
    let mut table = Table::open(directory, "equity.csv", &wanted)?;
    let sampler = || Sampler::new(frame.range);
    let mut pass = Pass {
        sums: vec![0.0; buckets.len()],
        stacked: Vec::with_capacity(buckets.len() + 1),
        buckets,
        in_dollars: is_dollar(frame.share_class),
        before: frame.start,
        index: 100.0,
        peak: 100.0,
        equity: sampler(),
        performance: sampler(),
        attribution: sampler(),
        delta: sampler(),
        price: sampler(),
        exit: sampler(),
        has_exit,
        peg,
    };
    while let Some(row) = table.next()? {
        pass.take(row)?;
    }
    Ok(pass.finish(frame))
}

impl Pass {
    fn take(&mut self, row: Row<'_>) -> Result<(), ComponentError> {
        let at = row.seconds(0)?;
        let equity_usd = row.amount(EQUITY)?;
        let equity = row.amount(CLASS)?;
        self.equity.push(at, equity_usd, &[equity_usd, equity]);
        // Capital arrives after the move of its step; the first capital is the start itself.
        let first = self.performance.is_empty();
        let peg = self.peg.map(|peg| row.number(peg)).transpose()?.flatten();
        let tokens = row.amount(FLOW)? / peg.unwrap_or(1.0);
        let flow = match row.number(REFERENCE)? {
            _ if first => 0.0,
            Some(reference) if !self.in_dollars => tokens / reference,
            _ => tokens,
        };
        if self.before > 0.0 {
            self.index *= ((equity - flow) / self.before).max(0.0);
        }
        self.before = equity;
        self.peak = self.peak.max(self.index);
        let drawdown = (self.index / self.peak - 1.0) * 100.0;
        self.performance
            .push(at, self.index, &[self.index, drawdown]);
        for (sum, bucket) in self.sums.iter_mut().zip(FIXED..) {
            *sum += row.amount(bucket)?;
        }
        let total = self.sums.iter().sum();
        self.stacked.clear();
        self.stacked.extend_from_slice(&self.sums);
        self.stacked.push(total);
        self.attribution.push(at, total, &self.stacked);
        let delta = row.amount(DELTA)?;
        self.delta.push(at, delta, &[delta]);
        if self.has_exit {
            let first = FIXED + self.buckets.len();
            let cost = row.amount(first)?;
            let share = if equity_usd > 0.0 {
                cost / equity_usd * 10_000.0
            } else {
                0.0
            };
            self.exit.push(at, share, &[share, row.amount(first + 1)?]);
        }
        if let Some(price) = row.number(REFERENCE)? {
            self.price.push(at, price, &[price]);
        }
        Ok(())
    }

    fn finish(self, frame: Frame<'_>) -> EquityCharts {
        let (equity_x, mut equity) = self.equity.finish();
        let (performance_x, mut performance) = self.performance.finish();
        let class = column(&mut equity, 1);
        let drawdown = column(&mut performance, 1);
        EquityCharts {
            exit: self.has_exit.then(|| exit_chart(self.exit)),
            class: (!self.in_dollars).then(|| class_chart(frame.share_class, &equity_x, class)),
            equity: Chart {
                id: "equity",
                title: "Equity",
                unit: "USD".to_owned(),
                note: "Worth of everything held after each step, at marks.".to_owned(),
                kind: Kind::Line,
                decimals: 2,
                x: equity_x,
                series: vec![Series::new("equity", 0, column(&mut equity, 0))],
            },
            index: Chart {
                id: "index",
                title: "Equity index",
                unit: "100 = start".to_owned(),
                note: format!(
                    "Time-weighted, in {}: deposits and withdrawals do not move it.",
                    frame.share_class
                ),
                kind: Kind::Line,
                decimals: 4,
                x: performance_x.clone(),
                series: vec![Series::new("index", 0, column(&mut performance, 0))],
            },
            drawdown: Chart {
                id: "drawdown",
                title: "Drawdown",
                unit: "%".to_owned(),
                note: format!(
                    "Fall of the time-weighted index of the equity in {} from its highest point so far.",
                    frame.share_class
                ),
                kind: Kind::Area,
                decimals: 4,
                x: performance_x,
                series: vec![Series::new("drawdown", 1, drawdown)],
            },
            attribution: attribution_chart(self.attribution, &self.buckets),
            delta: single(
                self.delta,
                ("delta", "Net delta", "base units", 6, 4),
                "Everything held in units of the underlying: perps, assets, staking tokens and supplies at their \
                 protocol's rate, debt below zero; 0 is neutral.",
            ),
            price: single(
                self.price,
                ("price", "Executions on the price", "USD", 2, 7),
                "The line is the reference price. Triangles up are buys, down are sells, at their \
                 own fill price; beyond 2,000 fills those of one interval, instrument and side \
                 share a triangle at their mean price.",
            ),
        }
    }
}

fn column(columns: &mut [Vec<f64>], index: usize) -> Vec<f64> {
    columns
        .get_mut(index)
        .map(std::mem::take)
        .unwrap_or_default()
}

fn single(
    sampler: Sampler,
    (id, title, unit, decimals, color): (&'static str, &'static str, &str, usize, usize),
    note: &str,
) -> Chart {
    let (x, mut columns) = sampler.finish();
    let label = if id == "price" {
        "reference"
    } else {
        "net delta"
    };
    Chart {
        id,
        title,
        unit: unit.to_owned(),
        note: note.to_owned(),
        kind: Kind::Line,
        decimals,
        x,
        series: vec![Series::new(label, color, column(&mut columns, 0))],
    }
}

fn exit_chart(sampler: Sampler) -> Chart {
    let (x, mut columns) = sampler.finish();
    Chart {
        id: "exit",
        title: "Cost of leaving",
        unit: "basis points of equity; hours".to_owned(),
        note:
            "What selling everything would have cost after each step, at the prices, volumes and \
               pools of then, and the hours until it was sold and sent home."
                .to_owned(),
        kind: Kind::Line,
        decimals: 2,
        x,
        series: vec![
            Series::new("cost, bps", 1, column(&mut columns, 0)),
            Series::new("hours", 3, column(&mut columns, 1)),
        ],
    }
}

fn class_chart(share_class: &str, x: &[i64], values: Vec<f64>) -> Chart {
    Chart {
        id: "class",
        title: "Equity in the share class",
        unit: share_class.to_owned(),
        note: format!("Equity divided by the reference price of {share_class}."),
        kind: Kind::Line,
        decimals: 6,
        x: x.to_vec(),
        series: vec![Series::new("equity", 2, values)],
    }
}

/// Buckets that never moved are left out; the last series is the sum.
fn attribution_chart(sampler: Sampler, buckets: &[String]) -> Chart {
    let (x, mut columns) = sampler.finish();
    let sum = columns.pop().unwrap_or_default();
    let moved = |values: &Vec<f64>| values.iter().any(|value| value.abs() > 0.0);
    let mut series: Vec<Series> = buckets
        .iter()
        .zip(columns)
        .filter(|(_, values)| moved(values))
        .enumerate()
        .map(|(color, (bucket, values))| Series::new(bucket.replace('_', " "), color, values))
        .collect();
    series.push(Series::new("sum", 7, sum));
    Chart {
        id: "attribution",
        title: "Attribution over time",
        unit: "USD".to_owned(),
        note: "Cumulative sum of each bucket; what earned is stacked upward, what cost downward, \
               and the line is their sum."
            .to_owned(),
        kind: Kind::Stack,
        decimals: 2,
        x,
        series,
    }
}
