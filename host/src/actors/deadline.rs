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
    timer: Option<Pin<Box<Sleep>>>,
}

pub(crate) fn by_deadline<T, F>(deadline: Instant, call: F) -> ByDeadline<F>
where
    F: Future<Output = Result<T, CallError>> + Unpin,
{
    ByDeadline { call, deadline, timer: None }
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
        timer.as_mut().poll(cx).map(|()| Err(passed()))
    }
}

pub(crate) fn passed() -> CallError {
    CallError::new(ErrorKind::DeadlineExceeded, "the call's deadline passed")
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
}
