//! One database's file, open.

use std::{
    fmt, fs,
    fs::{DirBuilder, OpenOptions},
    os::unix::fs::{DirBuilderExt, OpenOptionsExt},
    path::{Path, PathBuf},
    sync::Arc,
    thread,
};

use wattle_sql::Error;

use crate::{
    call::Call,
    connection::{OpenError, Purpose, Session},
    log::Log,
    migrations,
    queue::Queue,
    writer,
};

/// A database's file with the thread that changes it, which ends with the last handle.
pub struct File {
    path: Arc<PathBuf>,
    log: Arc<Log>,
    writes: Arc<Queue>,
    len_max: u64,
}

impl File {
    /// Opens a database, or makes it. Blocks the thread; after a crash, until the file is whole again.
    ///
    /// `len_max` is how many bytes the file may grow to.
    pub fn open(path: &Path, len_max: u64) -> Result<Self, OpenError> {
        make(path)?;
        let session = Session::open(path, Purpose::Write { len_max })?;
        migrations::make_record(&session)?;
        let (log, writes) = (Arc::new(Log::of(path, len_max)?), Arc::new(Queue::default()));
        let (kept, queue) = (Arc::clone(&log), Arc::clone(&writes));
        let thread = thread::Builder::new().name("writer".to_owned());
        thread.spawn(move || writer::run(&session, &queue, kept))?;
        Ok(Self { path: Arc::new(path.to_owned()), log, writes, len_max })
    }

    /// Where it is.
    pub fn path(&self) -> &Arc<PathBuf> {
        &self.path
    }

    /// Its write-ahead log.
    pub(crate) fn log(&self) -> &Arc<Log> {
        &self.log
    }

    /// How many bytes it may grow to.
    pub fn len_max(&self) -> u64 {
        self.len_max
    }

    /// Puts a change in line.
    pub(crate) fn push(&self, call: Call) -> Result<(), Error> {
        self.writes.push(call)
    }
}

impl Drop for File {
    fn drop(&mut self) {
        self.writes.close();
    }
}

impl fmt::Debug for File {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("File").field("path", &self.path).finish_non_exhaustive()
    }
}

/// Makes the file where there is none: SQLite would let others read it. A new file is in its folder for good when this returns.
fn make(path: &Path) -> Result<(), OpenError> {
    let dir = path.parent().unwrap_or(Path::new("."));
    DirBuilder::new().recursive(true).mode(0o700).create(dir)?;
    if path.exists() {
        return Ok(());
    }
    let mut options = OpenOptions::new();
    options.write(true).create(true).truncate(false).mode(0o600);
    options.open(path)?.sync_all()?;
    fs::File::open(dir)?.sync_all()?;
    Ok(())
}
