//! The folder itself: whole files or none, the least recently used ones removed when it grows too large.

use std::{
    collections::BTreeSet,
    fs::{self, DirBuilder, File},
    io::{self, Read, Write},
    os::unix::fs::DirBuilderExt,
    path::{Path, PathBuf},
    time::SystemTime,
};

use parking_lot::Mutex;
use wattle_core::Digest;

/// How a file is named that is not yet whole.
const PARTIAL: &str = ".partial-";

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
        for entry in fs::read_dir(&dir)? {
            let entry = entry?;
            if entry.file_name().to_string_lossy().starts_with(PARTIAL) {
                fs::remove_file(entry.path())?;
            }
        }
        Ok(Self { dir, bytes_max, held: Mutex::default(), evicting: Mutex::default() })
    }

    pub(super) fn hold(&self, digests: BTreeSet<Digest>) {
        *self.held.lock() = digests;
    }

    /// What is there, at most so many.
    pub(super) fn digests(&self, max: usize) -> io::Result<Vec<Digest>> {
        let names =
            fs::read_dir(&self.dir)?.filter_map(|entry| entry.ok()?.file_name().into_string().ok());
        Ok(names.filter_map(|name| format!("sha256:{name}").parse().ok()).take(max).collect())
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
        if let Err(error) = file.set_modified(SystemTime::now()) {
            tracing::debug!(%digest, %error, "an artifact's last use is not noted");
        }
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
        let mut files = self.files()?;
        let mut bytes: u64 = files.iter().map(|file| file.len).sum();
        files.sort_by_key(|file| file.used);
        let held = self.held.lock().clone();
        for file in
            files.iter().filter(|file| file.digest != *newest && !held.contains(&file.digest))
        {
            if bytes <= self.bytes_max {
                break;
            }
            fs::remove_file(self.path(&file.digest))?;
            bytes -= file.len;
        }
        Ok(())
    }

    /// What is in the folder; what is not named by a digest is not ours to touch.
    fn files(&self) -> io::Result<Vec<Cached>> {
        let mut files = Vec::new();
        for entry in fs::read_dir(&self.dir)? {
            let entry = entry?;
            let name = entry.file_name();
            let Some(digest) = name.to_str().and_then(|hex| format!("sha256:{hex}").parse().ok())
            else {
                continue;
            };
            let metadata = entry.metadata()?;
            files.push(Cached { digest, len: metadata.len(), used: metadata.modified()? });
        }
        Ok(files)
    }

    fn path(&self, digest: &Digest) -> PathBuf {
        Path::new(&self.dir).join(digest.hex())
    }
}

struct Cached {
    digest: Digest,
    len: u64,
    used: SystemTime,
}
