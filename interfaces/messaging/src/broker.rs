//! What a provider implements: one link's way to its broker, after parameters, limits and constraints were checked.

use std::{
    future::Future,
    time::{Duration, Instant},
};

use bytes::Bytes;

use crate::{BrokerMessage, error::Failure};

/// A message to send.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Outgoing<'a> {
    /// Where to. Within the contract's limits and the link's constraints; whether it is well formed is the broker's to say.
    pub subject: &'a str,
    /// Any bytes, part of the call that they came with.
    pub body: Bytes,
    /// Where an answer is awaited, if one is.
    pub reply_to: Option<&'a str>,
}

/// A broker as one link sees it.
///
/// [`Links::dispatch`](crate::Links::dispatch) calls each function once per call, many at the same time. Dropping a future
/// cancels its call; the message may have been sent.
pub trait Broker: Sync {
    /// The part of a subject that the link's constraints are about: all of it, unless something stands behind it that says how to send.
    fn scoped<'a>(&self, subject: &'a str) -> &'a str {
        subject
    }

    /// Sends a message and answers once the broker has it, as far as the broker can tell, or before `deadline`.
    fn publish(
        &self,
        message: Outgoing<'_>,
        deadline: Instant,
    ) -> impl Future<Output = Result<(), Failure>> + Send;

    /// Sends a message without `reply_to` and answers the first answer to it, within `wait`.
    fn request(
        &self,
        message: Outgoing<'_>,
        wait: Duration,
    ) -> impl Future<Output = Result<BrokerMessage<'static>, Failure>> + Send;
}
