//! A nats-server that a test starts, kills and counts messages at.

use std::{
    fs,
    net::Ipv4Addr,
    process::{Child, Stdio},
    time::Duration,
};

use serde_json::Value;
use tempfile::TempDir;

use crate::{
    Door, Machine, Place, Process, Proxy, eventually, free_port, http, programs::installed,
};

const START_MAX: Duration = Duration::from_secs(15);

/// A running nats-server with JetStream; killed on drop.
pub struct Nats {
    folder: TempDir,
    place: Place,
    host: Ipv4Addr,
    port: u16,
    monitor: u16,
    /// The way to the monitor of a server that is elsewhere.
    door: Option<Door>,
    child: Option<Child>,
}

/// Messages that went through the server since it started.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Counts {
    /// From clients.
    pub received: u64,
    /// To clients.
    pub sent: u64,
}

/// Who is connected to the server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NatsClients {
    /// Connections.
    pub connections: usize,
    /// Subscriptions of all of them.
    pub subscriptions: u64,
}

impl Nats {
    /// Starts one on loopback, and returns when it answers.
    pub async fn start() -> Self {
        Self::start_at(Place::Here, Ipv4Addr::LOCALHOST, free_port(), None).await
    }

    /// Starts one on a machine of a network.
    pub async fn start_on(machine: &Machine) -> Self {
        let monitor = free_port();
        let door = machine.door(monitor);
        Self::start_at(machine.place(), machine.address(), monitor, Some(door)).await
    }

    async fn start_at(place: Place, host: Ipv4Addr, monitor: u16, door: Option<Door>) -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let mut nats = Self { folder, place, host, port: free_port(), monitor, door, child: None };
        nats.restart().await;
        nats
    }

    /// `nats://…`, with a user and a password.
    pub fn url(&self) -> String {
        format!("nats://test:secret@{}", self.address())
    }

    /// Where it listens, as `host:port`.
    pub fn address(&self) -> String {
        format!("{}:{}", self.host, self.port)
    }

    /// `nats://…` of a line to it.
    pub fn url_behind(&self, line: &Proxy) -> String {
        format!("nats://test:secret@{}", line.address())
    }

    /// Its process.
    ///
    /// # Panics
    /// If it was killed.
    pub fn process(&self) -> Process {
        Process::new(self.child.as_ref().expect("nats-server runs").id())
    }

    /// Kills it; what JetStream wrote stays.
    pub fn kill(&mut self) {
        if let Some(mut child) = self.child.take() {
            // It may have ended by itself.
            let _: Result<(), std::io::Error> = child.kill();
            let _: Result<_, std::io::Error> = child.wait();
        }
    }

    /// Starts it again on the same port with what it kept, and returns when it answers.
    pub async fn restart(&mut self) {
        self.kill();
        let config = self.folder.path().join("nats.conf");
        let Self { host, port, monitor, .. } = *self;
        let store = self.folder.path().join("store");
        let text = format!(
            "host: {host}\nport: {port}\nhttp: \"127.0.0.1:{monitor}\"\n\
             jetstream {{ store_dir: {store:?} }}\n\
             authorization {{ user: test, password: secret }}\n"
        );
        fs::write(&config, text).expect("the configuration is written");
        let log = fs::File::create(self.folder.path().join("nats.log")).expect("a log");
        let mut command = self.place.command(installed("nats-server"));
        let child = command
            .arg("-c")
            .arg(&config)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(log)
            .spawn()
            .expect("nats-server starts");
        self.child = Some(child);
        eventually("nats-server answers", START_MAX, async || {
            self.monitored("/healthz").await.filter(|health| health["status"] == "ok").map(drop)
        })
        .await;
    }

    /// What it counted.
    ///
    /// # Panics
    /// If it does not answer.
    pub async fn counts(&self) -> Counts {
        let varz = self.monitored("/varz").await.expect("nats-server says what it does");
        let number = |name: &str| varz[name].as_u64().expect("a count");
        Counts { received: number("in_msgs"), sent: number("out_msgs") }
    }

    /// How many clients and subscriptions it has now; none while it does not answer.
    pub async fn clients(&self) -> Option<NatsClients> {
        let connz = self.monitored("/connz").await?;
        let clients = connz["connections"].as_array()?;
        let subscriptions = clients.iter().filter_map(|client| client["subscriptions"].as_u64());
        Some(NatsClients { connections: clients.len(), subscriptions: subscriptions.sum() })
    }

    async fn monitored(&self, path: &str) -> Option<Value> {
        let own = || format!("127.0.0.1:{}", self.monitor);
        let address = self.door.as_ref().map_or_else(own, |door| door.address().to_owned());
        let response = http(&address, "GET", path, &[], b"").await.ok()?;
        serde_json::from_slice(&response.body).ok()
    }
}

impl Drop for Nats {
    fn drop(&mut self) {
        self.kill();
    }
}
