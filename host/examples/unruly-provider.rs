//! A provider for the tests of `host/src/providers`: it behaves, and misbehaves, as its settings say.
//!
//! It speaks to its host without the SDK, since the SDK does not let a provider do most of this.

use std::{
    collections::BTreeMap,
    future::Future,
    io::{self, Write},
    os::{fd::AsFd, unix::net::UnixStream as StdUnixStream},
    process::{Command, exit},
    sync::{Arc, OnceLock},
    time::Duration,
};

use bytes::Bytes;
use tokio::{net::UnixStream, sync::mpsc};
use wattle_core::{
    CallError, ErrorKind,
    call::RequestHead,
    codec,
    provider::{CONTROL_LEN_MAX, LeaseNews, LinkDetail, LinkGrant, ToHost, ToProvider},
};
use wattle_wire::{Closed, Connection, Handler, Limits, Reply, Request, lanes};

/// Control messages that wait for their turn.
const MESSAGES_MAX: usize = 10_000;

#[tokio::main(flavor = "current_thread")]
async fn main() -> io::Result<()> {
    // As the SDK does: a test that ends early leaves nothing behind, not even one that hangs.
    let with_its_host = rustix::process::Signal::KILL;
    rustix::process::set_parent_process_death_signal(Some(with_its_host))?;
    let first = StdUnixStream::from(io::stdin().as_fd().try_clone_to_owned()?);
    let further = lanes::receive(&first)?;
    let sockets = [first].into_iter().chain(further.into_iter().map(StdUnixStream::from));
    let (control, mut messages) = mpsc::channel(MESSAGES_MAX);
    let door = Arc::new(Door { control, host: OnceLock::new() });
    let mut connections = Vec::new();
    for socket in sockets {
        socket.set_nonblocking(true)?;
        let socket = UnixStream::from_std(socket)?;
        let (connection, driver) = Connection::new(socket, Limits::default(), door.clone());
        connections.push(connection);
        let is_first = connections.len() == 1;
        tokio::spawn(async move {
            let ended = driver.await;
            if is_first && ended != Closed::Here {
                exit(0);
            }
        });
    }
    door.host.get_or_init(|| connections[0].clone());
    let Some(ToProvider::Start(start)) = messages.recv().await else { exit(90) };
    let mut unruly = Unruly { connections, settings: start.config, puts: 0 };
    unruly.start().await;
    while let Some(message) = messages.recv().await {
        unruly.obey(message).await;
    }
    Ok(())
}

struct Unruly {
    connections: Vec<Connection>,
    settings: BTreeMap<String, String>,
    puts: u32,
}

impl Unruly {
    fn does(&self, what: &str) -> bool {
        self.settings.get("do").is_some_and(|does| does == what)
    }

    fn say(&self, message: &ToHost) {
        let _ = self.connections[0].control(codec::encode(message));
    }

    async fn start(&mut self) {
        if let Some(text) = self.settings.get("stderr") {
            eprintln!("{text}");
        }
        if let Some(code) = self.settings.get("exit") {
            exit(code.parse().unwrap_or(91));
        }
        match self.settings.get("do").map(String::as_str) {
            Some("never-ready") => return,
            Some("fail") => {
                self.say(&ToHost::Failed { reason: "no such thing".to_owned() });
                self.connections[0].close();
                self.connections[0].closed().await;
                exit(1);
            }
            Some("garbage") => {
                let mut raw = StdUnixStream::from(
                    io::stdin().as_fd().try_clone_to_owned().unwrap_or_else(|_| exit(92)),
                );
                let _ = raw.write_all(&[0xff; 64]);
                return;
            }
            Some("have-children") => {
                let sleeper = Command::new("/bin/sleep").arg("1000").spawn();
                eprintln!("child {}", sleeper.map_or(0, |child| child.id()));
            }
            Some("ignore-sigterm") => drop(tokio::spawn(async {
                let term = tokio::signal::unix::SignalKind::terminate();
                let mut term = tokio::signal::unix::signal(term).unwrap_or_else(|_| exit(93));
                while term.recv().await.is_some() {}
            })),
            _ => {}
        }
        self.say(&ToHost::Ready);
        self.after_ready().await;
    }

