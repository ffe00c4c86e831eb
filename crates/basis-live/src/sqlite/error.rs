//! What SQLite says, as the journal's errors.

use std::io;
use std::path::Path;

use basis_core::journal::JournalError;
use rusqlite::{Error, ErrorCode};

/// Returns what an error of SQLite at `path` means.
#[expect(
    clippy::needless_pass_by_value,
    reason = "it stands in map_err, which gives the error away"
)]
pub(super) fn storage(path: &Path, e: Error) -> JournalError {
    let refused = |problem: String| JournalError::Storage {
        path: path.to_owned(),
        problem,
    };
    let damaged = |problem: String| damaged(path, problem);
    match &e {
        Error::SqliteFailure(failure, _) => match failure.code {
            ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked => JournalError::Locked {
                path: path.to_owned(),
            },
            ErrorCode::DatabaseCorrupt => damaged("it is truncated or garbled".to_owned()),
            ErrorCode::NotADatabase => damaged("it is no SQLite database".to_owned()),
            ErrorCode::DiskFull => refused("the disk is full; make room, then resume".to_owned()),
            ErrorCode::ReadOnly | ErrorCode::PermissionDenied => {
                refused("it, or its directory, cannot be written".to_owned())
            }
            ErrorCode::CannotOpen => refused(
                "it, or a file beside it, cannot be opened or made; look at the directory and its \
                 permissions"
                    .to_owned(),
            ),
            ErrorCode::ConstraintViolation => JournalError::Inconsistent(e.to_string()),
            // A table or column that is not there.
            ErrorCode::Unknown => damaged(e.to_string()),
            _ => refused(e.to_string()),
        },
        Error::InvalidColumnType(..)
        | Error::FromSqlConversionFailure(..)
        | Error::IntegralValueOutOfRange(..)
        | Error::Utf8Error(..)
        | Error::QueryReturnedNoRows
        | Error::SqlInputError { .. } => damaged(e.to_string()),
        _ => refused(e.to_string()),
    }
}

/// Returns what an error of the file system at `path` means.
#[expect(
    clippy::needless_pass_by_value,
    reason = "it stands in map_err, which gives the error away"
)]
pub(super) fn file_system(path: &Path, e: io::Error) -> JournalError {
    match e.kind() {
        io::ErrorKind::WouldBlock => JournalError::Locked {
            path: path.to_owned(),
        },
        io::ErrorKind::AlreadyExists => JournalError::Exists {
            path: path.to_owned(),
        },
        _ => JournalError::Storage {
            path: path.to_owned(),
            problem: e.to_string(),
        },
    }
}

/// A journal at `path` in which `problem` was found.
pub(super) fn damaged(path: &Path, problem: impl Into<String>) -> JournalError {
    JournalError::Damaged {
        path: path.to_owned(),
        problem: problem.into(),
    }
}
