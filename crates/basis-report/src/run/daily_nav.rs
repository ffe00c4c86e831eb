//! `daily_nav`: the net asset value of each UTC day, in the share class.

use basis_core::error::ComponentError;
use basis_core::num::{Price, Value};
use basis_core::types::{Asset, SeriesKind, Timestamp};
use basis_engine::result::{PriceColumn, StepColumns};
use basis_engine::statistics::{DAY, DayNav, TimeWeighted};

use super::{in_share_class, prices_asset};
use crate::table::{Column, Kind, Rows};

/// The columns of `daily_nav`.
pub(super) const DAILY_NAV: [Column<'static>; 10] = [
    ("date", Kind::Text),
    ("whole_day", Kind::Text),
    ("equity_usd", Kind::Number),
    ("equity_share_class", Kind::Number),
    ("external_flow_share_class", Kind::Number),
    ("nav", Kind::Statistic),
    ("return", Kind::Statistic),
    ("drawdown", Kind::Statistic),
    ("btc_price_usd", Kind::Number),
    ("eth_price_usd", Kind::Number),
];

/// What the days are compared with, where the run reads its price.
const BENCHMARKS: [Asset; 2] = [Asset::literal("BTC"), Asset::literal("ETH")];

/// `daily_nav`: one row per UTC day.
#[derive(Debug)]
pub(super) struct DailyNav<T> {
    table: T,
    share_class: Asset,
    index: TimeWeighted,
    /// Of the last step: equity in USD and in the share class.
    last: (Value, Value),
    /// Capital that came within the day under way, in the share class.
    flow: Value,
    /// Prices of the benchmarks after the last step.
    prices: [Option<Price>; 2],
}

impl<T: Rows> DailyNav<T> {
    pub(super) const fn new(table: T, share_class: Asset, from: Timestamp) -> Self {
        Self {
            table,
            share_class,
            index: TimeWeighted::new(from),
            last: (Value::ZERO, Value::ZERO),
            flow: Value::ZERO,
            prices: [None; 2],
        }
    }

    /// Takes the steps and writes a row per day that they end.
    pub(super) fn write(&mut self, steps: &StepColumns) -> Result<(), ComponentError> {
        let benchmarks = BENCHMARKS.map(|asset| {
            let shows = |column: &&PriceColumn| {
                let series = column.series;
                series.kind == SeriesKind::Spot && prices_asset(series.symbol, asset)
            };
            steps.prices.iter().find(shows)
        });
        let money = steps.equity_usd.iter().zip(&steps.external_flow_usd);
        let rows = steps.at.iter().zip(money).zip(&steps.reference);
        for (step, ((at, (equity_usd, flow)), reference)) in rows.enumerate() {
            let class = |value: Value| {
                in_share_class(self.share_class, value, *reference)
                    .map(|units| Value::new(units.get()))
            };
            let (equity, flow) = (class(*equity_usd)?, class(*flow)?);
            let ended = self.index.step(*at, equity, flow);
            // The step after midnight may be the first to know that the day before is over.
            let ends_itself = ended.is_some_and(|day| *at <= day.day.plus(DAY));
            if let Some(day) = ended.filter(|_| !ends_itself) {
                self.row(&day)?;
            }
            self.prices = benchmarks.map(|column| {
                let mark = column?.mark.get(step).copied();
                mark.filter(|mark| *mark > Price::ZERO)
            });
            let peg = steps.peg.get(step).map_or(Value::ZERO, |peg| peg.value);
            self.last = (equity_usd.add(peg)?, equity);
            self.flow = self.flow.add(flow)?;
            if let Some(day) = ended.filter(|_| ends_itself) {
                self.row(&day)?;
            }
        }
        Ok(())
    }

    fn row(&mut self, day: &DayNav) -> Result<(), ComponentError> {
        let (year, month, date) = day.day.date();
        let table = &mut self.table;
        table.shown(&format_args!("{year:04}-{month:02}-{date:02}"));
        table.plain(if day.is_whole { "true" } else { "false" });
        table.number(self.last.0.get());
        table.number(self.last.1.get());
        table.number(self.flow.get());
        table.statistic(&day.index.to_string());
        match day.day_return {
            Some(earned) => table.statistic(&earned.to_string()),
            None => table.blank(1),
        }
        table.statistic(&day.drawdown.to_string());
        for price in self.prices {
            match price {
                Some(price) => table.number(price.get()),
                None => table.blank(1),
            }
        }
        self.flow = Value::ZERO;
        table.end()
    }

    pub(super) fn finish(mut self) -> Result<u64, ComponentError> {
        if let Some(day) = self.index.last_day() {
            self.row(&day)?;
        }
        self.table.finish()
    }
}
