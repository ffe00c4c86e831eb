//! `basis backtest`: one mode over one range of data.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use basis_core::error::{Code, ComponentError};
use basis_core::types::{RunId, Timestamp};
use basis_core::venue::ExecutionMode;
use basis_engine::{JournalSync, Progress, Recovery};
use basis_market::MarketData;
use basis_report::Format;
use basis_report::check_out_dir;
use basis_report::run::summary as run_summary;

use super::errors::{Failure, RUN_FAILED};
use super::market::Source;
use super::{RunArguments, Session, progress, report};
use crate::assembly::{self, Backtest, Finished, Setup, Stamp, Unfinished};
use crate::config::layers::{self, LogLevel};
use crate::journal::{self, JournalRequest};

#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    /// The strategy mode, as `btc_basis`. Default: that of --config.
    mode: Option<String>,
    #[command(flatten)]
    run: RunArguments,
    /// Directory to write the run to; must not exist or be empty. Default: runs/MODE-TIME, and
    /// nothing with --json.
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
    /// Names the run in its events and summary: 1 to 8 lower-case letters or digits. Default: from the clock.
    #[arg(long, value_name = "ID", value_parser = parse_run_id)]
    run_id: Option<RunId>,
    /// What tables are written as: CSV, or CSV and Parquet beside it.
    #[arg(long, value_name = "FORMAT", value_enum, default_value = "csv")]
    format: TableFormat,
    /// Keep a journal in this file: everything that is asked is written down before it is sent, so that
    /// the run can be killed at any instant and resumed.
    #[arg(long, value_name = "FILE")]
    journal: Option<PathBuf>,
    /// Go on from the journal, with the command line that began it.
    #[arg(long, requires = "journal")]
    resume: bool,
    /// How often the journal is committed. step: as live, before anything is sent and after it. day:
    /// once a simulated day, which a kill then loses.
    #[arg(
        long,
        value_name = "HOW",
        value_enum,
        default_value = "step",
        requires = "journal"
    )]
    journal_sync: Sync,
}

fn parse_run_id(text: &str) -> Result<RunId, String> {
    RunId::parse(text).ok_or_else(|| "expected 1 to 8 lower-case letters or digits".to_owned())
}

/// [`JournalSync`] on the command line.
#[derive(Clone, Copy, Debug, clap::ValueEnum)]
enum Sync {
    Step,
    Day,
}

impl From<Sync> for JournalSync {
    fn from(sync: Sync) -> Self {
        match sync {
            Sync::Step => Self::Step,
            Sync::Day => Self::Day,
        }
    }
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
    let mode = arguments.run.mode(arguments.mode.as_deref())?;
    let request = arguments.run.request(&mode);
    let resolved = layers::resolve(&request, &session.environment, &session.app)
        .inspect_err(|_| session.warn_of_environment())?;
    session.level.set(resolved.log_level);
    source.announce(session);
    session.warn_of_environment();
    if resolved.execution_mode == ExecutionMode::Live {
        session.warn("execution_mode is live, but this is `basis backtest`: nothing is traded");
    }
    assembly::check_venues(&resolved.setup)?;
    let format = Format::from(arguments.format);
    format.check()?;
    let started = WallClock::now();
    let out = output_directory(arguments, &mode, (session, &started))?;
    let data = source.load(&resolved.setup.data_request()?, session.quiet)?;
    let backtest = prepare(arguments, data, &resolved.setup, session)?;
    let stamp = Stamp {
        run_id: arguments.run_id.unwrap_or_else(|| started.run_id()),
        load_ms: started.elapsed_ms(),
    };
    for warning in backtest.warnings() {
        session.warn(&warning.to_string());
    }
    for (_, e) in backtest.unavailable() {
        session.warn(&format!("{e} (the mode does not need this venue)"));
    }
    let bar = progress::bar("running", session.quiet);
    let mut progress = |progress: Progress| {
        bar.set_length(progress.steps);
        bar.set_position(progress.step);
        bar.set_message(progress.at.to_string());
    };
    let place = out.as_deref().map(|out| (out, format));
    let ran = backtest.run_to(place, stamp, &mut progress);
    bar.finish_and_clear();
    let Finished { result, context } =
        ran.map_err(|unfinished| unfinished_run(unfinished, session))?;

