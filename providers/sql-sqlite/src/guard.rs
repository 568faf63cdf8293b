//! What SQLite asks while it prepares a statement: whether this table may be read, that one changed, and so on.
//!
//! SQLite itself says what a statement would touch, through views, triggers and whatever else leads there, so no text is read.
//! The asking function stays with its connection: a new one would make SQLite prepare all cached statements again.

mod judge;

use std::{
    fmt,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use arc_swap::ArcSwap;
use rusqlite::{
    Connection,
    hooks::{AuthContext, Authorization},
};
use wattle_sql::Scope;

/// Whose statement it is, and so what it may do.
#[derive(Debug)]
pub(crate) enum Rule {
    /// The provider's own: transactions, settings, its table of migrations.
    Provider,
    /// A migration's: everything within the database.
    Migration,
    /// A link's, with a number that no other has or had.
    Link { link: u64, scope: Scope },
}

impl Rule {
    pub(crate) fn of_link(link: u64, scope: Scope) -> Self {
        Self::Link { link, scope }
    }

    /// The link's number. Nobody else waits in queues.
    pub(crate) fn link(&self) -> u64 {
        match self {
            Self::Provider | Self::Migration => 0,
            Self::Link { link, .. } => *link,
        }
    }

    /// The text under which a statement is prepared and kept. A statement that one link may run must not be found by another, so
    /// the link's number is part of it.
    pub(crate) fn own(&self, text: &str) -> String {
        format!("/*{}*/{text}", self.link())
    }
}

/// One connection's guard.
pub(crate) struct Guard {
    provider: Arc<Rule>,
    rule: ArcSwap<Rule>,
    heard: Mutex<Heard>,
}

/// What was asked about the statement that is prepared now.
#[derive(Debug, Default)]
pub(crate) struct Heard {
    /// Why it was denied.
    pub(crate) denial: Option<String>,
    /// Names that no column is read from: tables outside of the link's, or names that the statement made itself (`WITH`).
    pub(crate) unread: Vec<String>,
    /// The change of the schema that it is.
    schema: SchemaChange,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum SchemaChange {
    #[default]
    Nothing,
    Create,
    AlterOrDrop,
}

impl Guard {
    /// Sets a guard over a connection, which is the provider's until somebody enters.
    pub(crate) fn over(connection: &mut Connection) -> rusqlite::Result<Arc<Self>> {
        let provider = Arc::new(Rule::Provider);
        let rule = ArcSwap::new(Arc::clone(&provider));
        let guard = Arc::new(Self { provider, rule, heard: Mutex::default() });
        let asked = Arc::clone(&guard);
        connection.authorizer(Some(move |context: AuthContext<'_>| asked.answer(&context)))?;
        Ok(guard)
    }

    /// From now on statements are judged by `rule`, until the answer is dropped.
    pub(crate) fn enter(&self, rule: &Arc<Rule>) -> Entered<'_> {
        self.rule.store(Arc::clone(rule));
        Entered(self)
    }

    /// Runs something of the provider's own in the middle of somebody's statement.
    pub(crate) fn aside<T>(&self, run: impl FnOnce() -> T) -> T {
        let rule = self.rule.swap(Arc::clone(&self.provider));
        let done = run();
        self.rule.store(rule);
        done
    }

    /// Forgets what was heard about the statement before.
    pub(crate) fn begin_statement(&self) {
        *self.heard() = Heard::default();
    }

    pub(crate) fn heard(&self) -> MutexGuard<'_, Heard> {
        self.heard.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn answer(&self, context: &AuthContext<'_>) -> Authorization {
        let mut heard = self.heard();
        match judge::judge(&self.rule.load(), &context.action, &mut heard) {
            Ok(()) => Authorization::Allow,
            Err(denial) => {
                heard.denial.get_or_insert(denial);
                Authorization::Deny
            }
        }
    }
}

impl fmt::Debug for Guard {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Guard").finish_non_exhaustive()
    }
}

/// While this lives, a connection's statements are somebody's.
#[must_use]
pub(crate) struct Entered<'g>(&'g Guard);

impl Drop for Entered<'_> {
    fn drop(&mut self) {
        self.0.rule.store(Arc::clone(&self.0.provider));
    }
}
