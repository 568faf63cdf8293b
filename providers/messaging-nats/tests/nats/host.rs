//! A messaging provider's process with the test in its host's place: puts links, and plays the actors at their ends.

use std::{
    collections::BTreeMap,
    future::Future,
    os::{fd::OwnedFd, unix::net::UnixStream},
    pin::Pin,
    process::Stdio,
    sync::{
        Arc,
        atomic::{AtomicU32, AtomicUsize, Ordering},
    },
    time::Duration,
};

use bytes::Bytes;
use parking_lot::Mutex;
use tokio::{
    process::{Child, Command},
    sync::mpsc,
    time::timeout,
};
use wattle_core::{
    CallError, Constraints, ErrorKind, Operation,
    call::{Call, RequestHead},
    codec,
    entity::{CodeKey, Identity, Party},
    link::Settings,
    provider::{LinkGrant, Side, Start, ToHost, ToProvider},
};
use wattle_messaging::{
    BrokerMessage, CONSUMER, Caller, HANDLER, conformance, operation,
    wire::{HandleMessage, Outcome},
};
use wattle_wire::{Connection, Handler, Limits, Reply, Request, lanes};

/// Lanes of the process under test. More than one, so that calls come on threads that no link was put on.
const LANES: usize = 2;

/// How long each call may take where the test says nothing else.
pub(crate) const DEADLINE: Duration = Duration::from_secs(20);

/// How long the process may take to answer its host, on a machine with much else to do.
const HEAR_WAIT: Duration = Duration::from_secs(60);

/// What an actor answers: the WIT's result, or how its call failed.
pub(crate) type Answer = Result<Outcome<()>, CallError>;

