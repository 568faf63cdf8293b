//! One request and its answer.

use bytes::Bytes;
use http::{
    HeaderName, HeaderValue, Method, Request, Response, StatusCode, Version, header, request,
};
use hyper::body::Incoming;
use tracing::{debug, warn};
use wattle_core::{CallError, CallId, TraceParent};
use wattle_http::HttpHeadError;
use wattle_sdk::{Body, OutgoingCall, Reply, call_id};

use crate::{
    body::{Download, Upload, UploadFailure, UploadWatch},
    connection::Active,
    refusal::Refusal,
    routes::Target,
};

const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");
const TRACEPARENT: HeaderName = HeaderName::from_static("traceparent");

/// Answers a request, whatever happens.
///
/// # Cancel safety
/// Dropping the future, as hyper does when the client goes away, cancels the call.
pub(crate) async fn answer(active: Active, request: Request<Incoming>) -> Response<Download> {
    let id = call_id();
    let (version, is_head) = (request.version(), request.method() == Method::HEAD);
    let mut response = match carry(&active, request, id).await {
        Ok(Answer { head, body }) => {
            match Download::of(body, version, active.settings().body_idle, active) {
                Ok(download) => head.map(|()| download),
                Err((error, active)) => {
                    debug!(%id, %error, "the answer broke off before its first byte");
                    Refusal::Body(error).response(id, active)
                }
            }
        }
        Err(refusal) => refusal.response(id, active),
    };
    response.headers_mut().insert(REQUEST_ID, request_id(id));
    if version == Version::HTTP_2 && has_no_body(is_head, response.status()) {
        leave_out_body(&mut response);
    }
    response
}

/// Answers of which the client reads no body, whatever the actor writes (RFC 9110, 6.4.1).
fn has_no_body(is_head: bool, status: StatusCode) -> bool {
    is_head || matches!(status, StatusCode::NO_CONTENT | StatusCode::NOT_MODIFIED)
}

/// hyper does this over HTTP/1 alone.
fn leave_out_body(response: &mut Response<Download>) {
    let len = response.body_mut().leave_out();
    let headers = response.headers_mut();
    if let Some(len) = len.filter(|len| *len > 0)
        && !headers.contains_key(header::CONTENT_LENGTH)
    {
        headers.insert(header::CONTENT_LENGTH, HeaderValue::from(len));
    }
}

struct Answer {
    head: Response<()>,
    body: Option<Body>,
}

async fn carry(active: &Active, request: Request<Incoming>, id: CallId) -> Result<Answer, Refusal> {
    let (version, is_head) = (request.version(), request.method() == Method::HEAD);
    let Prepared { params, target, trace, body } = prepare(active, request, id)?;
    let idle = active.settings().body_idle;
    let (body, watch) = Upload::start(body, version, target.body_len_max, idle)?;
    let call = OutgoingCall {
        id,
        link: target.link,
        operation: wattle_http::HANDLE,
        params,
        body,
        deadline: target.timeout,
        trace,
    };
    // Boxed: it is large, and would be copied at each step on its way to where it runs.
    let call = Box::pin(active.host().call(call));
    let reply = unless_upload_fails(watch, call).await?.map_err(|error| {
        debug!(%id, link = target.link, kind = error.kind.as_str(), %error, "call failed");
        Refusal::Call(error.kind)
    })?;
    unpack(reply, is_head).map_err(|error| {
        warn!(%id, link = target.link, %error, "the host's answer is no response");
        Refusal::BadAnswer
    })
}

/// A request as its call needs it.
struct Prepared {
    params: Bytes,
    target: Target,
    trace: Option<TraceParent>,
    body: Incoming,
}

/// Finds the request's link and says its head as bytes.
fn prepare(active: &Active, request: Request<Incoming>, id: CallId) -> Result<Prepared, Refusal> {
    let (parts, body) = request.into_parts();
    if parts.method == Method::CONNECT {
        return Err(Refusal::NoTunnel);
    }
    let authority = authority(&parts)?.unwrap_or(active.authority());
    let target = active.routes().find(host_of(authority), parts.uri.path());
    let target = target.ok_or(Refusal::NoRoute)?;
    debug!(%id, link = target.link, method = %parts.method, path = parts.uri.path(), "request");
    let trace = target.tracing.parent(parts.headers.get(TRACEPARENT), id);
    let params = wattle_http::encode_request(&parts, active.scheme(), authority)?.into();
    Ok(Prepared { params, target, trace, body })
}

/// What the client asked for: the request target's authority, else the `host` field, which HTTP/1.1 demands exactly once
/// (RFC 9112, 3.2). `None` where it may be left out and was.
fn authority(parts: &request::Parts) -> Result<Option<&str>, Refusal> {
    let mut hosts = parts.headers.get_all(header::HOST).iter();
    let host = hosts.next();
    if hosts.next().is_some() || (host.is_none() && parts.version == Version::HTTP_11) {
        return Err(Refusal::BadRequest);
    }
    let authority = match (parts.uri.authority(), host) {
        (Some(authority), _) => authority.as_str(),
        (None, Some(host)) => host.to_str().map_err(|_| Refusal::BadRequest)?,
        (None, None) => return Ok(None),
    };
    if authority.bytes().all(is_authority_byte) {
        Ok(Some(authority).filter(|authority| !authority.is_empty()))
    } else {
        Err(Refusal::BadRequest)
    }
}

