//! `lattice.json`: what the project knows about its lattice.

use std::path::{Path, PathBuf};

use anyhow::Context;
use serde::{Deserialize, Serialize};
use wattle_core::{AccountKey, HostKey, LatticeName, Name, OperatorKey};
use wattle_lattice::{Auth, ConnectOptions, Tls};

use super::{Project, file, home::Home, process::Process};
use crate::args::Global;

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
    /// The hosts that were started here, the first one first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) hosts: Vec<RunningHost>,
    /// The nats-server that `wattle up` started.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) nats_pid: Option<u32>,
}

/// Where NATS is, and who we are to it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Nats {
    /// Servers, separated by commas.
    pub(crate) url: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) user: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) password: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) creds: Option<PathBuf>,
    /// A file with an nkey's seed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) nkey: Option<PathBuf>,
    /// A PEM file of the authority of the server's certificate.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) tls_ca: Option<PathBuf>,
    /// The JetStream domain, behind a leaf node.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) js_domain: Option<Name>,
}

/// A host that runs on this machine.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct RunningHost {
    pub(crate) key: HostKey,
    pub(crate) name: Name,
    /// Whether it lives where a further host does; none where an earlier version, which did not write it down, started it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) further: Option<bool>,
    /// It is not ready yet, and answers no command.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub(crate) starting: bool,
    #[serde(flatten)]
    pub(crate) process: Process,
}

impl RunningHost {
    /// Whether it runs, and here: in a copy of the project's folder the same stands of the same process, which has locked its home
    /// where it runs, and not the copy of it.
    fn is_live(&self, project: &Project) -> bool {
        let is_held = |home: Home| file::Lock::is_held(&home.lock(project));
        let further = || is_held(Home::Further(self.name.clone()));
        self.process.is_alive()
            && match self.further {
                Some(true) => further(),
                Some(false) => is_held(Home::First),
                None => is_held(Home::First) || further(),
            }
    }
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

    /// The hosts of the project that still run, or are about to.
    pub(crate) fn live_hosts(&self, project: &Project) -> impl Iterator<Item = &RunningHost> {
        self.hosts.iter().filter(|host| host.is_live(project))
    }

    /// A host that runs elsewhere: the folder is a copy of the one that it runs in, keys and all.
    pub(crate) fn host_of_original(&self, project: &Project) -> Option<&RunningHost> {
        self.hosts.iter().find(|host| host.process.is_surely_alive() && !host.is_live(project))
    }

    /// A host runs. Where no other is meant, the project's first one is, so it leads the list; those that are no more leave it.
    pub(crate) fn add(&mut self, host: RunningHost) {
        self.hosts.retain(|other| other.key != host.key && other.process.is_alive());
        let at = if host.further == Some(true) { self.hosts.len() } else { 0 };
        self.hosts.insert(at, host);
    }

    /// A host is ready.
    pub(crate) fn set_ready(&mut self, key: &HostKey) {
        let ready = self.hosts.iter_mut().filter(|host| host.key == *key);
        ready.for_each(|host| host.starting = false);
    }

    /// The host in this process runs no more.
    pub(crate) fn remove_own(&mut self) {
        self.hosts.retain(|host| host.process != Process::own());
    }
}

impl Nats {
    /// NATS at a URL; `nats://user:password@server` is taken apart, so that the password shows in no error.
    fn at(url: &str) -> Self {
        let (url, user, password) = take_user_out(url);
        Self { url, user, password, ..Self::default() }
    }

    /// What flags and environment say, and else what is `known`. Files are remembered by where they are, not by where we are.
    pub(crate) fn meant(global: &Global, known: Option<Self>) -> anyhow::Result<Option<Self>> {
        let nats = match (global.nats_url.as_deref().map(Self::at), known) {
            // Who says only where it is does not mean to be somebody else there.
            (Some(said), Some(known)) if said.user.is_none() && said.url == known.url => {
                Some(known)
            }
            (said, known) => said.or(known),
        };
        let Some(mut nats) = nats else { return Ok(None) };
        let place =
            |file: &PathBuf| std::path::absolute(file).with_context(|| file.display().to_string());
        if global.creds.is_some() || global.nkey.is_some() {
            nats.creds = global.creds.as_ref().map(place).transpose()?;
            nats.nkey = global.nkey.as_ref().map(place).transpose()?;
        }
        nats.tls_ca = global.tls_ca.as_ref().map(place).transpose()?.or(nats.tls_ca);
        nats.js_domain = global.js_domain.clone().or(nats.js_domain);
        Ok(Some(nats))
    }

