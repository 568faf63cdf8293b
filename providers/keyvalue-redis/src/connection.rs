//! One lane's connection to one Redis: up, or down with a reason, and made again by itself.
//!
//! While it is down, calls fail at once instead of waiting: a caller learns within microseconds what it would learn at its
//! deadline. One call that waits for an answer while nothing moves is enough to doubt the connection; a Redis that was only
//! slow is back after one round trip.

use std::{io, pin::pin, sync::Arc, time::Duration};

use arc_swap::ArcSwap;
use redis::{
    Arg, AsyncConnectionConfig, Cmd, ConnectionAddr, ErrorKind, FromRedisValue, Pipeline,
    RedisError, RedisResult, ServerErrorKind,
    aio::{MultiplexedConnection, PubSub},
};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::{TcpStream, UnixStream},
    sync::{Notify, watch},
    task::JoinHandle,
    time::{sleep, timeout, timeout_at},
};
use tracing::{info, warn};
use wattle_keyvalue::{Error, Failure};

use crate::{
    address::Address,
    line::{Line, Seen},
};

/// How long connecting, logging in and a first ping may take together.
const CONNECT_WAIT: Duration = Duration::from_millis(500);

/// Between two attempts to connect. Short enough that a Redis that is back serves within a second, on a machine that may
/// spend 20 connects a second on it.
pub(crate) const RECONNECT_PAUSE: Duration = Duration::from_millis(50);

/// Commands under way on one connection; more wait in line.
const IN_FLIGHT_MAX: usize = 4_096;

/// A lane's connection.
#[derive(Debug)]
pub(crate) struct Connection {
    address: Address,
    state: ArcSwap<State>,
    doubted: Notify,
    tried: watch::Sender<Tried>,
}

#[derive(Debug)]
enum State {
    Up(Up),
    Down { reason: String },
}

#[derive(Debug)]
struct Up {
    connection: MultiplexedConnection,
    line: Arc<Line>,
}

/// How the last attempt to connect ended.
#[derive(Debug, Default)]
enum Tried {
    #[default]
    NotYet,
    Connected,
    Unreachable,
    /// Redis is there, and this login may not.
    Refused(String),
}

impl Connection {
    /// A connection that is not there yet: somebody has to [`keep`](Self::keep) it.
    pub(crate) fn new(address: Address) -> Self {
        let state = ArcSwap::from_pointee(State::Down { reason: "not connected yet".into() });
        Self { address, state, doubted: Notify::new(), tried: watch::Sender::default() }
    }

    /// Why Redis refuses this login, if it does; known once the first attempt to connect has ended.
    pub(crate) async fn refusal(&self) -> Option<String> {
        let mut tried = self.tried.subscribe();
        match tried.wait_for(|tried| !matches!(tried, Tried::NotYet)).await.as_deref() {
            Ok(Tried::Refused(reason)) => Some(reason.clone()),
            _ => None,
        }
    }

    /// Whether Redis can be asked something now.
    pub(crate) fn is_up(&self) -> bool {
        matches!(**self.state.load(), State::Up(_))
    }

    /// Sends one command.
    pub(crate) async fn send<T: FromRedisValue>(&self, command: &Cmd) -> Result<T, Failure> {
        let state = self.state.load_full();
        let Up { connection, line } = self.up(&state)?;
        let mut connection = connection.clone();
        let answer = command.query_async(&mut connection);
        self.answer(&state, line, len(command), answer).await
    }

    /// Sends several commands with one answer.
    pub(crate) async fn send_all<T: FromRedisValue>(&self, all: &Pipeline) -> Result<T, Failure> {
        let state = self.state.load_full();
        let Up { connection, line } = self.up(&state)?;
        let mut connection = connection.clone();
        let answer = all.query_async(&mut connection);
        self.answer(&state, line, all.cmd_iter().map(len).sum(), answer).await
    }

