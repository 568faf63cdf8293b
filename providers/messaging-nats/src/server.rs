//! One login's connection: up, or down with a reason, and made again by itself.
//!
//! While it is down, calls fail at once instead of waiting in line for a connection that may never come: a message that its
//! sender has given up must not be sent minutes later.

use std::{
    collections::BTreeMap,
    sync::{Arc, Weak},
    time::Duration,
};

use parking_lot::Mutex;
use tokio::{
    sync::watch,
    task::AbortHandle,
    time::{sleep, timeout},
};
use tracing::{info, warn};
use wattle_messaging::{Failure, Kind};
use wattle_sdk::Host;

use crate::{
    connection::{Connection, OpenError},
    login::Login,
};

/// How long connecting may take, at all of a cluster's addresses together.
const CONNECT_WAIT: Duration = Duration::from_secs(3);

/// Between two attempts to connect. Short enough that a server that is back serves within a second.
const RECONNECT_PAUSE: Duration = Duration::from_millis(100);

/// A connection, kept. It closes with the last link that holds it.
pub(crate) struct Server {
    login: Login,
    state: Arc<watch::Sender<State>>,
    keeper: AbortHandle,
}

#[derive(Clone)]
enum State {
    Connecting,
    Up(Arc<Connection>),
    Down(Arc<str>),
    /// The server is there, and this login may not.
    Refused(Arc<str>),
}

impl Server {
    /// Connects in the background, on one lane's thread, for ever.
    fn start(login: Login, host: &Host, lane: usize) -> Self {
        let state = Arc::new(watch::Sender::new(State::Connecting));
        let keeper = host.spawn_on(lane, keep(login.clone(), Arc::clone(&state))).abort_handle();
        Self { login, state, keeper }
    }

    /// The connection, if it is up.
    pub(crate) fn connection(&self) -> Result<Arc<Connection>, Failure> {
        let reason = match &*self.state.borrow() {
            State::Up(connection) => return Ok(Arc::clone(connection)),
            State::Connecting => "not connected yet".into(),
            State::Down(reason) | State::Refused(reason) => Arc::clone(reason),
        };
        Err(Failure::new(Kind::Unavailable, self.says(&reason)))
    }

    /// The connection, once it is up.
    pub(crate) async fn connected(&self) -> Arc<Connection> {
        let mut state = self.state.subscribe();
        loop {
            if let State::Up(connection) = &*state.borrow_and_update() {
                return Arc::clone(connection);
            }
            let _ = state.changed().await; // its sender is this server's
        }
    }

    /// Why the server refuses this login, if it does; known once the first attempt to connect has ended.
    pub(crate) async fn refusal(&self) -> Option<String> {
        let mut state = self.state.subscribe();
        match state.wait_for(|state| !matches!(state, State::Connecting)).await.as_deref() {
            Ok(State::Refused(reason)) => Some(self.says(reason)),
            _ => None,
        }
    }

    /// The server's name in front of what is wrong with it.
    pub(crate) fn says(&self, reason: &str) -> String {
        format!("nats at {}: {reason}", self.login)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.keeper.abort();
    }
}

async fn keep(login: Login, state: Arc<watch::Sender<State>>) {
    let mut said = None;
    loop {
        let opened = timeout(CONNECT_WAIT, Connection::open(&login)).await;
        let late = || Err(OpenError::Unreachable("no answer in time".into()));
        match opened.unwrap_or_else(|_| late()) {
            Ok((connection, heard)) => {
                info!(nats = %login, "connected");
                said = None;
                state.send_replace(State::Up(Arc::clone(&connection)));
                let reason = connection.keep(heard).await;
                warn!(nats = %login, %reason, "connection lost");
                state.send_replace(State::Down(reason));
            }
            Err(error) => {
                if said.as_ref() != Some(&error) {
                    warn!(nats = %login, %error, "cannot connect");
                    said = Some(error.clone());
                }
                state.send_replace(match error {
                    OpenError::Unreachable(reason) => State::Down(reason.into()),
                    OpenError::Refused(reason) => State::Refused(reason.into()),
                });
            }
        }
        sleep(RECONNECT_PAUSE).await;
    }
}

/// Servers in use, by login. Links with one login share a connection: a subscription whose messages are not taken fast enough
/// loses its own only, as each has a queue of its own.
#[derive(Default)]
pub(crate) struct Servers {
    state: Mutex<Shared>,
}

#[derive(Default)]
struct Shared {
    servers: BTreeMap<String, Weak<Server>>,
    next_lane: usize,
}

impl Servers {
    /// The server for this login, made where no link has it.
    pub(crate) fn get(&self, login: Login, host: &Host) -> Arc<Server> {
        let mut shared = self.state.lock();
        shared.servers.retain(|_, server| server.strong_count() > 0);
        let key = login.key();
        if let Some(server) = shared.servers.get(&key).and_then(Weak::upgrade) {
            return server;
        }
        shared.next_lane += 1;
        let server = Arc::new(Server::start(login, host, shared.next_lane));
        shared.servers.insert(key, Arc::downgrade(&server));
        server
    }
}
