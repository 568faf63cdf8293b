//! An upload in parts. However it ends but well, S3 is told to forget it.

use std::{sync::Arc, time::Duration};

use md5::{Digest, Md5};
use object_store::{
    ObjectStoreExt, PutPayload,
    aws::AmazonS3,
    multipart::{MultipartStore, PartId},
    path::Path,
};
use tokio::time::sleep;
use tracing::warn;
use wattle_blobstore::Failure;
use wattle_core::{CallError, ErrorKind};

use crate::{
    account::Account,
    error::{failed, is_missing},
    io::Begun,
    journal::{Entry, Journal, Noted},
};

/// Bytes of each part but the last. S3 wants 5 MiB at least.
pub(crate) const PART_LEN: usize = 8 * 1024 * 1024;

/// The most parts of an object, as S3 has it: 78 GiB.
const PARTS_MAX: usize = 10_000;

/// The most bytes that S3 copies in one request.
pub(crate) const COPY_BYTES_MAX: u64 = 5 * 1024 * 1024 * 1024;

/// How often S3 is told to forget an upload, if it does not hear. Then it is the next process's.
const ABORTS_MAX: u32 = 20;

/// Between two such attempts, at first and at most.
const ABORT_PAUSE: (Duration, Duration) = (Duration::from_millis(200), Duration::from_secs(10));

/// An upload in parts, under way.
pub(crate) struct Multipart {
    account: Account,
    objects: Arc<AmazonS3>,
    path: Path,
    id: String,
    parts: Vec<PartId>,
    /// One part goes while the next one is filled.
    sending: Option<Begun<PartId>>,
    /// Nothing once it has ended.
    noted: Option<Noted>,
}

impl Multipart {
    /// Begins an upload, and notes that. Both go on to their end although nobody may wait for it any more, so that no upload is
    /// ever without its note; what comes of them is then dropped, as any other.
    pub(crate) async fn begin(
        account: &Account,
        journal: &Journal,
        (objects, bucket): (&Arc<AmazonS3>, &str),
        path: &Path,
    ) -> Result<Self, Failure> {
        let (account, journal) = (account.clone(), journal.clone());
        let (objects, bucket, path) = (Arc::clone(objects), bucket.to_owned(), path.clone());
        let io = account.io.clone();
        let begun = io.run_to_its_end(async move {
            let id = objects.create_multipart(&path).await;
            let id = id.map_err(|error| failed("begin an upload", &error))?;
            let entry = Entry {
                endpoint: account.settings.endpoint.clone(),
                access_key_id: account.settings.access_key_id.clone(),
                bucket,
                key: path.to_string(),
                upload_id: id.clone(),
            };
            let noted = journal.note(&entry).await.map_err(|error| {
                Failure::backend(format!(
                    "an upload cannot be noted in the provider's folder: {error}"
                ))
            });
            let (parts, sending) = (Vec::new(), None);
            match noted {
                Ok(noted) => {
                    Ok(Self { account, objects, path, id, parts, sending, noted: Some(noted) })
                }
                Err(failure) => {
                    abort(objects, path, id, Noted::nowhere()).await;
                    Err(failure)
                }
            }
        });
        begun.await
    }

    /// Sends a part, once the one before has arrived.
    pub(crate) async fn send(
        &mut self,
        part: PutPayload,
        held: impl Send + 'static,
    ) -> Result<(), Failure> {
        self.arrived().await?;
        if self.parts.len() == PARTS_MAX {
            let text = format!("S3 takes no object of more than {PARTS_MAX} parts");
            return Err(Failure::too_large(text));
        }
        let (objects, path, id) = (Arc::clone(&self.objects), self.path.clone(), self.id.clone());
        let index = self.parts.len();
        self.sending = Some(self.account.io.begin(async move {
            let sent = objects.put_part(&path, &id, index, part).await;
            drop(held);
            sent.map_err(|error| failed("take a part of an object", &error))
        }));
        Ok(())
    }

