//! Reading a journal file, one commit at a time.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use basis_core::error::ComponentError;
use basis_core::journal::{
    Commit, Content, JournalError, JournalHead, OutboxEntry, Start, StatePart,
};
use basis_core::ledger::LedgerEntry;
use basis_core::types::InstructionId;
use basis_core::venue_event::EventKey;
use rusqlite::types::ValueRef;
use rusqlite::{Connection, Row, Rows, Statement};

use super::cell::{self, CellError};
use super::decode;
use super::digest::{self, Digest, NOTHING};
use super::encode::{Sequences, Tail};
use super::error::{damaged, storage};
use super::line::LineReader;
use super::schema::{self, Table};

/// Ledger lines as [`LineReader`] takes them.
pub(super) const LINES: &str = "SELECT line, cause, at, account, item, quantity, units, value, kind, \
                                instruction, reference_price FROM ledger ORDER BY seq";

/// Reads through a connection.
#[derive(Clone, Copy, Debug)]
pub(super) struct Reading<'a> {
    path: &'a Path,
    connection: &'a Connection,
}

impl<'a> Reading<'a> {
    pub(super) const fn new(path: &'a Path, connection: &'a Connection) -> Self {
        Self { path, connection }
    }

    pub(super) const fn path(&self) -> &'a Path {
        self.path
    }

    pub(super) fn head(&self) -> Result<JournalHead, JournalError> {
        let mut statement = self.prepare(schema::HEAD.select)?;
        let mut rows = self.rows(&mut statement)?;
        let row = self.next(&mut rows)?;
        let row = row.ok_or_else(|| self.damaged("it has no head"))?;
        let [_, book, mode, config, config_hash, _] = self.cells(row)?;
        let text = |column, cell| self.readable(cell::text(column, cell)).map(str::to_owned);
        Ok(JournalHead {
            book: text("book", book)?,
            mode: text("mode", mode)?,
            config: text("config", config)?,
            config_hash: text("config_hash", config_hash)?,
        })
    }

    pub(super) fn starts(&self) -> Result<Vec<Start>, JournalError> {
        let mut statement = self.prepare(schema::STARTS.select)?;
        let mut rows = self.rows(&mut statement)?;
        let mut starts = Vec::new();
        while let Some(row) = self.next(&mut rows)? {
            starts.push(self.readable(decode::start(&self.cells(row)?))?);
        }
        Ok(starts)
    }

    /// The parts of the state, which are those that the last commit left.
    pub(super) fn state(&self) -> Result<Vec<StatePart>, JournalError> {
        let mut statement = self.prepare("SELECT name, json FROM state ORDER BY name")?;
        let mut rows = self.rows(&mut statement)?;
        let mut parts = Vec::new();
        while let Some(row) = self.next(&mut rows)? {
            let [name, json] = self.cells(row)?;
            parts.push(StatePart {
                name: self.readable(cell::text("name", name))?.to_owned(),
                json: self.readable(cell::text("json", json))?.to_owned(),
            });
        }
        Ok(parts)
    }

    /// The digests of the parts of the state.
    pub(super) fn parts(&self) -> Result<BTreeMap<String, Digest>, JournalError> {
        let mut statement = self.prepare("SELECT name, commit_seq, json FROM state")?;
        let mut rows = self.rows(&mut statement)?;
        let mut parts = BTreeMap::new();
        while let Some(row) = self.next(&mut rows)? {
            let [name, seq, json] = self.cells(row)?;
            let seq = self.readable(cell::integer("commit_seq", seq))?;
            let json = self.readable(cell::text("json", json))?;
            let name = self.readable(cell::text("name", name))?;
            parts.insert(name.to_owned(), digest::of_part(seq, json));
        }
        Ok(parts)
    }

    /// Where the next commit goes on, and how many starts there are.
    pub(super) fn tail(&self) -> Result<(i64, Tail), JournalError> {
        let parts = self.parts()?;
        let mut digest = self.last_digest("SELECT digest, 0, NULL FROM head")?;
        let start =
            self.last_digest("SELECT digest, commits, seq FROM starts ORDER BY seq DESC LIMIT 1")?;
        let commit =
            self.last_digest("SELECT digest, seq, state FROM commits ORDER BY seq DESC LIMIT 1")?;
        let state = commit.as_ref().and_then(|commit| commit.other.as_deref());
        if commit.is_some() && state != Some(&digest::of_parts(&parts)) {
            return Err(self.damaged("its state is not the one that the last commit left"));
        }
        let after = commit.as_ref().map_or(0, |commit| commit.seq);
        let starts = self.last("starts")?;
        if let Some(commit) = commit {
            digest = Some(commit);
        }
        if let Some(start) = start.filter(|start| start.seq == after) {
            digest = Some(start);
        }
        let last = Sequences {
            commits: after,
            instructions: self.last("instructions")?,
            events: self.last("events")?,
            lines: self.last("ledger")?,
            rows: self.last("rows")?,
        };
        let digest = digest.ok_or_else(|| self.damaged("it has no head"))?.digest;
        Ok((
            starts,
            Tail {
                last,
                digest,
                parts,
            },
        ))
    }

    /// The last entry of the outbox.
    pub(super) fn outbox_tail(&self) -> Result<(i64, Digest), JournalError> {
        let last =
            self.last_digest("SELECT digest, seq, NULL FROM outbox ORDER BY seq DESC LIMIT 1")?;
        Ok(last.map_or((0, NOTHING), |last| (last.seq, last.digest)))
    }

    /// Entries of the outbox in order, of one instruction or of all.
    pub(super) fn outbox(
        &self,
        instruction: Option<InstructionId>,
    ) -> Result<Vec<OutboxEntry>, JournalError> {
        let sql = "SELECT seq, instruction, at, stage, nonce, hash, bytes, digest FROM outbox \
                   WHERE instruction = ? ORDER BY seq";
        let mut statement = match instruction {
            Some(_) => self.prepare(sql)?,
            None => self.prepare(schema::OUTBOX.select)?,
        };
        let rows = match instruction {
            Some(id) => statement.query([id.to_string()]),
            None => statement.query([]),
        };
        let mut rows = rows.map_err(|e| storage(self.path, e))?;
        let mut entries = Vec::new();
        while let Some(row) = self.next(&mut rows)? {
            entries.push(self.readable(decode::outbox_entry(&self.cells(row)?))?);
        }
        Ok(entries)
    }

    pub(super) fn read(
        &self,
        content: Content,
        each: &mut dyn FnMut(Commit) -> Result<(), ComponentError>,
    ) -> Result<(), ComponentError> {
        let mut statements = Statements::new(self)?;
        let mut commits = self.rows(&mut statements.commits)?;
        let mut instructions = self.rows(&mut statements.instructions)?;
        let mut events = self.rows(&mut statements.events)?;
        let mut lines = self.rows(&mut statements.lines)?;
        let mut rows = self.rows(&mut statements.rows)?;
        let mut reader = LineReader::default();
        while let Some(row) = self.next(&mut commits)? {
            let (counts, mut commit) = self.readable(decode::commit(&self.cells(row)?, content))?;
            if content.instructions {
                for _ in 0..counts.instructions {
                    let row = self.due(&mut instructions, &schema::INSTRUCTIONS)?;
                    let open = self.readable(decode::instruction(&self.cells(row)?))?;
                    commit.instructions.push(open);
                }
            }
            if content.events || content.lines {
                for _ in 0..counts.events {
                    let row = self.due(&mut events, &schema::EVENTS)?;
                    let cells = self.cells(row)?;
                    if content.lines {
                        let (count, key) = self.readable(decode::posted(&cells))?;
                        self.lines(
                            &mut lines,
                            count,
                            key.as_ref(),
                            &mut reader,
                            &mut commit.lines,
                        )?;
                    }
                    if content.events {
                        commit.events.push(self.readable(decode::event(&cells))?);
                    }
                }
            }
            if content.rows {
                for _ in 0..counts.rows {
                    let row = self.due(&mut rows, &schema::ROWS)?;
                    commit
                        .rows
                        .push(self.readable(decode::journal_row(&self.cells(row)?))?);
                }
            }
            each(commit)?;
        }
        Ok(())
    }

    /// Reads the next `count` lines, which are of the event with `key`.
    pub(super) fn lines(
        &self,
        rows: &mut Rows<'_>,
        count: u32,
        key: Option<&Arc<EventKey>>,
        reader: &mut LineReader,
        lines: &mut Vec<LedgerEntry>,
    ) -> Result<(), JournalError> {
        for _ in 0..count {
            let row = self.due(rows, &schema::LEDGER)?;
            lines.push(self.readable(reader.line(&self.cells(row)?, key))?);
        }
        Ok(())
    }

    /// The last sequence of a table.
    pub(super) fn last(&self, table: &str) -> Result<i64, JournalError> {
        let sql = format!("SELECT coalesce(max(seq), 0) FROM {table}");
        self.connection
            .query_row(&sql, [], |row| row.get(0))
            .map_err(|e| storage(self.path, e))
    }

    fn last_digest(&self, sql: &str) -> Result<Option<LastDigest>, JournalError> {
        let mut statement = self.prepare(sql)?;
        let mut rows = self.rows(&mut statement)?;
        let Some(row) = rows.next().map_err(|e| storage(self.path, e))? else {
            return Ok(None);
        };
        let [digest, seq, other] = self.cells(row)?;
        Ok(Some(LastDigest {
            digest: self.readable(cell::digest("digest", digest))?,
            seq: self.readable(cell::integer("seq", seq))?,
            other: match other {
                ValueRef::Blob(bytes) => Some(bytes.to_vec()),
                _ => None,
            },
        }))
    }

    pub(super) fn prepare(&self, sql: &str) -> Result<Statement<'a>, JournalError> {
        self.connection
            .prepare(sql)
            .map_err(|e| storage(self.path, e))
    }

    pub(super) fn rows<'s>(
        &self,
        statement: &'s mut Statement<'_>,
    ) -> Result<Rows<'s>, JournalError> {
        statement.query([]).map_err(|e| storage(self.path, e))
    }

    /// As [`Reading::rows`], for a statement with one number to fill in.
    pub(super) fn rows_of<'s>(
        &self,
        statement: &'s mut Statement<'_>,
        number: i64,
    ) -> Result<Rows<'s>, JournalError> {
        statement.query([number]).map_err(|e| storage(self.path, e))
    }

    /// The next row; `None` after the last.
    pub(super) fn next<'r>(
        &self,
        rows: &'r mut Rows<'_>,
    ) -> Result<Option<&'r Row<'r>>, JournalError> {
        rows.next().map_err(|e| storage(self.path, e))
    }

    /// The next row of a table, which a commit or an event says it has.
    fn due<'r>(&self, rows: &'r mut Rows<'_>, table: &Table) -> Result<&'r Row<'r>, JournalError> {
        match rows.next().map_err(|e| storage(self.path, e))? {
            Some(row) => Ok(row),
            None => Err(self.damaged(&format!("rows of `{}` are missing", table.name))),
        }
    }

    /// All cells of a row.
    pub(super) fn cells<'r, const N: usize>(
        &self,
        row: &'r Row<'_>,
    ) -> Result<[ValueRef<'r>; N], JournalError> {
        let mut cells = [ValueRef::Null; N];
        for (at, cell) in cells.iter_mut().enumerate() {
            *cell = row.get_ref(at).map_err(|e| storage(self.path, e))?;
        }
        Ok(cells)
    }

    pub(super) fn readable<T>(&self, read: Result<T, CellError>) -> Result<T, JournalError> {
        read.map_err(|e| self.damaged(&e.to_string()))
    }

    pub(super) fn damaged(&self, problem: &str) -> JournalError {
        damaged(self.path, problem)
    }
}

struct LastDigest {
    digest: Digest,
    seq: i64,
    other: Option<Vec<u8>>,
}

/// One statement per table, all rows in order.
struct Statements<'a> {
    commits: Statement<'a>,
    instructions: Statement<'a>,
    events: Statement<'a>,
    lines: Statement<'a>,
    rows: Statement<'a>,
}

impl<'a> Statements<'a> {
    fn new(reading: &Reading<'a>) -> Result<Self, JournalError> {
        Ok(Self {
            commits: reading.prepare(schema::COMMITS.select)?,
            instructions: reading.prepare(schema::INSTRUCTIONS.select)?,
            events: reading.prepare(schema::EVENTS.select)?,
            lines: reading.prepare(LINES)?,
            rows: reading.prepare(schema::ROWS.select)?,
        })
    }
}
