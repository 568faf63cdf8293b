//! A trace as text: one row per call, indented below the call that it is part of.

use std::{
    collections::{HashMap, HashSet},
    fmt,
};

use wattle_core::{HostKey, Span, SpanId};

use super::Traced;
use crate::output::{Table, wrap_key};

/// Rows are indented so far at most.
const INDENTS_MAX: usize = 32;
/// Characters of a name.
const CELL_LEN_MAX: usize = 200;

impl fmt::Display for Traced {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&Tree::of(self).to_string())
    }
}

/// The rows under way.
struct Tree<'a> {
    traced: &'a Traced,
    /// By the span that they are part of, which a host that lies may have made a ring of.
    steps: HashMap<SpanId, Vec<usize>>,
    shown: HashSet<usize>,
    table: Table,
}

impl<'a> Tree<'a> {
    fn of(traced: &'a Traced) -> Table {
        let mut steps: HashMap<SpanId, Vec<usize>> = HashMap::new();
        for (index, span) in traced.spans.iter().enumerate() {
            steps.entry(span.parent).or_default().push(index);
        }
        let table = Table::new(&["CALL", "FUNCTION", "HOST", "TIME", "ENDED"]);
        let mut tree = Self { traced, steps, shown: HashSet::new(), table };
        let known: HashSet<SpanId> = traced.spans.iter().map(|span| span.span).collect();
        let is_root = |index: &usize| !known.contains(&traced.spans[*index].parent);
        let all = 0..traced.spans.len();
        // What is part of nothing that is known first; then what those do not lead to, so that nothing is hidden.
        for root in all.clone().filter(is_root).chain(all) {
            tree.show(root);
        }
        tree.table
    }

    /// Shows a span and all that is part of it. Not by recursion, whose depth others would choose.
    fn show(&mut self, root: usize) {
        let mut left = vec![(root, 0)];
        while let Some((index, depth)) = left.pop() {
            if !self.shown.insert(index) {
                continue;
            }
            let span = &self.traced.spans[index];
            let other_end = self.other_end(span);
            self.shown.extend(other_end);
            let there = other_end.map(|index| &self.traced.spans[index]);
            self.table.row(self.traced.row(span, there, depth));
            // Taken out: a host may give many spans one id, and what belongs to it is shown once.
            let steps = self.steps.remove(&there.unwrap_or(span).span).unwrap_or_default();
            left.extend(steps.into_iter().rev().map(|step| (step, depth + 1)));
        }
    }

    /// The same call as the host saw that it was sent to.
    fn other_end(&self, span: &Span) -> Option<usize> {
        let to = span.sent_to.as_ref()?;
        let mut steps = self.steps.get(&span.span)?.iter().copied();
        steps.find(|index| {
            let there = &self.traced.spans[*index];
            there.host == *to && there.callee == span.callee && !self.shown.contains(index)
        })
    }
}

impl Traced {
    fn row(&self, span: &Span, there: Option<&Span>, depth: usize) -> [String; 5] {
        let time = milliseconds(span.took_us);
        [
            format!(
                "{}{} -> {}",
                "  ".repeat(depth.min(INDENTS_MAX)),
                cell(&span.caller),
                cell(&span.callee)
            ),
            format!("{}.{}", cell(&span.interface), cell(&span.function)),
            match &span.sent_to {
                None => format!("{} (local)", self.name(&span.host)),
                Some(to) => format!("{} -> {} (remote)", self.name(&span.host), self.name(to)),
            },
            there.map_or(time.clone(), |there| {
                format!("{time} (there {})", milliseconds(there.took_us))
            }),
            ended(span, there),
        ]
    }

    fn name(&self, host: &HostKey) -> String {
        self.names.get(host).cloned().unwrap_or_else(|| wrap_key(host.as_str()))
    }
}

