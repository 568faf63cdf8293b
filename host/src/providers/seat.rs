//! What a provider's handles and its supervisor share: where calls go now, and what is known of its life.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
    },
    time::Duration,
};

use arc_swap::ArcSwapOption;
use parking_lot::Mutex;
use tokio::{sync::watch, time::timeout};
use wattle_core::{CallError, EntityId, ErrorKind, inventory::ProviderState};
use wattle_wire::Connection;

use super::StartFailure;
use crate::lanes::Lanes;

/// The place of a provider's process, taken or not.
#[derive(Debug)]
pub(super) struct Seat {
    id: Arc<EntityId>,
    serving: ArcSwapOption<Serving>,
    state: watch::Sender<ProviderState>,
    failure: Mutex<Option<StartFailure>>,
    restarts: AtomicU32,
    last_exit: Mutex<Option<String>>,
}

/// A process that serves: a connection for each lane.
#[derive(Debug)]
pub(super) struct Serving {
    connections: Box<[Connection]>,
}

impl Serving {
    pub(super) fn new(connections: Vec<Connection>) -> Self {
        assert!(!connections.is_empty(), "a provider has at least one lane");
        Self { connections: connections.into() }
    }

    /// All its connections, the first one's control messages being those that count.
    pub(super) fn connections(&self) -> &[Connection] {
        &self.connections
    }
}

impl Seat {
    pub(super) fn new(id: Arc<EntityId>) -> Self {
        Self {
            id,
            serving: ArcSwapOption::empty(),
            state: watch::Sender::new(ProviderState::Starting),
            failure: Mutex::default(),
            restarts: AtomicU32::new(0),
            last_exit: Mutex::default(),
        }
    }

    pub(super) fn id(&self) -> &Arc<EntityId> {
        &self.id
    }

    /// The serving process's connection for the calling thread's lane. Takes no lock: every call to a provider passes here.
    pub(super) fn connection(&self) -> Result<Connection, CallError> {
        let serving = self.serving.load();
        let Some(serving) = &*serving else { return Err(self.unavailable()) };
        let lane = Lanes::current().unwrap_or(0);
        Ok(serving.connections[lane % serving.connections.len()].clone())
    }

    #[cold]
    fn unavailable(&self) -> CallError {
        let state = self.state.borrow().to_string();
        CallError::new(ErrorKind::Unavailable, format!("provider {} is {state}", self.id))
    }

    pub(super) fn state(&self) -> watch::Receiver<ProviderState> {
        self.state.subscribe()
    }

    /// The process serves: calls go to it from now on.
    pub(super) fn take(&self, serving: Arc<Serving>, pid: u32) {
        self.set(ProviderState::Ready { pid }, Some(serving));
    }

    /// No process serves: calls are refused from now on.
    pub(super) fn leave(&self, state: ProviderState) {
        self.set(state, None);
    }

    /// State and process change together, and what was denied stays denied.
    fn set(&self, state: ProviderState, serving: Option<Arc<Serving>>) {
        self.state.send_if_modified(|now| {
            if matches!(now, ProviderState::Denied { .. }) {
                return false;
            }
            if serving.is_some() {
                *self.failure.lock() = None;
            }
            self.serving.store(serving);
            *now = state;
            true // also when it is the same: who waits for a start asks again whether it failed
        });
    }

    /// An attempt to start it failed: said before the state that follows.
    pub(super) fn failed(&self, failure: StartFailure) {
        *self.failure.lock() = Some(failure);
    }

    pub(super) fn restarts(&self) -> u32 {
        self.restarts.load(Ordering::Relaxed)
    }

    pub(super) fn restarted(&self) {
        self.restarts.fetch_add(1, Ordering::Relaxed);
    }

    pub(super) fn last_exit(&self) -> Option<String> {
        self.last_exit.lock().clone()
    }

    pub(super) fn exited(&self, how: String) {
        *self.last_exit.lock() = Some(how);
    }

    /// Waits until a process serves; fails when the latest attempt to start one has failed.
    pub(super) async fn ready(&self, wait: Duration) -> Result<u32, StartFailure> {
        let mut state = self.state.subscribe();
        let ready = async {
            loop {
                if let Some(known) = self.known(&state.borrow_and_update()) {
                    return known;
                }
                if state.changed().await.is_err() {
                    return Err(StartFailure::Failed { reason: "the host is stopping".to_owned() });
                }
            }
        };
        timeout(wait, ready).await.unwrap_or(Err(StartFailure::TimedOut))
    }

    fn known(&self, state: &ProviderState) -> Option<Result<u32, StartFailure>> {
        match state {
            ProviderState::Ready { pid } => Some(Ok(*pid)),
            ProviderState::Denied { .. } | ProviderState::Stopping => {
                Some(Err(StartFailure::Failed { reason: format!("it is {state}") }))
            }
            _ => self.failure.lock().clone().map(Err),
        }
    }
}
