//! A blob store provider's process with the test in its host's place. blobstore-s3 tests itself with this file, too.

use std::{
    fs,
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
    time::timeout,
};
use wattle_blobstore::{Caller, Carry, INTERFACES};
use wattle_core::{
    CallError, Constraints, ErrorKind, Operation,
    call::RequestHead,
    codec,
    entity::{CodeKey, Identity, Party},
    link::Settings,
    provider::{LinkDetail, LinkGrant, Side, Start, ToHost, ToProvider},
};
use wattle_wire::{Body, Connection, Handler, Limits, Reply, Request, lanes};

/// Lanes of the process under test. More than one, so that calls come on threads that no link was put on.
const LANES: usize = 2;

/// How long each call may take up to the head of its answer.
pub(crate) const DEADLINE: Duration = Duration::from_secs(10);

/// How much longer than its deadline a call may seem to take on a busy machine.
const GRACE: Duration = Duration::from_secs(30);

/// Between two looks at what is to come by itself.
pub(crate) const PAUSE: Duration = Duration::from_millis(5);

/// How soon files must be closed that nobody needs any more, on a busy machine.
pub(crate) const CLOSED_WITHIN: Duration = Duration::from_secs(30);

/// A running provider. It dies with this.
pub(crate) struct Process {
    connections: Arc<Vec<Connection>>,
    said: Mutex<mpsc::Receiver<ToHost>>,
    links: AtomicU32,
    pub(crate) child: Child,
}

/// What a provider of this kind has to say to its host: only control messages.
struct Heard(mpsc::Sender<ToHost>);

impl Handler for Heard {
    fn call(
        self: &Arc<Self>,
        _request: Request,
    ) -> impl Future<Output = Result<Reply, CallError>> + Send + 'static {
        std::future::ready(Err(CallError::new(ErrorKind::Denied, "a store calls nobody")))
    }

    fn control(&self, message: Bytes) {
        let message = codec::decode(&message, 1 << 20).expect("a control message");
        self.0.try_send(message).expect("the test reads what is said");
    }
}

impl Process {
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
        let heard = Arc::new(Heard(saying));
        let connections = ours.into_iter().map(|socket| connect(socket, &heard)).collect();
        let said = Mutex::new(said);
        let process =
            Self { connections: Arc::new(connections), said, links: AtomicU32::new(1), child };
        process.say(&ToProvider::Start(Start {
            id: "blobs".parse().expect("an id"),
            lattice: "test".parse().expect("a name"),
            config,
            log: "warn".to_owned(),
        }));
        assert_eq!(process.hear().await, ToHost::Ready);
        process
    }

    /// Puts a link and calls over it.
    pub(crate) async fn caller(&self, constraints: Constraints, config: Settings) -> Caller<Link> {
        self.put(constraints, config).await.expect("a link").1
    }

    /// Puts a link with this provider at its target end, or hears why it does not hold.
    pub(crate) async fn put(
        &self,
        constraints: Constraints,
        config: Settings,
    ) -> Result<(u32, Caller<Link>), String> {
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
        Ok((number, Caller::new(Link { lanes, next: AtomicUsize::new(0), number })))
    }

    /// Takes a link away again.
    pub(crate) async fn delete(&self, link: u32) {
        self.say(&ToProvider::DeleteLink { link });
        assert_eq!(self.hear().await, ToHost::LinkDeleted { link });
    }

    /// Has the process finish what is under way and take nothing new.
    pub(crate) fn drain(&self) {
        self.say(&ToProvider::Drain { grace_ms: 10_000 });
    }

    /// Waits until nothing is under way any more.
    pub(crate) async fn drained(&self) {
        assert_eq!(self.hear().await, ToHost::Drained);
    }

    /// Kills the process, which has no time to clean up.
    pub(crate) async fn kill(mut self) {
        self.child.kill().await.expect("it runs");
    }

    /// Files, sockets and folders that the process has open.
    pub(crate) fn open_files(&self) -> usize {
        fs::read_dir(format!("/proc/{}/fd", self.pid())).expect("it runs").count()
    }

    /// The most memory that the process has had, in bytes.
    pub(crate) fn peak_memory(&self) -> u64 {
        let status = fs::read_to_string(format!("/proc/{}/status", self.pid())).expect("it runs");
        let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
        let kib = line.and_then(|line| line.trim().strip_suffix(" kB")).expect("Linux says so");
        kib.parse::<u64>().expect("a number") * 1024
    }

    fn pid(&self) -> u32 {
        self.child.id().expect("it runs")
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
    Party { id: "gallery".parse().expect("an id"), identity: Identity { account, key: actor } }
}

/// A link whose calls take the lanes in turn.
pub(crate) struct Link {
    lanes: Arc<Vec<Connection>>,
    next: AtomicUsize,
    number: u32,
}

impl Carry for Link {
    /// A provider that is still silent well behind the deadline is broken: the test ends.
    async fn carry(
        &self,
        operation: Operation,
        params: Vec<u8>,
        body: Option<Body>,
    ) -> Result<Reply, CallError> {
        let head = codec::encode(&RequestHead {
            id: wattle_sdk::call_id(),
            link: self.number,
            interface: operation.interface.into(),
            function: operation.function.into(),
            deadline_ms: u32::try_from(DEADLINE.as_millis()).expect("a short time"),
            trace: None,
        });
        let lane = self.next.fetch_add(1, Ordering::Relaxed) % self.lanes.len();
        let request = Request { head: head.into(), params: params.into(), body };
        let call = self.lanes[lane].call(request);
        timeout(DEADLINE + GRACE, call).await.expect("an answer within the deadline")
    }
}
