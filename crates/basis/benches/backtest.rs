//! `cargo bench -p basis --bench backtest`: the engine on four instruments of 12,132 hourly bars with
//! full accounts, margin, funding and attribution, beside a bare f64 loop over the same columns, and
//! the whole process, which has the built-in market of 4,368 bars, with `--json` and with all files. Prints CPU milliseconds; judges nothing.
//!
//! The market is the built-in synthetic one. Thresholds are set so that the strategy rebalances more
//! than 600 times.

#![expect(clippy::print_stdout, reason = "a program that prints figures")]
#![expect(
    clippy::unwrap_used,
    reason = "a benchmark stops at the first surprise"
)]

use std::hint::black_box;
use std::process::{Command, Stdio};
use std::sync::Arc;

use basis::assembly::{Backtest, Setup};
use basis::config::environment::Environment;
use basis::config::layers::{self, Request};
use basis::core::types::{SeriesId, SeriesKind, Span};
use basis::data::synthetic::{SyntheticSpec, synthetic};
use basis::market::MarketData;
use basis::venues::registry::Registry;
use cpu_time::{ProcessTime, ThreadTime};

// As in the program.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

const BARS: usize = 12_132;
const RUNS: usize = 15;

/// What makes it four instruments and 600 rebalances.
const SETS: [&str; 4] = [
    "expected_carry.horizon_hours=null",
    "reference_price=spot.binance.BTCUSDT",
    "utilization_band=0.0185",
    "initial_capital=1000000",
];

fn main() {
    let spec = SyntheticSpec {
        bars: BARS,
        ..SyntheticSpec::default()
    };
    let data = Arc::new(synthetic(&spec));
    let registry = Registry::builtin();
    let setup = setup(&spec, &registry);
    let mut cpu = Vec::with_capacity(RUNS);
    let mut counts = None;
    for _ in 0..RUNS {
        let prepared = Backtest::prepare(Arc::clone(&data), &setup).unwrap();
        let started = ThreadTime::now();
        let result = prepared
            .run_into(&mut basis::engine::NullSink, &mut |_| {})
            .unwrap();
        cpu.push(started.elapsed().as_secs_f64() * 1e3);
        counts = Some(result.counts);
    }
    let counts = counts.unwrap();
    println!(
        "job: {} steps, 4 instruments, {} rebalances, {} fills, {} funding payments",
        counts.steps, counts.rebalances, counts.fills, counts.funding_payments
    );
    let mut bare = Vec::with_capacity(RUNS);
    let columns = columns(&data, &setup);
    for _ in 0..RUNS {
        let started = ThreadTime::now();
        black_box(bare_loop(black_box(&columns)));
        bare.push(started.elapsed().as_secs_f64() * 1e3);
    }
    show("engine, CPU ms", &mut cpu);
    show("bare f64 loop, CPU ms", &mut bare);
    process("whole process on 4,368 bars, --json, CPU ms", &[]);
    let out = std::env::temp_dir().join(format!("basis-bench-{}", std::process::id()));
    process(
        "whole process on 4,368 bars, all files, CPU ms",
        &["--out", &out.to_string_lossy()],
    );
}

fn setup(spec: &SyntheticSpec, registry: &Registry) -> Setup {
    let sets: Vec<String> = SETS.iter().map(|&set| set.to_owned()).collect();
    let request = Request {
        mode: "btc_basis",
        sets: &sets,
        ..Request::default()
    };
    let environment = Environment::from_pairs(std::collections::BTreeMap::new(), registry);
    let setup = layers::resolve(&request, &environment, registry)
        .unwrap()
        .setup;
    let bars = i64::try_from(spec.bars).unwrap();
    setup.with_range(spec.start, spec.start.plus(Span::from_hours(bars)))
}

