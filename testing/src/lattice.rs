//! A lattice of one host in a temporary folder, driven through the `wattle` binary.

use std::{
    path::{Path, PathBuf},
    process::Stdio,
    time::Duration,
};

use serde_json::Value;
use tempfile::TempDir;
use tokio::{
    process::{Child, Command},
    sync::OnceCell,
};

use crate::{
    Chain, Guest, HTTP, Machine, Place, Process, Said, Site, Turn, eventually, free_port,
    programs::program, read_chain,
};

/// Lines of the host's log that a failed test shows.
const LOG_LINES: usize = 60;

/// A lattice; stopped, and its folder removed, on drop.
pub struct Lattice {
    folder: TempDir,
    place: Place,
    http_server: OnceCell<()>,
    _turn: Turn,
}

impl Lattice {
    /// A running lattice.
    pub async fn start() -> Self {
        let lattice = Self::prepare(Turn::shared().await);
        lattice.up(&[]).await;
        lattice
    }

    /// A running lattice that has the machine for itself, for tests that measure.
    pub async fn start_alone() -> Self {
        let lattice = Self::prepare(Turn::alone().await);
        lattice.up(&[]).await;
        lattice
    }

    /// A folder in which nothing runs yet.
    pub fn prepare(turn: Turn) -> Self {
        Self::prepare_at(Place::Here, turn)
    }

    /// The same for a first host, and commands, on a machine of a network.
    pub fn prepare_on(machine: &Machine, turn: Turn) -> Self {
        Self::prepare_at(machine.place(), turn)
    }

    fn prepare_at(place: Place, turn: Turn) -> Self {
        let folder = tempfile::Builder::new().prefix("wattle-test-").tempdir();
        let folder = folder.expect("a temporary folder");
        Self { folder, place, http_server: OnceCell::new(), _turn: turn }
    }

    /// `wattle up -d` with these further arguments.
    pub async fn up(&self, arguments: &[&str]) {
        let said = self.wattle(&[&["up", "-d"], arguments].concat()).await.ok();
        assert!(self.host().is_alive(), "{said}");
    }

    /// The project folder, `.wattle`.
    pub fn project(&self) -> PathBuf {
        self.folder.path().join(".wattle")
    }

    /// A folder for the test's own files.
    pub fn path(&self) -> &Path {
        self.folder.path()
    }

    /// The keys and tokens that `wattle` made for it.
    pub fn chain(&self) -> Chain {
        read_chain(&self.project())
    }

    /// What the lattice's file says.
    pub fn file(&self) -> Value {
        let path = self.project().join("lattice.json");
        let text = std::fs::read_to_string(&path).expect("wattle up wrote lattice.json");
        serde_json::from_str(&text).expect("it is JSON")
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::from(self.place.command(program("wattle")));
        command
            .args(arguments)
            .current_dir(self.folder.path())
            .env("WATTLE_DIR", self.project())
            .stdin(Stdio::null())
            .kill_on_drop(true);
        for name in ["WATTLE_NATS_URL", "WATTLE_LATTICE", "WATTLE_HOST", "WATTLE_CREDS"] {
            command.env_remove(name);
        }
        command
    }

    /// Starts a command that runs on.
    pub fn spawn(&self, arguments: &[&str]) -> Child {
        let mut command = self.command(arguments);
        command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("wattle starts")
    }

    /// Runs one command to its end.
    pub async fn wattle(&self, arguments: &[&str]) -> Said {
        let output = self.command(arguments).output().await.expect("wattle starts");
        Said::new(format!("$ wattle {}", arguments.join(" ")), &output)
    }

    /// Runs one command, which must succeed, and reads its JSON.
    pub async fn ask(&self, arguments: &[&str]) -> Value {
        self.wattle(&[arguments, &["-o", "json"]].concat()).await.ok().json()
    }

    /// Writes a file into the test's folder and gives its path.
    pub fn write(&self, name: &str, bytes: &[u8]) -> String {
        let path = self.folder.path().join(name);
        std::fs::write(&path, bytes).expect("the folder takes files");
        path.to_string_lossy().into_owned()
    }

    /// Signs a guest with the lattice's account and starts it.
    pub async fn actor(&self, guest: Guest, id: &str) {
        self.actor_with(guest, id, &[]).await;
    }

    /// The same, with further arguments to `wattle start actor`.
    pub async fn actor_with(&self, guest: Guest, id: &str, arguments: &[&str]) {
        let signed = self.chain().sign_actor(&guest.component(), guest.name());
        let file = self.write(&format!("{id}.wasm"), &signed);
        self.wattle(&[&["start", "actor", &file, "--id", id], arguments].concat()).await.ok();
    }

    /// The same on another host of the lattice: the very same artifact, if it was started on one before.
    pub async fn actor_on(&self, host: &str, guest: Guest, id: &str, arguments: &[&str]) {
        let file = self.folder.path().join(format!("{id}.wasm"));
        let arguments = [&["--host", host], arguments].concat();
        if !file.exists() {
            return self.actor_with(guest, id, &arguments).await;
        }
        let file = file.to_string_lossy();
        self.wattle(&[&["start", "actor", &file, "--id", id], &arguments[..]].concat()).await.ok();
    }

    /// Starts a shipped provider under its own name, on another host of the lattice.
    pub async fn provider_on(&self, host: &str, name: &str) {
        self.wattle(&["start", "provider", name, "--host", host]).await.ok();
    }

    /// Starts a shipped provider under its own name.
    pub async fn provider(&self, name: &str) {
        self.wattle(&["start", "provider", name]).await.ok();
    }

