//! The hidden folder beside the containers, for what is not an object yet or any more.
//!
//! Each process has a folder of its own in there, which it holds locked; the kernel lets go of the lock however the process ends.
//! So a folder that can be locked is a dead process's, and all that is in it is debris.

use std::{
    fs::File,
    sync::atomic::{AtomicU64, Ordering},
};

use rustix::{
    fd::OwnedFd,
    fs::{AtFlags, Dir, FlockOperation, Mode, OFlags, flock, fstat, mkdirat, openat, statat},
    io::Errno,
};
use tracing::warn;

use crate::tree;

/// The hidden folder's name: no container's begins with a dot.
const HIDDEN: &str = ".wattle";

/// How often to make a folder anew that another process has cleaned away ahead of its lock.
const TRIES: usize = 16;

/// A process's own folder.
#[derive(Debug)]
pub(crate) struct Staging {
    hidden: OwnedFd,
    own: OwnedFd,
    name: String,
    next: AtomicU64,
}

impl Staging {
    /// A new folder of this process's, in a root.
    pub(crate) fn make(root: &OwnedFd) -> Result<Self, Errno> {
        tree::make_folder(root, HIDDEN)?;
        let hidden = tree::folder(root, HIDDEN)?;
        for _ in 0..TRIES {
            let name = format!("{:032x}", rand::random::<u128>());
            mkdirat(&hidden, name.as_str(), Mode::RWXU)?;
            let Some(own) = tree::found(tree::folder(&hidden, &name))? else { continue };
            if lock(&own)? && is_the_one(&hidden, &name, &own)? {
                return Ok(Self { hidden, own, name, next: AtomicU64::new(0) });
            }
        }
        Err(Errno::BUSY)
    }

    /// The folder, to rename from and into.
    pub(crate) fn folder(&self) -> &OwnedFd {
        &self.own
    }

    /// A name that nothing in the folder has.
    pub(crate) fn new_name(&self) -> String {
        self.next.fetch_add(1, Ordering::Relaxed).to_string()
    }

    /// A new, empty file.
    pub(crate) fn new_file(&self, name: &str) -> Result<File, Errno> {
        let flags = OFlags::RDWR | OFlags::CREATE | OFlags::EXCL | OFlags::CLOEXEC;
        Ok(openat(&self.own, name, flags, Mode::RUSR | Mode::WUSR)?.into())
    }

    /// Removes a file or a tree.
    pub(crate) fn remove(&self, name: &str) -> Result<(), Errno> {
        tree::remove(&self.own, name)
    }

    /// Removes what processes left that are gone. What cannot be removed keeps nothing else from it.
    pub(crate) fn sweep(&self) -> Result<(), Errno> {
        for entry in Dir::read_from(&self.hidden)? {
            let entry = entry?;
            let Ok(name) = entry.file_name().to_str() else { continue };
            if name == "." || name == ".." || name == self.name {
                continue;
            }
            if let Err(errno) = self.sweep_one(name) {
                warn!(name, %errno, "what an earlier process left stays until the next start");
            }
        }
        Ok(())
    }

    fn sweep_one(&self, name: &str) -> Result<(), Errno> {
        match tree::found(tree::folder(&self.hidden, name))? {
            Some(other) if lock(&other)? => tree::remove(&self.hidden, name),
            _ => Ok(()),
        }
    }

    /// Removes the folder, whose files must be gone.
    pub(crate) fn remove_own(&self) -> Result<(), Errno> {
        tree::remove(&self.hidden, &self.name)
    }
}

/// Whether the folder was nobody's and is now ours.
fn lock(folder: &OwnedFd) -> Result<bool, Errno> {
    match flock(folder, FlockOperation::NonBlockingLockExclusive) {
        Ok(()) => Ok(true),
        Err(Errno::WOULDBLOCK) => Ok(false),
        Err(errno) => Err(errno),
    }
}

/// Whether the folder that was locked is the one that still has the name.
fn is_the_one(hidden: &OwnedFd, name: &str, locked: &OwnedFd) -> Result<bool, Errno> {
    let named = tree::found(statat(hidden, name, AtFlags::SYMLINK_NOFOLLOW))?;
    let locked = fstat(locked)?;
    Ok(named.is_some_and(|named| (named.st_dev, named.st_ino) == (locked.st_dev, locked.st_ino)))
}
