//! Writes markets in memory as directories of recorded data.

#![expect(
    clippy::unwrap_used,
    reason = "helpers of tests: a failure is a failed test"
)]

use std::fmt::Write as _;
use std::fs;
use std::path::Path;

use basis::core::num::{Fixed18, Price, Rounding};
use basis::core::types::{SeriesId, SeriesKind, Span};
use basis::market::{Bar, BarColumns, BarSeries, GasFees, MarketData};

/// Writes bars, funding, staking rates and gas of `data` below `directory`, in the recorded layout;
/// lending and rewards are left out.
pub(crate) fn write(directory: &Path, data: &MarketData) {
    for id in data.ids() {
        write_rows(directory, data, id);
        let folder = directory.join(id.kind.as_str()).join(id.venue.as_str());
        fs::create_dir_all(&folder).unwrap();
        if let Some(bars) = data.bars(id) {
            let minutes = bars.length.seconds() / 60;
            let length = match minutes % 60 {
                0 => format!("{}h", minutes / 60),
                _ => format!("{minutes}m"),
            };
            let file = folder.join(format!("{}_{length}.csv", id.symbol));
            fs::write(file, bars_csv(bars)).unwrap();
        }
        if let Some(rates) = data.rates(id) {
            let mut text = "timestamp,funding_rate\n".to_owned();
            for (at, rate) in rates.at.iter().zip(&rates.rate) {
                writeln!(text, "{at},{rate}").unwrap();
            }
            fs::write(folder.join(format!("{}.csv", id.symbol)), text).unwrap();
        }
    }
}

/// Rates of staking tokens, and gas.
fn write_rows(directory: &Path, data: &MarketData, id: SeriesId) {
    let rates = match id.kind {
        SeriesKind::StakingRate => Some(("protocol_1d", "protocol_rate")),
        SeriesKind::StakingMarket => Some(("market_1h", "market_rate")),
        _ => None,
    };
    if let (Some((name, column)), Some(rows)) = (rates, data.rows::<Fixed18>(id)) {
        let mut text = format!("timestamp,{column}\n");
        for (at, rate) in rows.at().iter().zip(rows.rows()) {
            writeln!(text, "{at},{rate}").unwrap();
        }
        fs::create_dir_all(directory.join("staking")).unwrap();
        fs::write(
            directory.join(format!("staking/{}_{name}.csv", id.symbol)),
            text,
        )
        .unwrap();
    }
    if let Some(rows) = data.rows::<GasFees>(id) {
        let header = "timestamp,block,base_fee_gwei,priority_fee_p50_gwei,gas_price_gwei";
        let mut text = format!("{header}\n");
        for (at, gas) in rows.at().iter().zip(rows.rows()) {
            let (base, priority) = (gas.base_fee_gwei, gas.priority_fee_gwei);
            let (block, price) = (gas.block, gas.gas_price_gwei);
            writeln!(text, "{at},{block},{base},{priority},{price}").unwrap();
        }
        fs::create_dir_all(directory.join("gas")).unwrap();
        fs::write(directory.join(format!("gas/{}_1h.csv", id.venue)), text).unwrap();
    }
}

fn bars_csv(bars: &BarSeries) -> String {
    let mut text = "timestamp,open,high,low,close,volume\n".to_owned();
    for bar in bars.bars() {
        let Bar {
            opened_at,
            open,
            high,
            low,
            close,
            volume,
        } = bar;
        writeln!(text, "{opened_at},{open},{high},{low},{close},{volume}").unwrap();
    }
    text
}

/// The market with every hour cut into sixty minutes: from open to low, to high, to close.
pub(crate) fn in_minutes(hourly: &MarketData) -> MarketData {
    let mut data = MarketData::new("in minutes", hourly.is_synthetic());
    for id in hourly.ids() {
        if let Some(bars) = hourly.bars(id) {
            data.add_bars(minutes(bars)).unwrap();
        }
        if let Some(rates) = hourly.rates(id) {
            data.add_rates((**rates).clone()).unwrap();
        }
    }
    data
}

fn minutes(hours: &BarSeries) -> BarColumns {
    let length = Span::from_minutes(1);
    let mut columns = BarColumns {
        id: hours.id,
        length,
        opened_at: Vec::new(),
        open: Vec::new(),
        high: Vec::new(),
        low: Vec::new(),
        close: Vec::new(),
        volume: Vec::new(),
    };
    for hour in hours.bars() {
        for minute in 0..60 {
            let (open, close) = (path(&hour, minute), path(&hour, minute + 1));
            columns
                .opened_at
                .push(hour.opened_at.plus(length.times(minute)));
            columns.open.push(open);
            columns.high.push(open.max(close));
            columns.low.push(open.min(close));
            columns.close.push(close);
            columns.volume.push(hour.volume);
        }
    }
    columns
}

/// The price so many minutes into the hour.
fn path(hour: &Bar, minute: i64) -> Price {
    let (from, to, done) = match minute {
        0..20 => (hour.open, hour.low, minute),
        20..40 => (hour.low, hour.high, minute - 20),
        _ => (hour.high, hour.close, minute - 40),
    };
    let (start, way) = (from.get(), to.get().sub(from.get()).unwrap());
    let part = Fixed18::from_ratio(done, 20, Rounding::Floor).unwrap();
    let price = start.add(way.mul(part, Rounding::Floor).unwrap()).unwrap();
    let price = price.round_to_decimals(2, Rounding::Floor).unwrap();
    Price::new(price).unwrap().clamp(hour.low, hour.high)
}
