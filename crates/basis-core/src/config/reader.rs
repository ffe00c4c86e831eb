//! Reads typed values out of a located tree and collects every problem.

use std::cell::RefCell;
use std::fmt;
use std::ops::RangeInclusive;
use std::str::FromStr;

use super::node::{Entry, Location, Node, NodeValue};
use crate::num::Fixed18;

/// One thing wrong with the configuration.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Problem {
    /// Where.
    pub location: Location,
    /// Dotted key path.
    pub path: String,
    /// What is wrong, with value and bound.
    pub message: String,
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}: {}", self.location, self.path, self.message)
    }
}

/// Everything wrong, collected while reading.
#[derive(Debug, Default)]
pub struct Problems {
    list: RefCell<Vec<Problem>>,
}

impl Problems {
    /// Nothing wrong yet.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a problem.
    pub fn add(&self, location: &Location, path: impl Into<String>, message: impl Into<String>) {
        self.list.borrow_mut().push(Problem {
            location: location.clone(),
            path: path.into(),
            message: message.into(),
        });
    }

    /// Whether nothing is wrong.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.list.borrow().is_empty()
    }

    /// The problems, by place.
    #[must_use]
    pub fn into_sorted(self) -> Vec<Problem> {
        let mut list = self.list.into_inner();
        list.sort();
        list.dedup();
        list
    }
}

/// Reads one map. Every key asked for is known; [`Reader::finish`] reports the others.
#[derive(Debug)]
pub struct Reader<'a> {
    node: &'a Node,
    path: String,
    problems: &'a Problems,
    known: RefCell<Vec<String>>,
}

impl<'a> Reader<'a> {
    /// A reader of the map `node` that stands at `path` (empty at the root).
    ///
    /// A node that is no map is a problem, and reads as an empty one; nothing at all is an empty
    /// map.
    #[must_use]
    pub fn new(node: &'a Node, path: impl Into<String>, problems: &'a Problems) -> Self {
        let reader = Self {
            node,
            path: path.into(),
            problems,
            known: RefCell::default(),
        };
        if !matches!(node.value, NodeValue::Map(_) | NodeValue::Null) {
            problems.add(
                &node.location,
                &*reader.path,
                "expected a section with keys",
            );
        }
        reader
    }

