//! The layers of a configuration, and the checks of what they make together.

use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

use basis_core::config::{Location, Node, NodeValue, Problem, Problems, Reader};
use basis_core::error::{Code, ComponentError};
use basis_core::types::Venue;
use basis_core::venue::ExecutionMode;
use basis_engine::RunRequest;
use basis_engine::mode::Modes;
use basis_venues::factory::FactorySettings;
use basis_venues::registry::Registry;

use super::environment::{EXECUTION_MODE, Environment, LOG_LEVEL};
use super::rules::{self, Rules};
use super::setup::Setup;
use super::{dates, listed, read_file, yaml};
use crate::app::App;

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
    /// Every `--shock`, in order.
    pub shocks: &'a [String],
    /// A resolved configuration as a run wrote it; nothing else is laid over it.
    pub whole: Option<&'a str>,
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
    app: impl Into<App>,
) -> Result<Resolved, ComponentError> {
    Template::new(request, environment, app)?.resolve(&[])
}

/// All layers laid over each other, unchecked: what the variants of a sweep have in common.
#[derive(Debug)]
pub struct Template<'a> {
    mode: &'static str,
    root: Node,
    problems: Vec<Problem>,
    environment: &'a Environment,
    registry: Arc<Registry>,
    modes: Modes,
    /// The sound rules of venues whose rules no layer gives, so that they are read once.
    builtin_rules: Mutex<Vec<(Vec<Venue>, Arc<Rules>)>>,
}

