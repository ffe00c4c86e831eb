//! Dated venue rules: those built into the program, and files of the user's merged over them by
//! instrument.
//!
//! The section `rules` is a list of files, each of which says whose rules it holds, or a map from
//! venue to a file or to the rules themselves. The resolved configuration of a run holds the rules
//! themselves, so that it can be run again anywhere.

use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

use basis_core::config::{Entry, Location, Node, NodeValue, Problems};
use basis_core::error::ComponentError;
use basis_core::rules::{RuleBook, VenueRules};
use basis_core::types::{Timestamp, Venue};

use super::{embedded, merge, read_file, yaml};

/// The rules of the venues of a run, as trees and as a book.
#[derive(Clone, Debug)]
pub struct Rules {
    /// One tree per venue, by name.
    pub trees: Vec<(Venue, Node)>,
    /// The same, read.
    pub book: Arc<RuleBook>,
    emitted: Arc<Mutex<Option<Emitted>>>,
}

/// The text of the snapshots in force within a range: variants of a run share both.
#[derive(Debug)]
struct Emitted {
    from: Timestamp,
    to: Timestamp,
    yaml: Arc<str>,
}

/// Replaces every file named under `rules` in `layer` by what it holds. Paths are relative to
/// `base`.
///
/// # Errors
/// CFG-002 for a file that cannot be read.
pub fn read_files(
    layer: &mut Node,
    base: &Path,
    problems: &Problems,
) -> Result<(), ComponentError> {
    let Some(section) = layer.get("rules") else {
        return Ok(());
    };
    let place = section.location.clone();
    let mut entries = Vec::new();
    match &section.value {
        NodeValue::Null => return Ok(()),
        NodeValue::List(items) => {
            for item in items {
                let NodeValue::Text(path) = &item.value else {
                    problems.add(
                        &item.location,
                        "rules",
                        "expected the path of a file of rules",
                    );
                    continue;
                };
                let node = read_file(&base.join(path))?;
                match node.get("venue").map(|node| &node.value) {
                    Some(NodeValue::Text(venue)) => {
                        entries.push(entry(venue, node.clone(), &place));
                    }
                    _ => problems.add(
                        &node.location,
                        "venue",
                        "is required: whose rules are these?",
                    ),
                }
            }
        }
        NodeValue::Map(venues) => {
            for venue in venues {
                let node = match &venue.node.value {
                    NodeValue::Text(path) => read_file(&base.join(path))?,
                    NodeValue::Map(_) => venue.node.clone(),
                    NodeValue::Null => continue,
                    NodeValue::List(_) => {
                        let path = format!("rules.{}", venue.key);
                        problems.add(
                            &venue.location,
                            path,
                            "expected the path of a file of rules",
                        );
                        continue;
                    }
                };
                entries.push(entry(&venue.key, node, &venue.location));
            }
        }
        NodeValue::Text(_) => {
            problems.add(
                &place,
                "rules",
                "expected a list of files, or venues with a file each",
            );
        }
    }
    layer.set_path("rules", Node::text("", place.clone()));
    layer.set_path(
        "rules",
        Node {
            value: NodeValue::Map(entries),
            location: place,
        },
    );
    Ok(())
}

fn entry(venue: &str, node: Node, place: &Location) -> Entry {
    Entry {
        key: venue.to_owned(),
        location: place.clone(),
        node,
    }
}

/// The rules of `venues`: those under `rules` in `root` over those built in. A venue with neither
/// has none; its driver may not need any.
#[must_use]
pub fn resolve(root: &Node, venues: &[Venue], problems: &Problems) -> Rules {
    let own = root.get("rules").map(Node::entries).unwrap_or_default();
    for entry in own {
        if !venues.iter().any(|venue| venue.as_str() == entry.key) {
            let names: Vec<_> = venues.iter().map(Venue::as_str).collect();
            let message = format!("is no venue of this run ({})", names.join(", "));
            problems.add(&entry.location, format!("rules.{}", entry.key), message);
        }
    }
    let mut trees = Vec::new();
    let mut read = Vec::new();
    for &venue in venues {
        let tree = match own.iter().find(|entry| entry.key == venue.as_str()) {
            Some(entry) => Some(match builtin(venue, problems) {
                Some(builtin) => merge::over(&builtin, &entry.node),
                None => entry.node.clone(),
            }),
            None => builtin(venue, problems),
        };
        let Some(tree) = tree else { continue };
        if let Some(rules) = VenueRules::read(&tree, problems) {
            if rules.venue != venue {
                let message = format!("these are the rules of {}, not of {venue}", rules.venue);
                problems.add(&tree.location, "venue", message);
            }
            read.push(rules);
        }
        trees.push((venue, tree));
    }
    Rules {
        trees,
        book: Arc::new(RuleBook::new(read)),
        emitted: Arc::default(),
    }
}

