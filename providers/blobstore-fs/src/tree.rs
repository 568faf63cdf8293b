//! Folders and files below a container, reached one name at a time, so that no link planted there is ever followed.
//!
//! Every step opens one segment, relative to the folder before it, and refuses symbolic links. The kernel's `openat2` does the
//! same in one call, but is forbidden in the sandboxes of many container runtimes.

use std::{ffi::CStr, fs::File};

use rustix::{
    fd::{AsFd, OwnedFd},
    fs::{AtFlags, Dir, FileType, Mode, OFlags, fstat, fsync, mkdirat, openat, statat, unlinkat},
    io::Errno,
    path::Arg,
};
use wattle_blobstore::Failure;

/// The most folders of an object's name. Each takes an open file while names are listed.
pub(crate) const FOLDERS_MAX: usize = 32;

/// How deep a tree to delete may be, which others may have grown: each level takes an open file and some stack.
const REMOVE_DEPTH_MAX: usize = 128;

const FOLDER: OFlags =
    OFlags::RDONLY.union(OFlags::DIRECTORY).union(OFlags::NOFOLLOW).union(OFlags::CLOEXEC);

/// Only the provider's user sees what it keeps.
const FOLDER_MODE: Mode = Mode::RWXU;

/// The folder of this name in another.
pub(crate) fn folder(at: impl AsFd, name: impl Arg) -> Result<OwnedFd, Errno> {
    openat(at, name, FOLDER, Mode::empty())
}

/// Makes a folder unless it is there. Either way it stays: whoever has just made it may not have come to sync it.
pub(crate) fn make_folder(at: impl AsFd, name: &str) -> Result<(), Errno> {
    match mkdirat(&at, name, FOLDER_MODE) {
        Ok(()) | Err(Errno::EXIST) => fsync(at),
        Err(errno) => Err(errno),
    }
}

/// An object's name as its folders and its file.
pub(crate) fn split(name: &str) -> (Option<&str>, &str) {
    match name.rsplit_once('/') {
        Some((folders, file)) => (Some(folders), file),
        None => (None, name),
    }
}

/// The folder at this path below another.
pub(crate) fn walk(from: impl AsFd, folders: Option<&str>) -> Result<OwnedFd, Errno> {
    let mut here = folder(from, ".")?;
    for name in folders.into_iter().flat_map(|folders| folders.split('/')) {
        here = folder(&here, name)?;
    }
    Ok(here)
}

/// The same, with the folders made that are not there, and all of the way durable: another upload, or another process, may have
/// made a folder a moment ago and not have synced it yet. To sync what is on the disk already costs little.
pub(crate) fn make_way(from: impl AsFd, folders: Option<&str>) -> Result<OwnedFd, Errno> {
    let mut here = folder(from, ".")?;
    for name in folders.into_iter().flat_map(|folders| folders.split('/')) {
        here = match folder(&here, name) {
            Err(Errno::NOENT) => {
                make_folder(&here, name)?;
                folder(&here, name)?
            }
            found => {
                let found = found?;
                fsync(&here)?;
                found
            }
        };
    }
    Ok(here)
}

/// The file of this name below a folder, if there is one: a link, a pipe or a device is none.
pub(crate) fn open_file(from: impl AsFd, name: &str) -> Result<Option<File>, Errno> {
    let (folders, file) = split(name);
    let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
    let opened = walk(from, folders).and_then(|parent| openat(parent, file, flags, Mode::empty()));
    let Some(opened) = found(opened)? else { return Ok(None) };
    let is_file = FileType::from_raw_mode(fstat(&opened)?.st_mode) == FileType::RegularFile;
    Ok(is_file.then(|| opened.into()))
}

/// Whether there is a file of this name in a folder.
pub(crate) fn is_file(at: impl AsFd, name: &str) -> Result<bool, Errno> {
    let stat = found(statat(at, name, AtFlags::SYMLINK_NOFOLLOW))?;
    Ok(stat.is_some_and(|stat| FileType::from_raw_mode(stat.st_mode) == FileType::RegularFile))
}

