//! What a provider is started with.

use std::{sync::Arc, time::Duration};

use wattle_core::{AccountKey, EntityId, LatticeName, link::Settings};

use super::image::Image;

/// How to run one provider.
#[derive(Clone)]
pub(crate) struct ProviderSpec {
    /// The id it runs under.
    pub(crate) id: EntityId,
    /// The account that signed its claims.
    pub(crate) account: AccountKey,
    /// The lattice it serves.
    pub(crate) lattice: LatticeName,
    /// Its own settings, secrets included: not for logs.
    pub(crate) config: Settings,
    /// The very bytes that were verified.
    pub(crate) image: Arc<Image>,
    /// A `tracing` filter for its log.
    pub(crate) log: String,
    /// What its process may use.
    pub(crate) limits: ProviderLimits,
    /// How long its supervisor waits for what.
    pub(crate) timings: Timings,
}

/// What a provider's process may use.
#[derive(Clone, Copy, Debug)]
pub(crate) struct ProviderLimits {
    /// Bytes of private memory that it may write to.
    pub(crate) memory_bytes: u64,
    /// Open files and sockets.
    pub(crate) open_files: u64,
}

impl Default for ProviderLimits {
    fn default() -> Self {
        Self { memory_bytes: 2 * 1024 * 1024 * 1024, open_files: 65_536 }
    }
}

/// How long a supervisor waits for what.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Timings {
    /// From the process's start to its `Ready`; beyond it the process is killed and tried again.
    pub(crate) ready_max: Duration,
    /// Between two pings.
    pub(crate) ping_every: Duration,
    /// Without an answer to a ping for so long, the process counts as frozen.
    pub(crate) pong_max: Duration,
    /// For a link's answer.
    pub(crate) link_max: Duration,
    /// A process that served for so long says nothing about its health when somebody kills or freezes it: that is no failure
    /// of it, and it is started again at once.
    pub(crate) steady_after: Duration,
}

impl Default for Timings {
    fn default() -> Self {
        Self {
            ready_max: Duration::from_secs(15),
            ping_every: Duration::from_millis(500),
            pong_max: Duration::from_millis(1_500),
            link_max: Duration::from_secs(10),
            steady_after: Duration::from_secs(1),
        }
    }
}
