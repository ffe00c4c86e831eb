//! What a table of a run directory is made of, whatever the file format.

use std::fmt::Display;

use basis_core::error::ComponentError;
use basis_core::num::Fixed18;
use basis_core::types::Timestamp;

/// What a column holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// A UTC instant.
    Instant,
    /// An exact number.
    Number,
    /// A whole number, zero or more.
    Count,
    /// Text.
    Text,
}

/// Name and kind of a column.
pub(super) type Column = (&'static str, Kind);

/// Rows of one file: a call per field, in the order of the columns, then [`Rows::end`].
pub(super) trait Rows {
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
