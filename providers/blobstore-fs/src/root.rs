//! A folder of containers, open while links are to it.

use std::{
    fs::{DirBuilder, File},
    io,
    os::unix::fs::DirBuilderExt,
    path::Path,
    sync::Arc,
    time::UNIX_EPOCH,
};

use rustix::{
    fd::OwnedFd,
    fs::{Mode, OFlags, fsync, mkdirat, open, renameat},
    io::Errno,
};
use tracing::warn;
use wattle_blobstore::Failure;

use crate::{
    disk::beside_lanes,
    staging::Staging,
    tree::{self, FOLDERS_MAX, failed},
};

/// How often to make an object's folders anew, where deleted neighbours take them away meanwhile.
const PUBLISH_TRIES: usize = 64;

/// An open root. Everything below it is reached from here; its path is used once.
#[derive(Debug)]
pub(crate) struct Root {
    folder: OwnedFd,
    pub(crate) staging: Arc<Staging>,
}

impl Root {
    /// Opens the folder, which is made where it is not.
    pub(crate) fn open(path: &Path) -> io::Result<Self> {
        make_durably(path)?;
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let folder = open(path, flags, Mode::empty())?;
        let staging = Arc::new(Staging::make(&folder)?);
        Ok(Self { folder, staging })
    }

    /// A container's folder.
    pub(crate) fn container(&self, name: &str) -> Result<OwnedFd, Failure> {
        let folder = tree::found(tree::folder(&self.folder, name));
        let folder = folder.map_err(|errno| failed("open a container", errno))?;
        folder.ok_or_else(|| Failure::no_container(name))
    }

    pub(crate) fn make_container(&self, name: &str) -> Result<(), Failure> {
        match mkdirat(&self.folder, name, Mode::RWXU) {
            Ok(()) => fsync(&self.folder).map_err(|errno| failed("keep a container", errno)),
            Err(Errno::EXIST) => Err(Failure::container_exists(name)),
            Err(errno) => Err(failed("make a container", errno)),
        }
    }

    /// Takes a container out of sight, at once and durably; what it has become is to be removed from the staging folder.
    pub(crate) fn take_container(&self, name: &str) -> Result<String, Failure> {
        self.container(name)?;
        let trash = self.staging.new_name();
        match renameat(&self.folder, name, self.staging.folder(), trash.as_str()) {
            Ok(()) => {}
            Err(Errno::NOENT) => return Err(Failure::no_container(name)),
            Err(errno) => return Err(failed("delete a container", errno)),
        }
        fsync(&self.folder).map_err(|errno| failed("delete a container", errno))?;
        Ok(trash)
    }

    /// Gives a finished file of the staging folder its object's name.
    pub(crate) fn publish(&self, file: &str, container: &str, name: &str) -> Result<(), Failure> {
        self.put_into_place(self.staging.folder(), file, container, name)
    }

    /// Moves an object. Its folder is left alone, empty or not.
    pub(crate) fn rename(
        &self,
        src: (&OwnedFd, &str),
        container: &str,
        name: &str,
    ) -> Result<(), Failure> {
        self.put_into_place(src.0, src.1, container, name)
    }

    /// The one way in which objects come to be. Where that fails, the folders that were made for it go again.
    fn put_into_place(
        &self,
        from: &OwnedFd,
        file: &str,
        container: &str,
        name: &str,
    ) -> Result<(), Failure> {
        let container = self.container(container)?;
        let placed = put_into(&container, name, (from, file));
        if placed.is_err()
            && let (Some(folders), _) = tree::split(name)
            && let Err(errno) = tree::prune(&container, folders)
        {
            warn!(%errno, "empty folders stay of an object that could not be put into its place");
        }
        placed
    }
}

/// Renames a file to its object's name. A folder on the way that goes away meanwhile, because the last object in it was deleted, is
/// made again. An empty one in its place goes; whoever was about to put an object into that finds a file where it was.
fn put_into(
    container: &OwnedFd,
    name: &str,
    (from, file): (&OwnedFd, &str),
) -> Result<(), Failure> {
    let (folders, last) = tree::split(name);
    for _ in 0..PUBLISH_TRIES {
        let parent = match tree::make_way(container, folders) {
            Ok(parent) => parent,
            Err(Errno::NOENT) => continue,
            Err(errno) => return Err(clash(name, errno)),
        };
        match renameat(from, file, &parent, last) {
            Ok(()) => return fsync(parent).map_err(|errno| failed("keep an object", errno)),
            Err(Errno::NOENT) => {}
            Err(Errno::ISDIR) => make_room(&parent, name, last)?,
            Err(errno) => return Err(clash(name, errno)),
        }
    }
    Err(Failure::backend(format!("the folder of {name:?} does not stay, or its bytes are gone")))
}

/// Removes a folder that has an object's name, if nothing is in it: a process that died on its way to an object has left it.
fn make_room(parent: &OwnedFd, name: &str, last: &str) -> Result<(), Failure> {
    tree::remove_empty(parent, last).map_err(|errno| clash(name, errno))
}

/// Makes a folder and those above it, where they are not, so that they stay.
fn make_durably(path: &Path) -> io::Result<()> {
    let missing: Vec<&Path> = path.ancestors().take_while(|path| !path.exists()).collect();
    DirBuilder::new().recursive(true).mode(0o700).create(path)?;
    for above in missing.into_iter().filter_map(Path::parent) {
        File::open(above)?.sync_all()?;
    }
    Ok(())
}

/// Whether an object can have this name beside the others, once empty folders are out of its way.
pub(crate) fn check_place(container: &OwnedFd, name: &str) -> Result<(), Failure> {
    let (folders, last) = tree::split(name);
    if folders.is_some_and(|folders| folders.split('/').count() > FOLDERS_MAX) {
        let text = format!("an object lies in at most {FOLDERS_MAX} folders here");
        return Err(Failure::too_large(text));
    }
    match tree::walk(container, folders) {
        Ok(parent) => make_room(&parent, name, last),
        Err(Errno::NOENT) => Ok(()),
        Err(errno) => Err(clash(name, errno)),
    }
}

/// Why no object can have this name.
fn clash(name: &str, errno: Errno) -> Failure {
    match errno {
        Errno::NOTEMPTY | Errno::EXIST => {
            Failure::other(format!("{name:?} cannot be an object here: it is the folder of others"))
        }
        Errno::NOTDIR | Errno::LOOP => Failure::other(format!(
            "{name:?} cannot be an object here: what its name begins with is no folder"
        )),
        errno => failed("put an object into its place", errno),
    }
}

/// When a file or folder was made, or changed where the file system does not know, in seconds since 1970.
pub(crate) fn created_at(file: &File) -> io::Result<u64> {
    let metadata = file.metadata()?;
    let created = metadata.created().or_else(|_| metadata.modified())?;
    Ok(created.duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs()))
}

impl Drop for Root {
    /// The last to let go may be a lane, which does not wait for disks.
    fn drop(&mut self) {
        let staging = Arc::clone(&self.staging);
        beside_lanes(move || {
            if let Err(errno) = staging.remove_own() {
                warn!(%errno, "the folder for unfinished objects stays; the next start removes it");
            }
        });
    }
}
