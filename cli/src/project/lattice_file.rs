//! `lattice.json`: what the project knows about its lattice.

use std::path::{Path, PathBuf};

use anyhow::Context;
use serde::{Deserialize, Serialize};
use wattle_core::{AccountKey, HostKey, LatticeName, Name, OperatorKey};
use wattle_lattice::{Auth, ConnectOptions};

use super::{file, process::Process};

/// The file's content. Fields that the next version adds are ignored.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct LatticeFile {
    /// Its name; `default` unless said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) lattice: Option<LatticeName>,
    /// Where NATS is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) nats: Option<Nats>,
    /// Whom the lattice trusts.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) operator: Option<OperatorKey>,
    /// The account that the project signs with.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) account: Option<AccountKey>,
    /// The host that `wattle up` started.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) host: Option<RunningHost>,
    /// The nats-server that `wattle up` started.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) nats_pid: Option<u32>,
}

/// Where NATS is, and who we are to it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Nats {
    /// Servers, separated by commas.
    pub(crate) url: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) user: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) password: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) creds: Option<PathBuf>,
}

/// A host that runs on this machine.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct RunningHost {
    pub(crate) key: HostKey,
    pub(crate) name: Name,
    #[serde(flatten)]
    pub(crate) process: Process,
}

/// The lattice's name where none is said.
pub(crate) const DEFAULT_LATTICE: &str = "default";

impl LatticeFile {
    pub(super) fn read(path: &Path) -> anyhow::Result<Self> {
        match file::read_small(path)? {
            None => Ok(Self::default()),
            Some(text) => serde_json::from_str(&text).with_context(|| path.display().to_string()),
        }
    }

    pub(super) fn write(&self, path: &Path) -> anyhow::Result<()> {
        let text = serde_json::to_string_pretty(self).context("lattice.json")?;
        file::write_private(path, text.as_bytes())
    }

    pub(crate) fn name(&self) -> LatticeName {
        let default = || DEFAULT_LATTICE.parse().expect("the default is a name");
        self.lattice.clone().unwrap_or_else(default)
    }

    /// The host of `wattle up`, if it still runs.
    pub(crate) fn live_host(&self) -> Option<&RunningHost> {
        self.host.as_ref().filter(|host| host.process.is_alive())
    }
}

impl Nats {
    /// NATS at a URL; `nats://user:password@server` is taken apart, so that the password shows in no error.
    pub(crate) fn new(url: &str, creds: Option<PathBuf>) -> Self {
        let (url, user, password) = take_user_out(url);
        Self { url, user, password, creds }
    }

    /// The server that `wattle up` started.
    pub(crate) fn of(options: &ConnectOptions) -> Self {
        let url = options.servers.join(",");
        match &options.auth {
            Auth::UserPassword { user, password } => Self {
                url,
                user: Some(user.clone()),
                password: Some(password.clone()),
                creds: None,
            },
            Auth::Creds(path) => {
                Self { url, user: None, password: None, creds: Some(path.clone()) }
            }
            _ => Self { url, user: None, password: None, creds: None },
        }
    }

    pub(crate) fn options(&self, client_name: &str) -> ConnectOptions {
        let auth = match (&self.creds, &self.user, &self.password) {
            (Some(path), _, _) => Auth::Creds(path.clone()),
            (None, Some(user), Some(password)) => {
                Auth::UserPassword { user: user.clone(), password: password.clone() }
            }
            (None, Some(token), None) => Auth::Token(token.clone()),
            _ => Auth::None,
        };
        ConnectOptions {
            servers: self.url.split(',').map(|url| url.trim().to_owned()).collect(),
            auth,
            client_name: client_name.to_owned(),
            ..ConnectOptions::default()
        }
    }
}

fn take_user_out(urls: &str) -> (String, Option<String>, Option<String>) {
    let mut who = (None, None);
    let bare: Vec<String> = urls
        .split(',')
        .map(|url| {
            let (scheme, rest) = url.trim().split_once("://").unwrap_or(("nats", url.trim()));
            let (user, address) = rest.rsplit_once('@').map_or((None, rest), |(u, a)| (Some(u), a));
            if let Some(user) = user {
                let (user, password) =
                    user.split_once(':').map_or((user, None), |(u, p)| (u, Some(p)));
                who = (Some(user.to_owned()), password.map(str::to_owned));
            }
            format!("{scheme}://{address}")
        })
        .collect();
    (bare.join(","), who.0, who.1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_url_is_taken_apart_into_servers_and_user() {
        let nats = Nats::new("nats://me:pass@a:4222,b:4223", None);
        assert_eq!(nats.url, "nats://a:4222,nats://b:4223");
        let options = nats.options("wattle");
        assert_eq!(options.servers, ["nats://a:4222", "nats://b:4223"]);
        assert_eq!(
            options.auth,
            Auth::UserPassword { user: "me".to_owned(), password: "pass".to_owned() }
        );
        assert!(matches!(Nats::new("nats://secret@a", None).options("x").auth, Auth::Token(_)));
        assert!(matches!(Nats::new("tls://a", None).options("x").auth, Auth::None));
    }

    #[test]
    fn what_is_written_is_read_again() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("lattice.json");
        assert_eq!(LatticeFile::read(&path).expect("nothing there"), LatticeFile::default());
        let host = RunningHost {
            key: format!("N{}", "A".repeat(55)).parse().expect("a key"),
            name: "pi".parse().expect("a name"),
            process: Process::own(),
        };
        let file = LatticeFile {
            lattice: Some("shop".parse().expect("a name")),
            nats: Some(Nats::new("nats://a", None)),
            host: Some(host),
            nats_pid: Some(7),
            ..LatticeFile::default()
        };
        file.write(&path).expect("written");
        let read = LatticeFile::read(&path).expect("read");
        assert_eq!(read, file);
        assert!(read.live_host().is_some());
    }
}
