//! `basis rules`: rules of venues out of their own replies.

use std::fs;
use std::path::{Path, PathBuf};

use basis_core::error::{Code, ComponentError};
use serde_json::json;

use super::Session;
use super::errors::Failure;
use crate::config::rules::over_builtin;
use crate::replies::{RulesRequest, snapshot};

#[derive(Debug, clap::Subcommand)]
pub(super) enum Command {
    /// Make a dated snapshot of instruments out of saved replies of a venue, to be named under `rules`.
    Import(Import),
}

#[derive(Debug, clap::Args)]
pub(super) struct Import {
    /// The venue.
    #[arg(value_parser = ["binance", "bybit", "okx"])]
    venue: String,
    /// Instruments, then the files of replies: of instruments, margin tiers and fees.
    #[arg(required = true, num_args = 2.., value_name = "SYMBOL|FILE.json")]
    given: Vec<String>,
    /// From which day on the rules hold, YYYY-MM-DD. Default: the day that a reply says it is of.
    #[arg(long, value_name = "DATE")]
    effective_from: Option<String>,
    /// Write the snapshot to a new file instead of printing it.
    #[arg(long, value_name = "FILE")]
    to: Option<PathBuf>,
}

pub(super) fn run(command: &Command, session: &Session) -> Result<(), Failure> {
    let Command::Import(import) = command;
    let (files, symbols): (Vec<_>, Vec<_>) = import.given.iter().cloned().partition(is_file);
    if symbols.is_empty() || files.is_empty() {
        return Err(Failure::usage(
            "name the instruments and the files of replies, as SOLUSDT instruments.json tiers.json",
        ));
    }
    let mut replies = Vec::with_capacity(files.len());
    for file in &files {
        replies.push((file.clone(), read(file)?));
    }
    let made = snapshot(&RulesRequest {
        venue: &import.venue,
        symbols: &symbols,
        replies: &replies,
        effective_from: import.effective_from.as_deref(),
    })?;
    let malformed = |what: String| ComponentError::new(Code::DataMalformed, what);
    let yaml = made.yaml(over_builtin).map_err(malformed)?;
    let notes = made.notes();
    if let Some(to) = &import.to {
        put(to, &yaml)?;
    }
    if session.json {
        let to = import.to.as_ref().map(|to| to.display().to_string());
        return session.print_json(&json!({ "rules": yaml, "file": to, "notes": notes }));
    }
    match &import.to {
        None => {
            for note in &notes {
                session.say_note(note);
            }
            session.print(&yaml)
        }
        Some(to) => {
            let list: String = notes.iter().map(|note| format!("  {note}\n")).collect();
            session.print(&format!("{}\n{list}", to.display()))
        }
    }
}

fn is_file(given: &String) -> bool {
    let extension = Path::new(given).extension();
    extension.is_some_and(|extension| extension.eq_ignore_ascii_case("json"))
}

fn read(file: &str) -> Result<Vec<u8>, Failure> {
    fs::read(file).map_err(|e| {
        let message = format!("{file} cannot be read: {e}");
        ComponentError::new(Code::DataMissing, message)
            .with_source(e)
            .into()
    })
}

/// Writes a new file; rules that are there already may have been edited.
fn put(to: &Path, yaml: &str) -> Result<(), Failure> {
    let failed = |e: std::io::Error| {
        let what = match e.kind() {
            std::io::ErrorKind::AlreadyExists => {
                "is there already; name a new file, and all instruments in one import".to_owned()
            }
            _ => format!("cannot be written: {e}"),
        };
        let message = format!("{} {what}", to.display());
        Failure::from(ComponentError::new(Code::OutputUnusable, message).with_source(e))
    };
    let mut file = fs::File::create_new(to).map_err(failed)?;
    std::io::Write::write_all(&mut file, yaml.as_bytes()).map_err(failed)
}
