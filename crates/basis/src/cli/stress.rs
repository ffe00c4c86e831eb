//! `basis stress`: one mode under every scenario of a list.

use std::path::PathBuf;

use basis_core::error::{Code, ComponentError};
use basis_core::types::{Span, Timestamp};
use basis_core::venue::ExecutionMode;
use basis_report::stress::{ScenarioOutcome, csv};
use basis_report::{check_out_dir, write_files};
use serde_json::json;

use super::backtest::WallClock;
use super::errors::{Failure, RUN_FAILED};
use super::market::Source;
use super::stressed::Stressed;
use super::{RunArguments, Session, progress, threads};
use crate::assembly::{self, Setup};
use crate::config::dates;
use crate::config::layers::{LogLevel, Template};
use crate::stress::run::{self, Common, When, resolved};
use crate::stress::scenarios;
use crate::sweep::run::UNITS;

#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    /// The strategy modes, as `btc_basis`. Default: that of --config.
    #[arg(value_name = "MODE")]
    modes: Vec<String>,
    /// A YAML file of scenarios instead of those built in. See docs/stress.md.
    #[arg(long, value_name = "FILE")]
    scenarios: Option<PathBuf>,
    /// Run this scenario only; may be repeated.
    #[arg(long = "scenario", value_name = "NAME")]
    names: Vec<String>,
    /// The built-in scenarios in three tiers, each with what it has to show, at 24 instants and 45 days
    /// long where nothing else is said; exit code 1 when a mode does not show it.
    #[arg(long, conflicts_with = "scenarios")]
    tiers: bool,
    /// The instant that `T` stands for. Default: the middle of the run.
    #[arg(long, value_name = "INSTANT", conflicts_with_all = ["tiers", "instants"])]
    at: Option<String>,
    /// Every scenario at so many instants: the step of the run that is nearest to a liquidation, and whole
    /// weeks spread over it. The table shows the worst of each.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=500))]
    instants: Option<u16>,
    /// How long after `T` a run ends, as 45d. Default: at the end of the dates.
    #[arg(long, value_name = "SPAN")]
    horizon: Option<String>,
    #[command(flatten)]
    run: RunArguments,
    /// Directory to write the table and the scenarios to, a directory for each mode when there are
    /// several; must not exist or be empty. Default: nothing is written.
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
    /// Threads. Default: as many as there are cores.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=1024))]
    jobs: Option<u16>,
}

/// What `--tiers` asks for where nothing else is said.
const TIERS_INSTANTS: u16 = 24;
const TIERS_HORIZON: Span = Span::from_hours(45 * 24);

pub(super) fn run(arguments: &Arguments, session: &Session) -> Result<(), Failure> {
    let list = match &arguments.scenarios {
        Some(path) => scenarios::read(path)?,
        None if arguments.tiers => scenarios::tiers()?,
        None => scenarios::builtin()?,
    };
    arguments.horizon()?;
    let list = scenarios::chosen(list, &arguments.names)?;
    let modes = match arguments.modes.as_slice() {
        [] => vec![arguments.run.mode(None)?],
        named => named.to_vec(),
    };
    for mode in &modes {
        session.app.modes.require(mode)?;
        if let Some(out) = arguments.out_of(mode) {
            check_out_dir(&out)?;
        }
    }
    let source = Source::choose(arguments.run.data.as_deref(), session);
    let mut tables = Vec::with_capacity(modes.len());
    for (number, mode) in modes.iter().enumerate() {
        let stressed = stress(arguments, mode, &source, &list, (session, number == 0))?;
        if let Some(out) = arguments.out_of(mode) {
            let files = [
                ("stress.csv", csv(&stressed.rows)?),
                ("report.html", stressed.page().into_bytes()),
                ("scenarios.yaml", resolved(&stressed.rows).into_bytes()),
                ("config.yaml", stressed.setup.config_yaml().into()),
                (
                    "stress.json",
                    format!("{:#}\n", stressed.as_json()).into_bytes(),
                ),
            ];
            let written = write_files(&out, &files).map_err(Failure::running)?;
            session.note(LogLevel::Info, &format!("written to {}", written.display()));
        }
        if !session.json {
            let gap = if number == 0 { "" } else { "\n" };
            session.print(&format!("{gap}{}", stressed.human()))?;
        }
        tables.push(stressed);
    }
    if session.json {
        let all: Vec<_> = tables.iter().map(Stressed::as_json).collect();
        session.print_json(&json!({ "modes": all }))?;
    }
    failures(&tables).map_or(Ok(()), Err)
}

impl Arguments {
    /// Where the table of `mode` goes.
    fn out_of(&self, mode: &str) -> Option<PathBuf> {
        let out = self.out.as_ref()?;
        Some(match self.modes.len() {
            0 | 1 => out.clone(),
            _ => out.join(mode),
        })
    }

