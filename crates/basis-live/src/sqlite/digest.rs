//! The chain of digests: every commit and start carries the digest of all before it, so that no byte of
//! any of them can change unseen.

use std::collections::BTreeMap;

use rusqlite::types::{Value, ValueRef};
use sha2::{Digest as _, Sha256};

use super::schema::Table;

/// A SHA-256.
pub(super) type Digest = [u8; 32];

/// Digest of nothing: what the head follows.
pub(super) const NOTHING: Digest = [0; 32];

/// One link of the chain while it is made.
#[derive(Clone, Debug)]
pub(super) struct Link(Sha256);

impl Link {
    /// Begins the link after `previous`.
    pub(super) fn after(previous: &Digest) -> Self {
        Self(Sha256::new_with_prefix(previous))
    }

    /// Adds a row of `table`: its tag, how many cells it has, and of each its type, length and bytes.
    pub(super) fn row<'a>(
        &mut self,
        table: &Table,
        cells: impl ExactSizeIterator<Item = ValueRef<'a>>,
    ) {
        self.0.update([table.tag]);
        self.0.update((cells.len() as u64).to_be_bytes());
        for cell in cells {
            self.cell(cell);
        }
    }

    /// Adds a row that is about to be written.
    pub(super) fn values(&mut self, table: &Table, cells: &[Value]) {
        self.row(table, cells.iter().map(ValueRef::from));
    }

    fn cell(&mut self, cell: ValueRef<'_>) {
        let mut tagged = |tag: u8, bytes: &[u8]| {
            self.0.update([tag]);
            self.0.update((bytes.len() as u64).to_be_bytes());
            self.0.update(bytes);
        };
        match cell {
            ValueRef::Null => tagged(0, &[]),
            ValueRef::Integer(number) => tagged(1, &number.to_be_bytes()),
            ValueRef::Real(number) => tagged(2, &number.to_be_bytes()),
            ValueRef::Text(text) => tagged(3, text),
            ValueRef::Blob(bytes) => tagged(4, bytes),
        }
    }

    /// Ends the link.
    pub(super) fn end(self) -> Digest {
        self.0.finalize().into()
    }
}

/// The digest of one part of the state, which the commit `seq` wrote.
pub(super) fn of_part(seq: i64, json: &str) -> Digest {
    let mut part = Sha256::new_with_prefix(seq.to_be_bytes());
    part.update(json);
    part.finalize().into()
}

/// The digest of all parts of the state, each by its own.
pub(super) fn of_parts(parts: &BTreeMap<String, Digest>) -> Digest {
    let mut all = Sha256::new();
    for (name, digest) in parts {
        all.update((name.len() as u64).to_be_bytes());
        all.update(name);
        all.update(digest);
    }
    all.finalize().into()
}
