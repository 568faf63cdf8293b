//! What the provider finds at the other end of its sockets: the actors that it calls, and somebody who hears what it says.

use std::{
    collections::BTreeMap,
    fmt,
    os::unix::net::UnixStream,
    pin::Pin,
    sync::{Arc, Mutex, OnceLock, PoisonError},
};

use bytes::Bytes;
use tokio::sync::mpsc;
use wattle_core::{
    CallError, ErrorKind, codec,
    provider::{CONTROL_LEN_MAX, ToHost},
};
use wattle_wire::{Connection, Handler, Limits, Reply, Request};

use super::leases::Leases;
use crate::IncomingCall;

/// What a provider may say before its host listens.
const SAID_MAX: usize = 1_024;

type Answer = Pin<Box<dyn Future<Output = Result<Reply, CallError>> + Send>>;

/// An actor that a provider calls. Dropping the future that it answers with is how a provider cancels its call.
pub type Actor = Arc<dyn Fn(IncomingCall) -> Answer + Send + Sync>;

/// An actor from an async function.
pub fn actor<F>(run: impl Fn(IncomingCall) -> F + Send + Sync + 'static) -> Actor
where
    F: Future<Output = Result<Reply, CallError>> + Send + 'static,
{
    Arc::new(move |call| Box::pin(run(call)))
}

/// Actors by the number of the link to them.
#[derive(Default)]
pub(super) struct Actors(Mutex<BTreeMap<u32, Actor>>);

impl Actors {
    pub(super) fn put(&self, link: u32, actor: Actor) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).insert(link, actor);
    }

    pub(super) fn remove(&self, link: u32) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).remove(&link);
    }

    fn find(&self, link: u32) -> Result<Actor, CallError> {
        let actor = self.0.lock().unwrap_or_else(PoisonError::into_inner).get(&link).cloned();
        actor.ok_or_else(|| {
            CallError::new(ErrorKind::Denied, format!("no actor is at the end of link {link}"))
        })
    }
}

impl fmt::Debug for Actors {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Actors").finish_non_exhaustive()
    }
}

/// This host among those of its lattice.
#[derive(Debug)]
pub(super) struct Member {
    leases: Leases,
    number: u64,
}

impl Member {
    pub(super) fn of(leases: Leases) -> Self {
        let number = leases.join();
        Self { leases, number }
    }

    /// Gives up all leases.
    pub(super) fn leave(&self) {
        self.leases.leave(self.number);
    }
}

struct Door {
    actors: Arc<Actors>,
    member: Arc<Member>,
    /// The way back, once it is there.
    first: OnceLock<Connection>,
    said: mpsc::Sender<ToHost>,
}

/// Connects the host's ends of the lanes; what the provider says comes out of the channel.
pub(super) fn open(
    sockets: Vec<UnixStream>,
    actors: &Arc<Actors>,
    member: &Arc<Member>,
) -> (Arc<[Connection]>, mpsc::Receiver<ToHost>) {
    let (saying, said) = mpsc::channel(SAID_MAX);
    let (actors, member) = (Arc::clone(actors), Arc::clone(member));
    let door = Arc::new(Door { actors, member, first: OnceLock::new(), said: saying });
    let lanes: Arc<[_]> = sockets.into_iter().map(|socket| connect(socket, &door)).collect();
    door.first.get_or_init(|| lanes[0].clone());
    (lanes, said)
}

fn connect(socket: UnixStream, door: &Arc<Door>) -> Connection {
    socket.set_nonblocking(true).expect("a socket");
    let socket = tokio::net::UnixStream::from_std(socket).expect("a socket");
    let (connection, driver) = Connection::new(socket, Limits::default(), Arc::clone(door));
    tokio::spawn(driver);
    connection
}

impl Handler for Door {
    fn call(
        self: &Arc<Self>,
        request: Request,
    ) -> impl Future<Output = Result<Reply, CallError>> + Send + 'static {
        let door = Arc::clone(self);
        async move {
            let call = IncomingCall::parse(request)?;
            let actor = door.actors.find(call.link)?;
            actor(call).await
        }
    }

    fn control(&self, message: Bytes) {
        let message: ToHost =
            codec::decode(&message, CONTROL_LEN_MAX).expect("a message to a host");
        let first = self.first.get().expect("nothing is said before the start");
        if !self.member.leases.hear(self.member.number, first, &message) {
            self.said.try_send(message).expect("the test hears what the provider says");
        }
    }
}
