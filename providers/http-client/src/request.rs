//! One request, from the call that brings it to the reply that takes its response back.

use std::{
    net::IpAddr,
    pin::pin,
    sync::Arc,
    time::{Duration, Instant},
};

use http::{HeaderValue, Request, Response, Uri, header, request, uri::Scheme};
use http_body::Body as _;
use hyper::body::Incoming;
use hyper_util::client::legacy::connect::capture_connection;
use tokio::time::{sleep_until, timeout_at};
use tracing::debug;
use wattle_http::{
    HttpHeadError,
    outgoing::{
        ErrorCode, Options, Refused, SendError, decode_send, encode_failure, encode_success,
    },
};
use wattle_sdk::{Body, CallError, IncomingCall, Reply};

use crate::{
    body::{Download, Upload},
    failure::send_error,
    link::Link,
};

/// Sends what the call asks for. That there is no response is a result as well; an error is only what was no request.
///
/// # Cancel safety
/// Dropping the future ends the request, which may have been carried out.
pub(crate) async fn send(link: &Arc<Link>, call: IncomingCall) -> Result<Reply, CallError> {
    let IncomingCall { id, params, body, deadline, .. } = call;
    let (head, options) = decode_send(&params)?;
    let parts = head.into_parts().0;
    debug!(%id, method = %parts.method, scheme = parts.uri.scheme_str(), authority = parts.uri.authority().map(tracing::field::display), "request");
    let answer = answer(link, parts, body, &options, deadline).await;
    Ok(answer.unwrap_or_else(|error| Reply::new(encode_failure(&error))))
}

async fn answer(
    link: &Arc<Link>,
    parts: request::Parts,
    body: Option<Body>,
    options: &Options,
    deadline: Instant,
) -> Result<Reply, SendError> {
    check(link, &parts)?;
    let place = Arc::clone(&link.places).try_acquire_owned().map_err(|_| {
        let text = format!("the link has {} requests under way", link.settings.requests_max);
        SendError::new(ErrorCode::ConnectionLimitReached, text)
    })?;
    let idle = link.settings.idle.min(options.between_bytes_timeout.unwrap_or(Duration::MAX));
    let upload = Upload::new(body, idle);
    let rest = upload.rest();
    let response = response(link, parts, upload, options, deadline).await?;
    let (parts, body) = response.into_parts();
    let result = encode_success(&parts).map_err(|error| {
        let code = match error {
            HttpHeadError::Status(_) => ErrorCode::HttpProtocolError,
            _ => ErrorCode::HttpResponseHeaderSectionSize,
        };
        SendError::new(code, format!("response: {error}"))
    })?;
    Ok(Reply {
        result: result.into(),
        body: Download::start(body, parts.version, idle, rest, place),
    })
}

/// What the host has checked is checked again where it happens.
fn check(link: &Link, parts: &request::Parts) -> Result<(), SendError> {
    let refused = |refused: Refused| {
        let code = match refused {
            Refused::PrivateAddress { .. } => ErrorCode::DestinationIpProhibited,
            Refused::NoAddress => ErrorCode::HttpRequestUriInvalid,
            Refused::NotListed { .. } | Refused::Tunnel => ErrorCode::HttpRequestDenied,
        };
        SendError::new(code, refused.to_string())
    };
    link.scope.check(&parts.method, &parts.uri).map_err(refused)?;
    // Names are checked where they are resolved; an address is not resolved.
    let host = parts.uri.host().unwrap_or_default();
    let bare = host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).unwrap_or(host);
    match bare.parse::<IpAddr>() {
        Ok(address) => {
            let near = link.near.networks();
            link.scope.check_literal(&parts.method, &parts.uri, address, &near).map_err(refused)
        }
        Err(_) => Ok(()),
    }
}

async fn response(
    link: &Link,
    mut parts: request::Parts,
    body: Upload,
    options: &Options,
    deadline: Instant,
) -> Result<Response<Incoming>, SendError> {
    let to = address(&parts.uri);
    parts.headers.remove(header::HOST); // the address that was checked says it
    let is_streamed = body.size_hint().exact().is_none();
    if is_streamed && !parts.headers.contains_key(header::CONTENT_LENGTH) {
        // Of a GET hyper sends a body only where it is said how; over HTTP/2 it leaves this out.
        parts.headers.insert(header::TRANSFER_ENCODING, HeaderValue::from_static("chunked"));
    }
    let mut request = Request::from_parts(parts, body);
    let mut connected = capture_connection(&mut request);
    let mut sent = pin!(link.client.request(request));
    let (connect, first_byte) = (&link.settings.connect, &link.settings.timeout);
    let no_connection = options.connect_timeout.as_ref().unwrap_or(connect).min(connect);
    tokio::select! {
        biased;
        answered = sent.as_mut() => return answered.map_err(|error| send_error(&to, &error)),
        _ = connected.wait_for_connection_metadata() => {}
        () = sleep_until(soonest(*no_connection, deadline).into()) => {
            let text = format!("{to} took no connection in time");
            return Err(SendError::new(ErrorCode::ConnectionTimeout, text));
        }
    }
    let no_answer = options.first_byte_timeout.as_ref().unwrap_or(first_byte).min(first_byte);
    match timeout_at(soonest(*no_answer, deadline).into(), sent).await {
        Ok(answered) => answered.map_err(|error| send_error(&to, &error)),
        Err(_) => {
            let text = format!("{to} did not answer in time");
            Err(SendError::new(ErrorCode::HttpResponseTimeout, text))
        }
    }
}

fn soonest(wait: Duration, deadline: Instant) -> Instant {
    Instant::now().checked_add(wait).map_or(deadline, |until| until.min(deadline))
}

/// What is said of a request: where it went, and neither path nor query, which may hold secrets.
fn address(uri: &Uri) -> String {
    let scheme = uri.scheme().unwrap_or(&Scheme::HTTP);
    uri.authority().map(|authority| format!("{scheme}://{authority}")).unwrap_or_default()
}
