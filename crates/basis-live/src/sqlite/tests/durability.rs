use std::path::Path;

use basis_core::journal::{Commit, Content, Journal as _, JournalError, JournalReader as _};
use rusqlite::Connection;

use super::super::{Durability, SqliteJournal, SqliteReader, check, lock};
use super::{Scratch, created, read, sample, start_at};

/// The file as it would be found if the process were killed now.
fn killed(path: &Path, name: &str) -> std::path::PathBuf {
    let copy = path.with_file_name(name);
    for ending in ["", "-wal"] {
        let of = |path: &Path| format!("{}{ending}", path.display());
        std::fs::copy(of(path), of(&copy)).unwrap();
    }
    copy
}

fn count(path: &Path) -> usize {
    read(&SqliteReader::open(path).unwrap(), Content::default()).len()
}

#[test]
fn what_was_committed_is_there_after_a_kill() {
    let scratch = Scratch::new();
    let path = scratch.file("book.db");
    let (mut journal, epoch) = created(&path);
    for number in 0..3 {
        let commit = sample::commit(epoch, number);
        journal.commit(&commit).unwrap();
        let found = killed(&path, &format!("killed {number}.db"));
        let mut after = SqliteJournal::open(&found, Durability::Commit).unwrap();
        let commits = read(&after, Content::ALL);
        assert_eq!(commits.len(), number as usize + 1);
        let (last, state) = (commits.last().unwrap(), after.state().unwrap());
        assert_eq!(last.lines, commit.lines);
        assert_eq!(state.last().unwrap(), &commit.state[0]);
        let epoch = after.begin_start(start_at(), 9, "1.0.0").unwrap();
        after.commit(&sample::commit(epoch, 9)).unwrap();
        assert_eq!(after.check().unwrap(), Vec::new());
    }
}

#[test]
fn sqlite_does_what_was_asked_of_it() {
    let scratch = Scratch::new();
    for (durability, synchronous) in [(Durability::Commit, 2), (Durability::Never, 0)] {
        let path = scratch.file(&format!("{durability:?}"));
        let journal = SqliteJournal::create(&path, &sample::head(), durability).unwrap();
        let writer = lock(&journal.writer).unwrap();
        let pragma = |name: &str| {
            writer
                .connection()
                .pragma_query_value(None, name, |row| row.get::<_, i64>(0))
                .unwrap()
        };
        assert_eq!(pragma("synchronous"), synchronous);
        assert_eq!(pragma("foreign_keys"), 1);
        assert_eq!(pragma("wal_autocheckpoint"), 0);
        let mode: String = writer
            .connection()
            .pragma_query_value(None, "journal_mode", |row| row.get(0))
            .unwrap();
        assert_eq!(mode, "wal");
    }
}

#[test]
fn a_full_disk_stops_the_journal_and_loses_nothing() {
    let scratch = Scratch::new();
    let path = scratch.file("book.db");
    let (mut journal, epoch) = created(&path);
    journal.commit(&sample::commit(epoch, 0)).unwrap();
    let pages = |pages: i64| {
        let writer = lock(&journal.writer).unwrap();
        let sql = format!("PRAGMA max_page_count = {pages}");
        writer
            .connection()
            .query_row(&sql, [], |row| row.get::<_, i64>(0))
            .unwrap()
    };
    let now = pages(1);
    pages(now + 8);
    let mut number = 1;
    let refused = loop {
        match journal.commit(&sample::commit(epoch, number)) {
            Ok(()) => number += 1,
            Err(e) => break e,
        }
    };
    assert!(refused.to_string().contains("disk is full"), "{refused}");
    let stopped = |e: JournalError| assert!(matches!(e, JournalError::Stopped { .. }), "{e}");
    stopped(journal.commit(&Commit::default()).unwrap_err());
    stopped(journal.tidy_up().unwrap_err());
    stopped(journal.begin_start(start_at(), 0, "1.0.0").unwrap_err());
    let outbox = journal.outbox();
    stopped(outbox.record(&sample::signed(epoch, 0)).unwrap_err());
    drop((journal, outbox));
    assert_eq!(count(&path), number as usize);
    assert_eq!(check(&path).unwrap(), Vec::new());
    let mut journal = SqliteJournal::open(&path, Durability::Commit).unwrap();
    let epoch = journal.begin_start(start_at(), 0, "1.0.0").unwrap();
    journal.commit(&sample::commit(epoch, number)).unwrap();
}

#[test]
fn an_id_that_was_used_is_not_committed_again() {
    let scratch = Scratch::new();
    let path = scratch.file("book.db");
    let (mut journal, epoch) = created(&path);
    journal.commit(&sample::commit(epoch, 0)).unwrap();
    let refused = journal.commit(&sample::commit(epoch, 0)).unwrap_err();
    assert!(refused.to_string().contains("client_order_id"), "{refused}");
}

#[test]
fn a_reader_sees_the_journal_as_it_was_when_opened() {
    let scratch = Scratch::new();
    let path = scratch.file("book.db");
    let (mut journal, epoch) = created(&path);
    journal.commit(&sample::commit(epoch, 0)).unwrap();
    let reader = SqliteReader::open(&path).unwrap();
    journal.commit(&sample::commit(epoch, 1)).unwrap();
    journal.tidy_up().unwrap();
    assert_eq!(read(&reader, Content::default()).len(), 1);
    assert_eq!(reader.check().unwrap(), Vec::new());
    assert_eq!(count(&path), 2);
    assert_eq!(check(&path).unwrap(), Vec::new());
}

#[test]
fn actors_write_their_outbox_while_the_engine_commits() {
    let scratch = Scratch::new();
    let path = scratch.file("book.db");
    let (mut journal, epoch) = created(&path);
    journal.commit(&sample::commit(epoch, 0)).unwrap();
    let outbox = journal.outbox();
    std::thread::scope(|scope| {
        for _ in 0..2 {
            let outbox = std::sync::Arc::clone(&outbox);
            scope.spawn(move || {
                for _ in 0..20 {
                    outbox.record(&sample::signed(epoch, 0)).unwrap();
                }
            });
        }
        for number in 1..20 {
            journal.commit(&sample::commit(epoch, number)).unwrap();
        }
    });
    let id = sample::signed(epoch, 0).instruction;
    assert_eq!(outbox.entries(id).unwrap().len(), 40);
    drop((journal, outbox));
    assert_eq!(check(&path).unwrap(), Vec::new());
}

#[test]
fn the_log_is_taken_over_in_quiet_moments_and_keeps_its_length() {
    let scratch = Scratch::new();
    let path = scratch.file("book.db");
    let (mut journal, epoch) = created(&path);
    let log = scratch.file("book.db-wal");
    let length = || std::fs::metadata(&log).unwrap().len();
    let reserved = length();
    assert!(reserved > 4_000_000, "{reserved}");
    let file = || std::fs::metadata(&path).unwrap().len();
    let before = file();
    for number in 0..200 {
        journal.commit(&sample::commit(epoch, number)).unwrap();
    }
    assert_eq!(file(), before, "no commit waits for the file");
    journal.tidy_up().unwrap();
    assert!(file() > before);
    let after = length();
    for number in 200..300 {
        journal.commit(&sample::commit(epoch, number)).unwrap();
        journal.tidy_up().unwrap();
    }
    assert_eq!(length(), after);
    drop(journal);
    assert!(!log.exists(), "a closed journal is one file");
    let connection = Connection::open(&path).unwrap();
    let commits: i64 = connection
        .query_row("SELECT count(*) FROM commits", [], |row| row.get(0))
        .unwrap();
    assert_eq!(commits, 300);
}
