//! The host's part: starts the process, puts links, and sends requests over them.

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
use http::{Request, Response};
use tokio::{
    process::{Child, Command},
    sync::{Mutex, mpsc},
};
use wattle_core::{
    CallError, ErrorKind,
    call::RequestHead,
    codec,
    entity::{CodeKey, Identity, Party},
    provider::{LinkDetail, LinkGrant, Side, Start, ToHost, ToProvider},
};
use wattle_http::outgoing::{
    ALLOWED_ADDRESSES, ALLOWED_HOSTS, ErrorCode, Options, SEND, SendError, decode_outcome,
    encode_send,
};
use wattle_wire::{Body, Connection, Handler, Limits, Reply, lanes};

/// Lanes of the process under test. More than one, so that requests come on threads that no link was put on.
const LANES: usize = 2;

/// How long a call may take up to the head of its answer.
const DEADLINE: Duration = Duration::from_secs(10);

/// A running `wattle-http-client`. It dies with this.
pub(crate) struct Host {
    connections: Arc<Vec<Connection>>,
    said: Mutex<mpsc::Receiver<ToHost>>,
    links: AtomicU32,
    pub(crate) process: Child,
}

struct Door(mpsc::Sender<ToHost>);

impl Handler for Door {
    fn call(
        self: &Arc<Self>,
        _request: wattle_wire::Request,
    ) -> impl Future<Output = Result<Reply, CallError>> + Send + 'static {
        std::future::ready(Err(CallError::new(ErrorKind::Denied, "an HTTP client calls nobody")))
    }

    fn control(&self, message: Bytes) {
        let message = codec::decode(&message, 1 << 20).expect("a control message");
        self.0.try_send(message).expect("the test reads what is said");
    }
}

impl Host {
    pub(crate) async fn start() -> Self {
        let pairs = std::iter::repeat_with(|| UnixStream::pair().expect("a socketpair"));
        let (ours, theirs): (Vec<_>, Vec<_>) = pairs.take(LANES).unzip();
        let mut theirs = theirs.into_iter().map(OwnedFd::from);
        let process = Command::new(env!("CARGO_BIN_EXE_wattle-http-client"))
            .stdin(Stdio::from(theirs.next().expect("a first lane")))
            .env_clear()
            .kill_on_drop(true)
            .spawn()
            .expect("the binary under test");
        lanes::send(&ours[0], &theirs.collect::<Vec<_>>()).expect("the lanes are handed over");
        let (saying, said) = mpsc::channel(64);
        let door = Arc::new(Door(saying));
        let connections = ours.into_iter().map(|socket| {
            socket.set_nonblocking(true).expect("a socket");
            let socket = tokio::net::UnixStream::from_std(socket).expect("a socket");
            let (connection, driver) =
                Connection::new(socket, Limits::default(), Arc::clone(&door));
            tokio::spawn(driver);
            connection
        });
        let connections = Arc::new(connections.collect());
        let host = Self { connections, said: Mutex::new(said), links: AtomicU32::new(1), process };
        host.say(&ToProvider::Start(Start {
            id: "http-client".parse().expect("an id"),
            lattice: "test".parse().expect("a name"),
            config: Default::default(),
            log: "warn".to_owned(),
        }));
        assert_eq!(host.hear().await, ToHost::Ready);
        host
    }

    /// Puts a link that allows these hosts, and addresses of this machine.
    pub(crate) async fn link(&self, hosts: &[&str], config: &[(&str, &str)]) -> Link {
        self.put(hosts, &["127.0.0.0/8", "::1"], config).await.expect("a link")
    }

