//! The way from a provider to its host.

use std::{borrow::Cow, cell::Cell, fmt, future::Future, sync::Arc, time::Duration};

use bytes::Bytes;
use tokio::{runtime::Handle, task::JoinHandle, time::timeout};
use wattle_core::{CallError, CallId, ErrorKind, Operation, TraceParent, call::RequestHead, codec};
use wattle_wire::{Body, Connection, Reply, Request};

use crate::lease::{Lease, LeaseError, Leases};

thread_local! {
    /// The lane that this thread drives. Threads that drive none use the first.
    static LANE: Cell<usize> = const { Cell::new(0) };
}

/// A thread with a runtime, and the socket that it owns.
pub(crate) struct Lane {
    pub(crate) connection: Connection,
    pub(crate) runtime: Handle,
}

/// A handle to the host that this provider hangs on.
#[derive(Clone)]
pub struct Host {
    lanes: Arc<[Lane]>,
    leases: Arc<Leases>,
}

impl Host {
    pub(crate) fn new(lanes: Vec<Lane>) -> Self {
        let leases = Leases::new(lanes[0].connection.clone());
        Self { lanes: lanes.into(), leases }
    }

    /// Notes which lane the calling thread drives.
    pub(crate) fn enter(lane: usize) {
        LANE.set(lane);
    }

    /// The first lane's connection, which is also the one for control.
    pub(crate) fn first(&self) -> &Connection {
        &self.lanes[0].connection
    }

    /// Calls whoever is at the target end of the call's link, on the calling thread's own lane.
    ///
    /// # Errors
    /// What the callee or the host answered; `DeadlineExceeded` when no head of an answer came within the call's deadline.
    ///
    /// # Cancel safety
    /// Dropping the future cancels the call; it may have run.
    pub async fn call(&self, call: OutgoingCall) -> Result<Reply, CallError> {
        let OutgoingCall { id, link, operation, params, body, deadline, trace } = call;
        let head = RequestHead {
            id,
            link,
            interface: Cow::Borrowed(operation.interface),
            function: Cow::Borrowed(operation.function),
            deadline_ms: u32::try_from(deadline.as_millis()).unwrap_or(u32::MAX),
            trace,
        };
        let head = codec::encode(&head).into();
        let lane = &self.lanes[LANE.get() % self.lanes.len()];
        let call = lane.connection.call(Request { head, params, body });
        timeout(deadline, call).await.unwrap_or_else(|_elapsed| {
            let text = format!("no answer to {operation} within {deadline:?}");
            Err(CallError::new(ErrorKind::DeadlineExceeded, text))
        })
    }

    /// Wants a lease: of all hosts of the lattice that run this provider and know this link, one at a time holds it. A second one of
    /// the same link and name is another handle to the first.
    ///
    /// # Errors
    /// The name is none, or this provider wants too many.
    pub fn lease(&self, link: u32, name: &str) -> Result<Lease, LeaseError> {
        self.leases.want(link, name)
    }

    pub(crate) fn leases(&self) -> &Leases {
        &self.leases
    }

    /// How many lanes there are: threads, each with a runtime and a socket of its own.
    pub fn lanes(&self) -> usize {
        self.lanes.len()
    }

    /// Runs a task on one lane's thread.
    pub fn spawn_on(
        &self,
        lane: usize,
        task: impl Future<Output = ()> + Send + 'static,
    ) -> JoinHandle<()> {
        self.lanes[lane % self.lanes.len()].runtime.spawn(task)
    }
}

impl fmt::Debug for Host {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Host").field("lanes", &self.lanes()).finish()
    }
}

/// A call to an actor.
#[derive(Debug)]
pub struct OutgoingCall {
    /// The call, as logs and errors name it.
    pub id: CallId,
    /// The link that it goes over.
    pub link: u32,
    /// What is called.
    pub operation: Operation,
    /// Its parameters.
    pub params: Bytes,
    /// Its stream, where it has one.
    pub body: Option<Body>,
    /// How long its caller waits for the head of the answer.
    pub deadline: Duration,
    /// The trace that it belongs to.
    pub trace: Option<TraceParent>,
}

/// A new call's id.
pub fn call_id() -> CallId {
    CallId::from_bytes(rand::random())
}
