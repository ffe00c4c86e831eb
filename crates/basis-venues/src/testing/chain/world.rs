//! Recorded series in code.

use std::sync::Arc;

use basis_core::num::{Fixed18, Price};
use basis_core::types::{SeriesId, Span};
use basis_market::{
    BarColumns, GasFees, MarketData, MarketView, PointSeries, Reward, RowSeries, SeriesRequest,
    ViewPolicy,
};
use basis_testkit::q;

use super::at;

const HOURS: usize = 2_400;

fn id(text: &str) -> SeriesId {
    text.parse().unwrap()
}

/// Recorded series: hourly bars and gas that never change, daily rates, rewards.
pub(crate) struct World {
    data: MarketData,
    requests: Vec<SeriesRequest>,
}

impl World {
    /// ETH at 2000 dollars, gas at 20 gwei.
    pub(crate) fn new() -> Self {
        let mut world = Self {
            data: MarketData::new("in code", true),
            requests: Vec::new(),
        };
        world.bars("spot.bybit.ETHUSDT", "2000");
        let fees = GasFees {
            block: 1,
            base_fee_gwei: Fixed18::literal("19"),
            priority_fee_gwei: Fixed18::ONE,
            gas_price_gwei: Fixed18::literal("20"),
        };
        let hours: Vec<_> = (0..).take(HOURS).map(at).collect();
        let rows = vec![fees; hours.len()];
        let series = id("gas.ethereum.gwei");
        let gas = RowSeries::new(series, Some(Span::HOUR), hours, rows).unwrap();
        world.data.add_rows(gas).unwrap();
        world.request(series);
        world
    }

    fn request(&mut self, id: SeriesId) {
        let reference = None;
        self.requests.push(SeriesRequest { id, reference });
    }

    pub(crate) fn bars(&mut self, series: &str, price: &str) {
        let price: Price = price.parse().unwrap();
        let length = Span::HOUR;
        let opened_at: Vec<_> = (-1..).take(HOURS).map(at).collect();
        let prices = vec![price; opened_at.len()];
        let columns = BarColumns {
            id: id(series),
            length,
            open: prices.clone(),
            high: prices.clone(),
            low: prices.clone(),
            close: prices,
            volume: vec![q("1"); opened_at.len()],
            opened_at,
        };
        self.data.add_bars(columns).unwrap();
        self.request(id(series));
    }

    /// Rates from hour 0 on, a day apart.
    pub(crate) fn rates(mut self, series: &str, rates: &[&str]) -> Self {
        let days = (0..).take(rates.len()).map(|day| at(24 * day)).collect();
        let rates = rates.iter().map(|rate| rate.parse().unwrap()).collect();
        let points = PointSeries::new(id(series), Some(Span::DAY), days, rates).unwrap();
        self.data.add_rows(points).unwrap();
        self.request(id(series));
        self
    }

    /// Rewards: hour of the payment, start and end of the period, per ETH.
    pub(crate) fn rewards(mut self, series: &str, rows: &[(i64, i64, i64, &str)]) -> Self {
        let hours = rows.iter().map(|row| at(row.0)).collect();
        let reward = |row: &(i64, i64, i64, &str)| Reward {
            period_start: at(row.1),
            period_end: at(row.2),
            total: Fixed18::ONE,
            per_eth: row.3.parse().unwrap(),
        };
        let rows = rows.iter().map(reward).collect();
        let rows = RowSeries::new(id(series), None, hours, rows).unwrap();
        self.data.add_rows(rows).unwrap();
        self.request(id(series));
        self
    }

    /// A view at hour 0 that does not carry `without`.
    pub(crate) fn view(mut self, without: &str) -> MarketView {
        self.requests.retain(|r| r.id.to_string() != without);
        let data = Arc::new(self.data);
        let mut view = MarketView::new(data, &self.requests, ViewPolicy::default()).unwrap();
        view.advance_to(at(0)).unwrap();
        view
    }
}
