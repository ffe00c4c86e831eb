//! A journal as tables: what was asked, what was reported, and the ledger.

use std::path::{Path, PathBuf};

use basis_core::error::{Code, ComponentError};
use basis_core::instruction::OpenInstruction;
use basis_core::journal::{Content, JournalReader, TakenEvent};
use basis_core::types::{BookId, ClientOrderId};

use crate::directory::{Partial, WrittenFile};
use crate::run::{LEDGER, ledger_row};
use crate::table::csv::Table;
#[cfg(feature = "parquet")]
use crate::table::parquet::ParquetTable;
use crate::table::{Column, Format, Kind, Rows};

/// The columns of `instructions`.
const INSTRUCTIONS: [Column<'static>; 7] = [
    ("seq", Kind::Count),
    ("instruction_id", Kind::Text),
    ("client_order_id", Kind::Text),
    ("venue", Kind::Text),
    ("submitted_at", Kind::Instant),
    ("operation", Kind::Text),
    ("request", Kind::Text),
];

/// The columns of `events`.
const EVENTS: [Column<'static>; 11] = [
    ("seq", Kind::Count),
    ("venue", Kind::Text),
    ("at", Kind::Instant),
    ("received_at", Kind::Instant),
    ("posted_at", Kind::Instant),
    ("kind", Kind::Text),
    ("key", Kind::Text),
    ("instruction_id", Kind::Text),
    ("ledger_lines", Kind::Count),
    ("event", Kind::Text),
    ("marks", Kind::Text),
];

/// The tables in one format.
#[derive(Debug)]
struct Tables<T> {
    instructions: T,
    events: T,
    ledger: T,
    rows: [u64; 3],
    book: BookId,
    ending: &'static str,
}

impl<T: Rows> Tables<T> {
    fn create(
        (ending, book): (&'static str, BookId),
        table: impl Fn(&str, &[Column<'static>]) -> Result<T, ComponentError>,
    ) -> Result<Self, ComponentError> {
        Ok(Self {
            instructions: table(&format!("instructions.{ending}"), &INSTRUCTIONS)?,
            events: table(&format!("events.{ending}"), &EVENTS)?,
            ledger: table(&format!("ledger.{ending}"), &LEDGER)?,
            rows: [0; 3],
            book,
            ending,
        })
    }

    fn instruction(&mut self, open: &OpenInstruction) -> Result<(), ComponentError> {
        let table = &mut self.instructions;
        let [seq, ..] = &mut self.rows;
        let id = open.instruction.id;
        table.count(*seq);
        table.shown(&id);
        table.shown(&ClientOrderId::derive(self.book, id));
        table.shown(&open.venue);
        table.instant(open.submitted_at);
        table.plain(open.instruction.operation.kind().as_str());
        table.text(&json(&open.instruction.operation)?);
        *seq += 1;
        table.end()
    }

    fn event(&mut self, taken: &TakenEvent) -> Result<(), ComponentError> {
        let table = &mut self.events;
        let [_, seq, _] = &mut self.rows;
        let event = &taken.event;
        table.count(*seq);
        table.shown(&event.venue);
        table.instant(event.at);
        table.instant(event.received_at);
        table.instant(taken.posted_at);
        table.plain(event.kind.as_str());
        match event.key() {
            Some(key) => table.text(&key),
            None => table.blank(1),
        }
        match event.instruction() {
            Some(id) => table.shown(&id),
            None => table.blank(1),
        }
        table.count(taken.lines.into());
        table.text(&json(&event.kind)?);
        table.text(&json(&taken.marks)?);
        *seq += 1;
        table.end()
    }

    fn write_all(mut self, reader: &dyn JournalReader) -> Result<Vec<WrittenFile>, ComponentError> {
        let content = Content {
            instructions: true,
            events: true,
            lines: true,
            ..Content::default()
        };
        reader.read(content, &mut |commit| {
            for open in &commit.instructions {
                self.instruction(open)?;
            }
            for taken in &commit.events {
                self.event(taken)?;
            }
            for line in &commit.lines {
                let [_, _, seq] = &mut self.rows;
                ledger_row(&mut self.ledger, *seq, line)?;
                *seq += 1;
            }
            Ok(())
        })?;
        let ending = self.ending;
        let tables = [
            ("instructions", self.instructions),
            ("events", self.events),
            ("ledger", self.ledger),
        ];
        let mut files = Vec::new();
        for (name, table) in tables {
            files.push(WrittenFile::new(
                format!("{name}.{ending}"),
                table.finish()?,
            ));
        }
        Ok(files)
    }
}

fn json(value: &impl serde::Serialize) -> Result<String, ComponentError> {
    serde_json::to_string(value).map_err(|e| {
        let message = "a row of the journal cannot be written as JSON";
        ComponentError::new(Code::OutputFailed, message).with_source(e)
    })
}

/// Writes the tables of a journal to the directory `out`, which must not exist or be empty.
///
/// # Errors
/// `EVT-001` when `out` cannot be used or this build writes no Parquet, `EVT-002` when writing fails (nothing
/// is left then), `EXEC-006` when the journal cannot be read.
pub fn export(
    out: &Path,
    reader: &dyn JournalReader,
    format: Format,
) -> Result<(PathBuf, Vec<WrittenFile>), ComponentError> {
    format.check()?;
    let book = reader.head()?.book_id()?;
    let mut partial = Partial::create(out)?;
    let csv = Tables::create(("csv", book), |name, columns| {
        Table::with_header(&partial.path, name, columns)
    })?;
    let mut files = csv.write_all(reader)?;
    #[cfg(feature = "parquet")]
    if format == Format::Parquet {
        let tables = Tables::create(("parquet", book), |name, columns| {
            ParquetTable::create(&partial.path, name, columns)
        })?;
        files.extend(tables.write_all(reader)?);
    }
    files.sort_by(|a, b| a.name.cmp(&b.name));
    Ok((partial.move_to_target()?, files))
}
