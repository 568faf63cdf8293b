//! A YAML document as a tree in which each value knows where it stands.

use std::{
    collections::HashMap,
    ops::{Deref, Range},
};

use granit_parser::{Event, Marker, Parser, ScalarStyle, ScanError, Span, Tag};
use serde::Serialize;

use super::finding::Finding;

/// The most bytes of a manifest.
pub const TEXT_LEN_MAX: usize = 1 << 20;
/// Values of a document, those that aliases repeat included: a few bytes of aliases can stand for billions of values.
const VALUES_MAX: usize = 50_000;
/// Values within values.
const DEPTH_MAX: usize = 64;

/// Where something stands in a manifest.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Place {
    /// From 1.
    pub line: usize,
    /// In characters, from 1.
    pub column: usize,
    /// The bytes of the text that are meant.
    #[serde(skip)]
    pub bytes: Range<usize>,
}

/// What was read, and where it stands. Two are the same if what was read is.
#[derive(Clone, Debug)]
pub struct Placed<T> {
    /// What was read.
    pub value: T,
    /// Where it stands.
    pub place: Place,
}

impl<T> Deref for Placed<T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.value
    }
}

impl<T: PartialEq> PartialEq for Placed<T> {
    fn eq(&self, other: &Self) -> bool {
        self.value == other.value
    }
}

impl<T: Eq> Eq for Placed<T> {}

/// A value and its place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Node {
    pub(super) place: Place,
    pub(super) value: Value,
}

/// Numbers and truth values are kept as they were written: whoever reads them knows what they have to be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Value {
    Null,
    Text(String),
    List(Vec<Node>),
    Map(Vec<(Key, Node)>),
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Key {
    pub(super) text: String,
    pub(super) place: Place,
}

/// Reads the one document of a text.
pub(super) fn parse(text: &str) -> Result<Node, Finding> {
    if text.len() > TEXT_LEN_MAX {
        let what = format!("a manifest has at most {TEXT_LEN_MAX} bytes, this has {}", text.len());
        return Err(Finding::error(&Place::default(), what));
    }
    let options = granit_parser::options! {
        flow_nesting_limit: DEPTH_MAX,
        block_nesting_limit: DEPTH_MAX,
    };
    let mut tree = Tree {
        text,
        line_end: 0,
        open: Vec::new(),
        anchors: HashMap::new(),
        values: 0,
        bytes: 0,
        root: None,
    };
    for event in Parser::new_from_str_with_options(text, options) {
        let (event, span) = event.map_err(|error| tree.scan_error(&error))?;
        tree.take(event, span)?;
    }
    tree.root.ok_or_else(|| Finding::error(&Place::default(), "the manifest is empty"))
}

/// What a value takes, all that is in it included.
#[derive(Clone, Copy, Debug)]
struct Weight {
    values: usize,
    bytes: usize,
    depth: usize,
}

/// A collection whose end has not come.
struct Open {
    node: Node,
    /// Where its first line ends.
    line_end: usize,
    weight: Weight,
    anchor: usize,
    /// A map's key that waits for its value.
    key: Option<Key>,
    /// The lines of a map's keys.
    lines: HashMap<String, usize>,
}

struct Tree<'a> {
    text: &'a str,
    /// Where the line ends in which the last collection began: many may begin in one line.
    line_end: usize,
    open: Vec<Open>,
    anchors: HashMap<usize, (Node, Weight)>,
    values: usize,
    bytes: usize,
    root: Option<Node>,
}

