//! What the journal takes, each time beside a baseline measured in the same run: a commit of a block's
//! instructions beside a bare write and fdatasync of as many bytes on the same file system, and opening a
//! journal of a million events beside reading the bytes of its file.
//!
//! `cargo bench -p basis-live --bench journal -- [DIRECTORY [EVENTS]]`
#![expect(
    clippy::disallowed_methods,
    clippy::print_stdout,
    reason = "a benchmark reads the clock and prints"
)]

mod latency;
mod opening;
mod sample;

use std::error::Error;
use std::path::PathBuf;

fn main() -> Result<(), Box<dyn Error>> {
    // Cargo adds `--bench`.
    let own = |argument: &String| !argument.starts_with("--");
    let mut arguments = std::env::args().skip(1).filter(own);
    let directory = arguments
        .next()
        .map_or_else(std::env::temp_dir, PathBuf::from);
    let events = arguments
        .next()
        .map_or(Ok(1_000_000), |text| text.parse())?;
    latency::run(&directory)?;
    opening::run(&directory, events)
}
