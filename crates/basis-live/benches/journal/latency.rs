//! Commits of a block's instructions.

use std::error::Error;
use std::fs::OpenOptions;
use std::io::Write as _;
use std::path::Path;
use std::time::{Duration, Instant};

use basis_core::journal::{Commit, Journal};
use basis_core::types::Timestamp;
use basis_live::sqlite::{Durability, SqliteJournal};

use super::sample;

const ROUNDS: u32 = 4_000;

pub(super) fn run(directory: &Path) -> Result<(), Box<dyn Error>> {
    let path = directory.join(format!("basis-commit-latency-{}.db", std::process::id()));
    let bare = path.with_extension("bare");
    let mut journal = SqliteJournal::create(&path, &sample::head(), Durability::Commit)?;
    let epoch = journal.begin_start(Timestamp::from_seconds(1_704_067_200), 0, "benchmark")?;
    let mut file = OpenOptions::new()
        .create_new(true)
        .write(true)
        .open(&bare)?;
    let (mut commits, mut syncs, mut tidying) = (Vec::new(), Vec::new(), Vec::new());
    let mut size = 0;
    // In turns, so that both meet the same disk.
    for number in 0..ROUNDS {
        let commit = sample::block(epoch, number);
        let bytes = payload(&commit)?;
        size = bytes.len();
        let begun = Instant::now();
        file.write_all(&bytes)?;
        file.sync_data()?;
        syncs.push(begun.elapsed());
        let begun = Instant::now();
        journal.commit(&commit)?;
        commits.push(begun.elapsed());
        let begun = Instant::now();
        journal.tidy_up()?;
        tidying.push(begun.elapsed());
    }
    drop(journal);
    std::fs::remove_file(&path)?;
    std::fs::remove_file(&bare)?;
    println!("{ROUNDS} commits of a block of three orders, {size} bytes each");
    let bare = show("write and fdatasync", &mut syncs);
    let commit = show("commit", &mut commits);
    show("tidy_up", &mut tidying);
    println!(
        "ratio of the medians {:.2}",
        commit.as_secs_f64() / bare.as_secs_f64()
    );
    Ok(())
}

/// The bytes of what a commit says.
fn payload(commit: &Commit) -> Result<Vec<u8>, serde_json::Error> {
    let mut bytes = serde_json::to_vec(&(&commit.at, &commit.calls, &commit.instructions))?;
    for part in &commit.state {
        bytes.extend_from_slice(part.json.as_bytes());
    }
    Ok(bytes)
}

fn show(what: &str, times: &mut [Duration]) -> Duration {
    times.sort_unstable();
    let at = |part: usize| {
        times
            .get(times.len() * part / 100)
            .copied()
            .unwrap_or_default()
    };
    println!(
        "{what}: median {:.1?}, 90 % {:.1?}, 99 % {:.1?}, most {:.1?}",
        at(50),
        at(90),
        at(99),
        times.last().copied().unwrap_or_default()
    );
    at(50)
}
