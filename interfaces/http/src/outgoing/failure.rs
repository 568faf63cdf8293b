//! Why a request got no response.

use serde::{Deserialize, Serialize};

/// The cases of `wasi:http/types.error-code` that this contract tells apart, under the WIT's names.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum ErrorCode {
    /// No name server answered in time.
    #[serde(rename = "DNS-timeout")]
    DnsTimeout,
    /// The name is not known.
    #[serde(rename = "DNS-error")]
    DnsError,
    /// The destination cannot be reached from here.
    #[serde(rename = "destination-unavailable")]
    DestinationUnavailable,
    /// The address is not one that the link allows: a private one, say.
    #[serde(rename = "destination-IP-prohibited")]
    DestinationIpProhibited,
    /// Nobody listens there.
    #[serde(rename = "connection-refused")]
    ConnectionRefused,
    /// It broke before the response was there. The request may have been carried out.
    #[serde(rename = "connection-terminated")]
    ConnectionTerminated,
    /// Nobody took the connection in time.
    #[serde(rename = "connection-timeout")]
    ConnectionTimeout,
    /// The link has as many requests under way as it may.
    #[serde(rename = "connection-limit-reached")]
    ConnectionLimitReached,
    /// The other side speaks no TLS that we do.
    #[serde(rename = "TLS-protocol-error")]
    TlsProtocolError,
    /// Its certificate is not one that we trust for this name.
    #[serde(rename = "TLS-certificate-error")]
    TlsCertificateError,
    /// The link does not allow the request.
    #[serde(rename = "HTTP-request-denied")]
    HttpRequestDenied,
    /// The request's address is none that can be asked.
    #[serde(rename = "HTTP-request-URI-invalid")]
    HttpRequestUriInvalid,
    /// The request's head is longer than the contract's limit.
    #[serde(rename = "HTTP-request-header-section-size")]
    HttpRequestHeaderSectionSize,
    /// The response's head is longer than the contract's limit.
    #[serde(rename = "HTTP-response-header-section-size")]
    HttpResponseHeaderSectionSize,
    /// No head of a response came in time. The request may have been carried out.
    #[serde(rename = "HTTP-response-timeout")]
    HttpResponseTimeout,
    /// What came back is not HTTP.
    #[serde(rename = "HTTP-protocol-error")]
    HttpProtocolError,
    /// Anything else.
    #[serde(rename = "internal-error", other)]
    InternalError,
}

/// Why a request got no response: the code for the actor, the reason for its log.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[error("{message}")]
pub struct SendError {
    /// What the actor sees.
    pub code: ErrorCode,
    /// What a person reads: lower case, naming the thing.
    pub message: String,
}

impl SendError {
    /// A failure with its reason.
    pub fn new(code: ErrorCode, message: impl Into<String>) -> Self {
        Self { code, message: message.into() }
    }
}
