//! What loading every series of a directory costs, as a run loads them.
//!
//! `cargo run --release -p basis-data --example loading_speed -- DIR [TIMES]`
//!
//! CPU of the whole process and wall clock, the mean of `TIMES` loads after one that is not counted. It uses nothing
//! but the catalogue and the loading itself, so that the file can be copied into an earlier commit to compare with.
#![expect(
    clippy::unwrap_used,
    clippy::print_stdout,
    clippy::cast_precision_loss,
    reason = "a measurement for people"
)]

use std::path::Path;
use std::time::Instant;

use basis_data::{Catalogue, LoadRequest, load};

/// CPU of the process so far, its threads included, in seconds.
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
fn main() {
    let mut arguments = std::env::args().skip(1);
    let dir = arguments.next().unwrap();
    let times: u32 = arguments.next().map_or(20, |text| text.parse().unwrap());
    let files = Catalogue::scan(Path::new(&dir)).unwrap().files;
    let size: u64 = files
        .iter()
        .map(|file| std::fs::metadata(&file.path).unwrap().len())
        .sum();
    let request = LoadRequest {
        ids: files.iter().map(|file| file.id).collect(),
        ..LoadRequest::default()
    };
    let once = || drop(load(Path::new(&dir), &request, &|_| {}).unwrap());
    once();
    let (before, start) = (cpu(), Instant::now());
    for _ in 0..times {
        once();
    }
    let mean = |seconds: f64| 1e3 * seconds / f64::from(times);
    let (spent, wall) = (cpu() - before, start.elapsed().as_secs_f64());
    println!(
        "{} files, {:.1} MB: {:.1} ms of CPU, {:.1} ms of wall clock",
        files.len(),
        size as f64 / 1e6,
        mean(spent),
        mean(wall)
    );
}
