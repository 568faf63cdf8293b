//! The tokens of what an actor has prepared, kept from call to call: an instance lives for one call, and would ask for the same token
//! each time it runs its statement, which is as far as to run it.

use std::{collections::HashMap, sync::Arc};

use parking_lot::Mutex;

/// Tokens that are kept for an actor. Beyond them all are forgotten: whoever has one goes on with it, and the provider is asked for it
/// again when its statement is next prepared.
const TOKENS_MAX: usize = 1_024;

/// Bytes of all their statements together.
const STATEMENTS_LEN_MAX: usize = 1024 * 1024;

/// What an actor has prepared, by the number of the link.
#[derive(Debug, Default)]
pub(crate) struct PreparedTokens {
    kept: Mutex<Kept>,
}

#[derive(Debug, Default)]
struct Kept {
    links: HashMap<u32, Link>,
    tokens: usize,
    len: usize,
}

#[derive(Debug, Default)]
struct Link {
    /// The token that the provider gave last.
    tokens: HashMap<Arc<str>, Arc<str>>,
    /// What each token stands for, those from before a restart of the provider among them.
    statements: HashMap<Arc<str>, Arc<str>>,
}

impl PreparedTokens {
    /// The token of a statement.
    pub(super) fn token(&self, link: u32, statement: &str) -> Option<Arc<str>> {
        self.kept.lock().links.get(&link)?.tokens.get(statement).cloned()
    }

    /// The statement of a token, however old.
    pub(super) fn statement(&self, link: u32, token: &str) -> Option<Arc<str>> {
        self.kept.lock().links.get(&link)?.statements.get(token).cloned()
    }

    /// Keeps what the provider answered.
    pub(super) fn keep(&self, link: u32, statement: &str, token: &str) {
        if statement.len() > STATEMENTS_LEN_MAX {
            return;
        }
        let kept = &mut *self.kept.lock();
        if kept.tokens >= TOKENS_MAX || kept.len + statement.len() > STATEMENTS_LEN_MAX {
            *kept = Kept::default();
        }
        let (statement, token): (Arc<str>, Arc<str>) = (statement.into(), token.into());
        let of_link = kept.links.entry(link).or_default();
        of_link.tokens.insert(statement.clone(), token.clone());
        if of_link.statements.insert(token, statement.clone()).is_none() {
            kept.tokens += 1;
            kept.len += statement.len();
        }
    }

    /// The provider knows this token no more, so nobody is to be given it.
    pub(super) fn forget(&self, link: u32, token: &str) {
        let mut kept = self.kept.lock();
        let Some(of_link) = kept.links.get_mut(&link) else { return };
        let Some(statement) = of_link.statements.get(token) else { return };
        if of_link.tokens.get(statement).is_some_and(|current| **current == *token) {
            of_link.tokens.remove(statement);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn token(prepared: &PreparedTokens, link: u32, statement: &str) -> Option<String> {
        prepared.token(link, statement).map(|token| token.to_string())
    }

    #[test]
    fn a_token_is_that_of_its_link_and_statement() {
        let prepared = PreparedTokens::default();
        prepared.keep(1, "SELECT 1", "one");
        prepared.keep(2, "SELECT 1", "two");
        assert_eq!(token(&prepared, 1, "SELECT 1").as_deref(), Some("one"));
        assert_eq!(token(&prepared, 2, "SELECT 1").as_deref(), Some("two"));
        assert_eq!(token(&prepared, 1, "SELECT 2"), None);
        assert_eq!(prepared.statement(1, "one").as_deref(), Some("SELECT 1"));
        assert_eq!(prepared.statement(1, "two"), None);
    }

    #[test]
    fn a_token_that_is_unknown_is_given_to_nobody_and_keeps_its_statement() {
        let prepared = PreparedTokens::default();
        prepared.keep(1, "SELECT 1", "old");
        prepared.forget(1, "old");
        assert_eq!(token(&prepared, 1, "SELECT 1"), None);
        prepared.keep(1, "SELECT 1", "new");
        prepared.forget(1, "old"); // said late
        assert_eq!(token(&prepared, 1, "SELECT 1").as_deref(), Some("new"));
        assert_eq!(prepared.statement(1, "old").as_deref(), Some("SELECT 1"));
        prepared.forget(1, "never given");
        prepared.forget(2, "new");
        assert_eq!(token(&prepared, 1, "SELECT 1").as_deref(), Some("new"));
    }

    #[test]
    fn neither_many_statements_nor_long_ones_are_kept_without_end() {
        let prepared = PreparedTokens::default();
        for n in 0..TOKENS_MAX * 3 {
            prepared.keep(1, &format!("SELECT {n}"), &format!("{n}"));
            assert!(prepared.kept.lock().links[&1].statements.len() <= TOKENS_MAX);
        }
        for n in 0..20 {
            let long = format!("SELECT {n}{}", " ".repeat(STATEMENTS_LEN_MAX / 3));
            prepared.keep(1, &long, &format!("long {n}"));
            assert!(prepared.token(1, &long).is_some());
            assert!(prepared.kept.lock().len <= STATEMENTS_LEN_MAX);
        }
        prepared.keep(1, &" ".repeat(STATEMENTS_LEN_MAX + 1), "too long");
        assert_eq!(prepared.statement(1, "too long"), None);
    }
}
