//! Where a host's own log goes: to stderr, and into the book that `wattle logs` reads.

use std::{io::IsTerminal, sync::Arc};

use tracing_subscriber::{EnvFilter, Layer, layer::SubscriberExt, util::SubscriberInitExt};
use wattle_host::LogBook;

use crate::{exit::Exit, problem::Problem};

/// Sets this process's log up. `on_stderr` is off where stderr is for the person who started it.
pub(crate) fn init(filter: &str, on_stderr: bool) -> anyhow::Result<Arc<LogBook>> {
    let filter = EnvFilter::try_new(with_quiet_client(filter)).map_err(|error| {
        Problem::new(Exit::Usage, format!("--log {filter:?}: {error}"))
            .next("write a level, or levels per module: info,wattle_host=debug")
    })?;
    let book = Arc::new(LogBook::new());
    let stderr = on_stderr.then(|| {
        tracing_subscriber::fmt::layer()
            .with_writer(std::io::stderr)
            .with_ansi(std::io::stderr().is_terminal())
            .with_target(false)
            .boxed()
    });
    tracing_subscriber::registry().with(filter).with(stderr).with(book.layer()).init();
    Ok(book)
}

/// The NATS client says at info what the lattice says, too; only someone who asks for it by name gets both.
fn with_quiet_client(filter: &str) -> String {
    if filter.contains("async_nats") {
        filter.to_owned()
    } else {
        format!("{filter},async_nats=warn")
    }
}
