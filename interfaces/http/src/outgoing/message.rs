//! Parameters and result of a request as bytes.

use std::time::Duration;

use http::{Request, Response, request, response};
use serde::{Deserialize, Serialize};
use wattle_core::codec;

use super::SendError;
use crate::head::{
    HEAD_LEN_MAX, HttpHeadError, RequestIn, RequestOut, ResponseIn, ResponseOut, within_limit,
};

/// What an actor says of how long it waits (`wasi:http/types.request-options`); what it does not say, the link does.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Options {
    /// For a connection.
    pub connect_timeout: Option<Duration>,
    /// For the head of the response, once the request was sent.
    pub first_byte_timeout: Option<Duration>,
    /// From one part of the response's body to the next.
    pub between_bytes_timeout: Option<Duration>,
}

#[derive(Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", default)]
struct Milliseconds {
    connect_timeout_ms: Option<u32>,
    first_byte_timeout_ms: Option<u32>,
    between_bytes_timeout_ms: Option<u32>,
}

#[derive(Serialize)]
struct SendOut<'a> {
    request: RequestOut<'a>,
    options: Milliseconds,
}

#[derive(Deserialize)]
struct SendIn<'a> {
    #[serde(borrow)]
    request: RequestIn<'a>,
    #[serde(default)]
    options: Milliseconds,
}

/// A request's head and the actor's options as bytes. The URI has scheme and authority.
///
/// # Errors
/// `TooLarge`, `TooManyHeaders`, or `Uri` where scheme or authority is missing.
pub fn encode_send(parts: &request::Parts, options: &Options) -> Result<Vec<u8>, HttpHeadError> {
    let scheme = parts.uri.scheme_str().ok_or(HttpHeadError::Uri)?;
    let authority = parts.uri.authority().ok_or(HttpHeadError::Uri)?.as_str();
    within_limit(codec::encode(&SendOut {
        request: RequestOut::of(parts, scheme, authority)?,
        options: Milliseconds {
            connect_timeout_ms: options.connect_timeout.map(milliseconds),
            first_byte_timeout_ms: options.first_byte_timeout.map(milliseconds),
            between_bytes_timeout_ms: options.between_bytes_timeout.map(milliseconds),
        },
    }))
}

/// The request's head and the options that [`encode_send`] wrote.
///
/// # Errors
/// What is wrong with it, if it was not written by that.
pub fn decode_send(bytes: &[u8]) -> Result<(Request<()>, Options), HttpHeadError> {
    let SendIn { request, options } = codec::decode(bytes, HEAD_LEN_MAX)?;
    let time = |ms: Option<u32>| ms.map(|ms| Duration::from_millis(ms.into()));
    let options = Options {
        connect_timeout: time(options.connect_timeout_ms),
        first_byte_timeout: time(options.first_byte_timeout_ms),
        between_bytes_timeout: time(options.between_bytes_timeout_ms),
    };
    Ok((request.into_request()?, options))
}

/// The result where there is a response: its head as bytes.
///
/// # Errors
/// As [`encode_response`](crate::encode_response).
pub fn encode_success(parts: &response::Parts) -> Result<Vec<u8>, HttpHeadError> {
    let head: Result<ResponseOut<'_>, SendError> = Ok(ResponseOut::of(parts)?);
    within_limit(codec::encode(&head))
}

/// The result where there is none.
pub fn encode_failure(error: &SendError) -> Vec<u8> {
    codec::encode(&Err::<(), _>(error))
}

/// The result that [`encode_success`] or [`encode_failure`] wrote.
///
/// # Errors
/// What is wrong with it, if it was written by neither.
pub fn decode_outcome(bytes: &[u8]) -> Result<Result<Response<()>, SendError>, HttpHeadError> {
    let outcome: Result<ResponseIn<'_>, SendError> = codec::decode(bytes, HEAD_LEN_MAX)?;
    Ok(match outcome {
        Ok(head) => Ok(head.into_response()?),
        Err(error) => Err(error),
    })
}

/// Rounded up, so that no time becomes none at all.
fn milliseconds(time: Duration) -> u32 {
    u32::try_from(time.as_nanos().div_ceil(1_000_000)).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::outgoing::ErrorCode;

    fn request(uri: &str) -> request::Parts {
        let request = Request::get(uri).header("x-a", "1").body(());
        request.expect("a request").into_parts().0
    }

    #[test]
    fn a_request_survives_the_trip_with_its_options() {
        let options = Options {
            connect_timeout: Some(Duration::from_micros(1)),
            first_byte_timeout: None,
            between_bytes_timeout: Some(Duration::from_secs(2)),
        };
        let bytes = encode_send(&request("https://a.example:8443/x?y=1"), &options).expect("fits");
        let (head, read) = decode_send(&bytes).expect("the same");
        assert_eq!(head.uri().to_string(), "https://a.example:8443/x?y=1");
        assert_eq!(head.headers().get("x-a").map(http::HeaderValue::as_bytes), Some(&b"1"[..]));
        assert_eq!(read.connect_timeout, Some(Duration::from_millis(1)), "rounded up");
        assert_eq!(read.first_byte_timeout, None);
        assert_eq!(read.between_bytes_timeout, options.between_bytes_timeout);
    }

    #[test]
    fn a_request_to_nowhere_is_none() {
        let sent = encode_send(&request("/path"), &Options::default());
        assert!(matches!(sent, Err(HttpHeadError::Uri)));
    }

    #[test]
    fn both_outcomes_survive_the_trip() {
        let parts = Response::builder().status(404).body(()).expect("a response").into_parts().0;
        let bytes = encode_success(&parts).expect("it fits");
        assert_eq!(decode_outcome(&bytes).expect("read").expect("a response").status(), 404);
        let error = SendError::new(ErrorCode::DnsError, "no such name");
        let bytes = encode_failure(&error);
        assert_eq!(decode_outcome(&bytes).expect("read").expect_err("a failure"), error);
    }

    #[test]
    fn a_code_of_a_later_version_is_an_internal_error() {
        #[derive(Serialize)]
        struct Later {
            code: &'static str,
            message: &'static str,
        }
        let later = Err::<(), _>(Later { code: "loop-detected", message: "round" });
        let error = decode_outcome(&codec::encode(&later)).expect("read").expect_err("a failure");
        assert_eq!((error.code, error.message.as_str()), (ErrorCode::InternalError, "round"));
    }
}
