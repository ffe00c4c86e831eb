//! `basis backtest`: one mode over one range of data.

use std::path::{Path, PathBuf};

use basis_core::error::{Code, ComponentError};
use basis_core::types::RunId;
use basis_core::venue::ExecutionMode;
use basis_engine::{Forget, Progress};
use basis_report::Format;
use basis_report::check_out_dir;
use basis_report::run::{OutputContext, RunWriter, Timing, summary as run_summary};
use cpu_time::ThreadTime;

use super::errors::{Failure, RUN_FAILED};
use super::market::Source;
use super::{RunArguments, Session, progress, report};
use crate::assembly;
use crate::assembly::Setup;
use crate::config::layers::{self, LogLevel};

#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    /// The strategy mode, as `btc_basis`.
    mode: String,
    #[command(flatten)]
    run: RunArguments,
    /// Directory to write the run to; must not exist or be empty. Default: runs/MODE-TIME, and
    /// nothing with --json.
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
    /// What tables are written as: CSV, or CSV and Parquet beside it.
    #[arg(long, value_name = "FORMAT", value_enum, default_value = "csv")]
    format: TableFormat,
}

/// [`Format`] on the command line.
#[derive(Clone, Copy, Debug, clap::ValueEnum)]
pub(super) enum TableFormat {
    Csv,
    Parquet,
}

impl From<TableFormat> for Format {
    fn from(format: TableFormat) -> Self {
        match format {
            TableFormat::Csv => Self::Csv,
            TableFormat::Parquet => Self::Parquet,
        }
    }
}

pub(super) fn run(arguments: &Arguments, session: &Session) -> Result<(), Failure> {
    let source = Source::choose(arguments.run.data.as_deref(), session);
    let request = arguments.run.request(&arguments.mode);
    let resolved = layers::resolve(&request, &session.environment, &session.registry)
        .inspect_err(|_| session.warn_of_environment())?;
    session.level.set(resolved.log_level);
    source.announce(session);
    session.warn_of_environment();
    if resolved.execution_mode == ExecutionMode::Live {
        session.warn("execution_mode is live, but this is `basis backtest`: nothing is traded");
    }
    assembly::check_venues(&resolved.setup, &session.registry)?;
    let format = Format::from(arguments.format);
    format.check()?;
    let started = WallClock::now();
    let out = output_directory(arguments, session, &started)?;
    let (data, setup) = source.prepare(resolved.setup, session.quiet)?;
    let load_ms = started.elapsed_ms();

    let prepared = assembly::prepare(&data, &setup, &session.registry)?;
    for warning in prepared.warnings() {
        session.warn(&warning.to_string());
    }
    for (_, e) in prepared.unavailable() {
        session.warn(&format!("{e} (the mode does not need this venue)"));
    }
    let begin = |out: &PathBuf| RunWriter::create(out, setup.run().share_class, format);
    let mut writer = out.as_ref().map(begin).transpose()?;
    let bar = progress::bar("running", session.quiet);
    let cpu = ThreadTime::now();
    let mut progress = |progress: Progress| {
        bar.set_length(progress.steps);
        bar.set_position(progress.step);
        bar.set_message(progress.at.to_string());
    };
    let result = match &mut writer {
        Some(writer) => prepared.run_into(writer, &mut progress),
        None => prepared.run_into(&mut Forget, &mut progress),
    }
    .map_err(Failure::running)?;
    let run_ms = cpu.elapsed().as_secs_f64() * 1_000.0;
    bar.finish_and_clear();

    for refused in &result.refused_withdrawals {
        session.warn(&format!("{} {refused}", refused.at));
    }
    let timing = Timing {
        load_ms,
        run_ms,
        write_ms: None,
    };
    let mut context = context(&setup, &started, timing);
    if let (Some(writer), Some(out)) = (writer, &out) {
        let written = writer.finish(&result, &context).map_err(Failure::running)?;
        context.timing.write_ms = Some(written.write_ms);
        session.note(LogLevel::Info, &format!("written to {}", out.display()));
    }
    let summary = run_summary(&result, &context);
    if session.json {
        session.print_json(&summary)?;
    } else {
        session.print(&report::human(&summary, out.as_deref()))?;
    }
    result.halted.map_or(Ok(()), |why| Err(halted(why)))
}

/// A run that risk ended is no success, though its result stands. Nothing is to be restarted.
fn halted(why: String) -> Failure {
    Failure {
        error: ComponentError::new(Code::RiskHalted, why),
        exit: RUN_FAILED,
    }
}

/// Where the run goes, checked before anything is reckoned.
fn output_directory(
    arguments: &Arguments,
    session: &Session,
    started: &WallClock,
) -> Result<Option<PathBuf>, ComponentError> {
    let out = match &arguments.out {
        Some(out) => out.clone(),
        None if session.json => return Ok(None),
        None => free_name(&format!("runs/{}-{}", arguments.mode, started.compact())),
    };
    check_out_dir(&out)?;
    Ok(Some(out))
}

/// `name`, or `name-2` and so on when several runs start within a second.
pub(super) fn free_name(name: &str) -> PathBuf {
    let numbered = (2..1_000).map(|number| format!("{name}-{number}"));
    std::iter::once(name.to_owned())
        .chain(numbered)
        .map(PathBuf::from)
        .find(|path| !Path::new(path).exists())
        .unwrap_or_else(|| PathBuf::from(name))
}

fn context(setup: &Setup, started: &WallClock, timing: Timing) -> OutputContext {
    OutputContext {
        config_yaml: setup.config_yaml().to_owned(),
        config_hash: setup.config_hash().to_owned(),
        run_id: started.run_id(),
        timing,
        versions: vec![("basis", env!("CARGO_PKG_VERSION").to_owned())],
    }
}

/// The wall clock: for names of directories and for measuring, never for results.
pub(super) struct WallClock {
    since_epoch: std::time::Duration,
    instant: std::time::Instant,
}

impl WallClock {
    #[expect(
        clippy::disallowed_methods,
        reason = "names the run and measures it; decides nothing"
    )]
    pub(super) fn now() -> Self {
        Self {
            since_epoch: std::time::SystemTime::now()
                .duration_since(std::time::UNIX_EPOCH)
                .unwrap_or_default(),
            instant: std::time::Instant::now(),
        }
    }

    pub(super) fn elapsed_ms(&self) -> f64 {
        self.instant.elapsed().as_secs_f64() * 1_000.0
    }

    /// `20240501T083000Z`.
    pub(super) fn compact(&self) -> String {
        let seconds = i64::try_from(self.since_epoch.as_secs()).unwrap_or(i64::MAX);
        let text = basis_core::types::Timestamp::from_seconds(seconds).to_string();
        text.replace(['-', ':'], "")
    }

    fn run_id(&self) -> RunId {
        let micros = u64::try_from(self.since_epoch.as_micros()).unwrap_or(u64::MAX);
        RunId::from_number(micros ^ (u64::from(std::process::id()) << 20))
    }
}
