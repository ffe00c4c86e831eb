//! Settings of the factory: `component_config.execution_interface_factory`, the same for all modes.
//!
//! Precedence, low to high: embedded, file, environment, `--set`.

use std::ops::RangeInclusive;

use basis_core::config::{Location, Node, Problems, Reader};
use basis_core::types::Span;

use crate::credentials::Variables;

/// The variable that overrides `timeout`, in seconds.
pub const TIMEOUT_VARIABLE: &str = "EXECUTION_INTERFACE_FACTORY_TIMEOUT";
/// The variable that overrides `max_retries`.
pub const MAX_RETRIES_VARIABLE: &str = "EXECUTION_INTERFACE_FACTORY_MAX_RETRIES";

/// Where a layer given with `--set` says it comes from; it beats the environment.
const COMMAND_LINE: &str = "--set";

const TIMEOUT_SECONDS: RangeInclusive<i64> = 1..=300;
const MAX_RETRIES: RangeInclusive<i64> = 1..=10;

/// How the factory creates interfaces.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FactorySettings {
    timeout: Span,
    max_retries: u32,
    validation_strict: bool,
}

impl Default for FactorySettings {
    /// 30 s, 3 retries, strict.
    fn default() -> Self {
        Self {
            timeout: Span::from_seconds(30),
            max_retries: 3,
            validation_strict: true,
        }
    }
}

impl FactorySettings {
    /// Reads the section out of the root of the resolved configuration, and the two variables that
    /// override it. Whatever is wrong goes to `problems`, and the default stands in for it.
    #[must_use]
    pub fn read(root: &Node, problems: &Problems, variables: &Variables) -> Self {
        let default = Self::default();
        let mut settings = default;
        let mut from_command_line = (false, false);
        let section = Reader::new(root, "", problems)
            .section("component_config")
            .and_then(|reader| reader.section("execution_interface_factory"));
        if let Some(reader) = section {
            let seconds = reader.integer("timeout", TIMEOUT_SECONDS, default.timeout.seconds());
            settings.timeout = Span::from_seconds(seconds);
            let retries =
                reader.integer("max_retries", MAX_RETRIES, i64::from(default.max_retries));
            settings.max_retries = u32::try_from(retries).unwrap_or(default.max_retries);
            settings.validation_strict =
                reader.boolean("validation_strict", default.validation_strict);
            let is_set = |key: &str| {
                reader
                    .node(key)
                    .is_some_and(|node| &*node.location.source == COMMAND_LINE)
            };
            from_command_line = (is_set("timeout"), is_set("max_retries"));
            reader.finish();
        }
        // A bad variable is a problem even where `--set` would beat it.
        let timeout = variable(variables, TIMEOUT_VARIABLE, TIMEOUT_SECONDS, problems);
        let retries = variable(variables, MAX_RETRIES_VARIABLE, MAX_RETRIES, problems);
        if let Some(seconds) = timeout.filter(|_| !from_command_line.0) {
            settings.timeout = Span::from_seconds(seconds);
        }
        if let Some(retries) = retries.filter(|_| !from_command_line.1) {
            settings.max_retries = u32::try_from(retries).unwrap_or(default.max_retries);
        }
        settings
    }

    /// The bound of one attempt, 1 to 300 s.
    #[must_use]
    pub const fn timeout(&self) -> Span {
        self.timeout
    }

    /// Attempts after the first, 1 to 10.
    #[must_use]
    pub const fn max_retries(&self) -> u32 {
        self.max_retries
    }

    /// Whether a problem in `venue_settings.<venue>` fails the venue; otherwise it is a warning and
    /// the default stands in.
    #[must_use]
    pub const fn validation_strict(&self) -> bool {
        self.validation_strict
    }
}

