//! How many megabytes of CSV an import takes a second, beside two baselines on the same bytes: the csv
//! crate splitting rows, and the csv crate with every field of a bar read as a float. Then how many a run loads
//! a second of the file that was imported, its digest included, and how many of it are parsed alone. A second is
//! one of the processor's, the mean of five runs; beside it the best of them by the clock, which is longer where others
//! share the processors.
//!
//! `cargo run --release -p basis-data --example import_speed -- [MEGABYTES]`
#![expect(
    clippy::unwrap_used,
    clippy::print_stdout,
    clippy::cast_precision_loss,
    reason = "a measurement for people"
)]

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::time::Instant;

use basis_core::num::Fixed18;
use basis_data::csv::load_bars;
use basis_data::import::Kind;
use basis_data::{ImportRequest, LoadRequest, import, load};

const MINUTE: u64 = 60_000;
const START: u64 = 1_704_067_200_000;

/// Klines of a minute in the form of Binance's archive.
fn klines(bytes: usize) -> String {
    let mut text = String::with_capacity(bytes + 200);
    for minute in 0.. {
        if text.len() >= bytes {
            break;
        }
        let (at, cents) = (START + minute * MINUTE, minute % 9_973);
        writeln!(
            text,
            "{at},42{:03}.{:02}000000,43100.55000000,41900.12000000,42{:03}.{:02}000000,{}.48211000,\
             {},611482.33870000,1287,7.11430000,301244.18820000,0",
            cents % 1_000,
            cents % 97,
            (cents + 3) % 1_000,
            cents % 89,
            1 + cents % 50,
            at + MINUTE - 1
        )
        .unwrap();
    }
    text
}

/// What a work took: seconds of the processor, threads included, and of the clock.
#[derive(Clone, Copy)]
struct Took {
    cpu: f64,
    wall: f64,
}

/// Seconds of the processor that the process has had so far, in ticks of 10 ms.
fn cpu() -> f64 {
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap();
    let (_, fields) = stat.rsplit_once(')').unwrap();
    let ticks = |at: usize| -> f64 {
        let field = fields.split_whitespace().nth(at).unwrap();
        field.parse().unwrap()
    };
    (ticks(11) + ticks(12)) / 100.0
}

#[expect(clippy::disallowed_methods, reason = "it measures time")]
fn timed<T>(work: impl Fn() -> T) -> (Took, T) {
    const TIMES: u32 = 5;
    let (before, mut wall, mut last) = (cpu(), f64::MAX, None);
    for _ in 0..TIMES {
        let start = Instant::now();
        last = Some(work());
        wall = wall.min(start.elapsed().as_secs_f64());
    }
    let cpu = (cpu() - before) / f64::from(TIMES);
    (Took { cpu, wall }, last.unwrap())
}

fn main() {
    let megabytes: usize = std::env::args()
        .nth(1)
        .map_or(100, |text| text.parse().unwrap());
    let text = klines(megabytes * 1_000_000);
    let dir = std::env::temp_dir().join(format!("basis-import-speed-{}", std::process::id()));
    std::fs::create_dir_all(&dir).unwrap();
    let file: PathBuf = dir.join("BTCUSDT-1m-2024.csv");
    std::fs::write(&file, &text).unwrap();
    let say = |what: &str, took: Took, rows: u64| {
        let rate = text.len() as f64 / 1e6 / took.cpu;
        println!(
            "{what:<34} {rate:>6.0} MB/s  {rows} rows in {:.3} s, {:.3} s by the clock",
            took.cpu, took.wall
        );
    };
    let reader = || {
        let mut builder = csv::ReaderBuilder::new();
        builder.has_headers(false).from_reader(text.as_bytes())
    };
    let (took, rows) = timed(|| {
        let (mut reader, mut record, mut rows) = (reader(), csv::ByteRecord::new(), 0);
        while reader.read_byte_record(&mut record).unwrap() {
            rows += 1;
        }
        rows
    });
    say("csv crate, rows split", took, rows);
    let (took, rows) = timed(|| {
        let (mut reader, mut record, mut rows) = (reader(), csv::StringRecord::new(), 0);
        let mut sum = 0.0;
        while reader.read_record(&mut record).unwrap() {
            rows += 1;
            sum += record
                .iter()
                .take(6)
                .map(|field| field.parse::<f64>().unwrap())
                .sum::<f64>();
        }
        assert!(sum > 0.0);
        rows
    });
    say("csv crate, six floats of a row", took, rows);
    let (files, formats) = ([file], ["binance".to_owned()]);
    let out = dir.join("out");
    let (took, rows) = timed(|| {
        drop(std::fs::remove_dir_all(&out));
        let request = ImportRequest {
            formats: &formats,
            files: &files,
            kind: Some(Kind::Spot),
            ..ImportRequest::default()
        };
        import(&request, &out, &|_, _| {})
            .unwrap()
            .series
            .first()
            .unwrap()
            .rows
    });
    say("basis data import, file to file", took, rows);
    loading(&out);
    std::fs::remove_dir_all(&dir).unwrap();
}

/// The file that was imported, as a run reads it.
fn loading(out: &Path) {
    let made = out.join("spot/binance/BTCUSDT_1m.csv");
    let size = std::fs::metadata(&made).unwrap().len();
    let id = "spot.binance.BTCUSDT".parse().unwrap();
    let say = |what: &str, took: Took| {
        let rate = size as f64 / 1e6 / took.cpu;
        println!(
            "{what:<34} {rate:>6.0} MB/s  {size} bytes in {:.3} s, {:.3} s by the clock",
            took.cpu, took.wall
        );
    };
    let (took, _) = timed(|| load_bars(&made, id, Fixed18::ONE).unwrap().len());
    say("a run's loading, parsed alone", took);
    let request = LoadRequest {
        ids: vec![id],
        ..LoadRequest::default()
    };
    let (took, _) = timed(|| load(out, &request, &|_| {}).unwrap().absent.len());
    say("a run's loading, with its digest", took);
}
