//! An object's bytes on their way in: a file that nobody sees, until it is whole.

use std::{
    fs::File,
    io::{self, Read, Write},
    mem,
    sync::Arc,
};

use bytes::Bytes;
use tracing::warn;
use wattle_blobstore::Failure;

use crate::{
    disk::{Disk, beside_lanes},
    root::Root,
};

/// Bytes that are written at once: a window of the wire, so that a thread is woken once for each.
const WRITE_LEN: usize = 256 * 1024;

/// How many bytes may be on their way to the disk: more would fill the machine's memory, and the last step would wait for all.
const UNSYNCED_MAX: u64 = 64 * 1024 * 1024;

/// Bytes that are copied in one step: between two steps, a copy can be given up.
const COPY_LEN: u64 = 16 * 1024 * 1024;

/// A file in the staging folder. Dropping it removes it, unless it was published.
#[derive(Debug)]
struct Unseen {
    root: Arc<Root>,
    name: String,
    file: File,
    unsynced: u64,
    published: bool,
}

impl Unseen {
    fn new(root: &Arc<Root>) -> io::Result<Self> {
        let name = root.staging.new_name();
        let file = root.staging.new_file(&name)?;
        Ok(Self { root: Arc::clone(root), name, file, unsynced: 0, published: false })
    }

    fn write(&mut self, chunks: Vec<Bytes>) -> io::Result<()> {
        for chunk in chunks {
            self.file.write_all(&chunk)?;
            self.wrote(chunk.len() as u64)?;
        }
        Ok(())
    }

    fn wrote(&mut self, len: u64) -> io::Result<()> {
        self.unsynced += len;
        if self.unsynced > UNSYNCED_MAX {
            self.unsynced = 0;
            self.file.sync_data()?;
        }
        Ok(())
    }

    fn publish(mut self, container: &str, name: &str) -> Result<(), Failure> {
        self.file.sync_all().map_err(|error| cannot_write(&error))?;
        self.root.publish(&self.name, container, name)?;
        self.published = true;
        Ok(())
    }
}

impl Drop for Unseen {
    /// Removing a long file takes a disk's time, which no lane has.
    fn drop(&mut self) {
        if self.published {
            return;
        }
        let (root, name) = (Arc::clone(&self.root), mem::take(&mut self.name));
        beside_lanes(move || {
            if let Err(errno) = root.staging.remove(&name) {
                warn!(%errno, "an unfinished object stays; the next start removes it");
            }
        });
    }
}

/// An object that is written.
#[derive(Debug)]
pub(crate) struct Writing {
    disk: Disk,
    /// Nothing after a step that failed or was dropped: then there is nothing to go on with.
    unseen: Option<Unseen>,
    kept: Vec<Bytes>,
    kept_len: usize,
    container: String,
    name: String,
}

impl Writing {
    pub(crate) async fn begin(disk: Disk, container: &str, name: &str) -> Result<Self, Failure> {
        let made = disk.run(|root| Unseen::new(root).map_err(|error| cannot_write(&error)));
        let unseen = Some(made.await?);
        let (container, name) = (container.to_owned(), name.to_owned());
        Ok(Self { disk, unseen, kept: Vec::new(), kept_len: 0, container, name })
    }

    /// Takes the bytes of an open file from where it stands, as far as they go.
    pub(crate) async fn copy(&mut self, from: File) -> Result<(), Failure> {
        let from = Arc::new(from);
        loop {
            let from = Arc::clone(&from);
            let copied = self.step(move |unseen| {
                let copied = io::copy(&mut (&*from).take(COPY_LEN), &mut unseen.file)?;
                unseen.wrote(copied)?;
                Ok(copied)
            });
            if copied.await? == 0 {
                return Ok(());
            }
        }
    }

    /// Works on the file on a thread, which has it meanwhile.
    async fn step<T: Send + 'static>(
        &mut self,
        work: impl FnOnce(&mut Unseen) -> io::Result<T> + Send + 'static,
    ) -> Result<T, Failure> {
        let Some(mut unseen) = self.unseen.take() else {
            return Err(Failure::backend("the object could not be written before"));
        };
        let done = self.disk.run(move |_| {
            let answer = work(&mut unseen).map_err(|error| cannot_write(&error))?;
            Ok((unseen, answer))
        });
        let (unseen, answer) = done.await?;
        self.unseen = Some(unseen);
        Ok(answer)
    }

    async fn flush(&mut self) -> Result<(), Failure> {
        self.kept_len = 0;
        let kept = mem::take(&mut self.kept);
        self.step(move |unseen| unseen.write(kept)).await
    }
}

impl wattle_blobstore::Writing for Writing {
    async fn write(&mut self, chunk: Bytes) -> Result<(), Failure> {
        self.kept_len += chunk.len();
        self.kept.push(chunk);
        if self.kept_len < WRITE_LEN {
            return Ok(());
        }
        self.flush().await
    }

    async fn commit(mut self) -> Result<(), Failure> {
        let kept = mem::take(&mut self.kept);
        let Some(mut unseen) = self.unseen.take() else {
            return Err(Failure::backend("the object could not be written before"));
        };
        let (container, name) = (self.container, self.name);
        let published = self.disk.run(move |_| {
            unseen.write(kept).map_err(|error| cannot_write(&error))?;
            unseen.publish(&container, &name)
        });
        published.await
    }
}

fn cannot_write(error: &io::Error) -> Failure {
    Failure::backend(format!("the object cannot be written: {error}"))
}
