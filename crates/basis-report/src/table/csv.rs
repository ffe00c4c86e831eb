//! Writes tables as CSV.
//!
//! By hand, into one buffer per file: a year of hours has a hundred thousand rows of positions, and eleven
//! fields of two million rows take 0.53 s so, 0.90 s through the crate that reads them, which takes every
//! field from a buffer of its own.

use std::fmt::Display;
use std::fs::File;
use std::io::Write;
use std::path::{Path, PathBuf};

use basis_core::error::ComponentError;
use basis_core::num::Fixed18;
use basis_core::types::Timestamp;

use super::{Column, Rows};
use crate::directory::failed;

/// Bytes gathered before they go to the file.
const CHUNK: usize = 1 << 20;

/// One file being written.
#[derive(Debug)]
pub(crate) struct Table<W> {
    path: PathBuf,
    file: W,
    pub(crate) row: Vec<u8>,
    written: u64,
    /// The instant last printed: the rows of a step share theirs.
    instant: (Timestamp, Vec<u8>),
}

impl Table<File> {
    pub(crate) fn create(directory: &Path, name: &str) -> Result<Self, ComponentError> {
        let path = directory.join(name);
        let file = File::create(&path).map_err(|e| failed(&path, &e))?;
        Ok(Self::over(path, file))
    }

    /// A file that begins with the names of its columns.
    pub(crate) fn with_header(
        directory: &Path,
        name: &str,
        columns: &[Column<'_>],
    ) -> Result<Self, ComponentError> {
        let mut table = Self::create(directory, name)?;
        table.header(columns)?;
        Ok(table)
    }
}

impl Table<Vec<u8>> {
    /// The text of a small table whose rows `write` adds. `name` is what errors call it.
    ///
    /// # Errors
    /// Those of `write`.
    pub(crate) fn text(
        name: &str,
        columns: &[Column<'_>],
        write: impl FnOnce(&mut Self) -> Result<(), ComponentError>,
    ) -> Result<Vec<u8>, ComponentError> {
        let mut table = Self::over(PathBuf::from(name), Vec::new());
        table.header(columns)?;
        write(&mut table)?;
        table.flush_from(1)?;
        Ok(table.file)
    }
}

impl<W: Write> Table<W> {
    fn over(path: PathBuf, file: W) -> Self {
        Self {
            path,
            file,
            row: Vec::with_capacity(CHUNK + (CHUNK >> 3)),
            written: 0,
            instant: (Timestamp::MIN, Vec::new()),
        }
    }

    fn header(&mut self, columns: &[Column<'_>]) -> Result<(), ComponentError> {
        for (column, _) in columns {
            self.text(column);
        }
        self.end()
    }

    /// Writes the buffer out once it holds `least` bytes.
    pub(crate) fn flush_from(&mut self, least: usize) -> Result<(), ComponentError> {
        if self.row.len() >= least {
            self.file
                .write_all(&self.row)
                .map_err(|e| failed(&self.path, &e))?;
            self.written += self.row.len() as u64;
            self.row.clear();
        }
        Ok(())
    }
}

impl<W: Write> Rows for Table<W> {
    fn plain(&mut self, text: &str) {
        self.row.extend_from_slice(text.as_bytes());
        self.row.push(b',');
    }

    fn shown(&mut self, value: &impl Display) {
        write!(self.row, "{value}").expect("invariant: a Vec takes every write");
        self.row.push(b',');
    }

    /// Quoted where a comma, quote or line end needs it.
    fn text(&mut self, value: &impl Display) {
        let start = self.row.len();
        self.shown(value);
        let field = self.row.get(start..self.row.len() - 1).unwrap_or_default();
        if field
            .iter()
            .any(|c| matches!(c, b',' | b'"' | b'\n' | b'\r'))
        {
            let quoted = String::from_utf8_lossy(field).replace('"', "\"\"");
            self.row.truncate(start);
            self.row.push(b'"');
            self.row.extend_from_slice(quoted.as_bytes());
            self.row.extend_from_slice(b"\",");
        }
    }

    fn number(&mut self, number: Fixed18) {
        number.write_decimal(&mut self.row);
        self.row.push(b',');
    }

    fn count(&mut self, count: u64) {
        self.shown(&count);
    }

    fn statistic(&mut self, text: &str) {
        self.plain(text);
    }

    fn instant(&mut self, at: Timestamp) {
        let (shown, text) = &mut self.instant;
        if *shown != at || text.is_empty() {
            *shown = at;
            text.clear();
            at.write_iso(text);
            text.push(b',');
        }
        self.row.extend_from_slice(text);
    }

    fn blank(&mut self, fields: usize) {
        self.row.resize(self.row.len() + fields, b',');
    }

    /// The field before it ended with a comma that becomes the line end.
    fn end(&mut self) -> Result<(), ComponentError> {
        if let Some(last) = self.row.last_mut() {
            *last = b'\n';
        }
        self.flush_from(CHUNK)
    }

    fn finish(mut self) -> Result<u64, ComponentError> {
        self.flush_from(1)?;
        Ok(self.written)
    }
}
