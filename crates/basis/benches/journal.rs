//! `cargo bench -p basis --bench journal -- [DIR]`: a year and ten years of hours of `btc_basis` with and
//! without a journal at DIR (the temporary directory by default), beside as many bare writes with
//! `fdatasync` of as many bytes; resuming at the end of them; and the memory they take. Wall milliseconds, for
//! waiting for the disk is what a journal costs; judges nothing.

#![expect(clippy::print_stdout, reason = "a program that prints figures")]
#![expect(
    clippy::unwrap_used,
    reason = "a benchmark stops at the first surprise"
)]
#![expect(clippy::disallowed_methods, reason = "it measures")]

use std::fs::File;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Instant;

use basis::assembly::{Backtest, Setup};
use basis::config::environment::Environment;
use basis::config::layers::{self, Request};
use basis::core::journal::{Content, JournalReader as _};
use basis::data::synthetic::{SyntheticSpec, synthetic};
use basis::engine::{JournalSync, NullSink};
use basis::journal::{self, JournalRequest};
use basis::live::sqlite::SqliteReader;
use basis::market::MarketData;
use basis::venues::registry::Registry;

// As in the program.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

const YEAR: usize = 8_760;

fn main() {
    let directory = std::env::args().skip(1).find(|word| !word.starts_with('-'));
    let directory = directory.map_or_else(std::env::temp_dir, PathBuf::from);
    for years in [1, 10] {
        measure(&directory, years);
    }
}

fn measure(directory: &Path, years: usize) {
    let spec = SyntheticSpec {
        bars: YEAR * years,
        ..SyntheticSpec::default()
    };
    let data = Arc::new(synthetic(&spec));
    let setup = setup(&spec);
    let started = Instant::now();
    Backtest::prepare(Arc::clone(&data), &setup)
        .unwrap()
        .run_into(&mut NullSink, &mut |_| {})
        .unwrap();
    let plain = started.elapsed();
    println!("{years} year(s), plain: {plain:.1?}");
    for sync in [JournalSync::Day, JournalSync::Step] {
        if sync == JournalSync::Step && years > 1 {
            continue;
        }
        let path = directory.join(format!("basis-bench-{}.journal", std::process::id()));
        let before = resident_kib();
        let took = run(&data, &setup, (&path, sync, false));
        let after = resident_kib();
        let (commits, bytes) = size(&path);
        let bare = bare_writes(directory, commits, bytes);
        println!(
            "{years} year(s), {sync:?}: {took:.1?} with {commits} commits of {bytes} bytes; as many bare writes: \
             {bare:.1?}; resident {before} to {after} KiB"
        );
        let resumed = run(&data, &setup, (&path, sync, true));
        println!("{years} year(s), {sync:?}: resumed at the end in {resumed:.1?}");
        for ending in ["", "-wal", "-shm"] {
            let file = format!("{}{ending}", path.display());
            if Path::new(&file).exists() {
                std::fs::remove_file(file).unwrap();
            }
        }
    }
}

fn run(
    data: &Arc<MarketData>,
    setup: &Setup,
    (path, sync, resume): (&Path, JournalSync, bool),
) -> std::time::Duration {
    let started = Instant::now();
    let request = JournalRequest { path, resume, sync };
    let (backtest, _) = journal::prepare(Arc::clone(data), setup, request).unwrap();
    backtest.run_into(&mut NullSink, &mut |_| {}).unwrap();
    started.elapsed()
}

/// How many commits a journal has, and how many bytes one has in the mean.
fn size(path: &Path) -> (u64, u64) {
    let mut commits = 0;
    let reader = SqliteReader::open(path).unwrap();
    reader
        .read(Content::default(), &mut |_| {
            commits += 1;
            Ok(())
        })
        .unwrap();
    let bytes = std::fs::metadata(path).unwrap().len();
    (commits, bytes / commits.max(1))
}

/// As many appends of as many bytes, each made durable.
fn bare_writes(directory: &Path, count: u64, bytes: u64) -> std::time::Duration {
    let path = directory.join(format!("basis-bench-{}.bare", std::process::id()));
    let mut file = File::create(&path).unwrap();
    let content = vec![7; usize::try_from(bytes).unwrap()];
    let started = Instant::now();
    for _ in 0..count {
        file.write_all(&content).unwrap();
        file.sync_data().unwrap();
    }
    let took = started.elapsed();
    std::fs::remove_file(path).unwrap();
    took
}

fn resident_kib() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find(|line| line.starts_with("VmRSS:"));
    let number = line.and_then(|line| line.split_whitespace().nth(1));
    number
        .and_then(|number| number.parse().ok())
        .unwrap_or_default()
}

fn setup(spec: &SyntheticSpec) -> Setup {
    let registry = Registry::builtin();
    let environment = Environment::from_pairs(std::collections::BTreeMap::new(), &registry);
    let request = Request {
        mode: "btc_basis",
        ..Request::default()
    };
    let resolved = layers::resolve(&request, &environment, &registry).unwrap();
    let hours = i64::try_from(spec.bars).unwrap();
    let to = spec.start.plus(basis::core::types::Span::from_hours(hours));
    resolved.setup.with_range(spec.start, to)
}
