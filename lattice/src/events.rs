//! Events and beats: said once to whoever listens, and forgotten.

use futures::Stream;
use wattle_core::{HostKey, event::CloudEvent};

use crate::Lattice;

/// Why there is no subscription.
#[derive(Debug, thiserror::Error)]
#[error("no subscription: {0}")]
pub struct SubscribeError(pub(crate) String);

impl Lattice {
    /// Publishes an event. Never waits: without a connection, or with a full queue, it is dropped and counted.
    pub fn publish_event(&self, event: &CloudEvent) {
        let _ = event;
        unimplemented!()
    }

    /// All hosts' events from now on. What is malformed is counted and skipped.
    pub async fn events(
        &self,
    ) -> Result<impl Stream<Item = CloudEvent> + Send + Unpin + use<>, SubscribeError> {
        Ok(futures::stream::pending())
    }

    /// Publishes a host's beat. Never waits, as with events.
    pub fn publish_beat(&self, host: &HostKey, token: &str) {
        let _ = (host, token);
        unimplemented!()
    }

    /// All hosts' beats from now on: the host whose subject it came on, and the beat's token, not verified.
    pub async fn beats(
        &self,
    ) -> Result<impl Stream<Item = (HostKey, String)> + Send + Unpin + use<>, SubscribeError> {
        Ok(futures::stream::pending())
    }
}
