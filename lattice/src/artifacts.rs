//! Artifacts in a JetStream object store, by content.

use wattle_core::Digest;

use crate::Lattice;

/// The most bytes of one artifact.
pub const ARTIFACT_LEN_MAX: usize = 256 * 1024 * 1024;

/// The lattice's artifacts.
#[derive(Clone)]
pub struct Artifacts {}

/// What went wrong with an artifact.
#[derive(Debug, thiserror::Error)]
pub enum ArtifactsError {
    /// The lattice has none with this digest.
    #[error("the lattice has no artifact {0}")]
    NotFound(Digest),
    /// What is stored under this digest is something else. It was not returned.
    #[error("what the lattice stores as {0} is something else")]
    Corrupt(Digest),
    /// Larger than an artifact may be.
    #[error("an artifact of {len} bytes is too large: at most {max}")]
    TooLarge {
        /// Its length.
        len: usize,
        /// The most it may be.
        max: usize,
    },
    /// There is no connection to NATS.
    #[error("there is no connection to NATS")]
    Disconnected,
    /// NATS did not answer in time.
    #[error("NATS did not answer in time")]
    TimedOut,
    /// The server has no JetStream, or not for us.
    #[error("NATS has no JetStream for us: {0}")]
    NoJetStream(String),
    /// NATS refused: no room, for example.
    #[error("NATS refused: {0}")]
    Refused(String),
}

impl Lattice {
    /// The lattice's artifacts; the object store is made if it is not there.
    pub async fn artifacts(&self) -> Result<Artifacts, ArtifactsError> {
        unimplemented!()
    }
}

impl Artifacts {
    /// Stores an artifact and returns its digest. Does nothing when it is there already, whole and right.
    pub async fn put(&self, bytes: &[u8]) -> Result<Digest, ArtifactsError> {
        let _ = bytes;
        unimplemented!()
    }

    /// Fetches an artifact: exactly the bytes with this digest.
    pub async fn get(&self, digest: &Digest) -> Result<Vec<u8>, ArtifactsError> {
        let _ = digest;
        unimplemented!()
    }
}
