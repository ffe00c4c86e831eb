use basis_core::journal::{Content, Journal as _, JournalError, JournalReader as _};
use basis_core::types::{BookId, ClientOrderId, Epoch, InstructionId, Timestamp};
use rusqlite::Connection;

use super::super::{Durability, SqliteJournal, SqliteReader, check};
use super::{Scratch, created, read, sample, start_at, tamper, written};

fn open(path: &std::path::Path) -> Result<SqliteJournal, JournalError> {
    SqliteJournal::open(path, Durability::Commit)
}

fn create(path: &std::path::Path) -> Result<SqliteJournal, JournalError> {
    SqliteJournal::create(path, &sample::head(), Durability::Commit)
}

#[test]
fn a_missing_file_is_missing_and_an_existing_one_exists() {
    let scratch = Scratch::new();
    let path = scratch.file("book.db");
    let missing = JournalError::Missing { path: path.clone() };
    assert_eq!(open(&path).unwrap_err(), missing);
    assert_eq!(SqliteReader::open(&path).unwrap_err(), missing);
    assert!(!path.exists(), "looking makes nothing");
    written(&path);
    let before = std::fs::read(&path).unwrap();
    assert_eq!(
        create(&path).unwrap_err(),
        JournalError::Exists { path: path.clone() }
    );
    assert_eq!(std::fs::read(&path).unwrap(), before);
}

#[test]
fn directories_are_refused_by_name() {
    let scratch = Scratch::new();
    let nowhere = scratch.file("nowhere/book.db");
    for refused in [
        create(&nowhere).unwrap_err(),
        open(&nowhere).unwrap_err(),
        SqliteReader::open(&nowhere).unwrap_err(),
    ] {
        let directory = nowhere.parent().unwrap();
        assert!(
            matches!(&refused, JournalError::Storage { path, .. } if path == directory),
            "{refused}"
        );
    }
    let itself = scratch.file("");
    assert!(matches!(create(&itself), Err(JournalError::Storage { .. })));
    assert!(matches!(open(&itself), Err(JournalError::Storage { .. })));
}

#[cfg(target_os = "linux")]
#[test]
fn a_directory_that_takes_no_file_is_refused() {
    // Refuses also who may write everywhere else.
    let path = std::path::Path::new("/proc/self/book.db");
    let refused = create(path).unwrap_err();
    assert!(matches!(refused, JournalError::Storage { .. }), "{refused}");
}

#[cfg(unix)]
#[test]
fn a_read_only_file_is_read_and_not_written() {
    use std::os::unix::fs::PermissionsExt as _;
    let scratch = Scratch::new();
    let path = scratch.file("book.db");
    let commits = written(&path);
    let read_only = std::fs::Permissions::from_mode(0o444);
    std::fs::set_permissions(&path, read_only).unwrap();
    if std::fs::OpenOptions::new().write(true).open(&path).is_err() {
        let refused = open(&path).unwrap_err();
        assert!(matches!(refused, JournalError::Storage { .. }), "{refused}");
    }
    let reader = SqliteReader::open(&path).unwrap();
    assert_eq!(read(&reader, Content::default()).len(), commits.len());
}

#[test]
fn what_is_no_journal_is_left_as_it_is() {
    let scratch = Scratch::new();
    let text = scratch.file("text");
    std::fs::write(&text, "account,item\n".repeat(100)).unwrap();
    let other = scratch.file("other.db");
    let connection = Connection::open(&other).unwrap();
    connection.execute_batch("CREATE TABLE t (x)").unwrap();
    drop(connection);
    for path in [text, other] {
        let before = std::fs::read(&path).unwrap();
        for refused in [
            open(&path).unwrap_err(),
            SqliteReader::open(&path).unwrap_err(),
        ] {
            assert!(matches!(refused, JournalError::Damaged { .. }), "{refused}");
        }
        assert!(matches!(create(&path), Err(JournalError::Exists { .. })));
        assert_eq!(std::fs::read(&path).unwrap(), before);
    }
}

#[test]
fn a_file_whose_making_was_cut_off_begins_anew() {
    let scratch = Scratch::new();
    let empty = scratch.file("empty");
    std::fs::write(&empty, "").unwrap();
    let tableless = scratch.file("tableless");
    let connection = Connection::open(&tableless).unwrap();
    connection
        .execute_batch("PRAGMA journal_mode = WAL; CREATE TABLE t (x); DROP TABLE t")
        .unwrap();
    drop(connection);
    for path in [empty, tableless] {
        let unbegun = JournalError::Unbegun { path: path.clone() };
        assert_eq!(open(&path).unwrap_err(), unbegun);
        assert_eq!(SqliteReader::open(&path).unwrap_err(), unbegun);
        let mut journal = create(&path).unwrap();
        let epoch = journal.begin_start(start_at(), 0, "1.0.0").unwrap();
        journal.commit(&sample::commit(epoch, 0)).unwrap();
        drop(journal);
        assert_eq!(check(&path).unwrap(), Vec::new());
    }
}

