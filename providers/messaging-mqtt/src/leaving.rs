//! Sessions that nobody wants any more, until their brokers have forgotten them.
//!
//! A broker goes on giving such a session its share of a group's messages, and nobody takes them. So each is written down, with where it is,
//! until its broker has heard that it is to end, whatever else ends meanwhile. Logins are not written down: the next one to the same broker
//! serves as well.

use std::{
    collections::BTreeSet,
    io,
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use parking_lot::Mutex;
use tokio::{fs, time::sleep};
use tracing::{info, warn};
use wattle_sdk::Host;

use crate::{
    connection::{Hello, OpenError, Opened, open},
    login::Login,
    session::{is_name, read, write},
};

/// The folder of these sessions within the provider's own: a file for each, by its name.
const DIR: &str = "leaving";

/// Sessions that are looked for at once; the others' turn comes with the next login.
const FOUND_MAX: usize = 1_024;

/// Between two attempts to tell a broker that is away. It doubles.
const PAUSE: Duration = Duration::from_millis(500);
const PAUSE_MAX: Duration = Duration::from_secs(30);

/// All of a provider's.
#[derive(Clone)]
pub(crate) struct Leaving {
    /// The provider's folder. Without one, what its process does not manage to tell is forgotten with it.
    dir: Option<PathBuf>,
    host: Host,
    /// Those that a broker is being told of.
    under_way: Arc<Mutex<BTreeSet<String>>>,
}

impl Leaving {
    pub(crate) fn new(dir: Option<PathBuf>, host: Host) -> Self {
        Self { dir, host, under_way: Arc::default() }
    }

    /// Has a session end, now or when its broker is there.
    pub(crate) async fn begin(&self, client: &str, login: &Login) {
        let file = self.dir.as_deref().map(|dir| path(dir, client));
        if let Some(file) = file
            && let Err(error) = write(&file, &login.to_string()).await
        {
            let file = file.display();
            warn!(%file, %error, "a session's end cannot be written down: it is told in this process or never");
        }
        self.tell(vec![client.to_owned()], login);
    }

    /// Has those end that are still to end at the broker of this login.
    pub(crate) async fn finish(&self, login: &Login) {
        let Some(dir) = &self.dir else { return };
        match find(&dir.join(DIR), login).await {
            Ok(clients) => self.tell(clients, login),
            Err(error) => warn!(%error, "it cannot be read which sessions are to end"),
        }
    }

    /// Tells the broker of one after the other, in the background.
    fn tell(&self, mut clients: Vec<String>, login: &Login) {
        clients.retain(|client| self.under_way.lock().insert(client.clone()));
        if clients.is_empty() {
            return;
        }
        let (leaving, login) = (self.clone(), login.clone());
        self.host.spawn_on(0, async move {
            for client in &clients {
                if let Err(reason) = leaving.leave(client, &login).await {
                    warn!(mqtt = %login, reason, "sessions that nobody wants stay at their broker");
                    break; // until another login is taken, or they expire
                }
            }
            let mut under_way = leaving.under_way.lock();
            under_way.retain(|client| !clients.contains(client));
        });
    }

    /// Has a broker keep nothing for a session any more, as soon as it is there.
    ///
    /// # Errors
    /// The broker's reason, where it does not take the login.
    async fn leave(&self, client: &str, login: &Login) -> Result<(), String> {
        let hello = Hello { client, clean_start: true, session_expiry: 0, receive_max: 1 };
        let mut pause = PAUSE;
        loop {
            match open(login, &hello).await {
                Ok(Opened { writer, reader: _reader, driver: _driver, .. }) => {
                    writer.farewell().await;
                    if let Some(dir) = &self.dir {
                        forget(&path(dir, client)).await;
                    }
                    return Ok(());
                }
                Err(OpenError::Refused(reason)) => return Err(reason),
                Err(error) => {
                    if pause == PAUSE {
                        let reason = error.reason();
                        info!(mqtt = %login, reason, "a session ends when its broker is there");
                    }
                    sleep(pause).await;
                    pause = (pause * 2).min(PAUSE_MAX);
                }
            }
        }
    }
}

/// Whether a session is still to end: then its name is not to be taken again. What cannot be read is none.
pub(crate) async fn is_leaving(dir: Option<&Path>, client: &str) -> bool {
    match dir {
        Some(dir) => fs::try_exists(path(dir, client)).await.unwrap_or(false),
        None => false,
    }
}

fn path(dir: &Path, client: &str) -> PathBuf {
    dir.join(DIR).join(client)
}

async fn forget(file: &Path) {
    if let Err(error) = fs::remove_file(file).await
        && error.kind() != io::ErrorKind::NotFound
    {
        warn!(file = %file.display(), %error, "the broker is told once more that a session is to end");
    }
}

/// The names of those that are to end at the broker of a login.
async fn find(dir: &Path, login: &Login) -> io::Result<Vec<String>> {
    let mut files = match fs::read_dir(dir).await {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        files => files?,
    };
    let (broker, mut found) = (login.to_string(), Vec::new());
    while found.len() < FOUND_MAX
        && let Some(file) = files.next_entry().await?
    {
        let client = file.file_name().into_string().ok().filter(|client| is_name(client));
        let Some(client) = client else { continue }; // one that was not written to its end
        match read(&file.path()).await {
            Ok(told) if told.as_ref() == Some(&broker) => found.push(client),
            Ok(_) => {} // it is at another, or has ended meanwhile
            Err(error) => warn!(client, %error, "it cannot be read where a session is to end"),
        }
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use wattle_messaging::Settings;

    use super::*;
    use crate::session::Session;

    async fn login(url: &str) -> Login {
        let link = BTreeMap::from([("url".to_owned(), url.to_owned())]);
        let login = Login::from_settings(&Settings::new(&link, &BTreeMap::new())).await;
        login.expect("a broker")
    }

    #[tokio::test]
    async fn those_of_one_broker_are_found_and_their_names_are_not_taken_again() {
        let dir = tempfile::tempdir().expect("a folder");
        let (here, there) = (login("mqtt://user:geheim@here").await, login("mqtt://there").await);
        assert!(find(&dir.path().join(DIR), &here).await.expect("no folder").is_empty());
        let mut session = Session::open(Some(dir.path()), "link").await;
        session.subscribes(&["a".into()]).await;
        let file = path(dir.path(), &session.client);
        write(&file, &here.to_string()).await.expect("a file");
        write(&file.with_file_name("other"), "here:1883").await.expect("none of ours");
        let found = find(&dir.path().join(DIR), &here).await.expect("a folder");
        assert_eq!(found, [session.client.clone()]);
        assert!(find(&dir.path().join(DIR), &there).await.expect("a folder").is_empty());
        assert_ne!(Session::open(Some(dir.path()), "link").await.client, session.client);
        forget(&file).await;
        assert_eq!(Session::open(Some(dir.path()), "link").await.client, session.client);
    }
}