    /// The server that `wattle up` started.
    pub(crate) fn of(options: &ConnectOptions) -> Self {
        let url = options.servers.join(",");
        let (user, password) = match &options.auth {
            Auth::UserPassword { user, password } => (Some(user.clone()), Some(password.clone())),
            _ => (None, None),
        };
        Self { url, user, password, ..Self::default() }
    }

    pub(crate) fn options(&self, client_name: &str) -> anyhow::Result<ConnectOptions> {
        Ok(ConnectOptions {
            servers: self.url.split(',').map(|url| url.trim().to_owned()).collect(),
            auth: self.auth()?,
            tls: Tls { ca: self.tls_ca.clone(), ..Tls::default() },
            js_domain: self.js_domain.as_ref().map(ToString::to_string),
            client_name: client_name.to_owned(),
        })
    }

    fn auth(&self) -> anyhow::Result<Auth> {
        if let Some(path) = &self.nkey {
            let seed =
                file::read_small(path)?.with_context(|| format!("no file {}", path.display()));
            return Ok(Auth::Nkey { seed: seed? });
        }
        Ok(match (&self.creds, &self.user, &self.password) {
            (Some(path), _, _) => Auth::Creds(path.clone()),
            (None, Some(user), Some(password)) => {
                Auth::UserPassword { user: user.clone(), password: password.clone() }
            }
            (None, Some(token), None) => Auth::Token(token.clone()),
            _ => Auth::None,
        })
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
        let nats = Nats::at("nats://me:pass@a:4222,b:4223");
        assert_eq!(nats.url, "nats://a:4222,nats://b:4223");
        let options = nats.options("wattle").expect("no file is needed");
        assert_eq!(options.servers, ["nats://a:4222", "nats://b:4223"]);
        assert_eq!(
            options.auth,
            Auth::UserPassword { user: "me".to_owned(), password: "pass".to_owned() }
        );
        assert!(matches!(Nats::at("nats://secret@a").auth(), Ok(Auth::Token(_))));
        assert!(matches!(Nats::at("tls://a").auth(), Ok(Auth::None)));
    }

    #[test]
    fn what_a_flag_says_stands_over_what_is_known() {
        use clap::Parser;
        let meant = |flags: &[&str], known: &Nats| {
            let line = [&["wattle", "doctor"], flags].concat();
            let global = crate::args::Cli::try_parse_from(line).expect("fits").global;
            Nats::meant(&global, Some(known.clone())).expect("files are not read").expect("known")
        };
        let creds = Some(PathBuf::from("/site.creds"));
        let known = Nats { creds, ..Nats::at("nats://a") };
        assert_eq!(meant(&[], &known), known);
        let told = meant(&["--nkey", "/pi.nkey", "--js-domain", "hub"], &known);
        assert_eq!((told.creds, told.nkey), (None, Some("/pi.nkey".into())));
        let options = Nats { nkey: None, ..meant(&["--js-domain", "hub"], &known) }.options("x");
        assert_eq!(options.expect("no file is needed").js_domain.as_deref(), Some("hub"));
        assert_eq!(meant(&["--nats-url", "tls://b"], &known), Nats::at("tls://b"));
        assert_eq!(meant(&["--nats-url", "a"], &known), known);
        assert_eq!(meant(&["--nats-url", "me:pass@a"], &known), Nats::at("me:pass@a"));
    }

    fn further(key: char, name: &str, process: Process) -> RunningHost {
        let key = format!("N{}", key.to_string().repeat(55)).parse().expect("a key");
        let name = name.parse().expect("a name");
        RunningHost { key, name, further: Some(true), starting: true, process }
    }

    fn first(key: char, name: &str) -> RunningHost {
        RunningHost { further: Some(false), ..further(key, name, Process::own()) }
    }

