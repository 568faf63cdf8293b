//! A host's life: it starts from what it keeps, joins its lattice when it can, and leaves after its calls are done.

use wattle_core::HostKey;

use crate::config::HostConfig;

/// A running host. Dropping it without [`Host::drain`] cuts what is under way.
pub struct Host {
    key: HostKey,
}

/// Why a host cannot start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// A file or folder of the host's own cannot be used.
    #[error("{what}: {source}")]
    Files {
        /// What was tried, and where.
        what: String,
        /// What went wrong.
        source: std::io::Error,
    },
    /// The host's own claims do not hold.
    #[error("the host's claims do not hold: {0}")]
    Claims(#[from] wattle_claims::TokenError),
    /// The options for NATS make no sense.
    #[error(transparent)]
    Lattice(#[from] wattle_lattice::ConnectError),
    /// The engine for actors cannot be set up.
    #[error("the engine for actors: {0}")]
    Engine(std::io::Error),
}

/// What was cut when a host stopped.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Drained {
    /// Calls that did not finish within the grace period.
    pub cut_calls: u32,
}

impl Host {
    /// Starts a host: it serves what it last ran, with or without its lattice.
    pub async fn start(_config: HostConfig) -> Result<Self, StartError> {
        unimplemented!()
    }

    /// The host's key.
    pub fn key(&self) -> &HostKey {
        &self.key
    }

    /// Waits until a user commands the host to stop.
    pub async fn stop_requested(&self) {
        unimplemented!()
    }

    /// Takes no more calls, finishes those under way within the grace period, and stops everything.
    pub async fn drain(self) -> Drained {
        unimplemented!()
    }
}
