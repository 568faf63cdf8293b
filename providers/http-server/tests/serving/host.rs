//! The host's part: starts the process, puts links, and answers calls with the actor of [`crate::actor`].

use std::{
    net::SocketAddr,
    os::{fd::OwnedFd, unix::net::UnixStream},
    process::Stdio,
    sync::Arc,
};

use bytes::Bytes;
use tokio::{
    process::{Child, Command},
    sync::{Mutex, mpsc},
};
use wattle_core::{
    CallError, codec,
    entity::{CodeKey, Identity, Party},
    provider::{LinkDetail, LinkGrant, Side, Start, ToHost, ToProvider},
};
use wattle_wire::{Connection, Handler, Limits, Reply, Request, lanes};

use crate::actor::Actor;

/// Lanes of the process under test, as many as the machines have on which it is developed.
const LANES: usize = 2;

/// A running `wattle-http-server` with the test as its host.
pub(crate) struct Host {
    pub(crate) actor: Arc<Actor>,
    connections: Vec<Connection>,
    said: Mutex<mpsc::Receiver<ToHost>>,
    pub(crate) process: Child,
}

struct Door {
    actor: Arc<Actor>,
    said: mpsc::Sender<ToHost>,
}

impl Handler for Door {
    fn call(
        self: &Arc<Self>,
        request: Request,
    ) -> impl Future<Output = Result<Reply, CallError>> + Send + 'static {
        self.actor.clone().answer(request)
    }

    fn control(&self, message: Bytes) {
        let message = codec::decode(&message, 1 << 20).expect("a control message");
        self.said.try_send(message).expect("the test reads what is said");
    }
}

impl Host {
    pub(crate) async fn start() -> Self {
        Self::start_with(&[]).await
    }

    /// Starts the process with these settings of its own, and waits until it is ready.
    pub(crate) async fn start_with(config: &[(&str, &str)]) -> Self {
        let pairs = std::iter::repeat_with(|| UnixStream::pair().expect("a socketpair"));
        let (ours, theirs): (Vec<_>, Vec<_>) = pairs.take(LANES).unzip();
        let mut theirs = theirs.into_iter().map(OwnedFd::from);
        let process = Command::new(env!("CARGO_BIN_EXE_wattle-http-server"))
            .stdin(Stdio::from(theirs.next().expect("a first lane")))
            .env_clear()
            .kill_on_drop(true)
            .spawn()
            .expect("the binary under test");
        lanes::send(&ours[0], &theirs.collect::<Vec<_>>()).expect("the lanes are handed over");

        let (said, heard) = mpsc::channel(64);
        let actor = Arc::new(Actor::default());
        let door = Arc::new(Door { actor: actor.clone(), said });
        let connections = ours.into_iter().map(|socket| connect(socket, door.clone())).collect();
        let host = Self { actor, connections, said: Mutex::new(heard), process };
        host.say(&ToProvider::Start(Start {
            id: "http-server".parse().expect("an id"),
            lattice: "test".parse().expect("a name"),
            config: settings(config),
            log: "warn".to_owned(),
        }));
        assert_eq!(host.hear().await, ToHost::Ready);
        host
    }

    pub(crate) fn say(&self, message: &ToProvider) {
        self.connections[0].control(codec::encode(message)).expect("the process lives");
    }

    pub(crate) async fn hear(&self) -> ToHost {
        self.said.lock().await.recv().await.expect("the process lives")
    }

    /// Puts a link with these settings.
    pub(crate) async fn put(
        &self,
        link: u32,
        config: &[(&str, &str)],
    ) -> Result<LinkDetail, String> {
        self.put_grant(grant(link, config)).await
    }

    pub(crate) async fn put_grant(&self, grant: LinkGrant) -> Result<LinkDetail, String> {
        let number = grant.link;
        self.say(&ToProvider::PutLink(grant));
        match self.hear().await {
            ToHost::LinkPut { link, outcome } if link == number => outcome,
            other => panic!("not the link's answer: {other:?}"),
        }
    }

    /// Puts a link at a free port with these further settings and says where it is served.
    pub(crate) async fn serve(&self, link: u32, config: &[(&str, &str)]) -> SocketAddr {
        let config = [&[("address", "127.0.0.1:0")], config].concat();
        address_of(&self.put(link, &config).await.expect("a link"))
    }

    /// Ends every lane, as a host that was killed does.
    pub(crate) fn hang_up(&self) {
        for connection in &self.connections {
            connection.close();
        }
    }

    pub(crate) async fn delete(&self, link: u32) {
        self.say(&ToProvider::DeleteLink { link });
        assert_eq!(self.hear().await, ToHost::LinkDeleted { link });
    }
}

fn connect(socket: UnixStream, door: Arc<Door>) -> Connection {
    socket.set_nonblocking(true).expect("a socket");
    let socket = tokio::net::UnixStream::from_std(socket).expect("a socket");
    let (connection, driver) = Connection::new(socket, Limits::default(), door);
    tokio::spawn(driver);
    connection
}

fn settings(pairs: &[(&str, &str)]) -> wattle_core::link::Settings {
    pairs.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect()
}

/// A grant as a host that is content with everything would make it.
pub(crate) fn grant(link: u32, config: &[(&str, &str)]) -> LinkGrant {
    let key = |prefix: char| format!("{prefix}{}", "A".repeat(55));
    let identity = Identity {
        account: key('A').parse().expect("a key"),
        key: CodeKey::Actor(key('M').parse().expect("a key")),
    };
    LinkGrant {
        link,
        side: Side::Source,
        peer: Party { id: format!("actor-{link}").parse().expect("an id"), identity },
        name: "default".parse().expect("a name"),
        interfaces: vec!["wasi:http/incoming-handler".parse().expect("an interface")],
        constraints: Default::default(),
        config: settings(config),
    }
}

/// The address in a link's URL.
pub(crate) fn address_of(detail: &LinkDetail) -> SocketAddr {
    let url: http::Uri = detail.url.as_deref().expect("a URL").parse().expect("a URL");
    url.authority().expect("an authority").as_str().parse().expect("an address")
}