/// Closes of spot and three perps, and each perp's funding spread over its bars.
fn columns(data: &MarketData, setup: &Setup) -> Vec<Vec<f64>> {
    let (run, trades) = (setup.run(), setup.mode().trades());
    let spot = SeriesId::new(SeriesKind::Spot, trades.spot.unwrap(), run.symbol());
    let mut columns = vec![closes(data, spot)];
    for (venue, _) in &trades.perps {
        columns.push(closes(
            data,
            SeriesId::new(SeriesKind::Perp, *venue, run.symbol()),
        ));
    }
    for (venue, _) in &trades.perps {
        let id = SeriesId::new(SeriesKind::Funding, *venue, run.symbol());
        let rates = data.rates(id).unwrap();
        let mut column = vec![0.0; BARS];
        for (slot, rate) in column.iter_mut().skip(7).step_by(8).zip(&rates.rate) {
            *slot = rate.to_f64();
        }
        columns.push(column);
    }
    columns
}

fn closes(data: &MarketData, id: SeriesId) -> Vec<f64> {
    let bars = data.bars(id).unwrap();
    bars.bars().map(|bar| bar.close.to_f64()).collect()
}

/// What a quick script does: hold one spot unit against shorts by share, add funding.
fn bare_loop(columns: &[Vec<f64>]) -> f64 {
    let [spot, a, b, c, fa, fb, fc] = columns else {
        return f64::NAN;
    };
    let mut equity = 1_000_000.0;
    let mut before: Option<(f64, f64)> = None;
    let perps = a
        .iter()
        .zip(b)
        .zip(c)
        .map(|((a, b), c)| 0.4 * a + 0.3 * b + 0.3 * c);
    let rates = fa
        .iter()
        .zip(fb)
        .zip(fc)
        .map(|((a, b), c)| 0.4 * a + 0.3 * b + 0.3 * c);
    for ((spot, perp), rate) in spot.iter().zip(perps).zip(rates) {
        if let Some((spot_before, perp_before)) = before {
            equity += 8.0 * ((spot - spot_before) - (perp - perp_before));
        }
        equity += 8.0 * perp * rate;
        before = Some((*spot, perp));
    }
    equity
}

fn show(what: &str, figures: &mut [f64]) {
    figures.sort_by(f64::total_cmp);
    let at = |place: usize| figures.get(place).copied().unwrap_or(f64::NAN);
    let (least, median, most) = (at(0), at(figures.len() / 2), at(figures.len() - 1));
    println!(
        "{what}: median {median:.3}, min {least:.3}, max {most:.3} ({} runs)",
        figures.len()
    );
}

/// CPU of the whole program on the same job, as the operating system counts children.
fn process(what: &str, extra: &[&str]) {
    let Some(binary) = option_env!("CARGO_BIN_EXE_basis") else {
        return;
    };
    let mut cpu = Vec::new();
    let mut wall = Vec::new();
    for _ in 0..RUNS {
        if let [.., out] = extra {
            let _gone = std::fs::remove_dir_all(out);
        }
        let sets = SETS.iter().flat_map(|set| ["--set", set]);
        #[expect(clippy::disallowed_methods, reason = "a benchmark measures wall time")]
        let started = std::time::Instant::now();
        let before = children_cpu();
        let status = Command::new(binary)
            .args(["backtest", "btc_basis", "--json", "--quiet"])
            .args(sets)
            .args(extra)
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .status()
            .unwrap();
        assert!(status.success(), "the run failed");
        wall.push(started.elapsed().as_secs_f64() * 1e3);
        cpu.push(children_cpu() - before);
    }
    if let [.., out] = extra {
        let _gone = std::fs::remove_dir_all(out);
    }
    show(what, &mut cpu);
    show(&what.replace("CPU", "wall"), &mut wall);
    black_box(ProcessTime::now());
}

/// User and system milliseconds of ended children, in ticks of 10 ms as the kernel reports them.
fn children_cpu() -> f64 {
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap_or_default();
    let fields: Vec<&str> = stat
        .rsplit(')')
        .next()
        .unwrap_or_default()
        .split_whitespace()
        .collect();
    let ticks = |at: usize| {
        fields
            .get(at)
            .and_then(|text| text.parse::<f64>().ok())
            .unwrap_or(0.0)
    };
    (ticks(13) + ticks(14)) * 10.0
}
