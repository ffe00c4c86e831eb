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

/// Venues whose replies are read.
const VENUES: [&str; 3] = ["binance", "bybit", "okx"];

#[derive(Debug, clap::Args)]
pub(super) struct Import {
    /// The venue.
    #[arg(value_parser = VENUES)]
    venue: String,
    /// Instruments, then the files of replies: of instruments, margin tiers and fees. After them another venue with
    /// its own may follow.
    #[arg(required = true, num_args = 2.., value_name = "SYMBOL|FILE.json|VENUE")]
    given: Vec<String>,
    /// From which day on the rules hold, YYYY-MM-DD. Default: the day that a reply says it is of.
    #[arg(long, value_name = "DATE")]
    effective_from: Option<String>,
    /// Write the snapshot to a new file instead of printing it; those of several venues into a directory, each as
    /// VENUE.yaml.
    #[arg(long, value_name = "FILE|DIR")]
    to: Option<PathBuf>,
}

/// One venue with its instruments and replies.
#[derive(Debug)]
struct Group<'a> {
    venue: &'a str,
    symbols: Vec<String>,
    files: Vec<String>,
}

/// The snapshot of one venue.
#[derive(Debug)]
struct Made {
    yaml: String,
    notes: Vec<String>,
    to: Option<PathBuf>,
}

pub(super) fn run(command: &Command, session: &Session) -> Result<(), Failure> {
    let Command::Import(import) = command;
    let groups = groups(import);
    if groups.len() > 1 && import.to.is_none() {
        return Err(Failure::usage(
            "rules of several venues are several files; name their directory with --to",
        ));
    }
    let several = groups.len() > 1;
    let mut made = Vec::with_capacity(groups.len());
    for group in &groups {
        made.push(make(import, group, several)?);
    }
    let targets = || made.iter().filter_map(|made| made.to.as_deref());
    if let Some(there) = targets().find(|to| to.exists()) {
        return Err(there_already(there));
    }
    if several && let Some(dir) = &import.to {
        fs::create_dir_all(dir).map_err(|e| failed(dir, e))?;
    }
    for made in &made {
        if let Some(to) = &made.to {
            put(to, &made.yaml)?;
        }
    }
    if session.json {
        let said = |made: &Made| {
            let to = made.to.as_ref().map(|to| to.display().to_string());
            json!({ "rules": made.yaml, "file": to, "notes": made.notes })
        };
        return match made.as_slice() {
            [only] => session.print_json(&said(only)),
            all => session.print_json(&json!(all.iter().map(said).collect::<Vec<_>>())),
        };
    }
    for made in &made {
        match &made.to {
            None => {
                for note in &made.notes {
                    session.say_note(note);
                }
                session.print(&made.yaml)?;
            }
            Some(to) => {
                let list: String = made
                    .notes
                    .iter()
                    .map(|note| format!("  {note}\n"))
                    .collect();
                session.print(&format!("{}\n{list}", to.display()))?;
            }
        }
    }
    Ok(())
}

/// What is given, venue by venue.
fn groups(import: &Import) -> Vec<Group<'_>> {
    let group = |venue| Group {
        venue,
        symbols: Vec::new(),
        files: Vec::new(),
    };
    let mut last = group(import.venue.as_str());
    let mut groups = Vec::new();
    for given in &import.given {
        if VENUES.contains(&given.as_str()) {
            groups.push(std::mem::replace(&mut last, group(given)));
        } else if is_file(given) {
            last.files.push(given.clone());
        } else {
            last.symbols.push(given.clone());
        }
    }
    groups.push(last);
    groups
}

fn make(import: &Import, group: &Group<'_>, several: bool) -> Result<Made, Failure> {
    if group.symbols.is_empty() || group.files.is_empty() {
        let message = format!(
            "{}: name the instruments and the files of replies, as SOLUSDT instruments.json tiers.json",
            group.venue
        );
        return Err(Failure::usage(message));
    }
    let mut replies = Vec::with_capacity(group.files.len());
    for file in &group.files {
        replies.push((file.clone(), read(file)?));
    }
    let made = snapshot(&RulesRequest {
        venue: group.venue,
        symbols: &group.symbols,
        replies: &replies,
        effective_from: import.effective_from.as_deref(),
    })?;
    let malformed = |what: String| ComponentError::new(Code::DataMalformed, what);
    let to = import.to.as_ref().map(|to| match several {
        true => to.join(format!("{}.yaml", group.venue)),
        false => to.clone(),
    });
    Ok(Made {
        yaml: made.yaml(over_builtin).map_err(malformed)?,
        notes: made.notes(),
        to,
    })
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
    let mut file = fs::File::create_new(to).map_err(|e| match e.kind() {
        std::io::ErrorKind::AlreadyExists => there_already(to),
        _ => failed(to, e),
    })?;
    std::io::Write::write_all(&mut file, yaml.as_bytes()).map_err(|e| failed(to, e))
}

fn there_already(to: &Path) -> Failure {
    let message = format!(
        "{} is there already; name a new file, and all instruments in one import",
        to.display()
    );
    ComponentError::new(Code::OutputUnusable, message).into()
}

fn failed(to: &Path, e: std::io::Error) -> Failure {
    let message = format!("{} cannot be written: {e}", to.display());
    ComponentError::new(Code::OutputUnusable, message)
        .with_source(e)
        .into()
}
