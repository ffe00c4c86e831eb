//! The tables of steps, written on a thread of their own while the run goes on.
//!
//! **Invariants.** The bytes do not depend on how the steps are cut into chunks. At most eight chunks
//! wait for the thread; the run waits when it is faster than the disk.

use std::path::Path;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread::JoinHandle;

use basis_core::error::{Code, ComponentError};
use basis_core::types::Asset;
use basis_engine::result::RunResult;
use basis_engine::{StepChunk, StepSink};

use super::csv::Table;
use super::directory::{self, Partial, Stopwatch, WriteReport, WrittenFile};
#[cfg(feature = "parquet")]
use super::parquet::ParquetTable;
use super::risk::{RISK, Risk};
use super::rows::{Column, Rows};
use super::tables::{Equity, POSITIONS, Positions, equity_columns};
use super::{Format, OutputContext};

/// Chunks that wait to be written.
const WAITING_MAX: usize = 8;

/// `equity`, `positions` and `risk` in one format.
#[derive(Debug)]
struct StepTables<T> {
    equity: Equity<T>,
    positions: Positions<T>,
    risk: Risk<T>,
    ending: &'static str,
}

impl<T: Rows> StepTables<T> {
    fn create(
        ending: &'static str,
        share_class: Asset,
        table: impl Fn(&str, &[Column]) -> Result<T, ComponentError>,
    ) -> Result<Self, ComponentError> {
        let equity = table(&format!("equity.{ending}"), &equity_columns())?;
        let positions = table(&format!("positions.{ending}"), &POSITIONS)?;
        let risk = table(&format!("risk.{ending}"), &RISK)?;
        Ok(Self {
            equity: Equity::new(equity, share_class),
            positions: Positions::new(positions, share_class),
            risk: Risk::new(risk),
            ending,
        })
    }

    fn write(&mut self, chunk: &StepChunk) -> Result<(), ComponentError> {
        self.equity.write(&chunk.steps)?;
        self.positions.write(&chunk.steps, &chunk.ledger)?;
        self.risk.write(&chunk.steps)
    }

    fn finish(self, files: &mut Vec<WrittenFile>) -> Result<(), ComponentError> {
        let ending = self.ending;
        let equity = self.equity.finish()?;
        files.push(WrittenFile::new(format!("equity.{ending}"), equity));
        let positions = self.positions.finish()?;
        files.push(WrittenFile::new(format!("positions.{ending}"), positions));
        let risk = self.risk.finish()?;
        files.push(WrittenFile::new(format!("risk.{ending}"), risk));
        Ok(())
    }
}

/// The tables of steps in every format asked for.
#[derive(Debug)]
struct Formats {
    csv: StepTables<Table>,
    #[cfg(feature = "parquet")]
    parquet: Option<StepTables<ParquetTable>>,
}

impl Formats {
    fn create(
        directory: &Path,
        share_class: Asset,
        #[cfg_attr(
            not(feature = "parquet"),
            expect(unused_variables, reason = "CSV is always written")
        )]
        format: Format,
    ) -> Result<Self, ComponentError> {
        Ok(Self {
            csv: StepTables::create("csv", share_class, |name, columns| {
                Table::with_header(directory, name, columns)
            })?,
            #[cfg(feature = "parquet")]
            parquet: (format == Format::Parquet)
                .then(|| {
                    StepTables::create("parquet", share_class, |name, columns| {
                        ParquetTable::create(directory, name, columns)
                    })
                })
                .transpose()?,
        })
    }

    fn write(&mut self, chunk: &StepChunk) -> Result<(), ComponentError> {
        self.csv.write(chunk)?;
        #[cfg(feature = "parquet")]
        if let Some(tables) = &mut self.parquet {
            tables.write(chunk)?;
        }
        Ok(())
    }

    fn finish(self) -> Written {
        let mut files = Vec::new();
        self.csv.finish(&mut files)?;
        #[cfg(feature = "parquet")]
        if let Some(tables) = self.parquet {
            tables.finish(&mut files)?;
        }
        Ok(files)
    }
}

type Written = Result<Vec<WrittenFile>, ComponentError>;

/// A run directory being written. Dropped before [`RunWriter::finish`], it leaves nothing.
#[derive(Debug)]
pub struct RunWriter {
    steps: StepWriter,
    partial: Partial,
    format: Format,
}

/// The thread and the way to it.
#[derive(Debug)]
struct StepWriter {
    chunks: Option<SyncSender<StepChunk>>,
    thread: Option<JoinHandle<Written>>,
}

impl RunWriter {
    /// Begins a run directory at `out`, which must not exist or be empty. `share_class` is that of
    /// the run.
    ///
    /// # Errors
    /// `EVT-001` when `out` cannot be used, `EVT-002` when a file cannot be made.
    pub fn create(out: &Path, share_class: Asset, format: Format) -> Result<Self, ComponentError> {
        format.check()?;
        let partial = Partial::create(out)?;
        let tables = Formats::create(&partial.path, share_class, format)?;
        let (chunks, waiting) = sync_channel(WAITING_MAX);
        let thread = std::thread::Builder::new()
            .name("basis-writer".to_owned())
            .spawn(move || write_all(tables, &waiting))
            .map_err(|e| directory::failed(&partial.path, &e))?;
        let steps = StepWriter {
            chunks: Some(chunks),
            thread: Some(thread),
        };
        Ok(Self {
            steps,
            partial,
            format,
        })
    }

    /// Writes everything else and moves the directory to its place.
    ///
    /// # Errors
    /// `EVT-002` when writing fails (nothing is left then), `POS-002` when a worth leaves the range
    /// of exact arithmetic.
    pub fn finish(
        mut self,
        result: &RunResult,
        context: &OutputContext,
    ) -> Result<WriteReport, ComponentError> {
        let started = Stopwatch::start();
        let others = directory::write_tables(&self.partial.path, result, context, self.format);
        let mut files = self.steps.join()?;
        files.extend(others?);
        directory::complete(self.partial, files, result, context, started)
    }
}

impl StepSink for RunWriter {
    fn take(&mut self, chunk: StepChunk) -> Result<(), ComponentError> {
        let chunks = self.steps.chunks.as_ref();
        if chunks.is_some_and(|chunks| chunks.send(chunk).is_ok()) {
            return Ok(());
        }
        // The thread has ended before its time: only an error ends it.
        self.steps.join()?;
        let message = "the run directory was already finished";
        Err(ComponentError::new(Code::OutputFailed, message))
    }
}

impl StepWriter {
    /// Waits for the tables of steps.
    fn join(&mut self) -> Written {
        drop(self.chunks.take());
        let Some(thread) = self.thread.take() else {
            return Ok(Vec::new());
        };
        thread
            .join()
            .unwrap_or_else(|panic| std::panic::resume_unwind(panic))
    }
}

impl Drop for StepWriter {
    fn drop(&mut self) {
        drop(self.chunks.take());
        if let Some(thread) = self.thread.take() {
            // A run that failed has its own error; the files go with the directory.
            drop(thread.join());
        }
    }
}

fn write_all(mut tables: Formats, waiting: &Receiver<StepChunk>) -> Written {
    for chunk in waiting {
        tables.write(&chunk)?;
    }
    tables.finish()
}
