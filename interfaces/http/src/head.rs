//! The heads of a request and of a response as bytes: MessagePack maps, like every value on the wire.

use http::{HeaderName, Method, Request, Response, StatusCode, Uri, request, response};
use serde::{Deserialize, Serialize};
use wattle_core::{
    call::{CallError, ErrorKind},
    codec::{self, DecodeError},
};

use crate::fields::{Fields, HEADERS_MAX, RawFields, header_map};

/// The most bytes of one head, or of trailers, as they travel: four times what common servers accept.
pub const HEAD_LEN_MAX: usize = 64 * 1024;

/// Why a head does not travel, or is not one.
#[derive(Debug, thiserror::Error)]
pub enum HttpHeadError {
    /// More bytes than [`HEAD_LEN_MAX`].
    #[error("head of {len} bytes, the limit is {HEAD_LEN_MAX}")]
    TooLarge {
        /// Bytes it would take.
        len: usize,
    },
    /// More fields than [`HEADERS_MAX`].
    #[error("{count} header fields, the limit is {HEADERS_MAX}")]
    TooManyHeaders {
        /// Fields there are.
        count: usize,
    },
    /// Not the bytes of a head.
    #[error(transparent)]
    Malformed(DecodeError),
    /// The method is no token.
    #[error("malformed method")]
    Method,
    /// Scheme, authority and path make no address.
    #[error("malformed address")]
    Uri,
    /// The status is not one that ends a request: 200 to 599 are.
    #[error("status {0} does not end a request")]
    Status(u16),
    /// A field's name is no token.
    #[error("malformed header name")]
    HeaderName,
    /// A field's value has bytes that no header may have.
    #[error("malformed value of header {name}")]
    HeaderValue {
        /// The field.
        name: HeaderName,
    },
}

impl From<DecodeError> for HttpHeadError {
    fn from(error: DecodeError) -> Self {
        match error {
            DecodeError::TooLarge { len, .. } => Self::TooLarge { len },
            other => Self::Malformed(other),
        }
    }
}

impl From<HttpHeadError> for CallError {
    fn from(error: HttpHeadError) -> Self {
        let kind = match error {
            HttpHeadError::TooLarge { .. } | HttpHeadError::TooManyHeaders { .. } => {
                ErrorKind::TooLarge
            }
            _ => ErrorKind::Malformed,
        };
        Self::new(kind, error.to_string())
    }
}

#[derive(Serialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) struct RequestOut<'a> {
    method: &'a str,
    scheme: &'a str,
    authority: &'a str,
    path_with_query: &'a str,
    headers: Fields<'a>,
}

impl<'a> RequestOut<'a> {
    pub(crate) fn of(
        parts: &'a request::Parts,
        scheme: &'a str,
        authority: &'a str,
    ) -> Result<Self, HttpHeadError> {
        Ok(Self {
            method: parts.method.as_str(),
            scheme,
            authority,
            path_with_query: parts.uri.path_and_query().map_or("/", |path| path.as_str()),
            headers: Fields::of(&parts.headers)?,
        })
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) struct RequestIn<'a> {
    method: &'a str,
    scheme: &'a str,
    authority: &'a str,
    path_with_query: &'a str,
    #[serde(borrow)]
    headers: RawFields<'a>,
}

impl RequestIn<'_> {
    pub(crate) fn into_request(self) -> Result<Request<()>, HttpHeadError> {
        let mut request = Request::new(());
        *request.method_mut() =
            Method::from_bytes(self.method.as_bytes()).map_err(|_| HttpHeadError::Method)?;
        *request.uri_mut() = Uri::builder()
            .scheme(self.scheme)
            .authority(self.authority)
            .path_and_query(self.path_with_query)
            .build()
            .map_err(|_| HttpHeadError::Uri)?;
        *request.headers_mut() = header_map(self.headers)?;
        Ok(request)
    }
}

#[derive(Serialize)]
pub(crate) struct ResponseOut<'a> {
    status: u16,
    headers: Fields<'a>,
}

impl<'a> ResponseOut<'a> {
    pub(crate) fn of(parts: &'a response::Parts) -> Result<Self, HttpHeadError> {
        let status = final_status(parts.status.as_u16())?.as_u16();
        Ok(Self { status, headers: Fields::of(&parts.headers)? })
    }
}

#[derive(Deserialize)]
pub(crate) struct ResponseIn<'a> {
    status: u16,
    #[serde(borrow)]
    headers: RawFields<'a>,
}

impl ResponseIn<'_> {
    pub(crate) fn into_response(self) -> Result<Response<()>, HttpHeadError> {
        let mut response = Response::new(());
        *response.status_mut() = final_status(self.status)?;
        *response.headers_mut() = header_map(self.headers)?;
        Ok(response)
    }
}

/// A request's head as bytes, without the fields that are about one connection only.
///
/// `scheme` is `http` or `https` as the client's connection was, `authority` what the client asked for (its `host` field or
/// `:authority`): whoever holds the connection knows them, `parts` may not. Fails with `TooLarge` or `TooManyHeaders`.
pub fn encode_request(
    parts: &request::Parts,
    scheme: &str,
    authority: &str,
) -> Result<Vec<u8>, HttpHeadError> {
    within_limit(codec::encode(&RequestOut::of(parts, scheme, authority)?))
}

/// The request's head that [`encode_request`] wrote. Its URI has all of scheme, authority and path.
pub fn decode_request(bytes: &[u8]) -> Result<Request<()>, HttpHeadError> {
    codec::decode::<RequestIn<'_>>(bytes, HEAD_LEN_MAX)?.into_request()
}

/// A response's head as bytes, without the fields that are about one connection only.
///
/// Fails with `TooLarge`, `TooManyHeaders`, or `Status` for one that does not end a request (`101`, say).
pub fn encode_response(parts: &response::Parts) -> Result<Vec<u8>, HttpHeadError> {
    within_limit(codec::encode(&ResponseOut::of(parts)?))
}

/// The response's head that [`encode_response`] wrote.
pub fn decode_response(bytes: &[u8]) -> Result<Response<()>, HttpHeadError> {
    codec::decode::<ResponseIn<'_>>(bytes, HEAD_LEN_MAX)?.into_response()
}

/// An interim status would leave the client waiting for another, and `101` would hand over the connection.
fn final_status(status: u16) -> Result<StatusCode, HttpHeadError> {
    match StatusCode::from_u16(status) {
        Ok(code) if (200..=599).contains(&status) => Ok(code),
        _ => Err(HttpHeadError::Status(status)),
    }
}

pub(crate) fn within_limit(bytes: Vec<u8>) -> Result<Vec<u8>, HttpHeadError> {
    if bytes.len() > HEAD_LEN_MAX {
        Err(HttpHeadError::TooLarge { len: bytes.len() })
    } else {
        Ok(bytes)
    }
}

#[cfg(test)]
mod tests;
