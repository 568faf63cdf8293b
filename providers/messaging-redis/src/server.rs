//! One login's connection for commands: up, or down with a reason, and made again by itself.
//!
//! While it is down calls fail at once. One command that gets no answer in time is enough to give the connection up; a Redis
//! that was only slow is back after one round trip.

use std::{
    collections::BTreeMap,
    sync::{Arc, Weak},
    time::Duration,
};

use parking_lot::Mutex;
use redis::{Cmd, ErrorKind, FromRedisValue, RedisError, ServerErrorKind, aio::ConnectionLike};
use tokio::{
    sync::{Notify, watch},
    task::AbortHandle,
    time::sleep,
};
use tracing::{info, warn};
use wattle_messaging::{Failure, Kind};
use wattle_sdk::Host;

use crate::{
    address::Address,
    connection::{Commands, Driver, is_refusal},
    inbox::Inbox,
};

/// How long one command may wait for its answer. Redis answers in microseconds, but one command at a time: another's that takes
/// long, or a slow disk, is no reason to take it for hanging.
const RESPONSE_WAIT: Duration = Duration::from_secs(5);

/// Between two attempts to connect. Short enough that a Redis that is back serves within a second.
pub(crate) const RECONNECT_PAUSE: Duration = Duration::from_millis(50);

/// The same where Redis refuses: it will not have another mind in a moment.
pub(crate) const REFUSED_PAUSE: Duration = Duration::from_secs(2);

/// A Redis that hangs is noticed although nobody asks it anything.
const PING_PAUSE: Duration = Duration::from_secs(1);

/// A connection, kept. It closes with the last link that holds it.
pub(crate) struct Server {
    pub(crate) address: Address,
    pub(crate) inbox: Arc<Inbox>,
    shared: Arc<Shared>,
    tasks: [AbortHandle; 2],
}

struct Shared {
    state: watch::Sender<State>,
    doubted: Notify,
}

#[derive(Clone)]
enum State {
    Connecting,
    /// A connection, by number: a doubt is about one of them.
    Up(u64, redis::aio::MultiplexedConnection),
    Down(Arc<str>),
    /// Redis is there, and this login may not.
    Refused(Arc<str>),
}

impl Server {
    fn start(address: Address, host: &Host, lane: usize) -> Self {
        let state = watch::Sender::new(State::Connecting);
        let shared = Arc::new(Shared { state, doubted: Notify::new() });
        let keeper = keep(address.clone(), Arc::clone(&shared));
        let inbox = Arc::new(Inbox::default());
        let answers = Arc::clone(&inbox).keep(address.clone());
        let tasks = [host.spawn_on(lane, keeper), host.spawn_on(lane, answers)];
        Self { address, inbox, shared, tasks: tasks.map(|task| task.abort_handle()) }
    }

    /// Sends one command.
    pub(crate) async fn send<T: FromRedisValue>(&self, command: &Cmd) -> Result<T, Failure> {
        let (number, mut up) = self.up()?;
        let answer = up.req_packed_command(command).await;
        let value = answer.map_err(|error| self.failed(number, &error))?;
        redis::from_redis_value(value).map_err(|error| unexpected(&error))
    }

    /// Comes back when the connection for commands is not up.
    pub(crate) async fn lost(&self) {
        let mut state = self.shared.state.subscribe();
        let _ = state.wait_for(|state| !matches!(state, State::Up(..))).await; // its sender is this server's
    }

    /// Whether Redis can be asked something now.
    pub(crate) fn is_up(&self) -> bool {
        matches!(&*self.shared.state.borrow(), State::Up(..))
    }

    /// Why Redis refuses this login, if it does; known once the first attempt to connect has ended.
    pub(crate) async fn refusal(&self) -> Option<String> {
        let mut state = self.shared.state.subscribe();
        match state.wait_for(|state| !matches!(state, State::Connecting)).await.as_deref() {
            Ok(State::Refused(reason)) => Some(self.says(reason)),
            _ => None,
        }
    }

    /// The server's name in front of what is wrong with it.
    pub(crate) fn says(&self, reason: &str) -> String {
        format!("redis at {}: {reason}", self.address)
    }

