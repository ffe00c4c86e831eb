//! `basis data`: what a directory of market data holds, and how files come into it.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use basis_core::config::{Location, Node, Problems};
use basis_core::error::{Code, ComponentError};
use basis_core::rules::RuleBook;
use basis_core::types::{Timestamp, Venue};
use basis_data::{DataReport, ModeRequirement};
use basis_market::Coverage;
use serde_json::json;

use super::errors::Failure;
use super::market::Source;
use super::{ConfigArguments, Session, import};
use crate::assembly::Setup;
use crate::config::layers::{self, Request};
use crate::config::{embedded, rules};

#[derive(Debug, clap::Subcommand)]
pub(super) enum Command {
    /// List series, holes and malformed lines, and the dates each mode can run over; with --mode, what a
    /// run of that mode would find in the data, in its own words.
    Check(Arguments),
    /// Bring files of venues, libraries and indexers into a directory of data.
    Import(import::Arguments),
}

#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    /// The directory.
    dir: PathBuf,
    /// The strategy mode whose run to look at.
    #[arg(long, value_name = "MODE")]
    mode: Option<String>,
    #[command(flatten)]
    config: ConfigArguments,
    /// First day of that run, or its exclusive start instant. Default: what the data covers.
    #[arg(long, value_name = "DATE", requires = "mode")]
    from: Option<String>,
    /// Last day of that run (all of it), or its inclusive end instant.
    #[arg(long, value_name = "DATE", requires = "mode")]
    to: Option<String>,
}

pub(super) fn run(command: &Command, session: &Session) -> Result<(), Failure> {
    let arguments = match command {
        Command::Check(arguments) => arguments,
        Command::Import(arguments) => return import::run(arguments, session),
    };
    match &arguments.mode {
        None if arguments.config.config.is_some() => Err(Failure::usage(
            "a configuration is of one mode: give --mode MODE with --config",
        )),
        None => check_all(arguments, session),
        Some(mode) => check_mode(mode, arguments, session),
    }
}

fn check_all(arguments: &Arguments, session: &Session) -> Result<(), Failure> {
    let rules = builtin_rules()?;
    let report = basis_data::check(&arguments.dir, &rules)?;
    let requirements = session
        .app
        .modes
        .rows()
        .iter()
        .map(|mode| {
            let request = arguments.config.request(mode.name);
            requirement(&setup(&request, session)?)
        })
        .collect::<Result<Vec<_>, _>>()?;
    let modes = basis_data::runnable(&report, &requirements);
    if session.json {
        session.print_json(&json!({ "data": report, "modes": modes }))?;
    } else {
        session.print(&basis_data::render(&report, &modes))?;
    }
    malformed(&report).map_or(Ok(()), |e| Err(Failure::running(e)))
}

fn setup(request: &Request<'_>, session: &Session) -> Result<Setup, ComponentError> {
    let resolved = layers::resolve(request, &session.environment, &session.app)?;
    Ok(resolved.setup)
}

/// What a mode reads.
fn requirement(setup: &Setup) -> Result<ModeRequirement, ComponentError> {
    Ok(ModeRequirement {
        mode: setup.run().mode.to_owned(),
        needed: setup.required_series()?,
        proxies: setup.run().view.proxies.clone(),
    })
}

/// The rules of every venue that has some built in.
fn builtin_rules() -> Result<Arc<RuleBook>, ComponentError> {
    let venues = embedded::VENUES.iter().map(|file| Venue::new(file.name));
    let venues: Vec<_> = venues.filter_map(Result::ok).collect();
    let problems = Problems::new();
    let nothing = Node::empty_map(Location::new("embedded", 0));
    let found = rules::resolve(&nothing, &venues, &problems);
    let problems = problems.into_sorted();
    if problems.is_empty() {
        return Ok(found.book);
    }
    Err(crate::config::listed(
        Code::ConfigInvalid,
        "the built-in rules",
        &problems,
    ))
}

/// What a run of one mode finds in the data.
struct Survey {
    from: Timestamp,
    to: Timestamp,
    coverage: Vec<Coverage>,
    refusal: Option<ComponentError>,
}

fn check_mode(mode: &str, arguments: &Arguments, session: &Session) -> Result<(), Failure> {
    let request = Request {
        from: arguments.from.as_deref(),
        to: arguments.to.as_deref(),
        ..arguments.config.request(mode)
    };
    let setup = setup(&request, session)?;
    let report = basis_data::check(&arguments.dir, setup.rules())?;
    let modes = basis_data::runnable(&report, &[requirement(&setup)?]);
    if !session.json {
        session.print(&basis_data::render(&report, &modes))?;
    }
    if let Some(e) = malformed(&report) {
        if session.json {
            session.print_json(&json!({ "data": report, "modes": modes }))?;
        }
        return Err(Failure::running(e));
    }
    let survey = survey(&setup, &arguments.dir, session)?;
    let notes: Vec<_> = survey.coverage.iter().flat_map(Coverage::notes).collect();
    if session.json {
        let run = json!({
            "from": survey.from,
            "to": survey.to,
            "notes": notes,
            "refused": survey.refusal.as_ref().map(|e| &e.message),
        });
        session.print_json(&json!({ "data": report, "modes": modes, "run": run }))?;
    } else {
        let mut text = format!("\nA run from {} to {}\n", survey.from, survey.to);
        for note in &notes {
            text.push_str(&format!("  note: {note}\n"));
        }
        text.push_str(match survey.refusal {
            Some(_) => "  does not start\n",
            None => "  starts\n",
        });
        session.print(&text)?;
    }
    survey.refusal.map_or(Ok(()), |e| Err(e.into()))
}

/// Looks the data over as the run would before its first step.
fn survey(setup: &Setup, dir: &Path, session: &Session) -> Result<Survey, ComponentError> {
    let source = Source::Directory(dir.to_owned());
    let data = source.load(&setup.data_request()?, session.quiet)?;
    let setup = setup.clone().fitted(&data)?;
    let (run, rules) = (setup.run(), setup.rules());
    let coverage = basis_engine::survey(setup.mode(), run, &data, rules)?;
    let refusal = basis_engine::refusal(setup.mode(), run, rules, &coverage)?;
    Ok(Survey {
        from: run.from,
        to: run.to,
        coverage,
        refusal,
    })
}

/// A directory with malformed lines fails its check.
fn malformed(report: &DataReport) -> Option<ComponentError> {
    let series = report.series.iter();
    let series = series.map(|series| (series.path.as_str(), series.problem_count));
    let tables = report.tables.iter();
    let tables = tables.map(|table| (table.path.as_str(), table.problem_count));
    let bad: Vec<_> = series
        .chain(tables)
        .filter(|(_, count)| *count > 0)
        .collect();
    let lines: u64 = bad.iter().map(|(_, count)| count).sum();
    let names: Vec<_> = bad.iter().map(|(path, _)| *path).collect();
    (!bad.is_empty()).then(|| {
        let message = format!("{lines} malformed lines in {}", names.join(", "));
        ComponentError::new(Code::DataMalformed, message)
    })
}
