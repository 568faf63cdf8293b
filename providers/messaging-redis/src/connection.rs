//! Connections to a Redis: for commands, for commands that wait, and for what is published.

use std::{io, time::Duration};

use redis::{
    AsyncConnectionConfig, ConnectionAddr, ErrorKind, RedisError, ServerErrorKind,
    aio::{MultiplexedConnection, PubSub},
};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::{TcpStream, UnixStream},
    task::JoinHandle,
    time::timeout,
};

use crate::address::Address;

/// How long connecting, logging in and a first ping may take together.
const CONNECT_WAIT: Duration = Duration::from_secs(5);

/// Commands under way on one connection; more wait in line.
const IN_FLIGHT_MAX: usize = 4_096;

trait Socket: AsyncRead + AsyncWrite + Send + Sync + Unpin {}

impl<S: AsyncRead + AsyncWrite + Send + Sync + Unpin> Socket for S {}

/// A connection for commands, and the task that drives it.
pub(crate) struct Commands {
    pub(crate) connection: MultiplexedConnection,
    pub(crate) driver: Driver,
}

/// The task that reads and writes a connection. It ends with whoever holds this.
pub(crate) struct Driver(pub(crate) JoinHandle<()>);

impl Drop for Driver {
    fn drop(&mut self) {
        self.0.abort();
    }
}

impl Commands {
    /// A connection that has answered a ping: a Redis that is frozen accepts, but does not answer. Commands on it may take as long
    /// as `wait`.
    pub(crate) async fn open(address: &Address, wait: Duration) -> Result<Self, RedisError> {
        in_time(async {
            let config = AsyncConnectionConfig::new()
                .set_response_timeout(Some(wait))
                .set_concurrency_limit(IN_FLIGHT_MAX);
            let (mut connection, driver) = MultiplexedConnection::new_with_config(
                address.login(),
                socket(address).await?,
                config,
            )
            .await?;
            let driver = Driver(tokio::spawn(driver));
            let () = redis::cmd("PING").query_async(&mut connection).await?;
            Ok(Self { connection, driver })
        })
        .await
    }
}

/// A connection on which Redis says what is published.
pub(crate) async fn listening(address: &Address) -> Result<PubSub, RedisError> {
    in_time(async { PubSub::new(address.login(), socket(address).await?).await }).await
}

async fn in_time<T>(step: impl Future<Output = Result<T, RedisError>>) -> Result<T, RedisError> {
    let late = |_| io::Error::from(io::ErrorKind::TimedOut).into();
    let done = timeout(CONNECT_WAIT, step).await.unwrap_or_else(|elapsed| Err(late(elapsed)));
    done.map_err(|error| if is_refusal(&error) { of_login(&error) } else { error })
}

/// A refusal of whoever connects, by its code alone: Redis's words could repeat the login.
fn of_login(error: &RedisError) -> RedisError {
    let refused = (ErrorKind::AuthenticationFailed, "this login is refused");
    match error.code() {
        Some(code) => (refused.0, refused.1, code.to_owned()).into(),
        None => refused.into(),
    }
}

async fn socket(address: &Address) -> Result<Box<dyn Socket>, RedisError> {
    match address.server() {
        ConnectionAddr::Unix(path) => Ok(Box::new(UnixStream::connect(path).await?)),
        ConnectionAddr::Tcp(host, port) => {
            let stream = TcpStream::connect((host.as_str(), *port)).await?;
            stream.set_nodelay(true)?;
            Ok(Box::new(stream))
        }
        _ => Err(io::Error::from(io::ErrorKind::Unsupported).into()),
    }
}

/// Whether Redis answered, and meant it: neither loading its data nor waiting for its master.
pub(crate) fn is_refusal(error: &RedisError) -> bool {
    match error.kind() {
        ErrorKind::Server(ServerErrorKind::BusyLoading | ServerErrorKind::MasterDown) => false,
        ErrorKind::Server(_) | ErrorKind::Extension | ErrorKind::AuthenticationFailed => true,
        _ => false,
    }
}
