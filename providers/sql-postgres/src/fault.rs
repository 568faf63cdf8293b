//! What goes wrong between us and PostgreSQL, in the contract's words.

use std::{error::Error as _, fmt, io};

use tokio_postgres::{
    Error,
    error::{DbError, Severity, SqlState},
};
use wattle_postgres::{QueryError, error::INTERRUPTED};

use crate::statements::Doubt;

/// How a statement failed, and what that means for its connection.
#[derive(Debug)]
pub(crate) enum Fault {
    /// PostgreSQL is done with it: the connection can take the next.
    Settled(QueryError),
    /// PostgreSQL may still be at it, or gone.
    Unsettled(QueryError),
    /// It did not run, and the transaction around it is lost. If what was prepared was out of date, all of it has to begin again.
    Stale(QueryError, Doubt),
}

impl Fault {
    pub(crate) fn into_error(self) -> QueryError {
        match self {
            Self::Settled(error) | Self::Unsettled(error) | Self::Stale(error, _) => error,
        }
    }

    /// The same, with what it is about behind PostgreSQL's words.
    pub(crate) fn explained(self, what: &str) -> Self {
        let explain = |error: QueryError| match error {
            QueryError::InvalidParams(text) => QueryError::InvalidParams(format!("{text}: {what}")),
            QueryError::InvalidQuery(text) => QueryError::InvalidQuery(format!("{text}: {what}")),
            QueryError::Unexpected(text) => QueryError::Unexpected(format!("{text}: {what}")),
        };
        match self {
            Self::Settled(error) => Self::Settled(explain(error)),
            Self::Unsettled(error) => Self::Unsettled(explain(error)),
            Self::Stale(error, doubt) => Self::Stale(explain(error), doubt),
        }
    }
}

/// A failed statement's error, whatever it means for the connection.
pub(crate) fn judge(error: Error) -> QueryError {
    Fault::from(error).into_error()
}

/// Whether the connection can take the next statement.
pub(crate) fn is_settled(error: &Error) -> bool {
    error.as_db_error().is_some_and(|said| !ends_the_connection(said))
}

/// An error that PostgreSQL answered settles the statement, unless it ends the connection. Everything else leaves it open.
impl From<Error> for Fault {
    fn from(error: Error) -> Self {
        match error.as_db_error() {
            Some(said) if ends_the_connection(said) => {
                Self::Unsettled(QueryError::own(INTERRUPTED, Said(said)))
            }
            Some(said) => Self::Settled(judged(said)),
            None => Self::Unsettled(QueryError::own(INTERRUPTED, broken(&error))),
        }
    }
}

fn ends_the_connection(said: &DbError) -> bool {
    matches!(said.parsed_severity(), Some(Severity::Fatal | Severity::Panic))
}

/// Which of the contract's cases an error is: the class of a SQLSTATE is its first two characters.
fn judged(said: &DbError) -> QueryError {
    let text = Said(said).to_string();
    match (said.code().code(), said.code().code().get(..2)) {
        ("42P02" | "42P18", _) | (_, Some("22" | "07")) => QueryError::InvalidParams(text),
        (_, Some("42" | "0A" | "25" | "26" | "2B" | "34" | "3B" | "3D" | "3F")) => {
            QueryError::InvalidQuery(text)
        }
        _ => QueryError::Unexpected(text),
    }
}

/// An error that PostgreSQL answered, as people read it.
pub(crate) fn said(error: &DbError) -> String {
    Said(error).to_string()
}

/// PostgreSQL's error as people read it: code, message, detail.
struct Said<'a>(&'a DbError);

impl fmt::Display for Said<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.0.code().code(), self.0.message())?;
        match self.0.detail() {
            Some(detail) => write!(f, " ({detail})"),
            None => Ok(()),
        }
    }
}

/// A connection's end, and the one thing that a statement can do to break it.
fn broken(error: &Error) -> String {
    if error.to_string().contains("unexpected message") {
        return "the statement wants to exchange data with its caller (COPY), which is not possible here"
            .to_owned();
    }
    "the connection to postgres broke; the statement may have run".to_owned()
}

/// Why PostgreSQL refuses this login, if it does: it is there, and asking again will not help.
pub(crate) fn refusal(error: &Error) -> Option<String> {
    if let Some(said) = error.as_db_error() {
        let class = said.code().code().get(..2);
        let refused = matches!(class, Some("28" | "3D" | "42" | "0A"));
        return refused.then(|| without_login(said));
    }
    tls_fault(error)
}

/// What PostgreSQL says about a login, which names the user in two cases: that is not for those who only call.
fn without_login(said: &DbError) -> String {
    let code = said.code().code();
    match code.get(..2) {
        Some("28") => {
            format!("{code}: the user or its password is refused, or may not come from here")
        }
        _ if *said.code() == SqlState::TOO_MANY_CONNECTIONS => {
            format!("{code}: the server has no connection left, or none for this user")
        }
        _ => Said(said).to_string(),
    }
}

/// Why there is no TLS as the link asks for, if that is it.
fn tls_fault(error: &Error) -> Option<String> {
    let source = error.source()?;
    let wrong = match source.downcast_ref::<io::Error>() {
        Some(broken) => broken.kind() == io::ErrorKind::InvalidData,
        None => source.to_string().contains("TLS"),
    };
    wrong.then(|| format!("TLS: {source}"))
}

/// Whether PostgreSQL has no connection left for us: it is up, and busy with others.
pub(crate) fn is_full(error: &Error) -> bool {
    error.code() == Some(&SqlState::TOO_MANY_CONNECTIONS)
}

/// Why it could not be connected to, for a person.
pub(crate) fn reason(error: &Error) -> String {
    match (error.as_db_error(), error.source()) {
        (Some(said), _) => without_login(said),
        (None, Some(source)) => source.to_string(),
        (None, None) => error.to_string(),
    }
}

/// Whether a prepared statement is out of date because what it reads has changed, or is not there any more. It did not run.
pub(crate) fn is_stale(error: &Error) -> bool {
    let Some(said) = error.as_db_error() else { return false };
    *said.code() == SqlState::INVALID_SQL_STATEMENT_NAME
        || said.routine() == Some("RevalidateCachedQuery")
}

/// Whether a column's type can only be read as text, which nobody asked for.
pub(crate) fn has_no_binary_form(error: &Error) -> bool {
    let routine = error.as_db_error().and_then(DbError::routine);
    routine == Some("getTypeBinaryOutputInfo")
}
