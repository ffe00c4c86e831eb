//! `basis report`: the page of a run, or of several runs side by side, from their directories alone.

use std::path::{Path, PathBuf};

use basis_core::error::{Code, ComponentError};
use basis_report::{FILE_NAME, RunReport, compare_page, differences};
use serde_json::{Map, Value as Json, json};

use super::Session;
use super::errors::Failure;
use crate::config::layers::LogLevel;

#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    /// Directories of runs, as `basis backtest --out` left them; several are laid side by side.
    #[arg(required = true, value_name = "RUN")]
    runs: Vec<PathBuf>,
    /// File to write. Default: report.html in the run's directory; for several runs
    /// compare-RUN-RUN….html where you are.
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
}

pub(super) fn run(arguments: &Arguments, session: &Session) -> Result<(), Failure> {
    let read = |path: &PathBuf| Ok::<_, ComponentError>((name(path), RunReport::read(path)?));
    let runs = arguments.runs.iter().map(read);
    let runs = runs.collect::<Result<Vec<_>, _>>()?;
    let (page, default) = match (runs.as_slice(), arguments.runs.as_slice()) {
        ([(_, run)], [path]) => (run.page(), path.join(FILE_NAME)),
        _ => {
            let named: Vec<_> = runs
                .iter()
                .map(|(name, run)| (name.as_str(), run))
                .collect();
            let names: Vec<&str> = named.iter().map(|(name, _)| *name).collect();
            let file = format!("compare-{}.html", names.join("-"));
            (compare_page(&named)?, PathBuf::from(file))
        }
    };
    let out = arguments.out.clone().unwrap_or(default);
    std::fs::write(&out, &page).map_err(|e| {
        let message = format!("cannot write {}: {e}", out.display());
        ComponentError::new(Code::OutputUnusable, message).with_source(e)
    })?;
    session.note(LogLevel::Info, &format!("written to {}", out.display()));
    if !session.json {
        return session.print(&format!("{}\n", out.display()));
    }
    let mut numbers = Map::new();
    for ((path, (_, run)), label) in arguments.runs.iter().zip(&runs).zip('a'..) {
        let mut own = run.headline();
        own.insert("directory".to_owned(), json!(path.display().to_string()));
        numbers.insert(label.to_string(), json!(own));
    }
    session.print_json(&json!({
        "report": out.display().to_string(),
        "bytes": page.len(),
        "runs": numbers,
        "differences": settings(&runs),
    }))
}

/// The settings in which the runs differ: key path, then the value of each run by its label, null where it is
/// not set.
fn settings(runs: &[(String, RunReport)]) -> Json {
    let reports: Vec<&RunReport> = runs.iter().map(|(_, run)| run).collect();
    let rows = differences(&reports).into_iter().map(|row| {
        let values = row.values.into_iter().zip('a'..);
        let values: Map<_, _> = values
            .map(|(value, label)| (label.to_string(), json!(value)))
            .collect();
        (row.key, Json::Object(values))
    });
    rows.collect::<Map<_, _>>().into()
}

/// The directory's own name, whatever way it was given.
fn name(path: &Path) -> String {
    let whole = std::fs::canonicalize(path).unwrap_or_else(|_| path.to_owned());
    let own = whole
        .file_name()
        .map(|name| name.to_string_lossy().into_owned());
    own.unwrap_or_else(|| "run".to_owned())
}
