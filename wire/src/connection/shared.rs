//! What the handles, the reading and the writing task of one connection share.
//!
//! One lock guards it, held for nanoseconds: a call takes it once to be made, once to be answered and once to be taken.
//! Nothing that may run foreign code (a waker, a body that is dropped) happens under it.

use std::{
    mem,
    sync::atomic::{AtomicU64, Ordering::Relaxed},
    task::{Context, Poll, Waker},
    time::{Duration, Instant},
};

use bytes::Bytes;
use parking_lot::Mutex;
use tokio::sync::{oneshot, watch};
use wattle_core::{CallError, ErrorKind};

use super::{
    Closed,
    anchor::Anchor,
    calls::{Answer, Call, Calls, Outgoing, PLACES},
    output::{Output, RoomWait, Work},
};
use crate::{
    body::StreamError,
    frame::{Attached, CallRef, Frame},
    handler::Reply,
    limits::Limits,
};

/// Pings under way at once; more are not sent.
const PINGS_MAX: usize = 16;
/// Bytes queued for a socket whose other end asks, but does not read the answers, at which it is given up.
const QUEUED_MAX: usize = 64 * 1024 * 1024;

/// What carries the frames, as far as it matters for what a frame may mean.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Carrier {
    /// Nothing is lost, and the order is kept.
    Socket,
    /// Some may be lost, or come in another order.
    Messages,
}

pub(super) struct Shared {
    pub(super) limits: Limits,
    pub(super) carrier: Carrier,
    state: Mutex<State>,
    pub(super) ended: watch::Sender<bool>,
    pub(super) counters: Counts,
    born: Instant,
    /// When a frame came last, in milliseconds since `born`.
    heard_ms: AtomicU64,
    pub(super) anchor: Anchor,
}

#[derive(Default)]
pub(super) struct State {
    pub(super) output: Output,
    pub(super) calls: Calls,
    pings: Vec<(u64, oneshot::Sender<()>)>,
    next_nonce: u64,
    pub(super) closed: Option<Closed>,
}

#[derive(Debug, Default)]
pub(super) struct Counts {
    pub(super) overloaded: AtomicU64,
    pub(super) late: AtomicU64,
}

impl Shared {
    pub(super) fn new(limits: Limits, carrier: Carrier) -> Self {
        let limits = Limits { calls_max: limits.calls_max.min(PLACES), ..limits };
        Self {
            limits,
            carrier,
            state: Mutex::default(),
            ended: watch::Sender::new(false),
            counters: Counts::default(),
            born: Instant::now(),
            heard_ms: AtomicU64::new(0),
            anchor: Anchor::default(),
        }
    }

    /// A frame came.
    pub(super) fn hear(&self) {
        let now = u64::try_from(self.born.elapsed().as_millis()).unwrap_or(u64::MAX);
        self.heard_ms.store(now, Relaxed);
    }

    /// For how long none has.
    pub(super) fn silent_for(&self) -> Duration {
        self.born.elapsed().saturating_sub(Duration::from_millis(self.heard_ms.load(Relaxed)))
    }

    /// Works on the state, then wakes the writing task if there is something to write.
    pub(super) fn with<R>(&self, work: impl FnOnce(&mut State) -> R) -> R {
        let mut state = self.state.lock();
        let result = work(&mut state);
        let writer = state.output.take_writer();
        drop(state);
        if let Some(writer) = writer {
            writer.wake();
        }
        result
    }

    /// Makes a call of this side.
    pub(super) fn ask(
        &self,
        waker: &Waker,
        head: Bytes,
        params: Bytes,
        body: Attached,
    ) -> Result<u32, CallError> {
        let Limits { calls_max, queued_for_requests_max, .. } = self.limits;
        self.with(|state| {
            if state.closed.is_some() || state.output.is_closing() {
                let text = "the connection to the callee is closed";
                return Err(CallError::new(ErrorKind::Unavailable, text));
            }
            if state.calls.mine_len() >= calls_max
                || state.output.queued() > queued_for_requests_max
            {
                self.counters.overloaded.fetch_add(1, Relaxed);
                let text = "too many calls are on their way to the callee";
                return Err(CallError::new(ErrorKind::Overloaded, text));
            }
            let outgoing = matches!(body, Attached::Stream).then(Outgoing::new);
            let State { output, calls, .. } = state;
            Ok(calls.insert_mine(waker.clone(), outgoing, |number| {
                output.put(&Frame::Request { number, head, params, body })
            }))
        })
    }

    /// The answer to a call of this side.
    pub(super) fn poll_answer(
        &self,
        cx: &mut Context<'_>,
        number: u32,
    ) -> Poll<Result<Reply, CallError>> {
        self.with(|state| {
            let call = state.calls.mine(number).expect("a call stays until its answer is taken");
            if let Answer::Awaited(waker) = &mut call.answer {
                if !waker.as_ref().is_some_and(|known| known.will_wake(cx.waker())) {
                    *waker = Some(cx.waker().clone());
                }
                return Poll::Pending;
            }
            let Answer::Here(result) = mem::replace(&mut call.answer, Answer::Taken) else {
                unreachable!("an answer is taken once");
            };
            state.calls.release(CallRef::of_sender(number));
            Poll::Ready(result)
        })
    }

