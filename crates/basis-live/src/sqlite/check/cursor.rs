//! The rows of a table in order, one ahead.

use basis_core::journal::JournalError;
use rusqlite::Rows;
use rusqlite::types::{Value, ValueRef};

use super::super::read::Reading;
use super::super::schema::Table;
use super::problem::Problem;

/// A row that stays when the next one is read.
#[derive(Clone, Debug)]
pub(super) struct Kept<const N: usize>([Value; N]);

impl<const N: usize> Kept<N> {
    /// All cells.
    pub(super) fn cells(&self) -> [ValueRef<'_>; N] {
        self.0.each_ref().map(ValueRef::from)
    }

    /// Its sequence.
    pub(super) fn seq(&self) -> i64 {
        self.number(0)
    }

    /// What it belongs to: the second column.
    pub(super) fn owner(&self) -> i64 {
        self.number(1)
    }

    fn number(&self, column: usize) -> i64 {
        match self.0.get(column) {
            Some(Value::Integer(number)) => *number,
            _ => 0,
        }
    }
}

/// Reads a table in order.
pub(super) struct Cursor<'s, const N: usize> {
    reading: Reading<'s>,
    rows: Rows<'s>,
    table: &'static Table,
    ahead: Option<Kept<N>>,
    last: i64,
}

impl<'s, const N: usize> Cursor<'s, N> {
    pub(super) fn new(
        reading: Reading<'s>,
        rows: Rows<'s>,
        table: &'static Table,
        problems: &mut Vec<Problem>,
    ) -> Result<Self, JournalError> {
        let mut cursor = Self {
            reading,
            rows,
            table,
            ahead: None,
            last: 0,
        };
        cursor.advance(problems)?;
        Ok(cursor)
    }

    /// The next row.
    pub(super) fn next(
        &mut self,
        problems: &mut Vec<Problem>,
    ) -> Result<Option<Kept<N>>, JournalError> {
        let row = self.ahead.take();
        if row.is_some() {
            self.advance(problems)?;
        }
        Ok(row)
    }

    /// The next row that belongs to one of `owners`; those of earlier ones belong to nothing and are listed.
    pub(super) fn next_of(
        &mut self,
        (first, last): (i64, i64),
        problems: &mut Vec<Problem>,
    ) -> Result<Option<Kept<N>>, JournalError> {
        loop {
            match &self.ahead {
                Some(row) if row.owner() < first => {
                    problems.push(Problem::Orphan {
                        table: self.table.name,
                        seq: row.seq(),
                    });
                    self.next(problems)?;
                }
                Some(row) if row.owner() <= last => return self.next(problems),
                _ => return Ok(None),
            }
        }
    }

    fn advance(&mut self, problems: &mut Vec<Problem>) -> Result<(), JournalError> {
        let Some(row) = self.reading.next(&mut self.rows)? else {
            return Ok(());
        };
        let row = Kept(self.reading.cells::<N>(row)?.map(Value::from_ref));
        if row.seq() != self.last + 1 {
            problems.push(Problem::Hole {
                table: self.table.name,
                expected: self.last + 1,
                found: row.seq(),
            });
        }
        self.last = row.seq();
        self.ahead = Some(row);
        Ok(())
    }
}

/// Owns what a cell refers to.
trait FromRef {
    fn from_ref(cell: ValueRef<'_>) -> Self;
}

impl FromRef for Value {
    fn from_ref(cell: ValueRef<'_>) -> Self {
        match cell {
            ValueRef::Null => Self::Null,
            ValueRef::Integer(number) => Self::Integer(number),
            ValueRef::Real(number) => Self::Real(number),
            // A text that is none stays as it is, for its digest.
            ValueRef::Text(text) => match std::str::from_utf8(text) {
                Ok(text) => Self::Text(text.to_owned()),
                Err(_) => Self::Blob(text.to_vec()),
            },
            ValueRef::Blob(bytes) => Self::Blob(bytes.to_vec()),
        }
    }
}
