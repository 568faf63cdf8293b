//! Files that are private to the user, and replaced whole or not at all.

use std::{
    fs::{self, DirBuilder, File, OpenOptions},
    io::{ErrorKind, Write},
    os::unix::fs::{DirBuilderExt, OpenOptionsExt},
    path::Path,
};

use anyhow::Context;
use rustix::fs::{FlockOperation, flock};

/// Only the user may enter: seeds and credentials lie in these folders.
const FOLDER_MODE: u32 = 0o700;
/// Only the user may read.
const FILE_MODE: u32 = 0o600;
/// The longest file of ours that is read whole: keys, tokens, `lattice.json`.
const SMALL_FILE_LEN_MAX: u64 = 2 * 1024 * 1024; // bytes; a token is at most 1 MiB

/// The folder and those above it, private to the user.
pub(crate) fn create_folder(path: &Path) -> anyhow::Result<()> {
    DirBuilder::new()
        .recursive(true)
        .mode(FOLDER_MODE)
        .create(path)
        .with_context(|| path.display().to_string())
}

/// Writes a file beside `path` and renames it, so that a reader sees the old or the new one and never half of it.
pub(crate) fn write_private(path: &Path, content: &[u8]) -> anyhow::Result<()> {
    replace(path, content, FILE_MODE).with_context(|| format!("write {}", path.display()))
}

/// The same, for what others may read: signed components, tokens that are handed on.
pub(crate) fn write_public(path: &Path, content: &[u8]) -> anyhow::Result<()> {
    const PUBLIC_MODE: u32 = 0o644;
    replace(path, content, PUBLIC_MODE).with_context(|| format!("write {}", path.display()))
}

fn replace(path: &Path, content: &[u8], mode: u32) -> std::io::Result<()> {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
    if let Some(folder) = folder {
        DirBuilder::new().recursive(true).mode(FOLDER_MODE).create(folder)?;
    }
    let mut name = path.file_name().unwrap_or_default().to_owned();
    name.push(format!(".{}.new", std::process::id()));
    let new = path.with_file_name(name);
    let mut file =
        OpenOptions::new().write(true).create(true).truncate(true).mode(mode).open(&new)?;
    let written = file
        .write_all(content)
        .and_then(|()| file.sync_all())
        .and_then(|()| fs::rename(&new, path));
    if written.is_err() {
        // Best effort: what could not be written may not be removable either, and the first error says more.
        let _ = fs::remove_file(&new);
    }
    written
}

/// A small file's text without the space around it; `None` if there is no such file.
pub(crate) fn read_small(path: &Path) -> anyhow::Result<Option<String>> {
    let what = || path.display().to_string();
    match fs::metadata(path) {
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error).with_context(what),
        Ok(metadata) if metadata.len() > SMALL_FILE_LEN_MAX => {
            anyhow::bail!(
                "{} has {} bytes, the limit is {SMALL_FILE_LEN_MAX}",
                what(),
                metadata.len()
            )
        }
        Ok(_) => {}
    }
    let text = fs::read_to_string(path).with_context(what)?;
    Ok(Some(text.trim().to_owned()))
}

/// An advisory lock on a file, released when it is dropped or its process ends.
#[derive(Debug)]
pub(crate) struct Lock {
    _file: File,
}

impl Lock {
    /// Takes the lock, or says that another process has it.
    pub(crate) fn take(path: &Path) -> anyhow::Result<Option<Self>> {
        let file = lock_file(path)?;
        match flock(&file, FlockOperation::NonBlockingLockExclusive) {
            Ok(()) => Ok(Some(Self { _file: file })),
            Err(rustix::io::Errno::WOULDBLOCK) => Ok(None),
            Err(error) => Err(error).with_context(|| path.display().to_string()),
        }
    }

    /// Whether a process has the lock. Looking at it takes it for an instant, with everyone who looks at once, so that whoever wants it
    /// in that instant has to try again.
    pub(crate) fn is_held(path: &Path) -> bool {
        match File::open(path) {
            Ok(file) => flock(&file, FlockOperation::NonBlockingLockShared).is_err(),
            // What may not be looked at is another user's, who holds it for all that we know.
            Err(error) => error.kind() != ErrorKind::NotFound,
        }
    }

    /// Takes the lock when it is free, and blocks until then.
    pub(crate) fn wait(path: &Path) -> anyhow::Result<Self> {
        let file = lock_file(path)?;
        // A signal that is handled elsewhere may wake us.
        while let Err(error) = flock(&file, FlockOperation::LockExclusive) {
            if error != rustix::io::Errno::INTR {
                return Err(error).with_context(|| path.display().to_string());
            }
        }
        Ok(Self { _file: file })
    }
}

fn lock_file(path: &Path) -> anyhow::Result<File> {
    let mut options = OpenOptions::new();
    options.write(true).create(true).truncate(false).mode(FILE_MODE);
    options.open(path).with_context(|| path.display().to_string())
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[test]
    fn a_private_file_is_readable_by_its_user_only_also_when_it_is_replaced() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("keys/user.nk");
        for content in ["first", "second"] {
            write_private(&path, content.as_bytes()).expect("written");
            let mode = fs::metadata(&path).expect("it is there").permissions().mode();
            assert_eq!(mode & 0o777, FILE_MODE);
            assert_eq!(read_small(&path).expect("read").as_deref(), Some(content));
        }
    }

    #[test]
    fn a_lock_is_held_by_one_at_a_time() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("lock");
        let held = Lock::take(&path).expect("a lock").expect("free");
        assert!(Lock::take(&path).expect("a lock").is_none());
        assert!(Lock::is_held(&path));
        drop(held);
        assert!(!Lock::is_held(&path) && !Lock::is_held(&path));
        assert!(!Lock::is_held(&folder.path().join("none")));
        assert!(Lock::take(&path).expect("a lock").is_some());
    }

    #[test]
    fn no_file_is_no_error() {
        assert!(read_small(Path::new("/nonexistent/x")).expect("no error").is_none());
    }
}