impl Tree<'_> {
    fn take(&mut self, event: Event<'_>, span: Span) -> Result<(), Finding> {
        let place = self.place(span.start, span.end);
        match event {
            Event::SequenceStart(_, anchor, tag) => {
                known(&place, tag.as_deref(), &["seq"])?;
                self.begin(place, Value::List(Vec::new()), anchor)
            }
            Event::MappingStart(_, anchor, tag) => {
                known(&place, tag.as_deref(), &["map"])?;
                self.begin(place, Value::Map(Vec::new()), anchor)
            }
            Event::Scalar(text, style, anchor, tag) => {
                known(&place, tag.as_deref(), &["str", "int", "float", "bool", "null"])?;
                let weight = Weight { values: 1, bytes: text.len(), depth: 0 };
                self.spend(&place, weight)?;
                let is_null = style == ScalarStyle::Plain
                    && tag.is_none_or(|tag| tag.suffix() != "str")
                    && matches!(&*text, "" | "~" | "null" | "Null" | "NULL");
                let value = if is_null { Value::Null } else { Value::Text(text.into_owned()) };
                self.done(Node { place, value }, weight, anchor)
            }
            Event::SequenceEnd | Event::MappingEnd => match self.open.pop() {
                Some(Open { mut node, line_end, weight, anchor, .. }) => {
                    // To a person, a collection of several lines is its first one.
                    let end = span.end.byte_offset().unwrap_or(0);
                    node.place.bytes.end = end.clamp(node.place.bytes.start, line_end);
                    self.done(node, weight, anchor)
                }
                None => Ok(()),
            },
            Event::Alias(anchor) => {
                let Some((_, weight)) = self.anchors.get(&anchor) else {
                    return Err(Finding::error(&place, "an alias inside of what it stands for"));
                };
                let weight = *weight;
                self.spend(&place, weight)?;
                let value = self.anchors.get(&anchor).map(|(node, _)| node.value.clone());
                self.done(Node { place, value: value.unwrap_or(Value::Null) }, weight, 0)
            }
            _ => Ok(()),
        }
    }

    fn begin(&mut self, place: Place, value: Value, anchor: usize) -> Result<(), Finding> {
        let weight = Weight { values: 1, bytes: 0, depth: 0 };
        self.spend(&place, weight)?;
        let start = place.bytes.start;
        if start >= self.line_end {
            let rest = self.text.get(start..).unwrap_or_default();
            let line = rest.split(['\r', '\n']).next().unwrap_or_default();
            self.line_end = start + line.trim_end().len();
        }
        let line_end = self.line_end.max(start);
        let node = Node { place, value };
        self.open.push(Open { node, line_end, weight, anchor, key: None, lines: HashMap::new() });
        Ok(())
    }

    /// Counts a value that is there once more, before it takes memory.
    fn spend(&mut self, place: &Place, weight: Weight) -> Result<(), Finding> {
        self.values += weight.values;
        self.bytes += weight.bytes;
        let limit = if self.values > VALUES_MAX {
            format!("{VALUES_MAX} values")
        } else if self.bytes > TEXT_LEN_MAX {
            format!("{TEXT_LEN_MAX} bytes")
        } else if self.open.len() + weight.depth >= DEPTH_MAX {
            format!("{DEPTH_MAX} values within each other")
        } else {
            return Ok(());
        };
        let what = format!("a manifest has at most {limit}, those that aliases repeat included");
        Err(Finding::error(place, what))
    }

    /// A value is complete: it goes where it belongs.
    fn done(&mut self, node: Node, weight: Weight, anchor: usize) -> Result<(), Finding> {
        if anchor != 0 {
            self.spend(&node.place, Weight { depth: 0, ..weight })?;
            self.anchors.insert(anchor, (node.clone(), weight));
        }
        let Some(within) = self.open.last_mut() else {
            return self.document(node);
        };
        within.weight.values += weight.values;
        within.weight.bytes += weight.bytes;
        within.weight.depth = within.weight.depth.max(weight.depth + 1);
        match &mut within.node.value {
            Value::List(items) => items.push(node),
            Value::Map(entries) => match within.key.take() {
                Some(key) => entries.push((key, node)),
                None => within.key = Some(key(node, &mut within.lines)?),
            },
            Value::Null | Value::Text(_) => {}
        }
        Ok(())
    }

    /// A whole document. Empty ones, which a separator too many makes, are none.
    fn document(&mut self, node: Node) -> Result<(), Finding> {
        let is_there = self.root.as_ref().is_some_and(|root| root.value != Value::Null);
        if is_there && node.value != Value::Null {
            return Err(Finding::error(&node.place, "a manifest is one document")
                .with_help("write one file per application"));
        }
        if !is_there {
            self.root = Some(node);
        }
        Ok(())
    }

    fn place(&self, start: Marker, end: Marker) -> Place {
        let bytes = start.byte_offset().unwrap_or(0)..end.byte_offset().unwrap_or(0);
        // A text of several lines is shown by its first.
        let within = self.text.get(bytes.clone()).unwrap_or_default();
        let first = within.lines().next().unwrap_or_default().trim_end();
        Place {
            line: start.line(),
            column: start.col() + 1,
            bytes: bytes.start..bytes.start + first.len(),
        }
    }

    fn scan_error(&self, error: &ScanError) -> Finding {
        let at = *error.marker();
        Finding::error(&self.place(at, at), format!("this is not YAML: {}", error.info()))
    }
}

/// Tags say what a value is, which whoever reads it knows; those of YAML itself do no harm where they fit.
fn known(place: &Place, tag: Option<&Tag>, fitting: &[&str]) -> Result<(), Finding> {
    let Some(tag) = tag else { return Ok(()) };
    let is_core = tag.handle() == "tag:yaml.org,2002:" && fitting.contains(&tag.suffix());
    if is_core {
        return Ok(());
    }
    let what = format!("the tag {}{} means nothing here", tag.handle(), tag.suffix());
    Err(Finding::error(place, what))
}

