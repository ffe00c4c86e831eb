//! `basis report`: the page of a run, or of two runs side by side, from their directories alone.

use std::path::{Path, PathBuf};

use basis_core::error::{Code, ComponentError};
use basis_report::{FILE_NAME, RunReport, compare_page};
use serde_json::{Map, json};

use super::Session;
use super::errors::Failure;
use crate::config::layers::LogLevel;

#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    /// Directory of a run, as `basis backtest --out` left it.
    run: PathBuf,
    /// A second run to compare it with.
    other: Option<PathBuf>,
    /// File to write. Default: report.html in the run's directory; for two runs
    /// compare-RUN-OTHER.html where you are.
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
}

pub(super) fn run(arguments: &Arguments, session: &Session) -> Result<(), Failure> {
    let run = RunReport::read(&arguments.run)?;
    let other = arguments.other.as_ref().map(|other| {
        let read = RunReport::read(other)?;
        Ok::<_, ComponentError>((other, read))
    });
    let other = other.transpose()?;
    let (page, default) = match &other {
        None => (run.page(), arguments.run.join(FILE_NAME)),
        Some((path, other)) => {
            let names = [name(&arguments.run), name(path)];
            let [a, b] = &names;
            (
                compare_page((a, &run), (b, other))?,
                PathBuf::from(format!("compare-{a}-{b}.html")),
            )
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
    let mut runs = Map::new();
    let both = std::iter::once((&arguments.run, &run)).chain(other.iter().map(|(p, r)| (*p, r)));
    for ((path, run), label) in both.zip(["a", "b"]) {
        let mut numbers = run.headline();
        numbers.insert("directory".to_owned(), json!(path.display().to_string()));
        runs.insert(label.to_owned(), json!(numbers));
    }
    session.print_json(&json!({
        "report": out.display().to_string(),
        "bytes": page.len(),
        "runs": runs,
    }))
}

/// The directory's own name, whatever way it was given.
fn name(path: &Path) -> String {
    let whole = std::fs::canonicalize(path).unwrap_or_else(|_| path.to_owned());
    let own = whole
        .file_name()
        .map(|name| name.to_string_lossy().into_owned());
    own.unwrap_or_else(|| "run".to_owned())
}
