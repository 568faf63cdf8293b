//! One connection to NATS for one lattice.

use tokio::sync::watch;
use wattle_core::LatticeName;

use crate::ConnectOptions;

/// A handle to the mesh. Clones share one connection.
#[derive(Clone)]
pub struct Lattice {
    name: LatticeName,
    connected: watch::Receiver<bool>,
}

/// Why there is no connection.
#[derive(Debug, thiserror::Error)]
pub enum ConnectError {
    /// The options make no sense: no server, a malformed address, a file that is not there.
    #[error("{0}")]
    Options(String),
    /// No server listens there, or the network says no.
    #[error("cannot reach NATS at {servers}: {reason}")]
    Unreachable {
        /// Where.
        servers: String,
        /// What the system said.
        reason: String,
    },
    /// The server does not know us.
    #[error("NATS at {servers} refuses our credentials")]
    Unauthorized {
        /// Where.
        servers: String,
    },
    /// No encrypted connection came about.
    #[error("no TLS with NATS at {servers}: {reason}")]
    Tls {
        /// Where.
        servers: String,
        /// Why.
        reason: String,
    },
    /// The server did not answer in time.
    #[error("NATS at {servers} does not answer")]
    TimedOut {
        /// Where.
        servers: String,
    },
}

/// What went over this connection, and what was refused or dropped, since it was made.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Traffic {
    /// Events and beats that were not sent: no connection, or the outgoing queue was full.
    pub dropped: u64,
    /// Messages that arrived and were refused: too large, malformed, without a reply subject, on a subject that is not theirs.
    pub refused: u64,
    /// Commands refused because too many were under way.
    pub overloaded: u64,
}

impl Lattice {
    /// Connects, or says within 5 s why not.
    pub async fn connect(
        name: LatticeName,
        options: &ConnectOptions,
    ) -> Result<Self, ConnectError> {
        let _ = (name, options);
        unimplemented!()
    }

    /// Returns at once and connects in the background, for as long as it takes: a host starts without NATS. Only options that
    /// can never work are an error.
    pub async fn join(name: LatticeName, options: &ConnectOptions) -> Result<Self, ConnectError> {
        let _ = (name, options);
        unimplemented!()
    }

    /// The lattice's name.
    pub fn name(&self) -> &LatticeName {
        &self.name
    }

    /// Whether NATS is there, now and whenever it changes.
    pub fn connected(&self) -> watch::Receiver<bool> {
        self.connected.clone()
    }

    /// Counters.
    pub fn traffic(&self) -> Traffic {
        unimplemented!()
    }
}
