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
    /// Epochs that the guest that this thread polls has used up since it polls it.
    static USED_UP: Cell<u32> = const { Cell::new(0) };
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
    USED_UP.set(1);
}

/// Goes on in the background, for what takes long in a call's future and is not the guest.
pub(super) async fn leave_the_lane() {
    USED_UP.set(EPOCHS_ON_LANE_MAX + 1);
    tokio::task::yield_now().await;
}

type Run<T> = Pin<Box<dyn Future<Output = Result<T, CallError>> + Send>>;

/// A guest under way: on its lane while it is quick, in the background once it is not. Dropping it ends the guest.
pub(super) struct Guest<T> {
    place: Place<T>,
    epochs: u32,
    background: Handle,
}

enum Place<T> {
    Lane(Run<T>),
    Background(Task<T>),
}

/// A guest in the background, which ends with this handle.
struct Task<T>(JoinHandle<Result<T, CallError>>);

impl<T> Drop for Task<T> {
    fn drop(&mut self) {
        self.0.abort();
    }
}

impl<T: Send + 'static> Guest<T> {
    pub(super) fn new(run: Run<T>, background: Handle) -> Self {
        Self { place: Place::Lane(run), epochs: 0, background }
    }

    /// Ready when the guest has returned.
    pub(super) fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Result<T, CallError>> {
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
                // A guest may be polled by the one that calls it, which has used up nothing while it waits.
                let callers = USED_UP.replace(0);
                let polled = run.as_mut().poll(cx);
                let used_up = USED_UP.replace(callers);
                if polled.is_ready() {
                    return polled;
                }
                self.epochs += used_up;
                if self.epochs > EPOCHS_ON_LANE_MAX {
                    self.leave_the_lane(cx)
                } else {
                    Poll::Pending
                }
            }
        }
    }

    fn leave_the_lane(&mut self, cx: &mut Context<'_>) -> Poll<Result<T, CallError>> {
        // Nobody polls this: it only stands where the guest was until the task is there.
        let gone: Run<T> = Box::pin(std::future::pending());
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
    fn spinning(mut epochs: u32) -> Run<()> {
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
    async fn what_takes_long_leaves_its_lane_at_once_and_alone() {
        let background = Background::start(1).expect("threads");
        let handle = background.handle();
        let name = || std::thread::current().name().unwrap_or_default().to_owned();
        let callee: Run<String> = Box::pin(async move {
            leave_the_lane().await;
            Ok(name())
        });
        let caller: Run<[String; 2]> = Box::pin(async move {
            let mut callee = Guest::new(callee, handle);
            let callees = poll_fn(|cx| callee.poll(cx)).await?;
            Ok([name(), callees])
        });
        let mut caller = Guest::new(caller, background.handle());
        let [callers, callees] = poll_fn(|cx| caller.poll(cx)).await.expect("it returns");
        assert_eq!(callees, "background");
        assert_ne!(callers, "background");
    }

    #[tokio::test]
    async fn dropping_a_guest_in_the_background_ends_it() {
        let background = Background::start(1).expect("threads");
        let (alive, mut ended) = tokio::sync::oneshot::channel::<()>();
        let mut endless = spinning(u32::MAX);
        let run: Run<()> = Box::pin(async move {
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
