//! Configuration: files, environment and command line, laid over each other into one located tree.
//!
//! Layers, low to high: the mode file built into the program, `--config FILE`, the documented
//! environment variables, `--set key=value`, and the flags of their own (`--capital`, `--from`,
//! `--to`). Everything wrong with the result is reported at once, each problem with the place its
//! value was written at.
//!
//! **Invariants.** The environment is read in [`environment`] and nowhere else. Numbers are text
//! until `basis_core` parses them exactly.

pub mod dates;
pub mod embedded;
pub mod environment;
mod fitting;
pub mod layers;
mod merge;
pub mod rules;
pub mod setup;
pub mod yaml;

use std::path::Path;

use basis_core::config::{Node, Problem};
use basis_core::error::{Code, ComponentError};

/// Reads a YAML file into a located tree.
///
/// # Errors
/// CFG-002 when it cannot be read or is no YAML; every problem stands in the message.
pub fn read_file(path: &Path) -> Result<Node, ComponentError> {
    let name = path.display().to_string();
    let text = std::fs::read_to_string(path).map_err(|e| {
        ComponentError::new(Code::ConfigFile, format!("{name} cannot be read: {e}")).with_source(e)
    })?;
    yaml::parse(&text, &name).map_err(|problems| listed(Code::ConfigFile, &name, &problems))
}

/// One error that lists `problems`, each on its own line.
#[must_use]
pub fn listed(code: Code, what: &str, problems: &[Problem]) -> ComponentError {
    let count = match problems.len() {
        1 => "a problem".to_owned(),
        count => format!("{count} problems"),
    };
    let lines: String = problems
        .iter()
        .map(|problem| format!("\n  {problem}"))
        .collect();
    ComponentError::new(code, format!("{what} has {count}:{lines}"))
}
