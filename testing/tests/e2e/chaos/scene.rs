//! The lattice that suffers: http-server on the first host, the counter on the other two, its store on the last.

use std::time::Duration;

use wattle_testing::{
    Guest, HTTP, KEY_VALUE, Lattice, Line, Nats, NatsClients, Neighbour, Proxy, Site, Turn,
    eventually, free_port,
};

use super::{Fault, HEALED};

/// What a host may keep of past faults; it was measured while it served.
const RESIDENT_MORE_MAX: u64 = 32 << 20;
const OPEN_FILES_MORE_MAX: usize = 8;

pub(super) struct Scene {
    pub(super) counter: Site,
    lattice: Lattice,
    hosts: [Neighbour; 2],
    lines: [Proxy; 3],
    nats: Nats,
    suffered: Vec<Fault>,
}

/// What the first host and NATS hold.
#[derive(Clone, Copy, Debug)]
pub(super) struct Kept {
    resident: u64,
    open_files: usize,
    sessions: u64,
    clients: NatsClients,
}

impl Scene {
    pub(super) async fn new() -> Self {
        let turn = Turn::alone().await;
        let nats = Nats::start().await;
        let address = nats.address();
        let lines = [
            Proxy::start(&address).await,
            Proxy::start(&address).await,
            Proxy::start(&address).await,
        ];
        let lattice = Lattice::prepare(turn);
        lattice.up(&["--nats-url", &nats.url_behind(&lines[0])]).await;
        let second = lattice.neighbour_behind("second", &lines[1]).await;
        let third = lattice.neighbour_behind("third", &lines[2]).await;
        for host in ["second", "third"] {
            lattice.actor_on(host, Guest::Counter, "counter", &["--deadline", "3s"]).await;
        }
        lattice.provider_on("third", "keyvalue-embedded").await;
        lattice.provider("http-server").await;
        lattice.link("counter", "keyvalue-embedded", KEY_VALUE, &[]).await;
        let counter = Site { address: format!("127.0.0.1:{}", free_port()) };
        let at = format!("address={}", counter.address);
        let settings = ["--source", &at, "--source", "timeout_ms=3000"];
        lattice.link("http-server", "counter", HTTP, &settings).await;
        let scene =
            Self { counter, lattice, hosts: [second, third], lines, nats, suffered: Vec::new() };
        scene.answers_within(HEALED).await;
        scene
    }

    /// Lets it happen; [`Self::heal`] ends it.
    pub(super) fn suffer(&mut self, fault: Fault) {
        match fault {
            Fault::Kill(host) => self.hosts[host].process().kill(),
            Fault::Freeze(host) => self.hosts[host].process().freeze(),
            Fault::Line(line, state) => self.lines[line].set(state),
            Fault::NatsKilled => self.nats.kill(),
        }
        self.suffered.push(fault);
    }

    pub(super) async fn heal(&mut self) {
        let suffered = std::mem::take(&mut self.suffered);
        if suffered.contains(&Fault::NatsKilled) {
            self.nats.restart().await;
        }
        self.lines.iter().for_each(|line| line.set(Line::Open));
        for (number, host) in self.hosts.iter_mut().enumerate() {
            if suffered.contains(&Fault::Kill(number)) {
                host.ended().await;
                self.lattice.start_again(host).await;
            } else if suffered.contains(&Fault::Freeze(number)) {
                host.process().thaw();
            }
        }
    }

    pub(super) async fn answers_within(&self, limit: Duration) {
        eventually("the counter answers", limit, async || {
            self.counter.try_get("/healed").await.ok().filter(|response| response.status == 200)
        })
        .await;
    }

    pub(super) async fn kept(&self) -> Kept {
        let process = self.lattice.host();
        let sessions = self.lattice.inventory().await["sessions"].as_u64();
        Kept {
            resident: process.resident_bytes(),
            open_files: process.open_files(),
            sessions: sessions.expect("a host counts its sessions"),
            clients: self.nats.clients().await.expect("nats-server answers"),
        }
    }

    /// Once all is quiet there is as much as there was before.
    pub(super) async fn assert_nothing_left(&self, before: &Kept) {
        let holds = |now: &Kept| {
            now.resident <= before.resident + RESIDENT_MORE_MAX
                && now.open_files <= before.open_files + OPEN_FILES_MORE_MAX
                && now.sessions <= before.sessions
                && now.clients == before.clients
        };
        let mut last = None;
        let held = tokio::time::timeout(HEALED, async {
            loop {
                let now = self.kept().await;
                last = Some(now);
                if holds(&now) {
                    return;
                }
            }
        })
        .await;
        println!("before: {before:?}\nafter:  {last:?}");
        assert!(held.is_ok(), "something is left: {last:?}, before {before:?}");
    }
}
