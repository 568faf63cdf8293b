//! Artifacts on this host's disk, by content: what was fetched once is there without an uplink.

mod folder;

use std::{
    collections::{BTreeSet, HashMap},
    fmt::Display,
    io,
    path::PathBuf,
    sync::{Arc, Weak},
};

use bytes::Bytes;
use parking_lot::Mutex;
use sha2::{Digest as _, Sha256};
use tokio::task::spawn_blocking;
use wattle_core::Digest;

use self::folder::Folder;

/// Bytes of one artifact.
const ARTIFACT_LEN_MAX: u64 = 256 * 1024 * 1024;

/// A folder of artifacts, each named by its SHA-256 and checked whenever it is read.
#[derive(Debug)]
pub(crate) struct ArtifactCache {
    folder: Arc<Folder>,
    fetching: Mutex<HashMap<Digest, Weak<tokio::sync::Mutex<()>>>>,
}

/// Why an artifact cannot be had.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ArtifactError {
    /// It is not here, and where it would come from has a reason why not.
    #[error("artifact {digest} cannot be fetched: {reason}")]
    Fetch { digest: Digest, reason: String },
    /// What was fetched is something else.
    #[error("artifact {digest} cannot be fetched: what came is {found}")]
    Mismatch { digest: Digest, found: Digest },
    /// It is larger than an artifact may be.
    #[error("artifact of {len} bytes, the limit is {ARTIFACT_LEN_MAX}")]
    TooLarge { len: u64 },
}

impl ArtifactCache {
    /// Opens the cache in `dir`, made if it is not there, which keeps about `bytes_max` bytes and what is held.
    pub(crate) fn open(dir: PathBuf, bytes_max: u64) -> io::Result<Self> {
        let folder = Arc::new(Folder::open(dir, bytes_max)?);
        Ok(Self { folder, fetching: Mutex::default() })
    }

    /// The artifact with this digest: from disk if it is there and whole, else from `fetch`, which at most one caller runs at a
    /// time. A disk that fails costs the cache, not the artifact.
    pub(crate) async fn get<F, Fut, E>(
        &self,
        digest: &Digest,
        fetch: F,
    ) -> Result<Bytes, ArtifactError>
    where
        F: FnOnce() -> Fut,
        Fut: Future<Output = Result<Vec<u8>, E>>,
        E: Display,
    {
        let turn = self.turn(digest);
        let _alone = turn.lock().await;
        if let Some(found) = self.read(*digest).await {
            return Ok(found);
        }
        let fetched = fetch()
            .await
            .map_err(|error| ArtifactError::Fetch { digest: *digest, reason: error.to_string() })?;
        self.keep(*digest, fetched.into()).await
    }

    /// Says what runs here, which is never evicted: the host must find it again after a restart without an uplink.
    /// What is there, at most so many.
    pub(crate) fn digests(&self, max: usize) -> Vec<Digest> {
        self.folder.digests(max).unwrap_or_default()
    }

    /// What runs must not be evicted.
    pub(crate) fn hold(&self, digests: BTreeSet<Digest>) {
        self.folder.hold(digests);
    }

    /// One lock per artifact that someone asks for, so that two commands do not fetch it twice.
    fn turn(&self, digest: &Digest) -> Arc<tokio::sync::Mutex<()>> {
        let mut fetching = self.fetching.lock();
        fetching.retain(|_, turn| turn.strong_count() > 0);
        let turn = fetching.get(digest).and_then(Weak::upgrade).unwrap_or_default();
        fetching.insert(*digest, Arc::downgrade(&turn));
        turn
    }

    async fn read(&self, digest: Digest) -> Option<Bytes> {
        let folder = self.folder.clone();
        let read = spawn_blocking(move || {
            let bytes = folder.read(&digest, ARTIFACT_LEN_MAX)?;
            if sha256(&bytes) == digest {
                return Ok(bytes);
            }
            folder.remove(&digest);
            Err(io::Error::new(io::ErrorKind::InvalidData, "its content is not what its name says"))
        });
        match read.await.unwrap_or_else(|panic| Err(io::Error::other(panic))) {
            Ok(bytes) => Some(bytes.into()),
            Err(error) if error.kind() == io::ErrorKind::NotFound => None,
            Err(error) => {
                tracing::warn!(%digest, %error, "cached artifact cannot be used");
                None
            }
        }
    }

    async fn keep(&self, digest: Digest, bytes: Bytes) -> Result<Bytes, ArtifactError> {
        let len = bytes.len() as u64;
        if len > ARTIFACT_LEN_MAX {
            return Err(ArtifactError::TooLarge { len });
        }
        let (folder, content) = (self.folder.clone(), bytes.clone());
        let kept = spawn_blocking(move || {
            let found = sha256(&content);
            if found != digest {
                return Err(ArtifactError::Mismatch { digest, found });
            }
            Ok(folder.write(&digest, &content))
        });
        match kept.await {
            Ok(Ok(Ok(()))) => Ok(bytes),
            Ok(Err(error)) => Err(error),
            Ok(Ok(Err(error))) => {
                tracing::warn!(%digest, %error, "artifact is not kept for a start without an uplink");
                Ok(bytes)
            }
            Err(panic) => {
                Err(ArtifactError::Fetch { digest, reason: format!("internal error: {panic}") })
            }
        }
    }
}

fn sha256(bytes: &[u8]) -> Digest {
    Digest::from_bytes(Sha256::digest(bytes).into())
}

#[cfg(test)]
mod tests;