    fn up<'a>(&self, state: &'a State) -> Result<&'a Up, Failure> {
        match state {
            State::Up(up) => Ok(up),
            State::Down { reason } => Err(self.down(reason)),
        }
    }

    /// Waits for the answer to a command of so many bytes, for as long as something moves.
    async fn answer<T>(
        &self,
        state: &Arc<State>,
        line: &Line,
        len: usize,
        answer: impl Future<Output = RedisResult<T>>,
    ) -> Result<T, Failure> {
        let command = line.ask(len);
        let mut answer = pin!(answer);
        loop {
            let until = line.patience_ends(&command);
            match timeout_at(until, answer.as_mut()).await {
                Ok(answer) => {
                    line.answered(&command);
                    return answer.map_err(|error| self.failed(state, &error));
                }
                Err(_) if line.patience_ends(&command) > until => {}
                Err(_) => return Err(self.doubt(state, "no answer in time")),
            }
        }
    }

    fn down(&self, reason: &str) -> Failure {
        Failure::backend(format!("redis at {}: {reason}", self.address))
    }

    /// What a command's failure means for its caller, and for everyone after it.
    fn failed(&self, used: &Arc<State>, error: &RedisError) -> Failure {
        match error.kind() {
            ErrorKind::Server(ServerErrorKind::NoPerm) => Error::AccessDenied.into(),
            _ if is_not_ready(error) => self.down(&error.to_string()),
            ErrorKind::Server(_) | ErrorKind::Extension => {
                Failure::other(format!("redis: {error}"))
            }
            _ if error.is_timeout() => self.doubt(used, "no answer in time"),
            _ => self.doubt(used, "the connection broke"),
        }
    }

    /// Takes the connection out of use, unless another has taken its place already.
    fn doubt(&self, used: &Arc<State>, reason: &str) -> Failure {
        if Arc::ptr_eq(&self.state.load(), used) {
            self.state.store(Arc::new(State::Down { reason: reason.to_owned() }));
            self.doubted.notify_one();
        }
        self.down(reason)
    }

    /// Connects, and connects again whenever the connection breaks or is doubted, for ever. Says so in the log once per change.
    ///
    /// # Cancel safety
    /// Dropping it closes the connection.
    pub(crate) async fn keep(&self) {
        let mut said = None;
        loop {
            match timeout(CONNECT_WAIT, connect(&self.address)).await {
                Ok(Ok((up, driver))) => {
                    info!(redis = %self.address, "connected");
                    said = None;
                    let up = Arc::new(State::Up(up));
                    self.state.store(up.clone());
                    self.tried.send_replace(Tried::Connected);
                    self.until_it_breaks(driver, &up).await;
                }
                Ok(Err(error)) => self.stays_down(&mut said, &error),
                Err(_) => {
                    self.stays_down(&mut said, &io::Error::from(io::ErrorKind::TimedOut).into())
                }
            }
            sleep(RECONNECT_PAUSE).await;
        }
    }

    async fn until_it_breaks(&self, mut driver: Driver, up: &Arc<State>) {
        loop {
            tokio::select! {
                _ = &mut driver.0 => {
                    let reason = "the connection broke".to_owned();
                    self.state.store(Arc::new(State::Down { reason }));
                    break;
                }
                // A doubt may be about the connection before this one; only this one's takes it out of use.
                () = self.doubted.notified() => {
                    if !Arc::ptr_eq(&self.state.load(), up) {
                        break;
                    }
                }
            }
        }
        warn!(redis = %self.address, "connection lost");
    }

    fn stays_down(&self, said: &mut Option<String>, error: &RedisError) {
        let reason = error.to_string();
        if said.as_ref() != Some(&reason) {
            warn!(redis = %self.address, reason, "cannot connect");
            *said = Some(reason.clone());
        }
        let refused = is_refusal(error);
        self.state.store(Arc::new(State::Down { reason: reason.clone() }));
        self.tried.send_replace(if refused { Tried::Refused(reason) } else { Tried::Unreachable });
    }
}

/// A connection on which Redis says what is published.
pub(crate) async fn listening(address: &Address) -> Result<PubSub, RedisError> {
    let login = address.login();
    let connecting = async {
        match address.server() {
            ConnectionAddr::Unix(path) => {
                PubSub::new(login, UnixStream::connect(path).await?).await
            }
            ConnectionAddr::Tcp(host, port) => {
                let stream = TcpStream::connect((host.as_str(), *port)).await?;
                PubSub::new(login, stream).await
            }
            _ => Err(io::Error::from(io::ErrorKind::Unsupported).into()),
        }
    };
    let late = |_| Err(io::Error::from(io::ErrorKind::TimedOut).into());
    timeout(CONNECT_WAIT, connecting).await.unwrap_or_else(late)
}

