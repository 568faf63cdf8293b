//! `wasi:http/outgoing-handler`: what a guest asks of the outside becomes a call over its link, with a stream either way.
//!
//! It is linked for every actor, because components import it with the rest of `wasi:http`; without a link that grants it, every
//! request is denied.

use std::{
    future::Future,
    pin::Pin,
    sync::Weak,
    task::{Context, Poll, ready},
};

use bytes::Bytes;
use http_body::Body as _;
use http_body_util::BodyExt as _;
use wasmtime_wasi_http::{Error, RequestOptions, WasiBody, WasiHttpHooks};
use wattle_core::{CallError, ErrorKind};
use wattle_http::{
    HttpHeadError,
    outgoing::{ErrorCode, Options, SendError, decode_outcome, encode_send},
};
use wattle_wire::{Body, ChunkSource, Reply, Request, StreamError};

use super::body::ReadBody;
use crate::actors::instance::InstanceCaller;

/// Bytes that a guest may write into a body ahead of its reader. Small, so that streams of any size pass in little memory.
const BODY_CHUNK_BYTES: usize = 64 * 1024;

type Response = http::Response<WasiBody>;
type Worker = Box<dyn Future<Output = Result<(), Error>> + Send>;

impl WasiHttpHooks for InstanceCaller {
    /// The provider writes it, from the address that was checked.
    fn set_host_header(&mut self) -> bool {
        false
    }

    fn send_request(
        &mut self,
        request: http::Request<WasiBody>,
        options: Option<RequestOptions>,
        worker: Worker,
    ) -> Box<dyn Future<Output = Result<(Response, Worker), Error>> + Send> {
        let caller = self.clone();
        Box::new(async move {
            let response = caller.request(request, options).await.map_err(|error| {
                caller.actor.log("warn", format!("outgoing request failed: {error}"));
                as_wasi(&error)
            })?;
            Ok((response, worker))
        })
    }

    fn p2_outgoing_body_chunk_size(&mut self) -> usize {
        BODY_CHUNK_BYTES
    }
}

impl InstanceCaller {
    async fn request(
        &self,
        request: http::Request<WasiBody>,
        options: Option<RequestOptions>,
    ) -> Result<Response, SendError> {
        let (head, body) = request.into_parts();
        let options = options.map(|options| Options {
            connect_timeout: options.connect_timeout,
            first_byte_timeout: options.first_byte_timeout,
            between_bytes_timeout: options.between_bytes_timeout,
        });
        let params = encode_send(&head, &options.unwrap_or_default()).map_err(|error| {
            let code = match error {
                HttpHeadError::Uri => ErrorCode::HttpRequestUriInvalid,
                _ => ErrorCode::HttpRequestHeaderSectionSize,
            };
            SendError::new(code, error.to_string())
        })?;
        let body = (!body.is_end_stream())
            .then(|| Body::new(Written { body, trailers: None, instance: self.instance() }));
        let request = Request { head: Bytes::new(), params: params.into(), body };
        let name = self.link_name(wattle_http::outgoing::SEND.interface);
        let context = self.context();
        let sent = self.router.request_from_actor(&self.actor, name, &head, request, &context);
        let Reply { result, body } = sent.await.map_err(as_send_error)?;
        let answer = decode_outcome(&result)
            .map_err(|error| SendError::new(ErrorCode::InternalError, error.to_string()))??;
        Ok(answer.map(|()| ReadBody::new(body).boxed_unsync()))
    }
}

/// How the way to the provider failed, in the words that the contract has for it.
fn as_send_error(error: CallError) -> SendError {
    let code = match error.kind {
        ErrorKind::Denied => ErrorCode::HttpRequestDenied,
        ErrorKind::Overloaded => ErrorCode::ConnectionLimitReached,
        ErrorKind::NotFound | ErrorKind::Unavailable => ErrorCode::DestinationUnavailable,
        ErrorKind::DeadlineExceeded => ErrorCode::HttpResponseTimeout,
        ErrorKind::Interrupted | ErrorKind::Cancelled => ErrorCode::ConnectionTerminated,
        ErrorKind::TooLarge
        | ErrorKind::Malformed
        | ErrorKind::Trapped
        | ErrorKind::LimitExceeded
        | ErrorKind::Failed => ErrorCode::InternalError,
    };
    SendError::new(code, error.message)
}

fn as_wasi(error: &SendError) -> Error {
    match error.code {
        ErrorCode::DnsTimeout => Error::DnsTimeout,
        ErrorCode::DnsError => Error::DnsError { rcode: None, info_code: None },
        ErrorCode::DestinationUnavailable => Error::DestinationUnavailable,
        ErrorCode::DestinationIpProhibited => Error::DestinationIpProhibited,
        ErrorCode::ConnectionRefused => Error::ConnectionRefused,
        ErrorCode::ConnectionTerminated => Error::ConnectionTerminated,
        ErrorCode::ConnectionTimeout => Error::ConnectionTimeout,
        ErrorCode::ConnectionLimitReached => Error::ConnectionLimitReached,
        ErrorCode::TlsProtocolError => Error::TlsProtocolError,
        ErrorCode::TlsCertificateError => Error::TlsCertificateError,
        ErrorCode::HttpRequestDenied => Error::HttpRequestDenied,
        ErrorCode::HttpRequestUriInvalid => Error::HttpRequestUriInvalid,
        ErrorCode::HttpRequestHeaderSectionSize => Error::HttpRequestHeaderSectionSize(None),
        ErrorCode::HttpResponseHeaderSectionSize => Error::HttpResponseHeaderSectionSize(None),
        ErrorCode::HttpResponseTimeout => Error::HttpResponseTimeout,
        ErrorCode::HttpProtocolError => Error::HttpProtocolError,
        ErrorCode::InternalError => Error::InternalError(Some(error.message.clone())),
    }
}

/// A body that the guest writes while it is sent.
struct Written {
    body: WasiBody,
    trailers: Option<Bytes>,
    /// The guest's. A body looks the same when it has ended and when the guest was cut off while it wrote.
    instance: Weak<()>,
}

impl ChunkSource for Written {
    fn poll_chunk(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Bytes, StreamError>>> {
        loop {
            let frame = match ready!(Pin::new(&mut self.body).poll_frame(cx)) {
                None if self.instance.strong_count() == 0 => {
                    return Poll::Ready(Some(Err(StreamError::Interrupted)));
                }
                None => return Poll::Ready(None),
                Some(Err(error)) => {
                    return Poll::Ready(Some(Err(StreamError::Failed(error.to_string()))));
                }
                Some(Ok(frame)) => frame,
            };
            match frame.into_data() {
                Ok(chunk) if chunk.is_empty() => {}
                Ok(chunk) => return Poll::Ready(Some(Ok(chunk))),
                Err(frame) => {
                    let Ok(trailers) = frame.into_trailers() else { continue };
                    match wattle_http::encode_trailers(&trailers) {
                        Ok(trailers) => self.trailers = Some(trailers.into()),
                        Err(error) => {
                            return Poll::Ready(Some(Err(StreamError::Failed(error.to_string()))));
                        }
                    }
                }
            }
        }
    }

    fn take_trailers(&mut self) -> Option<Bytes> {
        self.trailers.take()
    }
}
