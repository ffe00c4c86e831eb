//! What may change between two starts of a book.
//!
//! A key may change when nothing that has happened depends on it: what decides from here on may be decided
//! otherwise, but the world, the capital, the prices and the rules of the past stay what they were.

use std::collections::BTreeMap;

use basis_core::config::{Node, NodeValue};
use basis_core::error::ComponentError;
use basis_core::journal::{JournalError, JournalHead};
use basis_core::types::Timestamp;

use crate::assembly::Setup;
use crate::config::yaml;

/// Keys whose values may change, and those below them: they decide what is done next. A mode adds its own.
pub const MAY_CHANGE: &[&str] = &[
    "component_config",
    "delta_tolerance",
    "dust_threshold",
    "execution",
    "expected_carry",
    "log_level",
    "margin_deviation_threshold",
    "min_transfer",
    "equity_deviation",
    "utilization_band",
    "rebalance_inner_band",
    "rebalance_min_interval_minutes",
    "rebalance_to",
    "reserve_ratio",
    "risk",
    "to",
];

/// Refuses a setup that differs from what a journal was begun with in a key that may not change, or that
/// ends before the journal does. A key that is there on one side only is a difference too.
///
/// # Errors
/// EXEC-005 naming the first such key with both values.
pub fn refuse(
    head: &JournalHead,
    setup: &Setup,
    last: Option<Timestamp>,
) -> Result<(), ComponentError> {
    let differs = |key: &str, journal: &str, start: &str| {
        let differs = JournalError::Differs {
            key: key.to_owned(),
            journal: journal.to_owned(),
            start: start.to_owned(),
        };
        Err(ComponentError::from(differs))
    };
    if head.mode != setup.run().mode {
        return differs("mode", &head.mode, setup.run().mode);
    }
    let journal = leaves(&head.config)?;
    let start = leaves(setup.config_yaml())?;
    let absent = "no such key";
    for (key, value) in &journal {
        match start.get(key) {
            Some(own) if own == value => {}
            Some(_) if may_change(setup, key) => {}
            own => return differs(key, value, own.map_or(absent, String::as_str)),
        }
    }
    if let Some((key, value)) = start.iter().find(|(key, _)| !journal.contains_key(*key)) {
        return differs(key, absent, value);
    }
    let to = setup.run().to;
    match last {
        Some(last) if to < last => differs(
            "the instant it has come to,",
            &last.to_string(),
            &format!("an end at {to}"),
        ),
        _ => Ok(()),
    }
}

fn may_change(setup: &Setup, key: &str) -> bool {
    let first = key.split(['.', '[']).next().unwrap_or(key);
    MAY_CHANGE.contains(&first) || setup.mode().may_change().contains(&first)
}

/// Every value of a configuration by its path.
fn leaves(text: &str) -> Result<BTreeMap<String, String>, ComponentError> {
    let tree = yaml::parse(text, "the journal's configuration").map_err(|problems| {
        let list: Vec<_> = problems.iter().map(ToString::to_string).collect();
        JournalError::Inconsistent(format!("its configuration: {}", list.join("; ")))
    })?;
    let mut found = BTreeMap::new();
    collect(&tree, String::new(), &mut found);
    Ok(found)
}

fn collect(node: &Node, path: String, found: &mut BTreeMap<String, String>) {
    match &node.value {
        NodeValue::Null => {
            found.insert(path, "null".to_owned());
        }
        NodeValue::Text(text) => {
            found.insert(path, text.clone());
        }
        NodeValue::List(items) => {
            for (at, item) in items.iter().enumerate() {
                collect(item, format!("{path}[{at}]"), found);
            }
        }
        NodeValue::Map(entries) => {
            for entry in entries {
                let dot = if path.is_empty() { "" } else { "." };
                collect(&entry.node, format!("{path}{dot}{}", entry.key), found);
            }
        }
    }
}