    async fn after_ready(&self) {
        match self.settings.get("do").map(String::as_str) {
            Some("exit-when-ready") => exit(7),
            Some("babble") => loop {
                self.say(&ToHost::LinkPut { link: 77, outcome: Err("x".repeat(60_000)) });
                tokio::task::yield_now().await;
            },
            Some("nonsense") => {
                for _ in 0..1_000 {
                    let _ = self.connections[0].control(vec![0xc1; 10]);
                }
            }
            Some("close-a-lane") => self.connections[1].close(),
            Some("hang") => {
                let _written = self.connections[0].ping(Duration::from_secs(10)).await;
                std::thread::park();
            }
            Some("endless-line") => {
                drop(std::thread::spawn(|| while io::stderr().write_all(&[b'x'; 4_096]).is_ok() {}))
            }
            Some("binary-log") => drop(std::thread::spawn(|| {
                let noise: Vec<u8> = (0..=255).cycle().take(4_096).collect();
                while io::stdout().write_all(&noise).is_ok() {}
            })),
            _ => {}
        }
    }

    async fn obey(&mut self, message: ToProvider) {
        match message {
            ToProvider::Start(_) => exit(94),
            ToProvider::PutLink(grant) => self.put_link(grant),
            ToProvider::DeleteLink { link } => self.say(&ToHost::LinkDeleted { link }),
            ToProvider::Lease { lease, news } => self.lease(lease, &news),
            ToProvider::Drain { .. } if self.does("never-drain") => {}
            ToProvider::Drain { .. } => {
                eprintln!("draining");
                self.say(&ToHost::Drained);
            }
        }
    }

    /// Notes what it read, and something of its own.
    fn lease(&self, lease: u32, news: &LeaseNews) {
        match news {
            LeaseNews::Held { note, .. } => {
                let note = [note.as_slice(), b" and more"].concat();
                self.say(&ToHost::WriteNote { lease, write: 1, note });
            }
            other => eprintln!("lease {lease}: {other:?}"),
        }
    }

    fn put_link(&mut self, grant: LinkGrant) {
        self.puts += 1;
        if let Some(name) = grant.config.get("lease") {
            let name = name.parse().unwrap_or_else(|_| exit(95));
            self.say(&ToHost::TakeLease { lease: self.puts, link: grant.link, name });
        }
        let outcome = match grant.config.get("outcome").map(String::as_str) {
            Some("silent") => return,
            Some("fail-first") if self.puts == 1 => Err("the port is taken\n".to_owned()),
            Some("fail") => Err("no such store".to_owned()),
            Some("pid") => Ok(LinkDetail { url: Some(std::process::id().to_string()) }),
            _ => Ok(LinkDetail::default()),
        };
        self.say(&ToHost::LinkPut { link: grant.link, outcome });
    }
}

struct Door {
    control: mpsc::Sender<ToProvider>,
    host: OnceLock<Connection>,
}

impl Handler for Door {
    fn call(
        self: &Arc<Self>,
        request: Request,
    ) -> impl Future<Output = Result<Reply, CallError>> + Send + 'static {
        let door = self.clone();
        async move { door.answer(request).await }
    }

    fn control(&self, message: Bytes) {
        if let Ok(message) = codec::decode(&message, CONTROL_LEN_MAX) {
            let _ = self.control.try_send(message);
        }
    }
}

impl Door {
    async fn answer(&self, request: Request) -> Result<Reply, CallError> {
        let head: RequestHead<'_> = codec::decode(&request.head, 10_000)
            .map_err(|error| CallError::new(ErrorKind::Malformed, error.to_string()))?;
        match &*head.function {
            "echo" => Ok(Reply { result: request.params, body: request.body }),
            "wait" => std::future::pending().await,
            "exit" => exit(8),
            "ask-host" => {
                let host = self.host.get().ok_or_else(|| lost("no host"))?;
                host.call(Request {
                    head: request.head.clone(),
                    params: request.params,
                    body: None,
                })
                .await
            }
            other => Err(lost(other)),
        }
    }
}

fn lost(what: &str) -> CallError {
    CallError::new(ErrorKind::NotFound, what)
}
