//! Why something was not answered or not done.

use serde::{Deserialize, Serialize};

/// The contract's errors; each says in words what it is about.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[serde(rename_all = "kebab-case")]
pub enum Error {
    /// It is beyond what the link allows.
    #[error("denied: {0}")]
    Denied(String),
    /// There is no such host, actor, provider or artifact.
    #[error("not found: {0}")]
    NotFound(String),
    /// It makes no sense as it is.
    #[error("invalid: {0}")]
    Invalid(String),
    /// The id belongs to something else.
    #[error("conflict: {0}")]
    Conflict(String),
    /// The host is out of reach or has no room: later it may succeed.
    #[error("unavailable: {0}")]
    Unavailable(String),
    /// It was tried and failed.
    #[error("failed: {0}")]
    Failed(String),
}
