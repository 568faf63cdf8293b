//! Exit codes: the one table from what went wrong to what a script sees.

use std::{fmt, process::ExitCode};

use wattle_core::{ErrorKind, control::FailureKind};

/// How a command ended. The numbers are part of the interface; `wattle --help` shows them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Exit {
    /// What was asked for is true.
    Ok = 0,
    /// It failed for a reason that no other code names.
    Failed = 1,
    /// The command line makes no sense (clap exits with this number too).
    Usage = 2,
    /// A grant is missing, or a token does not hold.
    Denied = 3,
    /// There is no such thing.
    NotFound = 4,
    /// Nobody answered, or not in time.
    Unreachable = 5,
    /// Something else has the id, the port, the route or a newer record.
    Conflict = 6,
}

/// Shown below `wattle --help`.
pub(crate) const TABLE: &str = "\
Exit codes:
  0  it is so now             4  no such thing
  1  it failed                5  nobody answered in time
  2  wrong usage              6  taken, or changed by someone else
  3  denied or not authentic";

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit as u8)
    }
}

impl From<FailureKind> for Exit {
    fn from(kind: FailureKind) -> Self {
        match kind {
            FailureKind::Refused | FailureKind::Denied | FailureKind::Claims => Self::Denied,
            FailureKind::NotFound => Self::NotFound,
            FailureKind::Conflict | FailureKind::Stale => Self::Conflict,
            FailureKind::Invalid => Self::Usage,
            FailureKind::TimedOut => Self::Unreachable,
            FailureKind::Capacity | FailureKind::Crashed | FailureKind::Host => Self::Failed,
        }
    }
}

impl From<ErrorKind> for Exit {
    fn from(kind: ErrorKind) -> Self {
        match kind {
            ErrorKind::Denied => Self::Denied,
            ErrorKind::NotFound => Self::NotFound,
            ErrorKind::Unavailable | ErrorKind::Overloaded | ErrorKind::DeadlineExceeded => {
                Self::Unreachable
            }
            ErrorKind::Malformed => Self::Usage,
            ErrorKind::TooLarge
            | ErrorKind::Interrupted
            | ErrorKind::Cancelled
            | ErrorKind::Trapped
            | ErrorKind::LimitExceeded
            | ErrorKind::Failed => Self::Failed,
        }
    }
}

impl Exit {
    /// The name that `-o json` gives it.
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Failed => "failed",
            Self::Usage => "usage",
            Self::Denied => "denied",
            Self::NotFound => "not-found",
            Self::Unreachable => "unreachable",
            Self::Conflict => "conflict",
        }
    }
}

impl fmt::Display for Exit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}
