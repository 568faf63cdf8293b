//! What a host and a provider say to each other beside calls. Both directions are control frames on the provider's first lane.

use serde::{Deserialize, Serialize};

use crate::{
    entity::{EntityId, Party},
    interface::Interface,
    link::{Constraints, LinkName, Settings},
    name::LatticeName,
};

/// The most bytes of one control message on a provider's socket.
pub const CONTROL_LEN_MAX: usize = 1024 * 1024;

/// From the host to a provider.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ToProvider {
    /// Said once, first.
    Start(Start),
    /// A link with this provider at one end now holds; answered with [`ToHost::LinkPut`]. The same number again replaces it.
    PutLink(LinkGrant),
    /// The link with this number no longer holds; answered with [`ToHost::LinkDeleted`].
    DeleteLink {
        /// The link's number on this socket.
        link: u32,
    },
    /// Take nothing new from outside, finish what is under way, answer [`ToHost::Drained`] within `grace_ms`.
    Drain {
        /// Milliseconds until the host closes the socket.
        grace_ms: u32,
    },
}

/// How a provider is started.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Start {
    /// The id it runs under.
    pub id: EntityId,
    /// The lattice it serves.
    pub lattice: LatticeName,
    /// Its own settings.
    pub config: Settings,
    /// A `tracing` filter for its log, which it writes to stderr as JSON lines.
    pub log: String,
}

/// A link as the provider at one end of it sees it: verified by the host, with its settings resolved.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct LinkGrant {
    /// The link's number on this socket. Requests carry it, in both directions.
    pub link: u32,
    /// Which end this provider is.
    pub side: Side,
    /// Who is at the other end, verified by the host.
    pub peer: Party,
    /// The link's name.
    pub name: LinkName,
    /// What may be called over it.
    pub interfaces: Vec<Interface>,
    /// What this end must hold the caller to; one it does not know must fail the link.
    pub constraints: Constraints,
    /// This end's settings, secrets included: not for logs.
    pub config: Settings,
}

/// Which end of a link a provider is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Side {
    /// It calls.
    Source,
    /// It is called.
    Target,
}

/// From a provider to its host.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ToHost {
    /// It is up and takes links and calls.
    Ready,
    /// It cannot start, and exits.
    Failed {
        /// Why, for a person.
        reason: String,
    },
    /// The answer to [`ToProvider::PutLink`].
    LinkPut {
        /// The link's number.
        link: u32,
        /// What it serves now (an address, say), or why the link does not hold.
        outcome: Result<LinkDetail, String>,
    },
    /// The answer to [`ToProvider::DeleteLink`].
    LinkDeleted {
        /// The link's number.
        link: u32,
    },
    /// The answer to [`ToProvider::Drain`]: nothing is under way any more.
    Drained,
}

/// What a provider made of a link, shown by `wattle get links`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct LinkDetail {
    /// Where it listens because of this link: `http://127.0.0.1:8080/counter`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub url: Option<String>,
}
