//! An object's bytes on their way out.

use std::{fs::File, io, os::unix::fs::FileExt, sync::Arc};

use bytes::Bytes;
use wattle_blobstore::{Failure, Range};

use crate::disk::Disk;

/// Bytes that are read at once: a window of the wire, so that a thread is woken once for each.
const READ_LEN: u64 = 256 * 1024;

/// An open file, of which some bytes are left. What is put in its place meanwhile is another file.
#[derive(Debug)]
pub(crate) struct Reading {
    disk: Disk,
    file: Arc<File>,
    at: u64,
    left: u64,
}

impl Reading {
    /// The range's bytes of a file, and how many they are.
    pub(crate) fn new(disk: Disk, file: File, range: Range) -> io::Result<(u64, Self)> {
        let left = range.len_in(file.metadata()?.len());
        Ok((left, Self { disk, file: Arc::new(file), at: range.start, left }))
    }
}

impl wattle_blobstore::Reading for Reading {
    async fn read(&mut self) -> Result<Option<Bytes>, Failure> {
        if self.left == 0 {
            return Ok(None);
        }
        let (file, at) = (Arc::clone(&self.file), self.at);
        let len = usize::try_from(self.left.min(READ_LEN)).expect("a chunk is small");
        let read = self.disk.run(move |_| {
            let mut chunk = vec![0; len];
            let read = file.read_exact_at(&mut chunk, at).map(|()| chunk);
            read.map_err(|error| Failure::backend(format!("the object cannot be read: {error}")))
        });
        let chunk = read.await?;
        self.at += chunk.len() as u64;
        self.left -= chunk.len() as u64;
        Ok(Some(chunk.into()))
    }
}
