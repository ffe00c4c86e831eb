//! `cargo bench -p basis --bench modes`: every mode over a year of hours of the built-in market, engine
//! CPU alone, beside a bare f64 loop over as many hours. Prints CPU milliseconds; judges nothing.

#![expect(clippy::print_stdout, reason = "a program that prints figures")]
#![expect(
    clippy::unwrap_used,
    reason = "a benchmark stops at the first surprise"
)]

use std::hint::black_box;
use std::sync::Arc;

use basis::assembly::Backtest;
use basis::config::environment::Environment;
use basis::config::layers::{self, Request};
use basis::core::types::Span;
use basis::data::synthetic::{SyntheticSpec, synthetic};
use basis::venues::registry::Registry;
use cpu_time::ThreadTime;

// As in the program.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

const HOURS: usize = 8_760;
const RUNS: usize = 9;

fn main() {
    let spec = SyntheticSpec {
        bars: HOURS,
        ..SyntheticSpec::default()
    };
    let data = Arc::new(synthetic(&spec));
    let registry = Registry::builtin();
    let environment = Environment::from_pairs(std::collections::BTreeMap::new(), &registry);
    // As `cargo bench -- WORD`: only the modes whose name has the word.
    let word = std::env::args().skip(1).find(|word| !word.starts_with('-'));
    let wanted = |name: &str| {
        word.as_ref()
            .is_none_or(|word| name.contains(word.as_str()))
    };
    for mode in basis::strategies::builtin()
        .rows()
        .iter()
        .filter(|mode| wanted(mode.name))
    {
        // Some series of the market begin and end within it: what is missing is held.
        let sets = ["data.gaps=hold", "expected_carry.horizon_hours=null"].map(str::to_owned);
        let request = Request {
            mode: mode.name,
            sets: &sets,
            ..Request::default()
        };
        let setup = layers::resolve(&request, &environment, &registry).unwrap();
        let from = spec.start.plus(Span::from_hours(24));
        let to = spec
            .start
            .plus(Span::from_hours(i64::try_from(HOURS).unwrap()));
        let setup = setup.setup.with_range(from, to);
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
        let job = format!("{} steps, {} rebalances", counts.steps, counts.rebalances);
        show(&format!("{} ({job}), CPU ms", mode.name), &mut cpu);
    }
    let mut bare = Vec::with_capacity(RUNS);
    for _ in 0..RUNS {
        let started = ThreadTime::now();
        black_box(bare_loop(black_box(HOURS)));
        bare.push(started.elapsed().as_secs_f64() * 1e3);
    }
    show("bare f64 loop, CPU ms", &mut bare);
}

/// What a quick script does: a balance that grows by a rate at every step, and one that is owed.
fn bare_loop(steps: usize) -> f64 {
    let (mut supplied, mut owed) = (1_000.0, 900.0);
    for _ in 0..steps {
        supplied *= 1.0 + black_box(0.03) / 8_760.0;
        owed *= 1.0 + black_box(0.025) / 8_760.0;
    }
    supplied - owed
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
