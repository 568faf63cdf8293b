//! What a link lets its caller send to, from the link's constraints.

use wattle_core::Constraints;

use crate::{
    CONSTRAINTS, SUBJECTS,
    error::{Failure, Kind},
};

/// One part of a pattern.
const ONE: &str = "*";
/// The rest of a pattern.
const REST: &str = ">";
/// Subjects that begin with this belong to the broker itself: NATS's `$JS.API.…`, MQTT's `$SYS/…`.
const SYSTEM: char = '$';

/// A link's constraints, understood.
///
/// A subject falls into parts at the broker's separators. In a pattern `*` stands for one part and `>`, at the end, for one or
/// more. Subjects of the broker itself, which begin with `$`, are out of reach unless a pattern begins with `$`, too.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Scope {
    /// Only subjects that match one of these, where there are any.
    patterns: Option<Vec<String>>,
    separators: &'static [char],
}

/// Why a link's constraints cannot be held, so that the link must not hold either.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ScopeError {
    /// The contract has no such constraint.
    #[error("constraint {0:?} is not known to wasmcloud:messaging, which has subjects")]
    Unknown(String),
    /// The text is no pattern.
    #[error("{0:?} is no pattern of subjects: * stands for one whole part, > for the last ones")]
    Pattern(String),
}

impl Scope {
    /// What these constraints allow, of a broker that separates a subject's parts so. A constraint that is not known fails; one
    /// without values allows nothing.
    pub fn new(constraints: &Constraints, separators: &'static [char]) -> Result<Self, ScopeError> {
        if let Some(unknown) = constraints.keys().find(|name| !CONSTRAINTS.contains(&name.as_str()))
        {
            return Err(ScopeError::Unknown(unknown.clone()));
        }
        let patterns = constraints.get(SUBJECTS).cloned();
        for pattern in patterns.iter().flatten() {
            if !is_pattern(pattern, separators) {
                return Err(ScopeError::Pattern(pattern.clone()));
            }
        }
        Ok(Self { patterns, separators })
    }

    /// Whether the link's caller may send to this subject.
    pub(crate) fn check(&self, subject: &str) -> Result<(), Failure> {
        if self.allows(subject) {
            return Ok(());
        }
        let text = if self.patterns.is_none() {
            format!("{subject:?} is the broker's own: only the constraint subjects can allow it")
        } else {
            format!("{subject:?} is not among the subjects that the link allows")
        };
        Err(Failure::new(Kind::Denied, text))
    }

    /// Whether answers may be sent there for the link's caller: an answer to a subject of the broker itself would be a command.
    /// Others are for whoever answers, whose own link says what it may send to.
    pub(crate) fn check_reply(&self, reply_to: &str) -> Result<(), Failure> {
        if reply_to.starts_with(SYSTEM) { self.check(reply_to) } else { Ok(()) }
    }

    fn allows(&self, subject: &str) -> bool {
        let system = subject.starts_with(SYSTEM);
        match &self.patterns {
            None => !system,
            Some(patterns) => patterns.iter().any(|pattern| {
                system == pattern.starts_with(SYSTEM) && matches(pattern, subject, self.separators)
            }),
        }
    }
}

fn is_pattern(pattern: &str, separators: &[char]) -> bool {
    let mut parts = pattern.split(separators).peekable();
    let mut good = !pattern.is_empty();
    while let Some(part) = parts.next() {
        good &= match part {
            ONE => true,
            REST => parts.peek().is_none(),
            _ => !part.contains(['*', '>']),
        };
    }
    good
}

fn matches(pattern: &str, subject: &str, separators: &[char]) -> bool {
    let mut patterns = pattern.split_inclusive(separators);
    let mut parts = subject.split_inclusive(separators);
    loop {
        match (patterns.next(), parts.next()) {
            (None, None) => return true,
            (Some(REST), Some(_)) => return true,
            (Some(pattern), Some(part)) if fits(pattern, part, separators) => {}
            _ => return false,
        }
    }
}

/// Whether a part, with the separator behind it, is what the pattern has there.
fn fits(pattern: &str, part: &str, separators: &[char]) -> bool {
    if !pattern.starts_with(ONE) {
        return pattern == part;
    }
    let behind = |text: &str| text.chars().next_back().filter(|end| separators.contains(end));
    behind(pattern) == behind(part) && !part.starts_with(separators)
}

#[cfg(test)]
mod tests {
    use super::*;

    const DOT: &[char] = &['.'];

    fn scope(patterns: &[&str]) -> Scope {
        let patterns = patterns.iter().map(|&pattern| pattern.to_owned()).collect();
        Scope::new(&[(SUBJECTS.to_owned(), patterns)].into(), DOT).expect("patterns")
    }

    #[test]
    fn a_star_is_one_part_and_an_arrow_the_rest() {
        let scope = scope(&["orders.*.new", "audit.>", "plain"]);
        for within in ["orders.eu.new", "audit.a", "audit.a.b", "plain"] {
            assert!(scope.allows(within), "{within}");
        }
        for outside in [
            "orders.new",
            "orders.a.b.new",
            "orders..new",
            "audit",
            "audit.",
            "plain.x",
            "plai",
            "",
        ] {
            assert!(!scope.allows(outside), "{outside}");
        }
    }

    #[test]
    fn the_broker_s_own_subjects_must_be_named() {
        let open = Scope::new(&Constraints::new(), DOT).expect("no constraints");
        assert!(open.allows("any.thing") && !open.allows("$JS.API.STREAM.DELETE.orders"));
        assert!(!scope(&[">", "*.API.>"]).allows("$JS.API.INFO"));
        assert!(scope(&["$KV.carts.>"]).allows("$KV.carts.7"));
        let denied = open.check_reply("$JS.API.STREAM.DELETE.orders").expect_err("a command");
        assert_eq!(denied.kind, Kind::Denied);
        assert_eq!(scope(&["orders", "$KV.>"]).check_reply("$KV.carts.7"), Ok(()));
        assert_eq!(scope(&["orders"]).check_reply("_INBOX.7"), Ok(()));
    }

    #[test]
    fn several_separators_are_not_each_other() {
        let constraints = [(SUBJECTS.to_owned(), vec!["a:*".to_owned()])].into();
        let scope = Scope::new(&constraints, &[':', '.']).expect("a pattern");
        assert!(scope.allows("a:b") && !scope.allows("a.b") && !scope.allows("a:b.c"));
    }

    #[test]
    fn what_cannot_be_held_fails_the_link() {
        let unknown = [("tables".to_owned(), vec![])].into();
        assert_eq!(Scope::new(&unknown, DOT), Err(ScopeError::Unknown("tables".into())));
        for bad in ["", "a.>.b", "a*", "a.b>", ">>"] {
            let constraints = [(SUBJECTS.to_owned(), vec![bad.to_owned()])].into();
            assert_eq!(Scope::new(&constraints, DOT), Err(ScopeError::Pattern(bad.into())));
        }
        assert!(!scope(&[]).allows("any"), "a constraint without values allows nothing");
    }
}