    /// At how many instants every scenario comes; `None` for the one of `--at`.
    fn instants(&self) -> Option<usize> {
        let tiers = self.tiers.then_some(TIERS_INSTANTS);
        self.instants.or(tiers).map(usize::from)
    }

    /// How long after the instant a run ends.
    fn horizon(&self) -> Result<Option<Span>, ComponentError> {
        let Some(text) = &self.horizon else {
            return Ok(self.tiers.then_some(TIERS_HORIZON));
        };
        let span = scenarios::span(text).filter(|span| *span > Span::default());
        let message = || format!("--horizon {text}: no span above zero; write 36h, or as 45d");
        let e = || ComponentError::new(Code::Usage, message());
        span.map(Some).ok_or_else(e)
    }
}

/// Runs one mode under every scenario; `is_first` says what the others would repeat.
fn stress(
    arguments: &Arguments,
    mode: &str,
    source: &Source,
    list: &[scenarios::Scenario],
    (session, is_first): (&Session, bool),
) -> Result<Stressed, Failure> {
    let request = arguments.run.request(mode);
    let template = Template::new(&request, &session.environment, &session.app)
        .inspect_err(|_| session.warn_of_environment())?;
    let base = template
        .resolve(&[])
        .inspect_err(|_| session.warn_of_environment())?;
    session.level.set(base.log_level);
    if is_first {
        source.announce(session);
        session.warn_of_environment();
    }
    if base.execution_mode == ExecutionMode::Live {
        session.warn("execution_mode is live, but this is `basis stress`: nothing is traded");
    }
    assembly::check_venues(&base.setup)?;
    let started = WallClock::now();
    let data = source.load(&base.setup.data_request()?, session.quiet)?;
    let setup = base.setup.fitted(&data)?;
    let load_ms = started.elapsed_ms();
    let (at, when) = match arguments.instants() {
        Some(count) => (None, When::Spread(count)),
        None => {
            let at = instant(arguments, &setup)?;
            (Some(at), When::At(at))
        }
    };
    let jobs = threads(arguments.jobs);
    let bar = progress::estimating("stressing", 0, session.quiet);
    let wall = WallClock::now();
    let common = Common {
        data: &data,
        base: &setup,
    };
    let told = |units, runs| {
        let runs = u64::try_from(runs).unwrap_or(u64::MAX);
        bar.set_length(UNITS.saturating_mul(runs));
        bar.set_message(format!("of {runs} runs of {mode}"));
        bar.inc(units);
    };
    let when = (when, arguments.horizon()?);
    let ran = run::table(common, &template, list, when, (jobs, &told)).map_err(failure)?;
    bar.finish_and_clear();
    Ok(Stressed {
        mode: mode.to_owned(),
        at,
        instants: ran.instants,
        synthetic: data.is_synthetic(),
        source: data.source().to_owned(),
        rows: ran.rows,
        timing: json!({ "load_ms": load_ms, "run_ms": wall.elapsed_ms(), "jobs": jobs }),
        setup,
    })
}

/// What was asked for wrongly has run nothing.
fn failure(e: ComponentError) -> Failure {
    match e.code {
        Code::Usage | Code::ConfigInvalid => e.into(),
        _ => Failure::running(e),
    }
}

/// What `T` stands for: `--at`, or the middle of the run, on a step of its clock.
fn instant(arguments: &Arguments, setup: &Setup) -> Result<Timestamp, ComponentError> {
    let (from, to, step) = (setup.run().from, setup.run().to, setup.run().step);
    let Some(text) = &arguments.at else {
        let half = Span::from_nanos(to.since(from).nanos() / 2);
        return Ok(from.plus(half).floor_to(step));
    };
    let refuse = |message: String| Err(ComponentError::new(Code::Usage, message));
    let Some(at) = dates::parse(text, dates::End::From) else {
        return refuse(format!(
            "--at {text}: no instant; write a day, or as 2025-02-03T06:00:00Z"
        ));
    };
    if at <= from || at >= to {
        return refuse(format!(
            "--at {text} is outside the run from {from} to {to}"
        ));
    }
    Ok(at)
}

/// A scenario that could not be run is a failure, and one that did not show what it has to; one that risk
/// halted where nothing is asked, or that says nothing about a mode, is none.
fn failures(tables: &[Stressed]) -> Option<Failure> {
    let mut lines = Vec::new();
    let mut first = None;
    for stressed in tables {
        for row in &stressed.rows {
            if let ScenarioOutcome::Failed(e) = &row.outcome {
                first = first.or(Some(e.code));
                lines.push(format!("\n  {} {}: {e}", stressed.mode, row.name));
            }
        }
    }
    let unshown: Vec<_> = tables.iter().flat_map(Stressed::unshown).collect();
    if first.is_none() && !unshown.is_empty() {
        first = Some(Code::StressFailed);
    }
    lines.extend(unshown);
    let message = format!("{} scenarios failed:{}", lines.len(), lines.concat());
    Some(Failure {
        error: ComponentError::new(first?, message),
        exit: RUN_FAILED,
    })
}