    fn up(&self) -> Result<(u64, redis::aio::MultiplexedConnection), Failure> {
        let reason = match &*self.shared.state.borrow() {
            State::Up(number, connection) => return Ok((*number, connection.clone())),
            State::Connecting => "not connected yet".into(),
            State::Down(reason) | State::Refused(reason) => Arc::clone(reason),
        };
        Err(Failure::new(Kind::Unavailable, self.says(&reason)))
    }

    /// What a command's failure means for its caller, and for everyone after it.
    fn failed(&self, number: u64, error: &RedisError) -> Failure {
        match error.kind() {
            ErrorKind::Server(ServerErrorKind::NoPerm) => {
                Failure::new(Kind::Denied, self.says("this login may not"))
            }
            ErrorKind::Server(_) | ErrorKind::Extension => {
                Failure::new(Kind::Failed, self.says(&error.to_string()))
            }
            _ => {
                let late = error.is_timeout();
                let reason = if late { "no answer in time" } else { "the connection broke" };
                self.shared.doubt(number, reason);
                Failure::new(Kind::Interrupted, self.says(reason))
            }
        }
    }
}

pub(crate) fn unexpected(error: &impl std::fmt::Display) -> Failure {
    Failure::new(Kind::Failed, format!("redis answered something else: {error}"))
}

impl Shared {
    /// Takes a connection out of use, unless another has taken its place already.
    fn doubt(&self, number: u64, reason: &str) {
        let doubted = self.state.send_if_modified(|state| {
            let is_it = matches!(state, State::Up(up, _) if *up == number);
            if is_it {
                *state = State::Down(reason.into());
            }
            is_it
        });
        if doubted {
            self.doubted.notify_one();
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.tasks.iter().for_each(AbortHandle::abort);
    }
}

/// Connects, and connects again whenever the connection breaks or is doubted, for ever. Says so in the log once per change.
async fn keep(address: Address, shared: Arc<Shared>) {
    let mut said = None;
    for number in 0.. {
        let mut pause = RECONNECT_PAUSE;
        match Commands::open(&address, RESPONSE_WAIT).await {
            Ok(Commands { connection, driver }) => {
                info!(redis = %address, "connected");
                said = None;
                shared.state.send_replace(State::Up(number, connection.clone()));
                until_it_breaks(&shared, number, connection, driver).await;
                warn!(redis = %address, "connection lost");
            }
            Err(error) => {
                let reason: Arc<str> = error.to_string().into();
                if said.as_ref() != Some(&reason) {
                    warn!(redis = %address, %reason, "cannot connect");
                    said = Some(Arc::clone(&reason));
                }
                let refused = is_refusal(&error);
                shared.state.send_replace(if refused {
                    pause = REFUSED_PAUSE;
                    State::Refused(reason)
                } else {
                    State::Down(reason)
                });
            }
        }
        sleep(pause).await;
    }
}

async fn until_it_breaks(
    shared: &Shared,
    number: u64,
    connection: redis::aio::MultiplexedConnection,
    mut driver: Driver,
) {
    let pinging = async {
        let mut connection = connection;
        loop {
            sleep(PING_PAUSE).await;
            let pong: Result<(), RedisError> =
                redis::cmd("PING").query_async(&mut connection).await;
            if pong.is_err() {
                return shared.doubt(number, "no answer in time");
            }
        }
    };
    let doubted = async {
        loop {
            shared.doubted.notified().await;
            // A doubt may be about the connection before this one.
            if !matches!(&*shared.state.borrow(), State::Up(up, _) if *up == number) {
                return;
            }
        }
    };
    tokio::select! {
        _ = &mut driver.0 => shared.doubt(number, "the connection broke"),
        () = doubted => {}
        () = pinging => {}
    }
}

/// Servers in use, by login.
#[derive(Default)]
pub(crate) struct Servers {
    state: Mutex<(BTreeMap<String, Weak<Server>>, usize)>,
}

impl Servers {
    /// The server for this login, made where no link has it, on one lane after the other.
    pub(crate) fn get(&self, address: Address, host: &Host) -> Arc<Server> {
        let mut state = self.state.lock();
        let (servers, next_lane) = &mut *state;
        servers.retain(|_, server| server.strong_count() > 0);
        if let Some(server) = servers.get(address.key()).and_then(Weak::upgrade) {
            return server;
        }
        *next_lane += 1;
        let key = address.key().to_owned();
        let server = Arc::new(Server::start(address, host, *next_lane));
        servers.insert(key, Arc::downgrade(&server));
        server
    }
}
