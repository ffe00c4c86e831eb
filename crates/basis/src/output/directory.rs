//! The run directory: written beside its place and moved there whole.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use basis_core::error::{Code, ComponentError};
use basis_engine::result::RunResult;
use basis_engine::{StepChunk, StepSink as _};

use super::csv::Table;
#[cfg(feature = "parquet")]
use super::parquet::ParquetTable;
use super::tables::{EXECUTIONS, LEDGER};
use super::writer::RunWriter;
use super::{Format, OutputContext, events, summary, tables};
use crate::report::{self, RunReport};

/// One file of a run directory.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WrittenFile {
    /// Its path inside the run directory, parts joined by `/`.
    pub name: String,
    /// Its size in bytes.
    pub bytes: u64,
}

impl WrittenFile {
    pub(super) fn new(name: impl Into<String>, bytes: u64) -> Self {
        Self {
            name: name.into(),
            bytes,
        }
    }
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

/// Refuses an output directory that could not be written after the run, before the run.
///
/// Makes the directories above it; the directory itself appears only when a run has been written.
///
/// # Errors
/// `EVT-001` when `out` is a file or not empty, or when its parent cannot be made or written.
pub fn check_out_dir(out: &Path) -> Result<(), ComponentError> {
    let partial = Partial::create(out)?;
    fs::remove_dir(&partial.path).map_err(|e| unusable(&partial.path, &e.to_string()))
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
    let mut writer = RunWriter::create(out, result.share_class, Format::Csv)?;
    writer.take(StepChunk {
        steps: result.steps.clone(),
        ledger: result.ledger.clone(),
    })?;
    writer.finish(result, context)
}

/// Writes `files`, each a name and its text, to `out`, which must not exist or be empty.
///
/// # Errors
/// As [`write_run`].
pub fn write_files(out: &Path, files: &[(&str, String)]) -> Result<PathBuf, ComponentError> {
    let mut partial = Partial::create(out)?;
    for (name, text) in files {
        write_text(&partial.path, name, text)?;
    }
    partial.move_to_target()
}

/// Time taken, for the report of the writing itself; it decides nothing.
#[derive(Clone, Copy, Debug)]
pub(super) struct Stopwatch(std::time::Instant);

impl Stopwatch {
    #[expect(
        clippy::disallowed_methods,
        reason = "measures the writing itself; the number is reported and decides nothing"
    )]
    pub(super) fn start() -> Self {
        Self(std::time::Instant::now())
    }

    pub(super) fn elapsed_ms(self) -> f64 {
        self.0.elapsed().as_secs_f64() * 1_000.0
    }
}

/// Writes what follows from the tables and from the result as a whole, and moves the directory to
/// its place.
pub(super) fn complete(
    mut partial: Partial,
    mut files: Vec<WrittenFile>,
    result: &RunResult,
    context: &OutputContext,
    started: Stopwatch,
) -> Result<WriteReport, ComponentError> {
    files.push(write_text(
        &partial.path,
        "config.yaml",
        &context.config_yaml,
    )?);
    let summary_now = summary::summary(result, context);
    let report = RunReport::with_summary(&partial.path, &summary_now)?;
    files.push(write_text(
        &partial.path,
        report::FILE_NAME,
        &report.page(),
    )?);
    let mut context = context.clone();
    let write_ms = started.elapsed_ms();
    context.timing.write_ms = Some(write_ms);
    let text = format!("{:#}\n", summary::summary(result, &context));
    files.push(write_text(&partial.path, "summary.json", &text)?);
    files.sort_by(|a, b| a.name.cmp(&b.name));
    let directory = partial.move_to_target()?;
    Ok(WriteReport {
        directory,
        files,
        write_ms,
    })
}

