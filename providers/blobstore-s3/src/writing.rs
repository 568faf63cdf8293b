//! An object's bytes on their way into S3: at once where they are few, else in parts.

use std::sync::Arc;

use bytes::{Bytes, BytesMut};
use object_store::{ObjectStoreExt, PutPayload, aws::AmazonS3, path::Path};
use tokio::{
    sync::{OwnedSemaphorePermit, Semaphore},
    time::{Duration, timeout},
};
use wattle_blobstore::Failure;

use crate::{
    account::Account,
    error::{failed, is_missing},
    journal::Journal,
    multipart::{Multipart, PART_LEN},
};

/// Parts that one link may have in memory, filling and going: 128 MiB.
pub(crate) const LINK_PARTS: usize = 16;

/// Bytes that an upload may keep without a part's place: most objects are smaller, and wait for nobody.
const SMALL: usize = 256 * 1024;

/// How long an upload waits for a part's place. Uploads that stand still lose theirs within their link's idle time.
const PLACE_WAIT: Duration = Duration::from_secs(60);

/// Bytes that are handed to the connection at once: with each of them it says that something moves.
const PIECE_LEN: usize = 64 * 1024;

/// An object that is written.
pub(crate) struct Writing {
    account: Account,
    journal: Journal,
    places: Arc<Semaphore>,
    objects: Arc<AmazonS3>,
    container: String,
    path: Path,
    kept: BytesMut,
    place: Option<OwnedSemaphorePermit>,
    multipart: Option<Multipart>,
}

impl Writing {
    pub(crate) fn new(
        account: &Account,
        journal: &Journal,
        places: &Arc<Semaphore>,
        container: &str,
        path: Path,
    ) -> Result<Self, Failure> {
        Ok(Self {
            account: account.clone(),
            journal: journal.clone(),
            places: Arc::clone(places),
            objects: account.objects(container)?,
            container: container.to_owned(),
            path,
            kept: BytesMut::new(),
            place: None,
            multipart: None,
        })
    }

    /// Makes room for a part, once the link has some.
    async fn take_place(&mut self) -> Result<(), Failure> {
        let place = timeout(PLACE_WAIT, Arc::clone(&self.places).acquire_owned()).await;
        let Ok(Ok(place)) = place else {
            return Err(Failure::overloaded(
                "too many long objects are on their way over this link",
            ));
        };
        self.place = Some(place);
        self.kept.reserve(PART_LEN - self.kept.len());
        Ok(())
    }

    async fn send_part(&mut self) -> Result<(), Failure> {
        let part = self.kept.split().freeze();
        self.kept = BytesMut::new();
        let place = self.place.take();
        let multipart = match &mut self.multipart {
            Some(multipart) => multipart,
            none => {
                let bucket = self.account.settings.bucket(&self.container)?.to_owned();
                let target = (&self.objects, &*bucket);
                let begun = Multipart::begin(&self.account, &self.journal, target, &self.path);
                none.insert(begun.await?)
            }
        };
        multipart.send(pieces(part), place).await
    }

    async fn put_at_once(self) -> Result<(), Failure> {
        let (objects, path, container) = (self.objects, self.path, self.container);
        let payload = pieces(self.kept.freeze());
        let put = self.account.io.run(async move {
            match objects.put(&path, payload).await {
                Ok(_) => Ok(()),
                Err(error) if is_missing(&error) => Err(Failure::no_container(&container)),
                Err(error) => Err(failed("take an object", &error)),
            }
        });
        put.await
    }
}

impl wattle_blobstore::Writing for Writing {
    async fn write(&mut self, mut chunk: Bytes) -> Result<(), Failure> {
        while !chunk.is_empty() {
            if self.place.is_none() && self.kept.len() + chunk.len() > SMALL {
                self.take_place().await?;
            }
            let room = PART_LEN - self.kept.len();
            self.kept.extend_from_slice(&chunk.split_to(chunk.len().min(room)));
            if self.kept.len() == PART_LEN {
                self.send_part().await?;
            }
        }
        Ok(())
    }

    async fn commit(mut self) -> Result<(), Failure> {
        if self.multipart.is_none() {
            return self.put_at_once().await;
        }
        if !self.kept.is_empty() {
            self.send_part().await?;
        }
        match self.multipart.take() {
            Some(multipart) => multipart.complete().await,
            None => Ok(()),
        }
    }
}

fn pieces(mut bytes: Bytes) -> PutPayload {
    let mut pieces = Vec::with_capacity(bytes.len() / PIECE_LEN + 1);
    while !bytes.is_empty() {
        pieces.push(bytes.split_to(bytes.len().min(PIECE_LEN)));
    }
    PutPayload::from_iter(pieces)
}
