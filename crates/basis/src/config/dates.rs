//! The dates of a run, as a user writes them.
//!
//! A date as start is its midnight, the run's exclusive start: bars that open on that day count. A
//! date as end is the end of that day. Instants stand as they are.

use basis_core::config::{Location, Node, NodeValue};
use basis_core::error::{Code, ComponentError};
use basis_core::types::{Span, Timestamp};

/// Which end of a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// The exclusive start.
    From,
    /// The inclusive end.
    To,
}

impl End {
    /// The key in the configuration.
    #[must_use]
    pub const fn key(self) -> &'static str {
        match self {
            Self::From => "from",
            Self::To => "to",
        }
    }
}

/// The instant that `text` means as `end` of a run.
#[must_use]
pub fn parse(text: &str, end: End) -> Option<Timestamp> {
    if let Ok(instant) = Timestamp::parse(text) {
        return Some(instant);
    }
    let midnight = Timestamp::parse(&format!("{text}T00:00:00Z")).ok()?;
    Some(match end {
        End::From => midnight,
        End::To => midnight.plus(Span::DAY),
    })
}

/// Turns `from` and `to` of the tree into instants, and refuses what is no date or reversed.
///
/// # Errors
/// CFG-004 with every problem, each with its place.
pub fn normalize(root: &mut Node) -> Result<(), ComponentError> {
    let mut problems = Vec::new();
    let mut ends = Vec::new();
    for end in [End::From, End::To] {
        let key = end.key();
        let Some(node) = root.get(key).filter(|node| node.value != NodeValue::Null) else {
            continue;
        };
        let place = node.location.clone();
        let instant = match &node.value {
            NodeValue::Text(text) => parse(text, end).ok_or_else(|| format!("`{text}`")),
            NodeValue::Null | NodeValue::List(_) | NodeValue::Map(_) => Err("it".to_owned()),
        };
        match instant {
            Ok(instant) => {
                root.set_path(key, Node::text(instant.to_string(), place.clone()));
                ends.push((instant, place));
            }
            Err(what) => problems.push(problem(
                &place,
                key,
                &format!("{what} is no date; write 2024-05-01 or 2024-05-01T08:00:00Z"),
            )),
        }
    }
    if let [(from, _), (to, place)] = ends.as_slice()
        && from >= to
    {
        let message = format!("the run would end at {to}, not after its start at {from}");
        problems.push(problem(place, "to", &message));
    }
    if problems.is_empty() {
        return Ok(());
    }
    Err(ComponentError::new(
        Code::DatesInvalid,
        problems.join("\n  "),
    ))
}

fn problem(place: &Location, key: &str, message: &str) -> String {
    if place.line == 0 {
        format!("{place}: {message}")
    } else {
        format!("{place}: {key}: {message}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn root(from: &str, to: &str) -> Node {
        let mut root = Node::empty_map(Location::new("m.yaml", 1));
        root.set_path("from", Node::text(from, Location::new("--from", 0)));
        root.set_path("to", Node::text(to, Location::new("m.yaml", 7)));
        root
    }

    #[test]
    fn dates_hold_their_whole_days() {
        let mut root = root("2024-05-01", "2024-05-01");
        normalize(&mut root).unwrap();
        let text = |key| root.get(key).map(|node| node.value.clone());
        assert_eq!(
            text("from"),
            Some(NodeValue::Text("2024-05-01T00:00:00Z".to_owned()))
        );
        assert_eq!(
            text("to"),
            Some(NodeValue::Text("2024-05-02T00:00:00Z".to_owned()))
        );
    }

    #[test]
    fn reversed_and_unreadable_dates_are_refused_with_their_place() {
        let e = normalize(&mut root("2024-05-02", "2024-05-01")).unwrap_err();
        assert_eq!(e.code, Code::DatesInvalid);
        assert!(
            e.message.starts_with("m.yaml:7: to: the run would end"),
            "{}",
            e.message
        );
        let e = normalize(&mut root("yesterday", "2024-02-30")).unwrap_err();
        assert!(
            e.message.contains("--from: `yesterday` is no date"),
            "{}",
            e.message
        );
        assert!(
            e.message.contains("m.yaml:7: to: `2024-02-30` is no date"),
            "{}",
            e.message
        );
    }

    #[test]
    fn an_empty_range_is_refused() {
        assert!(normalize(&mut root("2024-05-01T00:00:00Z", "2024-05-01T00:00:00Z")).is_err());
    }
}