/// Whether Redis answers nothing yet: it loads its data, waits for its master, or runs somebody's script.
fn is_not_ready(error: &RedisError) -> bool {
    let kinds = [ServerErrorKind::BusyLoading, ServerErrorKind::MasterDown];
    kinds.into_iter().any(|kind| error.kind() == ErrorKind::Server(kind))
        || error.code() == Some("BUSY")
}

/// Whether Redis answered with an error that is about what it was asked.
pub(crate) fn is_answer(error: &RedisError) -> bool {
    matches!(error.kind(), ErrorKind::Server(_) | ErrorKind::Extension) && !is_not_ready(error)
}

/// What Redis says, in the middle of a sentence, where a login may not have its database: there is none of this number, or just one in
/// a cluster; the user may not choose; nobody has logged in.
const NO_DATABASE: [&str; 4] = ["DB index", "cluster mode", "no permissions", "Authentication"];

/// Whether Redis is there, and does not take this login. All else may be different in a moment: it has too many clients, runs
/// somebody's script, or cannot save its data.
pub(crate) fn is_refusal(error: &RedisError) -> bool {
    match error.kind() {
        ErrorKind::AuthenticationFailed | ErrorKind::Server(ServerErrorKind::NoPerm) => true,
        ErrorKind::Extension => is_unknown(error),
        ErrorKind::Server(ServerErrorKind::ResponseError) => {
            let said = error.detail().unwrap_or_default();
            NO_DATABASE.iter().any(|no| said.contains(no))
        }
        _ => false,
    }
}

/// Whether Redis does not know who asks.
fn is_unknown(error: &RedisError) -> bool {
    matches!(error.code(), Some("NOAUTH" | "WRONGPASS"))
}

/// Bytes of a command, without what is between its arguments.
fn len(command: &Cmd) -> usize {
    let bytes = |argument| if let Arg::Simple(bytes) = argument { <[u8]>::len(bytes) } else { 0 };
    command.args_iter().map(bytes).sum()
}

/// The task that reads and writes a connection. It ends with whoever holds this.
struct Driver(JoinHandle<()>);

impl Drop for Driver {
    fn drop(&mut self) {
        self.0.abort();
    }
}

/// A connection that has answered a ping: a Redis that is frozen accepts, but does not answer. That it may not be pinged is an answer, too:
/// the user has no right to, or Redis cannot save its data.
async fn connect(address: &Address) -> Result<(Up, Driver), RedisError> {
    let (mut up, driver) = match address.server() {
        ConnectionAddr::Unix(path) => open(address, UnixStream::connect(path).await?).await?,
        ConnectionAddr::Tcp(host, port) => {
            let stream = TcpStream::connect((host.as_str(), *port)).await?;
            stream.set_nodelay(true)?;
            open(address, stream).await?
        }
        _ => return Err(io::Error::from(io::ErrorKind::Unsupported).into()),
    };
    match redis::cmd("PING").query_async::<()>(&mut up.connection).await {
        Err(error) if !is_answer(&error) || is_unknown(&error) => Err(error),
        Ok(()) | Err(_) => Ok((up, driver)),
    }
}

async fn open<S>(address: &Address, stream: S) -> Result<(Up, Driver), RedisError>
where
    S: AsyncRead + AsyncWrite + Send + Unpin + 'static,
{
    let config = AsyncConnectionConfig::new()
        .set_response_timeout(None) // the line knows how long to wait
        .set_concurrency_limit(IN_FLIGHT_MAX);
    let line = Arc::new(Line::new());
    let stream = Seen::new(stream, Arc::clone(&line));
    let (connection, driver) =
        MultiplexedConnection::new_with_config(address.login(), stream, config).await?;
    Ok((Up { connection, line }, Driver(tokio::spawn(driver))))
}
