//! Tests that look into the file.

mod damage;
mod durability;
mod opening;
mod round_trip;
mod sample;
mod schema;

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};

use basis_core::journal::{Commit, Content, Journal as _, JournalReader};
use basis_core::types::{Epoch, Timestamp};
use rusqlite::Connection;

use super::{Durability, SqliteJournal};

static NEXT: AtomicU32 = AtomicU32::new(0);

/// A directory for one test, removed when dropped.
struct Scratch(PathBuf);

impl Scratch {
    fn new() -> Self {
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let name = format!("basis-live-{}-{number}", std::process::id());
        let directory = std::env::temp_dir().join(name);
        std::fs::create_dir_all(&directory).unwrap();
        Self(directory)
    }

    fn file(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        std::fs::remove_dir_all(&self.0).ok();
    }
}

fn start_at() -> Timestamp {
    Timestamp::from_seconds(1_704_067_200)
}

fn created(path: &Path) -> (SqliteJournal, Epoch) {
    let mut journal = SqliteJournal::create(path, &sample::head(), Durability::Commit).unwrap();
    let epoch = journal.begin_start(start_at(), 0, "1.0.0").unwrap();
    (journal, epoch)
}

/// A journal with two starts and three commits, closed.
fn written(path: &Path) -> Vec<Commit> {
    let (mut journal, epoch) = created(path);
    let mut commits = vec![sample::commit(epoch, 0), sample::commit(epoch, 1)];
    for commit in &commits {
        journal.commit(commit).unwrap();
    }
    let outbox = journal.outbox();
    outbox.record(&sample::signed(epoch, 0)).unwrap();
    outbox.record(&sample::sent(epoch, 0)).unwrap();
    drop((journal, outbox));
    let mut journal = SqliteJournal::open(path, Durability::Commit).unwrap();
    let epoch = journal.begin_start(start_at(), 7, "1.0.1").unwrap();
    commits.push(sample::commit(epoch, 2));
    journal.commit(&commits[2]).unwrap();
    commits
}

fn read(journal: &dyn JournalReader, content: Content) -> Vec<Commit> {
    let mut commits = Vec::new();
    journal
        .read(content, &mut |commit| {
            commits.push(commit);
            Ok(())
        })
        .unwrap();
    commits
}

/// Changes a closed journal behind its back.
fn tamper(path: &Path, sql: &str) {
    let connection = Connection::open(path).unwrap();
    connection
        .execute_batch(&format!("PRAGMA foreign_keys = OFF; {sql}"))
        .unwrap();
}
