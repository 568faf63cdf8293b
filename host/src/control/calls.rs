//! Calls that users make.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use bytes::{Bytes, BytesMut};
use tokio::{sync::oneshot, time::timeout_at};
use wattle_core::{
    CallError, CallId, ErrorKind,
    control::{Failure, Outcome, UserCall, UserReply},
};
use wattle_wire::{Body, Reply, Request};

use super::Control;
use crate::actors::CallContext;

/// The most bytes of a result, and of a response's body, that a user gets: they travel in one message over NATS.
const BODY_LEN_MAX: usize = 512 * 1024;

/// Calls of users, and wadm's probes, under way at once: half of all commands, so that what is called slowly keeps nobody from
/// stopping it.
pub(crate) const USER_CALLS_MAX: usize = 32;

impl Control {
    /// Carried on a lane like every other call: the control task is not where guests run.
    pub(super) async fn user_call(self: &Arc<Self>, call: &UserCall) -> Result<Outcome, Failure> {
        let Ok(_permit) = self.user_calls.try_acquire() else {
            let text = format!("{USER_CALLS_MAX} calls of users are under way on this host");
            return Ok(Outcome::Reply(Err(CallError::new(ErrorKind::Overloaded, text))));
        };
        let (answer, answered) = oneshot::channel();
        let (control, call) = (self.clone(), call.clone());
        let lane =
            usize::from(call.params.first().copied().unwrap_or_default()) % self.lanes.count();
        self.lanes.handle(lane).spawn(async move {
            let _: Result<(), _> = answer.send(control.carry_user_call(&call).await);
        });
        let reply = answered.await.unwrap_or_else(|_| {
            Err(CallError::new(ErrorKind::Interrupted, "the call's task ended without an answer"))
        });
        Ok(Outcome::Reply(reply))
    }

    async fn carry_user_call(&self, call: &UserCall) -> Result<UserReply, CallError> {
        let deadline = Instant::now() + Duration::from_millis(call.deadline_ms.into());
        let context = CallContext {
            id: CallId::from_bytes(rand::random()),
            deadline,
            trace: call.trace,
            depth: 0,
        };
        let request = Request {
            head: Bytes::new(),
            params: call.params.clone().into(),
            body: Some(Body::full(call.body.clone())),
        };
        let Reply { result, body } = self.router.call_from_user(call, request, context).await?;
        if result.len() > BODY_LEN_MAX {
            let text = format!(
                "{}.{}: a result of {} bytes, of which a user gets at most {BODY_LEN_MAX}",
                call.interface,
                call.function,
                result.len()
            );
            return Err(CallError::new(ErrorKind::TooLarge, text));
        }
        let body = match body {
            None => Vec::new(),
            // Whoever waits for it waits no longer than for its head.
            Some(body) => timeout_at(deadline.into(), whole(body)).await.map_err(|_| {
                let text = "the response's body did not end in time; fetch it through a provider";
                CallError::new(ErrorKind::DeadlineExceeded, text)
            })??,
        };
        Ok(UserReply { result: result.into(), body })
    }
}

async fn whole(mut body: Body) -> Result<Vec<u8>, CallError> {
    let mut bytes = BytesMut::new();
    while let Some(chunk) = body.chunk().await {
        let chunk = chunk.map_err(|error| {
            CallError::new(ErrorKind::Interrupted, format!("the response's body: {error}"))
        })?;
        if bytes.len() + chunk.len() > BODY_LEN_MAX {
            let text = format!(
                "the response's body has more than {BODY_LEN_MAX} bytes; fetch it through a provider"
            );
            return Err(CallError::new(ErrorKind::TooLarge, text));
        }
        bytes.extend_from_slice(&chunk);
    }
    Ok(bytes.into())
}
