//! The statements that one connection has prepared, the least recently used forgotten first.

use std::collections::HashMap;

use tokio_postgres::{Statement, types::Type};

/// Statements kept per connection; each costs PostgreSQL some 10 kB.
const STATEMENTS_MAX: usize = 256;

/// Bytes of the longest text that is kept: longer ones are made for one use.
const TEXT_LEN_MAX: usize = 16 * 1024;

/// Prepared statements by their text. One that is forgotten is closed on the server, too.
#[derive(Default)]
pub(crate) struct Statements {
    by_text: HashMap<Box<str>, Kept>,
    uses: u64,
}

struct Kept {
    statement: Statement,
    used: u64,
}

impl Statements {
    pub(crate) fn get(&mut self, text: &str) -> Option<Statement> {
        self.uses += 1;
        let kept = self.by_text.get_mut(text)?;
        kept.used = self.uses;
        Some(kept.statement.clone())
    }

    pub(crate) fn keep(&mut self, text: &str, statement: Statement) {
        if text.len() > TEXT_LEN_MAX {
            return;
        }
        if self.by_text.len() >= STATEMENTS_MAX {
            let oldest = self.by_text.iter().min_by_key(|(_, kept)| kept.used);
            if let Some(text) = oldest.map(|(text, _)| text.clone()) {
                self.by_text.remove(&text);
            }
        }
        self.by_text.insert(text.into(), Kept { statement, used: self.uses });
    }

    pub(crate) fn forget(&mut self, text: &str) {
        self.by_text.remove(text);
    }

    pub(crate) fn clear(&mut self) {
        self.by_text.clear();
    }
}

/// A statement that was refused ahead of running, perhaps because it is out of date: PostgreSQL keeps its parameters' types where those
/// of the tables have changed.
#[derive(Debug)]
pub(crate) struct Doubt {
    /// What it was prepared from.
    pub(crate) text: String,
    /// As it was prepared; none where it is known to be out of date.
    pub(crate) statement: Option<Statement>,
}

impl Doubt {
    /// Whether what is prepared of its text now shows that it was out of date.
    pub(crate) fn is_borne_out_by(&self, now: &Statement) -> bool {
        let Some(then) = &self.statement else { return true };
        then.params() != now.params() || !columns(then).eq(columns(now))
    }
}

fn columns(statement: &Statement) -> impl Iterator<Item = (&str, &Type)> {
    statement.columns().iter().map(|column| (column.name(), column.type_()))
}
