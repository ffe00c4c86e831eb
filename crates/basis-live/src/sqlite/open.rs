//! Connections to a journal file: how they are opened, and what is asked of SQLite.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use basis_core::error::ComponentError;
use basis_core::journal::{
    Commit, Content, EachPosting, JournalError, JournalHead, JournalReader, OutboxEntry, Start,
    StatePart,
};
use rusqlite::{Connection, OpenFlags};

use super::Durability;
use super::check::{Problem, problems};
use super::disk::{Disk, FileSystem};
use super::error::{damaged, file_system, storage};
use super::postings::postings;
use super::read::Reading;
use super::schema::{self, Found, MIGRATIONS};

/// How long SQLite waits for another connection, which can only be a reader that recovers the log, or
/// somebody's shell.
const PATIENCE: Duration = Duration::from_secs(5);

/// Opens a connection that can write to a file that is there. Nothing is changed yet, for the file may be
/// another program's.
///
/// # Errors
/// When it can only be read.
pub(super) fn writing(disk: &dyn Disk, path: &Path) -> Result<Connection, JournalError> {
    let connection = connect(disk, path, OpenFlags::SQLITE_OPEN_READ_WRITE)?;
    if connection
        .is_readonly("main")
        .map_err(|e| storage(path, e))?
    {
        return Err(JournalError::Storage {
            path: path.to_owned(),
            problem: "it is read-only".to_owned(),
        });
    }
    Ok(connection)
}

/// Asks SQLite for what a journal needs.
///
/// # Errors
/// When it does not do it: everything is read back.
pub(super) fn configure(
    path: &Path,
    connection: &Connection,
    durability: Durability,
) -> Result<(), JournalError> {
    set(path, connection, "journal_mode", "wal", "wal")?;
    let (word, number) = match durability {
        Durability::Commit => ("full", "2"),
        Durability::Never => ("off", "0"),
    };
    set(path, connection, "synchronous", word, number)?;
    set(path, connection, "foreign_keys", "on", "1")?;
    set(path, connection, "wal_autocheckpoint", "0", "0")
}

/// Opens a connection that reads.
///
/// # Errors
/// What SQLite refuses.
pub(super) fn reading(disk: &dyn Disk, path: &Path) -> Result<Connection, JournalError> {
    connect(disk, path, OpenFlags::SQLITE_OPEN_READ_ONLY)
}

fn connect(disk: &dyn Disk, path: &Path, access: OpenFlags) -> Result<Connection, JournalError> {
    // Every connection stands behind a lock of ours or in one thread, so SQLite needs none of its own.
    let flags = access | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = match disk.vfs() {
        Some(name) => Connection::open_with_flags_and_vfs(path, flags, name),
        None => Connection::open_with_flags(path, flags),
    };
    let connection = connection.map_err(|e| storage(path, e))?;
    connection
        .busy_timeout(PATIENCE)
        .map_err(|e| storage(path, e))?;
    connection.set_prepared_statement_cache_capacity(32);
    Ok(connection)
}

/// Sets a pragma and reads it back.
fn set(
    path: &Path,
    connection: &Connection,
    name: &str,
    value: &str,
    expected: &str,
) -> Result<(), JournalError> {
    // Some pragmas answer with what they became, others with nothing.
    connection
        .pragma_update(None, name, value)
        .map_err(|e| storage(path, e))?;
    let found = connection
        .pragma_query_value(None, name, |row| {
            row.get_ref(0).map(|cell| match cell.data_type() {
                rusqlite::types::Type::Text => cell.as_str().map(str::to_owned),
                _ => cell.as_i64().map(|number| number.to_string()),
            })
        })
        .map_err(|e| storage(path, e))?
        .map_err(|e| damaged(path, e.to_string()))?;
    if found == expected {
        return Ok(());
    }
    Err(JournalError::Storage {
        path: path.to_owned(),
        problem: format!("SQLite has {name}={found} here where {value} is needed"),
    })
}