/// Nothing where there is nothing of this name that the provider would have made.
pub(crate) fn found<T>(answer: Result<T, Errno>) -> Result<Option<T>, Errno> {
    match answer {
        Ok(value) => Ok(Some(value)),
        // NXIO is a socket or a device without a driver, LOOP and NOTDIR are links and files where folders would be.
        Err(Errno::NOENT | Errno::NOTDIR | Errno::LOOP | Errno::NXIO) => Ok(None),
        Err(errno) => Err(errno),
    }
}

/// Removes folders that are empty, from this one up to the container. Not all of them need be there.
pub(crate) fn prune(container: impl AsFd, folders: &str) -> Result<(), Errno> {
    let mut next = Some(folders);
    while let Some(path) = next {
        let (above, name) = split(path);
        next = above;
        let Some(parent) = found(walk(&container, above))? else { continue };
        match unlinkat(parent, name, AtFlags::REMOVEDIR) {
            Ok(()) | Err(Errno::NOENT) => {}
            Err(Errno::NOTEMPTY | Errno::EXIST | Errno::NOTDIR) => return Ok(()), // somebody keeps it
            Err(errno) => return Err(errno),
        }
    }
    Ok(())
}

/// Removes the folder of this name, if there is one, where it has nothing but folders in it. Else this fails with `NOTEMPTY`, and
/// whatever somebody may have put there stays.
pub(crate) fn remove_empty(at: impl AsFd, name: &str) -> Result<(), Errno> {
    let Some(empty) = found(folder(&at, name))? else { return Ok(()) };
    name.into_with_c_str(|name| remove_folder(&at, name, &empty, 0))
}

/// From the innermost on, and up to the first file: in the folder of others that is not far.
fn remove_folder(at: impl AsFd, name: &CStr, itself: &OwnedFd, depth: usize) -> Result<(), Errno> {
    for entry in Dir::read_from(itself)? {
        let entry = entry?;
        let inner = entry.file_name();
        if inner == c"." || inner == c".." {
            continue;
        }
        match folder(itself, inner) {
            Ok(folder) if depth < FOLDERS_MAX => remove_folder(itself, inner, &folder, depth + 1)?,
            Ok(_) | Err(Errno::NOTDIR | Errno::LOOP) => return Err(Errno::NOTEMPTY),
            Err(Errno::NOENT) => {} // somebody else was faster
            Err(errno) => return Err(errno),
        }
    }
    found(unlinkat(at, name, AtFlags::REMOVEDIR)).map(drop)
}

/// Removes whatever is of this name in a folder, and all below it; of a link, the link.
pub(crate) fn remove(at: impl AsFd, name: &str) -> Result<(), Errno> {
    name.into_with_c_str(|name| remove_below(&at, name, 0))
}

/// By the names as the system has them: others may have put some there that are no text.
fn remove_below(at: impl AsFd, name: &CStr, depth: usize) -> Result<(), Errno> {
    if depth > REMOVE_DEPTH_MAX {
        return Err(Errno::NAMETOOLONG);
    }
    let is_folder = match unlinkat(&at, name, AtFlags::empty()) {
        Ok(()) | Err(Errno::NOENT) => return Ok(()),
        Err(Errno::ISDIR | Errno::PERM) => folder(&at, name)?,
        Err(errno) => return Err(errno),
    };
    for entry in Dir::read_from(&is_folder)? {
        let entry = entry?;
        match entry.file_name() {
            itself if itself == c"." || itself == c".." => {}
            inner => remove_below(&is_folder, inner, depth + 1)?,
        }
    }
    unlinkat(at, name, AtFlags::REMOVEDIR)
}

/// What the file system's refusal means.
pub(crate) fn failed(doing: &str, errno: Errno) -> Failure {
    Failure::backend(format!("the file system fails to {doing}: {errno}"))
}
