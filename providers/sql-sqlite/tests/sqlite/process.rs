//! The provider's process with the test in its host's place.

use std::{
    os::{fd::OwnedFd, unix::net::UnixStream},
    process::Stdio,
    sync::{
        Arc,
        atomic::{AtomicU32, AtomicUsize, Ordering},
    },
    time::Duration,
};

use bytes::Bytes;
use tokio::{
    process::{Child, Command},
    sync::{Mutex, mpsc},
};
use wattle_core::{
    CallError, Constraints, ErrorKind, Operation,
    call::{Call, RequestHead},
    codec,
    entity::{CodeKey, Identity, Party},
    link::Settings,
    provider::{LinkDetail, LinkGrant, Side, Start, ToHost, ToProvider},
};
use wattle_sql::{Caller, INTERFACES};
use wattle_wire::{Connection, Handler, Limits, Reply, Request, lanes};

/// Lanes of the process under test. More than one, so that calls come on threads that no link was put on.
const LANES: usize = 2;

/// How long each call may take.
const DEADLINE: Duration = Duration::from_secs(20);

/// A running provider. It dies with this.
pub(crate) struct Process {
    connections: Arc<Vec<Connection>>,
    said: Mutex<mpsc::Receiver<ToHost>>,
    links: AtomicU32,
    pub(crate) child: Child,
}

/// What the provider has to say to its host: only control messages.
struct Heard(mpsc::Sender<ToHost>);

impl Handler for Heard {
    fn call(
        self: &Arc<Self>,
        _request: Request,
    ) -> impl Future<Output = Result<Reply, CallError>> + Send + 'static {
        std::future::ready(Err(CallError::new(ErrorKind::Denied, "a database calls nobody")))
    }

    fn control(&self, message: Bytes) {
        let message = codec::decode(&message, 1 << 20).expect("a control message");
        self.0.try_send(message).expect("the test reads what is said");
    }
}

impl Process {
    /// Starts the provider with these settings of its own, and waits until it is ready.
    pub(crate) async fn start(config: Settings) -> Self {
        let pairs = std::iter::repeat_with(|| UnixStream::pair().expect("a socketpair"));
        let (ours, theirs): (Vec<_>, Vec<_>) = pairs.take(LANES).unzip();
        let mut theirs = theirs.into_iter().map(OwnedFd::from);
        let child = Command::new(env!("CARGO_BIN_EXE_wattle-sql-sqlite"))
            .stdin(Stdio::from(theirs.next().expect("a first lane")))
            .env_clear()
            .kill_on_drop(true)
            .spawn()
            .expect("the binary under test");
        lanes::send(&ours[0], &theirs.collect::<Vec<_>>()).expect("the lanes are handed over");
        let (saying, said) = mpsc::channel(64);
        let heard = Arc::new(Heard(saying));
        let connections = ours.into_iter().map(|socket| connect(socket, &heard)).collect();
        let said = Mutex::new(said);
        let process =
            Self { connections: Arc::new(connections), said, links: AtomicU32::new(1), child };
        process.say(&ToProvider::Start(Start {
            id: "sql".parse().expect("an id"),
            lattice: "test".parse().expect("a name"),
            config,
            log: "warn".to_owned(),
        }));
        assert_eq!(process.hear().await, ToHost::Ready);
        process
    }

    /// Puts a link and calls over it.
    pub(crate) async fn caller(&self, constraints: Constraints, config: Settings) -> Caller<Link> {
        self.put(constraints, config).await.expect("a link")
    }

    /// Puts a link with this provider at its target end, or hears why it does not hold.
    pub(crate) async fn put(
        &self,
        constraints: Constraints,
        config: Settings,
    ) -> Result<Caller<Link>, String> {
        let number = self.links.fetch_add(1, Ordering::Relaxed);
        self.say(&ToProvider::PutLink(LinkGrant {
            link: number,
            side: Side::Target,
            peer: peer(),
            name: "default".parse().expect("a name"),
            interfaces: INTERFACES.iter().map(|name| name.parse().expect("well formed")).collect(),
            constraints,
            config,
        }));
        match self.hear().await {
            ToHost::LinkPut { link, outcome } if link == number => {
                assert_eq!(outcome?, LinkDetail::default());
            }
            other => panic!("not the link's answer: {other:?}"),
        }
        let lanes = Arc::clone(&self.connections);
        Ok(Caller::new(Link { lanes, next: AtomicUsize::new(0), number }))
    }

    /// Deletes the link that was put last.
    pub(crate) async fn delete_last(&self) {
        let link = self.links.load(Ordering::Relaxed) - 1;
        self.say(&ToProvider::DeleteLink { link });
        assert_eq!(self.hear().await, ToHost::LinkDeleted { link });
    }

    fn say(&self, message: &ToProvider) {
        self.connections[0].control(codec::encode(message)).expect("the process lives");
    }

    async fn hear(&self) -> ToHost {
        self.said.lock().await.recv().await.expect("the process lives")
    }
}

fn connect(socket: UnixStream, heard: &Arc<Heard>) -> Connection {
    socket.set_nonblocking(true).expect("a socket");
    let socket = tokio::net::UnixStream::from_std(socket).expect("a socket");
    let (connection, driver) = Connection::new(socket, Limits::default(), Arc::clone(heard));
    tokio::spawn(driver);
    connection
}

fn peer() -> Party {
    let key = |prefix| format!("{prefix}{}", "A".repeat(55));
    let actor = CodeKey::Actor(key('M').parse().expect("a key"));
    let account = key('A').parse().expect("a key");
    Party { id: "cart".parse().expect("an id"), identity: Identity { account, key: actor } }
}

/// A link whose calls take the lanes in turn.
pub(crate) struct Link {
    lanes: Arc<Vec<Connection>>,
    next: AtomicUsize,
    number: u32,
}

impl Call for Link {
    async fn call(&self, operation: Operation, params: Vec<u8>) -> Result<Bytes, CallError> {
        let head = codec::encode(&RequestHead {
            id: wattle_sdk::call_id(),
            link: self.number,
            interface: operation.interface.into(),
            function: operation.function.into(),
            deadline_ms: u32::try_from(DEADLINE.as_millis()).expect("a short time"),
            trace: None,
        });
        let lane = self.next.fetch_add(1, Ordering::Relaxed) % self.lanes.len();
        let request = Request { head: head.into(), params: params.into(), body: None };
        Ok(self.lanes[lane].call(request).await?.result)
    }
}