fn key(node: Node, lines: &mut HashMap<String, usize>) -> Result<Key, Finding> {
    let Node { place, value: Value::Text(text) } = node else {
        return Err(Finding::error(&node.place, "a field's name is a text"));
    };
    if let Some(first) = lines.insert(text.clone(), place.line) {
        return Err(Finding::error(
            &place,
            format!("{text:?} is said twice, first in line {first}"),
        ));
    }
    Ok(Key { text, place })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn each_value_knows_its_place() {
        let root = parse("a: 1\nb:\n  - ~\n  - {c: 'x y'}\n").expect("YAML");
        let Value::Map(entries) = root.value else { panic!("a map") };
        let Value::List(items) = &entries[1].1.value else { panic!("a list") };
        assert_eq!(entries[0].1.value, Value::Text("1".to_owned()));
        assert_eq!(items[0].value, Value::Null);
        let Value::Map(inner) = &items[1].value else { panic!("a map") };
        let place = &inner[0].1.place;
        assert_eq!((place.line, place.column, place.bytes.clone()), (4, 9, 22..27));
    }

    #[test]
    fn what_no_manifest_needs_is_refused_where_it_stands() {
        for (text, line, why) in [
            ("", 0, "empty"),
            ("a: 1\na: 2\n", 2, "twice"),
            ("a: 1\n---\nb: 2\n", 3, "one document"),
            ("a: !!binary aGk=\n", 1, "binary"),
            ("a: !own {b: c}\n", 1, "own"),
            ("a: [1\n", 1, "not YAML"),
            ("? [a]\n: b\n", 1, "is a text"),
            ("a: &x [*x]\n", 1, "alias"),
        ] {
            let finding = parse(text).expect_err(text);
            assert!(finding.message.contains(why), "{text:?}: {finding:?}");
            assert_eq!(finding.place.line, line, "{text:?}: {finding:?}");
        }
        let deep = "[".repeat(100_000);
        assert!(parse(&deep).is_err());
        assert!(parse(&" ".repeat(TEXT_LEN_MAX + 1)).is_err());
    }

    #[test]
    fn an_empty_document_more_and_a_fitting_tag_do_no_harm() {
        let root = parse("---\n---\na: !!str null\n...\n---\n").expect("YAML");
        let Value::Map(entries) = root.value else { panic!("a map") };
        assert_eq!(entries[0].1.value, Value::Text("null".to_owned()));
    }

    #[test]
    fn a_collection_is_where_it_stands_and_no_more_than_its_first_line() {
        let text = "a: {b: [c]}\rd:\n  - e\n  - [f,\n     g]\n";
        let Value::Map(entries) = parse(text).expect("YAML").value else { panic!("a map") };
        let shown = |node: &Node| text[node.place.bytes.clone()].to_owned();
        assert_eq!(shown(&entries[0].1), "{b: [c]}");
        let Value::List(items) = &entries[1].1.value else { panic!("a list") };
        assert_eq!((shown(&entries[1].1), shown(&items[1])), ("- e".to_owned(), "[f,".to_owned()));
    }

    #[test]
    fn a_few_bytes_cannot_stand_for_more_than_a_manifest_has() {
        let repeated = |first: String, next: &dyn Fn(usize) -> String, count: usize| {
            (1..count).fold(format!("a0: &a0 {first}\n"), |text, n| {
                text + &format!("a{n}: &a{n} {}\n", next(n - 1))
            })
        };
        let wide = |last: usize| format!("[{}]", vec![format!("*a{last}"); 10].join(", "));
        let deep = |last: usize| format!("[[[[[*a{last}]]]]]");
        let many = vec!["*x"; 40_000].join(", ");
        for (text, limit) in [
            (repeated("[x, x]".to_owned(), &wide, 12), "values"),
            (repeated("x".to_owned(), &deep, 40), "within each other"),
            (format!("a: &x \"{}\"\nb: [{many}]\n", "x".repeat(500_000)), "bytes"),
        ] {
            let finding = parse(&text).expect_err(limit);
            assert!(finding.message.contains(limit), "{finding:?}");
        }
    }

    #[test]
    fn a_place_is_in_characters_and_in_bytes() {
        let text = "ä: ü\n\"é\":\n  ñ: [\"ö\", x]\n";
        let root = parse(text).expect("YAML");
        let Value::Map(entries) = root.value else { panic!("a map") };
        let Value::Map(inner) = &entries[1].1.value else { panic!("a map") };
        let Value::List(items) = &inner[0].1.value else { panic!("a list") };
        let place = &items[1].place;
        assert_eq!((place.line, place.column, &text[place.bytes.clone()]), (3, 12, "x"));
        assert_eq!(&text[inner[0].1.place.bytes.clone()], "[\"ö\", x]");
        assert_eq!(&text[entries[1].1.place.bytes.clone()], "ñ: [\"ö\", x]");
    }

    proptest! {
        #[test]
        fn no_text_is_too_much(text in "[a-c:\\-\\[\\]{}&*?|>'\"#!%@ \n\t0,ä]{0,200}") {
            let _: Result<Node, Finding> = parse(&text);
        }
    }
}
