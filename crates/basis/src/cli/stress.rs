//! `basis stress`: one mode under every scenario of a list.

use std::collections::BTreeMap;
use std::path::PathBuf;

use basis_core::error::{Code, ComponentError};
use basis_core::types::{Span, Timestamp};
use basis_core::venue::ExecutionMode;
use basis_report::stress::page::{self, Page};
use basis_report::stress::{Row, ScenarioOutcome, cells, csv};
use basis_report::{check_out_dir, write_files};
use comfy_table::{CellAlignment, Table};
use serde_json::{Value as Json, json};

use super::backtest::WallClock;
use super::errors::{Failure, RUN_FAILED};
use super::market::Source;
use super::report::table;
use super::{RunArguments, Session, progress, threads};
use crate::assembly::{self, Setup, versions};
use crate::config::dates;
use crate::config::layers::{LogLevel, Template};
use crate::stress::run::resolved;
use crate::stress::run::{self, Common};
use crate::stress::scenarios::{self, Placeholders};
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
    /// The instant that `T` stands for. Default: the middle of the run.
    #[arg(long, value_name = "INSTANT")]
    at: Option<String>,
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

/// The table of one mode.
struct Stressed {
    mode: String,
    /// The base run's configuration.
    setup: Setup,
    at: Timestamp,
    synthetic: bool,
    source: String,
    rows: Vec<Row>,
    timing: Json,
}

pub(super) fn run(arguments: &Arguments, session: &Session) -> Result<(), Failure> {
    let list = match &arguments.scenarios {
        Some(path) => scenarios::read(path)?,
        None => scenarios::builtin()?,
    };
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
    let at = instant(arguments, &setup)?;
    let terms = Placeholders::of(&setup, at);
    let ready = run::ready(list, &terms, &template, &data)?;
    let jobs = threads(arguments.jobs);
    let runs = u64::try_from(ready.len() + 1).unwrap_or(u64::MAX);
    let bar = progress::estimating("stressing", UNITS.saturating_mul(runs), session.quiet);
    bar.set_message(format!("of {runs} runs of {mode}"));
    let wall = WallClock::now();
    let common = Common {
        data: &data,
        base: &setup,
    };
    let rows = run::run(common, &ready, jobs, &|units| bar.inc(units)).map_err(Failure::running)?;
    bar.finish_and_clear();
    Ok(Stressed {
        mode: mode.to_owned(),
        at,
        synthetic: data.is_synthetic(),
        source: data.source().to_owned(),
        rows,
        timing: json!({ "load_ms": load_ms, "run_ms": wall.elapsed_ms(), "jobs": jobs }),
        setup,
    })
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

impl Stressed {
    fn page(&self) -> String {
        let config = self.setup.run();
        let about = Page {
            mode: &self.mode,
            share_class: config.share_class,
            synthetic: self.synthetic,
            source: &self.source,
            range: (config.from, config.to),
            at: self.at,
        };
        page::page(about, &self.rows)
    }

    fn as_json(&self) -> Json {
        let config = self.setup.run();
        let shocks: Vec<_> = config.shocks().map(|shock| shock.text()).collect();
        let rows: Vec<_> = self.rows.iter().map(Row::as_json).collect();
        let count = |status: &str| {
            self.rows
                .iter()
                .filter(|row| row.status() == status)
                .count()
        };
        json!({
            "mode": self.mode,
            "share_class": config.share_class,
            "synthetic": self.synthetic,
            "data_source": self.source,
            "from": config.from,
            "to": config.to,
            "at": self.at,
            "shocks": shocks,
            "rows": rows,
            "skipped": count("skipped"),
            "failed": count("failed"),
            "versions": versions().into_iter().collect::<BTreeMap<_, _>>(),
            "timing": self.timing,
        })
    }

    fn human(&self) -> String {
        let config = self.setup.run();
        let class = config.share_class;
        let loss = format!("loss {class}");
        let mut ran = table(&[
            "scenario",
            &loss,
            "of equity",
            "drawdown",
            "liquidated",
            "risk acts",
            "first",
            "safe",
            "residual",
            "end",
        ]);
        // Every figure stands on its line; a table that is too wide for one is no table.
        ran.set_width(140);
        for row in &self.rows {
            if let Some(figures) = row.figures() {
                let mut line = vec![row.name.clone()];
                line.extend(cells(figures));
                line.push(row.status().to_owned());
                ran.add_row(line);
            }
        }
        align(&mut ran);
        let synthetic = if self.synthetic {
            "  [SYNTHETIC DATA]"
        } else {
            ""
        };
        let mut text = format!(
            "{}  {} to {}, T = {}{synthetic}\n\n{ran}\n",
            self.mode, config.from, config.to, self.at
        );
        text.push_str(
            "loss: against the base run, at the end; liquidated: by exchanges / by lenders; first, \
             safe: after the shock\n",
        );
        for (status, title) in [("skipped", "skipped"), ("failed", "FAILED")] {
            let rows: Vec<_> = self
                .rows
                .iter()
                .filter(|row| row.status() == status)
                .collect();
            if rows.is_empty() {
                continue;
            }
            let mut why = table(&[title, "because"]);
            for row in rows {
                why.add_row([&row.name, row.message().unwrap_or_default()]);
            }
            text.push_str(&format!("\n{why}\n"));
        }
        text
    }
}

/// Figures to the right.
fn align(table: &mut Table) {
    for column in table.column_iter_mut().skip(1).take(8) {
        column.set_cell_alignment(CellAlignment::Right);
    }
}

/// A scenario that could not be run is a failure; one that risk halted, or that says nothing about a
/// mode, is none.
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
    let message = format!("{} scenarios failed:{}", lines.len(), lines.concat());
    Some(Failure {
        error: ComponentError::new(first?, message),
        exit: RUN_FAILED,
    })
}
