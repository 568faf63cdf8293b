//! One store's file, open.

use std::{fmt, io, path::Path, sync::Arc, thread};

use redb::{Database, ReadTransaction, ReadableDatabase};
use tokio::sync::{Semaphore, mpsc, oneshot};
use wattle_keyvalue::Failure;

use crate::{
    database::{self, Held},
    layout::Changes,
    readers::{Readers, overloaded},
    watchers::Watchers,
    writer::{self, Change, Write},
};

/// Changes that wait for the disk. Beyond it, calls are refused at once.
const WAITING_MAX: usize = 4_096;

/// Memory that waiting changes may take, in bytes.
const WAITING_BYTES_MAX: usize = 64 * 1024 * 1024;

/// A store's file. It stays open, and this process's own, while there is a handle to it.
pub struct File {
    database: Arc<Held>,
    writes: mpsc::Sender<Write>,
    memory: Arc<Semaphore>,
    readers: Readers,
    pub(crate) watchers: Arc<Watchers>,
}

/// Why a store's file cannot be opened.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// The file, its folder, or a thread.
    #[error("{0}")]
    Io(#[from] io::Error),
    /// Another process has it open.
    #[error("another process has it open")]
    InUse,
    /// It is there and cannot be read.
    #[error("{0}")]
    Damaged(#[from] redb::Error),
}

impl File {
    /// Opens a store, or makes it. Blocks the thread; after a crash, until the file is whole again.
    pub fn open(path: &Path, readers: Readers) -> Result<Self, OpenError> {
        let database = database::open(path)?;
        make_tables(&database)?;
        let database = Arc::new(Held::new(path, database));
        let (writes, queue) = mpsc::channel(WAITING_MAX);
        let watchers = Arc::<Watchers>::default();
        let (written, told) = (Arc::clone(&database), Arc::clone(&watchers));
        let write = move || writer::run(&written, queue, &told);
        thread::Builder::new().name("writer".into()).spawn(write)?;
        let memory = Arc::new(Semaphore::new(WAITING_BYTES_MAX));
        Ok(Self { database, writes, memory, readers, watchers })
    }

    /// Makes a change. When this answers, it is on the disk.
    ///
    /// # Cancel safety
    /// The change is made or not, as a whole.
    pub(crate) async fn change(&self, change: Change) -> Result<u64, Failure> {
        let len = u32::try_from(change.len()).unwrap_or(u32::MAX);
        let memory =
            Arc::clone(&self.memory).try_acquire_many_owned(len).map_err(|_| overloaded())?;
        let (answer, done) = oneshot::channel();
        let write = Write { change, answer, _memory: memory };
        self.writes.try_send(write).map_err(|_| overloaded())?;
        done.await.unwrap_or_else(|_| Err(Failure::backend("the write failed")))
    }

    /// Reads from the file as it is now: all that was acknowledged is there.
    pub(crate) async fn read<T: Send + 'static>(
        &self,
        read: impl FnOnce(&ReadTransaction) -> Result<Result<T, Failure>, redb::Error> + Send + 'static,
    ) -> Result<T, Failure> {
        let held = Arc::clone(&self.database);
        let job = move || {
            let database = held.get()?;
            let found = database.begin_read().map_err(redb::Error::from).and_then(|now| read(&now));
            found.unwrap_or_else(|error| Err(held.failed(&error)))
        };
        self.readers.run(job).await
    }
}

/// So that readers find the tables in a file that nobody has written to yet.
fn make_tables(database: &Database) -> Result<(), redb::Error> {
    let transaction = database.begin_write()?;
    Changes::open(&transaction)?;
    transaction.commit()?;
    Ok(())
}

impl fmt::Debug for File {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("File").finish_non_exhaustive()
    }
}
