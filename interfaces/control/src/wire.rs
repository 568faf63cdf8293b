//! Parameters and results as they travel: MessagePack with WIT's names.

use serde::{Deserialize, Serialize};

use crate::Error;

/// What a function answers.
pub type Outcome<T> = Result<T, Error>;

/// Parameters that say which host they are about.
pub trait AboutHost {
    /// Its key; none is the caller's own.
    fn host(&self) -> Option<&str>;
}

macro_rules! about_host {
    ($($params:ty),*) => {$(
        impl AboutHost for $params {
            fn host(&self) -> Option<&str> {
                self.host.as_deref()
            }
        }
    )*};
}

about_host!(Page, StartActor, Stop, ScaleActor);

/// A part of a list of a host's.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Page {
    /// Which host; none is the caller's own.
    pub host: Option<String>,
    /// Behind which one.
    pub after: Option<String>,
}

/// A host that is alive.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Host {
    /// Its key.
    pub key: String,
    /// Its friendly name.
    pub name: String,
    /// Wattle's version.
    pub version: String,
    /// Seconds since it started.
    pub uptime_s: u64,
    /// Its labels.
    pub labels: Vec<(String, String)>,
    /// Actors that it runs.
    pub actors: u32,
    /// Providers that it runs.
    pub providers: u32,
    /// Calls under way.
    pub in_flight: u32,
    /// Whether it has its calls answered elsewhere.
    pub draining: bool,
}

/// An actor on a host.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Actor {
    /// The id it runs under.
    pub id: String,
    /// The name in its claims.
    pub name: String,
    /// Whose it is.
    pub account: String,
    /// Its key.
    pub key: String,
    /// What runs, by content.
    pub artifact: String,
    /// How many calls at once it may take.
    pub scale: u16,
    /// Calls under way.
    pub in_flight: u32,
    /// Calls that wait for an instance.
    pub queued: u32,
    /// Calls since it started.
    pub calls: u64,
    /// Of these, how many failed, by the kind of failure.
    pub failures: Vec<(String, u64)>,
    /// Why its claims do not hold now, if they do not.
    pub denied: Option<String>,
}

/// A provider on a host.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Provider {
    /// The id it runs under.
    pub id: String,
    /// The name in its claims.
    pub name: String,
    /// Whose it is.
    pub account: String,
    /// Its key.
    pub key: String,
    /// What runs, by content.
    pub artifact: String,
    /// Whether it serves now.
    pub ready: bool,
    /// What it is doing, in words.
    pub state: String,
    /// How often it was started again.
    pub restarts: u32,
    /// Why it ended the last time, if it did.
    pub last_exit: Option<String>,
}

/// A link that a host knows.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Link {
    /// Which.
    pub key: String,
    /// The caller's id.
    pub source: String,
    /// The callee's id.
    pub target: String,
    /// Its name.
    pub name: String,
    /// What it is on.
    pub interfaces: Vec<String>,
    /// Whether calls over it are allowed and can be carried.
    pub active: bool,
    /// Why not.
    pub reason: Option<String>,
    /// Whether its callee is on that host.
    pub local: bool,
    /// The other hosts that have it.
    pub hosts: Vec<String>,
}

/// Parameters of [`START_ACTOR`](crate::START_ACTOR).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct StartActor {
    /// Where.
    pub host: Option<String>,
    /// What.
    pub actor: NewActor,
}

/// An actor to run.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct NewActor {
    /// The id to run it under.
    pub id: String,
    /// The signed component, by content.
    pub artifact: String,
    /// Calls at once.
    pub scale: u16,
    /// Config records, in order.
    pub config: Vec<String>,
}

/// Parameters of [`STOP_ACTOR`](crate::STOP_ACTOR) and [`STOP_PROVIDER`](crate::STOP_PROVIDER).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Stop {
    /// Where.
    pub host: Option<String>,
    /// Whom.
    pub id: String,
}

/// Parameters of [`SCALE_ACTOR`](crate::SCALE_ACTOR).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ScaleActor {
    /// Where.
    pub host: Option<String>,
    /// Whom.
    pub id: String,
    /// Calls at once; 0 is none.
    pub scale: u16,
}

/// It is so now.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Done {
    /// Whether it was so already.
    pub unchanged: bool,
    /// What it amounts to, for a person.
    pub detail: String,
}

/// Parameters of [`ON_EVENT`](crate::ON_EVENT).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct OnEvent {
    /// What happened.
    pub event: Event,
}

/// Something that happened on a host.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Event {
    /// Unique.
    pub id: String,
    /// The host on which it happened.
    pub host: String,
    /// What kind of thing.
    pub kind: String,
    /// RFC 3339, UTC.
    pub time: String,
    /// The id of what it is about, if it is about one.
    pub about: Option<String>,
    /// All that is known, as JSON.
    pub data: String,
    /// How many events the actor was not told of since the last one from this host.
    pub missed: u64,
}
