//! One connection from its first byte to its last: TLS or not, HTTP/1.1 or HTTP/2, and never idle for long.

mod active;
mod drive;

use std::{convert::Infallible, sync::Arc};

use http::Request;
use hyper::{
    body::Incoming,
    server::conn::{http1, http2},
    service::service_fn,
};
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::TcpStream,
    time::timeout,
};
use tokio_rustls::server::TlsStream;
use tracing::debug;

pub(crate) use self::active::Active;
use self::{active::Connection, drive::drive};
use crate::{
    exchange,
    listener::{Open, Site},
    settings::ServerSettings,
    tls,
};

/// Bytes of a connection that hyper holds, each way. An upload moves in pieces of up to this.
const BUFFER_LEN_MAX: usize = 128 * 1024;

/// Requests under way at once on one HTTP/2 connection.
const STREAMS_MAX: u32 = 200;

/// What an HTTP/2 client may send ahead, per stream; as much as a stream to the host may have under way.
const STREAM_WINDOW: u32 = 256 * 1024;
const CONNECTION_WINDOW: u32 = 1024 * 1024;

/// What every HTTP/2 connection starts with (RFC 9113, 3.4). Three bytes tell it from every HTTP/1.1 method.
const HTTP2_PREFACE_START: &[u8] = b"PRI";

/// Serves a connection until it ends. `open` counts it.
pub(crate) async fn serve(site: Arc<Site>, stream: TcpStream, open: Open) {
    let peer = stream.peer_addr();
    let mut closing = site.closing();
    let ready = tokio::select! {
        biased;
        ready = begin(site, stream, open) => ready,
        _ = closing.wait_for(|closing| *closing) => return,
    };
    let end = match ready {
        Ok(Ready::Plain(ready)) => ready.serve().await,
        Ok(Ready::Tls(ready)) => ready.serve().await,
        Err(end) => Err(end),
    };
    if let Err(end) = end {
        debug!(?peer, %end, "connection ended");
    }
}

/// A connection that is known to speak HTTP, and which.
enum Ready {
    Plain(Speaking<TcpStream>),
    Tls(Box<Speaking<TlsStream<TcpStream>>>),
}

struct Speaking<S> {
    connection: Arc<Connection>,
    stream: S,
    http2: bool,
}

/// Why a connection did not end in order.
#[derive(Debug, thiserror::Error)]
pub(crate) enum End {
    #[error("nothing came in time")]
    Idle,
    #[error(transparent)]
    Io(#[from] std::io::Error),
    #[error(transparent)]
    Http(#[from] hyper::Error),
}

/// Waits for the connection's first bytes, and shakes hands where the address has TLS.
async fn begin(site: Arc<Site>, stream: TcpStream, open: Open) -> Result<Ready, End> {
    match site.tls() {
        None => {
            let http2 = timeout(site.settings().idle, starts_http2(&stream))
                .await
                .map_err(|_| End::Idle)??;
            let connection = Connection::new(site, "http", open);
            Ok(Ready::Plain(Speaking { connection, stream, http2 }))
        }
        Some(acceptor) => {
            let stream = timeout(tls::HANDSHAKE_MAX, acceptor.accept(stream))
                .await
                .map_err(|_| End::Idle)??;
            let http2 = stream.get_ref().1.alpn_protocol() == Some(tls::HTTP2);
            let connection = Connection::new(site, "https", open);
            Ok(Ready::Tls(Box::new(Speaking { connection, stream, http2 })))
        }
    }
}

/// Looks at the first bytes without taking them.
async fn starts_http2(stream: &TcpStream) -> std::io::Result<bool> {
    let mut start = [0; HTTP2_PREFACE_START.len()];
    let len = stream.peek(&mut start).await?;
    Ok(&start[..len] == HTTP2_PREFACE_START)
}

impl<S: AsyncRead + AsyncWrite + Unpin + Send + 'static> Speaking<S> {
    async fn serve(self) -> Result<(), End> {
        let Self { connection, stream, http2 } = self;
        let stream = TokioIo::new(stream);
        let shared = connection.clone();
        let service = service_fn(move |request: Request<Incoming>| {
            let active = Active::begin(&shared);
            async move { Ok::<_, Infallible>(exchange::answer(active, request).await) }
        });
        let settings = connection.site().settings();
        if http2 {
            let http = http2_builder(settings).serve_connection(stream, service);
            drive(http, &connection).await
        } else {
            let http = http1_builder(settings).serve_connection(stream, service);
            drive(http, &connection).await
        }
    }
}

/// Without `pipeline_flush`: with it hyper loses its own answer to a head that it cannot parse.
fn http1_builder(settings: &ServerSettings) -> http1::Builder {
    let mut builder = http1::Builder::new();
    builder
        .max_buf_size(BUFFER_LEN_MAX)
        .max_header_size(settings.head_len_max)
        .header_read_timeout(None); // see `drive`, which needs no timer per request
    builder
}

fn http2_builder(settings: &ServerSettings) -> http2::Builder<TokioExecutor> {
    let mut builder = http2::Builder::new(TokioExecutor::new());
    builder
        .timer(TokioTimer::new())
        .keep_alive_interval(settings.idle / 2)
        .keep_alive_timeout(settings.idle / 2)
        .max_concurrent_streams(STREAMS_MAX)
        .max_header_list_size(settings.head_len_max as u32)
        .initial_stream_window_size(STREAM_WINDOW)
        .initial_connection_window_size(CONNECTION_WINDOW);
    builder
}
