//! The folder itself: whole files or none, the least recently used ones removed when it grows too large.

use std::{
    collections::BTreeSet,
    ffi::OsStr,
    fs::{self, DirBuilder, File},
    io::{self, Read, Write},
    os::unix::fs::DirBuilderExt,
    path::{Path, PathBuf},
};

use parking_lot::Mutex;
use wattle_core::Digest;

use crate::room::{self, PARTIAL};

/// A folder of files named by 64 hex digits.
#[derive(Debug)]
pub(super) struct Folder {
    dir: PathBuf,
    bytes_max: u64,
    held: Mutex<BTreeSet<Digest>>,
    evicting: Mutex<()>,
}

impl Folder {
    /// Makes the folder, readable for its owner only, and removes what a crash left half written.
    pub(super) fn open(dir: PathBuf, bytes_max: u64) -> io::Result<Self> {
        DirBuilder::new().recursive(true).mode(0o700).create(&dir)?;
        room::clear(&dir, |name| name.starts_with(PARTIAL))?;
        Ok(Self { dir, bytes_max, held: Mutex::default(), evicting: Mutex::default() })
    }

    pub(super) fn hold(&self, digests: BTreeSet<Digest>) {
        *self.held.lock() = digests;
    }

    /// What is there, at most so many.
    pub(super) fn digests(&self, max: usize) -> io::Result<Vec<Digest>> {
        let names =
            fs::read_dir(&self.dir)?.filter_map(|entry| entry.ok()?.file_name().into_string().ok());
        Ok(names.filter_map(|name| of_name(&name)).take(max).collect())
    }

    /// The file's bytes, at most `len_max`; it then counts as just used.
    pub(super) fn read(&self, digest: &Digest, len_max: u64) -> io::Result<Vec<u8>> {
        let path = self.path(digest);
        if !fs::symlink_metadata(&path)?.is_file() {
            return Err(io::Error::new(io::ErrorKind::InvalidData, "it is not a regular file"));
        }
        let file = File::open(path)?;
        let len = file.metadata()?.len();
        if len > len_max {
            return Err(io::Error::new(
                io::ErrorKind::FileTooLarge,
                "it is larger than an artifact",
            ));
        }
        let mut bytes = Vec::with_capacity(usize::try_from(len).unwrap_or(0));
        (&file).take(len_max).read_to_end(&mut bytes)?;
        room::touch(&file);
        Ok(bytes)
    }

    /// Writes the file so that it is there whole, also after a power cut, or not at all; then makes room.
    pub(super) fn write(&self, digest: &Digest, bytes: &[u8]) -> io::Result<()> {
        let mut partial = tempfile::Builder::new().prefix(PARTIAL).tempfile_in(&self.dir)?;
        partial.write_all(bytes)?;
        partial.as_file().sync_all()?;
        partial.persist(self.path(digest)).map_err(|error| error.error)?;
        File::open(&self.dir)?.sync_all()?;
        self.make_room(digest)
    }

    pub(super) fn remove(&self, digest: &Digest) {
        if let Err(error) = fs::remove_file(self.path(digest)) {
            tracing::warn!(%digest, %error, "a damaged artifact cannot be removed");
        }
    }

    /// Removes the files that were not used for the longest time, but never what is held, nor `newest`.
    fn make_room(&self, newest: &Digest) -> io::Result<()> {
        let _alone = self.evicting.lock();
        let held = self.held.lock().clone();
        // What is not named by a digest is not ours to touch.
        let may_go = |path: &Path| {
            let digest = path.file_name().and_then(OsStr::to_str).and_then(of_name);
            digest.is_some_and(|digest| digest != *newest && !held.contains(&digest))
        };
        room::make(&self.dir, self.bytes_max, may_go)
    }

    fn path(&self, digest: &Digest) -> PathBuf {
        Path::new(&self.dir).join(digest.hex())
    }
}

fn of_name(hex: &str) -> Option<Digest> {
    format!("sha256:{hex}").parse().ok()
}
