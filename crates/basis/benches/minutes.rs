//! `cargo bench -p basis --bench minutes [-- DIR]`: a year and more of minutes, made from hourly bars,
//! each cut into sixty that fold back to it: those recorded in DIR, else the synthetic market.
//! Prints CPU seconds and the process's peak memory, beside a bare f64 loop over the same columns.
//! Judges nothing.

#![expect(clippy::print_stdout, reason = "a program that prints figures")]
#![expect(
    clippy::unwrap_used,
    reason = "a benchmark stops at the first surprise"
)]

use std::collections::BTreeMap;
use std::hint::black_box;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use basis::assembly::{Backtest, Setup};
use basis::config::environment::Environment;
use basis::config::layers::{self, Request};
use basis::core::num::{Fixed18, Price, Quantity};
use basis::core::types::{RunId, SeriesKind, Span, Timestamp};
use basis::data::synthetic::{SyntheticSpec, synthetic};
use basis::data::{LoadRequest, load};
use basis::engine::{NullSink, Progress};
use basis::market::{Bar, BarSeries, BarSeriesBuilder, MarketData};
use basis::report::Format;
use basis::report::run::{OutputContext, RunWriter, Timing};
use basis::venues::registry::Registry;
use cpu_time::{ProcessTime, ThreadTime};

/// As in the binary.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Minutes of an hour.
const MINUTES: i64 = 60;
/// Prices between the four of a bar stand on this grid: 0.01.
const TICK: i128 = 10_000_000_000_000_000;
const RUNS: usize = 3;

/// The mode on minutes; gaps of the recorded history are held, or filled by Bybit.
const SETS: [&str; 6] = [
    "expected_carry.horizon_hours=null",
    "data.step_minutes=1",
    "data.gaps=hold",
    "data.proxies.perp.okx.BTCUSDT=perp.bybit.BTCUSDT",
    "initial_capital=1000000",
    "reference_price=spot.binance.BTCUSDT",
];

fn main() {
    let directory = std::env::args().skip(1).find(|arg| !arg.starts_with("--"));
    let registry = Registry::builtin();
    let setup = setup(&registry);
    let hourly = hourly(&setup, directory.as_deref().map(Path::new));
    let data = Arc::new(minutes(&hourly));
    drop(hourly);
    let setup = over_all(setup, &data);
    println!(
        "data: {}, {} minute bars a series, {} MB resident",
        data.source(),
        data.ids()
            .filter_map(|id| data.bars(id))
            .map(|bars| bars.len())
            .max()
            .unwrap_or_default(),
        memory("VmRSS")
    );
    for _ in 0..RUNS {
        let prepared = Backtest::prepare(Arc::clone(&data), &setup).unwrap();
        let started = ThreadTime::now();
        let result = prepared
            .run_into(&mut NullSink, &mut |_: Progress| {})
            .unwrap();
        println!(
            "engine: {:.3} CPU s, {} steps, {} fills, {} rebalances; peak {} MB",
            started.elapsed().as_secs_f64(),
            result.counts.steps,
            result.counts.fills,
            result.counts.rebalances,
            memory("VmHWM")
        );
    }
    streamed(&data, &setup);
    let columns = closes(&data, &setup);
    let started = ThreadTime::now();
    black_box(bare_loop(black_box(&columns)));
    println!(
        "bare f64 loop: {:.4} CPU s",
        started.elapsed().as_secs_f64()
    );
}

/// One run whose steps stream to a run directory.
fn streamed(data: &Arc<MarketData>, setup: &Setup) {
    let name = format!("basis-minutes-{}", std::process::id());
    let out: PathBuf = std::env::temp_dir().join(name);
    let prepared = Backtest::prepare(Arc::clone(data), setup).unwrap();
    let mut writer = RunWriter::create(
        &out,
        (setup.run().share_class, setup.run().from),
        Format::Csv,
    )
    .unwrap();
    let process = ProcessTime::now();
    let engine = ThreadTime::now();
    let result = prepared
        .run_into(&mut writer, &mut |_: Progress| {})
        .unwrap();
    println!(
        "streamed: engine {:.3} CPU s; peak {} MB",
        engine.elapsed().as_secs_f64(),
        memory("VmHWM")
    );
    let context = OutputContext {
        config_yaml: setup.config_yaml().to_owned(),
        config_hash: setup.config_hash().to_owned(),
        run_id: RunId::from_number(1),
        flows: setup.run().flows.clone(),
        timing: Timing::default(),
        versions: Vec::new(),
    };
    let written = writer.finish(&result, &context).unwrap();
    let bytes: u64 = written.files.iter().map(|file| file.bytes).sum();
    println!(
        "whole run with its directory: {:.3} CPU s on all threads, {} MB written; peak {} MB",
        process.elapsed().as_secs_f64(),
        bytes / 1_000_000,
        memory("VmHWM")
    );
    std::fs::remove_dir_all(&out).unwrap();
}

fn setup(registry: &Registry) -> Setup {
    let sets: Vec<String> = SETS.iter().map(|&set| set.to_owned()).collect();
    let request = Request {
        mode: "btc_basis",
        sets: &sets,
        ..Request::default()
    };
    let environment = Environment::from_pairs(BTreeMap::new(), registry);
    layers::resolve(&request, &environment, registry)
        .unwrap()
        .setup
}

