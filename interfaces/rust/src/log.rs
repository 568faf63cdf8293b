//! Lines in the host's log, which `wattle logs` shows with the actor's id and the call's.

use crate::bindings::logging::logging::{Level, log};

/// Writes what helps to find a fault.
pub fn debug(message: &str) {
    log(Level::Debug, "", message);
}

/// Writes what an operator may want to know.
pub fn info(message: &str) {
    log(Level::Info, "", message);
}

/// Writes that something is off, though the actor went on.
pub fn warn(message: &str) {
    log(Level::Warn, "", message);
}

/// Writes that something failed.
pub fn error(message: &str) {
    log(Level::Error, "", message);
}
