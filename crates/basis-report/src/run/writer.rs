//! The tables of steps, written on a thread of their own while the run goes on.
//!
//! A run that fails leaves its directory too, up to the failure and with the failure in its summary; one
//! whose directory cannot be written leaves none.
//!
//! **Invariants.** The bytes do not depend on how the steps are cut into chunks. At most eight chunks
//! wait for the thread; the run waits when it is faster than the disk.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread::JoinHandle;

use basis_core::error::{Code, ComponentError};
use basis_core::types::{Asset, Timestamp};
use basis_engine::result::{RunResult, Stopped};
use basis_engine::{StepChunk, StepSink};
use serde_json::Value as Json;

use super::OutputContext;
use super::daily_nav::{DAILY_NAV, DailyNav};
use super::events;
use super::risk::{RISK, Risk};
use super::summary::{failed_summary, summary};
use super::tables::{self, EXECUTIONS, Equity, LEDGER, POSITIONS, Positions, equity_columns};
use crate::directory::{self, Partial, WrittenFile, write_file};
use crate::report::{self, RunReport};
use crate::table::csv::Table;
#[cfg(feature = "parquet")]
use crate::table::parquet::ParquetTable;
use crate::table::{Column, Format, Rows};

/// Chunks that wait to be written.
const WAITING_MAX: usize = 8;

/// `equity`, `daily_nav`, `positions` and `risk` in one format.
#[derive(Debug)]
struct StepTables<T> {
    equity: Equity<T>,
    daily_nav: DailyNav<T>,
    positions: Positions<T>,
    risk: Risk<T>,
    ending: &'static str,
}

