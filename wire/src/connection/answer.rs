//! Work on one call of the other side: the handler's future, its answer, and the answer's body.

use std::{
    future::{Future, poll_fn},
    panic::{AssertUnwindSafe, catch_unwind},
    pin::{Pin, pin},
    sync::Arc,
    task::{Context, Poll, Waker, ready},
};

use bytes::Bytes;
use tokio::task::unconstrained;
use wattle_core::{CallError, ErrorKind, call::PARAMS_LEN_MAX};

use super::{anchor, body, output::RoomWait, shared::Shared};
use crate::{
    body::Body,
    frame::{Attached, CallRef},
    handler::{Handler, Reply, Request},
};

type Answer = Result<Reply, CallError>;

/// An answer as it goes into its frame.
type Framed = Result<(Bytes, Attached), CallError>;

/// Begins to work on a call, and says whether a task of its own goes on with it: most calls are answered at their first poll,
/// and a task for each would cost more than carrying it.
pub(super) fn start<H: Handler>(
    shared: &Arc<Shared>,
    handler: &Arc<H>,
    number: u32,
    request: Request,
) -> bool {
    // Boxed by itself, and at once: a future is copied whole each time that it changes its place, and this one is large.
    let mut call = match unpanicked(|| Box::pin(handler.call(request))) {
        Ok(call) => call,
        Err(error) => return deliver(shared, number, Err(error), None),
    };
    if let Poll::Ready((answer, body)) = at_once(poll_fn(|cx| poll_call(call.as_mut(), cx))) {
        drop(call);
        return deliver(shared, number, answer, body);
    }
    let work = Arc::clone(shared);
    let rest = async move {
        let (answer, body) = poll_fn(|cx| poll_call(call.as_mut(), cx)).await;
        drop(call);
        finish(work, number, Some(answer), body).await;
    };
    spawn(shared, number, Box::pin(rest));
    true
}

/// Polls a future for the first time. Unconstrained: else the reading task's budget would make futures pend that have all they
/// need. The waker does nothing because a future that pends is polled again by its own task.
fn at_once<T>(future: impl Future<Output = T>) -> Poll<T> {
    pin!(unconstrained(future)).poll(&mut Context::from_waker(Waker::noop()))
}

/// Sends an answer, and says whether a task of its own goes on with it.
fn deliver(shared: &Arc<Shared>, number: u32, answer: Framed, body: Option<Body>) -> bool {
    let (mut answer, mut wait) = (Some(answer), RoomWait::default());
    let sent = at_once(poll_fn(|cx| shared.poll_reply(cx, &mut wait, number, &mut answer)));
    if sent.is_ready() && body.is_none() {
        return false;
    }
    let mut rest = Box::pin(finish(Arc::clone(shared), number, answer, body));
    if at_once(rest.as_mut()).is_ready() {
        return false;
    }
    spawn(shared, number, rest);
    true
}

/// Goes on with a call's work on a task of its own. Boxed, because tokio moves what it spawns half a dozen times.
fn spawn<F>(shared: &Arc<Shared>, number: u32, work: Pin<Box<F>>)
where
    F: Future<Output = ()> + Send + 'static,
{
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
}

/// The call's answer as it goes into its frame, and the body that is left to pump.
fn poll_call(
    call: Pin<&mut impl Future<Output = Answer>>,
    cx: &mut Context<'_>,
) -> Poll<(Framed, Option<Body>)> {
    // A panic of the handler fails its call, and nothing else.
    let answer = match unpanicked(|| call.poll(cx)) {
        Ok(answer) => ready!(answer),
        Err(error) => Err(error),
    };
    Poll::Ready(match answer {
        Ok(Reply { result, .. }) if result.len() > PARAMS_LEN_MAX => (Err(too_large()), None),
        Ok(Reply { result, body }) => {
            let (attached, rest) = body::attach(body, cx);
            (Ok((result, attached)), rest)
        }
        Err(error) => (Err(error), None),
    })
}

/// Sends what is left of an answer.
async fn finish(shared: Arc<Shared>, number: u32, mut answer: Option<Framed>, body: Option<Body>) {
    if answer.is_some() {
        let mut wait = RoomWait::default();
        poll_fn(|cx| shared.poll_reply(cx, &mut wait, number, &mut answer)).await;
    }
    if let Some(body) = body {
        body::pump(shared, CallRef::of_receiver(number), body).await;
    }
}

fn too_large() -> CallError {
    CallError::new(ErrorKind::TooLarge, format!("the result has more than {PARAMS_LEN_MAX} bytes"))
}

fn unpanicked<T>(work: impl FnOnce() -> T) -> Result<T, CallError> {
    // Unwind safe: after a panic the future is only dropped.
    let done = catch_unwind(AssertUnwindSafe(work));
    done.map_err(|_| CallError::new(ErrorKind::Failed, "the callee panicked"))
}
