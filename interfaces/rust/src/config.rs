//! The actor's own settings, as its operator put them with `wattle config put`.

use crate::bindings::config::runtime;
pub use runtime::ConfigError as Error;

/// The setting of this name, if there is one.
pub fn get(key: &str) -> Result<Option<String>, Error> {
    runtime::get(key)
}

/// All settings, names and values.
pub fn all() -> Result<Vec<(String, String)>, Error> {
    runtime::get_all()
}
