//! Commands to a host, and what it answers. A command travels only inside a token that a user signed; an answer only inside one
//! that the host signed.

use std::{collections::BTreeMap, num::NonZeroU16};

use serde::{Deserialize, Serialize};

use crate::{
    app::{ApplicationStatus, ApplicationSummary, History, SignedDeployment},
    artifact::Digest,
    call::CallError,
    entity::EntityId,
    interface::Interface,
    inventory::{Explanation, Inventory, LinkStatus, LogPage},
    link::{ConfigValue, LinkName},
    name::Name,
    trace::{Span, TraceId, TraceParent},
};

/// The most bytes of a command's or an answer's token. NATS servers allow 1 MiB by default.
pub const CONTROL_TOKEN_LEN_MAX: usize = 900 * 1024;

/// What a host is asked to do.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Command {
    /// Run an actor. Starting what runs already with the same digest is a success.
    StartActor(StartActor),
    /// Stop an actor, letting calls under way finish.
    StopActor {
        /// The actor.
        id: EntityId,
    },
    /// Change how many calls at once an actor takes.
    ScaleActor {
        /// The actor.
        id: EntityId,
        /// The new limit.
        scale: Scale,
    },
    /// Run a provider.
    StartProvider(StartProvider),
    /// Drain and stop a provider.
    StopProvider {
        /// The provider.
        id: EntityId,
    },
    /// Take a signed record: a link, a config, a share, a revocation list; or the signed tombstone of one.
    PutRecord {
        /// The record's token.
        token: String,
    },
    /// From wadm: make one component of a deployment so.
    Reconcile(Reconcile),
    /// What runs on the host.
    GetInventory,
    /// The links it knows, and whether each holds.
    GetLinks,
    /// One config record; secrets are shown by name only.
    GetConfig {
        /// Its name.
        name: Name,
    },
    /// Call an actor as the user. (A provider serves links, and a user has none.)
    Call(UserCall),
    /// Whether a call would be allowed, and by what.
    Why(Question),
    /// Lines of the host's, an actor's or a provider's log.
    GetLogs(LogQuery),
    /// What the host has kept of a trace.
    GetTrace {
        /// The trace.
        trace: TraceId,
    },
    /// Have other hosts' calls, and as far as others run the same this host's own too, answered elsewhere.
    DrainHost {
        /// Also where only this host runs something.
        force: bool,
        /// Take calls again.
        undo: bool,
    },
    /// Drain everything and end the host's process.
    StopHost {
        /// Milliseconds that calls under way get to finish.
        grace_ms: u32,
    },
}

/// What wadm has a host do. The host obeys what lies within the deployment, from who holds the lease.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Reconcile {
    /// The lease's term: a host refuses one that is not the newest.
    pub term: u64,
    /// The deployment's record, which a user signed.
    pub deployment: String,
    /// The component.
    pub id: EntityId,
    /// What is to be, whatever is.
    pub goal: Goal,
}

/// What is to be of one component on one host.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", rename_all_fields = "kebab-case")]
pub enum Goal {
    /// This program runs.
    Run {
        /// Which of those that the deployment has under this id, by content.
        program: Digest,
        /// Calls at once; of a provider 1.
        instances: NonZeroU16,
    },
    /// Nothing runs.
    Stop,
    /// This program, which runs, answers the deployment's probe.
    Probe {
        /// By content.
        program: Digest,
    },
}

/// How many calls at once one host takes for an actor; each runs in an instance of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Scale {
    /// None: calls are refused as unavailable.
    Stopped,
    /// At most this many.
    UpTo(NonZeroU16),
}

/// Which actor to run, and with what.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct StartActor {
    /// The id to run it under.
    pub id: EntityId,
    /// The signed component, by content.
    pub artifact: Digest,
    /// Calls at once.
    pub scale: Scale,
    /// Config records for it, in order; later ones win.
    #[serde(default)]
    pub config: Vec<Name>,
    /// Limits other than the host's defaults.
    #[serde(default)]
    pub limits: ActorLimits,
    /// Settings beside those of the records, which they win over.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub values: BTreeMap<String, ConfigValue>,
    /// The deployment's program that this is, by content; none where a user started it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub program: Option<Digest>,
}

/// An actor's limits; what is absent is the host's default. A host may hold an actor to less, never to more than it allows.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct ActorLimits {
    /// Bytes of linear memory of one instance.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub memory_bytes: Option<u64>,
    /// Calls that wait for an instance; beyond it they are refused as overloaded.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub queue: Option<u32>,
    /// Milliseconds that one call may take up to the head of its response.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub deadline_ms: Option<u32>,
}

