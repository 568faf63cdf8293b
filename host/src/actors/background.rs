//! Where guests go on that compute for long: threads of their own, so that a lane stays free for those that answer at once.
//!
//! They have the priority of lanes: one of low priority that is preempted while it holds a lock of the instance pool would hold up
//! every lane that wants the same.
//!
//! An epoch makes a guest yield its lane, but with ten of them in the lane's queue everybody waits for ten epochs, twice per call.

use std::{
    cell::Cell,
    future::Future,
    io,
    pin::Pin,
    task::{Context, Poll, ready},
};

use tokio::{
    runtime::{Builder, Handle, Runtime},
    task::JoinHandle,
};
use wattle_core::{CallError, ErrorKind};

/// Epochs that a guest may use up on its lane. One that waited for a slow provider uses one up when it goes on.
const EPOCHS_ON_LANE_MAX: u32 = 1;

thread_local! {
    /// Whether the guest that this thread polls has used up an epoch.
    static USED_UP: Cell<bool> = const { Cell::new(false) };
}

/// The threads; they end when this is dropped.
pub(crate) struct Background {
    runtime: Option<Runtime>,
}

impl Background {
    pub(crate) fn start(threads: usize) -> io::Result<Self> {
        let runtime = Builder::new_multi_thread()
            .worker_threads(threads)
            .thread_name("background")
            .enable_all()
            .build()?;
        Ok(Self { runtime: Some(runtime) })
    }

    pub(crate) fn handle(&self) -> Handle {
        self.runtime.as_ref().expect("there until it is dropped").handle().clone()
    }
}

impl Drop for Background {
    fn drop(&mut self) {
        if let Some(runtime) = self.runtime.take() {
            // Waiting for guests is not for here: they were drained, or they are cut.
            runtime.shutdown_background();
        }
    }
}

/// Notes that the guest that is being polled has used up an epoch. Called by the engine, on the thread that polls.
pub(super) fn epoch_used_up() {
    USED_UP.set(true);
}

type Run = Pin<Box<dyn Future<Output = Result<(), CallError>> + Send>>;

/// A guest under way: on its lane while it is quick, in the background once it is not. Dropping it ends the guest.
pub(super) struct Guest {
    place: Place,
    epochs: u32,
    background: Handle,
}

enum Place {
    Lane(Run),
    Background(Task),
}

/// A guest in the background, which ends with this handle.
struct Task(JoinHandle<Result<(), CallError>>);

impl Drop for Task {
    fn drop(&mut self) {
        self.0.abort();
    }
}

impl Guest {
    pub(super) fn new(run: Run, background: Handle) -> Self {
        Self { place: Place::Lane(run), epochs: 0, background }
    }

    /// Ready when the guest has returned.
    pub(super) fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), CallError>> {
        match &mut self.place {
            Place::Background(task) => {
                let ended = ready!(Pin::new(&mut task.0).poll(cx));
                Poll::Ready(ended.unwrap_or_else(|error| {
                    Err(CallError::new(
                        ErrorKind::Trapped,
                        format!("the guest's task failed: {error}"),
                    ))
                }))
            }
            Place::Lane(run) => {
                USED_UP.set(false);
                let polled = run.as_mut().poll(cx);
                if polled.is_ready() {
                    return polled;
                }
                self.epochs += u32::from(USED_UP.get());
                if self.epochs > EPOCHS_ON_LANE_MAX {
                    self.leave_the_lane(cx)
                } else {
                    Poll::Pending
                }
            }
        }
    }

    fn leave_the_lane(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), CallError>> {
        // Nobody polls this: it only stands where the guest was until the task is there.
        let gone: Run = Box::pin(std::future::pending());
        let Place::Lane(run) = std::mem::replace(&mut self.place, Place::Lane(gone)) else {
            return Poll::Pending;
        };
        self.place = Place::Background(Task(self.background.spawn(run)));
        self.poll(cx)
    }
}

#[cfg(test)]
mod tests {
    use std::future::poll_fn;

    use super::*;

    /// A guest that uses up `epochs` and then says which thread it is on.
    fn spinning(mut epochs: u32) -> Run {
        Box::pin(poll_fn(move |cx| {
            if epochs == 0 {
                let name = std::thread::current().name().unwrap_or_default().to_owned();
                return Poll::Ready(Err(CallError::new(ErrorKind::Trapped, name)));
            }
            epochs -= 1;
            epoch_used_up();
            cx.waker().wake_by_ref();
            Poll::Pending
        }))
    }

    async fn thread_of(epochs: u32, background: &Background) -> String {
        let mut guest = Guest::new(spinning(epochs), background.handle());
        poll_fn(|cx| guest.poll(cx)).await.expect_err("says its thread").message
    }

    #[tokio::test]
    async fn a_guest_that_computes_for_long_leaves_its_lane() {
        let background = Background::start(1).expect("threads");
        assert_ne!(thread_of(EPOCHS_ON_LANE_MAX, &background).await, "background");
        assert_eq!(thread_of(100, &background).await, "background");
    }

    #[tokio::test]
    async fn dropping_a_guest_in_the_background_ends_it() {
        let background = Background::start(1).expect("threads");
        let (alive, mut ended) = tokio::sync::oneshot::channel::<()>();
        let mut endless = spinning(u32::MAX);
        let run: Run = Box::pin(async move {
            let _alive = alive;
            poll_fn(|cx| endless.as_mut().poll(cx)).await
        });
        let mut guest = Guest::new(run, background.handle());
        for _ in 0..100 {
            poll_fn(|cx| Poll::Ready(guest.poll(cx).is_ready())).await;
        }
        assert!(ended.try_recv().is_err(), "it runs");
        drop(guest);
        assert!(ended.await.is_err(), "its state is dropped");
    }
}
