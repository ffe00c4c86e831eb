//! From a tree to the strict subset of YAML.
//!
//! By hand, because the hash of a configuration is that of this text: it must not move with the version of
//! a library, and a number keeps the digits it was written with (`0.10`), which no library's value keeps.

use std::fmt::Write as _;

use basis_core::config::{Entry, Node, NodeValue};

/// Writes `node` in the strict subset of YAML described in [the module](super).
#[must_use]
pub fn to_yaml(node: &Node) -> String {
    let mut out = String::new();
    match &node.value {
        NodeValue::Map(entries) if !entries.is_empty() => write_map(&mut out, entries, 0, false),
        NodeValue::List(items) if !items.is_empty() => write_list(&mut out, items, 0),
        value => {
            write_leaf(&mut out, value);
            out.push('\n');
        }
    }
    out
}

fn indent(out: &mut String, level: usize) {
    for _ in 0..level {
        out.push_str("  ");
    }
}

/// Writes entries at `level`; the first one continues a line when `inline`.
fn write_map(out: &mut String, entries: &[Entry], level: usize, inline: bool) {
    for (at, entry) in entries.iter().enumerate() {
        if at > 0 || !inline {
            indent(out, level);
        }
        if is_plain_key(&entry.key) {
            out.push_str(&entry.key);
        } else {
            write_string(out, &entry.key);
        }
        out.push(':');
        match &entry.node.value {
            NodeValue::Map(inner) if !inner.is_empty() => {
                out.push('\n');
                write_map(out, inner, level + 1, false);
            }
            NodeValue::List(items) if !items.is_empty() => {
                out.push('\n');
                write_list(out, items, level + 1);
            }
            value => {
                out.push(' ');
                write_leaf(out, value);
                out.push('\n');
            }
        }
    }
}

fn write_list(out: &mut String, items: &[Node], level: usize) {
    for item in items {
        indent(out, level);
        out.push('-');
        match &item.value {
            NodeValue::Map(entries) if !entries.is_empty() => {
                out.push(' ');
                write_map(out, entries, level + 1, true);
            }
            NodeValue::List(inner) if !inner.is_empty() => {
                out.push('\n');
                write_list(out, inner, level + 1);
            }
            value => {
                out.push(' ');
                write_leaf(out, value);
                out.push('\n');
            }
        }
    }
}

/// A scalar, or an empty collection.
fn write_leaf(out: &mut String, value: &NodeValue) {
    match value {
        NodeValue::Null => out.push_str("null"),
        NodeValue::Text(text) if is_plain_scalar(text) => out.push_str(text),
        NodeValue::Text(text) => write_string(out, text),
        NodeValue::List(_) => out.push_str("[]"),
        NodeValue::Map(_) => out.push_str("{}"),
    }
}

fn write_string(out: &mut String, text: &str) {
    out.push('"');
    for c in text.chars() {
        match c {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            // DEL and the C1 controls are printable in JSON but not in YAML; escaped they are both.
            c if u32::from(c) < 0x20
                || (0x7f..0xa0).contains(&u32::from(c))
                || "\u{2028}\u{2029}\u{feff}".contains(c) =>
            {
                write!(out, "\\u{:04x}", u32::from(c)).unwrap_or_default();
            }
            c => out.push(c),
        }
    }
    out.push('"');
}

fn is_plain_key(key: &str) -> bool {
    let words = ["true", "false", "null", "yes", "no", "on", "off", "y", "n"];
    key.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_')
        && key
            .chars()
            .all(|c| c.is_ascii_alphanumeric() || "_-.".contains(c))
        && !words.iter().any(|word| key.eq_ignore_ascii_case(word))
}

fn is_plain_scalar(text: &str) -> bool {
    matches!(text, "true" | "false") || is_json_number(text)
}

/// `-? (0 | [1-9][0-9]*) (. [0-9]+)? ([eE] [+-]? [0-9]+)?`
fn is_json_number(text: &str) -> bool {
    let digits = |text: &str| text.bytes().take_while(u8::is_ascii_digit).count();
    let unsigned = text.strip_prefix('-').unwrap_or(text);
    let whole = digits(unsigned);
    if whole == 0 || (whole > 1 && unsigned.starts_with('0')) {
        return false;
    }
    let mut rest = unsigned.get(whole..).unwrap_or_default();
    if let Some(fraction) = rest.strip_prefix('.') {
        let count = digits(fraction);
        if count == 0 {
            return false;
        }
        rest = fraction.get(count..).unwrap_or_default();
    }
    if let Some(exponent) = rest.strip_prefix(['e', 'E']) {
        let exponent = exponent.strip_prefix(['+', '-']).unwrap_or(exponent);
        let count = digits(exponent);
        if count == 0 {
            return false;
        }
        rest = exponent.get(count..).unwrap_or_default();
    }
    rest.is_empty()
}