/// The hourly history of what the mode needs.
fn hourly(setup: &Setup, directory: Option<&Path>) -> MarketData {
    let Some(directory) = directory else {
        return synthetic(&SyntheticSpec {
            bars: 12_132,
            ..SyntheticSpec::default()
        });
    };
    let request = LoadRequest {
        ids: setup.required_series().unwrap(),
        ..LoadRequest::default()
    };
    // A series that is absent has a proxy, or the run says so.
    let loaded = load(directory, &request, &|_| {}).unwrap();
    Arc::unwrap_or_clone(loaded.data)
}

/// From the first instant all needed prices are there to the last.
fn over_all(setup: Setup, data: &MarketData) -> Setup {
    let needed = setup.required_series().unwrap();
    let bars = || {
        let prices = needed.iter().filter(|id| id.kind != SeriesKind::Funding);
        prices.filter_map(|id| data.bars(*id))
    };
    let from = bars().filter_map(|bars| bars.first_opened()).max().unwrap();
    let to = bars().filter_map(|bars| bars.last_opened()).min().unwrap();
    setup.with_range(from, to.plus(Span::from_minutes(1)))
}

/// The same market in minutes; funding stays as it is.
fn minutes(hourly: &MarketData) -> MarketData {
    let mut data = MarketData::new(format!("{} in minutes", hourly.source()), true);
    for id in hourly.ids() {
        if let Some(bars) = hourly.bars(id) {
            let minutes = cut(bars);
            check_fold(bars, &minutes);
            data.add_bars(minutes).unwrap();
        }
        if let Some(rates) = hourly.rates(id) {
            data.add_rates((**rates).clone()).unwrap();
        }
    }
    data
}

/// Each bar as sixty: open, one extreme, the other, close, a third of the hour for each way.
fn cut(hours: &BarSeries) -> BarSeries {
    let length = Span::from_minutes(1);
    let mut minutes = BarSeriesBuilder::new(hours.id, length, hours.len() * 60);
    for hour in hours.bars() {
        let total = hour.volume.get().mantissa();
        let each = total / i128::from(MINUTES) / TICK * TICK;
        for minute in 0..MINUTES {
            let (open, close) = (path(&hour, minute), path(&hour, minute + 1));
            let volume = match minute {
                59 => total - each * i128::from(MINUTES - 1),
                _ => each,
            };
            minutes
                .push(
                    hour.opened_at.plus(length.times(minute)),
                    [open, open.max(close), open.min(close), close],
                    Quantity::new(Fixed18::from_mantissa(volume)),
                )
                .unwrap();
        }
    }
    minutes.finish()
}

/// The price so many minutes into the hour.
fn path(hour: &Bar, minute: i64) -> Price {
    let (first, second) = if hour.close >= hour.open {
        (hour.low, hour.high)
    } else {
        (hour.high, hour.low)
    };
    let (from, to, done) = match minute {
        0..20 => (hour.open, first, minute),
        20..40 => (first, second, minute - 20),
        _ => (second, hour.close, minute - 40),
    };
    if done == 0 {
        return from;
    }
    if done == 20 {
        return to;
    }
    let (from, to) = (from.get().mantissa(), to.get().mantissa());
    let between = from + (to - from) * i128::from(done) / 20;
    let price = Price::new(Fixed18::from_mantissa(between / TICK * TICK)).unwrap();
    price.clamp(hour.low, hour.high)
}

/// Sixty minutes fold back to their hour, to the last digit.
fn check_fold(hours: &BarSeries, minutes: &BarSeries) {
    let mut parts = minutes.bars();
    for hour in hours.bars() {
        let first = parts.next().unwrap();
        let mut volume = first.volume;
        let mut fold = first;
        for part in parts.by_ref().take(59) {
            fold.high = fold.high.max(part.high);
            fold.low = fold.low.min(part.low);
            fold.close = part.close;
            volume = volume.add(part.volume).unwrap();
        }
        fold.volume = volume;
        assert_eq!(fold, hour, "{}", hours.id);
    }
}

/// Closes of the price series the mode needs, those it shorts averaged by the loop.
fn closes(data: &MarketData, setup: &Setup) -> Vec<Vec<f64>> {
    let needed = setup.required_series().unwrap();
    let prices = needed
        .into_iter()
        .filter(|id| id.kind != SeriesKind::Funding);
    let (from, to) = (setup.run().from, setup.run().to);
    let within = |at: Timestamp| at >= from && at < to;
    prices
        .filter_map(|id| data.bars(id))
        .map(|bars| {
            let bars = bars.bars().filter(|bar| within(bar.opened_at));
            bars.map(|bar| bar.close.to_f64()).collect()
        })
        .collect()
}

/// What a quick script does: hold spot against the mean of the perps.
fn bare_loop(columns: &[Vec<f64>]) -> f64 {
    let [spot, perps @ ..] = columns else {
        return f64::NAN;
    };
    let share = perps.iter().map(|_| 1.0).sum::<f64>().recip();
    let mut equity = 1_000_000.0;
    let mut before: Option<(f64, f64)> = None;
    for (row, spot) in spot.iter().enumerate() {
        let perp: f64 = perps.iter().filter_map(|perp| perp.get(row)).sum::<f64>() * share;
        if let Some((spot_before, perp_before)) = before {
            equity += 8.0 * ((spot - spot_before) - (perp - perp_before));
        }
        before = Some((*spot, perp));
    }
    equity
}

/// A line of `/proc/self/status` in MB; zero where there is none.
fn memory(what: &str) -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find(|line| line.starts_with(what));
    let kilobytes = line.and_then(|line| line.split_whitespace().nth(1));
    kilobytes
        .and_then(|text| text.parse::<u64>().ok())
        .unwrap_or_default()
        / 1_000
}
