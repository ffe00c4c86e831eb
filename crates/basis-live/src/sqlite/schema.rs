//! The tables of a journal file, and how an older file is brought to them.

use std::path::Path;

use basis_core::journal::JournalError;
use rusqlite::Connection;

use super::error::storage;

/// Marks an SQLite file as a journal of ours: `basj`.
const APPLICATION_ID: i64 = 0x6261_736a;

/// One step of the schema.
#[derive(Clone, Copy, Debug)]
pub(super) struct Migration {
    /// The schema it leads to.
    pub(super) version: u32,
    /// What leads there from the one before.
    pub(super) sql: &'static str,
}

/// Every step, oldest first.
pub(super) const MIGRATIONS: &[Migration] = &[Migration {
    version: 1,
    sql: include_str!("schema.sql"),
}];

/// One table as it is written, read and digested: always the same columns in the same order.
#[derive(Clone, Copy, Debug)]
pub(super) struct Table {
    /// Begins each of its rows in a digest.
    pub(super) tag: u8,
    pub(super) name: &'static str,
    pub(super) insert: &'static str,
    /// All rows in order.
    pub(super) select: &'static str,
}

macro_rules! table {
    ($tag:literal, $name:literal, $columns:literal, $slots:literal) => {
        Table {
            tag: $tag,
            name: $name,
            insert: concat!(
                "INSERT INTO ",
                $name,
                " (",
                $columns,
                ") VALUES (",
                $slots,
                ")"
            ),
            select: concat!("SELECT ", $columns, " FROM ", $name, " ORDER BY seq"),
        }
    };
}

pub(super) const HEAD: Table = table!(
    1,
    "head",
    "seq, book, mode, config, config_hash, digest",
    "?, ?, ?, ?, ?, ?"
);
pub(super) const STARTS: Table = table!(
    2,
    "starts",
    "seq, epoch, at, version, commits, digest",
    "?, ?, ?, ?, ?, ?"
);
pub(super) const COMMITS: Table = table!(
    3,
    "commits",
    "seq, start, at, calls, instructions, events, lines, rows, state, digest",
    "?, ?, ?, ?, ?, ?, ?, ?, ?, ?"
);
pub(super) const INSTRUCTIONS: Table = table!(
    4,
    "instructions",
    "seq, commit_seq, id, client_order_id, venue, submitted_at, instruction",
    "?, ?, ?, ?, ?, ?, ?"
);
pub(super) const EVENTS: Table = table!(
    5,
    "events",
    "seq, commit_seq, lines, key, venue, at, received_at, posted_at, kind, event, marks",
    "?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?"
);
pub(super) const LEDGER: Table = table!(
    6,
    "ledger",
    "seq, event, line, cause, at, account, item, quantity, units, value, kind, instruction, \
     reference_price",
    "?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?"
);
pub(super) const ROWS: Table = table!(7, "rows", "seq, commit_seq, kind, json", "?, ?, ?, ?");
pub(super) const OUTBOX: Table = table!(
    8,
    "outbox",
    "seq, instruction, at, stage, nonce, hash, bytes, digest",
    "?, ?, ?, ?, ?, ?, ?, ?"
);

/// What a file is, before anything is read of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Found {
    /// An SQLite database without anything in it.
    Empty,
    /// A journal with this schema.
    Journal(u32),
}

/// Returns what stands behind `connection`.
///
/// # Errors
/// [`JournalError::Damaged`] for another program's database.
pub(super) fn inspect(path: &Path, connection: &Connection) -> Result<Found, JournalError> {
    let number = |sql: &str| {
        connection
            .query_row(sql, [], |row| row.get::<_, i64>(0))
            .map_err(|e| storage(path, e))
    };
    let things = number("SELECT count(*) FROM sqlite_schema")?;
    let application = number("PRAGMA application_id")?;
    let version = number("PRAGMA user_version")?;
    if things == 0 && version == 0 && (application == 0 || application == APPLICATION_ID) {
        return Ok(Found::Empty);
    }
    match u32::try_from(version) {
        Ok(version) if application == APPLICATION_ID => Ok(Found::Journal(version)),
        _ => Err(JournalError::Damaged {
            path: path.to_owned(),
            problem: format!("another program's database (application id {application})"),
        }),
    }
}

/// Brings the database to the newest of `migrations`, within a transaction of the caller.
///
/// # Errors
/// [`JournalError::NewerSchema`], and what SQLite refuses.
pub(super) fn migrate(
    path: &Path,
    connection: &Connection,
    found: u32,
    migrations: &[Migration],
) -> Result<(), JournalError> {
    let known = newest(migrations);
    if found > known {
        return Err(JournalError::NewerSchema {
            path: path.to_owned(),
            found,
            known,
        });
    }
    let apply = |sql: &str| connection.execute_batch(sql).map_err(|e| storage(path, e));
    for step in migrations.iter().filter(|step| step.version > found) {
        apply(step.sql)?;
        apply(&format!("PRAGMA user_version = {}", step.version))?;
    }
    if found == 0 {
        apply(&format!("PRAGMA application_id = {APPLICATION_ID}"))?;
    }
    Ok(())
}

/// Returns the newest schema of `migrations`.
pub(super) fn newest(migrations: &[Migration]) -> u32 {
    migrations.last().map_or(0, |step| step.version)
}
