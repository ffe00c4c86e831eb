//! The layers of a configuration, and the checks of what they make together.

use std::path::Path;

use basis_core::config::{Location, Node, NodeValue, Problems, Reader};
use basis_core::error::{Code, ComponentError};
use basis_core::types::Venue;
use basis_core::venue::ExecutionMode;
use basis_engine::{RunConfig, RunRequest};
use basis_venues::factory::FactorySettings;
use basis_venues::registry::Registry;

use super::environment::{EXECUTION_MODE, Environment, LOG_LEVEL};
use super::{dates, embedded, listed, read_file, rules, yaml};
use crate::assembly::Setup;

/// The source of values given with `--set`; the factory ranks them by it.
const SET: &str = "--set";

/// What the command line asks for.
#[derive(Clone, Copy, Debug, Default)]
pub struct Request<'a> {
    /// The mode.
    pub mode: &'a str,
    /// `--config`.
    pub file: Option<&'a Path>,
    /// Every `--set key=value`, in order.
    pub sets: &'a [String],
    /// `--capital`.
    pub capital: Option<&'a str>,
    /// `--from`.
    pub from: Option<&'a str>,
    /// `--to`.
    pub to: Option<&'a str>,
}

/// A configuration that holds together.
#[derive(Clone, Debug)]
pub struct Resolved {
    /// What runs.
    pub setup: Setup,
    /// Backtest or live, as the configuration says.
    pub execution_mode: ExecutionMode,
    /// What reaches stderr.
    pub log_level: LogLevel,
}

/// Lays all layers over each other and checks the result.
///
/// # Errors
/// CFG-003 for an unknown mode, CFG-002 for a file that cannot be read, CFG-004 for unusable dates,
/// CFG-005 for a `--set` without `=`, and CFG-001 with every problem of the values.
pub fn resolve(
    request: &Request<'_>,
    environment: &Environment,
    registry: &Registry,
) -> Result<Resolved, ComponentError> {
    let mode = embedded::mode(request.mode)?;
    let problems = Problems::new();
    let mut root = yaml::parse(mode.text, mode.source)
        .map_err(|list| listed(Code::ConfigFile, mode.source, &list))?;
    if let Some(path) = request.file {
        let mut layer = read_file(path)?;
        let base = path.parent().unwrap_or(Path::new(""));
        rules::read_files(&mut layer, base, &problems)?;
        match layer.value {
            NodeValue::Map(_) => root.overlay(layer),
            NodeValue::Null => {}
            NodeValue::Text(_) | NodeValue::List(_) => {
                problems.add(&layer.location, "(the file)", "expected keys with values");
            }
        }
    }
    root.overlay(environment_layer(environment));
    for text in request.sets {
        root.overlay(set_layer(text, &problems)?);
    }
    for (flag, key, value) in [
        ("--capital", "initial_capital", request.capital),
        ("--from", "from", request.from),
        ("--to", "to", request.to),
    ] {
        if let Some(value) = value {
            root.set_path(key, Node::text(value, Location::new(flag, 0)));
        }
    }
    dates::normalize(&mut root)?;
    read(root, mode.name, environment, registry, &problems).ok_or_else(|| {
        listed(
            Code::ConfigInvalid,
            "the configuration",
            &problems.into_sorted(),
        )
    })
}

/// The settings that the environment may override.
fn environment_layer(environment: &Environment) -> Node {
    let mut layer = Node::empty_map(Location::new("environment", 0));
    for (variable, key) in [(EXECUTION_MODE, "execution_mode"), (LOG_LEVEL, "log_level")] {
        if let Some(value) = environment.setting(variable) {
            let place = Location::new(format!("environment {variable}"), 0);
            layer.set_path(key, Node::text(value, place));
        }
    }
    layer
}

fn set_layer(text: &str, problems: &Problems) -> Result<Node, ComponentError> {
    let usage = |what: &str| {
        let message = format!("--set {text}: {what}; write --set key.path=value");
        ComponentError::new(Code::Usage, message)
    };
    let (path, value) = text
        .split_once('=')
        .ok_or_else(|| usage("there is no `=`"))?;
    if path.split('.').any(str::is_empty) {
        return Err(usage("the key path has an empty part"));
    }
    let value = yaml::parse_value(value, SET)
        .map_err(|list| listed(Code::ConfigInvalid, &format!("--set {path}"), &list))?;
    let mut layer = Node::empty_map(Location::new(SET, 0));
    layer.set_path(path, value);
    rules::read_files(&mut layer, Path::new(""), problems)?;
    Ok(layer)
}

