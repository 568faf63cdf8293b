//! Artifacts in a JetStream object store, by content.
//!
//! The layout is that of NATS's object stores (chunks on one subject, what they make up on another), so NATS's own tools can
//! list and fetch them. It is written here because what is fetched must be bounded and checked while it comes, and because
//! acknowledging each chunk before sending the next takes a disk's sync per chunk.

mod object;

use std::{collections::VecDeque, time::Duration};

use async_nats::jetstream::{consumer::DeliverPolicy, message::PublishMessage, stream};
use bytes::Bytes;
use futures::StreamExt;
use sha2::{Digest as _, Sha256};
use tokio::time::timeout;
use wattle_core::{Digest, LatticeName};

use self::object::Object;
use crate::{
    Lattice,
    bucket::{Bucket, Reader, StoreError},
};

/// The most bytes of one artifact.
pub const ARTIFACT_LEN_MAX: usize = 256 * 1024 * 1024;
/// Bytes of one chunk, if the server takes as many. A chunk is one message, and other messages wait behind it.
const CHUNK_LEN: usize = 128 * 1024;
/// Chunks under way at once: 1 MiB.
const CHUNKS_UNDER_WAY: usize = 8;
/// How long the next chunk may take.
const NEXT_WAIT: Duration = Duration::from_secs(15);
/// How often an upload is tried when another one of the same artifact gets in its way.
const ATTEMPTS_MAX: usize = 3;

/// The lattice's artifacts.
#[derive(Clone, Debug)]
pub struct Artifacts {
    bucket: Bucket,
    name: String,
}

/// What went wrong with an artifact.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
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
    /// NATS could not do it.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl Lattice {
    /// The lattice's artifacts; the object store is made if it is not there. One that an operator made, with more replicas for
    /// example, is used as it is.
    pub async fn artifacts(&self) -> Result<Artifacts, ArtifactsError> {
        let name = name(self.name());
        let bucket = Bucket::open(self.clone(), settings(&name)).await?;
        Ok(Artifacts { bucket, name })
    }
}

/// The object store's name.
pub(crate) fn name(lattice: &LatticeName) -> String {
    format!("wattle_{lattice}_artifacts")
}

fn settings(name: &str) -> stream::Config {
    stream::Config {
        name: format!("OBJ_{name}"),
        description: Some("Wattle's artifacts, by SHA-256".to_owned()),
        subjects: vec![format!("$O.{name}.C.>"), format!("$O.{name}.M.>")],
        discard: stream::DiscardPolicy::New,
        allow_rollup: true,
        allow_direct: true,
        num_replicas: 1,
        ..stream::Config::default()
    }
}

impl Artifacts {
    /// Stores an artifact and returns its digest. Does nothing when it is there already, whole and right, which is checked by
    /// reading it: one that was damaged is replaced.
    ///
    /// # Cancel safety
    /// Dropping the future leaves the store as it was, but for chunks that nothing names.
    pub async fn put(&self, bytes: &[u8]) -> Result<Digest, ArtifactsError> {
        if bytes.len() > ARTIFACT_LEN_MAX {
            return Err(ArtifactsError::TooLarge { len: bytes.len(), max: ARTIFACT_LEN_MAX });
        }
        let digest = Digest::from_bytes(Sha256::digest(bytes).into());
        for _ in 0..ATTEMPTS_MAX {
            match self.get(&digest).await {
                Ok(_) => return Ok(digest),
                // What claims to be larger than we are is not us.
                Err(
                    ArtifactsError::NotFound(_)
                    | ArtifactsError::Corrupt(_)
                    | ArtifactsError::TooLarge { .. },
                ) => {}
                Err(error) => return Err(error),
            }
            match self.upload(&digest, bytes).await {
                // Somebody else stored it meanwhile; theirs is checked like any other.
                Err(StoreError::Stale) => {}
                uploaded => return uploaded.map(|()| digest).map_err(ArtifactsError::Store),
            }
        }
        Err(StoreError::Stale.into())
    }

    /// Whether there seems to be such an artifact: only who fetches it knows that it is whole.
    pub async fn has(&self, digest: &Digest) -> Result<bool, ArtifactsError> {
        let stored = self.stored(digest).await?;
        Ok(stored.and_then(|(object, _)| object).is_some_and(|object| !object.is_deleted()))
    }

    /// Fetches an artifact: exactly the bytes with this digest.
    pub async fn get(&self, digest: &Digest) -> Result<Vec<u8>, ArtifactsError> {
        let corrupt = || ArtifactsError::Corrupt(*digest);
        let Some((object, _)) = self.stored(digest).await? else {
            return Err(ArtifactsError::NotFound(*digest));
        };
        let object = object.ok_or_else(corrupt)?;
        if object.is_deleted() {
            return Err(ArtifactsError::NotFound(*digest));
        }
        if object.len() > ARTIFACT_LEN_MAX {
            return Err(ArtifactsError::TooLarge { len: object.len(), max: ARTIFACT_LEN_MAX });
        }
        let bytes = self.download(&object).await?.ok_or_else(corrupt)?;
        if Digest::from_bytes(Sha256::digest(&bytes).into()) == *digest {
            Ok(bytes)
        } else {
            Err(corrupt())
        }
    }

