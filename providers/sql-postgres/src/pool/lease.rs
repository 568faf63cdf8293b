//! A connection in one call's hands, and how it comes back.

use std::sync::Arc;

use tokio::runtime::Handle;

use super::{Shared, places::Place};
use crate::session::Session;

/// How a call leaves its connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Left {
    /// As it was.
    InOrder,
    /// With nothing under way, but perhaps with a transaction open or settings changed.
    Changed,
    /// With a statement under way.
    Busy,
}

/// A connection in one call's hands. Dropping it gives it back as it was [`left`](Self::leave): whoever drops a call's future
/// leaves it busy, and its statement is cancelled.
pub(crate) struct Lease {
    shared: Arc<Shared>,
    place: Option<Place>,
    left: Left,
    runtime: Handle,
}

impl Lease {
    /// The place and the connection that has it.
    pub(super) fn new(shared: &Arc<Shared>, place: Place) -> Self {
        Self {
            shared: Arc::clone(shared),
            place: Some(place),
            left: Left::InOrder,
            runtime: Handle::current(),
        }
    }

    /// The connection, for a statement to run on. It counts as busy until [`leave`](Self::leave) says otherwise.
    pub(crate) fn start(&mut self) -> &mut Session {
        self.left = Left::Busy;
        let place = self.place.as_mut().expect("held until it is dropped");
        place.session.as_mut().expect("a lease has a connection")
    }

    /// Says how the statement left the connection.
    pub(crate) fn leave(&mut self, left: Left) {
        self.left = left;
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        let Some(mut place) = self.place.take() else { return };
        let Some(session) = place.session.take() else { return };
        let shared = Arc::clone(&self.shared);
        match self.left {
            Left::InOrder if session.is_closed() => {
                drop(session);
                shared.doubted.notify_one();
            }
            Left::InOrder => place.session = Some(session),
            Left::Changed => drop(self.runtime.spawn(reset(shared, session, place))),
            Left::Busy => drop(self.runtime.spawn(cancel(shared, session, place))),
        }
    }
}

async fn reset(shared: Arc<Shared>, mut session: Box<Session>, mut place: Place) {
    if session.reset().await {
        place.session = Some(session);
    } else {
        drop(session);
        shared.doubted.notify_one();
    }
}

/// The place is free once the connection is gone.
async fn cancel(shared: Arc<Shared>, session: Box<Session>, place: Place) {
    if !session.cancel().await {
        shared.doubted.notify_one();
    }
    drop(place);
}
