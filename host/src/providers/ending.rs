//! Why a process's life was over.

use std::time::Duration;

use wattle_wire::Closed;

use super::process::Exit;
use crate::logbook::printable;

/// Bytes kept of a provider's reason.
const REASON_LEN_MAX: usize = 2_000;

/// Why its life is over.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Ending {
    /// There never was a process.
    NotExecuted { reason: String },
    /// The process ended.
    Exited,
    /// It closed one of its sockets, or sent what is not a frame.
    LaneEnded { lane: usize, why: Closed },
    /// It says that it cannot run.
    Failed { reason: String },
    /// It did not get ready.
    Silent { after: Duration },
    /// It answers no pings.
    Frozen { silent_for: Duration },
    /// It says what makes no sense, again and again.
    Babbling,
    /// It was to stop, and had its time for that.
    Stopped,
    /// It may not run any more.
    Denied,
}

impl Ending {
    /// How it ended, for a person.
    pub(super) fn describe(&self, exit: Option<Exit>) -> String {
        let exited = exit.map_or_else(String::new, |exit| exit.to_string());
        let by_itself = exit.is_some_and(|exit| exit.by_itself);
        let why = match self {
            Self::NotExecuted { reason } | Self::Failed { reason } => {
                return printable(reason.clone(), REASON_LEN_MAX);
            }
            Self::Stopped => return format!("stopped: {exited}"),
            Self::Exited => return exited,
            Self::LaneEnded { why: Closed::There | Closed::Socket(_), .. } if by_itself => {
                return exited;
            }
            Self::LaneEnded { lane, why } => format!("lane {lane}: {why}"),
            Self::Silent { after } => format!("not ready after {after:?}"),
            Self::Frozen { silent_for } => {
                format!("no answer to pings for {} ms", silent_for.as_millis())
            }
            Self::Babbling => "it floods its control channel".to_owned(),
            Self::Denied => "it may not run any more".to_owned(),
        };
        printable(format!("killed by its host: {why}"), REASON_LEN_MAX)
    }
}
