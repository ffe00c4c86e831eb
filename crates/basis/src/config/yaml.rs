//! YAML to a located tree and back.
//!
//! Reading. Every scalar stays text exactly as written, so that `4.687e-05` and `0.10` keep their
//! digits; a plain `null`, `~` or nothing is no value. What a configuration does not need and what
//! hides things from a reader is refused: anchors, aliases, tags, several documents, a key twice.
//!
//! Writing. [`to_yaml`] emits a strict subset that a short parser of anybody's can read:
//!
//! - block style only, two blanks per level, `\n` line ends, no comments, no blank lines;
//! - a map entry is `key: scalar`, or `key:` followed by a deeper map or list;
//! - a list item is `- scalar`; `- key: scalar` starts a map whose other keys stand two blanks deeper
//!   than the dash; a list within a list is a `-` alone, followed by the deeper list;
//! - an empty map is `{}`, an empty list `[]`;
//! - a scalar is a JSON number, `true`, `false`, `null`, or a JSON string in double quotes;
//! - a key is plain when it is made of letters, digits, `_`, `-` and `.`, begins with a letter or
//!   `_`, and is no word YAML reads otherwise; else it is a JSON string.

use std::fmt::Write as _;
use std::sync::Arc;

use basis_core::config::{Entry, Location, Node, NodeValue, Problem, Problems};
use saphyr_parser::{Event, Parser, ScalarStyle, Span};

/// Levels of nesting beyond which a file is refused.
const DEPTH_MAX: usize = 32;

/// Reads the YAML document `text`; `source` names it in every problem.
///
/// # Errors
/// Everything wrong with it as YAML, with its place.
pub fn parse(text: &str, source: &str) -> Result<Node, Vec<Problem>> {
    let mut builder = Builder::new(source, true);
    builder.read(text);
    builder.finish()
}

/// Reads the value of a `--set`: a scalar or a flow collection, placed at `source` without a line.
///
/// # Errors
/// Everything wrong with it as YAML.
pub fn parse_value(text: &str, source: &str) -> Result<Node, Vec<Problem>> {
    let mut builder = Builder::new(source, false);
    builder.read(text);
    builder.finish()
}

/// A collection that is being read.
struct Open {
    node: Node,
    /// The key whose value comes next.
    key: Option<(String, Location)>,
    path: String,
}

struct Builder {
    source: Arc<str>,
    with_lines: bool,
    problems: Problems,
    stack: Vec<Open>,
    root: Option<Node>,
    documents: u32,
    failed: bool,
}

impl Builder {
    fn new(source: &str, with_lines: bool) -> Self {
        Self {
            source: source.into(),
            with_lines,
            problems: Problems::new(),
            stack: Vec::new(),
            root: None,
            documents: 0,
            failed: false,
        }
    }

    fn place(&self, line: usize) -> Location {
        let line = if self.with_lines {
            u32::try_from(line).unwrap_or(u32::MAX)
        } else {
            0
        };
        Location::new(Arc::clone(&self.source), line)
    }

    fn read(&mut self, text: &str) {
        for event in Parser::new_from_str(text) {
            match event {
                Ok((event, span)) => self.take(event, span),
                Err(e) => {
                    let place = self.place(e.marker().line());
                    self.stop(&place, format!("no valid YAML: {}", e.info()));
                }
            }
            if self.failed {
                return;
            }
        }
    }

    fn stop(&mut self, place: &Location, message: String) {
        self.problems.add(place, self.path(), message);
        self.failed = true;
    }

    /// The dotted path of what is being read.
    fn path(&self) -> String {
        match self.stack.last() {
            Some(Open {
                path,
                key: Some((key, _)),
                ..
            }) if path.is_empty() => key.clone(),
            Some(Open {
                path,
                key: Some((key, _)),
                ..
            }) => format!("{path}.{key}"),
            Some(Open { path, node, .. }) => match &node.value {
                NodeValue::List(items) => format!("{path}[{}]", items.len()),
                _ => path.clone(),
            },
            None => String::new(),
        }
    }

    fn take(&mut self, event: Event<'_>, span: Span) {
        let place = self.place(span.start.line());
        match event {
            Event::DocumentStart(_) => {
                self.documents += 1;
                if self.documents > 1 {
                    self.stop(&place, "one document per file is read".to_owned());
                }
            }
            Event::Alias(_) => {
                self.problems.add(
                    &place,
                    self.path(),
                    "aliases are not read; write the value out",
                );
                self.put(Node {
                    value: NodeValue::Null,
                    location: place,
                });
            }
            Event::Scalar(text, style, anchor, tag) => {
                self.refuse_decoration(anchor, tag.is_some(), &place);
                self.scalar(&text, style, place);
            }
            Event::SequenceStart(anchor, tag) => {
                self.refuse_decoration(anchor, tag.is_some(), &place);
                self.open(NodeValue::List(Vec::new()), place);
            }
            Event::MappingStart(anchor, tag) => {
                self.refuse_decoration(anchor, tag.is_some(), &place);
                self.open(NodeValue::Map(Vec::new()), place);
            }
            Event::SequenceEnd | Event::MappingEnd => {
                if let Some(open) = self.stack.pop() {
                    self.put(open.node);
                }
            }
            Event::Nothing | Event::StreamStart | Event::StreamEnd | Event::DocumentEnd => {}
        }
    }

