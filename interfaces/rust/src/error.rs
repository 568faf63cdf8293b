//! How a handler fails.

use std::fmt;

/// Any failure: `?` makes one of every error type. Its text goes to the actor's log; the client sees a plain 500.
pub struct Error(Box<dyn std::error::Error>);

/// What a handler returns.
pub type Result<T, E = Error> = std::result::Result<T, E>;

impl<E: std::error::Error + 'static> From<E> for Error {
    fn from(error: E) -> Self {
        Self(Box::new(error))
    }
}

impl Error {
    /// A failure in the author's own words.
    pub fn msg(message: impl Into<String>) -> Self {
        Self(message.into().into())
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.0, f)
    }
}