/// The typed configuration; `None` when there are problems.
fn read(
    mut root: Node,
    mode: &str,
    environment: &Environment,
    registry: &Registry,
    problems: &Problems,
) -> Option<Resolved> {
    if let Some(node) = root.get("mode")
        && node.value != NodeValue::Text(mode.to_owned())
    {
        let message = format!("this configuration is not for the mode `{mode}` that was asked for");
        problems.add(&node.location, "mode", message);
        return None;
    }
    let reader = Reader::new(&root, "", problems);
    let modes = [
        ("backtest", ExecutionMode::Backtest),
        ("live", ExecutionMode::Live),
    ];
    let execution_mode = reader.choice("execution_mode", &modes, ExecutionMode::Backtest);
    let log_level = reader.choice("log_level", &LogLevel::ALL, LogLevel::Info);
    drop(reader);
    let factory = FactorySettings::read(&root, problems, environment.variables());
    check_component_config(&root, problems);
    let rules_section = take(&mut root, "rules");
    let run = RunConfig::read(&root, &RunRequest::default(), problems);
    let venues = venues_of(&root);
    check_venues(&root, &venues, registry, problems);
    let mut with_rules = Node::empty_map(root.location.clone());
    if let Some(section) = rules_section {
        with_rules.set_path("rules", section);
    }
    let rules = rules::resolve(&with_rules, &with_wallet(&venues), problems);
    if !problems.is_empty() {
        return None;
    }
    take(&mut root, "log_level");
    Some(Resolved {
        setup: Setup::new(root, run?, rules, factory),
        execution_mode,
        log_level,
    })
}

/// What of the program's notes reaches stderr.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum LogLevel {
    /// Everything, where values come from included.
    Debug,
    /// What happens.
    #[default]
    Info,
    /// What should be looked at.
    Warning,
    /// Failures only.
    Error,
}

impl LogLevel {
    /// The levels by the words a configuration has for them.
    pub const ALL: [(&'static str, Self); 4] = [
        ("DEBUG", Self::Debug),
        ("INFO", Self::Info),
        ("WARNING", Self::Warning),
        ("ERROR", Self::Error),
    ];
}

/// Takes `key` out of a map.
fn take(root: &mut Node, key: &str) -> Option<Node> {
    let NodeValue::Map(entries) = &mut root.value else {
        return None;
    };
    let at = entries.iter().position(|entry| entry.key == key)?;
    Some(entries.remove(at).node)
}

/// The factory is the only component with settings; any other section there is a slip.
fn check_component_config(root: &Node, problems: &Problems) {
    if let Some(section) = Reader::new(root, "", problems).section("component_config") {
        let _known = section.node("execution_interface_factory");
        section.finish();
    }
}

fn venues_of(root: &Node) -> Vec<Venue> {
    let entries = root
        .get("venue_settings")
        .map(Node::entries)
        .unwrap_or_default();
    entries
        .iter()
        .filter_map(|entry| Venue::new(&entry.key).ok())
        .collect()
}

fn with_wallet(venues: &[Venue]) -> Vec<Venue> {
    let mut all = venues.to_vec();
    if !all.contains(&Venue::WALLET) {
        all.push(Venue::WALLET);
    }
    all
}

/// Every venue the mode trades at must be a key of `venue_settings`. Whether the venues there are
/// known is the factory's to say: one that nobody trades at does not stop a run.
fn check_venues(root: &Node, venues: &[Venue], registry: &Registry, problems: &Problems) {
    let mut traded = Vec::new();
    if let Some(node) = root.get("spot_venue")
        && let NodeValue::Text(text) = &node.value
    {
        traded.push((text.as_str(), &node.location, "spot_venue".to_owned()));
    }
    for entry in root
        .get("hedge_allocation")
        .map(Node::entries)
        .unwrap_or_default()
    {
        let path = format!("hedge_allocation.{}", entry.key);
        traded.push((&entry.key, &entry.location, path));
    }
    for (name, place, path) in traded {
        if venues.iter().any(|venue| venue.as_str() == name) {
            continue;
        }
        let message = match registry.require(name) {
            Ok(_) => format!("`{name}` is not among venue_settings; add `{name}: {{}}` there"),
            Err(e) => e.message,
        };
        problems.add(place, path, message);
    }
}