/// The tables that have no row per step, and the events.
pub(super) fn write_tables(
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

fn write_text(directory: &Path, name: &str, text: &str) -> Result<WrittenFile, ComponentError> {
    let path = directory.join(name);
    fs::write(&path, text).map_err(|e| failed(&path, &e))?;
    Ok(WrittenFile::new(name, text.len() as u64))
}

/// `EVT-002`: writing `path` failed.
pub(super) fn failed(path: &Path, e: &io::Error) -> ComponentError {
    ComponentError::new(
        Code::OutputFailed,
        format!("cannot write {}: {e}", path.display()),
    )
}

fn unusable(path: &Path, why: &str) -> ComponentError {
    ComponentError::new(
        Code::OutputUnusable,
        format!("cannot use the output directory {}: {why}", path.display()),
    )
}

/// The place a run will have, links followed, when it is free.
fn resolve(out: &Path) -> Result<PathBuf, ComponentError> {
    let refuse = |e: io::Error| unusable(out, &e.to_string());
    match fs::metadata(out) {
        Ok(found) if !found.is_dir() => return Err(unusable(out, "it is a file")),
        Ok(_) => {
            if fs::read_dir(out).map_err(refuse)?.next().is_some() {
                return Err(unusable(
                    out,
                    "it exists and is not empty; name a new directory, or empty it",
                ));
            }
            return fs::canonicalize(out).map_err(refuse);
        }
        Err(e) if e.kind() == io::ErrorKind::NotFound => {}
        Err(e) => return Err(refuse(e)),
    }
    let Some(name) = out.file_name() else {
        return Err(unusable(out, "it has no name of its own"));
    };
    let parent = match out.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    };
    fs::create_dir_all(parent).map_err(refuse)?;
    Ok(fs::canonicalize(parent).map_err(refuse)?.join(name))
}

/// The directory beside the target that is written first; removed unless it was moved.
#[derive(Debug)]
pub(super) struct Partial {
    pub(super) path: PathBuf,
    target: PathBuf,
}

impl Partial {
    /// Beside `out`, which must not exist or be empty.
    pub(super) fn create(out: &Path) -> Result<Self, ComponentError> {
        let target = resolve(out)?;
        let mut name = target.file_name().unwrap_or_default().to_owned();
        name.push(format!(".partial-{}", std::process::id()));
        let path = target.with_file_name(name);
        // A process id comes back, in containers always: what a killed run left is ours.
        if path.exists() {
            fs::remove_dir_all(&path).map_err(|e| unusable(&target, &e.to_string()))?;
        }
        fs::create_dir(&path).map_err(|e| unusable(&target, &e.to_string()))?;
        Ok(Self { path, target })
    }

    fn move_to_target(&mut self) -> Result<PathBuf, ComponentError> {
        let target = &self.target;
        // Renaming over an empty directory is not portable; removing an empty one is.
        match fs::remove_dir(target) {
            Err(e) if e.kind() != io::ErrorKind::NotFound => return Err(failed(target, &e)),
            Ok(()) | Err(_) => {}
        }
        fs::rename(&self.path, target).map_err(|e| failed(target, &e))?;
        Ok(target.clone())
    }
}

impl Drop for Partial {
    fn drop(&mut self) {
        // After the move there is nothing here any more; a failure to clean up has no one to tell.
        drop(fs::remove_dir_all(&self.path));
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::super::sample;
    use super::*;

    /// A directory of one test, removed when it ends.
    pub(in super::super) struct Scratch {
        pub(in super::super) path: PathBuf,
    }

    impl Scratch {
        pub(in super::super) fn new(name: &str) -> Self {
            let path =
                std::env::temp_dir().join(format!("basis-output-{}-{name}", std::process::id()));
            drop(fs::remove_dir_all(&path));
            fs::create_dir_all(&path).unwrap();
            Self { path }
        }

        fn entries(&self) -> Vec<String> {
            let mut names: Vec<_> = fs::read_dir(&self.path)
                .unwrap()
                .map(|entry| entry.unwrap().file_name().into_string().unwrap())
                .collect();
            names.sort();
            names
        }
    }

    impl Drop for Scratch {
        fn drop(&mut self) {
            drop(fs::remove_dir_all(&self.path));
        }
    }

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
    fn a_file_or_an_unmakeable_place_is_refused_by_name() {
        let scratch = Scratch::new("file");
        let file = scratch.path.join("file");
        fs::write(&file, "x").unwrap();
        let e = check_out_dir(&file).unwrap_err();
        assert!(e.message.contains("file: it is a file"), "{e}");
        let e = check_out_dir(&file.join("below")).unwrap_err();
        assert_eq!(e.code, Code::OutputUnusable);
        assert!(e.message.contains("below"), "{e}");
        assert!(check_out_dir(Path::new("/")).is_err());
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
