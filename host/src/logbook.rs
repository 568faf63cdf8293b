//! What the host, its actors and its providers logged lately, for `wattle logs`.

use std::sync::Arc;

use tracing::Subscriber;
use tracing_subscriber::Layer;
use wattle_core::{
    EntityId,
    control::LogQuery,
    inventory::{LogLine, LogPage},
};

/// The latest log lines, bounded in number and bytes for each who writes.
#[derive(Debug, Default)]
pub struct LogBook {
    _lines: parking_lot::Mutex<Vec<LogLine>>,
}

impl LogBook {
    /// An empty book.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a line that `id` wrote; the host itself if there is none.
    pub fn push(&self, _id: Option<EntityId>, _level: &'static str, _message: String) {
        unimplemented!()
    }

    /// The newest lines that `query` asks for, oldest first.
    pub fn page(&self, _query: &LogQuery) -> LogPage {
        unimplemented!()
    }

    /// A layer of a `tracing` subscriber that adds the host's own events to the book.
    pub fn layer<S: Subscriber>(self: &Arc<Self>) -> impl Layer<S> + Send + Sync + 'static {
        tracing_subscriber::layer::Identity::new()
    }
}
