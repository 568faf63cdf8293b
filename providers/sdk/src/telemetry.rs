//! The provider's log: JSON lines on stderr, which its host keeps.

use std::{
    io::{self, Write},
    panic,
};

use tracing::{error, warn};
use tracing_subscriber::EnvFilter;

/// What is logged where the host's filter cannot be read.
const DEFAULT_FILTER: &str = "info";

/// Logs from now on, panics too.
pub(crate) fn init(filter: &str) {
    let parsed = EnvFilter::try_new(filter);
    let wrong = parsed.as_ref().err().map(ToString::to_string);
    let filter = parsed.unwrap_or_else(|_| EnvFilter::new(DEFAULT_FILTER));
    let log = tracing_subscriber::fmt()
        .json()
        .with_env_filter(filter)
        .with_span_list(false)
        .with_writer(io::stderr);
    if log.try_init().is_err() {
        warn!("the provider has a log of its own, which is kept");
    }
    if let Some(error) = wrong {
        warn!(error, "the log's filter is not one: {DEFAULT_FILTER} is used");
    }
    panic::set_hook(Box::new(|panic| {
        let place = panic.location().map(ToString::to_string);
        let message = panic.payload_as_str().unwrap_or("not a text");
        error!(place, "panicked: {message}");
    }));
}

/// Says something before there is a log.
pub(crate) fn say(text: &str) {
    let _ = writeln!(io::stderr(), "{text}"); // there is nobody else to tell
}
