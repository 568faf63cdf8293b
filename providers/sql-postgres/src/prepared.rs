//! The statements that a link has prepared, by token. A token stands for a text, not for a connection, so it outlives them all.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
};

/// Statements that a link can have prepared at once; beyond them the least recently used is forgotten, and its token unknown.
const PREPARED_MAX: usize = 1_024;

/// Bytes of all their texts together.
const TEXTS_LEN_MAX: usize = 4 * 1024 * 1024;

/// A link's prepared statements.
#[derive(Debug, Default)]
pub(crate) struct Prepared {
    statements: Mutex<Tokens>,
}

#[derive(Debug, Default)]
struct Tokens {
    by_text: HashMap<Arc<str>, String>,
    by_token: HashMap<String, Entry>,
    len: usize,
    uses: u64,
}

#[derive(Debug)]
struct Entry {
    text: Arc<str>,
    used: u64,
}

impl Prepared {
    /// The token of this text, if it has been prepared.
    pub(crate) fn known(&self, text: &str) -> Option<String> {
        let mut tokens = self.statements.lock().unwrap_or_else(PoisonError::into_inner);
        let token = tokens.by_text.get(text).cloned()?;
        tokens.touch(&token);
        Some(token)
    }

    /// The token of this text, made where it has none: random, so that nobody can guess another link's.
    pub(crate) fn token(&self, text: &str) -> String {
        let mut tokens = self.statements.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(token) = tokens.by_text.get(text).cloned() {
            tokens.touch(&token);
            return token;
        }
        let token = format!("{:032x}", rand::random::<u128>());
        tokens.add(token.clone(), text.into());
        token
    }

    /// The text that a token stands for.
    pub(crate) fn text(&self, token: &str) -> Option<Arc<str>> {
        let mut tokens = self.statements.lock().unwrap_or_else(PoisonError::into_inner);
        tokens.touch(token)
    }
}

impl Tokens {
    fn touch(&mut self, token: &str) -> Option<Arc<str>> {
        self.uses += 1;
        let entry = self.by_token.get_mut(token)?;
        entry.used = self.uses;
        Some(Arc::clone(&entry.text))
    }

    fn add(&mut self, token: String, text: Arc<str>) {
        self.uses += 1;
        self.len += text.len();
        self.by_text.insert(Arc::clone(&text), token.clone());
        self.by_token.insert(token, Entry { text, used: self.uses });
        while self.by_token.len() > PREPARED_MAX || self.len > TEXTS_LEN_MAX {
            self.forget_oldest();
        }
    }

    fn forget_oldest(&mut self) {
        let oldest = self.by_token.iter().min_by_key(|(_, entry)| entry.used);
        let Some(token) = oldest.map(|(token, _)| token.clone()) else { return };
        if let Some(entry) = self.by_token.remove(&token) {
            self.len -= entry.text.len();
            self.by_text.remove(&entry.text);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_stands_for_its_text_and_is_unlike_another_link_s() {
        let (one, other) = (Prepared::default(), Prepared::default());
        let token = one.token("SELECT 1");
        assert_eq!(one.token("SELECT 1"), token);
        assert_eq!(one.text(&token).as_deref(), Some("SELECT 1"));
        assert_eq!(other.text(&token), None);
        assert_ne!(other.token("SELECT 1"), token);
    }

    #[test]
    fn the_least_recently_used_is_forgotten_first() {
        let prepared = Prepared::default();
        let (kept, lost) = (prepared.token("kept"), prepared.token("lost"));
        for n in 0..PREPARED_MAX - 1 {
            assert!(prepared.text(&kept).is_some(), "{n}");
            prepared.token(&format!("SELECT {n}"));
        }
        assert_eq!((prepared.text(&kept).is_some(), prepared.text(&lost)), (true, None));
    }

    #[test]
    fn long_texts_push_out_others() {
        let prepared = Prepared::default();
        let first = prepared.token("short");
        for n in 0..5 {
            prepared.token(&format!("{n}{}", " ".repeat(1024 * 1024)));
        }
        assert_eq!(prepared.text(&first), None);
    }
}