/// The whole number in the variable `name`, if it is set, not empty, and within `bounds`.
fn variable(
    variables: &Variables,
    name: &str,
    bounds: RangeInclusive<i64>,
    problems: &Problems,
) -> Option<i64> {
    let text = variables.get(name)?.expose().to_owned();
    if text.is_empty() {
        return None;
    }
    let mut layer = Node::empty_map(Location::new("environment", 0));
    layer.set_path(name, Node::text(text, Location::new("environment", 0)));
    Reader::new(&layer, "", problems).within(name, bounds)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn root(pairs: &[(&str, &str, &str)]) -> Node {
        let mut root = Node::empty_map(Location::new("run.yaml", 1));
        for (line, (source, key, value)) in (3..).zip(pairs) {
            let line = if *source == "run.yaml" { line } else { 0 };
            let path = format!("component_config.execution_interface_factory.{key}");
            root.set_path(&path, Node::text(*value, Location::new(*source, line)));
        }
        root
    }

    fn variables(pairs: &[(&str, &str)]) -> Variables {
        pairs
            .iter()
            .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
            .collect()
    }

    fn read(root: &Node, variables: &Variables) -> (FactorySettings, Vec<String>) {
        let problems = Problems::new();
        let settings = FactorySettings::read(root, &problems, variables);
        let texts = problems
            .into_sorted()
            .iter()
            .map(ToString::to_string)
            .collect();
        (settings, texts)
    }

    #[test]
    fn defaults_stand_when_nothing_is_said() {
        let (settings, problems) = read(&root(&[]), &Variables::default());
        assert_eq!(settings, FactorySettings::default());
        assert_eq!(settings.timeout().seconds(), 30);
        assert!(settings.validation_strict() && problems.is_empty());
    }

    #[test]
    fn environment_beats_the_file_and_set_beats_the_environment() {
        let file = [
            ("run.yaml", "timeout", "10"),
            ("run.yaml", "max_retries", "2"),
        ];
        let environment = variables(&[(TIMEOUT_VARIABLE, "20"), (MAX_RETRIES_VARIABLE, "5")]);
        let (settings, problems) = read(&root(&file), &environment);
        assert!(problems.is_empty(), "{problems:?}");
        assert_eq!(
            (settings.timeout().seconds(), settings.max_retries()),
            (20, 5)
        );
        let set = [("--set", "timeout", "40"), ("run.yaml", "max_retries", "2")];
        let (settings, _) = read(&root(&set), &environment);
        assert_eq!(
            (settings.timeout().seconds(), settings.max_retries()),
            (40, 5)
        );
    }

    #[test]
    fn an_empty_variable_is_not_set() {
        let environment = variables(&[(TIMEOUT_VARIABLE, ""), (MAX_RETRIES_VARIABLE, "")]);
        let (settings, problems) = read(&root(&[("run.yaml", "timeout", "7")]), &environment);
        assert!(problems.is_empty(), "{problems:?}");
        assert_eq!(
            (settings.timeout().seconds(), settings.max_retries()),
            (7, 3)
        );
    }

    #[test]
    fn bounds_are_inclusive() {
        for (timeout, retries) in [("1", "1"), ("300", "10")] {
            let file = [
                ("run.yaml", "timeout", timeout),
                ("run.yaml", "max_retries", retries),
                ("run.yaml", "validation_strict", "false"),
            ];
            let (settings, problems) = read(&root(&file), &Variables::default());
            assert!(problems.is_empty() && !settings.validation_strict());
            assert_eq!(settings.timeout().seconds().to_string(), timeout);
        }
    }

    #[test]
    fn out_of_range_names_place_key_value_and_range() {
        let file = [
            ("run.yaml", "timeout", "301"),
            ("run.yaml", "max_retries", "0"),
            ("run.yaml", "validation_strict", "yes"),
            ("run.yaml", "timeuot", "3"),
        ];
        let environment = variables(&[(TIMEOUT_VARIABLE, "0"), (MAX_RETRIES_VARIABLE, "many")]);
        let (settings, problems) = read(&root(&file), &environment);
        assert_eq!(settings, FactorySettings::default());
        let section = "component_config.execution_interface_factory";
        assert_eq!(
            problems[0],
            "environment: EXECUTION_INTERFACE_FACTORY_MAX_RETRIES: `many` is no number from 1 to 10"
        );
        assert_eq!(
            problems[1],
            "environment: EXECUTION_INTERFACE_FACTORY_TIMEOUT: 0 is outside 1 to 300"
        );
        assert_eq!(
            problems[2],
            format!("run.yaml:3: {section}.timeout: 301 is outside 1 to 300")
        );
        assert_eq!(
            problems[3],
            format!("run.yaml:4: {section}.max_retries: 0 is outside 1 to 10")
        );
        assert!(
            problems[5].contains("did you mean `timeout`?"),
            "{problems:?}"
        );
        assert_eq!(problems.len(), 6);
    }

    #[test]
    fn other_components_sections_are_not_ours() {
        let mut root = root(&[]);
        let place = Location::new("run.yaml", 9);
        root.set_path(
            "component_config.risk_monitor.x",
            Node::text("1", place.clone()),
        );
        root.set_path(
            "execution_interface_factory_settings.timeout",
            Node::text("9", place),
        );
        let (settings, problems) = read(&root, &Variables::default());
        assert_eq!(settings, FactorySettings::default());
        assert!(problems.is_empty());
    }
}