    /// Puts a link, or hears why it does not hold.
    pub(crate) async fn put(
        &self,
        hosts: &[&str],
        addresses: &[&str],
        config: &[(&str, &str)],
    ) -> Result<Link, String> {
        let number = self.links.fetch_add(1, Ordering::Relaxed);
        let owned = |values: &[&str]| values.iter().map(|&value| value.to_owned()).collect();
        let key = |prefix: char| format!("{prefix}{}", "A".repeat(55));
        self.say(&ToProvider::PutLink(LinkGrant {
            link: number,
            side: Side::Target,
            peer: Party {
                id: "checker".parse().expect("an id"),
                identity: Identity {
                    account: key('A').parse().expect("a key"),
                    key: CodeKey::Actor(key('M').parse().expect("a key")),
                },
            },
            name: "default".parse().expect("a name"),
            interfaces: vec![SEND.interface.parse().expect("an interface")],
            constraints: [
                (ALLOWED_HOSTS.to_owned(), owned(hosts)),
                (ALLOWED_ADDRESSES.to_owned(), owned(addresses)),
            ]
            .into(),
            config: config.iter().map(|&(k, v)| (k.to_owned(), v.to_owned())).collect(),
        }));
        match self.hear().await {
            ToHost::LinkPut { link, outcome } if link == number => {
                assert_eq!(outcome?, LinkDetail::default());
            }
            other => panic!("not the link's answer: {other:?}"),
        }
        let lanes = Arc::clone(&self.connections);
        Ok(Link { lanes, next: Arc::default(), number })
    }

    pub(crate) async fn delete(&self, link: &Link) {
        self.say(&ToProvider::DeleteLink { link: link.number });
        assert_eq!(self.hear().await, ToHost::LinkDeleted { link: link.number });
    }

    fn say(&self, message: &ToProvider) {
        self.connections[0].control(codec::encode(message)).expect("the process lives");
    }

    async fn hear(&self) -> ToHost {
        self.said.lock().await.recv().await.expect("the process lives")
    }
}

/// A link whose requests take the lanes in turn.
#[derive(Clone)]
pub(crate) struct Link {
    lanes: Arc<Vec<Connection>>,
    next: Arc<AtomicUsize>,
    number: u32,
}

/// What came back, its body still on its way.
pub(crate) struct Answer {
    pub(crate) head: Response<()>,
    pub(crate) body: Body,
}

impl Answer {
    pub(crate) async fn text(mut self) -> String {
        let bytes = self.body.collect(1 << 20).await.expect("a whole body");
        String::from_utf8(bytes.to_vec()).expect("text")
    }
}

impl Link {
    pub(crate) async fn get(&self, url: &str) -> Result<Answer, SendError> {
        self.send(Request::get(url).body(None).expect("a request")).await
    }

    /// The code with which a request fails.
    pub(crate) async fn failure(&self, url: &str) -> ErrorCode {
        match self.get(url).await {
            Ok(answer) => panic!("{url} answered {}", answer.head.status()),
            Err(error) => error.code,
        }
    }

    pub(crate) async fn send(&self, request: Request<Option<Body>>) -> Result<Answer, SendError> {
        self.send_with(request, Options::default()).await
    }

    pub(crate) async fn send_with(
        &self,
        request: Request<Option<Body>>,
        options: Options,
    ) -> Result<Answer, SendError> {
        let (head, body) = request.into_parts();
        let params = encode_send(&head, &options).expect("a request with an address");
        let reply = self.call(params, body).await.expect("a call that was understood");
        let head = decode_outcome(&reply.result).expect("an outcome")?;
        Ok(Answer { head, body: reply.body.unwrap_or_else(|| Body::full(Bytes::new())) })
    }

    pub(crate) async fn call(
        &self,
        params: Vec<u8>,
        body: Option<Body>,
    ) -> Result<Reply, CallError> {
        let head = codec::encode(&RequestHead {
            id: wattle_sdk::call_id(),
            link: self.number,
            interface: SEND.interface.into(),
            function: SEND.function.into(),
            deadline_ms: u32::try_from(DEADLINE.as_millis()).expect("a short time"),
            trace: None,
        });
        let lane = self.next.fetch_add(1, Ordering::Relaxed) % self.lanes.len();
        let request = wattle_wire::Request { head: head.into(), params: params.into(), body };
        self.lanes[lane].call(request).await
    }
}