#[cfg(test)]
mod tests {
    use basis_core::config::Location;

    use super::*;
    use crate::config::yaml::parse;

    /// The same tree without places.
    fn shape(node: &Node) -> Node {
        let location = Location::new("", 0);
        let value = match &node.value {
            NodeValue::List(items) => NodeValue::List(items.iter().map(shape).collect()),
            NodeValue::Map(entries) => NodeValue::Map(
                entries
                    .iter()
                    .map(|e| Entry {
                        key: e.key.clone(),
                        location: location.clone(),
                        node: shape(&e.node),
                    })
                    .collect(),
            ),
            other => other.clone(),
        };
        Node { value, location }
    }

    #[test]
    fn written_trees_read_back_the_same() {
        let source = "a: 0.10\nyes: x\n'odd key': [1, [2, {k: v, l: [3]}], {}, []]\n\
                      s: \"tab\\tquote\\\" back\\\\ line\\n é \\u0085\"\ne: {}\nf: []\n\
                      n: null\nt: 'null'\nz: 007\nd: 2024-01-01\n";
        let node = parse(source, "m.yaml").unwrap();
        let written = to_yaml(&node);
        let again = parse(&written, "again").unwrap();
        assert_eq!(shape(&again), shape(&node), "{written}");
        assert_eq!(to_yaml(&again), written);
    }

    #[test]
    fn the_written_subset_is_as_documented() {
        let node = parse(
            "a: 1.50\nb: {c: text, d: [x, {k: 1, l: true}]}\ne: [[1]]\n",
            "m",
        )
        .unwrap();
        assert_eq!(
            to_yaml(&node),
            "a: 1.50\nb:\n  c: \"text\"\n  d:\n    - \"x\"\n    - k: 1\n      l: true\ne:\n  -\n    - 1\n"
        );
    }

    #[test]
    fn only_json_numbers_stay_plain() {
        for number in ["0", "-1", "0.10", "1e5", "4.687e-05", "12.0E+3"] {
            assert!(is_json_number(number), "{number}");
        }
        for other in [
            "",
            "-",
            "01",
            "1.",
            ".5",
            "1e",
            "0x1",
            "1_000",
            "2024-01-01",
            "NaN",
        ] {
            assert!(!is_json_number(other), "{other}");
        }
    }
}

#[cfg(test)]
mod property_tests {
    use proptest::prelude::*;

    use basis_core::config::Location;

    use super::*;
    use crate::config::yaml::parse;

    fn place() -> Location {
        Location::new("", 0)
    }

    fn text() -> impl Strategy<Value = String> {
        prop_oneof![
            any::<String>(),
            "[-+.0-9eE_x]{0,8}",
            "(true|false|null|~|yes|- a|a: b|# c|\\{|\\[|&a|\\*a|!t| lead|trail )",
        ]
    }

    fn tree() -> impl Strategy<Value = Node> {
        let leaf = prop_oneof![Just(NodeValue::Null), text().prop_map(NodeValue::Text),];
        let value = leaf.prop_recursive(4, 40, 5, |inner| {
            let node = || {
                inner.clone().prop_map(|value| Node {
                    value,
                    location: place(),
                })
            };
            prop_oneof![
                prop::collection::vec(node(), 0..5).prop_map(NodeValue::List),
                prop::collection::btree_map(text(), node(), 0..5).prop_map(|map| {
                    let entry = |(key, node)| Entry {
                        key,
                        location: place(),
                        node,
                    };
                    NodeValue::Map(map.into_iter().map(entry).collect())
                }),
            ]
        });
        value.prop_map(|value| Node {
            value,
            location: place(),
        })
    }

    proptest! {
        #[test]
        fn prop_what_is_written_reads_back(node in tree()) {
            let written = to_yaml(&node);
            let read = parse(&written, "x");
            prop_assert!(read.is_ok(), "{written}\n{read:?}");
            prop_assert_eq!(to_yaml(&read.unwrap()), written);
        }

        #[test]
        fn prop_no_text_makes_the_reader_panic(text in any::<String>()) {
            let read = parse(&text, "x");
            prop_assert!(read.map_or_else(|problems| !problems.is_empty(), |_| true));
        }
    }
}
