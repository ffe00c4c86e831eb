//! Placeholder.
use basis_core::journal::JournalError;
use rusqlite::Connection;
use std::path::Path;
/// P
#[derive(Debug)]
pub enum Problem {}
/// c
pub fn check(_: &Path) -> Result<Vec<Problem>, JournalError> {
    Ok(vec![])
}
pub(super) fn problems(_: &Path, _: &Connection) -> Result<Vec<Problem>, JournalError> {
    Ok(vec![])
}
