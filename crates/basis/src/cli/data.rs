//! `basis data`: what a directory of market data holds.

use std::path::PathBuf;

use basis_core::error::{Code, ComponentError};
use basis_data::{DataReport, ModeRequirement};
use serde_json::json;

use super::errors::Failure;
use super::{ConfigArguments, Session};
use crate::config::layers;

#[derive(Debug, clap::Subcommand)]
pub(super) enum Command {
    /// List series, holes and malformed lines, and the dates each mode can run over.
    Check {
        /// The directory.
        dir: PathBuf,
        #[command(flatten)]
        config: ConfigArguments,
    },
}

pub(super) fn run(command: &Command, session: &Session) -> Result<(), Failure> {
    let Command::Check { dir, config } = command;
    let report = basis_data::check(dir)?;
    let requirements = requirements(config, session)?;
    let modes = basis_data::runnable(&report, &requirements);
    if session.json {
        session.print_json(&json!({ "data": report, "modes": modes }))?;
    } else {
        session.print(&basis_data::render(&report, &modes))?;
    }
    malformed(&report).map_or(Ok(()), |e| Err(Failure::running(e)))
}

/// What each mode reads.
fn requirements(
    config: &ConfigArguments,
    session: &Session,
) -> Result<Vec<ModeRequirement>, ComponentError> {
    session
        .app
        .modes
        .rows()
        .iter()
        .map(|mode| {
            let request = config.request(mode.name);
            let setup = layers::resolve(&request, &session.environment, &session.app)?.setup;
            Ok(ModeRequirement {
                mode: mode.name.to_owned(),
                needed: setup.required_series()?,
                proxies: setup.run().view.proxies.clone(),
            })
        })
        .collect()
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