/// Bytes of `host [":" port]` (RFC 3986, 3.2); user information is not for servers.
fn is_authority_byte(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"-._~:[]%!$&'()*+,;=".contains(&byte)
}

/// The authority without its port.
fn host_of(authority: &str) -> &str {
    match authority.rsplit_once(':') {
        Some((host, port)) if port.bytes().all(|byte| byte.is_ascii_digit()) => host,
        _ => authority,
    }
}

/// Waits for the call, or for its client's body to fail first: then the call is dropped, which cancels it.
async fn unless_upload_fails(
    mut watch: UploadWatch,
    call: impl Future<Output = Result<Reply, CallError>>,
) -> Result<Result<Reply, CallError>, Refusal> {
    tokio::select! {
        biased;
        failure = watch.failure() => Err(failure.into()),
        reply = call => Ok(reply),
    }
}

fn unpack(reply: Reply, is_head: bool) -> Result<Answer, HttpHeadError> {
    let mut head = wattle_http::decode_response(&reply.result)?;
    if !is_head && head.status() != StatusCode::NOT_MODIFIED {
        distrust_length(&mut head, reply.body.as_ref());
    }
    Ok(Answer { head, body: reply.body })
}

/// hyper takes the actor's word for the body's length. Where we know better, what follows on the connection must not be read
/// as part of this body.
fn distrust_length(head: &mut Response<()>, body: Option<&Body>) {
    let mut lengths = head.headers().get_all(header::CONTENT_LENGTH).iter();
    let Some(claimed) = lengths.next() else { return };
    let is_one = lengths.next().is_none();
    let known = match body {
        None => Some(0),
        Some(body) => body.remaining(),
    };
    let claimed = claimed.to_str().ok().and_then(|text| text.parse::<u64>().ok());
    if !is_one || claimed.is_none() || known.is_some_and(|known| claimed != Some(known)) {
        head.headers_mut().remove(header::CONTENT_LENGTH);
    }
}

fn request_id(id: CallId) -> HeaderValue {
    HeaderValue::try_from(id.to_string()).expect("hex digits are a header value")
}

impl From<HttpHeadError> for Refusal {
    fn from(error: HttpHeadError) -> Self {
        match error {
            HttpHeadError::TooLarge { .. } | HttpHeadError::TooManyHeaders { .. } => {
                Self::HeadTooLarge
            }
            _ => Self::BadRequest,
        }
    }
}

impl From<UploadFailure> for Refusal {
    fn from(failure: UploadFailure) -> Self {
        match failure {
            UploadFailure::TooLarge => Self::BodyTooLarge,
            UploadFailure::Stalled => Self::BodyStalled,
            UploadFailure::Gone => Self::BadRequest,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parts(build: request::Builder) -> request::Parts {
        build.body(()).expect("a request").into_parts().0
    }

    #[test]
    fn the_authority_is_what_the_client_asked_for() {
        let absolute = parts(Request::get("http://shop:81/a").header("host", "other"));
        assert_eq!(authority(&absolute), Ok(Some("shop:81")));
        let origin_form = parts(Request::get("/a").header("host", "[::1]:80"));
        assert_eq!(authority(&origin_form), Ok(Some("[::1]:80")));
        let old = parts(Request::get("/a").version(Version::HTTP_10));
        assert_eq!(authority(&old), Ok(None));
    }

    #[test]
    fn a_request_without_one_clear_host_is_refused() {
        for ambiguous in [
            Request::get("/"),
            Request::get("/").header("host", "a").header("host", "a"),
            Request::get("/").header("host", "a/b"),
            Request::get("/").header("host", "user@a"),
            Request::get("/").header("host", "a b"),
            Request::get("http://user@a/"),
        ] {
            assert_eq!(authority(&parts(ambiguous)), Err(Refusal::BadRequest));
        }
    }

    #[test]
    fn a_host_is_an_authority_without_its_port() {
        for (authority, host) in
            [("a", "a"), ("a:80", "a"), ("[::1]", "[::1]"), ("[::1]:80", "[::1]"), ("a:", "a")]
        {
            assert_eq!(host_of(authority), host);
        }
    }

    #[test]
    fn a_length_that_is_not_the_bodys_is_left_out() {
        let head = |length: &str| {
            Response::builder().header("content-length", length).body(()).expect("a head")
        };
        for (length, kept) in [("3", true), ("4", false), ("x", false), ("-1", false)] {
            let mut head = head(length);
            distrust_length(&mut head, Some(&Body::full("abc")));
            assert_eq!(head.headers().contains_key("content-length"), kept, "{length}");
        }
    }
}
