//! The callee's side of `consumer`: bytes to a broker's function and back, with limits and constraints checked on the way,
//! for every provider alike.

use std::{
    borrow::Cow,
    time::{Duration, Instant},
};

use bytes::Bytes;
use serde::{Deserialize, Serialize};
use wattle_core::{
    CallError, ErrorKind, Operation,
    call::{PARAMS_LEN_MAX, unknown_function},
    codec::{self, DecodeError},
};

use crate::{
    Broker, BrokerMessage, Outgoing, Scope,
    error::{Failure, Kind},
    limit::{check_body, check_subject},
    operation,
    wire::{Outcome, Publish, Request},
};

/// What is left of a call's deadline for the way back of an answer that came at the last moment.
const WAY_BACK: Duration = Duration::from_millis(50);

/// Runs one call on a link's broker and answers the encoded result.
///
/// # Cancel safety
/// Dropping the future cancels the call; it may have run.
pub(crate) async fn dispatch<B: Broker>(
    broker: &B,
    scope: &Scope,
    interface: &str,
    function: &str,
    params: &Bytes,
    deadline: Instant,
) -> Result<Vec<u8>, CallError> {
    let called =
        |operation: Operation| operation.interface == interface && operation.function == function;
    let call = Dispatch { broker, scope, params, deadline };
    match () {
        () if called(operation::PUBLISH) => answer(call.publish(decode(params)?).await),
        () if called(operation::REQUEST) => answer(call.request(decode(params)?).await),
        () => Err(unknown_function(interface, function)),
    }
}

fn decode<'a, T: Deserialize<'a>>(params: &'a [u8]) -> Result<T, CallError> {
    codec::decode(params, PARAMS_LEN_MAX).map_err(|error| {
        let kind = match error {
            DecodeError::TooLarge { .. } => ErrorKind::TooLarge,
            DecodeError::Malformed(_) | DecodeError::Trailing => ErrorKind::Malformed,
        };
        CallError::new(kind, format!("parameters: {error}"))
    })
}

fn answer<T: Serialize>(outcome: Result<T, Failure>) -> Result<Vec<u8>, CallError> {
    let outcome: Outcome<T> = outcome.map_err(|failure| failure.to_string());
    Ok(codec::encode(&outcome))
}

struct Dispatch<'a, B> {
    broker: &'a B,
    scope: &'a Scope,
    params: &'a Bytes,
    deadline: Instant,
}

impl<B: Broker> Dispatch<'_, B> {
    fn check(&self, subject: &str, body: &[u8]) -> Result<(), Failure> {
        check_subject(subject)?;
        check_body(body)?;
        self.scope.check(self.broker.scoped(subject))
    }

    /// The body as part of the call that it came with: most are, and need no copy.
    fn shared(&self, body: Cow<'_, [u8]>) -> Bytes {
        match body {
            Cow::Borrowed(body) => self.params.slice_ref(body),
            Cow::Owned(body) => body.into(),
        }
    }

    async fn publish(&self, Publish { msg }: Publish<'_>) -> Result<(), Failure> {
        self.check(&msg.subject, &msg.body)?;
        if let Some(reply_to) = &msg.reply_to {
            check_subject(reply_to)?;
            self.scope.check_reply(self.broker.scoped(reply_to))?;
        }
        let (subject, reply_to) = (&*msg.subject, msg.reply_to.as_deref());
        let message = Outgoing { subject, body: self.shared(msg.body), reply_to };
        self.broker.publish(message, self.deadline).await
    }

    async fn request(&self, request: Request<'_>) -> Result<BrokerMessage<'static>, Failure> {
        self.check(&request.subject, &request.body)?;
        let left = self.deadline.saturating_duration_since(Instant::now());
        let wait = Duration::from_millis(request.timeout_ms.into());
        let wait = wait.min(left.saturating_sub(WAY_BACK));
        let body = self.shared(request.body);
        let message = Outgoing { subject: &request.subject, body, reply_to: None };
        let answer = self.broker.request(message, wait).await?;
        check_body(&answer.body).map_err(|failure| {
            Failure::new(Kind::TooLarge, format!("the answer has a {}", failure.message))
        })?;
        Ok(answer)
    }
}
