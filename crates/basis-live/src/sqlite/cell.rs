//! Single cells of a row: what stands in them, or which column cannot be read.

use std::fmt::Display;
use std::str::FromStr;

use basis_core::journal::JournalError;
use rusqlite::types::ValueRef;
use serde::Serialize;
use serde::de::DeserializeOwned;

/// A cell that cannot be read as what its column says.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("column {column}: {problem}")]
pub(super) struct CellError {
    column: &'static str,
    problem: String,
}

impl CellError {
    pub(super) fn new(column: &'static str, problem: impl Display) -> Self {
        Self {
            column,
            problem: problem.to_string(),
        }
    }

    /// What names `column` in errors of reading it.
    pub(super) fn of<E: Display>(column: &'static str) -> impl FnOnce(E) -> Self {
        move |e| Self::new(column, e)
    }
}

/// Bytes of a text.
pub(super) fn bytes<'a>(column: &'static str, cell: ValueRef<'a>) -> Result<&'a [u8], CellError> {
    match cell {
        ValueRef::Text(text) => Ok(text),
        other => Err(unexpected(column, other, "text")),
    }
}

/// A text.
pub(super) fn text<'a>(column: &'static str, cell: ValueRef<'a>) -> Result<&'a str, CellError> {
    std::str::from_utf8(bytes(column, cell)?).map_err(CellError::of(column))
}

/// A whole number.
pub(super) fn integer(column: &'static str, cell: ValueRef<'_>) -> Result<i64, CellError> {
    match cell {
        ValueRef::Integer(number) => Ok(number),
        other => Err(unexpected(column, other, "a whole number")),
    }
}

/// A whole number that fits 32 bits.
pub(super) fn small(column: &'static str, cell: ValueRef<'_>) -> Result<u32, CellError> {
    u32::try_from(integer(column, cell)?).map_err(CellError::of(column))
}

/// How many of something there are.
pub(super) fn count(column: &'static str, cell: ValueRef<'_>) -> Result<i64, CellError> {
    match integer(column, cell)? {
        number @ 0.. => Ok(number),
        number => Err(CellError::new(column, format_args!("{number} is no count"))),
    }
}

/// Bytes of a blob.
pub(super) fn blob<'a>(column: &'static str, cell: ValueRef<'a>) -> Result<&'a [u8], CellError> {
    match cell {
        ValueRef::Blob(bytes) => Ok(bytes),
        other => Err(unexpected(column, other, "bytes")),
    }
}

/// A digest.
pub(super) fn digest(column: &'static str, cell: ValueRef<'_>) -> Result<[u8; 32], CellError> {
    blob(column, cell)?
        .try_into()
        .map_err(CellError::of(column))
}

/// What a text says.
pub(super) fn parse<T: FromStr<Err: Display>>(
    column: &'static str,
    cell: ValueRef<'_>,
) -> Result<T, CellError> {
    text(column, cell)?.parse().map_err(CellError::of(column))
}

/// What JSON says.
pub(super) fn read_json<T: DeserializeOwned>(
    column: &'static str,
    cell: ValueRef<'_>,
) -> Result<T, CellError> {
    serde_json::from_str(text(column, cell)?).map_err(CellError::of(column))
}

/// The JSON of a value, which reads back as the value.
pub(super) fn json<T: Serialize + DeserializeOwned + PartialEq>(
    value: &T,
) -> Result<String, JournalError> {
    let refused = |problem: &dyn Display| {
        let what = std::any::type_name::<T>();
        let what = what.rsplit("::").next().unwrap_or(what);
        JournalError::Inconsistent(format!("a value ({what}) cannot be read back: {problem}"))
    };
    let text = serde_json::to_string(value).map_err(|e| refused(&e))?;
    let read: T = serde_json::from_str(&text).map_err(|e| refused(&e))?;
    if read != *value {
        return Err(refused(&text));
    }
    Ok(text)
}

fn unexpected(column: &'static str, cell: ValueRef<'_>, wanted: &str) -> CellError {
    let found = cell.data_type();
    CellError::new(column, format_args!("{found} where {wanted} is expected"))
}