/// Refuses a path that can be no journal.
///
/// # Errors
/// When the directory is not there, or the path is one.
pub(super) fn place(disk: &dyn Disk, path: &Path) -> Result<(), JournalError> {
    if disk.vfs().is_some() {
        return Ok(());
    }
    let refused = |path: &Path, problem: &str| {
        Err(JournalError::Storage {
            path: path.to_owned(),
            problem: problem.to_owned(),
        })
    };
    let directory = super::disk::directory_of(path);
    if !directory.is_dir() {
        return refused(
            directory,
            "the directory is not there; make it, or name another",
        );
    }
    if path.is_dir() {
        return refused(path, "it is a directory; name a file");
    }
    Ok(())
}

/// A journal file that is only read, also while a process writes it: as it was when it was opened.
///
/// While it lives, the write-ahead log beside the file cannot be used anew and grows.
#[derive(Debug)]
pub struct SqliteReader {
    disk: Arc<dyn Disk>,
    path: PathBuf,
    connection: Connection,
}

impl SqliteReader {
    /// Opens the journal at `path`.
    ///
    /// # Errors
    /// [`JournalError::Missing`], [`JournalError::Unbegun`], [`JournalError::NewerSchema`],
    /// [`JournalError::OlderSchema`], [`JournalError::Damaged`], and what the file system refuses.
    pub fn open(path: &Path) -> Result<Self, JournalError> {
        Self::open_on(Arc::new(FileSystem), path)
    }

    /// As [`SqliteReader::open`], on another disk.
    ///
    /// # Errors
    /// As [`SqliteReader::open`].
    pub fn open_on(disk: Arc<dyn Disk>, path: &Path) -> Result<Self, JournalError> {
        place(disk.as_ref(), path)?;
        if !disk.is_there(path).map_err(|e| file_system(path, e))? {
            return Err(JournalError::Missing {
                path: path.to_owned(),
            });
        }
        let connection = reading(disk.as_ref(), path)?;
        connection
            .execute_batch("BEGIN")
            .map_err(|e| storage(path, e))?;
        // The first read fixes what the transaction sees.
        match schema::inspect(path, &connection)? {
            Found::Empty => Err(JournalError::Unbegun {
                path: path.to_owned(),
            }),
            Found::Journal(found) => {
                readable(path, found, schema::newest(MIGRATIONS))?;
                Ok(Self {
                    disk,
                    path: path.to_owned(),
                    connection,
                })
            }
        }
    }

    /// Lists everything that is wrong, as [`check`](super::check()).
    ///
    /// # Errors
    /// When the file cannot be read.
    pub fn check(&self) -> Result<Vec<Problem>, JournalError> {
        problems(&self.path, &self.connection)
    }

    /// All entries of the outbox, in order.
    ///
    /// # Errors
    /// When they cannot be read.
    pub fn outbox(&self) -> Result<Vec<OutboxEntry>, JournalError> {
        self.reading().outbox(None)
    }

    fn reading(&self) -> Reading<'_> {
        Reading::new(&self.path, &self.connection)
    }
}

/// Refuses a schema that is not this program's.
pub(super) fn readable(path: &Path, found: u32, known: u32) -> Result<(), JournalError> {
    let path = path.to_owned();
    match found.cmp(&known) {
        std::cmp::Ordering::Less => Err(JournalError::OlderSchema { path, found, known }),
        std::cmp::Ordering::Equal => Ok(()),
        std::cmp::Ordering::Greater => Err(JournalError::NewerSchema { path, found, known }),
    }
}

impl JournalReader for SqliteReader {
    fn head(&self) -> Result<JournalHead, JournalError> {
        self.reading().head()
    }

    fn starts(&self) -> Result<Vec<Start>, JournalError> {
        self.reading().starts()
    }

    fn state(&self) -> Result<Vec<StatePart>, JournalError> {
        self.reading().state()
    }

    fn read(
        &self,
        content: Content,
        each: &mut dyn FnMut(Commit) -> Result<(), ComponentError>,
    ) -> Result<(), ComponentError> {
        self.reading().read(content, each)
    }

    fn postings(&self, each: &mut EachPosting<'_>) -> Result<(), ComponentError> {
        postings(self.reading(), self.disk.as_ref(), each)
    }
}
