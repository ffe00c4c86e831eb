//! Rules of the house that no compiler knows.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::{circles, ledger};

/// Crates that `basis-core` may pull in, its own and those below them.
const CORE_TREE: &[&str] = &[
    "basis-core",
    "proc-macro2",
    "quote",
    "ruint",
    "ruint-macro",
    "rustc-hash",
    "serde",
    "serde_core",
    "serde_derive",
    "strsim",
    "syn",
    "thiserror",
    "thiserror-impl",
    "unicode-ident",
    "zeroize",
];

/// Arrows allowed between the crates: who may depend on whom.
const ARROWS: &[(&str, &[&str])] = &[
    ("basis-contracts", &[]),
    ("basis-core", &[]),
    ("basis-protocols", &["basis-core"]),
    ("basis-market", &["basis-core", "basis-protocols"]),
    (
        "basis-sim",
        &["basis-core", "basis-protocols", "basis-market"],
    ),
    (
        "basis-venues",
        &[
            "basis-core",
            "basis-protocols",
            "basis-market",
            "basis-sim",
            "basis-live",
        ],
    ),
    ("basis-data", &["basis-core", "basis-market"]),
    (
        "basis-engine",
        &["basis-core", "basis-protocols", "basis-market"],
    ),
    (
        "basis-strategies",
        &[
            "basis-core",
            "basis-protocols",
            "basis-market",
            "basis-engine",
        ],
    ),
    ("basis-live", &["basis-core", "basis-market"]),
    ("basis-powercut", &["basis-live"]),
    (
        "basis-report",
        &["basis-core", "basis-market", "basis-engine"],
    ),
    (
        "basis",
        &[
            "basis-core",
            "basis-protocols",
            "basis-market",
            "basis-sim",
            "basis-venues",
            "basis-data",
            "basis-engine",
            "basis-strategies",
            "basis-live",
            "basis-report",
        ],
    ),
    (
        "basis-testkit",
        &[
            "basis-core",
            "basis-market",
            "basis-engine",
            "basis-sim",
            "basis",
        ],
    ),
    ("own-exchange", &["basis"]),
    ("own-mode", &["basis"]),
    ("own-venue", &["basis"]),
    ("xtask", &[]),
];

/// Words that say something was left unfinished.
const UNFINISHED: &[&str] = &[
    "TO\u{44}O",
    "FIX\u{4d}E",
    "XX\u{58}",
    "todo\u{21}(",
    "unimplemented\u{21}(",
];

/// Lines in a source file beyond which it holds two subjects.
const LINES_MAX: usize = 900;

/// Checks every rule and lists all that is wrong.
pub(crate) fn run(root: &Path) -> Result<(), String> {
    let mut wrong = Vec::new();
    core_tree(root, &mut wrong)?;
    arrows(root, &mut wrong)?;
    let files = files(root)?;
    for (name, text) in &files {
        text_rules(name, text, &mut wrong);
    }
    circles::check(&files, &mut wrong);
    ledger::check(&files, &mut wrong);
    if wrong.is_empty() {
        return Ok(());
    }
    Err(format!(
        "{} finding(s):\n  {}",
        wrong.len(),
        wrong.join("\n  ")
    ))
}

fn core_tree(root: &Path, wrong: &mut Vec<String>) -> Result<(), String> {
    let output = Command::new("cargo")
        .args([
            "tree",
            "--package",
            "basis-core",
            "--edges",
            "normal",
            "--prefix",
            "none",
            "--locked",
        ])
        .current_dir(root)
        .output()
        .map_err(|e| format!("cargo tree: {e}"))?;
    if !output.status.success() {
        return Err(format!(
            "cargo tree: {}",
            String::from_utf8_lossy(&output.stderr)
        ));
    }
    let text = String::from_utf8_lossy(&output.stdout);
    let found: BTreeSet<&str> = text
        .lines()
        .filter_map(|line| line.split_whitespace().next())
        .collect();
    for name in found {
        if !CORE_TREE.contains(&name) {
            wrong.push(format!(
                "basis-core now pulls in `{name}`, which is not on its list"
            ));
        }
    }
    Ok(())
}

fn arrows(root: &Path, wrong: &mut Vec<String>) -> Result<(), String> {
    for (name, allowed) in ARROWS {
        let folder = match *name {
            "xtask" => root.join(name),
            "own-exchange" | "own-mode" | "own-venue" => root.join("examples").join(name),
            _ => root.join("crates").join(name),
        };
        let manifest = read(&folder.join("Cargo.toml"))?;
        let dependencies = manifest
            .split("[dependencies]")
            .nth(1)
            .and_then(|rest| rest.split("\n[").next())
            .unwrap_or_default();
        for line in dependencies.lines() {
            let other = line.split(['.', ' ', '=']).next().unwrap_or_default();
            if other.starts_with("basis") && !allowed.contains(&other) {
                wrong.push(format!(
                    "{name} depends on {other}: no such arrow in ARCHITECTURE.md"
                ));
            }
        }
    }
    Ok(())
}

fn text_rules(name: &str, text: &str, wrong: &mut Vec<String>) {
    for (line, at) in text.lines().zip(1..) {
        if UNFINISHED.iter().any(|word| line.contains(word)) {
            wrong.push(format!("{name}:{at}: unfinished"));
        }
        if line.contains('\t') || line.ends_with(' ') {
            wrong.push(format!("{name}:{at}: tab or trailing blank"));
        }
    }
    let lines = text.lines().count();
    if is_source(name) && lines > LINES_MAX {
        wrong.push(format!(
            "{name}: {lines} lines; split it, {LINES_MAX} is the most"
        ));
    }
}

fn is_source(name: &str) -> bool {
    Path::new(name)
        .extension()
        .is_some_and(|ending| ending == "rs")
}

/// What the rules are about: each file's path below the workspace's folder, and its text.
pub(crate) fn files(root: &Path) -> Result<Vec<(String, String)>, String> {
    let mut paths = Vec::new();
    for folder in ["crates", "examples", "xtask", "configs", "docs"] {
        collect(&root.join(folder), &mut paths)?;
    }
    let file = |path: &PathBuf| {
        let name = path.strip_prefix(root).unwrap_or(path).display();
        Ok((name.to_string(), read(path)?))
    };
    paths.iter().map(file).collect()
}

fn collect(folder: &Path, files: &mut Vec<PathBuf>) -> Result<(), String> {
    let listing = fs::read_dir(folder).map_err(|e| format!("{}: {e}", folder.display()))?;
    for entry in listing {
        let path = entry
            .map_err(|e| format!("{}: {e}", folder.display()))?
            .path();
        let name = path
            .file_name()
            .unwrap_or_default()
            .to_string_lossy()
            .into_owned();
        if path.is_dir() && !name.starts_with('.') && name != "target" && name != "__pycache__" {
            collect(&path, files)?;
        } else if matches!(
            path.extension().and_then(|e| e.to_str()),
            Some("rs" | "toml" | "yaml" | "md" | "py")
        ) {
            files.push(path);
        }
    }
    files.sort();
    Ok(())
}

fn read(path: &Path) -> Result<String, String> {
    fs::read_to_string(path).map_err(|e| format!("{}: {e}", path.display()))
}
