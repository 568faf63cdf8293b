//! Questions about declared applications: to whichever wadm is there, which a signed answer tells.

use std::time::Duration;

use async_nats::RequestErrorKind;
use wattle_core::{Name, Subject, control::CONTROL_TOKEN_LEN_MAX};

use crate::Lattice;

/// Why a question got no answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AppError {
    /// NATS is there, and no wadm holds the lease just now.
    #[error("no wadm is on the lattice")]
    NoWadm,
    /// No answer in time.
    #[error("wadm did not answer within {} ms", .0.as_millis())]
    TimedOut(Duration),
    /// There is no connection to NATS.
    #[error("there is no connection to NATS")]
    Disconnected,
    /// What came back is no token.
    #[error("wadm answered with something that is no token")]
    Malformed,
}

impl Lattice {
    /// Asks wadm, and gives the answer's token, which the caller verifies.
    ///
    /// # Cancel safety
    /// Dropping the future forgets the answer.
    pub async fn ask_wadm(
        &self,
        verb: &Name,
        token: &str,
        wait: Duration,
    ) -> Result<String, AppError> {
        if !self.is_connected_within(wait).await {
            return Err(AppError::Disconnected);
        }
        let subject = Subject::App { lattice: self.name().clone(), verb: verb.clone() };
        let request =
            async_nats::Request::new().payload(token.to_owned().into()).timeout(Some(wait));
        let sent = self.client().send_request(subject.to_string(), request).await;
        let answer = sent.map_err(|error| match error.kind() {
            RequestErrorKind::NoResponders => AppError::NoWadm,
            RequestErrorKind::TimedOut => AppError::TimedOut(wait),
            RequestErrorKind::MaxPayloadExceeded
            | RequestErrorKind::InvalidSubject
            | RequestErrorKind::Other => AppError::Disconnected,
        })?;
        let fits = (1..=CONTROL_TOKEN_LEN_MAX).contains(&answer.payload.len());
        let text = String::from_utf8(answer.payload.into()).ok();
        text.filter(|_| fits).ok_or(AppError::Malformed)
    }
}
