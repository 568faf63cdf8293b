//! From the many errors of the NATS client to the few that a caller can act on.

use std::error::Error;

use async_nats::jetstream::{
    ErrorCode,
    context::{
        CreateStreamError, CreateStreamErrorKind, GetStreamError, GetStreamErrorKind, RequestError,
        RequestErrorKind,
    },
    stream::{ConsumerError, ConsumerErrorKind},
};

use crate::connection::chain;

/// What went wrong between us and JetStream.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum StoreError {
    /// There is no connection to NATS.
    #[error("there is no connection to NATS")]
    Disconnected,
    /// The connection broke before the answer came; what was asked for may have been done.
    #[error("the connection to NATS broke before the answer came")]
    Interrupted,
    /// NATS did not answer in time; what was asked for may have been done.
    #[error("NATS did not answer in time")]
    TimedOut,
    /// The server has no JetStream, or none for us, or it is not up yet.
    #[error("NATS has no JetStream for us: {0}")]
    NoJetStream(String),
    /// Somebody else changed it meanwhile.
    #[error("somebody else changed it meanwhile")]
    Stale,
    /// NATS refused: no room, no permission.
    #[error("NATS refused: {0}")]
    Refused(String),
}

impl StoreError {
    /// Nobody answers for the stream: it is not there, or JetStream is not.
    pub(super) fn missing() -> Self {
        Self::NoJetStream("nobody answers for the bucket".to_owned())
    }

    pub(crate) fn refused(error: &(dyn Error + 'static)) -> Self {
        Self::Refused(chain(error).last().map(ToString::to_string).unwrap_or_default())
    }
}

/// With the server's code, if it was the server that said no.
pub(super) fn get_error(error: &GetStreamError) -> (StoreError, Option<ErrorCode>) {
    match error.kind() {
        GetStreamErrorKind::JetStream(error) => from_server(&error),
        GetStreamErrorKind::Request => (from_request(error), None),
        GetStreamErrorKind::EmptyName | GetStreamErrorKind::InvalidStreamName => {
            (StoreError::refused(error), None)
        }
    }
}

/// With the server's code, if it was the server that said no.
pub(super) fn create_error(error: &CreateStreamError) -> (StoreError, Option<ErrorCode>) {
    match error.kind() {
        CreateStreamErrorKind::JetStream(error) => from_server(&error),
        CreateStreamErrorKind::TimedOut => (StoreError::TimedOut, None),
        CreateStreamErrorKind::JetStreamUnavailable => {
            (StoreError::NoJetStream(error.to_string()), None)
        }
        _ => (StoreError::refused(error), None),
    }
}

/// A consumer was not made. A stream that is gone counts as nobody answering for it.
pub(super) fn from_no_stream(error: &ConsumerError) -> StoreError {
    match error.kind() {
        ConsumerErrorKind::TimedOut => StoreError::TimedOut,
        ConsumerErrorKind::JetStream(error) => match from_server(&error) {
            (_, Some(ErrorCode::STREAM_NOT_FOUND)) => StoreError::missing(),
            (error, _) => error,
        },
        _ => from_request(error),
    }
}

fn from_server(error: &async_nats::jetstream::Error) -> (StoreError, Option<ErrorCode>) {
    let said = error.to_string();
    let code = error.error_code();
    let error = match code {
        ErrorCode::JETSTREAM_NOT_ENABLED
        | ErrorCode::JETSTREAM_NOT_ENABLED_FOR_ACCOUNT
        | ErrorCode::CLUSTER_NOT_AVAILABLE
        | ErrorCode::CLUSTER_NOT_LEADER
        | ErrorCode::STREAM_OFFLINE => StoreError::NoJetStream(said),
        _ => StoreError::Refused(said),
    };
    (error, Some(code))
}

/// A request that got no answer from JetStream at all.
fn from_request(error: &(dyn Error + 'static)) -> StoreError {
    let request = chain(error).find_map(|cause| cause.downcast_ref::<RequestError>());
    match request.map(RequestError::kind) {
        Some(RequestErrorKind::NoResponders) => {
            StoreError::NoJetStream("nobody answers".to_owned())
        }
        Some(RequestErrorKind::TimedOut) => StoreError::TimedOut,
        _ => StoreError::refused(error),
    }
}
