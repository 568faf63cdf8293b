//! Parameters and results as they travel: MessagePack maps with the WIT's names.

use serde::{Deserialize, Serialize};

/// What [`ON_TIME`](crate::ON_TIME) answers.
pub type Outcome = Result<(), String>;

/// The WIT's `tick`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Tick {
    /// The name of the schedule that says so.
    pub schedule: String,
    /// When it was due, in milliseconds since 1970 (UTC).
    pub due: u64,
    /// How many of the schedule's times just before this one came and went without a call.
    pub missed: u32,
    /// 1, and one more each time that this tick is handed over again.
    pub attempt: u32,
}

/// Parameters of [`ON_TIME`](crate::ON_TIME).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct OnTime {
    /// What has come.
    pub tick: Tick,
}
