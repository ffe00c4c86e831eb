//! Everything that can be wrong with a journal file, all of it listed.
//!
//! The chain of digests finds a byte that changed in any row; the rest finds what a writer of ours would
//! have done wrong: a hole in a sequence, an id used twice, lines without their event.

mod cursor;
mod problem;
mod walk;

use std::path::Path;

use basis_core::journal::JournalError;
use rusqlite::Connection;

pub use self::problem::{Link, Problem};
use self::walk::Walk;
use super::error::storage;
use super::open::SqliteReader;

/// Lists everything that is wrong with the journal at `path`, also while a process writes it.
///
/// # Errors
/// When it cannot be opened.
pub fn check(path: &Path) -> Result<Vec<Problem>, JournalError> {
    SqliteReader::open(path)?.check()
}

/// Lists everything that is wrong behind `connection`.
pub(super) fn problems(path: &Path, connection: &Connection) -> Result<Vec<Problem>, JournalError> {
    let mut problems = integrity(path, connection)?;
    let mut walk = Walk::new(path, connection, &mut problems);
    // A file whose pages are garbled may end the walk early; then SQLite's own words stand in the list.
    match walk.run() {
        Ok(()) => {}
        Err(JournalError::Damaged { problem, .. }) => problems.push(Problem::File(problem)),
        Err(e) => return Err(e),
    }
    Ok(problems)
}

/// What SQLite's own check of pages, indexes and constraints finds.
fn integrity(path: &Path, connection: &Connection) -> Result<Vec<Problem>, JournalError> {
    let mut problems = Vec::new();
    let listed = connection
        .prepare("PRAGMA integrity_check")
        .and_then(|mut statement| {
            let lines = statement.query_map([], |row| row.get::<_, String>(0))?;
            lines.collect::<Result<Vec<_>, _>>()
        });
    match listed.map_err(|e| storage(path, e)) {
        Ok(lines) => problems.extend(
            lines
                .into_iter()
                .filter(|line| line != "ok")
                .map(Problem::File),
        ),
        Err(JournalError::Damaged { problem, .. }) => problems.push(Problem::File(problem)),
        Err(e) => return Err(e),
    }
    Ok(problems)
}
