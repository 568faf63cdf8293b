//! An object on its way in: the request's body into the store, and its end as the reply's body.
//!
//! Whoever lets go of the reply's body lets go of the upload, and nothing of it is ever seen.

use bytes::Bytes;
use tokio::{sync::OwnedSemaphorePermit, time::timeout};
use wattle_core::codec;
use wattle_wire::{Body, BodySender, StreamError};

use crate::{
    error::{Error, Failure},
    limit::Bounds,
    store::Writing,
    wire::Outcome,
};

/// Takes `data` into `writing` as far as the bounds go, in a task of its own. The body says how that ended.
pub(crate) fn start(
    data: Body,
    writing: impl Writing,
    bounds: Bounds,
    slot: OwnedSemaphorePermit,
) -> Body {
    let (mut sender, ending) = Body::channel();
    tokio::spawn(async move {
        let ended = tokio::select! {
            ended = take(data, writing, bounds) => Some(ended),
            () = sender.reader_gone() => None,
        };
        drop(slot);
        if let Some(ended) = ended {
            say(sender, ended).await;
        }
    });
    ending
}

async fn take(mut data: Body, mut writing: impl Writing, bounds: Bounds) -> Result<(), Failure> {
    let mut bytes: u64 = 0;
    while let Some(chunk) = next(&mut data, bounds).await? {
        bytes = bytes.saturating_add(chunk.len() as u64);
        bounds.check_object_bytes(bytes)?;
        writing.write(chunk).await?;
    }
    writing.commit().await
}

async fn next(data: &mut Body, bounds: Bounds) -> Result<Option<Bytes>, Failure> {
    let chunk = timeout(bounds.body_idle, data.chunk()).await.map_err(|_| StreamError::Idle)?;
    Ok(chunk.transpose()?)
}

/// What the store said is one chunk; what kept it from saying so is the stream's error.
async fn say(mut sender: BodySender, ended: Result<(), Failure>) {
    let said: Outcome<()> = match ended {
        Ok(()) => Ok(()),
        Err(Failure::Store(Error(text))) => Err(Error(text)),
        Err(failure) => return sender.abort(failure.into()),
    };
    // Whoever went away does not want to know.
    if sender.send(codec::encode(&said).into()).await.is_ok() {
        sender.finish(None);
    }
}
