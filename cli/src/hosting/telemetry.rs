//! Where a host's own log goes: to stderr, and into the book that `wattle logs` reads.

use std::{
    collections::HashMap,
    io::IsTerminal,
    sync::{Arc, Mutex},
    time::{Duration, Instant},
};

use tracing::{Event, Subscriber, callsite::Identifier};
use tracing_subscriber::{
    EnvFilter, Layer, layer::Context, layer::SubscriberExt, util::SubscriberInitExt,
};
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
    let registry = tracing_subscriber::registry().with(filter).with(OnceInAWhile::default());
    registry.with(stderr).with(book.layer()).init();
    Ok(book)
}

/// While NATS is away its client says the same several times a second, on each connection: once in a while is enough.
#[derive(Default)]
struct OnceInAWhile(Mutex<HashMap<Identifier, Instant>>);

impl OnceInAWhile {
    const WHILE: Duration = Duration::from_secs(60);

    fn is_due(&self, what: Identifier, now: Instant) -> bool {
        let mut said = self.0.lock().expect("nobody panics while holding it");
        let due = said.get(&what).is_none_or(|last| now.duration_since(*last) >= Self::WHILE);
        if due {
            said.insert(what, now);
        }
        due
    }
}

impl<S: Subscriber> Layer<S> for OnceInAWhile {
    fn event_enabled(&self, event: &Event<'_>, _: Context<'_, S>) -> bool {
        let metadata = event.metadata();
        let repeats = metadata.target().starts_with("async_nats")
            && *metadata.level() <= tracing::Level::WARN;
        !repeats || self.is_due(metadata.callsite(), Instant::now())
    }
}

/// The NATS client says at info what the lattice says, too; only someone who asks for it by name gets both.
fn with_quiet_client(filter: &str) -> String {
    if filter.contains("async_nats") {
        filter.to_owned()
    } else {
        format!("{filter},async_nats=warn")
    }
}
