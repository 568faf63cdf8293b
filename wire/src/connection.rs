//! One socket, many calls, both ways.
//!
//! A call is queued as one frame ([`shared`]), written with whatever else is queued ([`write`]), read by the other side's
//! [`read`], worked on in its [`answer`], and comes back the same way. Bodies are pumped by [`body`], as [`streams`] and
//! [`output`] have room.

mod anchor;
mod answer;
mod body;
mod calls;
mod carried;
mod output;
mod read;
mod shared;
mod streams;
mod write;

use std::{
    fmt,
    future::{Future, poll_fn},
    pin::{Pin, pin},
    sync::{Arc, atomic::Ordering::Relaxed},
    task::{Context, Poll},
    time::{Duration, Instant},
};

use bytes::Bytes;
use tokio::{net::UnixStream, task::JoinHandle, time::timeout};
use wattle_core::{CallError, ErrorKind, call::PARAMS_LEN_MAX, provider::CONTROL_LEN_MAX};

pub use self::carried::{Intake, Outlet};
use self::shared::{Carrier, Shared};
use crate::{
    frame::{CallRef, Frame, HEAD_LEN_MAX},
    handler::{Handler, Reply, Request},
    limits::Limits,
};

/// Why a connection ended.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Closed {
    /// This side closed it.
    #[error("closed by this side")]
    Here,
    /// The other side closed it.
    #[error("closed by the other side")]
    There,
    /// The other side sent what is not a frame, or not now.
    #[error("the other side broke the protocol: {0}")]
    Protocol(String),
    /// The socket failed.
    #[error("the socket failed: {0}")]
    Socket(std::io::ErrorKind),
}

/// Why a control message was not sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ControlError {
    /// The connection ended.
    #[error("the connection is closed")]
    Closed,
    /// The message is longer than control messages may be.
    #[error("a control message has at most {CONTROL_LEN_MAX} bytes")]
    TooLarge,
}

/// Why a ping has no answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PingError {
    /// None came in time.
    #[error("no answer in time")]
    TimedOut,
    /// The connection ended.
    #[error("the connection is closed")]
    Closed,
}

/// What a connection has counted since it began.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counters {
    /// Requests that were refused at a limit, of either side.
    pub overloaded: u64,
    /// Frames about calls that were over.
    pub late: u64,
}

/// A handle to one connection. Clones share it; calls may be made from any thread.
#[derive(Clone)]
pub struct Connection {
    shared: Arc<Shared>,
}

impl Connection {
    /// A connection over `socket`, and the future that drives it: to be spawned in the runtime that owns the socket. It ends
    /// with the connection; dropping it ends the connection.
    pub fn new<H: Handler>(
        socket: UnixStream,
        limits: Limits,
        handler: Arc<H>,
    ) -> (Self, impl Future<Output = Closed> + Send + 'static) {
        let shared = Arc::new(Shared::new(limits, Carrier::Socket));
        let end = EndOnDrop(Arc::clone(&shared));
        let driver = async move {
            let (reading, writing) = socket.into_split();
            let EndOnDrop(shared) = &end;
            let mut writer = AbortOnDrop(tokio::spawn(write::run(Arc::clone(shared), writing)));
            let mut reader = pin!(read::run(Arc::clone(shared), reading, handler));
            let closed = tokio::select! {
                closed = &mut reader => closed,
                // The writing task does not panic, and nobody else aborts it.
                closed = &mut writer.0 => match closed.unwrap_or(Closed::Here) {
                    // What the other side said last is still to be read: why it went, perhaps.
                    Closed::There => reader.await,
                    closed => closed,
                },
            };
            shared.fail(&closed);
            closed
        };
        (Self { shared }, driver)
    }

    /// A connection whose frames somebody else carries, as messages: it gives away what is to be sent and is given what came.
    ///
    /// Messages may be lost, and come in another order; the carrier must see to it that none is altered or comes twice. What is
    /// lost fails what it belonged to, a stream as [`StreamError::Lost`](crate::StreamError::Lost), a call at its deadline.
    pub fn carried<H: Handler>(limits: Limits, handler: Arc<H>) -> (Self, Intake<H>, Outlet) {
        let shared = Arc::new(Shared::new(limits, Carrier::Messages));
        let intake = Intake::new(Arc::clone(&shared), handler);
        let outlet = Outlet::new(Arc::clone(&shared));
        (Self { shared }, intake, outlet)
    }

