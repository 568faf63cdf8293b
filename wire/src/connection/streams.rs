//! The streams of a connection's calls: what goes out within credit and room, and what a reader of what comes in says.

use std::{
    sync::Arc,
    task::{Context, Poll},
};

use bytes::Bytes;

use super::{
    calls::Streams,
    output::RoomWait,
    shared::{Shared, State},
};
use crate::{
    body::StreamError,
    frame::{CHUNK_COST, CHUNK_LEN_MAX, CallRef, Frame, Maker, TRAILERS_LEN_MAX, cost},
    pipe::{End, Origin},
};

/// A chunk is cut to the credit that is left only above this: else it waits for more.
const CUT_MIN: usize = 4 * 1024;
/// Nobody reads the body any more.
#[derive(Debug)]
pub(super) struct Gone;

impl Shared {
    /// Sends as much of `chunk` as credit and room allow; ready when none of it is left, or with `Gone` when nobody wants more.
    pub(super) fn poll_data(
        &self,
        cx: &mut Context<'_>,
        wait: &mut RoomWait,
        call: CallRef,
        chunk: &mut Bytes,
    ) -> Poll<Result<(), Gone>> {
        let max = self.limits.queued_for_bodies_max;
        self.with(|state| {
            let State { output, calls, .. } = state;
            let Some(outgoing) = calls.streams(call).and_then(|s| s.outgoing.as_mut()) else {
                return Poll::Ready(Err(Gone));
            };
            if !outgoing.pump.as_ref().is_some_and(|known| known.will_wake(cx.waker())) {
                outgoing.pump = Some(cx.waker().clone());
            }
            while !chunk.is_empty() {
                let credit = outgoing.credit.saturating_sub(CHUNK_COST) as usize;
                if credit < chunk.len().min(CUT_MIN) || output.poll_room(cx, wait, max).is_pending()
                {
                    return Poll::Pending;
                }
                let piece = chunk.split_to(chunk.len().min(credit).min(CHUNK_LEN_MAX));
                outgoing.credit -= cost(&piece);
                output.put(&Frame::Data { call, index: outgoing.next, chunk: piece });
                outgoing.next = outgoing.next.wrapping_add(1);
            }
            Poll::Ready(Ok(()))
        })
    }

    /// Ends a body that this side sends.
    pub(super) fn end_body(&self, call: CallRef, end: End) {
        self.with(|state| {
            let streams = state.calls.streams(call);
            let Some(outgoing) = streams.and_then(|streams| streams.outgoing.take()) else {
                return;
            };
            state.output.put(&match end {
                Ok(Some(trailers)) if trailers.len() > TRAILERS_LEN_MAX => {
                    Frame::Abort { call, error: StreamError::TooLarge }
                }
                Ok(trailers) => Frame::End { call, index: outgoing.next, trailers },
                Err(error) => Frame::Abort { call, error },
            });
            state.calls.release(call);
        });
    }

    /// Says that a body's reader went away.
    pub(super) fn stop_reading(&self, call: CallRef) {
        if call.maker == Maker::Sender {
            return self.cancel(call.number);
        }
        self.with(|state| {
            let streams = state.calls.streams(call);
            if streams.and_then(|streams| streams.incoming.take()).is_some() {
                state.output.put(&Frame::Cancel { call });
                state.calls.release(call);
            }
        });
    }
}

impl Streams {
    /// Tells whoever reads or writes them that they are over.
    pub(super) fn end(self, end: &End) {
        if let Some(incoming) = self.incoming {
            incoming.pipe.finish(end.clone());
        }
        if let Some(pump) = self.outgoing.and_then(|outgoing| outgoing.pump) {
            pump.wake();
        }
    }
}

/// The writer's end of a body that comes over the connection.
pub(super) struct Remote {
    pub(super) shared: Arc<Shared>,
    pub(super) call: CallRef,
}

impl Origin for Remote {
    fn credit(&self, more: u32) {
        let call = self.call;
        self.shared.with(|state| {
            if state.calls.streams(call).is_some_and(|streams| streams.incoming.is_some()) {
                state.output.put(&Frame::Credit { call, more });
            }
        });
    }

    fn stop(&self) {
        self.shared.stop_reading(self.call);
    }
}
