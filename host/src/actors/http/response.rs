//! A guest's response on its way out: small ones are answered whole, longer ones stream while the guest goes on running.

use std::{
    fmt,
    future::{Future, poll_fn},
    pin::Pin,
    sync::Weak,
    task::{Context, Poll, ready},
    time::Duration,
};

use bytes::{Bytes, BytesMut};
use http_body::Body as _;
use tokio::{
    sync::oneshot,
    time::{Sleep, sleep, timeout},
};
use wasmtime_wasi_http::p2::{bindings::http::types::ErrorCode, body::HyperOutgoingBody};
use wattle_core::{CallError, ErrorKind};
use wattle_wire::{Body, ChunkSource, Reply, StreamError};

use super::super::{background::Guest, gate::Pass};

/// A body up to this size is answered in one piece, if the guest writes it without waiting for anything.
const WHOLE_BYTES_MAX: usize = 16 * 1024;

/// A guest that has begun its response and adds nothing to it for so long is ended.
const IDLE_MAX: Duration = Duration::from_secs(60);

/// What the guest puts into its response-outparam.
pub(super) type Head = Result<http::Response<HyperOutgoingBody>, ErrorCode>;

/// A guest's `handle` under way, and what comes of it. Dropping it ends the instance and frees its place.
pub(super) struct Exchange {
    guest: Option<Guest<()>>,
    /// The guest's.
    instance: Weak<()>,
    _pass: Pass,
    /// How long it may go on when its response is complete: as long as a call of its actor's may take.
    alone_max: Duration,
}

impl Exchange {
    pub(super) fn new(
        guest: Guest<()>,
        instance: Weak<()>,
        pass: Pass,
        alone_max: Duration,
    ) -> Self {
        Self { guest: Some(guest), instance, _pass: pass, alone_max }
    }

    /// Runs the guest until there is a reply to send, and beyond that for as long as its body takes.
    pub(super) async fn reply(mut self, head: oneshot::Receiver<Head>) -> Result<Reply, CallError> {
        let mut head = Some(head);
        let (parts, mut body) = poll_fn(|cx| self.poll_head(cx, &mut head)).await?.into_parts();
        let result = wattle_http::encode_response(&parts)
            .map_err(|error| CallError::new(ErrorKind::Failed, error.to_string()))?;
        let begun = poll_fn(|cx| Poll::Ready(self.collect(cx, &mut body))).await?;
        let body = match begun {
            Begun::Whole { bytes, trailers: None } => {
                self.finish_alone();
                Body::full(bytes)
            }
            Begun::Whole { bytes, trailers } => {
                self.finish_alone();
                Body::new(Ended { bytes: Some(bytes), trailers })
            }
            Begun::Partly { bytes, is_over } => Body::new(GuestBody {
                exchange: Some(self),
                begun: Some(bytes).filter(|bytes| !bytes.is_empty()),
                body,
                is_over,
                trailers: None,
                idle: None,
            }),
        };
        Ok(Reply { result: result.into(), body: Some(body) })
    }

    fn poll_head(
        &mut self,
        cx: &mut Context<'_>,
        head: &mut Option<oneshot::Receiver<Head>>,
    ) -> Poll<Result<http::Response<HyperOutgoingBody>, CallError>> {
        let ran = self.poll_run(cx)?;
        if let Some(receiver) = head {
            match ready_or_none(Pin::new(receiver).poll(cx)) {
                Some(Ok(Ok(response))) => return Poll::Ready(Ok(response)),
                Some(Ok(Err(code))) => {
                    let message = format!("the actor answered with an error: {}", said(&code));
                    return Poll::Ready(Err(CallError::new(ErrorKind::Trapped, message)));
                }
                // The guest let go of its outparam, perhaps because it failed: how it ended will say.
                Some(Err(_)) => *head = None,
                None => {}
            }
        }
        if ran.is_pending() {
            return Poll::Pending;
        }
        let message = "the actor returned without a response";
        Poll::Ready(Err(CallError::new(ErrorKind::Trapped, message)))
    }

    /// Ready when the guest has returned.
    fn poll_run(&mut self, cx: &mut Context<'_>) -> Result<Poll<()>, CallError> {
        let Some(guest) = &mut self.guest else { return Ok(Poll::Ready(())) };
        match guest.poll(cx) {
            Poll::Pending => Ok(Poll::Pending),
            Poll::Ready(ran) => {
                self.guest = None;
                ran.map(Poll::Ready)
            }
        }
    }

    /// As much of the body as is there without waiting. The guest and its body are polled in turn: each waits for the other.
    fn collect(
        &mut self,
        cx: &mut Context<'_>,
        body: &mut HyperOutgoingBody,
    ) -> Result<Begun, CallError> {
        let mut first: Option<Bytes> = None;
        let mut more = BytesMut::new();
        let bytes = |first: Option<Bytes>, more: BytesMut| match first {
            Some(first) if more.is_empty() => first,
            _ => more.freeze(),
        };
        loop {
            let _: Poll<()> = self.poll_run(cx)?;
            match Pin::new(&mut *body).poll_frame(cx) {
                Poll::Pending => {
                    return Ok(Begun::Partly { bytes: bytes(first, more), is_over: false });
                }
                Poll::Ready(None) if self.guest_is_gone() => {
                    return Ok(Begun::Partly { bytes: bytes(first, more), is_over: true });
                }
                Poll::Ready(None) => {
                    return Ok(Begun::Whole { bytes: bytes(first, more), trailers: None });
                }
                Poll::Ready(Some(Err(error))) => {
                    return Err(CallError::new(
                        ErrorKind::Trapped,
                        format!("the response's body failed: {error}"),
                    ));
                }
                Poll::Ready(Some(Ok(frame))) => match frame.into_data() {
                    Ok(chunk) if first.is_none() => first = Some(chunk),
                    Ok(chunk) => {
                        if more.is_empty() {
                            more.extend_from_slice(first.as_deref().unwrap_or_default());
                        }
                        more.extend_from_slice(&chunk);
                    }
                    Err(frame) => {
                        let trailers = frame.into_trailers().ok();
                        return Ok(Begun::Whole { bytes: bytes(first, more), trailers });
                    }
                },
            }
            if first.as_ref().map_or(0, Bytes::len).max(more.len()) > WHOLE_BYTES_MAX {
                return Ok(Begun::Partly { bytes: bytes(first, more), is_over: false });
            }
        }
    }