    /// What the store says of an artifact (nothing, if that makes no sense) and the revision of saying so.
    async fn stored(&self, digest: &Digest) -> Result<Option<(Option<Object>, u64)>, StoreError> {
        let said = self.bucket.last(&Object::subject(&self.name, digest)).await?;
        Ok(said.map(|message| (Object::parse(&message.payload), message.sequence)))
    }

    /// The chunks of an object put together, or nothing if they are not what the object says.
    async fn download(&self, object: &Object) -> Result<Option<Vec<u8>>, StoreError> {
        let chunks = object.chunks_subject(&self.name);
        if object.chunks() == 0 {
            return Ok((object.len() == 0).then(Vec::new));
        }
        let Reader { mut pending, mut messages } =
            self.bucket.read(&chunks, DeliverPolicy::All).await?;
        if pending != object.chunks() as u64 {
            return Ok(None);
        }
        // What the object says of its size is not believed before it is there.
        let mut bytes = Vec::new();
        while pending > 0 {
            let next = timeout(NEXT_WAIT, messages.next()).await;
            let message = match next.map_err(|_| StoreError::TimedOut)? {
                Some(message) => message.map_err(|error| StoreError::refused(&error))?,
                None => return Err(StoreError::Disconnected),
            };
            pending = message.info().map_or(0, |info| info.pending);
            if bytes.len() + message.payload.len() > object.len() {
                return Ok(None);
            }
            bytes.extend_from_slice(&message.payload);
        }
        Ok((bytes.len() == object.len()).then_some(bytes))
    }

    /// Chunks first, then the one message that makes them an object, if nobody stored it since it was looked at.
    async fn upload(&self, digest: &Digest, bytes: &[u8]) -> Result<(), StoreError> {
        let before = self.stored(digest).await?;
        let chunk_len = CHUNK_LEN.min(self.bucket.lattice().client().max_payload() / 2).max(1);
        let object = Object::new(&self.name, digest, bytes.len(), chunk_len);
        let chunks = object.chunks_subject(&self.name);
        let uploaded = match self.upload_chunks(&chunks, bytes, chunk_len).await {
            Ok(()) => self.name_chunks(&object, digest, before.as_ref().map(|(_, at)| *at)).await,
            failed => failed,
        };
        // What nothing names is of no use to anybody.
        let useless = match (&uploaded, before) {
            (Err(_), _) => Some(chunks),
            (Ok(()), Some((Some(before), _))) => Some(before.chunks_subject(&self.name)),
            (Ok(()), _) => None,
        };
        if let Some(chunks) = useless
            && let Err(error) = self.bucket.purge(&chunks, None).await
        {
            tracing::debug!(%error, "useless chunks stay in the object store");
        }
        uploaded
    }

    async fn upload_chunks(
        &self,
        subject: &str,
        bytes: &[u8],
        chunk_len: usize,
    ) -> Result<(), StoreError> {
        let mut under_way = VecDeque::with_capacity(CHUNKS_UNDER_WAY);
        for chunk in bytes.chunks(chunk_len) {
            if under_way.len() == CHUNKS_UNDER_WAY {
                self.acknowledged(under_way.pop_front()).await?;
            }
            let message = PublishMessage::build().payload(Bytes::copy_from_slice(chunk));
            under_way.push_back(self.bucket.send(subject, message).await?);
        }
        while let Some(oldest) = under_way.pop_front() {
            self.acknowledged(Some(oldest)).await?;
        }
        Ok(())
    }

    async fn acknowledged(
        &self,
        ack: Option<async_nats::jetstream::context::PublishAckFuture>,
    ) -> Result<(), StoreError> {
        let Some(ack) = ack else { return Ok(()) };
        let stored =
            async { ack.await.map(drop).map_err(|error| self.bucket.publish_error(&error)) };
        self.bucket.unless_lost(stored).await
    }

    async fn name_chunks(
        &self,
        object: &Object,
        digest: &Digest,
        before: Option<u64>,
    ) -> Result<(), StoreError> {
        let message = PublishMessage::build()
            // The newest word on an object replaces the older ones.
            .header("Nats-Rollup", "sub")
            .payload(object.encode().into());
        let subject = Object::subject(&self.name, digest);
        self.bucket.publish(&subject, message, Some(before.unwrap_or(0))).await.map(drop)
    }
}