    fn refuse_decoration(&self, anchor: usize, tagged: bool, place: &Location) {
        if anchor != 0 {
            self.problems.add(
                place,
                self.path(),
                "anchors are not read; write the value out",
            );
        }
        if tagged {
            self.problems.add(
                place,
                self.path(),
                "tags are not read; write the value as text",
            );
        }
    }

    fn scalar(&mut self, text: &str, style: ScalarStyle, place: Location) {
        if let Some(open) = self.stack.last_mut()
            && matches!(open.node.value, NodeValue::Map(_))
            && open.key.is_none()
        {
            open.key = Some((text.to_owned(), place));
            return;
        }
        let nothing = style == ScalarStyle::Plain && matches!(text, "" | "~" | "null");
        let value = if nothing {
            NodeValue::Null
        } else {
            NodeValue::Text(text.to_owned())
        };
        self.put(Node {
            value,
            location: place,
        });
    }

    fn open(&mut self, value: NodeValue, place: Location) {
        if self.stack.len() >= DEPTH_MAX {
            self.stop(&place, format!("nested deeper than {DEPTH_MAX} levels"));
            return;
        }
        let wants_key = self
            .stack
            .last()
            .is_some_and(|open| matches!(open.node.value, NodeValue::Map(_)) && open.key.is_none());
        if wants_key {
            self.stop(&place, "a key must be a single value".to_owned());
            return;
        }
        let path = self.path();
        self.stack.push(Open {
            node: Node {
                value,
                location: place,
            },
            key: None,
            path,
        });
    }

    fn put(&mut self, node: Node) {
        let path = self.path();
        let Some(open) = self.stack.last_mut() else {
            self.root = Some(node);
            return;
        };
        match &mut open.node.value {
            NodeValue::List(items) => items.push(node),
            NodeValue::Map(entries) => {
                let Some((key, location)) = open.key.take() else {
                    return;
                };
                if let Some(first) = entries.iter().find(|entry| entry.key == key) {
                    let message = format!("this key stands twice, first at {}", first.location);
                    self.problems.add(&location, path, message);
                    return;
                }
                entries.push(Entry {
                    key,
                    location,
                    node,
                });
            }
            NodeValue::Null | NodeValue::Text(_) => {}
        }
    }

    fn finish(self) -> Result<Node, Vec<Problem>> {
        let empty = Node {
            value: NodeValue::Null,
            location: self.place(1),
        };
        let problems = self.problems.into_sorted();
        if problems.is_empty() {
            Ok(self.root.unwrap_or(empty))
        } else {
            Err(problems)
        }
    }
}

/// Writes `node` in the strict subset of YAML described in the module's documentation.
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
    use super::*;

    fn text(node: &Node, path: &str) -> String {
        match &node.at_path(path).unwrap().value {
            NodeValue::Text(text) => text.clone(),
            other => panic!("{path}: {other:?}"),
        }
    }

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
    fn scalars_keep_every_digit_and_know_their_line() {
        let node = parse(
            "a: 4.687e-05\nb:\n  c: 0.10 # comment\n  d: \"null\"\ne: ~\n",
            "m.yaml",
        )
        .unwrap();
        assert_eq!(text(&node, "a"), "4.687e-05");
        assert_eq!(text(&node, "b.c"), "0.10");
        assert_eq!(text(&node, "b.d"), "null");
        assert_eq!(node.get("e").unwrap().value, NodeValue::Null);
        assert_eq!(
            node.at_path("b.c").unwrap().location.to_string(),
            "m.yaml:3"
        );
    }

    #[test]
    fn a_key_twice_is_a_problem_with_both_places() {
        let problems = parse("a:\n  b: 1\n  b: 2\nc: 1\nc: 2\n", "m.yaml").unwrap_err();
        let texts: Vec<_> = problems.iter().map(ToString::to_string).collect();
        assert_eq!(
            texts,
            [
                "m.yaml:3: a.b: this key stands twice, first at m.yaml:2",
                "m.yaml:5: c: this key stands twice, first at m.yaml:4",
            ]
        );
    }

    #[test]
    fn broken_yaml_names_its_line() {
        let problems = parse("a: 1\nb: [1, 2\nc: 3\n", "m.yaml").unwrap_err();
        assert!(
            problems[0].to_string().starts_with("m.yaml:"),
            "{problems:?}"
        );
        assert!(
            problems[0].message.starts_with("no valid YAML"),
            "{problems:?}"
        );
    }

    #[test]
    fn what_hides_values_from_a_reader_is_refused() {
        for source in [
            "a: &x 1\nb: *x\n",
            "a: !!str 1\n",
            "a: 1\n---\nb: 2\n",
            "? [a]\n: 1\n",
        ] {
            assert!(parse(source, "m.yaml").is_err(), "{source}");
        }
        assert!(parse(&"[".repeat(200), "m.yaml").is_err());
    }

    #[test]
    fn values_of_set_are_scalars_or_flow() {
        assert_eq!(
            parse_value("perp.bybit.BTCUSDT", "--set").unwrap().value,
            NodeValue::Text("perp.bybit.BTCUSDT".to_owned())
        );
        let flow = parse_value("{binance: 0.5, bybit: 0.5}", "--set").unwrap();
        assert_eq!(text(&flow, "bybit"), "0.5");
        assert_eq!(flow.location.to_string(), "--set");
        assert_eq!(parse_value("", "--set").unwrap().value, NodeValue::Null);
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

    use super::*;

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
