//! Work on one call of the other side: the handler's future, its answer, and the answer's body.

use std::{
    future::{Future, poll_fn},
    panic::{AssertUnwindSafe, catch_unwind},
    pin::{Pin, pin},
    sync::Arc,
    task::{Context, Poll, Waker},
};

use bytes::Bytes;
use tokio::task::unconstrained;
use wattle_core::{CallError, ErrorKind, call::PARAMS_LEN_MAX};

use super::{anchor, body, output::RoomWait, shared::Shared};
use crate::{
    frame::{Attached, CallRef},
    handler::{Handler, Reply, Request},
};

/// Begins to work on a call, and says whether a task of its own goes on with it: most calls are answered at their first poll,
/// and a task for each would cost more than carrying it.
pub(super) fn start<H: Handler>(
    shared: &Arc<Shared>,
    handler: &Arc<H>,
    number: u32,
    request: Request,
) -> bool {
    let mut work: Pin<Box<dyn Future<Output = ()> + Send>> =
        Box::pin(answer(Arc::clone(shared), Arc::clone(handler), number, request));
    // Unconstrained: else the reading task's budget would make futures pend that have all they need. The waker does nothing
    // because a future that pends is polled again by its own task.
    let first = pin!(unconstrained(&mut work)).poll(&mut Context::from_waker(Waker::noop()));
    if first.is_ready() {
        return false;
    }
    anchor::keep(shared);
    let task = tokio::spawn(work);
    let known = shared.with(|state| {
        let job = state.calls.theirs(number)?;
        job.task = Some(task.abort_handle());
        Some(())
    });
    if known.is_none() {
        task.abort(); // the connection ended meanwhile
    }
    true
}

async fn answer<H: Handler>(shared: Arc<Shared>, handler: Arc<H>, number: u32, request: Request) {
    let answer = {
        // In place: passed on by value, it would lie here twice, and be copied for every call.
        let mut call = pin!(async move { handler.call(request).await });
        poll_fn(|cx| guarded(call.as_mut(), cx)).await
    };
    let (answer, body) = match answer {
        Ok(Reply { result, .. }) if result.len() > PARAMS_LEN_MAX => (Err(too_large()), None),
        Ok(Reply { result, body }) => {
            let (attached, rest) = body::attach(body).await;
            (Ok((result, attached)), rest)
        }
        Err(error) => (Err(error), None),
    };
    reply(&shared, number, answer).await;
    if let Some(body) = body {
        body::pump(shared, CallRef::of_receiver(number), body).await;
    }
}

async fn reply(shared: &Shared, number: u32, answer: Result<(Bytes, Attached), CallError>) {
    let mut answer = Some(answer);
    let mut wait = RoomWait::default();
    poll_fn(|cx| shared.poll_reply(cx, &mut wait, number, &mut answer)).await;
}

fn too_large() -> CallError {
    CallError::new(ErrorKind::TooLarge, format!("the result has more than {PARAMS_LEN_MAX} bytes"))
}

/// A panic of the handler fails its call, and nothing else.
fn guarded(
    call: Pin<&mut impl Future<Output = Result<Reply, CallError>>>,
    cx: &mut Context<'_>,
) -> Poll<Result<Reply, CallError>> {
    // Unwind safe: after a panic the future is only dropped.
    catch_unwind(AssertUnwindSafe(|| call.poll(cx))).unwrap_or_else(|_| {
        Poll::Ready(Err(CallError::new(ErrorKind::Failed, "the callee panicked")))
    })
}
