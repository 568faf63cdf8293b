//! What went wrong with a request, in the contract's words. hyper tells it as a chain of causes, with ours and the system's in it.

use std::{error::Error, io, iter};

use hyper_util::client::legacy;
use tokio_rustls::rustls;
use wattle_http::outgoing::{ErrorCode, SendError};

use crate::{body::UploadError, resolver};

/// The code for the actor, and a reason that names where the request went.
pub(crate) fn send_error(to: &str, error: &legacy::Error) -> SendError {
    let code = causes(error).find_map(code_of).unwrap_or(if error.is_connect() {
        ErrorCode::DestinationUnavailable
    } else {
        ErrorCode::ConnectionTerminated
    });
    let reason = causes(error).last().map(ToString::to_string).unwrap_or_default();
    SendError::new(code, format!("{to}: {reason}"))
}

fn causes<'a>(
    error: &'a (dyn Error + 'static),
) -> impl Iterator<Item = &'a (dyn Error + 'static)> + 'a {
    iter::successors(Some(error), |&error| cause(error))
}

/// An `io::Error` hides what it was made of from `source`.
fn cause<'a>(error: &'a (dyn Error + 'static)) -> Option<&'a (dyn Error + 'static)> {
    match error.downcast_ref::<io::Error>() {
        Some(error) => error.get_ref().map(|inner| inner as &(dyn Error + 'static)),
        None => error.source(),
    }
}

fn code_of(cause: &(dyn Error + 'static)) -> Option<ErrorCode> {
    if let Some(error) = cause.downcast_ref::<resolver::Error>() {
        return Some(match error {
            resolver::Error::Refused(_) => ErrorCode::DestinationIpProhibited,
            resolver::Error::Unknown { .. } => ErrorCode::DnsError,
        });
    }
    if cause.is::<UploadError>() {
        return Some(ErrorCode::InternalError);
    }
    if let Some(error) = cause.downcast_ref::<rustls::Error>() {
        return Some(match error {
            rustls::Error::InvalidCertificate(_) | rustls::Error::NoCertificatesPresented => {
                ErrorCode::TlsCertificateError
            }
            _ => ErrorCode::TlsProtocolError,
        });
    }
    if let Some(error) = cause.downcast_ref::<hyper::Error>() {
        return of_hyper(error);
    }
    cause.downcast_ref::<io::Error>().and_then(of_system)
}

fn of_hyper(error: &hyper::Error) -> Option<ErrorCode> {
    match () {
        () if error.is_parse_too_large() => Some(ErrorCode::HttpResponseHeaderSectionSize),
        () if error.is_parse() => Some(ErrorCode::HttpProtocolError),
        () if error.is_incomplete_message() || error.is_closed() => {
            Some(ErrorCode::ConnectionTerminated)
        }
        () => None,
    }
}

fn of_system(error: &io::Error) -> Option<ErrorCode> {
    match error.kind() {
        io::ErrorKind::ConnectionRefused => Some(ErrorCode::ConnectionRefused),
        io::ErrorKind::TimedOut => Some(ErrorCode::ConnectionTimeout),
        io::ErrorKind::HostUnreachable
        | io::ErrorKind::NetworkUnreachable
        | io::ErrorKind::AddrNotAvailable => Some(ErrorCode::DestinationUnavailable),
        io::ErrorKind::ConnectionReset
        | io::ErrorKind::ConnectionAborted
        | io::ErrorKind::BrokenPipe
        | io::ErrorKind::UnexpectedEof => Some(ErrorCode::ConnectionTerminated),
        _ => None,
    }
}