#[test]
fn a_head_without_a_book_begins_nothing() {
    let scratch = Scratch::new();
    let path = scratch.file("book.db");
    let mut head = sample::head();
    head.book = "No Book".to_owned();
    let refused = SqliteJournal::create(&path, &head, Durability::Commit).unwrap_err();
    assert!(
        matches!(refused, JournalError::Inconsistent(_)),
        "{refused}"
    );
    assert!(!path.exists());
}

#[cfg(unix)]
#[test]
fn a_second_writer_is_refused_whatever_it_calls_the_file() {
    let scratch = Scratch::new();
    let path = scratch.file("book.db");
    let (mut journal, epoch) = created(&path);
    let (symbolic, hard) = (scratch.file("symbolic"), scratch.file("hard"));
    std::os::unix::fs::symlink(&path, &symbolic).unwrap();
    std::fs::hard_link(&path, &hard).unwrap();
    for name in [path.clone(), symbolic, hard] {
        let locked = JournalError::Locked { path: name.clone() };
        assert_eq!(open(&name).unwrap_err(), locked);
        assert_eq!(create(&name).unwrap_err(), locked);
        journal
            .commit(&sample::commit(epoch, 0))
            .unwrap_or_else(|e| {
                // Ids of the same number are used once.
                assert!(matches!(e, JournalError::Inconsistent(_)), "{e}");
            });
        drop(journal);
        journal = open(&path).unwrap();
        journal.begin_start(start_at(), 0, "1.0.0").unwrap();
    }
    drop(journal);
    assert_eq!(check(&path).unwrap(), Vec::new());
}

#[cfg(unix)]
#[test]
fn a_journal_is_opened_through_a_symbolic_link() {
    let scratch = Scratch::new();
    let (path, link) = (scratch.file("book.db"), scratch.file("elsewhere/link"));
    let commits = written(&path);
    std::fs::create_dir(scratch.file("elsewhere")).unwrap();
    std::os::unix::fs::symlink(&path, &link).unwrap();
    let journal = open(&link).unwrap();
    assert_eq!(read(&journal, Content::default()).len(), commits.len());
    assert!(scratch.file("book.db-wal").exists());
    let reader = SqliteReader::open(&link).unwrap();
    assert_eq!(read(&reader, Content::default()).len(), commits.len());
}

#[test]
fn the_lock_goes_with_its_holder() {
    let scratch = Scratch::new();
    let path = scratch.file("book.db");
    let (journal, _) = created(&path);
    let outbox = journal.outbox();
    drop(journal);
    assert!(matches!(open(&path), Err(JournalError::Locked { .. })));
    drop(outbox);
    open(&path).unwrap();
}

#[test]
fn should_the_lock_not_hold_the_older_start_fails_before_it_sends() {
    let scratch = Scratch::new();
    let path = scratch.file("book.db");
    let (mut journal, epoch) = created(&path);
    journal.commit(&sample::commit(epoch, 0)).unwrap();
    tamper(
        &path,
        "INSERT INTO starts VALUES (2, '1704067205', 0, '1.0.0', 1, zeroblob(32))",
    );
    let refused = journal.commit(&sample::commit(epoch, 1)).unwrap_err();
    assert!(matches!(refused, JournalError::Locked { .. }), "{refused}");
    let again = journal.commit(&sample::commit(epoch, 1)).unwrap_err();
    assert!(matches!(again, JournalError::Stopped { .. }), "{again}");
}

#[test]
fn copies_that_start_in_one_second_use_no_id_twice() {
    let scratch = Scratch::new();
    let (path, copy) = (scratch.file("book.db"), scratch.file("copy.db"));
    written(&path);
    std::fs::copy(&path, &copy).unwrap();
    let now = Timestamp::from_seconds(1_750_000_000);
    let mut journals = [open(&path).unwrap(), open(&copy).unwrap()];
    let mut ids = Vec::new();
    for (journal, random) in journals.iter_mut().zip([0x1234, 0xabcd]) {
        let epoch = journal.begin_start(now, random, "1.0.0").unwrap();
        assert_eq!(epoch, Epoch::new(1_750_000_000, random));
        journal.commit(&sample::commit(epoch, 5)).unwrap();
        let book: BookId = journal.head().unwrap().book_id().unwrap();
        let id = InstructionId::new(epoch, 1);
        ids.push(ClientOrderId::derive(book, id));
    }
    assert_ne!(ids[0], ids[1]);
    drop(journals);
    assert_eq!(check(&path).unwrap(), Vec::new());
    assert_eq!(check(&copy).unwrap(), Vec::new());
}

#[test]
fn a_restored_backup_goes_on_with_a_later_epoch() {
    let scratch = Scratch::new();
    let (path, backup) = (scratch.file("book.db"), scratch.file("backup.db"));
    written(&path);
    std::fs::copy(&path, &backup).unwrap();
    let at = |seconds: i64| Timestamp::from_seconds(1_750_000_000 + seconds);
    let lost = open(&path).unwrap().begin_start(at(0), 0, "1").unwrap();
    let mut restored = open(&backup).unwrap();
    let next = restored.begin_start(at(60), 0, "1").unwrap();
    assert!(next > lost);
    // A clock that was set back does not bring an epoch back.
    let after = restored.begin_start(at(-1_000), 0, "1").unwrap();
    assert_eq!(after.seconds(), next.seconds() + 1);
}
