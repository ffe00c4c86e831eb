//! A book's journal in one SQLite file.
//!
//! The file is plain: `sqlite3 FILE` shows its tables (`schema.sql`), and the views `event_log` and
//! `ledger_lines` show instants as text. `docs/journal.md` says what stands where.
//!
//! **Invariants.** A commit is one transaction, and durable when the call returns
//! ([`Durability::Commit`]). After a failure nothing is tried again: every later call fails with
//! [`JournalError::Stopped`]. One process writes a file, by a
//! lock on the file itself; and should a lock not hold, as on some network file systems, every transaction
//! first looks whether another start has begun, so that the older one fails before it sends anything.
//! Every commit and every start carries the digest of all before it ([`check()`]).

mod cell;
mod check;
mod decode;
mod digest;
mod disk;
mod encode;
mod error;
mod line;
mod open;
mod postings;
mod read;
mod schema;
mod writer;

#[cfg(test)]
mod tests;

use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard};

use basis_core::error::ComponentError;
use basis_core::journal::{
    Commit, Content, EachPosting, Journal, JournalError, JournalHead, JournalReader, Outbox,
    OutboxEntry, Start, StatePart,
};
use basis_core::types::{Epoch, InstructionId, Timestamp};

pub use self::check::{Link, Problem, check};
pub use self::disk::{Disk, FileSystem};
pub use self::open::SqliteReader;
use self::read::Reading;
use self::writer::Writer;

/// When a commit is durable.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Durability {
    /// When the call returns: WAL with `synchronous=FULL`. What sends anything has this.
    #[default]
    Commit,
    /// Whenever the operating system likes: `synchronous=OFF`. A power cut can lose or tear what was
    /// committed; for tests that show it.
    Never,
}

/// The writer of a journal file.
#[derive(Debug)]
pub struct SqliteJournal {
    writer: Arc<Mutex<Writer>>,
}

impl SqliteJournal {
    /// Begins a journal at `path`, also in a file that a process began and left before anything stood in
    /// it. [`SqliteJournal::begin_start`] comes next.
    ///
    /// # Errors
    /// [`JournalError::Exists`] where something is, and what the file system refuses.
    pub fn create(
        path: &Path,
        head: &JournalHead,
        durability: Durability,
    ) -> Result<Self, JournalError> {
        Self::create_on(Arc::new(FileSystem), path, head, durability)
    }

    /// As [`SqliteJournal::create`], on another disk.
    ///
    /// # Errors
    /// As [`SqliteJournal::create`].
    pub fn create_on(
        disk: Arc<dyn Disk>,
        path: &Path,
        head: &JournalHead,
        durability: Durability,
    ) -> Result<Self, JournalError> {
        Writer::create(disk, path, head, durability).map(Self::of)
    }

    /// Opens the journal at `path` to go on from it, and brings an older schema to this program's.
    /// [`SqliteJournal::begin_start`] comes next, when what is read has been found to fit.
    ///
    /// # Errors
    /// [`JournalError::Missing`], [`JournalError::Unbegun`], [`JournalError::Locked`],
    /// [`JournalError::NewerSchema`], [`JournalError::Damaged`], and what the file system refuses.
    pub fn open(path: &Path, durability: Durability) -> Result<Self, JournalError> {
        Self::open_on(Arc::new(FileSystem), path, durability)
    }

    /// As [`SqliteJournal::open`], on another disk.
    ///
    /// # Errors
    /// As [`SqliteJournal::open`].
    pub fn open_on(
        disk: Arc<dyn Disk>,
        path: &Path,
        durability: Durability,
    ) -> Result<Self, JournalError> {
        Writer::open(disk, path, durability).map(Self::of)
    }

    fn of(writer: Writer) -> Self {
        Self {
            writer: Arc::new(Mutex::new(writer)),
        }
    }

    /// Begins a start at `at` and makes its epoch durable: the one after all that the journal knows, with
    /// `random` (0 in a backtest). Nothing is committed before it.
    ///
    /// # Errors
    /// When it is not durable; [`JournalError::Inconsistent`] when the epochs are used up.
    pub fn begin_start(
        &mut self,
        at: Timestamp,
        random: u32,
        version: &str,
    ) -> Result<Epoch, JournalError> {
        lock(&self.writer)?.begin_start(at, random, version)
    }

    /// The side that actors write to.
    #[must_use]
    pub fn outbox(&self) -> Arc<dyn Outbox> {
        Arc::new(SqliteOutbox {
            writer: Arc::clone(&self.writer),
        })
    }

    /// Lists everything that is wrong, as [`check`].
    ///
    /// # Errors
    /// When the file cannot be read.
    pub fn check(&self) -> Result<Vec<Problem>, JournalError> {
        let writer = lock(&self.writer)?;
        check::problems(writer.path(), writer.connection())
    }

    fn reading<T, E: From<JournalError>>(
        &self,
        read: impl FnOnce(Reading<'_>) -> Result<T, E>,
    ) -> Result<T, E> {
        let writer = lock(&self.writer)?;
        read(Reading::new(writer.path(), writer.connection()))
    }
}

impl Journal for SqliteJournal {
    fn commit(&mut self, commit: &Commit) -> Result<(), JournalError> {
        lock(&self.writer)?.commit(commit)
    }

    fn tidy_up(&mut self) -> Result<(), JournalError> {
        lock(&self.writer)?.tidy_up()
    }
}

impl JournalReader for SqliteJournal {
    fn head(&self) -> Result<JournalHead, JournalError> {
        self.reading(|reading| reading.head())
    }

    fn starts(&self) -> Result<Vec<Start>, JournalError> {
        self.reading(|reading| reading.starts())
    }

    fn state(&self) -> Result<Vec<StatePart>, JournalError> {
        self.reading(|reading| reading.state())
    }

    fn read(
        &self,
        content: Content,
        each: &mut dyn FnMut(Commit) -> Result<(), ComponentError>,
    ) -> Result<(), ComponentError> {
        self.reading(|reading| reading.read(content, each))
    }

    fn postings(&self, each: &mut EachPosting<'_>) -> Result<(), ComponentError> {
        let writer = lock(&self.writer)?;
        let reading = Reading::new(writer.path(), writer.connection());
        postings::postings(reading, writer.disk(), each)
    }
}

/// The outbox of a journal file. It writes through the journal's own connection, between two commits.
#[derive(Clone, Debug)]
struct SqliteOutbox {
    writer: Arc<Mutex<Writer>>,
}

impl Outbox for SqliteOutbox {
    fn record(&self, entry: &OutboxEntry) -> Result<(), JournalError> {
        lock(&self.writer)?.record(entry)
    }

    fn entries(&self, instruction: InstructionId) -> Result<Vec<OutboxEntry>, JournalError> {
        let writer = lock(&self.writer)?;
        Reading::new(writer.path(), writer.connection()).outbox(Some(instruction))
    }
}

fn lock(writer: &Mutex<Writer>) -> Result<MutexGuard<'_, Writer>, JournalError> {
    writer.lock().map_err(|e| JournalError::Stopped {
        first: e.to_string(),
    })
}
