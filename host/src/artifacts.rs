//! Artifacts on this host's disk, by content: what was fetched once is there without an uplink.

use std::{collections::BTreeSet, fmt::Display, io, path::PathBuf};

use bytes::Bytes;
use wattle_core::Digest;

/// A folder of artifacts, each named by its SHA-256.
#[derive(Debug)]
pub(crate) struct ArtifactCache {
    _dir: PathBuf,
}

/// Why an artifact cannot be had.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ArtifactError {
    /// It is not here, and where it would come from said no.
    #[error("artifact {digest} cannot be fetched: {reason}")]
    Fetch { digest: Digest, reason: String },
    /// What was fetched is something else.
    #[error("artifact {digest} cannot be fetched: what came is {found}")]
    Mismatch { digest: Digest, found: Digest },
    /// It is larger than an artifact may be.
    #[error("artifact of {len} bytes, the limit is {max}")]
    TooLarge { len: u64, max: u64 },
    /// The disk failed.
    #[error("artifact cache: {0}")]
    Io(#[from] io::Error),
}

impl ArtifactCache {
    /// Opens the cache in `dir`, made if it is not there, which keeps at most about `bytes_max` bytes.
    pub(crate) fn open(_dir: PathBuf, _bytes_max: u64) -> io::Result<Self> {
        unimplemented!()
    }

    /// The artifact with this digest: from disk if it is there and whole, else from `fetch`.
    pub(crate) async fn get<F, Fut, E>(
        &self,
        _digest: &Digest,
        _fetch: F,
    ) -> Result<Bytes, ArtifactError>
    where
        F: FnOnce() -> Fut,
        Fut: Future<Output = Result<Vec<u8>, E>>,
        E: Display,
    {
        unimplemented!()
    }

    /// Says what runs, which is never evicted: the host must find it again after a restart without an uplink.
    pub(crate) fn hold(&self, _digests: BTreeSet<Digest>) {
        unimplemented!()
    }
}
