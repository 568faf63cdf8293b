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
use tracing::debug;

pub(crate) use self::active::Active;
use self::{active::Connection, drive::drive};
use crate::{
    exchange,
    listener::{Open, Site},
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
    if let Err(end) = serve_until_end(site, stream, open).await {
        debug!(?peer, %end, "connection ended");
    }
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

async fn serve_until_end(site: Arc<Site>, stream: TcpStream, open: Open) -> Result<(), End> {
    match site.tls() {
        None => {
            let wants_http2 = timeout(site.settings().idle, starts_http2(&stream))
                .await
                .map_err(|_| End::Idle)??;
            let connection = Connection::new(site, "http", open);
            serve_http(connection, stream, wants_http2).await
        }
        Some(acceptor) => {
            let stream = timeout(tls::HANDSHAKE_MAX, acceptor.accept(stream))
                .await
                .map_err(|_| End::Idle)??;
            let wants_http2 = stream.get_ref().1.alpn_protocol() == Some(tls::HTTP2);
            let connection = Connection::new(site, "https", open);
            serve_http(connection, stream, wants_http2).await
        }
    }
}

/// Looks at the first bytes without taking them.
async fn starts_http2(stream: &TcpStream) -> std::io::Result<bool> {
    let mut start = [0; HTTP2_PREFACE_START.len()];
    let len = stream.peek(&mut start).await?;
    Ok(&start[..len] == HTTP2_PREFACE_START)
}

async fn serve_http(
    connection: Arc<Connection>,
    stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static,
    wants_http2: bool,
) -> Result<(), End> {
    let stream = TokioIo::new(stream);
    let shared = connection.clone();
    let service = service_fn(move |request: Request<Incoming>| {
        let active = Active::begin(&shared);
        async move { Ok::<_, Infallible>(exchange::answer(active, request).await) }
    });
    let settings = connection.site().settings();
    if wants_http2 {
        let mut builder = http2::Builder::new(TokioExecutor::new());
        builder
            .timer(TokioTimer::new())
            .keep_alive_interval(settings.idle / 2)
            .keep_alive_timeout(settings.idle / 2)
            .max_concurrent_streams(STREAMS_MAX)
            .max_header_list_size(settings.head_len_max as u32)
            .initial_stream_window_size(STREAM_WINDOW)
            .initial_connection_window_size(CONNECTION_WINDOW);
        drive(builder.serve_connection(stream, service), &connection).await
    } else {
        let mut builder = http1::Builder::new();
        builder
            .max_buf_size(BUFFER_LEN_MAX)
            .max_header_size(settings.head_len_max)
            .header_read_timeout(None); // see `drive`, which needs no timer per request
        drive(builder.serve_connection(stream, service), &connection).await
    }
}
