//! What a host and a provider say to each other beside calls. Both directions are control frames on the provider's first lane.

use serde::{Deserialize, Serialize};

use crate::{
    codec,
    entity::{EntityId, Party},
    interface::Interface,
    link::{Constraints, LinkName, Settings},
    name::{LatticeName, Name},
};

/// The most bytes of one control message on a provider's socket.
pub const CONTROL_LEN_MAX: usize = 1024 * 1024;

/// The most leases that one provider may want at once. Each is renewed in the lattice's store for as long as it is held.
pub const LEASES_MAX: usize = 64;

/// The most bytes of a lease's note.
pub const NOTE_LEN_MAX: usize = 1024;

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
    /// How it stands with a lease that the provider wants.
    Lease {
        /// The lease's number on this socket.
        lease: u32,
        /// What is new.
        news: LeaseNews,
    },
}

/// What a host says of a lease.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum LeaseNews {
    /// The provider holds it now, here and nowhere else.
    Held {
        /// What its last holder left; empty if there was none.
        #[serde(with = "codec::bytes")]
        note: Vec<u8>,
        /// Milliseconds from now on in which nobody else may take it.
        for_ms: u32,
    },
    /// The provider still holds it.
    Renewed {
        /// Milliseconds from now on in which nobody else may take it.
        for_ms: u32,
    },
    /// The provider does not hold it any more; it is told when it does again.
    Lost,
    /// The answer to [`ToHost::WriteNote`].
    Noted {
        /// The number of what was to be written.
        write: u32,
        /// Whether the next holder will read it.
        outcome: Result<(), NoteRefusal>,
    },
}

/// Why a note does not stand where the next holder reads it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum NoteRefusal {
    /// The provider does not hold the lease (any more).
    NotHeld,
    /// The note is longer than [`NOTE_LEN_MAX`].
    TooLong,
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
    /// It wants a lease: at most one host of the lattice lets its provider of this id hold it at a time. Answered with
    /// [`LeaseNews`] when it is held, which may never be.
    TakeLease {
        /// The lease's number on this socket, which the provider chooses and never uses again.
        lease: u32,
        /// The link to which it belongs.
        link: u32,
        /// Which of the link's leases it is.
        name: Name,
    },
    /// It does not want the lease any more: another host may have it at once.
    LeaveLease {
        /// The lease's number.
        lease: u32,
    },
    /// The next holder of the lease is to read this; answered with [`LeaseNews::Noted`].
    WriteNote {
        /// The lease's number.
        lease: u32,
        /// A number for the answer.
        write: u32,
        /// At most [`NOTE_LEN_MAX`] bytes.
        #[serde(with = "codec::bytes")]
        note: Vec<u8>,
    },
}

/// What a provider made of a link, shown by `wattle get links`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct LinkDetail {
    /// Where it listens because of this link: `http://127.0.0.1:8080/counter`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub url: Option<String>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_said_of_leases_has_these_bytes_and_survives_the_trip() {
        let written = ToHost::WriteNote { lease: 1, write: 2, note: vec![0, 255] };
        let bytes = codec::encode(&written);
        assert_eq!(
            bytes,
            b"\x81\xaawrite-note\x83\xa5lease\x01\xa5write\x02\xa4note\xc4\x02\0\xff"
        );
        assert_eq!(codec::decode::<ToHost>(&bytes, 100).expect("what we wrote"), written);
        let name = "watch".parse().expect("a name");
        for said in [
            ToHost::TakeLease { lease: u32::MAX, link: 7, name },
            ToHost::LeaveLease { lease: 0 },
            ToHost::WriteNote { lease: 1, write: 2, note: vec![7; NOTE_LEN_MAX] },
        ] {
            let bytes = codec::encode(&said);
            assert_eq!(codec::decode::<ToHost>(&bytes, 2_000).expect("what we wrote"), said);
        }
        for news in [
            LeaseNews::Held { note: vec![7; NOTE_LEN_MAX], for_ms: 5_000 },
            LeaseNews::Renewed { for_ms: 0 },
            LeaseNews::Lost,
            LeaseNews::Noted { write: 1, outcome: Ok(()) },
            LeaseNews::Noted { write: 1, outcome: Err(NoteRefusal::NotHeld) },
        ] {
            let told = ToProvider::Lease { lease: 3, news };
            let bytes = codec::encode(&told);
            assert_eq!(codec::decode::<ToProvider>(&bytes, 2_000).expect("what we wrote"), told);
        }
    }
}