    /// Asks the other side. Its answer's body may still be coming when this returns.
    ///
    /// # Errors
    /// What the other side answered; `Overloaded` at this side's limits; when the connection is lost, `Unavailable` if the
    /// request was not yet written, else `Interrupted`.
    ///
    /// # Cancel safety
    /// Dropping the future cancels the call; it may have run.
    pub async fn call(&self, request: Request) -> Result<Reply, CallError> {
        let Request { head, params, body } = request;
        check_len("head", head.len(), HEAD_LEN_MAX)?;
        check_len("parameters", params.len(), PARAMS_LEN_MAX)?;
        let mut parts = Some((head, params, body));
        let (number, body) = poll_fn(|cx| {
            let (head, params, body) = parts.take().expect("ready at the first poll");
            let (attached, rest) = body::attach(body, cx);
            let asked = self.shared.ask(cx.waker(), head, params, attached);
            Poll::Ready(asked.map(|number| (number, rest)))
        })
        .await?;
        let asked = Asked { shared: &self.shared, number, answered: false };
        if let Some(body) = body {
            tokio::spawn(body::pump(Arc::clone(&self.shared), CallRef::of_sender(number), body));
        }
        asked.await
    }

    /// Sends a control message. They arrive in the order in which they were sent.
    ///
    /// # Errors
    /// It is too long, or the connection ended.
    pub fn control(&self, message: Vec<u8>) -> Result<(), ControlError> {
        if message.len() > CONTROL_LEN_MAX {
            return Err(ControlError::TooLarge);
        }
        let frame = Frame::Control { message: Bytes::from(message) };
        self.shared.send(&frame).map_err(|_| ControlError::Closed)
    }

    /// Asks the other side for a sign of life and says how long that took.
    ///
    /// # Errors
    /// None came within `wait`, or the connection ended.
    pub async fn ping(&self, wait: Duration) -> Result<Duration, PingError> {
        let began = Instant::now();
        let answer = self.shared.ping().ok_or(PingError::Closed)?;
        match timeout(wait, answer).await {
            Ok(Ok(())) => Ok(began.elapsed()),
            Ok(Err(_dropped)) => Err(PingError::Closed),
            Err(_elapsed) => Err(PingError::TimedOut),
        }
    }

    /// For how long nothing has come from the other side, as far as it was taken off the carrier.
    pub fn silent_for(&self) -> Duration {
        self.shared.silent_for()
    }

    /// Ends the connection, once what is queued is written. Nothing more can be sent.
    pub fn close(&self) {
        self.shared.close();
    }

    /// Ends the connection as it stands: calls that wait fail, `Interrupted` where the request was given to the carrier.
    pub fn fail(&self, closed: &Closed) {
        self.shared.fail(closed);
    }

    /// Whether the connection has ended.
    pub fn is_closed(&self) -> bool {
        *self.shared.ended.borrow()
    }

    /// Waits until the connection has ended.
    pub async fn closed(&self) {
        let mut ended = self.shared.ended.subscribe();
        let _ = ended.wait_for(|ended| *ended).await; // the sender lives as long as this handle
    }

    /// Calls of this side that are not wholly over: not answered, or with bodies still under way.
    pub fn in_flight(&self) -> usize {
        self.shared.with(|state| state.calls.mine_len())
    }

    /// Calls of the other side that are not wholly over.
    pub fn jobs(&self) -> usize {
        self.shared.with(|state| state.calls.theirs_len())
    }

    /// What was counted so far.
    pub fn counters(&self) -> Counters {
        let counters = &self.shared.counters;
        Counters {
            overloaded: counters.overloaded.load(Relaxed),
            late: counters.late.load(Relaxed),
        }
    }
}

impl fmt::Debug for Connection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Connection").field("in_flight", &self.in_flight()).finish()
    }
}

fn check_len(what: &str, len: usize, max: usize) -> Result<(), CallError> {
    if len <= max {
        return Ok(());
    }
    let text = format!("the call's {what}: {len} bytes, the limit is {max}");
    Err(CallError::new(ErrorKind::TooLarge, text))
}

/// A call that was made: it waits for the answer, and cancels when nobody waits any more.
struct Asked<'a> {
    shared: &'a Shared,
    number: u32,
    answered: bool,
}

impl Future for Asked<'_> {
    type Output = Result<Reply, CallError>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let polled = self.shared.poll_answer(cx, self.number);
        self.answered = polled.is_ready();
        polled
    }
}

impl Drop for Asked<'_> {
    fn drop(&mut self) {
        if !self.answered {
            self.shared.cancel(self.number);
        }
    }
}

/// However the driver ends, nobody is left waiting.
struct EndOnDrop(Arc<Shared>);

impl Drop for EndOnDrop {
    fn drop(&mut self) {
        self.0.fail(&Closed::Here);
    }
}

struct AbortOnDrop(JoinHandle<Closed>);

impl Drop for AbortOnDrop {
    fn drop(&mut self) {
        self.0.abort();
    }
}

#[cfg(test)]
mod tests;