    fn names<'a>(hosts: impl IntoIterator<Item = &'a RunningHost>) -> Vec<&'a str> {
        hosts.into_iter().map(|host| host.name.as_str()).collect()
    }

    #[test]
    fn the_first_host_leads_whoever_started_before_it_and_the_dead_are_forgotten() {
        let mut file = LatticeFile::default();
        let mut child = std::process::Command::new("true").spawn().expect("it is installed");
        let gone = Process::with_pid(child.id());
        child.wait().expect("it ends");
        file.add(further('A', "gone", gone));
        file.add(further('B', "further", Process::own()));
        file.add(first('C', "first"));
        file.add(further('B', "further", Process::own()));
        assert_eq!(names(&file.hosts), ["first", "further"]);
        file.set_ready(&file.hosts[1].key.clone());
        let starting: Vec<bool> = file.hosts.iter().map(|host| host.starting).collect();
        assert_eq!(starting, [true, false]);
        file.remove_own();
        assert_eq!(names(&file.hosts), [""; 0]);
    }

    #[test]
    fn a_copy_of_a_project_has_none_of_its_hosts() {
        let (folder, copy) =
            (tempfile::tempdir().expect("a folder"), tempfile::tempdir().expect("a folder"));
        let (original, copy) = (Project::at(folder.path()), Project::at(copy.path()));
        let mut file = LatticeFile::default();
        file.add(first('A', "first"));
        file.add(further('B', "second", Process::own()));
        file.add(further('C', "third", Process::own()));
        let third = || Home::Further("third".parse().expect("a name"));
        let _held = [lock(Home::First, &original), lock(third(), &original)];
        drop(lock(Home::First, &copy)); // as it is copied, locked by nobody
        assert_eq!(names(file.live_hosts(&original)), ["first", "third"]);
        assert_eq!(names(file.live_hosts(&copy)), [""; 0]);
        let _held = lock(third(), &copy);
        assert_eq!(names(file.live_hosts(&copy)), ["third"]);
        let is_copy = |file: &LatticeFile, of| file.host_of_original(of).is_some();
        assert!(is_copy(&file, &copy), "the first one runs in the original");
        file.hosts.retain(|host| host.name.as_str() == "third");
        assert!(!is_copy(&file, &copy) && !is_copy(&file, &original));
    }

    fn lock(home: Home, project: &Project) -> wattle_host::DataDir {
        wattle_host::DataDir::claim(home.data(project)).expect("free")
    }

    #[test]
    fn a_host_that_an_earlier_version_started_runs_wherever_it_lives() {
        let folder = tempfile::tempdir().expect("a folder");
        let project = Project::at(folder.path());
        let mut file = LatticeFile::default();
        file.add(RunningHost { further: None, ..first('B', "b") });
        let text = serde_json::to_string(&file).expect("JSON");
        assert!(!text.contains("further"), "{text}");
        let file: LatticeFile = serde_json::from_str(&text).expect("JSON");
        assert_eq!(names(file.live_hosts(&project)), [""; 0]);
        let _held = lock(Home::Further("b".parse().expect("a name")), &project);
        assert_eq!(names(file.live_hosts(&project)), ["b"]);
    }

    #[test]
    fn what_is_written_is_read_again() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("lattice.json");
        assert_eq!(LatticeFile::read(&path).expect("nothing there"), LatticeFile::default());
        let host = further('A', "pi", Process::own());
        let file = LatticeFile {
            lattice: Some("shop".parse().expect("a name")),
            nats: Some(Nats::at("nats://a")),
            hosts: vec![host],
            nats_pid: Some(7),
            ..LatticeFile::default()
        };
        file.write(&path).expect("written");
        let read = LatticeFile::read(&path).expect("read");
        assert_eq!(read, file);
        let earlier = r#"{"hosts": [{"key": "KEY", "name": "pi", "pid": 7}]}"#;
        let earlier = earlier.replace("KEY", file.hosts[0].key.as_str());
        file::write_private(&path, earlier.as_bytes()).expect("written");
        let read = LatticeFile::read(&path).expect("read");
        assert_eq!((read.hosts[0].further, read.hosts[0].starting), (None, false));
    }
}
