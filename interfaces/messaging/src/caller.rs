//! The caller's side of `consumer`: typed functions over anything that carries calls.

use serde::Deserialize;
use wattle_core::{
    CallError, ErrorKind,
    call::{Call, PARAMS_LEN_MAX},
    codec,
};

use crate::{
    BrokerMessage,
    error::Failure,
    limit::{check_body, check_subject},
    operation,
    wire::{Outcome, Publish, Request},
};

/// Sends over one link.
///
/// # Cancel safety
/// Dropping a function's future cancels its call; the message may have been sent.
#[derive(Clone, Debug)]
pub struct Caller<C> {
    call: C,
}

impl<C: Call> Caller<C> {
    /// A caller over what carries its calls.
    pub fn new(call: C) -> Self {
        Self { call }
    }

    /// Sends `body` to `subject`; answers go to `reply_to`, if one is awaited.
    pub async fn publish(
        &self,
        subject: &str,
        body: &[u8],
        reply_to: Option<&str>,
    ) -> Result<(), Failure> {
        check_subject(subject)?;
        check_body(body)?;
        reply_to.map_or(Ok(()), check_subject)?;
        let reply_to = reply_to.map(str::to_owned);
        let msg = BrokerMessage { subject: subject.into(), body: body.into(), reply_to };
        let result = self.call.call(operation::PUBLISH, codec::encode(&Publish { msg })).await?;
        outcome(&result)
    }

    /// Sends `body` to `subject` and waits for one answer.
    pub async fn request(
        &self,
        subject: &str,
        body: &[u8],
        timeout_ms: u32,
    ) -> Result<BrokerMessage<'static>, Failure> {
        check_subject(subject)?;
        check_body(body)?;
        let params = Request { subject: subject.into(), body: body.into(), timeout_ms };
        let result = self.call.call(operation::REQUEST, codec::encode(&params)).await?;
        outcome(&result).map(BrokerMessage::into_owned)
    }
}

fn outcome<'a, T: Deserialize<'a>>(result: &'a [u8]) -> Result<T, Failure> {
    let outcome: Outcome<T> = codec::decode(result, PARAMS_LEN_MAX).map_err(|error| {
        CallError::new(ErrorKind::Failed, format!("the provider's answer: {error}"))
    })?;
    outcome.map_err(|text| Failure::parse(&text))
}
