//! Clients: one that speaks HTTP as it should, and one that sends bytes as the test says.

use std::net::SocketAddr;

use bytes::Bytes;
use http::{HeaderMap, Request, Response, StatusCode};
use http_body_util::{BodyExt, Empty, Full, combinators::BoxBody};
use hyper::{body::Incoming, client::conn::http1};
use hyper_util::rt::TokioIo;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

pub(crate) type AnyBody = BoxBody<Bytes, std::io::Error>;

/// A client on one connection.
pub(crate) struct Client(http1::SendRequest<AnyBody>);

/// A response, read to its end.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
    pub(crate) trailers: Option<HeaderMap>,
}

pub(crate) fn full(bytes: impl Into<Bytes>) -> AnyBody {
    Full::new(bytes.into()).map_err(|never| match never {}).boxed()
}

pub(crate) fn empty() -> AnyBody {
    Empty::new().map_err(|never| match never {}).boxed()
}

impl Client {
    pub(crate) async fn connect(address: SocketAddr) -> Self {
        let stream = TcpStream::connect(address).await.expect("the address is served");
        let (sender, connection) =
            http1::handshake(TokioIo::new(stream)).await.expect("a connection");
        tokio::spawn(connection);
        Self(sender)
    }

    pub(crate) async fn get(&mut self, path: &str) -> Answer {
        self.send(Request::get(path).body(empty()).expect("a request")).await
    }

    /// Sends a request, for host `test` where it does not say another, and reads the answer to its end.
    pub(crate) async fn send(&mut self, request: Request<AnyBody>) -> Answer {
        let response = self.begin(request).await.expect("an answer");
        read(response).await
    }

    pub(crate) async fn begin(
        &mut self,
        mut request: Request<AnyBody>,
    ) -> hyper::Result<Response<Incoming>> {
        let host = http::HeaderValue::from_static("test");
        request.headers_mut().entry("host").or_insert(host);
        self.0.ready().await?;
        self.0.send_request(request).await
    }
}

/// GET on a connection of its own.
pub(crate) async fn get(address: SocketAddr, path: &str) -> Answer {
    Client::connect(address).await.get(path).await
}

pub(crate) async fn read(response: Response<Incoming>) -> Answer {
    let (head, body) = response.into_parts();
    let collected = body.collect().await.expect("a whole body");
    let trailers = collected.trailers().cloned();
    Answer { status: head.status, headers: head.headers, body: collected.to_bytes(), trailers }
}

impl Answer {
    pub(crate) fn text(&self) -> &str {
        std::str::from_utf8(&self.body).expect("text")
    }

    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).map(|value| value.to_str().expect("text"))
    }
}

/// A connection without manners.
pub(crate) struct Raw(pub(crate) TcpStream);

impl Raw {
    pub(crate) async fn connect(address: SocketAddr) -> Self {
        Self(TcpStream::connect(address).await.expect("the address is served"))
    }

    pub(crate) async fn send(&mut self, bytes: impl AsRef<[u8]>) {
        self.0.write_all(bytes.as_ref()).await.expect("the connection is open");
    }

    /// Reads until what was read ends like this.
    pub(crate) async fn until(&mut self, end: &str) -> String {
        let mut seen = Vec::new();
        while !seen.ends_with(end.as_bytes()) {
            let byte = self.0.read_u8().await;
            seen.push(byte.unwrap_or_else(|_| panic!("ended: {}", seen.escape_ascii())));
        }
        String::from_utf8(seen).expect("text")
    }

    /// Reads until the server closes the connection.
    pub(crate) async fn rest(&mut self) -> String {
        let mut seen = Vec::new();
        let _ = self.0.read_to_end(&mut seen).await; // a reset ends it too
        String::from_utf8_lossy(&seen).into_owned()
    }
}
