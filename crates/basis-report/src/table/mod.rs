//! Tables in files: their columns and rows whatever the format, the writers, and the reader.

pub(crate) mod csv;
#[cfg(feature = "parquet")]
pub(crate) mod parquet;
pub(crate) mod read;

use std::fmt::Display;

use basis_core::error::{Code, ComponentError};
use basis_core::num::Fixed18;
use basis_core::types::Timestamp;

/// Which files the tables of a run are written to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Format {
    /// CSV.
    #[default]
    Csv,
    /// CSV, and Parquet beside it; needs the feature `parquet`.
    Parquet,
}

impl Format {
    /// Whether this build writes it.
    ///
    /// # Errors
    /// `EVT-001` for Parquet in a build without the feature.
    pub fn check(self) -> Result<(), ComponentError> {
        if self == Self::Csv || cfg!(feature = "parquet") {
            return Ok(());
        }
        Err(ComponentError::new(
            Code::OutputUnusable,
            "this build writes no Parquet; build it with --features parquet, or use --format csv",
        ))
    }
}

/// What a column holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// A UTC instant.
    Instant,
    /// An exact number.
    Number,
    /// A whole number, zero or more.
    Count,
    /// A statistic, a 64-bit float.
    Statistic,
    /// Text.
    Text,
}

/// Name and kind of a column.
pub(crate) type Column<'a> = (&'a str, Kind);

/// Rows of one file: a call per field, in the order of the columns, then [`Rows::end`].
pub(crate) trait Rows {
    /// Text without a comma, quote or line end.
    fn plain(&mut self, text: &str);
    /// The same, printed here.
    fn shown(&mut self, value: &impl Display);
    /// Text that others chose.
    fn text(&mut self, value: &impl Display);
    /// An exact number.
    fn number(&mut self, number: Fixed18);
    /// A whole number.
    fn count(&mut self, count: u64);
    /// A statistic, given as it was printed.
    fn statistic(&mut self, text: &str);
    /// An instant.
    fn instant(&mut self, at: Timestamp);
    /// So many fields without a value.
    fn blank(&mut self, fields: usize);
    /// Ends the row.
    ///
    /// # Errors
    /// `EVT-002` when the file cannot be written.
    fn end(&mut self) -> Result<(), ComponentError>;
    /// Writes what is left and returns how many bytes the file has.
    ///
    /// # Errors
    /// `EVT-002` when the file cannot be written.
    fn finish(self) -> Result<u64, ComponentError>;
}
