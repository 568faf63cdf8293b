//! A link's session at its broker: its name there, which must be this host's and this link's alone, and the same after a restart, as the
//! broker keeps under it what is not acknowledged; and what it has subscribed to.
//!
//! Both are in a file of the provider's own folder. Two hosts of one lattice run the same provider and the same link, so a name made
//! from theirs would have one host cut off the other; a random one, once made, is nobody else's.

use std::{
    io,
    path::{Path, PathBuf},
};

use tokio::fs;
use tracing::warn;

use crate::leaving::is_leaving;

/// The folder of sessions within the provider's own.
const DIR: &str = "sessions";

/// The most bytes of a session's file: a name, a hundred filters, and those of before.
const FILE_LEN_MAX: u64 = 1024 * 1024;

/// The most bytes of a file's name that every file system takes, with what stands behind that of a new one.
const FILE_NAME_LEN_MAX: usize = 240;

/// The name of a session, in a form that every broker takes: 23 letters and digits.
const NAME_LEN: usize = 23;

/// One link's.
#[derive(Clone, Debug)]
pub(crate) struct Session {
    /// Nothing where the provider has no folder: the session ends with the process then.
    file: Option<PathBuf>,
    pub(crate) client: String,
    /// What it has subscribed to, as the broker was asked for it.
    pub(crate) subscribed: Vec<String>,
}

impl Session {
    /// The session of the link of this name: the earlier one, or a new one.
    pub(crate) async fn open(dir: Option<&Path>, link: &str) -> Self {
        let file = dir.map(|dir| path(&dir.join(DIR), link));
        let read = match &file {
            Some(file) => read(file).await,
            None => Ok(None),
        };
        let earlier = read.unwrap_or_else(|error| {
            warn!(link, %error, "the session's file cannot be read: what the broker kept is lost");
            None
        });
        let mut lines = earlier.iter().flat_map(|text| text.lines()).map(str::to_owned);
        match lines.next().filter(|client| is_name(client)) {
            Some(client) if !is_leaving(dir, &client).await => {
                Self { file, client, subscribed: lines.collect() }
            }
            _ => Self { file, client: new_name(), subscribed: Vec::new() },
        }
    }

    /// Writes down what it subscribes to, before it does.
    pub(crate) async fn subscribes(&mut self, paths: &[String]) {
        self.subscribed = paths.to_vec();
        let Some(file) = &self.file else { return };
        let lines: Vec<&str> =
            std::iter::once(&self.client).chain(paths).map(String::as_str).collect();
        if let Err(error) = write(file, &lines.join("\n")).await {
            let file = file.display();
            warn!(%file, %error, "the session's file cannot be written: it ends with this process");
        }
    }

    /// Forgets its name: the link's next session is another.
    pub(crate) async fn forget(&self) {
        if let Some(file) = &self.file {
            let _ = fs::remove_file(file).await; // there may be none
        }
    }
}

/// The file of a link's session. A link's name, which is ASCII, may be longer than a file's.
fn path(dir: &Path, link: &str) -> PathBuf {
    let parts = link.as_bytes().chunks(FILE_NAME_LEN_MAX).map(String::from_utf8_lossy);
    parts.fold(dir.to_owned(), |path, part| path.join(&*part))
}

pub(crate) fn is_name(client: &str) -> bool {
    client.len() == NAME_LEN && client.bytes().all(|byte| byte.is_ascii_alphanumeric())
}

fn new_name() -> String {
    let random = format!("w{:032x}", rand::random::<u128>());
    random[..NAME_LEN].to_owned()
}

/// The text of a file, where there is one.
pub(crate) async fn read(file: &Path) -> io::Result<Option<String>> {
    match fs::metadata(file).await {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error),
        Ok(found) if found.len() > FILE_LEN_MAX => {
            return Err(io::Error::other("it is too long to be one"));
        }
        Ok(_) => {}
    }
    fs::read_to_string(file).await.map(Some)
}

/// Writes all of it or nothing, also where the machine loses its power.
pub(crate) async fn write(file: &Path, text: &str) -> io::Result<()> {
    if let Some(dir) = file.parent() {
        fs::create_dir_all(dir).await?;
    }
    let new = file.with_extension("new");
    fs::write(&new, text).await?;
    fs::File::open(&new).await?.sync_all().await?;
    fs::rename(&new, file).await
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_session_is_the_same_after_a_restart_and_another_host_s_is_another() {
        let (dir, other) =
            (tempfile::tempdir().expect("a folder"), tempfile::tempdir().expect("one"));
        let mut session = Session::open(Some(dir.path()), "link").await;
        assert!(is_name(&session.client) && session.subscribed.is_empty());
        session.subscribes(&["a/+".into(), "$share/g/b".into()]).await;
        let again = Session::open(Some(dir.path()), "link").await;
        assert_eq!((&again.client, &again.subscribed), (&session.client, &session.subscribed));
        for (dir, link) in [(dir.path(), "another"), (other.path(), "link")] {
            assert_ne!(Session::open(Some(dir), link).await.client, session.client);
        }
        let long = "l".repeat(400);
        let mut session = Session::open(Some(dir.path()), &long).await;
        session.subscribes(&["a".into()]).await;
        assert_eq!(Session::open(Some(dir.path()), &long).await.client, session.client);
    }

    #[tokio::test]
    async fn a_file_that_is_none_of_ours_is_not_believed() {
        let dir = tempfile::tempdir().expect("a folder");
        let file = dir.path().join(DIR).join("link");
        write(&file, "../../etc passwd\na/+").await.expect("a folder");
        let session = Session::open(Some(dir.path()), "link").await;
        assert!(is_name(&session.client) && session.subscribed.is_empty());
        assert!(is_name(&Session::open(None, "link").await.client));
    }
}