    for refused in &result.refused_withdrawals {
        session.warn(&format!("{} {refused}", refused.at));
    }
    if let Some(out) = &out {
        session.note(LogLevel::Info, &format!("written to {}", out.display()));
    }
    let summary = run_summary(&result, &context);
    if session.json {
        session.print_json(&summary)?;
    } else {
        session.print(&report::human(&summary, out.as_deref()))?;
    }
    if let Some(why) = result.halted {
        return Err(halted(why));
    }
    result
        .never_held
        .map_or(Ok(()), |why| Err(never_held(&why)))
}

/// Makes the run ready, with the journal that was asked for.
fn prepare(
    arguments: &Arguments,
    data: Arc<MarketData>,
    setup: &Setup,
    session: &Session,
) -> Result<Backtest, Failure> {
    let Some(path) = &arguments.journal else {
        return Ok(Backtest::prepare(data, setup)?);
    };
    let request = JournalRequest {
        path,
        resume: arguments.resume,
        sync: arguments.journal_sync.into(),
    };
    let (backtest, recovery) = journal::prepare(data, setup, request)?;
    if arguments.resume {
        session.note(LogLevel::Info, &recovered(&recovery));
    }
    Ok(backtest)
}

/// What was found in a journal, in a sentence.
fn recovered(recovery: &Recovery) -> String {
    let Recovery {
        commits,
        events,
        unanswered,
        in_a_wake,
    } = recovery;
    let place = if *in_a_wake {
        "in the middle of a wake"
    } else {
        "between two wakes"
    };
    format!(
        "resumed {place}: {commits} commit(s), {events} event(s), {unanswered} instruction(s) without an answer"
    )
}

/// A run that risk ended is no success, though its result stands. Nothing is to be restarted.
fn halted(why: String) -> Failure {
    Failure {
        error: ComponentError::new(Code::RiskHalted, why),
        exit: RUN_FAILED,
    }
}

/// A run that wanted to hold something and never did is no success: its figures are those of idle capital.
fn never_held(why: &str) -> Failure {
    let message = format!("the run wanted to hold a book and never did: {why}");
    Failure {
        error: ComponentError::new(Code::NothingHeld, message),
        exit: RUN_FAILED,
    }
}

/// A run that failed, and where what came of it before is.
fn unfinished_run(unfinished: Unfinished, session: &Session) -> Failure {
    match unfinished.written {
        Some(Ok(written)) => {
            let place = written.directory.display();
            let text = format!("the run failed; what came of it before is in {place}");
            session.note(LogLevel::Info, &text);
        }
        Some(Err(e)) => session.warn(&format!("the run failed and leaves no directory: {e}")),
        None => {}
    }
    Failure::running(unfinished.error)
}

/// Where the run goes, checked before anything is computed.
fn output_directory(
    arguments: &Arguments,
    mode: &str,
    (session, started): (&Session, &WallClock),
) -> Result<Option<PathBuf>, ComponentError> {
    let out = directory_for(arguments.out.as_ref(), mode, (session, started));
    out.as_deref().map(check_out_dir).transpose()?;
    Ok(out)
}

/// The directory asked for, else one of its own below `runs`; with `--json` none but that asked for.
pub(super) fn directory_for(
    asked: Option<&PathBuf>,
    name: &str,
    (session, started): (&Session, &WallClock),
) -> Option<PathBuf> {
    let own = || {
        let name = format!("runs/{name}-{}", started.compact());
        (!session.json).then(|| free_name(&name))
    };
    asked.cloned().or_else(own)
}

/// `name`, or `name-2` and so on when several runs start within a second.
fn free_name(name: &str) -> PathBuf {
    let numbered = (2..1_000).map(|number| format!("{name}-{number}"));
    std::iter::once(name.to_owned())
        .chain(numbered)
        .map(PathBuf::from)
        .find(|path| !Path::new(path).exists())
        .unwrap_or_else(|| PathBuf::from(name))
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

    /// The instant, in milliseconds: the stamp of a request that is shown and not sent.
    pub(super) fn timestamp(&self) -> Timestamp {
        Timestamp::from_millis(i64::try_from(self.since_epoch.as_millis()).unwrap_or(i64::MAX))
    }

    /// `20240501T083000Z`.
    fn compact(&self) -> String {
        let seconds = i64::try_from(self.since_epoch.as_secs()).unwrap_or(i64::MAX);
        let text = Timestamp::from_seconds(seconds).to_string();
        text.replace(['-', ':'], "")
    }

    fn run_id(&self) -> RunId {
        let micros = u64::try_from(self.since_epoch.as_micros()).unwrap_or(u64::MAX);
        RunId::from_number(micros ^ (u64::from(std::process::id()) << 20))
    }
}
