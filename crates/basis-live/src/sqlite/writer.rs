//! The one connection that writes.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use basis_core::journal::{Commit, JournalError, JournalHead, OutboxEntry};
use basis_core::types::{BookId, Epoch, Timestamp};
use rusqlite::config::DbConfig;
use rusqlite::types::Value;
use rusqlite::{Connection, params_from_iter};

use super::Durability;
use super::digest::{Digest, Link, NOTHING};
use super::disk::Disk;
use super::encode::{Encoded, Tail, encode};
use super::error::{file_system, storage};
use super::line::LineWriter;
use super::open;
use super::read::Reading;
use super::schema::{self, Found, MIGRATIONS, Table};

/// Bytes of a page in the log, with its header.
const LOG_PAGE_BYTES: usize = 4_120;

/// Pages of the log from which a commit itself takes them over into the file, when no moment is quiet.
const LOG_PAGES_MAX: i64 = 16_000;

/// Commits between two looks at the length of the log.
const COMMITS_UNLOOKED: u32 = 256;

/// Writes one journal file.
#[derive(Debug)]
pub(super) struct Writer {
    disk: Arc<dyn Disk>,
    path: PathBuf,
    connection: Connection,
    book: BookId,
    /// How many starts the file has, and whether the last is this writer's.
    starts: i64,
    begun: bool,
    tail: Tail,
    /// The last entry of the outbox.
    outbox: (i64, Digest),
    lines: LineWriter,
    unlooked: u32,
    failed: Option<String>,
    /// The lock. Closed after the connection, as the fields stand: see `Disk::hold`.
    _held: Option<File>,
}

impl Writer {
    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    pub(super) const fn connection(&self) -> &Connection {
        &self.connection
    }

    /// Where another connection sees all that this one does.
    pub(super) fn disk(&self) -> &dyn Disk {
        self.disk.as_ref()
    }

    /// Begins a journal.
    pub(super) fn create(
        disk: Arc<dyn Disk>,
        path: &Path,
        head: &JournalHead,
        durability: Durability,
    ) -> Result<Self, JournalError> {
        head.book_id()?;
        open::place(disk.as_ref(), path)?;
        let was_there = disk.is_there(path).map_err(|e| file_system(path, e))?;
        if !was_there {
            disk.make(path).map_err(|e| file_system(path, e))?;
        }
        let held = disk.hold(path).map_err(|e| file_system(path, e))?;
        let exists = || JournalError::Exists {
            path: path.to_owned(),
        };
        let connection = open::writing(disk.as_ref(), path)?;
        match schema::inspect(path, &connection) {
            Ok(Found::Empty) => {}
            Ok(Found::Journal(_)) | Err(JournalError::Damaged { .. }) => return Err(exists()),
            Err(e) => return Err(e),
        }
        open::configure(path, &connection, durability)?;
        let begin = || {
            connection
                .execute_batch("BEGIN IMMEDIATE")
                .map_err(|e| storage(path, e))?;
            schema::migrate(path, &connection, 0, MIGRATIONS)?;
            write_head(path, &connection, head)?;
            connection
                .execute_batch("COMMIT")
                .map_err(|e| storage(path, e))
        };
        begin()?;
        disk.sync_directory(path)
            .map_err(|e| file_system(path, e))?;
        Self::continued(disk, path, connection, held)
    }

    /// Goes on with a journal.
    pub(super) fn open(
        disk: Arc<dyn Disk>,
        path: &Path,
        durability: Durability,
    ) -> Result<Self, JournalError> {
        open::place(disk.as_ref(), path)?;
        if !disk.is_there(path).map_err(|e| file_system(path, e))? {
            return Err(JournalError::Missing {
                path: path.to_owned(),
            });
        }
        let held = disk.hold(path).map_err(|e| file_system(path, e))?;
        let connection = open::writing(disk.as_ref(), path)?;
        match schema::inspect(path, &connection)? {
            Found::Empty => {
                return Err(JournalError::Unbegun {
                    path: path.to_owned(),
                });
            }
            Found::Journal(found) => {
                open::configure(path, &connection, durability)?;
                bring_up(path, &connection, found, MIGRATIONS)?;
            }
        }
        Self::continued(disk, path, connection, held)
    }

