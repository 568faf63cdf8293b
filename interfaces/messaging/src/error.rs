//! How sending fails. The WIT has only a string for it, so the string begins with a kind that a program can tell apart.

use std::fmt;

use wattle_core::{CallError, ErrorKind};

/// The kinds of failure, by what a caller can do about each.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// The link's constraints, or the broker's permissions, do not allow this subject.
    Denied,
    /// This is no subject to send to.
    Invalid,
    /// A subject or a body is past the contract's or the broker's limit.
    TooLarge,
    /// Nobody listens who could answer.
    NoResponders,
    /// No answer came in time. Whoever listens may have got the request.
    Timeout,
    /// The broker is away. Nothing was sent.
    Unavailable,
    /// The broker was lost, or fell silent, under way. It may have been sent.
    Interrupted,
    /// The broker answered, and did not take it.
    Failed,
}

/// Why a message was not sent, or not answered. As text it is what an actor reads.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{kind}: {message}")]
pub struct Failure {
    /// What to do about it.
    pub kind: Kind,
    /// What it is about, for a person.
    pub message: String,
}

impl Kind {
    const ALL: [Self; 8] = [
        Self::Denied,
        Self::Invalid,
        Self::TooLarge,
        Self::NoResponders,
        Self::Timeout,
        Self::Unavailable,
        Self::Interrupted,
        Self::Failed,
    ];

    /// The kind's name, as it stands ahead of the text.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Denied => "denied",
            Self::Invalid => "invalid",
            Self::TooLarge => "too-large",
            Self::NoResponders => "no-responders",
            Self::Timeout => "timeout",
            Self::Unavailable => "unavailable",
            Self::Interrupted => "interrupted",
            Self::Failed => "failed",
        }
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl Failure {
    /// A failure of this kind, its message cut as those of calls are.
    pub fn new(kind: Kind, message: impl Into<String>) -> Self {
        Self { kind, message: CallError::new(ErrorKind::Failed, message).message }
    }

    /// What a provider's text says. Text without a kind is that of a provider that has none: it failed.
    pub(crate) fn parse(text: &str) -> Self {
        let known = text.split_once(": ").and_then(|(name, message)| {
            let kind = Kind::ALL.into_iter().find(|kind| kind.as_str() == name)?;
            Some(Self::new(kind, message))
        });
        known.unwrap_or_else(|| Self::new(Kind::Failed, text))
    }
}

/// A call that did not reach its provider, as the caller's side tells it.
impl From<CallError> for Failure {
    fn from(error: CallError) -> Self {
        let kind = match error.kind {
            ErrorKind::Denied => Kind::Denied,
            ErrorKind::TooLarge => Kind::TooLarge,
            ErrorKind::Malformed => Kind::Invalid,
            ErrorKind::NotFound | ErrorKind::Unavailable | ErrorKind::Overloaded => {
                Kind::Unavailable
            }
            ErrorKind::DeadlineExceeded => Kind::Timeout,
            ErrorKind::Interrupted | ErrorKind::Cancelled => Kind::Interrupted,
            ErrorKind::Trapped | ErrorKind::LimitExceeded | ErrorKind::Failed => Kind::Failed,
        };
        Self::new(kind, error.message)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failure_is_read_from_its_text_again() {
        for kind in Kind::ALL {
            let failure = Failure::new(kind, "orders.new: why: because");
            assert_eq!(Failure::parse(&failure.to_string()), failure);
        }
        assert_eq!(Failure::parse("any: words"), Failure::new(Kind::Failed, "any: words"));
    }
}
