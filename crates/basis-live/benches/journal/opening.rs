//! Opening a long journal.

use std::error::Error;
use std::fs::File;
use std::io::Read as _;
use std::path::Path;
use std::time::Instant;

use basis_core::journal::{Content, Journal, JournalReader};
use basis_core::types::Timestamp;
use basis_live::sqlite::{Durability, SqliteJournal, SqliteReader};
use cpu_time::ProcessTime;

use super::sample;

pub(super) fn run(directory: &Path, events: u32) -> Result<(), Box<dyn Error>> {
    let path = directory.join(format!("basis-open-million-{}.db", std::process::id()));
    let (begun, work) = (Instant::now(), ProcessTime::now());
    let mut journal = SqliteJournal::create(&path, &sample::head(), Durability::Never)?;
    let epoch = journal.begin_start(Timestamp::from_seconds(1_704_067_200), 0, "benchmark")?;
    for number in 0..events / 20 {
        journal.commit(&sample::hour_of_events(epoch, number))?;
    }
    drop(journal);
    println!(
        "{} commits of 20 events, without syncs, in {:.2?}, {:.2?} of processors",
        events / 20,
        begun.elapsed(),
        work.elapsed()
    );
    for _ in 0..3 {
        let begun = Instant::now();
        let (mut file, mut bytes, mut chunk) = (File::open(&path)?, 0, vec![0; 1 << 20]);
        loop {
            match file.read(&mut chunk)? {
                0 => break,
                count => bytes += count,
            }
        }
        println!("{bytes} bytes read in {:.2?}", begun.elapsed());
        drop(file);
        let (begun, work) = (Instant::now(), ProcessTime::now());
        let journal = SqliteJournal::open(&path, Durability::Commit)?;
        let parts = journal.state()?.len();
        let opened = begun.elapsed();
        let (mut keys, mut lines) = (0_u64, 0);
        journal.postings(&mut |key, own| {
            keys += u64::from(key.is_some());
            lines += own.len();
            Ok(())
        })?;
        println!(
            "{events} events: opened with {parts} state parts in {opened:.2?}; {keys} keys and {lines} \
             lines in {:.2?} altogether, {:.2?} of processors",
            begun.elapsed(),
            work.elapsed()
        );
    }
    let begun = Instant::now();
    let mut commits = 0;
    SqliteReader::open(&path)?.read(Content::ALL, &mut |_| {
        commits += 1;
        Ok(())
    })?;
    println!("{commits} commits read whole in {:.2?}", begun.elapsed());
    let begun = Instant::now();
    let problems = SqliteReader::open(&path)?.check()?;
    println!(
        "checked in {:.2?}: {} problems",
        begun.elapsed(),
        problems.len()
    );
    std::fs::remove_file(&path)?;
    Ok(())
}
