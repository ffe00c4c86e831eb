//! `basis explain`: the error registry.

use basis_core::config::nearest;
use basis_core::error::{Code, ErrorEntry, REGISTRY};
use serde_json::{Value as Json, json};

use super::Session;
use super::errors::Failure;
use super::report::table;

#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    /// A code as in `EIF-001`; the case does not matter.
    code: Option<String>,
}

pub(super) fn run(arguments: &Arguments, session: &Session) -> Result<(), Failure> {
    let Some(text) = &arguments.code else {
        return list(session);
    };
    let code = Code::find(text).ok_or_else(|| unknown(text))?;
    let entry = code.entry();
    if session.json {
        return session.print_json(&as_json(entry));
    }
    session.print(&format!(
        "{} {}\n\ncomponent  {}\nseverity   {}\n\n{}\n",
        entry.code, entry.message, entry.component, entry.severity, entry.resolution
    ))
}

fn unknown(text: &str) -> Failure {
    let upper = text.to_uppercase();
    let near = nearest(&upper, REGISTRY.iter().map(|entry| entry.code.as_str()))
        .map(|near| format!("; did you mean {near}?"))
        .unwrap_or_default();
    Failure::usage(format!(
        "unknown error code `{text}`{near} (`basis explain` lists them)"
    ))
}

fn list(session: &Session) -> Result<(), Failure> {
    if session.json {
        return session.print_json(&REGISTRY.iter().map(as_json).collect());
    }
    let mut rows = table(&["code", "severity", "component", "meaning"]);
    for entry in REGISTRY {
        rows.add_row([
            entry.code.as_str(),
            entry.severity.as_str(),
            entry.component,
            entry.message,
        ]);
    }
    session.print(&format!("{rows}\n"))
}

fn as_json(entry: &ErrorEntry) -> Json {
    json!({
        "code": entry.code.as_str(),
        "component": entry.component,
        "severity": entry.severity.as_str(),
        "message": entry.message,
        "resolution": entry.resolution,
    })
}
