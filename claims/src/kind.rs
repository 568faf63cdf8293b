//! What a token is: its `typ` claim, checked wherever a token is read.

use std::fmt;

use serde::{Deserialize, Serialize};

/// What a token says something about. A token of one kind is never taken for one of another.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum TokenKind {
    /// An operator, which signs itself.
    Operator,
    /// An account of an operator.
    Account,
    /// A user of an account, and the user's rights.
    User,
    /// A host of an account.
    Host,
    /// A Wasm component.
    Actor,
    /// A provider's artifact.
    Provider,
    /// A link record.
    Link,
    /// A config record.
    Config,
    /// A share record.
    Share,
    /// An account's or operator's list of what it revoked.
    Revocations,
    /// A host's record of what it runs.
    Placement,
    /// A record of what a user declares is to run.
    Deployment,
    /// wadm's record of how far a deployment has come.
    Rollout,
    /// Which wadm acts.
    Lease,
    /// Which host's provider does what only one does.
    ProviderLease,
    /// A host's sign of life.
    Beat,
    /// A command to a host.
    Command,
    /// A question to wadm.
    Request,
    /// A host's answer to a command or a request.
    Answer,
    /// A host's first word to another.
    Hello,
    /// The other host's answer.
    Welcome,
}

impl TokenKind {
    /// The kind as tokens write it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Operator => "operator",
            Self::Account => "account",
            Self::User => "user",
            Self::Host => "host",
            Self::Actor => "actor",
            Self::Provider => "provider",
            Self::Link => "link",
            Self::Config => "config",
            Self::Share => "share",
            Self::Revocations => "revocations",
            Self::Placement => "placement",
            Self::Deployment => "deployment",
            Self::Rollout => "rollout",
            Self::Lease => "lease",
            Self::ProviderLease => "provider-lease",
            Self::Beat => "beat",
            Self::Command => "command",
            Self::Request => "request",
            Self::Answer => "answer",
            Self::Hello => "hello",
            Self::Welcome => "welcome",
        }
    }
}

impl fmt::Display for TokenKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}
