//! Secrets that the actor's link names, from its host: `wasmcloud:secrets`.
//!
//! ```no_run
//! # fn connect() -> wattle::Result<()> {
//! let password = wattle::secrets::get("db-password")?;
//! let password = password.text()?; // what it says is asked for where it is needed
//! # drop(password); Ok(())
//! # }
//! ```

use std::fmt;

use crate::bindings::secrets::{reveal, store};
pub use store::SecretValue as Value;

/// Why there is no secret.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Error {
    /// It may not be had, or cannot be had on this host; the text begins with the kind: `denied: …`, `unavailable: …`.
    Upstream(String),
    /// The host has it and cannot read it.
    Io(String),
    /// The link allows it, and the host has none of this name.
    NotFound,
    /// It is no text.
    NotText,
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Upstream(text) | Self::Io(text) => f.write_str(text),
            Self::NotFound => f.write_str("there is no such secret on this host"),
            Self::NotText => f.write_str("the secret is no text"),
        }
    }
}

impl std::error::Error for Error {}

/// A secret that was read. It can be handed on without being seen.
#[derive(Debug)]
pub struct Secret(store::Secret);

/// Reads a secret as it is now, by the key that the actor's link gives it under.
pub fn get(key: &str) -> Result<Secret, Error> {
    let found = store::get(key).map(Secret);
    found.map_err(|error| match error {
        store::SecretsError::Upstream(text) => Error::Upstream(text),
        store::SecretsError::Io(text) => Error::Io(text),
        store::SecretsError::NotFound => Error::NotFound,
    })
}

impl Secret {
    /// What it says. An actor whose link does not allow `wasmcloud:secrets/reveal` ends here.
    pub fn reveal(&self) -> Value {
        reveal::reveal(&self.0)
    }

    /// The same as text.
    pub fn text(&self) -> Result<String, Error> {
        match self.reveal() {
            Value::String(text) => Ok(text),
            Value::Bytes(_) => Err(Error::NotText),
        }
    }
}