    fn continued(
        disk: Arc<dyn Disk>,
        path: &Path,
        connection: Connection,
        held: Option<File>,
    ) -> Result<Self, JournalError> {
        let reading = Reading::new(path, &connection);
        let book = reading.head()?.book_id()?;
        let (starts, tail) = reading.tail()?;
        let outbox = reading.outbox_tail()?;
        let pages = usize::try_from(disk.log_pages()).unwrap_or_default();
        disk.reserve_log(path, pages * LOG_PAGE_BYTES)
            .map_err(|e| file_system(path, e))?;
        Ok(Self {
            disk,
            path: path.to_owned(),
            connection,
            book,
            starts,
            begun: false,
            tail,
            outbox,
            lines: LineWriter::default(),
            unlooked: 0,
            failed: None,
            _held: held,
        })
    }

    /// Begins a start.
    pub(super) fn begin_start(
        &mut self,
        at: Timestamp,
        random: u32,
        version: &str,
    ) -> Result<Epoch, JournalError> {
        self.guarded(|writer| {
            writer.begin()?;
            let starts = Reading::new(&writer.path, &writer.connection).starts()?;
            let last = starts.iter().map(|start| start.epoch).max();
            let epoch = Epoch::after(last, at)
                .map(|epoch| epoch.with_random(random))
                .ok_or_else(|| {
                    JournalError::Inconsistent(format!(
                        "no epoch follows at {at}: they end in 2106"
                    ))
                })?;
            let mut row = [
                Value::Integer(writer.starts + 1),
                Value::Text(epoch.to_string()),
                Value::Integer(at.nanos()),
                Value::Text(version.to_owned()),
                Value::Integer(writer.tail.last.commits),
                Value::Null,
            ];
            let digest = seal(&schema::STARTS, &mut row, &writer.tail.digest);
            writer.insert(&schema::STARTS, &row)?;
            writer.end()?;
            writer.starts += 1;
            writer.begun = true;
            writer.tail.digest = digest;
            Ok(epoch)
        })
    }

    /// Writes a commit.
    pub(super) fn commit(&mut self, commit: &Commit) -> Result<(), JournalError> {
        self.guarded(|writer| {
            if !writer.begun {
                let problem = "a commit before the start it belongs to".to_owned();
                return Err(JournalError::Inconsistent(problem));
            }
            let encoded = encode(
                commit,
                writer.book,
                writer.starts,
                &writer.tail,
                &mut writer.lines,
            )?;
            writer.begin()?;
            writer.insert_all(&encoded)?;
            writer.end()?;
            writer.tail = encoded.after;
            Ok(())
        })
    }

    fn insert_all(&self, encoded: &Encoded) -> Result<(), JournalError> {
        self.insert(&schema::COMMITS, &encoded.commit)?;
        for row in &encoded.instructions {
            self.insert(&schema::INSTRUCTIONS, row)?;
        }
        for row in &encoded.events {
            self.insert(&schema::EVENTS, row)?;
        }
        for row in &encoded.lines {
            self.insert(&schema::LEDGER, row)?;
        }
        for row in &encoded.rows {
            self.insert(&schema::ROWS, row)?;
        }
        for row in &encoded.state {
            self.execute(
                "INSERT OR REPLACE INTO state (name, commit_seq, json) VALUES (?, ?, ?)",
                row,
            )?;
        }
        Ok(())
    }

    /// Writes an entry of the outbox.
    pub(super) fn record(&mut self, entry: &OutboxEntry) -> Result<(), JournalError> {
        self.guarded(|writer| {
            let nonce = entry.nonce.map(i64::try_from).transpose().map_err(|e| {
                JournalError::Inconsistent(format!("a nonce beyond what a chain has: {e}"))
            })?;
            let (last, digest) = writer.outbox;
            let mut row = [
                Value::Integer(last + 1),
                Value::Text(entry.instruction.to_string()),
                Value::Integer(entry.at.nanos()),
                Value::Text(entry.stage.as_str().to_owned()),
                nonce.map_or(Value::Null, Value::Integer),
                entry
                    .hash
                    .map_or(Value::Null, |hash| Value::Text(hash.to_string())),
                Value::Blob(entry.bytes.clone()),
                Value::Null,
            ];
            let digest = seal(&schema::OUTBOX, &mut row, &digest);
            writer.begin()?;
            writer.insert(&schema::OUTBOX, &row)?;
            writer.end()?;
            writer.outbox = (last + 1, digest);
            Ok(())
        })
    }

    /// Takes a long log over into the file.
    pub(super) fn tidy_up(&mut self) -> Result<(), JournalError> {
        self.guarded(|writer| writer.shorten_log(writer.disk.log_pages().into()))
    }

