//! A call: what is said ahead of its parameters, and how it can fail.

use std::{borrow::Cow, fmt, future::Future, str::FromStr};

use bytes::Bytes;
use serde::{Deserialize, Serialize};

use crate::{interface::Operation, name::shortened, trace::TraceParent};

/// The most bytes of a call's parameters, and of its result, beside its streams.
pub const PARAMS_LEN_MAX: usize = 4 * 1024 * 1024;

/// One call, wherever it goes: in logs, events, traces and the `x-request-id` of an HTTP response.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct CallId([u8; 16]);

impl CallId {
    /// An id from 16 bytes, which the maker takes from a random generator.
    pub const fn from_bytes(bytes: [u8; 16]) -> Self {
        Self(bytes)
    }

    /// Its bytes.
    pub const fn into_bytes(self) -> [u8; 16] {
        self.0
    }
}

impl fmt::Display for CallId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:032x}", u128::from_be_bytes(self.0))
    }
}

impl fmt::Debug for CallId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl FromStr for CallId {
    type Err = CallIdError;

    fn from_str(text: &str) -> Result<Self, CallIdError> {
        u128::from_str_radix(text, 16) // 32 digits exactly, so a sign cannot pass
            .ok()
            .filter(|_| text.len() == 32)
            .map(|id| Self(id.to_be_bytes()))
            .ok_or_else(|| CallIdError(shortened(text)))
    }
}

/// Why a text is not a call's id.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is not a call id: it has 32 hex digits")]
pub struct CallIdError(String);

impl Serialize for CallId {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        if serializer.is_human_readable() {
            return serializer.collect_str(self);
        }
        serde_bytes::Bytes::new(&self.0).serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for CallId {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        if deserializer.is_human_readable() {
            let text = Cow::<'de, str>::deserialize(deserializer)?;
            return text.parse().map_err(serde::de::Error::custom);
        }
        serde_bytes::ByteArray::<16>::deserialize(deserializer)
            .map(|bytes| Self(bytes.into_array()))
    }
}

/// What stands ahead of a request's parameters on a provider's socket.
///
/// The link's number stands for caller, callee and constraints: both ends learnt them when the link was put.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct RequestHead<'a> {
    /// The call.
    pub id: CallId,
    /// The link's number on this socket.
    pub link: u32,
    /// `namespace:package/interface`.
    #[serde(borrow)]
    pub interface: Cow<'a, str>,
    /// The function's WIT name.
    #[serde(borrow)]
    pub function: Cow<'a, str>,
    /// What is left of the caller's deadline, in milliseconds, when this was written.
    pub deadline_ms: u32,
    /// The trace that it belongs to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub trace: Option<TraceParent>,
}

/// What stands ahead of a request's parameters between two hosts.
///
/// The receiver knows the link by its record, and judges it anew; who calls is the link's source, which has to run on the host
/// whose session this came over.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct RemoteHead<'a> {
    /// The call.
    pub id: CallId,
    /// The key of the link's record.
    #[serde(borrow)]
    pub link: Cow<'a, str>,
    /// `namespace:package/interface`.
    #[serde(borrow)]
    pub interface: Cow<'a, str>,
    /// The function's WIT name.
    #[serde(borrow)]
    pub function: Cow<'a, str>,
    /// What is left of the caller's deadline, in milliseconds, when this was written.
    pub deadline_ms: u32,
    /// Actors that the call has gone through, each calling the next, on whichever hosts.
    #[serde(default)]
    pub depth: u8,
    /// The trace that it belongs to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub trace: Option<TraceParent>,
}

/// How a call failed, as its caller sees it on either side of a socket.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[error("{message}")]
pub struct CallError {
    /// What to do about it.
    pub kind: ErrorKind,
    /// What it is about, for a person: lower case, naming the thing.
    pub message: String,
}

/// The kinds of failure, by what a caller can do about each.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ErrorKind {
    /// A grant is missing, expired or revoked. It did not run.
    Denied,
    /// Nothing runs under this id, or it has no such function. It did not run.
    NotFound,
    /// The callee is there but not ready (starting, draining, its process gone). It did not run.
    Unavailable,
    /// A limit on calls at once is reached. It did not run.
    Overloaded,
    /// A message or a body is past its limit.
    TooLarge,
    /// The request could not be understood. It did not run.
    Malformed,
    /// The deadline passed. It may have run.
    DeadlineExceeded,
    /// The callee, or the way to it, was lost under way. It may have run.
    Interrupted,
    /// The caller went away, so the call was ended.
    Cancelled,
    /// The actor failed: it trapped, or returned without an answer.
    Trapped,
    /// The actor went past its memory, stack, table, fuel or handle limit.
    LimitExceeded,
    /// The callee answered, and what it said is that it failed (its backend is down, say).
    Failed,
}

