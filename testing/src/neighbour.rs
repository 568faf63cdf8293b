//! A further host of a lattice, as on another machine: a folder and a key of its own, and nothing shared but NATS.

use std::{fs::File, path::PathBuf, process::Stdio, time::Duration};

use tempfile::TempDir;
use tokio::process::{Child, Command};

use crate::{
    Lattice, Machine, Place, Process, Proxy, Said, eventually,
    programs::{installed, program},
};

/// How long a host may take until it answers commands.
const START_MAX: Duration = Duration::from_secs(15);

/// A `wattle host` in a folder of its own; killed on drop.
pub struct Neighbour {
    /// Its friendly name, for `--host`.
    pub name: String,
    /// Its key.
    pub key: String,
    folder: TempDir,
    place: Place,
    nats_url: String,
    operator: String,
    /// What its clock is off by, as libfaketime writes it.
    clock: Option<&'static str>,
    child: Option<Child>,
}

impl Lattice {
    /// Admits a further host, as `wattle host` says how, and starts it.
    pub async fn neighbour(&self, name: &str) -> Neighbour {
        self.neighbour_at(name, Place::Here, None).await
    }

    /// The same on a machine of its own.
    pub async fn neighbour_on(&self, name: &str, machine: &Machine) -> Neighbour {
        self.neighbour_at(name, machine.place(), None).await
    }

    /// The same, with a line of its own to NATS.
    pub async fn neighbour_behind(&self, name: &str, proxy: &Proxy) -> Neighbour {
        self.neighbour_at(name, Place::Here, Some(proxy.address())).await
    }

    /// Where the lattice's NATS listens, as `host:port`.
    pub fn nats_address(&self) -> String {
        let file = self.file();
        let url = file["nats"]["url"].as_str().expect("an address of NATS").to_owned();
        url.rsplit(['/', '@']).next().expect("rsplit gives one at least").to_owned()
    }

    async fn neighbour_at(&self, name: &str, place: Place, address: Option<&str>) -> Neighbour {
        let folder = tempfile::Builder::new().prefix("wattle-test-").tempdir();
        let file = self.file();
        let nats = &file["nats"];
        let text = |value: &serde_json::Value| value.as_str().unwrap_or_default().to_owned();
        let (user, password, url) =
            (text(&nats["user"]), text(&nats["password"]), text(&nats["url"]));
        // A login may stand in the address.
        let own = url.trim_start_matches("nats://").rsplit_once('@').map(|(login, _)| login);
        let login = match own {
            Some(login) => format!("{login}@"),
            None if user.is_empty() => String::new(),
            None => format!("{user}:{password}@"),
        };
        let server = address.map_or_else(|| self.nats_address(), str::to_owned);
        let mut neighbour = Neighbour {
            name: name.to_owned(),
            key: String::new(),
            folder: folder.expect("a temporary folder"),
            place,
            nats_url: format!("nats://{login}{server}"),
            operator: text(&file["operator"]),
            clock: None,
            child: None,
        };
        let refused = neighbour.refused().await;
        neighbour.key = refused.host_key();
        let token = neighbour.token().to_string_lossy().into_owned();
        let sign = ["claims", "sign", "host", &neighbour.key, "--name", name, "--out", &token];
        self.wattle(&sign).await.ok();
        self.start_again(&mut neighbour).await;
        neighbour
    }

    /// Starts a neighbour that was stopped or killed with a clock that is off, as `-365d`; without waiting for anything.
    pub fn start_with_clock(&self, neighbour: &mut Neighbour, clock: &'static str) {
        neighbour.clock = Some(clock);
        neighbour.spawn();
    }

    /// Starts a neighbour that was stopped or killed.
    pub async fn start_again(&self, neighbour: &mut Neighbour) {
        neighbour.spawn();
        let what = format!("host {} answers", neighbour.name);
        eventually(&what, START_MAX, async || {
            let asked = self.wattle(&["get", "inventory", "--host", &neighbour.key]).await;
            asked.is_ok().then_some(())
        })
        .await;
    }
}

impl Neighbour {
    /// The project's folder of this host.
    pub fn project(&self) -> PathBuf {
        self.folder.path().join(".wattle")
    }

    /// Its process.
    ///
    /// # Panics
    /// If it does not run.
    pub fn process(&self) -> Process {
        let pid = self.child.as_ref().and_then(Child::id);
        Process::new(pid.expect("the neighbour runs"))
    }

    /// Waits until its process has ended, after it was told or killed.
    pub async fn ended(&mut self) {
        if let Some(mut child) = self.child.take() {
            child.wait().await.expect("a child can be waited for");
        }
    }

    /// What it has logged.
    pub fn log(&self) -> String {
        std::fs::read_to_string(self.log_file()).unwrap_or_default()
    }

    fn token(&self) -> PathBuf {
        self.folder.path().join("host.jwt")
    }

    fn log_file(&self) -> PathBuf {
        self.folder.path().join("host.log")
    }

    fn command(&self) -> Command {
        let mut command = match self.clock {
            None => Command::from(self.place.command(program("wattle"))),
            Some(clock) => {
                let mut command = Command::from(self.place.command(installed("libfaketime")));
                // Only what the time is; how long something takes stays true.
                command.env("FAKETIME", clock).env("FAKETIME_DONT_FAKE_MONOTONIC", "1");
                command.arg(program("wattle"));
                command
            }
        };
        command
            .arg("host")
            .args(["--nats-url", &self.nats_url, "--trust", &self.operator, "--name", &self.name])
            .current_dir(self.folder.path())
            .env("WATTLE_DIR", self.project())
            .stdin(Stdio::null())
            .kill_on_drop(true);
        command
    }

    /// Its first word, before anybody admitted it.
    async fn refused(&self) -> Said {
        let output = self.command().output().await.expect("wattle starts");
        Said::new("$ wattle host".to_owned(), &output)
    }

    fn spawn(&mut self) {
        let log = File::options().create(true).append(true).open(self.log_file());
        let log = log.expect("the folder takes files");
        let mut command = self.command();
        command.arg("--token").arg(self.token()).stdout(Stdio::null()).stderr(log);
        self.child = Some(command.spawn().expect("wattle starts"));
    }
}