    fn shorten_log(&mut self, pages_max: i64) -> Result<(), JournalError> {
        self.unlooked = 0;
        let checkpoint = |sql: &str| {
            self.connection
                .query_row(sql, [], |row| row.get::<_, i64>(1))
                .map_err(|e| storage(&self.path, e))
        };
        if checkpoint("PRAGMA wal_checkpoint(NOOP)")? > pages_max {
            checkpoint("PRAGMA wal_checkpoint(PASSIVE)")?;
        }
        Ok(())
    }

    /// Does `work`, unless something failed before; after a failure nothing is done any more.
    fn guarded<T>(
        &mut self,
        work: impl FnOnce(&mut Self) -> Result<T, JournalError>,
    ) -> Result<T, JournalError> {
        if let Some(first) = &self.failed {
            return Err(JournalError::Stopped {
                first: first.clone(),
            });
        }
        work(self).inspect_err(|e| {
            let mut first = e.to_string();
            // Closing would take the log over into the file, which syncs again what could not be synced.
            let config = DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE;
            if let Err(second) = self.connection.set_db_config(config, true) {
                first.push_str("; ");
                first.push_str(&second.to_string());
            }
            self.failed = Some(first);
        })
    }

    /// Begins a transaction in which no other process has begun a start.
    fn begin(&self) -> Result<(), JournalError> {
        self.execute("BEGIN IMMEDIATE", &[])?;
        let found = self
            .connection
            .prepare_cached(
                "SELECT (SELECT coalesce(max(seq), 0) FROM starts), \
                        (SELECT coalesce(max(seq), 0) FROM commits)",
            )
            .and_then(|mut statement| {
                statement.query_row([], |row| Ok((row.get::<_, i64>(0)?, row.get::<_, i64>(1)?)))
            })
            .map_err(|e| storage(&self.path, e))?;
        if found == (self.starts, self.tail.last.commits) {
            return Ok(());
        }
        Err(JournalError::Locked {
            path: self.path.clone(),
        })
    }

    fn end(&mut self) -> Result<(), JournalError> {
        self.execute("COMMIT", &[])?;
        self.unlooked += 1;
        if self.unlooked < COMMITS_UNLOOKED {
            return Ok(());
        }
        self.shorten_log(LOG_PAGES_MAX)
    }

    fn insert(&self, table: &Table, row: &[Value]) -> Result<(), JournalError> {
        self.execute(table.insert, row)
    }

    fn execute(&self, sql: &str, cells: &[Value]) -> Result<(), JournalError> {
        self.connection
            .prepare_cached(sql)
            .and_then(|mut statement| statement.execute(params_from_iter(cells)))
            .map(|_| ())
            .map_err(|e| storage(&self.path, e))
    }
}

/// Brings an older file to the newest schema, whole or not at all.
pub(super) fn bring_up(
    path: &Path,
    connection: &Connection,
    found: u32,
    migrations: &[schema::Migration],
) -> Result<(), JournalError> {
    if found == schema::newest(migrations) {
        return Ok(());
    }
    let apply = |sql: &str| connection.execute_batch(sql).map_err(|e| storage(path, e));
    apply("BEGIN IMMEDIATE")?;
    match schema::migrate(path, connection, found, migrations) {
        Ok(()) => apply("COMMIT"),
        Err(e) => {
            apply("ROLLBACK")?;
            Err(e)
        }
    }
}

fn write_head(
    path: &Path,
    connection: &Connection,
    head: &JournalHead,
) -> Result<(), JournalError> {
    let mut row = [
        Value::Integer(1),
        Value::Text(head.book.clone()),
        Value::Text(head.mode.clone()),
        Value::Text(head.config.clone()),
        Value::Text(head.config_hash.clone()),
        Value::Null,
    ];
    seal(&schema::HEAD, &mut row, &NOTHING);
    connection
        .execute(schema::HEAD.insert, params_from_iter(row.iter()))
        .map(|_| ())
        .map_err(|e| storage(path, e))
}

/// Puts into the last cell of a row that is a link by itself its digest, and returns it.
fn seal<const N: usize>(table: &Table, row: &mut [Value; N], previous: &Digest) -> Digest {
    let mut link = Link::after(previous);
    if let [cells @ .., last] = row.as_mut_slice() {
        link.values(table, cells);
        let digest = link.end();
        *last = Value::Blob(digest.to_vec());
        return digest;
    }
    link.end()
}
