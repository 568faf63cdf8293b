//! The task that reads: it takes all frames that came, hands each to whom it is for, and lets the others run.

use std::{
    io,
    sync::{Arc, atomic::Ordering::Relaxed},
    task::Waker,
};

use bytes::{Bytes, BytesMut};
use tokio::{io::AsyncReadExt, net::unix::OwnedReadHalf, task::yield_now};
use wattle_core::{CallError, ErrorKind};

use super::{
    Closed, answer,
    calls::{Answer, Incoming, NoPlace},
    shared::{Carrier, Shared},
    streams::Remote,
};
use crate::{
    body::{Body, StreamError},
    frame::{self, Attached, CallRef, Frame, Maker, WINDOW},
    handler::{Handler, Reply, Request},
    pipe::{End, Pipe, Reader},
};

/// How much is read at once, at most; chunks of a body share the memory.
const READ_LEN: usize = 64 * 1024;
/// Room for less than this is not worth a read.
const READ_MIN: usize = 8 * 1024;

/// Requests that are worked on in a row before others run, the task that writes their answers among them: each may take as long
/// as an instance of an actor.
const REQUESTS_PER_TURN: usize = 32;

/// The other side did what no peer of this version does.
struct Broken(&'static str);

/// Reads until the connection ends, and says why it did.
pub(super) async fn run<H: Handler>(
    shared: Arc<Shared>,
    mut socket: OwnedReadHalf,
    handler: Arc<H>,
) -> Closed {
    let mut buffer = BytesMut::new();
    loop {
        match take_some(&shared, &handler, &mut buffer) {
            Ok(Turn::Over) => {}
            Ok(Turn::Spawned) => yield_now().await,
            Ok(Turn::Full) => {
                yield_now().await;
                continue;
            }
            Err(closed) => return closed,
        }
        if buffer.capacity() - buffer.len() < READ_MIN {
            buffer.reserve(READ_LEN);
        }
        match socket.read_buf(&mut buffer).await {
            Ok(0) => return Closed::There,
            Ok(_) => {}
            // How a socket ends whose other end left something unread.
            Err(error) if error.kind() == io::ErrorKind::ConnectionReset => return Closed::There,
            Err(error) => return Closed::Socket(error.kind()),
        }
    }
}

/// How a turn at the buffer ended.
pub(super) enum Turn {
    /// All whole frames are taken.
    Over,
    /// The same, and some spawned work, which would else wait until the socket is empty: under load it never is.
    Spawned,
    /// There may be more, but others are to run first.
    Full,
}

/// Takes whole frames off the buffer.
pub(super) fn take_some<H: Handler>(
    shared: &Arc<Shared>,
    handler: &Arc<H>,
    buffer: &mut BytesMut,
) -> Result<Turn, Closed> {
    let mut requests = 0;
    let (mut spawned, mut heard) = (false, false);
    while let Some(frame) = frame::decode(buffer).map_err(|error| protocol(&error.to_string()))? {
        if !heard {
            heard = true;
            shared.hear();
        }
        requests += usize::from(matches!(frame, Frame::Request { .. }));
        spawned |= take(shared, handler, frame).map_err(|Broken(what)| protocol(what))?;
        if requests == REQUESTS_PER_TURN {
            return Ok(Turn::Full);
        }
    }
    if shared.is_swamped() {
        return Err(protocol("it asks without reading the answers"));
    }
    Ok(if spawned { Turn::Spawned } else { Turn::Over })
}

fn protocol(what: &str) -> Closed {
    Closed::Protocol(what.to_owned())
}

/// Hands a frame to whom it is for and says whether that spawned work. Frames about calls that are over are late, not wrong.
fn take<H: Handler>(shared: &Arc<Shared>, handler: &Arc<H>, frame: Frame) -> Result<bool, Broken> {
    match frame {
        Frame::Request { number, head, params, body } => {
            return request(shared, handler, number, head, params, body);
        }
        Frame::Reply { number, result, body } => reply(shared, number, result, body)?,
        Frame::Error { number, error } => answered(shared, number, |_| Err(error))?,
        Frame::Data { call, index, chunk } => data(shared, call.flipped(), index, chunk)?,
        Frame::End { call, index, trailers } => {
            end(shared, call.flipped(), Some(index), Ok(trailers))
        }
        Frame::Abort { call, error } => end(shared, call.flipped(), None, Err(error)),
        Frame::Credit { call, more } => credit(shared, call.flipped(), more)?,
        Frame::Cancel { call } => cancel(shared, call.flipped()),
        Frame::Control { message } => handler.control(message),
        Frame::Ping { nonce } => {
            let _ = shared.send(&Frame::Pong { nonce }); // a closing connection answers no pings
        }
        Frame::Pong { nonce } => shared.pong(nonce),
    }
    Ok(false)
}

fn request<H: Handler>(
    shared: &Arc<Shared>,
    handler: &Arc<H>,
    number: u32,
    head: Bytes,
    params: Bytes,
    attached: Attached,
) -> Result<bool, Broken> {
    if shared.carrier == Carrier::Messages {
        forget(shared, number);
    }
    let placed = shared.with(|state| {
        let job = state.calls.insert_theirs(number, shared.limits.calls_max)?;
        let (body, incoming) = receive(shared, CallRef::of_receiver(number), attached);
        job.streams.incoming = incoming;
        Ok(body)
    });
    match placed {
        Ok(body) => Ok(answer::start(shared, handler, number, Request { head, params, body })),
        Err(NoPlace::Taken) => Err(Broken("it used a call's number twice")),
        Err(NoPlace::Full) => {
            shared.counters.overloaded.fetch_add(1, Relaxed);
            let error = CallError::new(ErrorKind::Overloaded, "too many calls are under way");
            let _ = shared.send(&Frame::Error { number, error }); // a closing connection drops it
            Ok(false)
        }
    }
}

/// A new call at the place of an old one says that the old one is over at its maker: what said so before was lost.
fn forget(shared: &Shared, number: u32) {
    if let Some(job) = shared.with(|state| state.calls.remove_theirs_at(number)) {
        if let Some(task) = &job.task {
            task.abort();
        }
        job.streams.end(&Err(StreamError::Interrupted));
    }
}

/// The body that came with a request or reply, and the end of it that frames are written into. Only for a call that has its place:
/// dropping the body of one that was refused would stop another's.
fn receive(
    shared: &Arc<Shared>,
    call: CallRef,
    attached: Attached,
) -> (Option<Body>, Option<Incoming>) {
    match attached {
        Attached::Nothing => (None, None),
        Attached::Inline { body, trailers } => {
            (Some(Body::full_with_trailers(body, trailers)), None)
        }
        Attached::Stream => {
            let pipe = Arc::new(Pipe::default());
            let origin = Remote { shared: Arc::clone(shared), call };
            let reader = Reader::new(Arc::clone(&pipe), Some(Box::new(origin)));
            (Some(Body::from_reader(reader)), Some(Incoming { pipe, next: 0 }))
        }
    }
}

fn reply(
    shared: &Arc<Shared>,
    number: u32,
    result: Bytes,
    attached: Attached,
) -> Result<(), Broken> {
    answered(shared, number, |stream| {
        let (body, incoming) = receive(shared, CallRef::of_sender(number), attached);
        *stream = incoming;
        Ok(Reply { result, body })
    })
}

fn answered(
    shared: &Shared,
    number: u32,
    answer: impl FnOnce(&mut Option<Incoming>) -> Result<Reply, CallError>,
) -> Result<(), Broken> {
    let mut answer = Some(answer); // what is late is dropped outside of the lock
    let waker = shared.with(|state| {
        let Some(call) = state.calls.mine(number) else {
            shared.counters.late.fetch_add(1, Relaxed);
            return Ok(None);
        };
        let Answer::Awaited(waker) = &mut call.answer else {
            return Err(Broken("it answered a call twice"));
        };
        let waker = waker.take();
        let answer = answer.take().expect("it is used once");
        call.answer = Answer::Here(answer(&mut call.streams.incoming));
        if let Answer::Here(Err(_)) = &call.answer {
            let pump = call.streams.outgoing.take().and_then(|outgoing| outgoing.pump);
            return Ok(Some((waker, pump))); // nothing more comes about it, nor goes
        }
        Ok(Some((waker, None)))
    })?;
    if let Some((waiting, pump)) = waker {
        waiting.into_iter().chain(pump).for_each(Waker::wake);
    }
    Ok(())
}

fn data(shared: &Shared, call: CallRef, index: u32, chunk: Bytes) -> Result<(), Broken> {
    let pipe = shared.with(|state| {
        let incoming = state.calls.streams(call)?.incoming.as_mut()?;
        if incoming.next != index {
            return Some(Err(()));
        }
        incoming.next = incoming.next.wrapping_add(1);
        Some(Ok(Arc::clone(&incoming.pipe)))
    });
    match pipe {
        Some(Ok(pipe)) => {
            pipe.push(chunk).map_err(|_overrun| Broken("it sent more than the window"))
        }
        Some(Err(())) => {
            lose(shared, call);
            Ok(())
        }
        None => {
            shared.counters.late.fetch_add(1, Relaxed);
            Ok(())
        }
    }
}

/// A piece is missing: the reader must not take what is left for the whole.
fn lose(shared: &Shared, call: CallRef) {
    let lost = shared.with(|state| {
        let streams = state.calls.streams(call)?;
        let incoming = streams.incoming.take()?;
        // For a call of this side the cancel ends all of it, so nothing more is sent either.
        let outgoing = if call.maker == Maker::Sender { streams.outgoing.take() } else { None };
        state.output.put(&Frame::Cancel { call });
        state.calls.release(call);
        Some((incoming, outgoing))
    });
    if let Some((incoming, outgoing)) = lost {
        incoming.pipe.finish(Err(StreamError::Lost));
        outgoing.and_then(|outgoing| outgoing.pump).into_iter().for_each(Waker::wake);
    }
}

fn end(shared: &Shared, call: CallRef, index: Option<u32>, end: End) {
    let whole = shared.with(|state| {
        let incoming = state.calls.streams(call)?.incoming.as_ref()?;
        Some(index.is_none_or(|index| index == incoming.next))
    });
    match whole {
        Some(true) => {}
        Some(false) => return lose(shared, call),
        None => return,
    }
    let incoming = shared.with(|state| {
        let incoming = state.calls.streams(call)?.incoming.take();
        state.calls.release(call);
        incoming
    });
    if let Some(incoming) = incoming {
        incoming.pipe.finish(end);
    }
}

fn credit(shared: &Shared, call: CallRef, more: u32) -> Result<(), Broken> {
    let pump = shared.with(|state| {
        let streams = state.calls.streams(call);
        let Some(outgoing) = streams.and_then(|streams| streams.outgoing.as_mut()) else {
            return Ok(None);
        };
        let credit = outgoing.credit.checked_add(more).filter(|credit| *credit <= WINDOW);
        outgoing.credit = credit.ok_or(Broken("it gave more credit than the window"))?;
        Ok(outgoing.pump.take())
    })?;
    pump.into_iter().for_each(Waker::wake);
    Ok(())
}

/// From a call's maker: drop it. From the other: stop sending the request's body.
fn cancel(shared: &Shared, call: CallRef) {
    if call.maker == Maker::Sender {
        let outgoing = shared.with(|state| {
            let outgoing = state.calls.streams(call)?.outgoing.take();
            state.calls.release(call);
            outgoing
        });
        let pump = outgoing.and_then(|outgoing| outgoing.pump);
        return pump.into_iter().for_each(Waker::wake);
    }
    let Some(job) = shared.with(|state| state.calls.remove_theirs(call.number)) else { return };
    if let Some(task) = &job.task {
        task.abort();
    }
    job.streams.end(&Err(StreamError::Interrupted));
}