impl<T: Rows> StepTables<T> {
    fn create(
        ending: &'static str,
        (share_class, from): (Asset, Timestamp),
        table: impl Fn(&str, &[Column<'_>]) -> Result<T, ComponentError>,
    ) -> Result<Self, ComponentError> {
        let equity = table(&format!("equity.{ending}"), &equity_columns())?;
        let daily_nav = table(&format!("daily_nav.{ending}"), &DAILY_NAV)?;
        let positions = table(&format!("positions.{ending}"), &POSITIONS)?;
        let risk = table(&format!("risk.{ending}"), &RISK)?;
        Ok(Self {
            equity: Equity::new(equity, share_class),
            daily_nav: DailyNav::new(daily_nav, share_class, from),
            positions: Positions::new(positions, share_class),
            risk: Risk::new(risk),
            ending,
        })
    }

    fn write(&mut self, chunk: &StepChunk) -> Result<(), ComponentError> {
        self.equity.write(&chunk.steps)?;
        self.daily_nav.write(&chunk.steps)?;
        self.positions.write(&chunk.steps, &chunk.ledger)?;
        self.risk.write(&chunk.steps)
    }

    fn finish(self, files: &mut Vec<WrittenFile>) -> Result<(), ComponentError> {
        let ending = self.ending;
        let equity = self.equity.finish()?;
        files.push(WrittenFile::new(format!("equity.{ending}"), equity));
        let daily_nav = self.daily_nav.finish()?;
        files.push(WrittenFile::new(format!("daily_nav.{ending}"), daily_nav));
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
    csv: StepTables<Table<File>>,
    #[cfg(feature = "parquet")]
    parquet: Option<StepTables<ParquetTable<File>>>,
}

impl Formats {
    fn create(
        directory: &Path,
        run: (Asset, Timestamp),
        #[cfg_attr(
            not(feature = "parquet"),
            expect(unused_variables, reason = "CSV is always written")
        )]
        format: Format,
    ) -> Result<Self, ComponentError> {
        Ok(Self {
            csv: StepTables::create("csv", run, |name, columns| {
                Table::with_header(directory, name, columns)
            })?,
            #[cfg(feature = "parquet")]
            parquet: (format == Format::Parquet)
                .then(|| {
                    StepTables::create("parquet", run, |name, columns| {
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
    /// the run, and `from` its exclusive start.
    ///
    /// # Errors
    /// `EVT-001` when `out` cannot be used, `EVT-002` when a file cannot be made.
    pub fn create(
        out: &Path,
        (share_class, from): (Asset, Timestamp),
        format: Format,
    ) -> Result<Self, ComponentError> {
        format.check()?;
        let partial = Partial::create(out)?;
        let tables = Formats::create(&partial.path, (share_class, from), format)?;
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
        self,
        result: &RunResult,
        context: &OutputContext,
    ) -> Result<WriteReport, ComponentError> {
        self.complete(result, context, |context| summary(result, context))
    }

    /// Writes what came of a run that failed, with the failure in its summary, and moves the directory to
    /// its place.
    ///
    /// # Errors
    /// As [`RunWriter::finish`]; also when it was this writer that failed the run.
    pub fn finish_failed(
        self,
        stopped: &Stopped,
        context: &OutputContext,
    ) -> Result<WriteReport, ComponentError> {
        self.complete(&stopped.result, context, |context| {
            failed_summary(stopped, context)
        })
    }

    fn complete(
        mut self,
        result: &RunResult,
        context: &OutputContext,
        summary: impl Fn(&OutputContext) -> Json,
    ) -> Result<WriteReport, ComponentError> {
        let started = Stopwatch::start();
        let others = write_tables(&self.partial.path, result, context, self.format);
        let mut files = self.steps.join()?;
        files.extend(others?);
        complete(self.partial, files, summary, context, started)
    }
}

impl StepSink for RunWriter {
    fn take(&mut self, chunk: StepChunk) -> Result<(), ComponentError> {
        let chunks = self.steps.chunks.as_ref();
        if chunks.is_some_and(|chunks| chunks.send(chunk).is_ok()) {
            return Ok(());
        }
        // The thread has ended before its time: only an error ends it.
        let files = self.steps.join()?;
        let message = format!("its tables ended early, after {} files", files.len());
        Err(ComponentError::new(Code::OutputFailed, message))
    }
}

impl StepWriter {
    /// Waits for the tables of steps.
    fn join(&mut self) -> Written {
        drop(self.chunks.take());
        let Some(thread) = self.thread.take() else {
            let message = "the run directory cannot be finished: its tables failed before";
            return Err(ComponentError::new(Code::OutputFailed, message));
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

/// What was written.
#[derive(Clone, Debug, PartialEq)]
pub struct WriteReport {
    /// Where.
    pub directory: PathBuf,
    /// The files, sorted by name.
    pub files: Vec<WrittenFile>,
    /// Time taken, milliseconds.
    pub write_ms: f64,
}

/// Writes every file of a run that holds its steps to `out`, which must not exist or be empty.
///
/// # Errors
/// `EVT-001` when `out` cannot be used, `EVT-002` when writing fails half-way (nothing is left
/// then), `POS-002` when a worth leaves the range of exact arithmetic.
pub fn write_run(
    out: &Path,
    result: &RunResult,
    context: &OutputContext,
) -> Result<WriteReport, ComponentError> {
    let mut writer = RunWriter::create(out, (result.share_class, result.range.0), Format::Csv)?;
    writer.take(StepChunk {
        steps: result.steps.clone(),
        ledger: result.ledger.clone(),
    })?;
    writer.finish(result, context)
}

/// Time taken, for the report of the writing itself; it decides nothing.
#[derive(Clone, Copy, Debug)]
struct Stopwatch(std::time::Instant);

impl Stopwatch {
    #[expect(
        clippy::disallowed_methods,
        reason = "measures the writing itself; the number is reported and decides nothing"
    )]
    fn start() -> Self {
        Self(std::time::Instant::now())
    }

    fn elapsed_ms(self) -> f64 {
        self.0.elapsed().as_secs_f64() * 1_000.0
    }
}

/// Writes what follows from the tables and from the result as a whole, and moves the directory to
/// its place.
fn complete(
    mut partial: Partial,
    mut files: Vec<WrittenFile>,
    summary: impl Fn(&OutputContext) -> Json,
    context: &OutputContext,
    started: Stopwatch,
) -> Result<WriteReport, ComponentError> {
    files.push(write_file(
        &partial.path,
        "config.yaml",
        context.config_yaml.as_bytes(),
    )?);
    let report = RunReport::with_summary(&partial.path, &summary(context))?;
    files.push(write_file(
        &partial.path,
        report::FILE_NAME,
        report.page().as_bytes(),
    )?);
    let mut context = context.clone();
    let write_ms = started.elapsed_ms();
    context.timing.write_ms = Some(write_ms);
    let text = format!("{:#}\n", summary(&context));
    files.push(write_file(&partial.path, "summary.json", text.as_bytes())?);
    files.sort_by(|a, b| a.name.cmp(&b.name));
    let directory = partial.move_to_target()?;
    Ok(WriteReport {
        directory,
        files,
        write_ms,
    })
}

/// The tables that have no row per step, and the events.
fn write_tables(
    directory: &Path,
    result: &RunResult,
    context: &OutputContext,
    #[cfg_attr(
        not(feature = "parquet"),
        expect(unused_variables, reason = "CSV is always written")
    )]
    format: Format,
) -> Result<Vec<WrittenFile>, ComponentError> {
    let table = |name, columns: &[_]| Table::with_header(directory, name, columns);
    let executions = table("executions.csv", &EXECUTIONS)?;
    let executions = tables::executions(executions, &result.executions, &result.ledger)?;
    let ledger = tables::ledger(table("ledger.csv", &LEDGER)?, &result.ledger)?;
    let mut files = vec![
        WrittenFile::new("executions.csv", executions),
        WrittenFile::new("ledger.csv", ledger),
    ];
    #[cfg(feature = "parquet")]
    if format == Format::Parquet {
        let table = |name, columns: &[_]| ParquetTable::create(directory, name, columns);
        let executions = table("executions.parquet", &EXECUTIONS)?;
        let executions = tables::executions(executions, &result.executions, &result.ledger)?;
        let ledger = tables::ledger(table("ledger.parquet", &LEDGER)?, &result.ledger)?;
        files.push(WrittenFile::new("executions.parquet", executions));
        files.push(WrittenFile::new("ledger.parquet", ledger));
    }
    files.extend(events::write(directory, &result.events, context.run_id)?);
    Ok(files)
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::super::sample;
    use super::*;
    use crate::directory::check_out_dir;
    use crate::directory::tests::Scratch;

    #[test]
    fn a_run_is_written_whole_and_leaves_nothing_beside_it() {
        let scratch = Scratch::new("whole");
        let out = scratch.path.join("deep/run");
        check_out_dir(&out).unwrap();
        assert!(!out.exists());
        let report = write_run(&out, &sample::result(), &sample::context()).unwrap();
        let names: Vec<_> = report.files.iter().map(|file| file.name.as_str()).collect();
        assert_eq!(
            names,
            [
                "config.yaml",
                "daily_nav.csv",
                "equity.csv",
                "events/engine_events.jsonl",
                "events/execution_interface_factory_events.jsonl",
                "executions.csv",
                "ledger.csv",
                "positions.csv",
                "report.html",
                "risk.csv",
                "summary.json",
            ]
        );
        for file in &report.files {
            let size = fs::metadata(out.join(&file.name)).unwrap().len();
            assert_eq!(size, file.bytes, "{}", file.name);
        }
        let deep = Scratch {
            path: scratch.path.join("deep"),
        };
        assert_eq!(deep.entries(), ["run"]);
    }

    #[test]
    fn an_empty_directory_may_be_given_and_a_used_one_may_not() {
        let scratch = Scratch::new("used");
        let out = scratch.path.join("run");
        fs::create_dir(&out).unwrap();
        write_run(&out, &sample::result(), &sample::context()).unwrap();
        for e in [
            check_out_dir(&out).unwrap_err(),
            write_run(&out, &sample::result(), &sample::context()).unwrap_err(),
        ] {
            assert_eq!(e.code, Code::OutputUnusable);
            assert!(e.message.contains("run: it exists and is not empty"), "{e}");
        }
    }

    #[test]
    fn a_failure_half_way_leaves_nothing() {
        let scratch = Scratch::new("fails");
        let mut result = sample::result();
        // A worth beyond the range of exact arithmetic stops the tables.
        for column in &mut result.steps.prices {
            column
                .mark
                .fill(basis_core::num::Price::literal("100000000000000000000"));
        }
        if let Some(line) = result.ledger.get_mut(2) {
            line.units = basis_core::num::Quantity::literal("100");
        }
        let e = write_run(&scratch.path.join("run"), &result, &sample::context()).unwrap_err();
        assert_eq!(e.code, Code::ArithmeticFailed);
        assert_eq!(scratch.entries(), Vec::<String>::new());
    }

    #[test]
    fn what_a_killed_run_left_under_the_same_process_id_is_cleared() {
        let scratch = Scratch::new("killed");
        let left = scratch
            .path
            .join(format!("run.partial-{}", std::process::id()));
        fs::create_dir(&left).unwrap();
        fs::write(left.join("equity.csv"), "half").unwrap();
        write_run(
            &scratch.path.join("run"),
            &sample::result(),
            &sample::context(),
        )
        .unwrap();
        assert_eq!(scratch.entries(), ["run"]);
    }
}