impl<'a> Template<'a> {
    /// Reads and lays all layers; what their values mean is not looked at.
    ///
    /// # Errors
    /// CFG-003 for an unknown mode, CFG-002 for a file that cannot be read, CFG-005 for a `--set`
    /// without `=` and CFG-001 for one that is no YAML.
    pub fn new(
        request: &Request<'_>,
        environment: &'a Environment,
        app: impl Into<App>,
    ) -> Result<Self, ComponentError> {
        let App { venues, modes } = app.into();
        let mode = *modes.require(request.mode)?;
        let problems = Problems::new();
        let mut root = yaml::parse(mode.settings, mode.source)
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
        match request.whole {
            Some(text) => {
                let source = "the resolved configuration";
                let layer = yaml::parse(text, source);
                root.overlay(layer.map_err(|list| listed(Code::ConfigFile, source, &list))?);
            }
            None => root.overlay(environment_layer(environment)),
        }
        for text in request.sets {
            root.overlay(set_layer(text, SET, &problems)?);
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
        add_shocks(&mut root, request.shocks, &problems);
        Ok(Self {
            mode: mode.name,
            root,
            problems: problems.into_sorted(),
            environment,
            registry: Arc::new(venues),
            modes,
            builtin_rules: Mutex::default(),
        })
    }

    /// The layers in YAML, as far as they go.
    #[must_use]
    pub fn yaml(&self) -> String {
        yaml::to_yaml(&self.root)
    }

    /// The sentences of the shocks that all variants have in common.
    #[must_use]
    pub fn shocks(&self) -> Vec<&str> {
        let items = match self.root.get("shocks").map(|node| &node.value) {
            Some(NodeValue::List(items)) => items.as_slice(),
            _ => &[],
        };
        let mut sentences = Vec::with_capacity(items.len());
        for item in items {
            if let NodeValue::Text(text) = &item.value {
                sentences.push(text.as_str());
            }
        }
        sentences
    }

    /// A layer that sets one key, written `key.path=value` behind the option `option`.
    ///
    /// # Errors
    /// CFG-005 without `=`, CFG-002 for a file of rules that cannot be read, CFG-001 when the value
    /// is not usable.
    pub fn layer(option: &str, text: &str) -> Result<Node, ComponentError> {
        let problems = Problems::new();
        let layer = set_layer(text, option, &problems)?;
        let problems = problems.into_sorted();
        if problems.is_empty() {
            return Ok(layer);
        }
        let what = format!("{option} {text}");
        Err(listed(Code::ConfigInvalid, &what, &problems))
    }

    /// Lays `layers` on top, in order, and checks the result.
    ///
    /// # Errors
    /// CFG-004 for unusable dates and CFG-001 with every problem of the values.
    pub fn resolve(&self, layers: &[&Node]) -> Result<Resolved, ComponentError> {
        let mut root = self.root.clone();
        for layer in layers {
            root.overlay((*layer).clone());
        }
        dates::normalize(&mut root)?;
        let problems = Problems::new();
        for problem in &self.problems {
            problems.add(&problem.location, &*problem.path, &*problem.message);
        }
        self.read(root, &problems).ok_or_else(|| {
            listed(
                Code::ConfigInvalid,
                "the configuration",
                &problems.into_sorted(),
            )
        })
    }

    /// The typed configuration; `None` when there are problems.
    fn read(&self, mut root: Node, problems: &Problems) -> Option<Resolved> {
        let mode = self.mode;
        if let Some(node) = root.get("mode")
            && node.value != NodeValue::Text(mode.to_owned())
        {
            let message =
                format!("this configuration is not for the mode `{mode}` that was asked for");
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
        let factory = FactorySettings::read(&root, problems, self.environment.variables());
        check_component_config(&root, problems);
        let rules_section = take(&mut root, "rules");
        let run = self.modes.read(&root, &RunRequest::default(), problems);
        let venues = venues_of(&root);
        check_venues(&root, &venues, &self.registry, problems);
        let rules = self.rules(rules_section, &with_wallet(&venues), problems);
        if !problems.is_empty() {
            return None;
        }
        take(&mut root, "log_level");
        Some(Resolved {
            setup: Setup::new(root, run?, rules, factory, Arc::clone(&self.registry)),
            execution_mode,
            log_level,
        })
    }

    fn rules(&self, section: Option<Node>, venues: &[Venue], problems: &Problems) -> Arc<Rules> {
        let section = section.filter(|section| !section.entries().is_empty());
        if let Some(section) = section {
            let mut with_rules = Node::empty_map(section.location.clone());
            with_rules.set_path("rules", section);
            return Arc::new(rules::resolve(&with_rules, venues, problems));
        }
        let mut known = self
            .builtin_rules
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        if let Some((_, rules)) = known.iter().find(|(of, _)| of == venues) {
            return Arc::clone(rules);
        }
        let own = Problems::new();
        let nothing = Node::empty_map(Location::new("embedded", 0));
        let rules = Arc::new(rules::resolve(&nothing, venues, &own));
        if own.is_empty() {
            known.push((venues.to_vec(), Arc::clone(&rules)));
        }
        for problem in own.into_sorted() {
            problems.add(&problem.location, problem.path, problem.message);
        }
        rules
    }
}

/// Appends the sentences of `--shock` to those of the configuration.
fn add_shocks(root: &mut Node, shocks: &[String], problems: &Problems) {
    if shocks.is_empty() {
        return;
    }
    let place = Location::new("--shock", 0);
    let mut all = match root.get("shocks").map(|node| (node, &node.value)) {
        None | Some((_, NodeValue::Null)) => Vec::new(),
        Some((_, NodeValue::List(list))) => list.clone(),
        Some((node, _)) => {
            problems.add(&node.location, "shocks", "expected a list");
            return;
        }
    };
    all.extend(shocks.iter().map(|text| Node::text(text, place.clone())));
    let value = NodeValue::List(all);
    root.set_path(
        "shocks",
        Node {
            value,
            location: place,
        },
    );
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

fn set_layer(text: &str, option: &str, problems: &Problems) -> Result<Node, ComponentError> {
    let usage = |what: &str| {
        let message = format!("{option} {text}: {what}; write {option} key.path=value");
        ComponentError::new(Code::Usage, message)
    };
    let (path, value) = text
        .split_once('=')
        .ok_or_else(|| usage("there is no `=`"))?;
    if path.split('.').any(str::is_empty) {
        return Err(usage("the key path has an empty part"));
    }
    let value = yaml::parse_value(value, option)
        .map_err(|list| listed(Code::ConfigInvalid, &format!("{option} {path}"), &list))?;
    let mut layer = Node::empty_map(Location::new(option, 0));
    layer.set_path(path, value);
    rules::read_files(&mut layer, Path::new(""), problems)?;
    Ok(layer)
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
    for key in ["hedge_allocation", "spot_allocation"] {
        for entry in root.get(key).map(Node::entries).unwrap_or_default() {
            let path = format!("{key}.{}", entry.key);
            traded.push((&entry.key, &entry.location, path));
        }
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
