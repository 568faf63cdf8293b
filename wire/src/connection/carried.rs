//! The two ends of a connection whose frames travel as messages, over a carrier that this crate does not know.

use std::{future::poll_fn, sync::Arc};

use bytes::{Bytes, BytesMut};
use tokio::task::yield_now;

use super::{
    Closed,
    output::{Work, reuse},
    read::{Turn, take_some},
    shared::Shared,
};
use crate::handler::Handler;

/// Takes what came. Dropping it ends the connection.
pub struct Intake<H> {
    shared: Arc<Shared>,
    handler: Arc<H>,
    buffer: BytesMut,
}

/// Gives what is to be sent. Dropping it ends the connection.
pub struct Outlet {
    shared: Arc<Shared>,
    frames: Vec<u8>,
}

impl<H: Handler> Intake<H> {
    pub(super) fn new(shared: Arc<Shared>, handler: Arc<H>) -> Self {
        Self { shared, handler, buffer: BytesMut::new() }
    }

    /// Takes one message: whole frames, one behind the other. The calls in it are answered on this task, as far as they need
    /// not wait.
    ///
    /// # Errors
    /// The other side broke the protocol: the connection has ended.
    pub async fn take(&mut self, frames: Bytes) -> Result<(), Closed> {
        let taken = self.take_all(frames).await;
        taken.inspect_err(|closed| self.shared.fail(closed))
    }

    async fn take_all(&mut self, frames: Bytes) -> Result<(), Closed> {
        self.buffer = frames.into();
        while let Turn::Full = take_some(&self.shared, &self.handler, &mut self.buffer)? {
            yield_now().await;
        }
        if self.buffer.is_empty() {
            Ok(())
        } else {
            Err(Closed::Protocol("a message ends within a frame".to_owned()))
        }
    }
}

impl Outlet {
    pub(super) fn new(shared: Arc<Shared>) -> Self {
        Self { shared, frames: Vec::new() }
    }

    /// Waits for something to send: whole frames, one behind the other, to be given to the carrier in this order. None when the
    /// connection is closed by this side and all is sent.
    ///
    /// # Cancel safety
    /// Nothing is lost when the future is dropped.
    pub async fn next(&mut self) -> Option<&[u8]> {
        let Self { shared, frames } = self;
        reuse(frames);
        match poll_fn(|cx| shared.poll_work(cx, frames)).await {
            Work::Write => {
                // From here on it may arrive, whatever becomes of the carrier.
                shared.wrote(frames.len());
                Some(frames)
            }
            Work::Close => None,
        }
    }
}

impl<H> Drop for Intake<H> {
    fn drop(&mut self) {
        self.shared.fail(&Closed::Here);
    }
}

impl Drop for Outlet {
    fn drop(&mut self) {
        self.shared.fail(&Closed::Here);
    }
}