/// An actor at the end of a link.
pub(crate) type Actor = Arc<
    dyn Fn(BrokerMessage<'static>) -> Pin<Box<dyn Future<Output = Answer> + Send>> + Send + Sync,
>;

/// An actor from an async function.
pub(crate) fn actor<F>(run: impl Fn(BrokerMessage<'static>) -> F + Send + Sync + 'static) -> Actor
where
    F: Future<Output = Answer> + Send + 'static,
{
    Arc::new(move |message| Box::pin(run(message)))
}

/// An actor of the suite's.
pub(crate) fn of_the_suite(actor: conformance::Actor) -> Actor {
    Arc::new(move |message| {
        let answer = actor(message);
        Box::pin(async move { Ok(answer.await) })
    })
}

/// A running provider. It dies with this.
pub(crate) struct Host {
    connections: Arc<Vec<Connection>>,
    said: tokio::sync::Mutex<mpsc::Receiver<ToHost>>,
    actors: Arc<Mutex<BTreeMap<u32, Actor>>>,
    links: AtomicU32,
    pub(crate) child: Child,
}

struct Door {
    said: mpsc::Sender<ToHost>,
    actors: Arc<Mutex<BTreeMap<u32, Actor>>>,
}

impl Handler for Door {
    fn call(
        self: &Arc<Self>,
        request: Request,
    ) -> impl Future<Output = Result<Reply, CallError>> + Send + 'static {
        let door = Arc::clone(self);
        async move {
            let head: RequestHead<'_> = codec::decode(&request.head, 4096).expect("a head");
            let called = (&*head.interface, &*head.function);
            assert_eq!(called, (HANDLER, operation::HANDLE_MESSAGE.function));
            let params = request.params;
            let HandleMessage { msg } = codec::decode(&params, params.len()).expect("a message");
            let actor = door.actors.lock().get(&head.link).cloned();
            let actor = actor.ok_or_else(|| CallError::new(ErrorKind::Denied, "no such link"))?;
            let outcome = actor(msg.into_owned()).await?;
            Ok(Reply::new(codec::encode(&outcome)))
        }
    }

    fn control(&self, message: Bytes) {
        let message = codec::decode(&message, 1 << 20).expect("a control message");
        self.said.try_send(message).expect("the test reads what is said");
    }
}

impl Host {
    /// Starts `binary` with these settings of its own, and waits until it is ready.
    pub(crate) async fn start(binary: &str, config: Settings) -> Self {
        let pairs = std::iter::repeat_with(|| UnixStream::pair().expect("a socketpair"));
        let (ours, theirs): (Vec<_>, Vec<_>) = pairs.take(LANES).unzip();
        let mut theirs = theirs.into_iter().map(OwnedFd::from);
        let child = Command::new(binary)
            .stdin(Stdio::from(theirs.next().expect("a first lane")))
            .env_clear()
            .kill_on_drop(true)
            .spawn()
            .expect("the binary under test");
        lanes::send(&ours[0], &theirs.collect::<Vec<_>>()).expect("the lanes are handed over");
        let (saying, said) = mpsc::channel(64);
        let actors = Arc::default();
        let door = Arc::new(Door { said: saying, actors: Arc::clone(&actors) });
        let connections = ours.into_iter().map(|socket| connect(socket, &door)).collect();
        let (connections, said) = (Arc::new(connections), tokio::sync::Mutex::new(said));
        let host = Self { connections, said, actors, links: AtomicU32::new(1), child };
        host.say(&ToProvider::Start(Start {
            id: "messaging".parse().expect("an id"),
            lattice: "test".parse().expect("a name"),
            config,
            log: "error".to_owned(),
        }));
        assert_eq!(host.hear().await, ToHost::Ready);
        host
    }

    /// A link for an actor that sends.
    pub(crate) async fn sender(
        &self,
        constraints: Constraints,
        config: Settings,
    ) -> Result<Caller<Link>, String> {
        let link = self.next();
        self.put(link, Side::Target, constraints, config).await?;
        Ok(self.caller(link, DEADLINE))
    }

    /// Calls over a link with another deadline.
    pub(crate) fn caller(&self, number: u32, deadline: Duration) -> Caller<Link> {
        let lanes = Arc::clone(&self.connections);
        Caller::new(Link { lanes, next: AtomicUsize::new(0), number, deadline })
    }

    /// A link that hands messages to an actor; its number.
    pub(crate) async fn handler(&self, config: Settings, actor: Actor) -> Result<u32, String> {
        let link = self.next();
        self.actors.lock().insert(link, actor);
        self.put(link, Side::Source, Constraints::new(), config).await?;
        Ok(link)
    }

    pub(crate) fn next(&self) -> u32 {
        self.links.fetch_add(1, Ordering::Relaxed)
    }

    pub(crate) async fn put(
        &self,
        number: u32,
        side: Side,
        constraints: Constraints,
        config: Settings,
    ) -> Result<(), String> {
        let interface = if side == Side::Target { CONSUMER } else { HANDLER };
        self.say(&ToProvider::PutLink(LinkGrant {
            link: number,
            side,
            peer: peer(),
            name: "default".parse().expect("a name"),
            interfaces: vec![interface.parse().expect("well formed")],
            constraints,
            config,
        }));
        match self.hear().await {
            ToHost::LinkPut { link, outcome } if link == number => outcome.map(drop),
            other => panic!("not the link's answer: {other:?}"),
        }
    }

    pub(crate) async fn delete(&self, link: u32) {
        self.say(&ToProvider::DeleteLink { link });
        assert_eq!(self.hear().await, ToHost::LinkDeleted { link });
        self.actors.lock().remove(&link);
    }

    /// Has it end what is under way, and waits until it has.
    pub(crate) async fn drain(&self) {
        self.say(&ToProvider::Drain { grace_ms: 60_000 });
        assert_eq!(self.hear().await, ToHost::Drained);
    }

    fn say(&self, message: &ToProvider) {
        self.connections[0].control(codec::encode(message)).expect("the process lives");
    }

    async fn hear(&self) -> ToHost {
        let mut said = self.said.lock().await;
        let heard = timeout(HEAR_WAIT, said.recv()).await.expect("the process answers its host");
        heard.expect("the process lives")
    }
}

fn connect(socket: UnixStream, door: &Arc<Door>) -> Connection {
    socket.set_nonblocking(true).expect("a socket");
    let socket = tokio::net::UnixStream::from_std(socket).expect("a socket");
    let (connection, driver) = Connection::new(socket, Limits::default(), Arc::clone(door));
    tokio::spawn(driver);
    connection
}

fn peer() -> Party {
    let key = |prefix| format!("{prefix}{}", "A".repeat(55));
    let actor = CodeKey::Actor(key('M').parse().expect("a key"));
    let account = key('A').parse().expect("a key");
    Party { id: "shop/orders".parse().expect("an id"), identity: Identity { account, key: actor } }
}

/// A link whose calls take the lanes in turn.
pub(crate) struct Link {
    lanes: Arc<Vec<Connection>>,
    next: AtomicUsize,
    number: u32,
    deadline: Duration,
}

impl Call for Link {
    async fn call(&self, operation: Operation, params: Vec<u8>) -> Result<Bytes, CallError> {
        let head = codec::encode(&RequestHead {
            id: wattle_sdk::call_id(),
            link: self.number,
            interface: operation.interface.into(),
            function: operation.function.into(),
            deadline_ms: u32::try_from(self.deadline.as_millis()).expect("a short time"),
            trace: None,
        });
        let lane = self.next.fetch_add(1, Ordering::Relaxed) % self.lanes.len();
        let request = Request { head: head.into(), params: params.into(), body: None };
        Ok(self.lanes[lane].call(request).await?.result)
    }
}