    async fn arrived(&mut self) -> Result<(), Failure> {
        if let Some(sending) = self.sending.take() {
            self.parts.push(sending.end().await?);
        }
        Ok(())
    }

    /// Makes the object of its parts. Once S3 was told to, this is not taken back.
    pub(crate) async fn complete(mut self) -> Result<(), Failure> {
        self.arrived().await?;
        let (objects, path, id) = (Arc::clone(&self.objects), self.path.clone(), self.id.clone());
        let parts = std::mem::take(&mut self.parts);
        let completed = self.account.io.begin(async move {
            let whole = e_tag(&parts);
            match objects.complete_multipart(&path, &id, parts).await {
                Ok(_) => Ok(()),
                // The first answer may have been lost, and asked again S3 knows of no such upload.
                Err(error) if is_missing(&error) => must_be_there(&objects, &path, whole).await,
                Err(error) => Err(failed("put an object together", &error)),
            }
        });
        completed.end().await?;
        if let Some(noted) = self.noted.take() {
            noted.remove().await;
        }
        Ok(())
    }
}

/// Whether the object is the one that was uploaded, to be told by its ETag.
async fn must_be_there(
    objects: &AmazonS3,
    path: &Path,
    whole: Option<String>,
) -> Result<(), Failure> {
    let found = objects.head(path).await.ok().and_then(|meta| meta.e_tag);
    match (whole, found) {
        (Some(whole), Some(found)) if found.trim_matches('"') == whole => Ok(()),
        _ => {
            let text = "S3 lost the upload when it was to end it; whether the object is there is not known";
            Err(Failure::Call(CallError::new(ErrorKind::Interrupted, text)))
        }
    }
}

/// The ETag that S3 gives an object of these parts: the MD5 of the parts' own, and how many they are. Nothing where a part's is no
/// MD5, as with some ways of encryption.
fn e_tag(parts: &[PartId]) -> Option<String> {
    let mut whole = Md5::new();
    for part in parts {
        let part = part.content_id.trim_matches('"');
        let md5 = u128::from_str_radix(part, 16).ok().filter(|_| part.len() == 32)?;
        whole.update(md5.to_be_bytes());
    }
    let md5 = u128::from_be_bytes(whole.finalize().into());
    Some(format!("{md5:032x}-{}", parts.len()))
}

impl Drop for Multipart {
    fn drop(&mut self) {
        self.sending = None; // it must not arrive behind the end
        if let Some(noted) = self.noted.take() {
            let (objects, path) = (Arc::clone(&self.objects), self.path.clone());
            self.account.io.detach(abort(objects, path, self.id.clone(), noted));
        }
    }
}

/// Has S3 forget an upload. One that it does not know is forgotten.
pub(crate) async fn abort(objects: Arc<AmazonS3>, path: Path, id: String, noted: Noted) {
    let (mut pause, pause_max) = ABORT_PAUSE;
    for _ in 0..ABORTS_MAX {
        match objects.abort_multipart(&path, &id).await {
            Ok(()) => return noted.remove().await,
            Err(error) if is_missing(&error) => return noted.remove().await,
            Err(error) => {
                warn!(%path, failure = %failed("forget an upload", &error), "trying again")
            }
        }
        sleep(pause).await;
        pause = (pause * 2).min(pause_max);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_object_is_told_by_the_etags_of_its_parts() {
        let parts = |e_tags: &[&str]| {
            let ids = e_tags.iter().map(|&e_tag| PartId { content_id: e_tag.to_owned() });
            e_tag(&ids.collect::<Vec<_>>())
        };
        // The MD5 of "a" and "b", and of these two.
        let (a, b) = ("0cc175b9c0f1b6a831c399e269772661", "\"92eb5ffee6ae2fec3ad71c777531578f\"");
        assert_eq!(parts(&[a, b]).as_deref(), Some("96e024ba2074fe77e8e965ba43a704be-2"));
        assert_eq!(parts(&[a, "92eb5ffee6ae2fec"]), None);
        assert_eq!(parts(&["no etag of this kind, but as long"]), None);
    }
}
