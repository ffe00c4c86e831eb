//! The tables of steps, written on a thread of their own while the run goes on.
//!
//! **Invariants.** The bytes do not depend on how the steps are cut into chunks. At most two chunks
//! wait for the thread; the run waits when it is faster than the disk.

use std::path::Path;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread::JoinHandle;

use basis_core::error::{Code, ComponentError};
use basis_core::types::Asset;
use basis_engine::result::RunResult;
use basis_engine::{StepChunk, StepSink};

use super::OutputContext;
use super::csv::Table;
use super::directory::{self, Partial, Stopwatch, WriteReport, WrittenFile};
use super::tables::{Equity, POSITIONS, Positions, equity_columns};

/// Chunks that wait to be written.
const WAITING_MAX: usize = 2;

/// `equity` and `positions` in every format asked for.
#[derive(Debug)]
struct StepTables {
    equity: Equity<Table>,
    positions: Positions<Table>,
}

impl StepTables {
    fn create(directory: &Path, share_class: Asset) -> Result<Self, ComponentError> {
        let table = |name, columns: &[_]| Table::with_header(directory, name, columns);
        Ok(Self {
            equity: Equity::new(table("equity.csv", &equity_columns())?, share_class),
            positions: Positions::new(table("positions.csv", &POSITIONS)?, share_class),
        })
    }

    fn write(&mut self, chunk: &StepChunk) -> Result<(), ComponentError> {
        self.equity.write(&chunk.steps)?;
        self.positions.write(&chunk.steps, &chunk.ledger)
    }

    fn finish(self) -> Result<Vec<WrittenFile>, ComponentError> {
        Ok(vec![
            WrittenFile::new("equity.csv", self.equity.finish()?),
            WrittenFile::new("positions.csv", self.positions.finish()?),
        ])
    }
}

type Written = Result<Vec<WrittenFile>, ComponentError>;

/// A run directory being written. Dropped before [`RunWriter::finish`], it leaves nothing.
#[derive(Debug)]
pub struct RunWriter {
    steps: StepWriter,
    partial: Partial,
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
    pub fn create(out: &Path, share_class: Asset) -> Result<Self, ComponentError> {
        let partial = Partial::create(out)?;
        let tables = StepTables::create(&partial.path, share_class)?;
        let (chunks, waiting) = sync_channel(WAITING_MAX);
        let thread = std::thread::Builder::new()
            .name("basis-writer".to_owned())
            .spawn(move || write_all(tables, &waiting))
            .map_err(|e| directory::failed(&partial.path, &e))?;
        let steps = StepWriter {
            chunks: Some(chunks),
            thread: Some(thread),
        };
        Ok(Self { steps, partial })
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
        let others = directory::write_tables(&self.partial.path, result, context);
        let mut files = self.steps.join()?;
        files.extend(others?);
        directory::complete(self.partial, files, result, context, started)
    }
}

impl StepSink for RunWriter {
    fn take(&mut self, chunk: StepChunk) -> Result<(), ComponentError> {
        let sent = self.steps.chunks.as_ref().map(|chunks| chunks.send(chunk));
        if let Some(Ok(())) = sent {
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

fn write_all(mut tables: StepTables, waiting: &Receiver<StepChunk>) -> Written {
    for chunk in waiting {
        tables.write(&chunk)?;
    }
    tables.finish()
}
