//! A host's sign of life.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::name::Name;

/// Milliseconds between two beats of a host.
pub const BEAT_INTERVAL_MS: u64 = 1_000;

/// A host that misses so many in a row is lost.
pub const BEATS_MISSED_MAX: u64 = 3;

/// What a host says of itself each second, inside a token that it signed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Beat {
    /// The host's friendly name.
    pub name: Name,
    /// Wattle's version.
    pub version: String,
    /// Seconds since it started.
    pub uptime_s: u64,
    /// Actors that it runs.
    pub actors: u32,
    /// Providers that it runs.
    pub providers: u32,
    /// Calls under way.
    pub in_flight: u32,
    /// Labels, built-in ones first: `os`, `arch`, `cores`, `memory`.
    #[serde(default)]
    pub labels: BTreeMap<String, String>,
    /// Whether it has its calls answered elsewhere.
    #[serde(default)]
    pub draining: bool,
    /// Changes with what runs and how it does, so that nobody has to ask each second.
    #[serde(default)]
    pub running: u64,
}
