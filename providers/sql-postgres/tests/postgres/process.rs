//! The provider's process, and links to it.

use std::sync::atomic::{AtomicU32, Ordering};

use wattle_core::{Constraints, link::Settings};
use wattle_postgres::{Caller, INTERFACES};
pub(crate) use wattle_sdk::test_host::Link;
use wattle_sdk::test_host::{Launch, TestHost};

/// A running provider. It dies with this.
pub(crate) struct Process {
    host: TestHost,
    last: AtomicU32,
}

impl Process {
    /// Starts the provider and waits until it is ready.
    pub(crate) async fn start() -> Self {
        let launch = Launch::new(env!("CARGO_BIN_EXE_wattle-sql-postgres"));
        Self { host: TestHost::start(launch).await, last: AtomicU32::default() }
    }

    /// Puts a link with this provider at its target end, or hears why it does not hold.
    pub(crate) async fn put(
        &self,
        constraints: Constraints,
        config: Settings,
    ) -> Result<Caller<Link>, String> {
        self.put_on(INTERFACES, constraints, config).await.map(Caller::new)
    }

    /// The same for a link of another contract.
    pub(crate) async fn put_on(
        &self,
        interfaces: &[&str],
        constraints: Constraints,
        config: Settings,
    ) -> Result<Link, String> {
        let link = self.host.link_to_provider(interfaces, constraints, config).await?;
        self.last.store(link.number(), Ordering::Relaxed);
        Ok(link)
    }

    /// Deletes the link that was put last.
    pub(crate) async fn delete_last(&self) {
        self.host.delete(self.last.load(Ordering::Relaxed)).await;
    }

    /// The most memory that the process has had, in bytes.
    pub(crate) fn peak_memory(&self) -> u64 {
        self.host.peak_memory()
    }

    /// Files and sockets that the process has open.
    pub(crate) fn open_files(&self) -> usize {
        self.host.open_files()
    }

    pub(crate) fn is_running(&mut self) -> bool {
        self.host.is_running()
    }
}
