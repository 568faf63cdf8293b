//! An object on its way out: from the store into the reply's body, as fast as that is read.

use bytes::Bytes;
use tokio::{sync::OwnedSemaphorePermit, time::timeout};
use wattle_wire::{Body, BodySender, StreamError};

use crate::{error::Failure, limit::Bounds, store::Reading};

/// The body of `len` bytes. What is at hand at once goes without a task of its own.
///
/// # Errors
/// The store's, where it fails at the first bytes: then the call does.
pub(crate) async fn start(
    len: u64,
    mut reading: impl Reading,
    bounds: Bounds,
    slot: OwnedSemaphorePermit,
) -> Result<Body, Failure> {
    if len == 0 {
        return Ok(Body::full(Bytes::new()));
    }
    let first = next(&mut reading, len).await?;
    let left = len - first.len() as u64;
    if left == 0 {
        return Ok(Body::full(first));
    }
    let (sender, body) = Body::channel();
    tokio::spawn(async move {
        pump(reading, sender, first, left, bounds).await;
        drop(slot);
    });
    Ok(body)
}

/// Ends with the object, with its reader, or with the patience for that one.
async fn pump(
    mut reading: impl Reading,
    mut sender: BodySender,
    first: Bytes,
    mut left: u64,
    bounds: Bounds,
) {
    let mut chunk = first;
    loop {
        match timeout(bounds.body_idle, sender.send(chunk)).await {
            Ok(Ok(())) if left == 0 => return sender.finish(None),
            Ok(Ok(())) => {}
            Ok(Err(_)) => return, // nobody reads it any more
            Err(_) => return sender.abort(StreamError::Idle),
        }
        let read = tokio::select! {
            read = next(&mut reading, left) => read,
            () = sender.reader_gone() => return,
        };
        match read {
            Ok(more) => {
                left -= more.len() as u64;
                chunk = more;
            }
            Err(failure) => return sender.abort(failure.into()),
        }
    }
}

/// The next bytes, of which there must be some, and not more than were promised.
async fn next(reading: &mut impl Reading, left: u64) -> Result<Bytes, Failure> {
    match reading.read().await? {
        Some(chunk) if chunk.len() as u64 <= left => Ok(chunk),
        Some(_) => Err(Failure::backend("the object has more bytes than the store said")),
        None => Err(Failure::backend("the object ends before its end")),
    }
}
