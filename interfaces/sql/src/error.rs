//! How a statement fails: in the WIT's words where there is an answer, else in the router's.

use std::fmt;

use serde::{Deserialize, Serialize};
use wattle_core::{CallError, ErrorKind, codec::DecodeError};

/// The WIT's `error`: what an actor sees. Except after `Interrupted`, nothing was changed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[serde(rename_all = "kebab-case")]
pub enum Error {
    /// The link's constraints, a missing grant or the database forbid it.
    #[error("denied: {0}")]
    Denied(String),
    /// It cannot be run as it is written, or not with these parameters.
    #[error("invalid: {0}")]
    Invalid(String),
    /// It would have broken a constraint of the tables.
    #[error("constraint: {0}")]
    Constraint(Violation),
    /// Another change was in the way: it may be tried again.
    #[error("conflict: {0}")]
    Conflict(String),
    /// The database cannot be reached.
    #[error("unavailable: {0}")]
    Unavailable(String),
    /// More calls wait than the provider takes.
    #[error("overloaded: {0}")]
    Overloaded(String),
    /// The database was lost under way: the change may have happened.
    #[error("interrupted: {0}")]
    Interrupted(String),
    /// It took longer than the link or the caller allows.
    #[error("timeout: {0}")]
    Timeout(String),
    /// The statement, its parameters or its result are past a limit.
    #[error("too large: {0}")]
    TooLarge(String),
    /// Anything else, for a person.
    #[error("{0}")]
    Other(String),
}

/// The WIT's `violation`: a rule of the database that a change would have broken.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Violation {
    /// Which kind of rule.
    pub kind: ViolationKind,
    /// The database's words.
    pub message: String,
}

/// The WIT's `violation-kind`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ViolationKind {
    /// A unique index or a primary key.
    Unique,
    /// A row that others refer to, or that refers to none.
    ForeignKey,
    /// A check of a column or a table.
    Check,
    /// A value that is missing.
    NotNull,
    /// A rule of the database's own.
    Other,
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl Error {
    /// A broken constraint.
    pub fn violation(kind: ViolationKind, message: impl Into<String>) -> Self {
        Self::Constraint(Violation { kind, message: message.into() })
    }

    /// The same error, as that of one statement of a batch; the first has index 0.
    #[must_use]
    pub fn of_statement(mut self, index: usize) -> Self {
        let message = self.message_mut();
        message.insert_str(0, &format!("statement {}: ", index + 1));
        self
    }

    /// The same error, with no more text than a call's error may have: a database's words may quote a whole statement.
    #[cfg(feature = "provider")]
    #[must_use]
    pub(crate) fn shortened(mut self) -> Self {
        let message = std::mem::take(self.message_mut());
        *self.message_mut() = CallError::new(ErrorKind::Failed, message).message;
        self
    }

    fn message_mut(&mut self) -> &mut String {
        match self {
            Self::Constraint(violation) => &mut violation.message,
            Self::Denied(message)
            | Self::Invalid(message)
            | Self::Conflict(message)
            | Self::Unavailable(message)
            | Self::Overloaded(message)
            | Self::Interrupted(message)
            | Self::Timeout(message)
            | Self::TooLarge(message)
            | Self::Other(message) => message,
        }
    }
}

/// A failure as the caller's side tells it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Failure {
    /// The provider answered, and this is what it said.
    #[error(transparent)]
    Sql(#[from] Error),
    /// The call failed: it was denied, or its callee could not be reached.
    #[error(transparent)]
    Call(#[from] CallError),
}

/// How an actor sees a failed call: the one place where the router's kinds become the WIT's variant.
impl From<Failure> for Error {
    fn from(failure: Failure) -> Self {
        let CallError { kind, message } = match failure {
            Failure::Sql(error) => return error,
            Failure::Call(error) => error,
        };
        match kind {
            ErrorKind::Denied => Self::Denied(message),
            ErrorKind::Malformed => Self::Invalid(message),
            ErrorKind::NotFound | ErrorKind::Unavailable => Self::Unavailable(message),
            ErrorKind::Overloaded => Self::Overloaded(message),
            // A call that was cut off says nothing about what its statement did.
            ErrorKind::DeadlineExceeded | ErrorKind::Interrupted | ErrorKind::Cancelled => {
                Self::Interrupted(message)
            }
            ErrorKind::TooLarge => Self::TooLarge(message),
            ErrorKind::Trapped | ErrorKind::LimitExceeded | ErrorKind::Failed => {
                Self::Other(format!("{}: {message}", kind.as_str()))
            }
        }
    }
}

/// Parameters that do not decode.
#[cfg(feature = "provider")]
pub(crate) fn malformed_params(error: &DecodeError) -> CallError {
    let kind = match error {
        DecodeError::TooLarge { .. } => ErrorKind::TooLarge,
        DecodeError::Malformed(_) | DecodeError::Trailing => ErrorKind::Malformed,
    };
    CallError::new(kind, format!("parameters: {error}"))
}

/// A result that does not decode: the provider is not what it says it is.
pub(crate) fn malformed_result(error: &DecodeError) -> CallError {
    CallError::new(ErrorKind::Failed, format!("the database's answer: {error}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_actor_sees_a_failed_call_as_what_it_can_do_about_it() {
        let failure = |kind| Error::from(Failure::Call(CallError::new(kind, "why")));
        assert_eq!(failure(ErrorKind::Denied), Error::Denied("why".into()));
        assert_eq!(failure(ErrorKind::Overloaded), Error::Overloaded("why".into()));
        assert_eq!(failure(ErrorKind::DeadlineExceeded), Error::Interrupted("why".into()));
        assert_eq!(failure(ErrorKind::Failed), Error::Other("failed: why".into()));
    }

    #[test]
    fn an_error_of_a_batch_names_its_statement() {
        let error = Error::violation(ViolationKind::Check, "price > 0").of_statement(1);
        assert_eq!(error, Error::violation(ViolationKind::Check, "statement 2: price > 0"));
    }
}
