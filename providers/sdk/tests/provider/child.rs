//! The echo provider as a child process, and a host's end of its sockets.

use std::{
    collections::BTreeMap,
    future::{Future, ready},
    os::{fd::OwnedFd, unix::net::UnixStream as StdUnixStream},
    path::PathBuf,
    process::{ExitStatus, Stdio},
    sync::Arc,
};

use bytes::Bytes;
use tokio::{io::AsyncReadExt, net::UnixStream, process, sync::mpsc};
use wattle_core::{
    CallError, CallId,
    call::RequestHead,
    codec,
    entity::{CodeKey, Identity, Party},
    provider::{CONTROL_LEN_MAX, LinkGrant, Side, Start, ToHost, ToProvider},
};
use wattle_sdk::{Body, Reply};
use wattle_wire::{Connection, Handler, Limits, Request, lanes};

pub(crate) struct Child {
    pub(crate) lanes: Vec<Connection>,
    process: process::Child,
    heard: mpsc::Receiver<ToHost>,
}

/// What the host answers, and where it keeps what it hears.
struct FakeHost {
    heard: mpsc::Sender<ToHost>,
}

impl Handler for FakeHost {
    fn call(
        self: &Arc<Self>,
        request: Request,
    ) -> impl Future<Output = Result<Reply, CallError>> + Send + 'static {
        let mut result = request.params.to_vec();
        result.extend_from_slice(b", says the host");
        ready(Ok(Reply { result: result.into(), body: request.body }))
    }

    fn control(&self, message: Bytes) {
        let message = codec::decode(&message, CONTROL_LEN_MAX).expect("a message to a host");
        self.heard.try_send(message).expect("there is room");
    }
}

impl Child {
    /// A process that was told nothing yet.
    pub(crate) fn spawn(lane_count: usize) -> Self {
        let (ours, mut theirs): (Vec<_>, Vec<_>) =
            (0..lane_count).map(|_| StdUnixStream::pair().expect("a pair")).unzip();
        let stdin = OwnedFd::from(theirs.remove(0));
        let further: Vec<OwnedFd> = theirs.into_iter().map(Into::into).collect();
        lanes::send(&ours[0], &further).expect("sent");
        let process = process::Command::new(echo_path())
            .stdin(Stdio::from(stdin))
            .stderr(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .expect("`cargo test` has built the example");
        let (heard_in, heard) = mpsc::channel(100);
        let host = Arc::new(FakeHost { heard: heard_in });
        let lanes = ours.into_iter().map(|socket| connect(socket, &host)).collect();
        Self { lanes, process, heard }
    }

    pub(crate) fn start<const N: usize>(lane_count: usize, config: [(&str, &str); N]) -> Self {
        let child = Self::spawn(lane_count);
        child.say(&ToProvider::Start(Start {
            id: "echo".parse().expect("an id"),
            lattice: "test".parse().expect("a name"),
            config: settings(config),
            log: "info".into(),
        }));
        child
    }

    pub(crate) async fn ready(lane_count: usize) -> Self {
        let mut child = Self::start(lane_count, []);
        assert_eq!(child.hear().await, ToHost::Ready);
        child
    }

    pub(crate) fn say(&self, message: &ToProvider) {
        self.lanes[0].control(codec::encode(message)).expect("open");
    }

    pub(crate) async fn hear(&mut self) -> ToHost {
        self.heard.recv().await.expect("the provider lives")
    }

    pub(crate) async fn call(
        &self,
        lane: usize,
        function: &str,
        params: &'static str,
    ) -> Result<Reply, CallError> {
        self.lanes[lane].call(request(function, params, None)).await
    }

    pub(crate) async fn call_with(
        &self,
        lane: usize,
        function: &str,
        body: Option<Body>,
    ) -> Result<Reply, CallError> {
        self.lanes[lane].call(request(function, "", body)).await
    }

    /// Closes the sockets, as a host's death does.
    pub(crate) async fn end(&mut self) -> ExitStatus {
        self.lanes.iter().for_each(Connection::close);
        self.status().await
    }

    pub(crate) async fn status(&mut self) -> ExitStatus {
        self.process.wait().await.expect("it ends")
    }

    pub(crate) fn kill(&mut self) {
        self.process.start_kill().expect("it lives");
    }

    /// All that it logged. It has ended.
    pub(crate) async fn stderr(&mut self) -> String {
        let mut log = String::new();
        let stderr = self.process.stderr.as_mut().expect("it is piped");
        stderr.read_to_string(&mut log).await.expect("text");
        log
    }
}

fn connect(socket: StdUnixStream, host: &Arc<FakeHost>) -> Connection {
    socket.set_nonblocking(true).expect("a socket");
    let socket = UnixStream::from_std(socket).expect("a socket");
    let (connection, driver) = Connection::new(socket, Limits::default(), Arc::clone(host));
    tokio::spawn(driver);
    connection
}

pub(crate) fn request(function: &str, params: &'static str, body: Option<Body>) -> Request {
    let head = RequestHead {
        id: CallId::from_bytes([1; 16]),
        link: 1,
        interface: "test:echo/echo".into(),
        function: function.into(),
        deadline_ms: 5_000,
        trace: None,
    };
    Request { head: codec::encode(&head).into(), params: params.into(), body }
}

pub(crate) fn grant<const N: usize>(link: u32, config: [(&str, &str); N]) -> LinkGrant {
    let key = |first: char| format!("{first}{}", "A".repeat(55));
    LinkGrant {
        link,
        side: Side::Target,
        peer: Party {
            id: "caller".parse().expect("an id"),
            identity: Identity {
                account: key('A').parse().expect("a key"),
                key: CodeKey::Actor(key('M').parse().expect("a key")),
            },
        },
        name: "default".parse().expect("a name"),
        interfaces: vec!["test:echo/echo".parse().expect("an interface")],
        constraints: BTreeMap::new(),
        config: settings(config),
    }
}

fn settings<const N: usize>(config: [(&str, &str); N]) -> BTreeMap<String, String> {
    config.into_iter().map(|(key, value)| (key.to_owned(), value.to_owned())).collect()
}

/// Where cargo puts this package's examples, seen from its tests.
pub(crate) fn echo_path() -> PathBuf {
    let test = std::env::current_exe().expect("a test has a path");
    let profile = test.parent().and_then(|deps| deps.parent()).expect("tests are in deps");
    profile.join("examples").join("echo")
}