    /// Whether the instance is gone and it is not known yet how it ended. A body looks the same when it has ended and when the guest was
    /// cut off while it wrote.
    fn guest_is_gone(&self) -> bool {
        self.guest.is_some() && self.instance.strong_count() == 0
    }

    /// The response is complete; what the guest still does, it does with nobody waiting, and not for ever.
    fn finish_alone(mut self) {
        let Some(mut guest) = self.guest.take() else { return };
        tokio::spawn(async move {
            let exchange = self;
            let ended = poll_fn(|cx| guest.poll(cx));
            let _: Result<_, _> = timeout(exchange.alone_max, ended).await;
        });
    }
}

/// As much of an error as its reader is told: where it quotes the guest, that has no end.
fn said(code: &ErrorCode) -> String {
    struct Said(String);

    impl fmt::Write for Said {
        fn write_str(&mut self, text: &str) -> fmt::Result {
            let room = CallError::MESSAGE_LEN_MAX - self.0.len();
            self.0.push_str(&text[..text.floor_char_boundary(room)]);
            if text.len() > room { Err(fmt::Error) } else { Ok(()) }
        }
    }

    let mut said = Said(String::new());
    // It ends early where there is no more room, which is what is wanted.
    let _: fmt::Result = fmt::write(&mut said, format_args!("{code:?}"));
    said.0
}

fn ready_or_none<T>(polled: Poll<T>) -> Option<T> {
    match polled {
        Poll::Ready(value) => Some(value),
        Poll::Pending => None,
    }
}

/// What there was of a body before the guest first waited.
enum Begun {
    Whole {
        bytes: Bytes,
        trailers: Option<http::HeaderMap>,
    },
    /// `is_over`: nothing more comes of the body, and how its guest ended will say whether that was all.
    Partly {
        bytes: Bytes,
        is_over: bool,
    },
}

/// Trailers that are past the contract's limits are left out: the body before them is complete all the same.
fn encoded(trailers: http::HeaderMap) -> Option<Bytes> {
    wattle_http::encode_trailers(&trailers).ok().map(Bytes::from)
}

/// A complete body that has trailers.
struct Ended {
    bytes: Option<Bytes>,
    trailers: Option<http::HeaderMap>,
}

impl ChunkSource for Ended {
    fn poll_chunk(&mut self, _cx: &mut Context<'_>) -> Poll<Option<Result<Bytes, StreamError>>> {
        Poll::Ready(self.bytes.take().filter(|bytes| !bytes.is_empty()).map(Ok))
    }

    fn take_trailers(&mut self) -> Option<Bytes> {
        encoded(self.trailers.take()?)
    }
}

/// A body that its guest still writes. The guest runs only while somebody reads: that is its back-pressure.
struct GuestBody {
    exchange: Option<Exchange>,
    begun: Option<Bytes>,
    body: HyperOutgoingBody,
    is_over: bool,
    trailers: Option<http::HeaderMap>,
    idle: Option<Pin<Box<Sleep>>>,
}

impl GuestBody {
    fn end(&mut self) {
        if let Some(exchange) = self.exchange.take() {
            exchange.finish_alone();
        }
    }

    fn poll_frame(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Bytes, StreamError>>> {
        loop {
            let ran = self.exchange.as_mut().map_or(Ok(Poll::Ready(())), |it| it.poll_run(cx));
            let ran = match ran {
                Ok(ran) => ran,
                Err(error) => return Poll::Ready(Some(Err(StreamError::Failed(error.message)))),
            };
            if self.is_over {
                return ran.map(|()| None);
            }
            match ready!(Pin::new(&mut self.body).poll_frame(cx)) {
                None if self.exchange.as_ref().is_some_and(Exchange::guest_is_gone) => {
                    self.is_over = true;
                }
                None => {
                    self.end();
                    return Poll::Ready(None);
                }
                Some(Err(error)) => {
                    return Poll::Ready(Some(Err(StreamError::Failed(error.to_string()))));
                }
                Some(Ok(frame)) => match frame.into_data() {
                    Ok(chunk) if chunk.is_empty() => {}
                    Ok(chunk) => return Poll::Ready(Some(Ok(chunk))),
                    Err(frame) => {
                        self.trailers = frame.into_trailers().ok();
                        self.end();
                        return Poll::Ready(None);
                    }
                },
            }
        }
    }
}

impl ChunkSource for GuestBody {
    fn poll_chunk(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Bytes, StreamError>>> {
        if let Some(begun) = self.begun.take() {
            return Poll::Ready(Some(Ok(begun)));
        }
        if let Poll::Ready(chunk) = self.poll_frame(cx) {
            self.idle = None;
            return Poll::Ready(chunk);
        }
        let idle = self.idle.get_or_insert_with(|| Box::pin(sleep(IDLE_MAX)));
        idle.as_mut().poll(cx).map(|()| Some(Err(StreamError::Idle)))
    }

    fn take_trailers(&mut self) -> Option<Bytes> {
        encoded(self.trailers.take()?)
    }
}