    /// Signs a program of this workspace as a provider and starts it, whatever it is.
    pub async fn start_as_provider(&self, name: &str, id: &str) -> Said {
        let binary = std::fs::read(program(name)).expect("the program");
        let artifact = self.chain().sign_provider(binary, id);
        let file = format!("file:{}", self.write(&format!("{id}.tar"), &artifact));
        self.wattle(&["start", "provider", &file, "--id", id]).await
    }

    /// Puts a link.
    pub async fn link(&self, source: &str, target: &str, what: &str, settings: &[&str]) {
        self.wattle(&[&["link", "put", source, target, what], settings].concat()).await.ok();
    }

    /// Lets the http-server (started when first needed) serve what runs as `id`, at an address of its own.
    pub async fn expose(&self, id: &str) -> Site {
        self.expose_with(id, &[]).await
    }

    /// The same, with further settings such as `max_body_bytes=1000`.
    pub async fn expose_with(&self, id: &str, settings: &[&str]) -> Site {
        self.http_server.get_or_init(|| self.provider("http-server")).await;
        let address = format!("127.0.0.1:{}", free_port());
        let at = format!("address={address}");
        let settings: Vec<&str> = [at.as_str()]
            .iter()
            .chain(settings)
            .flat_map(|setting| ["--source", setting])
            .collect();
        self.link("http-server", id, HTTP, &settings).await;
        Site { address }
    }

    /// Lets the http-server of another host serve what runs as `id`; it has been started there.
    pub async fn expose_on(&self, host: &crate::Neighbour, id: &str) -> Site {
        let address = format!("127.0.0.1:{}", free_port());
        let at = format!("address={address}");
        let settings = ["--host", &host.key, "--source", &at];
        self.link("http-server", id, HTTP, &settings).await;
        Site { address }
    }

    /// Puts the link again that serves `id` at `site`.
    pub async fn expose_again(&self, id: &str, site: &Site) {
        let at = format!("address={}", site.address);
        self.link("http-server", id, HTTP, &["--source", &at]).await;
    }

    /// Starts a guest and serves it.
    pub async fn serve(&self, guest: Guest, id: &str) -> Site {
        self.actor(guest, id).await;
        self.expose(id).await
    }

    /// The inventory of the first host.
    pub async fn inventory(&self) -> Value {
        let inventories = self.ask(&["get", "inventory"]).await;
        inventories.get(0).cloned().unwrap_or(inventories)
    }

    /// What the inventory says of one actor.
    pub async fn actor_status(&self, id: &str) -> Value {
        found(&self.inventory().await, "actors", id)
    }

    /// What the inventory says of one provider.
    pub async fn provider_status(&self, id: &str) -> Value {
        found(&self.inventory().await, "providers", id)
    }

    /// The key of the first host.
    pub fn home(&self) -> String {
        self.file()["hosts"][0]["key"].as_str().expect("lattice.json names the host").to_owned()
    }

    /// The first host's process.
    pub fn host(&self) -> Process {
        self.processes().next().expect("lattice.json names the host's process")
    }

    /// The processes of all hosts that were started here.
    pub fn processes(&self) -> impl Iterator<Item = Process> + use<> {
        let hosts = self.file()["hosts"].as_array().cloned().unwrap_or_default();
        hosts.into_iter().filter_map(|host| process(&host["pid"]))
    }

    /// The process of the nats-server that `wattle up` started.
    pub fn nats_server(&self) -> Process {
        process(&self.file()["nats_pid"]).expect("wattle up started a nats-server")
    }

    /// The process of a provider that is ready.
    pub async fn provider_process(&self, id: &str) -> Process {
        let what = format!("{id} is ready");
        eventually(&what, Duration::from_secs(10), async || {
            let status = self.provider_status(id).await;
            let pid = status["state"]["ready"]["pid"].as_u64()?;
            u32::try_from(pid).ok().map(Process::new)
        })
        .await
    }

    /// All lines of the host's, its actors' and its providers' logs that are kept.
    pub async fn log(&self) -> String {
        self.wattle(&["logs", "--lines", "1000"]).await.ok().stdout
    }

    /// The end of what the host wrote to its file.
    fn host_log(&self) -> String {
        let text = std::fs::read_to_string(self.project().join("logs/host.log"));
        let text = text.unwrap_or_default();
        let lines: Vec<&str> = text.lines().collect();
        lines[lines.len().saturating_sub(LOG_LINES)..].join("\n")
    }
}

fn process(pid: &Value) -> Option<Process> {
    pid.as_u64().and_then(|pid| u32::try_from(pid).ok()).map(Process::new)
}

fn found(inventory: &Value, what: &str, id: &str) -> Value {
    let all = inventory[what].as_array();
    let found = all.and_then(|all| all.iter().find(|status| status["id"] == id));
    found.unwrap_or_else(|| panic!("no {id} among the {what} of {inventory}")).clone()
}

impl Drop for Lattice {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("-- the host's log ends so:\n{}\n--", self.host_log());
        }
        if !self.project().exists() {
            return;
        }
        let mut command = std::process::Command::new(program("wattle"));
        command.args(["down", "--quiet"]).env("WATTLE_DIR", self.project());
        let stopped = command.stdin(Stdio::null()).stdout(Stdio::null()).output();
        if let Ok(output) = stopped
            && !output.status.success()
        {
            eprintln!("wattle down: {}", String::from_utf8_lossy(&output.stderr));
        }
    }
}
