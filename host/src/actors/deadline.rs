//! Deadlines that cost nothing until somebody waits: most calls finish when they are first polled, without a timer.

use std::{
    future::Future,
    pin::Pin,
    task::{Context, Poll},
    time::Instant,
};

use tokio::time::{Sleep, sleep_until};
use wattle_core::{CallError, ErrorKind};

/// Runs `call` until `deadline`.
pub(crate) struct ByDeadline<F> {
    call: F,
    deadline: Instant,
    late: fn() -> CallError,
    timer: Option<Pin<Box<Sleep>>>,
}

pub(crate) fn by_deadline<T, F>(deadline: Instant, call: F) -> ByDeadline<F>
where
    F: Future<Output = Result<T, CallError>> + Unpin,
{
    ByDeadline { call, deadline, late: passed, timer: None }
}

/// Waits for a call's turn, for half of its time. Until then it has not run, and whoever called is told so while that is of use: another
/// host needs time as well, and what is said at the very end comes too late, since the caller's own clock began earlier.
pub(crate) fn by_turn<T, F>(now: Instant, deadline: Instant, turn: F) -> ByDeadline<F>
where
    F: Future<Output = Result<T, CallError>> + Unpin,
{
    let deadline = now + deadline.saturating_duration_since(now) / 2;
    ByDeadline { call: turn, deadline, late: no_turn, timer: None }
}

impl<T, F> Future for ByDeadline<F>
where
    F: Future<Output = Result<T, CallError>> + Unpin,
{
    type Output = Result<T, CallError>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        if let Poll::Ready(result) = Pin::new(&mut self.call).poll(cx) {
            return Poll::Ready(result);
        }
        let deadline = self.deadline;
        let timer = self.timer.get_or_insert_with(|| Box::pin(sleep_until(deadline.into())));
        let late = timer.as_mut().poll(cx);
        late.map(|()| Err((self.late)()))
    }
}

pub(crate) fn passed() -> CallError {
    CallError::new(ErrorKind::DeadlineExceeded, "the call's deadline passed")
}

fn no_turn() -> CallError {
    let text = "the call's turn did not come within half of its time";
    CallError::new(ErrorKind::Overloaded, text)
}

#[cfg(test)]
mod tests {
    use std::{future::pending, time::Duration};

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_call_ends_at_its_deadline() {
        let deadline = tokio::time::Instant::now() + Duration::from_millis(50);
        let call = by_deadline::<(), _>(deadline.into_std(), pending());
        assert_eq!(call.await.expect_err("never ready").kind, ErrorKind::DeadlineExceeded);
    }

    #[tokio::test(start_paused = true)]
    async fn a_call_that_only_waited_is_told_at_half_its_time_that_it_did_not_run() {
        let began = tokio::time::Instant::now();
        let time = Duration::from_secs(3);
        let turn = by_turn::<(), _>(began.into_std(), (began + time).into_std(), pending());
        let error = turn.await.expect_err("never ready");
        assert!(error.kind.did_not_run(), "{error:?}");
        assert!((time / 2..time * 2 / 3).contains(&began.elapsed()), "{:?}", began.elapsed());
    }
}