    /// Ends a call of this side whose answer, or whose answer's body, is no longer wanted.
    pub(super) fn cancel(&self, number: u32) {
        let removed = self.with(|state| {
            let call = state.calls.remove_mine(number)?;
            if state.closed.is_none() {
                state.output.put(&Frame::Cancel { call: CallRef::of_sender(number) });
            }
            Some(call)
        });
        if let Some(Call { streams, .. }) = removed {
            streams.end(&Err(StreamError::Cancelled));
        }
    }

    /// Answers a call of the other side, once there is room; then takes the answer out of `reply`.
    pub(super) fn poll_reply(
        &self,
        cx: &mut Context<'_>,
        wait: &mut RoomWait,
        number: u32,
        reply: &mut Option<Result<(Bytes, Attached), CallError>>,
    ) -> Poll<()> {
        let max = self.limits.queued_for_requests_max;
        let failed = self.with(|state| {
            let State { output, calls, .. } = state;
            let Some(job) = calls.theirs(number) else {
                return Poll::Ready(None); // nobody waits for it any more
            };
            if output.poll_room(cx, wait, max).is_pending() {
                return Poll::Pending;
            }
            Poll::Ready(match reply.take().expect("it is taken once") {
                Ok((result, body)) => {
                    job.answered = true;
                    job.streams.outgoing = matches!(body, Attached::Stream).then(Outgoing::new);
                    output.put(&Frame::Reply { number, result, body });
                    calls.release(CallRef::of_receiver(number));
                    None
                }
                Err(error) => {
                    output.put(&Frame::Error { number, error });
                    calls.remove_theirs(number)
                }
            })
        });
        failed.map(|job| {
            // An error ends all of a call, also for whoever still reads its body.
            if let Some(job) = job {
                job.streams.end(&Err(StreamError::Interrupted));
            }
        })
    }

    /// Sends a frame that belongs to no call.
    pub(super) fn send(&self, frame: &Frame) -> Result<(), Closed> {
        self.with(|state| match &state.closed {
            Some(closed) => Err(closed.clone()),
            None if state.output.is_closing() => Err(Closed::Here),
            None => {
                state.output.put(frame);
                Ok(())
            }
        })
    }

    /// Whether the other side asks and asks and never reads.
    pub(super) fn is_swamped(&self) -> bool {
        self.state.lock().output.queued() > QUEUED_MAX
    }

    pub(super) fn ping(&self) -> Option<oneshot::Receiver<()>> {
        self.with(|state| {
            state.pings.retain(|(_, waiting)| !waiting.is_closed());
            if state.closed.is_some() || state.pings.len() >= PINGS_MAX {
                return None;
            }
            let nonce = state.next_nonce;
            state.next_nonce += 1;
            let (answered, answer) = oneshot::channel();
            state.pings.push((nonce, answered));
            state.output.put(&Frame::Ping { nonce });
            Some(answer)
        })
    }

    pub(super) fn pong(&self, nonce: u64) {
        let answered = self.with(|state| {
            let at = state.pings.iter().position(|(known, _)| *known == nonce)?;
            Some(state.pings.swap_remove(at).1)
        });
        if let Some(answered) = answered {
            let _ = answered.send(()); // who asked may have stopped waiting
        }
    }

    pub(super) fn close(&self) {
        self.with(|state| state.output.close());
    }

    pub(super) fn is_closing(&self) -> bool {
        self.state.lock().output.is_closing()
    }

    pub(super) fn poll_work(&self, cx: &mut Context<'_>, written: &mut Vec<u8>) -> Poll<Work> {
        self.state.lock().output.poll_work(cx, written)
    }

    pub(super) fn wrote(&self, len: usize) {
        let wakers = self.state.lock().output.wrote(len, self.limits.queued_for_bodies_max / 2);
        wakers.into_iter().for_each(Waker::wake);
    }

    /// Ends everything, once: each call that waits gets its error, each stream its end.
    pub(super) fn fail(&self, closed: &Closed) {
        let mut wakers = Vec::new();
        let mut streams = Vec::new();
        let mut state = self.state.lock();
        if state.closed.is_some() {
            return;
        }
        state.closed = Some(closed.clone());
        let State { output, calls, pings, .. } = &mut *state;
        for call in calls.mine_all() {
            streams.push(mem::take(&mut call.streams));
            if let Answer::Awaited(waker) = &mut call.answer {
                wakers.extend(waker.take());
                call.answer = Answer::Here(Err(lost(output.was_written(call.request_end), closed)));
            }
        }
        calls.forget_taken();
        let jobs = calls.drain_theirs();
        let pings = mem::take(pings);
        wakers.extend(output.clear());
        // Before anybody is woken: who then looks for a connection must not be given this one again.
        self.ended.send_replace(true);
        drop(state);
        drop(pings);
        wakers.into_iter().for_each(Waker::wake);
        streams.into_iter().for_each(|streams| streams.end(&Err(StreamError::Interrupted)));
        for job in jobs {
            if let Some(task) = &job.task {
                task.abort();
            }
            job.streams.end(&Err(StreamError::Interrupted));
        }
    }
}

fn lost(written: bool, closed: &Closed) -> CallError {
    let kind = if written { ErrorKind::Interrupted } else { ErrorKind::Unavailable };
    CallError::new(kind, format!("the callee was lost: {closed}"))
}
