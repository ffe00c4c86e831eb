//! The located tree.

use std::fmt;
use std::sync::Arc;

/// Where a value was written.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Location {
    /// A file's path, `embedded configs/modes/btc_basis.yaml`, `environment` or `--set`.
    pub source: Arc<str>,
    /// Line from 1; 0 where the source has no lines.
    pub line: u32,
}

impl Location {
    /// A place in `source`.
    #[must_use]
    pub fn new(source: impl Into<Arc<str>>, line: u32) -> Self {
        Self {
            source: source.into(),
            line,
        }
    }
}

impl fmt::Display for Location {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.line {
            0 => f.write_str(&self.source),
            line => write!(f, "{}:{line}", self.source),
        }
    }
}

/// A value and where it was written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Node {
    /// The value.
    pub value: NodeValue,
    /// Its place.
    pub location: Location,
}

/// One key of a map with its value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// The key.
    pub key: String,
    /// Where the key was written.
    pub location: Location,
    /// Its value.
    pub node: Node,
}

/// Text, list or map; numbers stay text so that no digit is lost.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum NodeValue {
    /// Nothing after the colon.
    Null,
    /// A scalar as written, quotes removed.
    Text(String),
    /// A list.
    List(Vec<Node>),
    /// A map in the order written, keys unique.
    Map(Vec<Entry>),
}

impl Node {
    /// An empty map at `location`.
    #[must_use]
    pub const fn empty_map(location: Location) -> Self {
        Self {
            value: NodeValue::Map(Vec::new()),
            location,
        }
    }

    /// A scalar at `location`.
    #[must_use]
    pub fn text(text: impl Into<String>, location: Location) -> Self {
        Self {
            value: NodeValue::Text(text.into()),
            location,
        }
    }

    /// The entries of a map; none for anything else.
    #[must_use]
    pub fn entries(&self) -> &[Entry] {
        match &self.value {
            NodeValue::Map(entries) => entries,
            NodeValue::Null | NodeValue::Text(_) | NodeValue::List(_) => &[],
        }
    }

    /// The value of `key` in a map.
    #[must_use]
    pub fn get(&self, key: &str) -> Option<&Self> {
        self.entries()
            .iter()
            .find(|entry| entry.key == key)
            .map(|entry| &entry.node)
    }

    /// The value at a dotted path.
    #[must_use]
    pub fn at_path(&self, path: &str) -> Option<&Self> {
        path.split('.').try_fold(self, |node, key| node.get(key))
    }

    /// Lays `upper` over this: maps merge key by key, anything else is replaced.
    pub fn overlay(&mut self, upper: Self) {
        match (&mut self.value, upper.value) {
            (NodeValue::Map(below), NodeValue::Map(above)) => {
                for entry in above {
                    match below
                        .iter_mut()
                        .find(|candidate| candidate.key == entry.key)
                    {
                        Some(existing) => existing.node.overlay(entry.node),
                        None => below.push(entry),
                    }
                }
            }
            (value, above) => {
                *value = above;
                self.location = upper.location;
            }
        }
    }

    /// Puts `node` at a dotted path, making the maps on the way.
    pub fn set_path(&mut self, path: &str, node: Self) {
        let location = node.location.clone();
        let layer = path.rsplit('.').fold(node, |inner, key| Self {
            value: NodeValue::Map(vec![Entry {
                key: key.to_owned(),
                location: location.clone(),
                node: inner,
            }]),
            location: location.clone(),
        });
        self.overlay(layer);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn upper_layers_replace_values_and_merge_maps() {
        let place = || Location::new("a.yaml", 3);
        let mut base = Node::empty_map(place());
        base.set_path("data.gaps", Node::text("refuse", place()));
        base.set_path("data.step", Node::text("1h", place()));
        base.set_path("data.gaps", Node::text("hold", Location::new("--set", 0)));
        let gaps = base.at_path("data.gaps").unwrap();
        assert_eq!(gaps.value, NodeValue::Text("hold".to_owned()));
        assert_eq!(gaps.location.to_string(), "--set");
        assert_eq!(
            base.at_path("data.step").unwrap().location.to_string(),
            "a.yaml:3"
        );
    }
}
