//! Which uploads in parts are under way, on the disk: S3 keeps the parts of those that nobody ends, unseen and paid for.
//!
//! Each has a file. Those that are there when the process starts are its predecessor's, which died with them, and they are given
//! up as soon as a link brings the key for it. Uploads of anybody else are in no file here and are left alone.

use std::{
    fs::File,
    io::{self, Read},
    path::{Path, PathBuf},
    sync::{Arc, Mutex, PoisonError},
};

use serde::{Deserialize, Serialize};
use tracing::warn;
use wattle_core::codec;

/// The folder that the host keeps for this provider; it says so by itself.
pub(crate) const DATA_DIR: &str = "data-dir";

/// The folder of the files in there.
const UPLOADS: &str = "uploads";

/// The most bytes of a file: a key, a bucket and S3's id of an upload.
const ENTRY_LEN_MAX: usize = 16 * 1024;

/// The most uploads of a predecessor that are given up; the rest waits for the next start.
const LEFT_MAX: usize = 10_000;

/// An upload under way.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) struct Entry {
    /// Where.
    pub(crate) endpoint: String,
    /// By whose key.
    pub(crate) access_key_id: String,
    /// Into which bucket.
    pub(crate) bucket: String,
    /// Under which name.
    pub(crate) key: String,
    /// S3's own name of it.
    pub(crate) upload_id: String,
}

/// The entries' folder.
#[derive(Clone, Debug)]
pub(crate) struct Journal {
    /// None where the host keeps no folder for the provider.
    dir: Option<Arc<Path>>,
    left: Arc<Mutex<Vec<(PathBuf, Entry)>>>,
}

/// An entry's file. It stays until it is [removed](Self::remove).
#[derive(Debug)]
pub(crate) struct Noted(Option<PathBuf>);

impl Journal {
    /// Reads what is there. Blocks.
    pub(crate) fn open(data_dir: Option<&str>) -> io::Result<Self> {
        let Some(data_dir) = data_dir.filter(|dir| !dir.is_empty()) else {
            return Ok(Self { dir: None, left: Arc::default() });
        };
        let dir = Path::new(data_dir).join(UPLOADS);
        std::fs::create_dir_all(&dir)?;
        let mut left = Vec::new();
        for file in std::fs::read_dir(&dir)?.take(LEFT_MAX) {
            let path = file?.path();
            match left_at(&path) {
                Ok(entry) => left.extend(entry.map(|entry| (path, entry))),
                // Others may have put it there; uploads go on without what it may have said.
                Err(error) => {
                    warn!(path = %path.display(), %error, "the note of an upload cannot be read")
                }
            }
        }
        Ok(Self { dir: Some(dir.into()), left: Arc::new(Mutex::new(left)) })
    }

    /// Notes an upload, ahead of its first part.
    pub(crate) async fn note(&self, entry: &Entry) -> io::Result<Noted> {
        let Some(dir) = &self.dir else { return Ok(Noted(None)) };
        let path = dir.join(format!("{:032x}", rand::random::<u128>()));
        tokio::fs::write(&path, codec::encode(entry)).await?;
        Ok(Noted(Some(path)))
    }

    /// What a predecessor left with this key at this server. Each is taken once.
    pub(crate) fn take_left(&self, endpoint: &str, access_key_id: &str) -> Vec<(Noted, Entry)> {
        let mut left = self.left.lock().unwrap_or_else(PoisonError::into_inner);
        let taken = left.extract_if(.., |(_, entry)| {
            entry.endpoint == endpoint && entry.access_key_id == access_key_id
        });
        taken.map(|(path, entry)| (Noted(Some(path)), entry)).collect()
    }
}

/// The entry of a file. One that holds none is removed: the process died while it wrote it, so there was no upload yet that had a
/// part.
fn left_at(path: &Path) -> io::Result<Option<Entry>> {
    if !path.symlink_metadata()?.is_file() {
        return Err(io::Error::other("it is no file"));
    }
    let mut bytes = Vec::new();
    File::open(path)?.take(ENTRY_LEN_MAX as u64 + 1).read_to_end(&mut bytes)?;
    match codec::decode(&bytes, ENTRY_LEN_MAX) {
        Ok(entry) => Ok(Some(entry)),
        Err(_) => std::fs::remove_file(path).map(|()| None),
    }
}

impl Noted {
    /// For an upload that could not be noted.
    pub(crate) fn nowhere() -> Self {
        Self(None)
    }

    /// The upload has ended, one way or the other.
    pub(crate) async fn remove(self) {
        let Some(path) = self.0 else { return };
        if let Err(error) = tokio::fs::remove_file(&path).await {
            warn!(%error, "the note of an upload that has ended stays");
        }
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;

    #[tokio::test]
    async fn what_was_noted_and_not_removed_is_left_to_the_next_process() {
        let dir = tempfile::tempdir().expect("a folder");
        let open = || Journal::open(dir.path().to_str()).expect("a folder");
        let entry = |key: &str| Entry {
            endpoint: "http://s3".into(),
            access_key_id: "id".into(),
            bucket: "b".into(),
            key: key.into(),
            upload_id: "u".into(),
        };
        let journal = open();
        journal.note(&entry("ended")).await.expect("noted").remove().await;
        let _left = journal.note(&entry("left")).await.expect("noted");
        std::fs::write(dir.path().join("uploads/torn"), b"\x85").expect("a file");
        std::fs::create_dir(dir.path().join("uploads/folder")).expect("a folder");
        symlink("/nowhere", dir.path().join("uploads/lost")).expect("a link");

        let next = open();
        assert!(next.take_left("http://s3", "other").is_empty());
        let mut left = next.take_left("http://s3", "id");
        assert!(next.take_left("http://s3", "id").is_empty(), "each is taken once");
        let (noted, found) = left.pop().expect("one is left");
        assert_eq!((found, left.len()), (entry("left"), 0));
        noted.remove().await;
        assert!(open().take_left("http://s3", "id").is_empty());
    }
}
