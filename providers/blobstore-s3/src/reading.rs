//! An object's bytes on their way out of S3.

use bytes::Bytes;
use futures::{StreamExt, stream::BoxStream};
use object_store::{GetOptions, GetRange, ObjectStore, ObjectStoreExt, aws::AmazonS3, path::Path};
use wattle_blobstore::{Failure, Range};

use crate::error::{failed, is_missing};

/// The rest of an object. A connection that breaks is made again where S3 still has the same object.
pub(crate) struct Reading {
    rest: BoxStream<'static, object_store::Result<Bytes>>,
}

impl Reading {
    /// The range's bytes and how many they are; nothing where there is no such object.
    pub(crate) async fn open(
        objects: &AmazonS3,
        path: &Path,
        range: Range,
    ) -> Result<Option<(u64, Self)>, Failure> {
        let options = GetOptions { range: asked(range), ..GetOptions::default() };
        match objects.get_opts(path, options).await {
            Ok(found) => {
                let len = found.range.end - found.range.start;
                Ok(Some((len, Self { rest: found.into_stream() })))
            }
            Err(error) if is_missing(&error) => Ok(None),
            Err(error) if range.is_all() => Err(failed("read an object", &error)),
            Err(error) => behind(objects, path, range, &error).await,
        }
    }
}

/// S3 has no ranges without bytes, and fails: so it is asked how long the object is.
async fn behind(
    objects: &AmazonS3,
    path: &Path,
    range: Range,
    error: &object_store::Error,
) -> Result<Option<(u64, Reading)>, Failure> {
    match objects.head(path).await {
        Ok(meta) if range.len_in(meta.size) == 0 => {
            Ok(Some((0, Reading { rest: futures::stream::empty().boxed() })))
        }
        _ => Err(failed("read an object", error)),
    }
}

fn asked(range: Range) -> Option<GetRange> {
    match range {
        all if all.is_all() => None,
        // Numbers that S3's own do not reach mean the end.
        Range { start, end } if i64::try_from(end).is_err() => Some(GetRange::Offset(start)),
        Range { start, end } => Some(GetRange::Bounded(start..end + 1)),
    }
}

impl wattle_blobstore::Reading for Reading {
    async fn read(&mut self) -> Result<Option<Bytes>, Failure> {
        loop {
            match self.rest.next().await {
                Some(Ok(chunk)) if chunk.is_empty() => {}
                Some(Ok(chunk)) => return Ok(Some(chunk)),
                Some(Err(error)) => return Err(failed("read an object", &error)),
                None => return Ok(None),
            }
        }
    }
}
