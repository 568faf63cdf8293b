//! How a call to a store fails: in the WIT's words where the store answered, else in the router's.

use serde::{Deserialize, Serialize};
use wattle_core::{CallError, ErrorKind, codec::DecodeError};
use wattle_wire::StreamError;

/// The WIT's `error`: what an actor sees.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[error("{0}")]
#[serde(transparent)]
pub struct Error(pub String);

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
        Self::Store(Error(message.into()))
    }

    /// There is no such container.
    pub fn no_container(container: &str) -> Self {
        Self::other(format!("no container {container:?}"))
    }

    /// There is no such object.
    pub fn no_object(container: &str, object: &str) -> Self {
        Self::other(format!("no object {object:?} in container {container:?}"))
    }

    /// There is such a container already.
    pub fn container_exists(container: &str) -> Self {
        Self::other(format!("container {container:?} exists already"))
    }

    /// The store's backend is down, does not answer or broke off.
    pub fn backend(message: impl Into<String>) -> Self {
        Self::Call(CallError::new(ErrorKind::Failed, message))
    }

    /// More is under way than the store can take.
    pub fn overloaded(message: impl Into<String>) -> Self {
        Self::Call(CallError::new(ErrorKind::Overloaded, message))
    }

    /// Something is past its limit.
    pub fn too_large(message: impl Into<String>) -> Self {
        Self::Call(CallError::new(ErrorKind::TooLarge, message))
    }
}

/// A body that broke off, to whoever reads it.
impl From<StreamError> for Failure {
    fn from(error: StreamError) -> Self {
        let kind = match &error {
            StreamError::Lost | StreamError::Interrupted => ErrorKind::Interrupted,
            StreamError::Cancelled => ErrorKind::Cancelled,
            StreamError::TooLarge => ErrorKind::TooLarge,
            StreamError::Idle => ErrorKind::DeadlineExceeded,
            StreamError::Failed(_) => ErrorKind::Failed,
        };
        Self::Call(CallError::new(kind, error.to_string()))
    }
}

/// A failure in the middle of a body, to whoever reads that.
#[cfg(feature = "provider")]
impl From<Failure> for StreamError {
    fn from(failure: Failure) -> Self {
        match failure {
            Failure::Store(Error(text)) => Self::Failed(text),
            Failure::Call(error) => match error.kind {
                ErrorKind::Interrupted => Self::Interrupted,
                ErrorKind::Cancelled => Self::Cancelled,
                ErrorKind::TooLarge => Self::TooLarge,
                ErrorKind::DeadlineExceeded => Self::Idle,
                _ => Self::Failed(error.message),
            },
        }
    }
}

/// How an actor sees a failed call: the one place where the router's kinds become the WIT's text.
impl From<Failure> for Error {
    fn from(failure: Failure) -> Self {
        match failure {
            Failure::Store(error) => error,
            Failure::Call(error) => Self(format!("{}: {}", error.kind.as_str(), error.message)),
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
    fn an_actor_reads_the_kind_of_what_kept_the_store_from_answering() {
        let failure = Failure::Call(CallError::new(ErrorKind::Overloaded, "why"));
        assert_eq!(Error::from(failure), Error("overloaded: why".into()));
        assert_eq!(Error::from(Failure::no_container("c")), Error("no container \"c\"".into()));
    }

    #[cfg(feature = "provider")]
    #[test]
    fn a_failure_keeps_its_kind_on_its_way_through_a_body() {
        for kind in [
            ErrorKind::Interrupted,
            ErrorKind::Cancelled,
            ErrorKind::TooLarge,
            ErrorKind::DeadlineExceeded,
            ErrorKind::Failed,
        ] {
            let sent = StreamError::from(Failure::Call(CallError::new(kind, "why")));
            let Failure::Call(read) = Failure::from(sent) else { panic!("a call's failure") };
            assert_eq!(read.kind, kind);
        }
    }
}
