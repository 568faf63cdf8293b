//! How a statement fails, in the WIT's words.
//!
//! Whatever goes wrong between a provider and its database is one of these, and not a failed call; so is, to an actor, what goes wrong
//! on the way to the provider ([`Failure::into_words`](crate::Failure::into_words)). A failed call would trap it, so that it could not react.

use serde::{Deserialize, Serialize};

/// Why a statement did not do what it says.
///
/// Where PostgreSQL says why, the text starts with the SQLSTATE: `23505: duplicate key …`. Where the provider does, or who carries the
/// call, it starts with one of [`UNAVAILABLE`], [`TIMEOUT`], [`OVERLOADED`], [`TOO_LARGE`] and [`INTERRUPTED`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[serde(rename_all = "kebab-case")]
pub enum QueryError {
    /// The parameters do not fit the statement, or a value lies outside its type.
    #[error("invalid parameters: {0}")]
    InvalidParams(String),
    /// The statement is none, or names what is not there or not allowed.
    #[error("invalid query: {0}")]
    InvalidQuery(String),
    /// Anything else.
    #[error("{0}")]
    Unexpected(String),
}

/// Starts the text of an error: the database is down or does not answer. The statement did not run.
pub const UNAVAILABLE: &str = "unavailable";
/// Starts the text of an error: the statement took longer than it may. It was cancelled, and may have run.
pub const TIMEOUT: &str = "timeout";
/// Starts the text of an error: too many statements at once. It did not run.
pub const OVERLOADED: &str = "overloaded";
/// Starts the text of an error: a statement, its rows or its answer are past a limit.
pub const TOO_LARGE: &str = "too-large";
/// Starts the text of an error: the connection broke under way. The statement may have run.
pub const INTERRUPTED: &str = "interrupted";

impl QueryError {
    /// An error of the provider's own, with one of the words of this module in front.
    pub fn own(word: &str, message: impl std::fmt::Display) -> Self {
        Self::Unexpected(format!("{word}: {message}"))
    }

    /// The text, without the case.
    pub fn text(&self) -> &str {
        match self {
            Self::InvalidParams(text) | Self::InvalidQuery(text) | Self::Unexpected(text) => text,
        }
    }

    /// What the text starts with: a SQLSTATE, or one of the words of this module.
    pub fn code(&self) -> Option<&str> {
        self.text().split_once(": ").map(|(code, _)| code)
    }
}

/// Why a statement was not prepared.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[serde(rename_all = "kebab-case")]
pub enum StatementPrepareError {
    /// What the database, or the way to it, said; as in [`QueryError`].
    #[error("{0}")]
    Unexpected(String),
}

impl From<QueryError> for StatementPrepareError {
    fn from(error: QueryError) -> Self {
        Self::Unexpected(error.text().to_owned())
    }
}

/// Why a prepared statement did not do what it says.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[serde(rename_all = "kebab-case")]
pub enum PreparedStatementExecError {
    /// This link has prepared nothing under this token, or has forgotten it.
    #[error("no statement is prepared under this token: prepare it again")]
    UnknownPreparedQuery,
    /// The statement failed.
    #[error(transparent)]
    QueryError(QueryError),
    /// Anything else.
    #[error("{0}")]
    Unexpected(String),
}

impl From<QueryError> for PreparedStatementExecError {
    fn from(error: QueryError) -> Self {
        Self::QueryError(error)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_s_code_is_what_stands_ahead_of_its_text() {
        let error = QueryError::own(TIMEOUT, "longer than 5 ms");
        assert_eq!(error.code(), Some("timeout"));
        assert_eq!(error, QueryError::Unexpected("timeout: longer than 5 ms".into()));
        assert_eq!(QueryError::InvalidQuery("42601: syntax: x".into()).code(), Some("42601"));
    }
}
