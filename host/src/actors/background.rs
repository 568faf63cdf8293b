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
    time::{Duration, Instant},
};

use tokio::{
    runtime::{Builder, Handle, Runtime},
    task::JoinHandle,
};
use wattle_core::{CallError, ErrorKind};

/// How long a guest may have its lane for, in all, and with all that it calls there. What is quick takes a tenth of that, and the
/// kernel may take the thread away meanwhile.
const LANE_TIME_MAX: Duration = Duration::from_millis(4);

/// Where a guest, with those that it calls and is called by, has had its lane for less when an epoch ends, it keeps it: epochs also
/// end while it waits for a provider or for its turn.
const TURN_MIN: Duration = Duration::from_millis(1);

thread_local! {
    static TURN: Cell<Turn> = const { Cell::new(Turn { began: None, leaves: false }) };
}

/// What a thread knows of the guest that it polls.
#[derive(Clone, Copy)]
struct Turn {
    /// When it began to poll the outermost of the guests of which one polls the next. None in the background, where each epoch's end
    /// is a turn's.
    began: Option<Instant>,
    /// The guest goes on in the background whatever it took.
    leaves: bool,
}

/// While it is there, a guest is polled: perhaps by the one that calls it, whose turn goes on afterwards.
struct Polled {
    began: Instant,
    callers: Turn,
}

impl Polled {
    fn begin() -> Self {
        let (began, callers) = (Instant::now(), TURN.get());
        TURN.set(Turn { began: callers.began.or(Some(began)), leaves: false });
        Self { began, callers }
    }

    /// How long it has been, and whether the guest leaves whatever it took.
    fn end(self) -> (Duration, bool) {
        (self.began.elapsed(), TURN.get().leaves)
    }
}

impl Drop for Polled {
    fn drop(&mut self) {
        TURN.set(self.callers);
    }
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

/// Whether the guest that is being polled is to yield. Called by the engine when an epoch has ended, on the thread that polls.
pub(super) fn turn_is_over() -> bool {
    TURN.get().began.is_none_or(|began| began.elapsed() >= TURN_MIN)
}

/// Goes on in the background, for what takes long in a call's future and is not the guest.
pub(super) async fn leave_the_lane() {
    TURN.set(Turn { leaves: true, ..TURN.get() });
    tokio::task::yield_now().await;
}

type Run<T> = Pin<Box<dyn Future<Output = Result<T, CallError>> + Send>>;

/// A guest under way: on its lane while it is quick, in the background once it is not. Dropping it ends the guest.
pub(super) struct Guest<T> {
    place: Place<T>,
    on_lane: Duration,
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
        Self { place: Place::Lane(run), on_lane: Duration::ZERO, background }
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
                let poll = Polled::begin();
                let polled = run.as_mut().poll(cx);
                let (took, leaves) = poll.end();
                if polled.is_ready() {
                    return polled;
                }
                self.on_lane += took;
                if leaves || self.on_lane > LANE_TIME_MAX {
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

    fn here() -> CallError {
        let name = std::thread::current().name().unwrap_or_default().to_owned();
        CallError::new(ErrorKind::Trapped, name)
    }

    /// A guest that uses up `turns` and then says which thread it is on.
    fn spinning(mut turns: u32) -> Run<()> {
        Box::pin(poll_fn(move |cx| {
            if turns == 0 {
                return Poll::Ready(Err(here()));
            }
            turns -= 1;
            while !turn_is_over() {
                std::hint::spin_loop();
            }
            cx.waker().wake_by_ref();
            Poll::Pending
        }))
    }

    async fn thread_of(run: Run<()>, background: &Background) -> String {
        let mut guest = Guest::new(run, background.handle());
        poll_fn(|cx| guest.poll(cx)).await.expect_err("says its thread").message
    }

    #[tokio::test]
    async fn a_guest_that_computes_for_long_leaves_its_lane() {
        let background = Background::start(1).expect("threads");
        assert_ne!(thread_of(spinning(0), &background).await, "background");
        assert_eq!(thread_of(spinning(100), &background).await, "background");
    }

    #[tokio::test]
    async fn a_guest_that_waits_often_and_long_stays_on_its_lane() {
        let background = Background::start(1).expect("threads");
        let waiting: Run<()> = Box::pin(async {
            let mut over = 0;
            for _ in 0..10 {
                tokio::time::sleep(3 * TURN_MIN).await;
                over += u32::from(turn_is_over()); // the kernel may have taken the thread away just then
            }
            if over < 5 { Err(here()) } else { Ok(()) }
        });
        assert_ne!(thread_of(waiting, &background).await, "background");
    }

    #[tokio::test]
    async fn a_guest_that_computes_often_leaves_its_lane_though_each_time_is_short() {
        let background = Background::start(1).expect("threads");
        let busy: Run<()> = Box::pin(async {
            for _ in 0..100 {
                let began = Instant::now();
                while began.elapsed() < TURN_MIN / 4 {
                    std::hint::spin_loop();
                }
                tokio::task::yield_now().await;
            }
            Err(here())
        });
        assert_eq!(thread_of(busy, &background).await, "background");
    }

    /// A guest that calls `width` others, one after the other, each of which computes for less than a turn, as a guest does: it
    /// yields where the engine would have it yield.
    fn calling(width: u32, handle: Handle) -> Run<()> {
        Box::pin(async move {
            for _ in 0..width {
                let callee: Run<()> = Box::pin(async {
                    let began = Instant::now();
                    while began.elapsed() < TURN_MIN / 2 {
                        std::hint::spin_loop();
                    }
                    if turn_is_over() {
                        tokio::task::yield_now().await;
                    }
                    Ok(())
                });
                let mut callee = Guest::new(callee, handle.clone());
                poll_fn(|cx| callee.poll(cx)).await?;
            }
            Err(here())
        })
    }

    #[tokio::test]
    async fn guests_that_call_each_other_yield_their_lane_together() {
        let background = Background::start(1).expect("threads");
        let mut guest = Guest::new(calling(100, background.handle()), background.handle());
        let first = poll_fn(|cx| Poll::Ready(guest.poll(cx).is_ready())).await;
        assert!(!first, "a hundred times half a turn is more than one");
    }

    #[tokio::test]
    async fn a_guest_leaves_its_lane_for_what_those_take_that_it_calls() {
        let background = Background::start(1).expect("threads");
        let guest = calling(100, background.handle());
        assert_eq!(thread_of(guest, &background).await, "background");
    }

    #[tokio::test]
    async fn a_panic_of_a_guest_ends_its_turn() {
        let background = Background::start(1).expect("threads");
        let run: Run<()> = Box::pin(async { panic!("as asked") });
        let mut guest = Guest::new(run, background.handle());
        let panicked = tokio::spawn(async move { poll_fn(|cx| guest.poll(cx)).await });
        assert!(panicked.await.expect_err("it panics").is_panic());
        assert!(TURN.get().began.is_none(), "the next guest has a turn of its own");
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