/// Who has to look at a failure.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Blame {
    /// Whoever called.
    Caller,
    /// The actor's author.
    Guest,
    /// The provider or its backend.
    Provider,
    /// Whoever runs the host.
    Host,
}

impl ErrorKind {
    /// Whether the callee did not run for a reason that lies in its host: another that runs the same may be asked.
    pub const fn is_for_another_host(self) -> bool {
        matches!(self, Self::Unavailable | Self::Overloaded)
    }

    /// Whether the callee provably did not run, so that the call may be sent again.
    pub const fn did_not_run(self) -> bool {
        matches!(
            self,
            Self::Denied | Self::NotFound | Self::Unavailable | Self::Overloaded | Self::Malformed
        )
    }

    /// Who has to look at it.
    pub const fn blame(self) -> Blame {
        match self {
            Self::Denied | Self::NotFound | Self::TooLarge | Self::Malformed | Self::Cancelled => {
                Blame::Caller
            }
            Self::Trapped | Self::LimitExceeded | Self::DeadlineExceeded => Blame::Guest,
            Self::Failed | Self::Interrupted => Blame::Provider,
            Self::Unavailable | Self::Overloaded => Blame::Host,
        }
    }

    /// The kind's name, as logs, metrics and `-o json` spell it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Denied => "denied",
            Self::NotFound => "not-found",
            Self::Unavailable => "unavailable",
            Self::Overloaded => "overloaded",
            Self::TooLarge => "too-large",
            Self::Malformed => "malformed",
            Self::DeadlineExceeded => "deadline-exceeded",
            Self::Interrupted => "interrupted",
            Self::Cancelled => "cancelled",
            Self::Trapped => "trapped",
            Self::LimitExceeded => "limit-exceeded",
            Self::Failed => "failed",
        }
    }
}

impl CallError {
    /// The most bytes of a message that is kept: what a hostile peer writes into it is bounded.
    pub const MESSAGE_LEN_MAX: usize = 2_000;

    /// A failure of this kind.
    pub fn new(kind: ErrorKind, message: impl Into<String>) -> Self {
        let mut message = message.into();
        if message.len() > Self::MESSAGE_LEN_MAX {
            let end = message.floor_char_boundary(Self::MESSAGE_LEN_MAX);
            message.truncate(end);
            message.push('…');
        }
        Self { kind, message }
    }
}

/// Carries small calls over one link. A contract's caller is written over this, so the same code runs in a host, in a
/// conformance suite and over a socket.
pub trait Call {
    /// Sends `params` to the callee's `operation` and waits for its result.
    ///
    /// # Cancel safety
    /// Dropping the future cancels the call; it may have run.
    fn call(
        &self,
        operation: Operation,
        params: Vec<u8>,
    ) -> impl Future<Output = Result<Bytes, CallError>> + Send;
}

/// Quotes an operation that came from outside.
pub fn unknown_function(interface: &str, function: &str) -> CallError {
    let text = format!("no function {}.{}", shortened(interface), shortened(function));
    CallError::new(ErrorKind::NotFound, text)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::codec;

    #[test]
    fn a_request_head_survives_the_trip_and_ignores_what_the_next_version_adds() {
        #[derive(Serialize)]
        #[serde(rename_all = "kebab-case")]
        struct Next {
            id: CallId,
            link: u32,
            interface: &'static str,
            function: &'static str,
            deadline_ms: u32,
            priority: u8,
        }
        let id = CallId::from_bytes([7; 16]);
        let next = Next {
            id,
            link: 3,
            interface: "a:b/c",
            function: "get",
            deadline_ms: 250,
            priority: 1,
        };
        let bytes = codec::encode(&next);
        let head: RequestHead<'_> =
            codec::decode(&bytes, 1_000).expect("unknown fields are ignored");
        assert_eq!((head.id, head.link, head.deadline_ms, head.trace), (id, 3, 250, None));
        assert_eq!(
            codec::decode::<RequestHead<'_>>(&codec::encode(&head), 1_000).expect("round trip"),
            head
        );
    }

    #[test]
    fn a_call_id_has_one_spelling() {
        let id = CallId::from_bytes([0x1f; 16]);
        assert_eq!(id.to_string().parse::<CallId>().expect("32 hex digits"), id);
        assert!("1f".parse::<CallId>().is_err());
    }

    #[test]
    fn a_message_is_cut_at_its_limit_between_characters() {
        let error = CallError::new(ErrorKind::Failed, "ä".repeat(5_000));
        assert!(error.message.len() <= CallError::MESSAGE_LEN_MAX + '…'.len_utf8());
    }
}