/// Rules of one venue as a run would have them: over those built in, where there are any.
#[must_use]
pub fn over_builtin(own: Node) -> Node {
    let Some(NodeValue::Text(name)) = own.get("venue").map(|node| &node.value) else {
        return own;
    };
    let venue = Venue::new(name).ok();
    // What is built in is sound: a test reads it.
    match venue.and_then(|venue| builtin(venue, &Problems::new())) {
        Some(builtin) => merge::over(&builtin, &own),
        None => own,
    }
}

fn builtin(venue: Venue, problems: &Problems) -> Option<Node> {
    let file = embedded::venue(venue.as_str())?;
    match yaml::parse(file.text, file.source) {
        Ok(node) => Some(node),
        Err(list) => {
            for problem in list {
                problems.add(&problem.location, problem.path, problem.message);
            }
            None
        }
    }
}

impl Rules {
    /// The section `rules` of a resolved configuration: the snapshots in force within `(from, to]`.
    #[must_use]
    pub fn in_force(&self, from: Timestamp, to: Timestamp) -> Node {
        let place = Location::new("resolved", 0);
        let mut section = Node::empty_map(place);
        for (venue, tree) in &self.trees {
            let mut tree = tree.clone();
            if let NodeValue::Map(entries) = &mut tree.value
                && let Some(snapshots) = entries.iter_mut().find(|entry| entry.key == "snapshots")
                && let NodeValue::List(items) = &mut snapshots.node.value
            {
                keep_in_force(items, from, to);
            }
            section.set_path(venue.as_str(), tree);
        }
        section
    }

    /// [`Rules::in_force`] as the last key of a configuration, in YAML.
    #[must_use]
    pub fn yaml_in_force(&self, from: Timestamp, to: Timestamp) -> Arc<str> {
        let lock = || self.emitted.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(emitted) = &*lock()
            && (emitted.from, emitted.to) == (from, to)
        {
            return Arc::clone(&emitted.yaml);
        }
        let section = self.in_force(from, to);
        let mut root = Node::empty_map(section.location.clone());
        root.set_path("rules", section);
        let yaml: Arc<str> = yaml::to_yaml(&root).into();
        *lock() = Some(Emitted {
            from,
            to,
            yaml: Arc::clone(&yaml),
        });
        yaml
    }
}

/// Drops snapshots that another has replaced by `from`, and those that begin after `to`.
fn keep_in_force(snapshots: &mut Vec<Node>, from: Timestamp, to: Timestamp) {
    let begins = |node: &Node| match node.get("effective_from").map(|node| &node.value) {
        Some(NodeValue::Text(day)) => Timestamp::parse(&format!("{day}T00:00:00Z")).ok(),
        _ => None,
    };
    let starts: Vec<_> = snapshots.iter().map(begins).collect();
    let first = starts.iter().flatten().min().copied();
    let base = starts
        .iter()
        .flatten()
        .filter(|at| **at <= from)
        .max()
        .copied()
        .or(first);
    let mut starts = starts.into_iter();
    snapshots.retain(|_| match starts.next().flatten() {
        Some(at) => Some(at) >= base && (at <= to || Some(at) == base),
        None => true,
    });
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_snapshots_in_force_are_copied() {
        let text = "snapshots:\n- {effective_from: 2024-01-01}\n- {effective_from: 2024-04-25}\n\
                    - {effective_from: 2025-01-01}\n";
        let node = yaml::parse(text, "r.yaml").unwrap();
        let Some(NodeValue::List(all)) = node.get("snapshots").map(|node| node.value.clone())
        else {
            panic!("a list")
        };
        let days = |from: &str, to: &str| {
            let mut kept = all.clone();
            keep_in_force(&mut kept, from.parse().unwrap(), to.parse().unwrap());
            kept.iter().map(yaml::to_yaml).collect::<String>()
        };
        assert_eq!(
            days("2024-05-01T00:00:00Z", "2024-06-01T00:00:00Z"),
            "effective_from: \"2024-04-25\"\n"
        );
        assert_eq!(
            days("2023-01-01T00:00:00Z", "2024-04-25T00:00:00Z"),
            "effective_from: \"2024-01-01\"\neffective_from: \"2024-04-25\"\n"
        );
        assert_eq!(
            days("2022-01-01T00:00:00Z", "2023-01-01T00:00:00Z"),
            "effective_from: \"2024-01-01\"\n"
        );
    }

    #[test]
    fn foreign_rules_and_unknown_venues_are_problems() {
        let source =
            "rules:\n  binance: {venue: bybit, snapshots: []}\n  kraken: {venue: kraken}\n";
        let root = yaml::parse(source, "c.yaml").unwrap();
        let problems = Problems::new();
        let _rules = resolve(&root, &[Venue::literal("binance")], &problems);
        let texts: Vec<_> = problems
            .into_sorted()
            .iter()
            .map(ToString::to_string)
            .collect();
        assert!(
            texts
                .iter()
                .any(|t| t.contains("rules.kraken: is no venue of this run (binance)")),
            "{texts:?}"
        );
        assert!(
            texts
                .iter()
                .any(|t| t.contains("at least one dated snapshot")),
            "{texts:?}"
        );
    }
}
