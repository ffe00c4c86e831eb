//! The rows that have been read, series by series, with the line that each came from.

use std::collections::BTreeMap;

use basis_core::types::{Span, Timestamp};

use super::kind::Kind;

/// The file of a part and the line, or the row of a JSON list, counted from 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct From {
    pub(super) part: u32,
    pub(super) line: u32,
}

/// Which series.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Key {
    pub(super) kind: Kind,
    pub(super) venue: String,
    pub(super) symbol: String,
}

/// The rows of one series, in the order they were read.
#[derive(Debug)]
pub(super) struct Table {
    /// Values in a row.
    pub(super) width: usize,
    /// Whether its indices have to be made of its rates; all of its files are alike in this.
    pub(super) accrues: bool,
    /// The time between two rows, where a name or a flag said it.
    pub(super) every: Option<Span>,
    pub(super) at: Vec<Timestamp>,
    pub(super) cells: Vec<i128>,
    pub(super) from: Vec<From>,
}

impl Table {
    pub(super) fn row(&self, at: usize) -> &[i128] {
        let start = at.saturating_mul(self.width);
        let end = start.saturating_add(self.width);
        self.cells.get(start..end).unwrap_or_default()
    }
}

/// All series of an import.
#[derive(Debug, Default)]
pub(super) struct Tables {
    keys: BTreeMap<Key, usize>,
    tables: Vec<Table>,
}

impl Tables {
    /// The table of `key`, by number.
    ///
    /// # Errors
    /// Another file of the same series has another interval, or indices where this one has none.
    pub(super) fn open(
        &mut self,
        key: &Key,
        every: Option<Span>,
        accrues: bool,
    ) -> Result<usize, String> {
        let at = match self.keys.get(key) {
            Some(at) => *at,
            None => {
                self.tables.push(Table {
                    width: key.kind.columns().len(),
                    accrues,
                    every,
                    at: Vec::new(),
                    cells: Vec::new(),
                    from: Vec::new(),
                });
                let at = self.tables.len().saturating_sub(1);
                self.keys.insert(key.clone(), at);
                at
            }
        };
        if self
            .get_mut(at)
            .is_some_and(|table| table.accrues != accrues)
        {
            return Err(format!(
                "is a chart of yields or indices of the contract, and another file of {} {} is the other: import one",
                key.kind.as_str(),
                key.symbol
            ));
        }
        if let (Some(table), Some(every)) = (self.tables.get_mut(at), every) {
            match table.every {
                Some(known) if known != every => {
                    return Err(format!(
                        "has rows every {every}, another file of {} {} every {known}; import one \
                         interval at a time",
                        key.kind.as_str(),
                        key.symbol
                    ));
                }
                _ => table.every = Some(every),
            }
        }
        Ok(at)
    }

    pub(super) fn get_mut(&mut self, at: usize) -> Option<&mut Table> {
        self.tables.get_mut(at)
    }

    /// The series in order, each with its rows.
    pub(super) fn into_series(self) -> Vec<(Key, Table)> {
        let mut tables: Vec<_> = self.tables.into_iter().map(Some).collect();
        let keys = self.keys.into_iter();
        keys.filter_map(|(key, at)| Some((key, tables.get_mut(at)?.take()?)))
            .collect()
    }
}

/// What was done to rows on the way, to be listed.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Tally {
    /// Numbers rounded, and the instants moved to the full hour, with the most they moved.
    pub(super) rounded: u64,
    pub(super) moved: u64,
    pub(super) moved_by: Span,
    /// Instants without a time zone.
    pub(super) zone_assumed: u64,
    /// Rows left out: unfinished bars, other instruments.
    pub(super) unconfirmed: u64,
    pub(super) others: u64,
    /// Blocks that are not the first of their hour.
    pub(super) within_hours: u64,
    /// Cells that were binary floats.
    pub(super) floats: u64,
}

impl Tally {
    /// What is to be listed, one sentence each.
    pub(super) fn sentences(&self) -> Vec<String> {
        let mut list = Vec::new();
        let mut say = |count: u64, sentence: String| {
            if count > 0 {
                list.push(sentence);
            }
        };
        say(
            self.rounded,
            format!(
                "{} numbers with more decimals than are kept (18; 27 of lending indices and rates) \
                 were rounded half to even",
                self.rounded
            ),
        );
        say(
            self.floats,
            format!(
                "{} numbers were binary floats and were taken as the shortest decimal that reads \
                 back as the same float",
                self.floats
            ),
        );
        say(
            self.moved,
            format!(
                "{} funding instants within a minute after a full hour were set to that hour; the \
                 most was {}",
                self.moved, self.moved_by
            ),
        );
        say(
            self.zone_assumed,
            format!(
                "{} instants name no time zone and were taken as UTC",
                self.zone_assumed
            ),
        );
        say(
            self.unconfirmed,
            format!("{} unfinished bars were left out", self.unconfirmed),
        );
        say(
            self.others,
            format!("{} rows of other instruments were left out", self.others),
        );
        say(
            self.within_hours,
            format!(
                "{} blocks within their hours were left out: of each hour the first block is kept",
                self.within_hours
            ),
        );
        list
    }
}
