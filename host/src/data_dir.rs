//! A host's folder, which is one process's alone for as long as it runs.

use std::{
    fs::{DirBuilder, File, OpenOptions},
    io,
    os::unix::fs::{DirBuilderExt, OpenOptionsExt},
    path::{Path, PathBuf},
};

use rustix::fs::{FlockOperation, flock};

/// A folder that this process holds. Whoever has one may run a host in it: two processes would overwrite each other's state.
#[derive(Debug)]
pub struct DataDir {
    path: PathBuf,
    /// The kernel gives the lock back when the process ends, however it ends.
    _lock: File,
}

/// Why a folder cannot be had.
#[derive(Debug, thiserror::Error)]
pub enum DataDirError {
    /// Another process has it.
    #[error("another process runs a host in {}", .0.display())]
    Taken(PathBuf),
    /// It cannot be used.
    #[error("{}: {source}", path.display())]
    Io {
        /// The folder.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
}

impl DataDir {
    /// Makes the folder, private to the user, if it is not there, and takes it.
    pub fn claim(path: impl Into<PathBuf>) -> Result<Self, DataDirError> {
        let path = path.into();
        let opened = DirBuilder::new().recursive(true).mode(0o700).create(&path).and_then(|()| {
            let mut options = OpenOptions::new();
            options.write(true).create(true).truncate(false).mode(0o600).open(path.join("lock"))
        });
        let locked = opened.and_then(|lock| {
            flock(&lock, FlockOperation::NonBlockingLockExclusive)?;
            Ok(lock)
        });
        match locked {
            Ok(lock) => Ok(Self { path, _lock: lock }),
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                Err(DataDirError::Taken(path))
            }
            Err(source) => Err(DataDirError::Io { path, source }),
        }
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// A file or folder in it.
    pub fn join(&self, name: impl AsRef<Path>) -> PathBuf {
        self.path.join(name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_is_one_holders_at_a_time() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("host");
        let held = DataDir::claim(&path).expect("free");
        assert!(matches!(DataDir::claim(&path), Err(DataDirError::Taken(taken)) if taken == path));
        drop(held);
        DataDir::claim(&path).expect("free again");
    }
}
