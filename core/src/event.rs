//! What happened, told to whoever subscribes: CloudEvents 1.0 in JSON.

use serde::{Deserialize, Serialize};

use crate::{
    app::ApplicationState,
    call::ErrorKind,
    deployment::{Phase, VersionName},
    entity::EntityId,
    inventory::ProviderState,
    key::HostKey,
    link::LinkKey,
    name::{LatticeName, Name},
};

/// Something that happened on a host.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "kebab-case", rename_all_fields = "kebab-case")]
pub enum Event {
    /// The host joined the lattice.
    HostStarted {
        /// Its friendly name.
        name: Name,
    },
    /// The host leaves.
    HostStopped {
        /// Calls that did not finish within the grace period.
        cut_calls: u32,
    },
    /// Another host that runs something missed three beats. Told by the host whose turn it is to listen to it.
    HostLost {
        /// The host that is lost.
        host: HostKey,
    },
    /// A host that was lost is heard again.
    HostBack {
        /// The host.
        host: HostKey,
    },
    /// An actor takes calls.
    ActorStarted {
        /// The actor.
        id: EntityId,
    },
    /// An actor takes no more calls.
    ActorStopped {
        /// The actor.
        id: EntityId,
        /// Why.
        reason: String,
    },
    /// A provider changed its state.
    ProviderChanged {
        /// The provider.
        id: EntityId,
        /// What it is doing now.
        state: ProviderState,
    },
    /// A link was put, or put again.
    LinkPut {
        /// The link.
        link: LinkKey,
    },
    /// A link was deleted.
    LinkDeleted {
        /// The link.
        link: LinkKey,
    },
    /// Calls were denied. Repetitions within a second are counted, not repeated.
    CallDenied {
        /// Who called.
        caller: String,
        /// Who was called.
        callee: String,
        /// On what.
        interface: String,
        /// What is missing.
        reason: String,
        /// How often since the last such event.
        times: u64,
    },
    /// Something that arrived was refused. Repetitions within a second are counted, not repeated.
    Refused {
        /// What arrived.
        what: String,
        /// Why it was refused.
        reason: String,
        /// How often since the last such event.
        times: u64,
    },
    /// wadm sees an application stand otherwise than before.
    ApplicationChanged {
        /// The application.
        application: Name,
        /// Whether it is to run or to go.
        phase: Phase,
        /// The version that is being run.
        version: VersionName,
        /// How it stands now.
        state: ApplicationState,
        /// The first things that do not work.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        problems: Vec<String>,
    },
    /// Nothing of an application that was deleted is left.
    ApplicationEnded {
        /// The application.
        application: Name,
    },
    /// An actor's calls failed. Repetitions within a second are counted, not repeated.
    CallFailed {
        /// The actor.
        id: EntityId,
        /// How.
        error: ErrorKind,
        /// The last one's message.
        message: String,
        /// How often since the last such event.
        times: u64,
    },
}

/// The kinds of all events.
pub const KINDS: [&str; 14] = [
    "host-started",
    "host-stopped",
    "host-lost",
    "host-back",
    "actor-started",
    "actor-stopped",
    "provider-changed",
    "link-put",
    "link-deleted",
    "call-denied",
    "refused",
    "call-failed",
    "application-changed",
    "application-ended",
];

impl Event {
    /// The actor, provider, application or other host that it is about, if it is about one.
    pub fn about(&self) -> Option<&str> {
        match self {
            Self::ActorStarted { id }
            | Self::ActorStopped { id, .. }
            | Self::ProviderChanged { id, .. }
            | Self::CallFailed { id, .. } => Some(id.as_str()),
            Self::CallDenied { callee, .. } => Some(callee),
            Self::HostLost { host } | Self::HostBack { host } => Some(host.as_str()),
            Self::ApplicationChanged { application, .. }
            | Self::ApplicationEnded { application } => Some(application.as_str()),
            Self::HostStarted { .. }
            | Self::HostStopped { .. }
            | Self::LinkPut { .. }
            | Self::LinkDeleted { .. }
            | Self::Refused { .. } => None,
        }
    }

    /// Whether it is about calls to or from this one that failed or were denied.
    pub fn is_trouble_of(&self, id: &str) -> bool {
        match self {
            Self::CallDenied { caller, callee, .. } => caller == id || callee == id,
            Self::CallFailed { id: failed, .. } => failed.as_str() == id,
            _ => false,
        }
    }

    /// The event's kind, which is the last token of its subject.
    pub fn kind(&self) -> Name {
        let kind = match self {
            Self::HostStarted { .. } => "host-started",
            Self::HostStopped { .. } => "host-stopped",
            Self::HostLost { .. } => "host-lost",
            Self::HostBack { .. } => "host-back",
            Self::ActorStarted { .. } => "actor-started",
            Self::ActorStopped { .. } => "actor-stopped",
            Self::ProviderChanged { .. } => "provider-changed",
            Self::LinkPut { .. } => "link-put",
            Self::LinkDeleted { .. } => "link-deleted",
            Self::CallDenied { .. } => "call-denied",
            Self::Refused { .. } => "refused",
            Self::CallFailed { .. } => "call-failed",
            Self::ApplicationChanged { .. } => "application-changed",
            Self::ApplicationEnded { .. } => "application-ended",
        };
        kind.parse().expect("kinds are names")
    }
}

/// The envelope of an event: CloudEvents 1.0, structured mode, JSON.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CloudEvent {
    /// Always `1.0`.
    pub specversion: String,
    /// Unique per source.
    pub id: String,
    /// `wattle/{lattice}/{host}`.
    pub source: String,
    /// `dev.wattle.{kind}`.
    #[serde(rename = "type")]
    pub kind: String,
    /// RFC 3339, UTC.
    pub time: String,
    /// Always `application/json`.
    pub datacontenttype: String,
    /// The event.
    pub data: Event,
}

impl CloudEvent {
    /// Wraps `event`, which the host saw at `time` (RFC 3339) as its event number `number` since it started as `run`.
    pub fn new(
        lattice: &LatticeName,
        host: &HostKey,
        run: &str,
        number: u64,
        time: String,
        data: Event,
    ) -> Self {
        Self {
            specversion: "1.0".to_owned(),
            id: format!("{run}-{number}"),
            source: format!("wattle/{lattice}/{host}"),
            kind: format!("dev.wattle.{}", data.kind()),
            time,
            datacontenttype: "application/json".to_owned(),
            data,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kinds_are_those_of_events() {
        let id: EntityId = "cart".parse().expect("an id");
        let name: Name = "shop".parse().expect("a name");
        let events = [
            Event::HostStarted { name: name.clone() },
            Event::HostStopped { cut_calls: 0 },
            Event::ActorStarted { id: id.clone() },
            Event::ActorStopped { id: id.clone(), reason: String::new() },
            Event::ProviderChanged { id, state: ProviderState::Stopping },
            Event::Refused { what: String::new(), reason: String::new(), times: 1 },
            Event::ApplicationEnded { application: name },
        ];
        for event in events {
            assert!(KINDS.contains(&event.kind().as_str()), "{event:?}");
        }
    }
}
