//! How a call to a store fails: in the WIT's words where the store answered, else in the router's.

use serde::{Deserialize, Serialize};
use wattle_core::{CallError, ErrorKind, codec::DecodeError};

/// The WIT's `error`: what an actor sees.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[serde(rename_all = "kebab-case")]
pub enum Error {
    /// There is no bucket of this name, and there cannot be one.
    #[error("no such store")]
    NoSuchStore,
    /// The link, or the store, does not allow it.
    #[error("access denied")]
    AccessDenied,
    /// Anything else, for a person.
    #[error("{0}")]
    Other(String),
}

/// A failure as the caller's side and a provider's store tell it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Failure {
    /// The store answered, and this is what it said.
    #[error(transparent)]
    Store(#[from] Error),
    /// The call failed: it was denied, or its callee or its backend could not be reached.
    #[error(transparent)]
    Call(#[from] CallError),
}

impl Failure {
    /// The store's own words.
    pub fn other(message: impl Into<String>) -> Self {
        Self::Store(Error::Other(message.into()))
    }

    /// The store's backend is down, does not answer or broke off.
    pub fn backend(message: impl Into<String>) -> Self {
        Self::Call(CallError::new(ErrorKind::Failed, message))
    }

    /// Something is past its limit.
    pub(crate) fn too_large(message: impl Into<String>) -> Self {
        Self::Call(CallError::new(ErrorKind::TooLarge, message))
    }
}

/// How an actor sees a failed call: the one place where the router's kinds become the WIT's variant.
impl From<Failure> for Error {
    fn from(failure: Failure) -> Self {
        match failure {
            Failure::Store(error) => error,
            Failure::Call(error) if error.kind == ErrorKind::Denied => Self::AccessDenied,
            Failure::Call(error) => {
                Self::Other(format!("{}: {}", error.kind.as_str(), error.message))
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
    CallError::new(ErrorKind::Failed, format!("the store's answer: {error}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_actor_sees_a_denial_as_one_and_reads_the_kind_of_everything_else() {
        let failure = |kind| Failure::Call(CallError::new(kind, "why"));
        assert_eq!(Error::from(failure(ErrorKind::Denied)), Error::AccessDenied);
        assert_eq!(
            Error::from(failure(ErrorKind::Overloaded)),
            Error::Other("overloaded: why".into())
        );
        assert_eq!(Error::from(Failure::Store(Error::NoSuchStore)), Error::NoSuchStore);
    }
}