/// How the call ended, as its caller's host saw it, and the other one if that saw it otherwise.
fn ended(span: &Span, there: Option<&Span>) -> String {
    let word = |span: &Span| span.error.map_or("ok", |error| error.as_str());
    match there {
        Some(there) if there.error != span.error => {
            format!("{} (there {})", word(span), word(there))
        }
        _ => word(span).to_owned(),
    }
}

/// What a host says, as far as it fits on a line.
fn cell(text: &str) -> String {
    text.chars().take(CELL_LEN_MAX).map(|c| if c.is_control() { '?' } else { c }).collect()
}

fn milliseconds(us: u64) -> String {
    format!("{}.{:02} ms", us / 1_000, us % 1_000 / 10)
}

#[cfg(test)]
mod tests {
    use wattle_core::{CallId, ErrorKind};

    use super::*;

    const A: &str = "NABACYGBUVC3WIF5P7SWR3WW6ZGBPHQHXPZAUGTDTWHG5SNWVZYYQUUV";
    const B: &str = "NBBACYGBUVC3WIF5P7SWR3WW6ZGBPHQHXPZAUGTDTWHG5SNWVZYYQUUV";

    fn span(number: u64, parent: u64, names: [&str; 2], host: &str, sent_to: Option<&str>) -> Span {
        let [caller, callee] = names.map(str::to_owned);
        Span {
            span: SpanId::from_random(number),
            parent: SpanId::from_random(parent),
            call: CallId::from_bytes([1; 16]),
            caller,
            callee,
            interface: "x:y/z".to_owned(),
            function: "f".to_owned(),
            host: serde_json::from_value(host.into()).expect("a key"),
            sent_to: sent_to.map(|host| serde_json::from_value(host.into()).expect("a key")),
            began_us: number,
            took_us: number * 1_005,
            error: None,
        }
    }

    #[test]
    fn a_call_to_another_host_is_one_row_and_what_it_called_stands_below() {
        let mut spans = vec![
            span(2, 1, ["http", "counter"], A, Some(B)),
            span(3, 2, ["http", "counter"], B, None),
            span(4, 3, ["counter", "kv"], B, Some(A)),
            span(5, 3, ["counter", "log"], B, None),
        ];
        spans[1].error = Some(ErrorKind::Failed);
        spans[2].error = Some(ErrorKind::Unavailable);
        spans[3].function = "f\n".to_owned();
        let key = spans[0].host.clone();
        let traced = Traced { spans, names: HashMap::from([(key, "a".to_owned())]) };
        let expected = "\
CALL              FUNCTION  HOST                         TIME                     ENDED
http -> counter   x:y/z.f   a -> NBBACYGBUVC3… (remote)  2.01 ms (there 3.01 ms)  ok (there failed)
  counter -> kv   x:y/z.f   NBBACYGBUVC3… -> a (remote)  4.02 ms                  unavailable
  counter -> log  x:y/z.f?  NBBACYGBUVC3… (local)        5.02 ms                  ok
";
        assert_eq!(traced.to_string(), expected);
    }

    #[test]
    fn every_span_is_shown_once_whatever_a_host_says() {
        let rows = |spans: Vec<Span>| {
            let traced = Traced { spans, names: HashMap::new() };
            traced.to_string().lines().count() - 1
        };
        let ring = [span(2, 1, ["a", "b"], A, None), span(1, 2, ["a", "b"], A, None)];
        assert_eq!(rows(ring.to_vec()), 2);
        let same = span(2, 2, ["a", "b"], A, Some(A));
        assert_eq!(rows(vec![same; 3]), 2, "the ends of one call are one row");
        let alike = |count| rows(vec![span(2, 2, ["a", "b"], A, None); count]);
        assert_eq!(alike(20_000), 20_000, "and in a time that does not grow with the square");
        let chain = (2..2_000).map(|number| span(number, number - 1, ["a", "b"], A, None));
        assert_eq!(rows(chain.collect()), 1_998);
    }
}
