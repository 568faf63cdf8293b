//! The provider's process, and links to it.

use std::sync::atomic::{AtomicU32, Ordering};

use wattle_core::{Constraints, link::Settings};
use wattle_sdk::test_host::{Launch, Link, TestHost};
use wattle_sql::{Caller, INTERFACES};

/// A running provider. It dies with this.
pub(crate) struct Process {
    pub(crate) host: TestHost,
    last: AtomicU32,
}

impl Process {
    /// Starts the provider with these settings of its own, and waits until it is ready.
    pub(crate) async fn start(config: Settings) -> Self {
        let launch = Launch::new(env!("CARGO_BIN_EXE_wattle-sql-sqlite"));
        let launch = config.iter().fold(launch, |launch, (name, value)| launch.set(name, value));
        Self { host: TestHost::start(launch).await, last: AtomicU32::default() }
    }

    /// Puts a link and calls over it.
    pub(crate) async fn caller(&self, constraints: Constraints, config: Settings) -> Caller<Link> {
        self.put(constraints, config).await.expect("a link")
    }

    /// Puts a link with this provider at its target end, or hears why it does not hold.
    pub(crate) async fn put(
        &self,
        constraints: Constraints,
        config: Settings,
    ) -> Result<Caller<Link>, String> {
        let link = self.host.link_to_provider(INTERFACES, constraints, config).await?;
        self.last.store(link.number(), Ordering::Relaxed);
        Ok(Caller::new(link))
    }

    /// Deletes the link that was put last.
    pub(crate) async fn delete_last(&self) {
        self.host.delete(self.last.load(Ordering::Relaxed)).await;
    }
}
