//! What answers in the tests: one path for each thing that an actor may do.

use std::sync::Arc;

use bytes::Bytes;
use http::{HeaderMap, Request, Response};
use tokio::sync::watch;
use wattle_core::{CallError, codec};
use wattle_http::{HANDLE, decode_request, encode_response, encode_trailers};
use wattle_sdk::{Body, BodySender, IncomingCall, Reply, StreamError};

/// The actor, and what the tests may know of it.
pub(crate) struct Actor {
    pub(crate) calls: watch::Sender<Calls>,
}

/// Calls that ever were, by how they ended.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Calls {
    pub(crate) begun: usize,
    /// Ended before they answered: dropped by the wire.
    pub(crate) cancelled: usize,
    /// Bytes of `/source` that the wire took.
    pub(crate) sent: u64,
    /// Streams of `/source` whose reader went away.
    pub(crate) unread: usize,
}

impl Default for Actor {
    fn default() -> Self {
        Self { calls: watch::Sender::new(Calls::default()) }
    }
}

/// Counts a call that is dropped before it has answered.
struct UnderWay<'a>(&'a Actor, bool);

impl Drop for UnderWay<'_> {
    fn drop(&mut self) {
        if !self.1 {
            self.0.calls.send_modify(|calls| calls.cancelled += 1);
        }
    }
}

impl Actor {
    /// Waits until the calls are as wished.
    pub(crate) async fn until(&self, wished: impl FnMut(&Calls) -> bool) -> Calls {
        *self.calls.subscribe().wait_for(wished).await.expect("the actor lives")
    }

    pub(crate) async fn answer(self: Arc<Self>, call: IncomingCall) -> Result<Reply, CallError> {
        self.calls.send_modify(|calls| calls.begun += 1);
        let mut under_way = UnderWay(&self, false);
        let reply = self.handle(call).await;
        under_way.1 = true;
        reply
    }

    async fn handle(self: &Arc<Self>, call: IncomingCall) -> Result<Reply, CallError> {
        assert_eq!((&*call.interface, &*call.function), (HANDLE.interface, HANDLE.function));
        let http = decode_request(&call.params)?;
        let mut body = call.body;
        match http.uri().path() {
            "/describe" => Ok(describe(call.link, &call.id.to_string(), &http)),
            "/echo" => Ok(Reply { result: ok(&[]), body }),
            "/measure" => measure(body.as_mut()).await,
            "/source" => Ok(self.source(&http)),
            "/hang" => std::future::pending().await,
            "/stuck" => Ok(stuck()),
            "/broken" => Ok(broken()),
            "/fail" => Err(failure(http.uri().query().unwrap_or_default())),
            "/no-head" => Ok(Reply::new("garbage")),
            "/lie" => Ok(whole(ok(&[("content-length", "5")]), "abc")),
            "/trailers" => Ok(with_trailers(body.as_mut()).await),
            "/empty" => Ok(Reply::new(head_of(Response::builder().status(204)))),
            _ => Ok(whole(ok(&[("x-own", "1")]), "hello\n")),
        }
    }

    /// As many bytes as the query says, in chunks of 64 KiB.
    fn source(self: &Arc<Self>, request: &Request<()>) -> Reply {
        let mut left: u64 = request.uri().query().expect("a length").parse().expect("a length");
        let (mut sender, body) = Body::channel();
        let actor = self.clone();
        tokio::spawn(async move {
            while left > 0 {
                let len = left.min(64 * 1024);
                if sender.send(Bytes::from(vec![b'x'; len as usize])).await.is_err() {
                    actor.calls.send_modify(|calls| calls.unread += 1);
                    return;
                }
                left -= len;
                actor.calls.send_modify(|calls| calls.sent += len);
            }
            sender.finish(None);
        });
        Reply { result: ok(&[]), body: Some(body) }
    }
}

/// A body that begins and never goes on.
fn stuck() -> Reply {
    let (mut sender, body): (BodySender, Body) = Body::channel();
    tokio::spawn(async move {
        let _ = sender.send(Bytes::from_static(b"begun")).await;
        std::future::pending::<()>().await;
    });
    Reply { result: ok(&[]), body: Some(body) }
}

/// A body that has broken off when its head arrives.
fn broken() -> Reply {
    let (sender, body) = Body::channel();
    sender.abort(StreamError::Interrupted);
    Reply { result: ok(&[]), body: Some(body) }
}

fn describe(link: u32, id: &str, request: &Request<()>) -> Reply {
    let mut text = format!("link {link}\n{} {}\n", request.method(), request.uri());
    for (name, value) in request.headers() {
        text += &format!("{name}: {}\n", value.to_str().expect("text"));
    }
    whole(ok(&[("x-call", id), ("connection", "close"), ("transfer-encoding", "x")]), text)
}

/// Reads the body and says its length and its trailers, or how it failed.
async fn measure(body: Option<&mut Body>) -> Result<Reply, CallError> {
    let Some(body) = body else { return Ok(whole(ok(&[]), "none")) };
    let mut len = 0;
    while let Some(chunk) = body.chunk().await {
        match chunk {
            Ok(chunk) => len += chunk.len(),
            Err(StreamError::Interrupted) => std::future::pending().await, // until it is cancelled
            Err(error) => return Ok(whole(ok(&[]), format!("failed: {error}"))),
        }
    }
    let trailers = body.take_trailers().map(|bytes| {
        let trailers = wattle_http::decode_trailers(&bytes).expect("trailers");
        format!(" {trailers:?}")
    });
    Ok(whole(ok(&[]), format!("{len}{}", trailers.unwrap_or_default())))
}

/// Reads all, and answers with a trailer behind a stream.
async fn with_trailers(_: Option<&mut Body>) -> Reply {
    let (mut sender, body) = Body::channel();
    let mut trailers = HeaderMap::new();
    trailers.insert("x-sum", http::HeaderValue::from_static("7"));
    let trailers = encode_trailers(&trailers).expect("trailers");
    tokio::spawn(async move {
        sender.send(Bytes::from_static(b"body")).await.expect("a reader");
        sender.finish(Some(trailers.into()));
    });
    Reply { result: ok(&[("trailer", "x-sum")]), body: Some(body) }
}

fn failure(kind: &str) -> CallError {
    let kind = codec::decode(&codec::encode(kind), 100).expect("a kind of failure");
    CallError::new(kind, "postgres://user:secret@inside is down")
}

fn ok(headers: &[(&str, &str)]) -> Bytes {
    let head = Response::builder();
    head_of(headers.iter().fold(head, |head, (name, value)| head.header(*name, *value)))
}

fn head_of(builder: http::response::Builder) -> Bytes {
    let (parts, ()) = builder.body(()).expect("a head").into_parts();
    encode_response(&parts).expect("within limits").into()
}

fn whole(result: Bytes, body: impl Into<Bytes>) -> Reply {
    Reply { result, body: Some(Body::full(body)) }
}
