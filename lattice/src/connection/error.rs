//! Why there is no connection, in words that say what to do.

use std::{error::Error, io};

use async_nats::{ConnectErrorKind, rustls};

/// Why there is no connection.
#[derive(Debug, thiserror::Error)]
pub enum ConnectError {
    /// The options make no sense: no server, a malformed address, a file that is not there.
    #[error("{0}")]
    Options(String),
    /// No server listens there, or the network says no.
    #[error("cannot reach NATS at {servers}: {reason}")]
    Unreachable {
        /// Where.
        servers: String,
        /// What the system said.
        reason: String,
    },
    /// The server does not know us.
    #[error("NATS at {servers} refuses our credentials")]
    Unauthorized {
        /// Where.
        servers: String,
    },
    /// No encrypted connection came about.
    #[error("no TLS with NATS at {servers}: {reason}")]
    Tls {
        /// Where.
        servers: String,
        /// Why.
        reason: String,
    },
    /// The server did not answer in time.
    #[error("NATS at {servers} does not answer")]
    TimedOut {
        /// Where.
        servers: String,
    },
}

impl ConnectError {
    pub(super) fn from_nats(servers: String, error: &async_nats::ConnectError) -> Self {
        let reason = innermost(error);
        match error.kind() {
            ConnectErrorKind::ServerParse => Self::Options(reason),
            ConnectErrorKind::Authentication | ConnectErrorKind::AuthorizationViolation => {
                Self::Unauthorized { servers }
            }
            ConnectErrorKind::TimedOut => Self::TimedOut { servers },
            ConnectErrorKind::Tls => Self::Tls { servers, reason },
            ConnectErrorKind::Io if is_tls(error) => Self::Tls { servers, reason },
            ConnectErrorKind::Dns | ConnectErrorKind::Io | ConnectErrorKind::MaxReconnects => {
                Self::Unreachable { servers, reason }
            }
        }
    }
}

/// An error and what is behind it.
pub(crate) fn chain<'a>(
    error: &'a (dyn Error + 'static),
) -> impl Iterator<Item = &'a (dyn Error + 'static)> {
    std::iter::successors(Some(error), |error| (**error).source())
}

/// A failed handshake comes as an I/O error around one of the TLS library's.
fn is_tls(error: &(dyn Error + 'static)) -> bool {
    chain(error)
        .filter_map(|error| error.downcast_ref::<io::Error>()?.get_ref())
        .any(|inner| inner.is::<rustls::Error>())
}

/// The first cause, which says most.
fn innermost(error: &(dyn Error + 'static)) -> String {
    let cause = chain(error).last().map(ToString::to_string);
    cause.unwrap_or_default()
}
