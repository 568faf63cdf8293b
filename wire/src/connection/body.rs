//! A body on its way out: inside its frame when it is small and at hand, else piece by piece.

use std::{
    future::poll_fn,
    sync::Arc,
    task::{Context, Poll},
};

use bytes::Bytes;

use super::{output::RoomWait, shared::Shared, streams::Gone};
use crate::{
    body::Body,
    frame::{Attached, CallRef, INLINE_LEN_MAX},
};

/// What goes with the head, and the body that is left to pump.
pub(super) fn attach(body: Option<Body>, cx: &mut Context<'_>) -> (Attached, Option<Body>) {
    let Some(mut body) = body else { return (Attached::Nothing, None) };
    match body.poll_inline(cx, INLINE_LEN_MAX) {
        Some((body, trailers)) => (Attached::Inline { body, trailers }, None),
        None => (Attached::Stream, Some(body)),
    }
}

/// Sends a body until its end, or until nobody reads it any more.
pub(super) async fn pump(shared: Arc<Shared>, call: CallRef, mut body: Body) {
    let mut wait = RoomWait::default();
    let mut chunk = Bytes::new();
    let end = poll_fn(|cx| {
        loop {
            // Also with an empty chunk: it registers for the reader's going away while the source has nothing.
            match shared.poll_data(cx, &mut wait, call, &mut chunk) {
                Poll::Ready(Ok(())) => {}
                Poll::Ready(Err(Gone)) => return Poll::Ready(None),
                Poll::Pending => return Poll::Pending,
            }
            match body.poll_chunk(cx) {
                Poll::Ready(Some(Ok(next))) => chunk = next,
                Poll::Ready(Some(Err(error))) => return Poll::Ready(Some(Err(error))),
                Poll::Ready(None) => return Poll::Ready(Some(Ok(body.take_trailers()))),
                Poll::Pending => return Poll::Pending,
            }
        }
    })
    .await;
    if let Some(end) = end {
        shared.end_body(call, end);
    }
}