    /// The problems this reader reports to.
    #[must_use]
    pub const fn problems(&self) -> &'a Problems {
        self.problems
    }

    /// Where the section was written.
    #[must_use]
    pub const fn location(&self) -> &'a Location {
        &self.node.location
    }

    /// The dotted path of `key` in this section.
    #[must_use]
    pub fn path_of(&self, key: &str) -> String {
        if self.path.is_empty() {
            key.to_owned()
        } else {
            format!("{}.{key}", self.path)
        }
    }

    /// Reports a problem at `key`.
    pub fn problem(&self, key: &str, message: impl Into<String>) {
        let location = self
            .node
            .get(key)
            .map_or(&self.node.location, |node| &node.location);
        self.problems.add(location, self.path_of(key), message);
    }

    /// The value of `key`, if it is there and not null.
    #[must_use]
    pub fn node(&self, key: &str) -> Option<&'a Node> {
        self.known.borrow_mut().push(key.to_owned());
        self.node
            .get(key)
            .filter(|node| node.value != NodeValue::Null)
    }

    /// A reader of the section `key`, if it is there.
    #[must_use]
    pub fn section(&self, key: &str) -> Option<Self> {
        let node = self.node(key)?;
        Some(Self::new(node, self.path_of(key), self.problems))
    }

    /// The entries of the free-form map `key`: its keys are data, not settings.
    #[must_use]
    pub fn map(&self, key: &str) -> &'a [Entry] {
        match self.node(key) {
            Some(node) if matches!(node.value, NodeValue::Map(_)) => node.entries(),
            Some(_) => {
                self.problem(key, "expected a section with keys");
                &[]
            }
            None => &[],
        }
    }

    /// The items of the list `key`; none when it is absent.
    #[must_use]
    pub fn list(&self, key: &str) -> &'a [Node] {
        match self.node(key).map(|node| &node.value) {
            Some(NodeValue::List(items)) => items,
            Some(_) => {
                self.problem(key, "expected a list");
                &[]
            }
            None => &[],
        }
    }

    /// The text of `key`, if it is there.
    #[must_use]
    pub fn text(&self, key: &str) -> Option<&'a str> {
        match &self.node(key)?.value {
            NodeValue::Text(text) => Some(text),
            NodeValue::Null | NodeValue::List(_) | NodeValue::Map(_) => {
                self.problem(key, "expected a single value");
                None
            }
        }
    }

    /// The text of `key`, which must be there.
    #[must_use]
    pub fn required_text(&self, key: &str) -> Option<&'a str> {
        if self.node(key).is_none() {
            self.problem(key, "is required");
            return None;
        }
        self.text(key)
    }

    /// A value parsed from text, if `key` is there; a text that does not parse is a problem.
    #[must_use]
    pub fn parse<T>(&self, key: &str) -> Option<T>
    where
        T: FromStr,
        T::Err: fmt::Display,
    {
        let text = self.text(key)?;
        text.parse()
            .map_err(|e| self.problem(key, format!("`{text}`: {e}")))
            .ok()
    }

    /// As [`Reader::parse`], for a key that must be there.
    #[must_use]
    pub fn required<T>(&self, key: &str) -> Option<T>
    where
        T: FromStr,
        T::Err: fmt::Display,
    {
        self.required_text(key)?;
        self.parse(key)
    }

    /// A number within `bounds`, or `default` when absent; out of bounds is a problem.
    #[must_use]
    pub fn fixed(&self, key: &str, bounds: RangeInclusive<Fixed18>, default: Fixed18) -> Fixed18 {
        self.within(key, bounds).unwrap_or(default)
    }

    /// A whole number within `bounds`, or `default` when absent; out of bounds is a problem.
    #[must_use]
    pub fn integer(&self, key: &str, bounds: RangeInclusive<i64>, default: i64) -> i64 {
        self.within(key, bounds).unwrap_or(default)
    }

    /// A parsed value within `bounds`, if there.
    #[must_use]
    pub fn within<T>(&self, key: &str, bounds: RangeInclusive<T>) -> Option<T>
    where
        T: FromStr + PartialOrd + fmt::Display,
        T::Err: fmt::Display,
    {
        let text = self.text(key)?;
        match text.parse::<T>() {
            Ok(value) if bounds.contains(&value) => Some(value),
            Ok(value) => {
                let (low, high) = (bounds.start(), bounds.end());
                self.problem(key, format!("{value} is outside {low} to {high}"));
                None
            }
            Err(_) => {
                let (low, high) = (bounds.start(), bounds.end());
                let has_decimals = text.parse::<Fixed18>().is_ok();
                let number = if has_decimals {
                    "whole number"
                } else {
                    "number"
                };
                self.problem(key, format!("`{text}` is no {number} from {low} to {high}"));
                None
            }
        }
    }

    /// `true` or `false`, or `default` when absent.
    #[must_use]
    pub fn boolean(&self, key: &str, default: bool) -> bool {
        match self.text(key) {
            None => default,
            Some("true") => true,
            Some("false") => false,
            Some(other) => {
                self.problem(key, format!("`{other}` is neither true nor false"));
                default
            }
        }
    }

    /// One of named choices, or `default` when absent.
    #[must_use]
    pub fn choice<T: Copy>(&self, key: &str, choices: &[(&str, T)], default: T) -> T {
        let Some(text) = self.text(key) else {
            return default;
        };
        if let Some((_, value)) = choices.iter().find(|(name, _)| *name == text) {
            return *value;
        }
        let names: Vec<_> = choices.iter().map(|(name, _)| *name).collect();
        let near = nearest(text, names.iter().copied())
            .map(|name| format!("; did you mean `{name}`?"))
            .unwrap_or_default();
        self.problem(
            key,
            format!("`{text}` is none of {}{near}", names.join(", ")),
        );
        default
    }

    /// Reports every key that nobody asked for, with the nearest known one.
    pub fn finish(self) {
        let known = self.known.borrow();
        for entry in self.node.entries() {
            if known.contains(&entry.key) {
                continue;
            }
            let near = nearest(&entry.key, known.iter().map(String::as_str))
                .map(|name| format!("; did you mean `{name}`?"))
                .unwrap_or_default();
            let mut names: Vec<_> = known.iter().map(String::as_str).collect();
            names.sort_unstable();
            names.dedup();
            let message = format!("unknown key{near} (known: {})", names.join(", "));
            self.problems
                .add(&entry.location, self.path_of(&entry.key), message);
        }
    }
}

/// The candidate that most resembles `word`, if any comes near.
#[must_use]
pub fn nearest<'c>(word: &str, candidates: impl Iterator<Item = &'c str>) -> Option<&'c str> {
    candidates
        .map(|candidate| (strsim::jaro_winkler(word, candidate), candidate))
        .filter(|(score, _)| *score > 0.75)
        .max_by(|a, b| a.0.total_cmp(&b.0))
        .map(|(_, candidate)| candidate)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn node(pairs: &[(&str, &str)]) -> Node {
        let mut root = Node::empty_map(Location::new("m.yaml", 1));
        for (line, (path, text)) in (2..).zip(pairs) {
            root.set_path(path, Node::text(*text, Location::new("m.yaml", line)));
        }
        root
    }

    #[test]
    fn all_problems_are_reported_at_once_with_their_places() {
        let root = node(&[
            ("timeout", "301"),
            ("max_retires", "2"),
            ("validation_strict", "yes"),
        ]);
        let problems = Problems::new();
        let reader = Reader::new(&root, "component_config", &problems);
        assert_eq!(reader.integer("timeout", 1..=300, 30), 30);
        assert_eq!(reader.integer("max_retries", 1..=10, 3), 3);
        assert!(reader.boolean("validation_strict", true));
        reader.finish();
        let texts: Vec<_> = problems
            .into_sorted()
            .iter()
            .map(ToString::to_string)
            .collect();
        assert_eq!(texts.len(), 3, "{texts:?}");
        assert_eq!(
            texts[0],
            "m.yaml:2: component_config.timeout: 301 is outside 1 to 300"
        );
        assert!(texts[1].contains("max_retires: unknown key; did you mean `max_retries`?"));
        assert!(texts[2].contains("m.yaml:4"));
    }
}