/// Which provider to run, and with what.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct StartProvider {
    /// The id to run it under.
    pub id: EntityId,
    /// The signed artifact, by content.
    pub artifact: Digest,
    /// Config records for it, in order; later ones win.
    #[serde(default)]
    pub config: Vec<Name>,
    /// Settings beside those of the records, which they win over.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub values: BTreeMap<String, ConfigValue>,
    /// The deployment's program that this is, by content; none where a user started it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub program: Option<Digest>,
}

/// A call that a user makes, who needs the `invoke` right for it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct UserCall {
    /// Who is called.
    pub target: EntityId,
    /// The interface.
    pub interface: Interface,
    /// The function.
    pub function: String,
    /// The parameters, as the contract's wire types encode them.
    #[serde(with = "crate::codec::bytes")]
    pub params: Vec<u8>,
    /// The request's body, for a function that takes a stream.
    #[serde(default, with = "crate::codec::bytes")]
    pub body: Vec<u8>,
    /// Milliseconds until the caller gives up.
    pub deadline_ms: u32,
    /// The trace that it belongs to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub trace: Option<TraceParent>,
}

/// What a call gave.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct UserReply {
    /// The result, as the contract's wire types encode it.
    #[serde(with = "crate::codec::bytes")]
    pub result: Vec<u8>,
    /// The response's body, for a function that gives a stream.
    #[serde(default, with = "crate::codec::bytes")]
    pub body: Vec<u8>,
}

/// May `caller` call `callee` on `interface`?
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Question {
    /// Who would call.
    pub caller: EntityId,
    /// Who would be called.
    pub callee: EntityId,
    /// On what.
    pub interface: Interface,
    /// Over which link.
    pub link_name: LinkName,
}

/// Which log lines.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct LogQuery {
    /// Only those of this actor or provider.
    #[serde(default)]
    pub id: Option<EntityId>,
    /// Only those behind this line number.
    #[serde(default)]
    pub after: u64,
    /// At most so many, the newest.
    pub lines: u32,
}

/// What a host answers to a command.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Answer {
    /// The command's id.
    pub command: String,
    /// What came of it.
    pub outcome: Result<Outcome, Failure>,
}

/// What came of a command that succeeded: it is said when it is true.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Outcome {
    /// It is so now.
    Done {
        /// Whether it was so already.
        unchanged: bool,
        /// What it amounts to, for a person: `listening on http://127.0.0.1:8080`.
        detail: Option<String>,
    },
    /// To [`Command::GetInventory`].
    Inventory(Box<Inventory>),
    /// To [`Command::GetLinks`].
    Links(Vec<LinkStatus>),
    /// To [`Command::GetConfig`].
    Config(BTreeMap<String, String>),
    /// To [`Command::Call`]: the callee's answer, or how the call failed.
    Reply(Result<UserReply, CallError>),
    /// To [`Command::Why`].
    Explanation(Explanation),
    /// To [`Command::GetLogs`].
    Logs(LogPage),
    /// To [`Command::GetTrace`]: oldest first.
    Trace(Vec<Span>),
    /// To [`crate::app::AppRequest::List`].
    Applications(Vec<ApplicationSummary>),
    /// To [`crate::app::AppRequest::Status`].
    Application(Box<ApplicationStatus>),
    /// To [`crate::app::AppRequest::Get`].
    Deployment(SignedDeployment),
    /// To [`crate::app::AppRequest::History`].
    History(History),
    /// To [`crate::app::AppRequest::Version`]: the token of the deployment that it first came in, whose first version it is.
    Version(String),
}

/// Why a command had no effect.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[serde(rename_all = "kebab-case")]
#[error("{message}")]
pub struct Failure {
    /// What kind of thing went wrong.
    pub kind: FailureKind,
    /// What it is about, for a person: lower case, naming the thing.
    pub message: String,
    /// The next step, where one helps: a command line.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next: Option<String>,
}

/// The kinds of failed commands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum FailureKind {
    /// The command is not authentic: unsigned, altered, expired, repeated, of another lattice.
    Refused,
    /// The user lacks the right.
    Denied,
    /// There is no such artifact, actor, provider, link or config.
    NotFound,
    /// The artifact's or the record's claims do not hold.
    Claims,
    /// The id, the port or the route belongs to something else.
    Conflict,
    /// The host has no room.
    Capacity,
    /// It started and failed.
    Crashed,
    /// A newer record of this key is known.
    Stale,
    /// The command makes no sense as it is.
    Invalid,
    /// It did not come true in time.
    TimedOut,
    /// The host could not do it (its disk, its NATS).
    Host,
}

impl Failure {
    /// A failure of this kind.
    pub fn new(kind: FailureKind, message: impl Into<String>) -> Self {
        Self { kind, message: message.into(), next: None }
    }

    /// The same, with the step that helps.
    #[must_use]
    pub fn with_next(mut self, next: impl Into<String>) -> Self {
        self.next = Some(next.into());
        self
    }
}
