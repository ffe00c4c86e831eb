//! From YAML to a located tree.

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

#[cfg(test)]
mod tests {
    use super::*;

    fn text(node: &Node, path: &str) -> String {
        match &node.at_path(path).unwrap().value {
            NodeValue::Text(text) => text.clone(),
            other => panic!("{path}: {other:?}"),
        }
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
}
