//! Links as the host puts them, and the calling end of those to the provider.

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use bytes::Bytes;
use tokio::time::timeout;
use wattle_core::{
    CallError, Constraints, Identity, Operation,
    call::{Call, RequestHead},
    codec,
    entity::{CodeKey, Party},
    link::Settings,
};
use wattle_wire::{Body, Connection, Reply, Request};

use super::PATIENCE;
use crate::{LinkGrant, Side, call_id};

/// How long each call may take where the test says nothing else.
const DEADLINE: Duration = Duration::from_secs(20);

/// A link without constraints and settings, named `default`, with an actor `actor-NUMBER` at its other end.
pub fn grant(number: u32, side: Side, interfaces: &[&str]) -> LinkGrant {
    let key = |prefix: char| format!("{prefix}{}", "A".repeat(55));
    let identity = Identity {
        account: key('A').parse().expect("a key"),
        key: CodeKey::Actor(key('M').parse().expect("a key")),
    };
    LinkGrant {
        link: number,
        side,
        peer: Party { id: format!("actor-{number}").parse().expect("an id"), identity },
        name: "default".parse().expect("a name"),
        interfaces: interfaces.iter().map(|name| name.parse().expect("an interface")).collect(),
        constraints: Constraints::new(),
        config: Settings::new(),
    }
}

/// The calling end of a link. Its calls take the lanes in turn.
#[derive(Clone, Debug)]
pub struct Link {
    lanes: Arc<[Connection]>,
    turn: Arc<AtomicUsize>,
    number: u32,
    deadline: Duration,
}

impl Link {
    pub(super) fn new(lanes: Arc<[Connection]>, number: u32) -> Self {
        Self { lanes, turn: Arc::default(), number, deadline: DEADLINE }
    }

    /// The link's number.
    pub fn number(&self) -> u32 {
        self.number
    }

    /// The same link, whose calls may take this long instead of 20 seconds.
    #[must_use]
    pub fn with_deadline(&self, deadline: Duration) -> Self {
        Self { deadline, ..self.clone() }
    }

    /// The same link, whose calls all take one lane.
    #[must_use]
    pub fn on_lane(&self, lane: usize) -> Self {
        Self { lanes: [self.lanes[lane].clone()].into(), ..self.clone() }
    }

    /// Calls the provider, with a stream beside the call or without one.
    ///
    /// # Errors
    /// What the provider answered.
    ///
    /// # Panics
    /// The provider is still silent well behind the deadline.
    ///
    /// # Cancel safety
    /// Dropping the future cancels the call; it may have run.
    pub async fn carry(
        &self,
        operation: Operation,
        params: impl Into<Bytes>,
        body: Option<Body>,
    ) -> Result<Reply, CallError> {
        let head = codec::encode(&RequestHead {
            id: call_id(),
            link: self.number,
            interface: operation.interface.into(),
            function: operation.function.into(),
            deadline_ms: u32::try_from(self.deadline.as_millis()).expect("a deadline is short"),
            trace: None,
        });
        let lane = &self.lanes[self.turn.fetch_add(1, Ordering::Relaxed) % self.lanes.len()];
        let call = lane.call(Request { head: head.into(), params: params.into(), body });
        timeout(self.deadline + PATIENCE, call).await.expect("an answer within the deadline")
    }
}

impl Call for Link {
    async fn call(&self, operation: Operation, params: Vec<u8>) -> Result<Bytes, CallError> {
        Ok(self.carry(operation, params, None).await?.result)
    }
}
