//! What sessions refuse, and how often they did.

use std::{
    fmt,
    sync::atomic::{AtomicU64, Ordering::Relaxed},
};

/// Why a message was refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Refused {
    /// It is no message of ours.
    Malformed,
    /// It names a session that there is not.
    UnknownSession,
    /// Its tag is not the sender's: forged, altered, reflected, or of another session.
    Tag,
    /// It was seen before.
    Repeated,
    /// It is too far behind to know whether it was seen before.
    Late,
    /// A part of what it belongs to is missing.
    Gap,
    /// The claims that came with it do not hold here.
    Claims,
    /// It is meant for another host, or comes from another than it should.
    OtherHost,
    /// There are too many of its kind.
    Overloaded,
    /// Its session has no room for it now.
    Dropped,
}

const ALL: [Refused; 10] = [
    Refused::Malformed,
    Refused::UnknownSession,
    Refused::Tag,
    Refused::Repeated,
    Refused::Late,
    Refused::Gap,
    Refused::Claims,
    Refused::OtherHost,
    Refused::Overloaded,
    Refused::Dropped,
];

impl Refused {
    /// The reason as reports write it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Malformed => "malformed",
            Self::UnknownSession => "unknown session",
            Self::Tag => "wrong tag",
            Self::Repeated => "repeated",
            Self::Late => "too late",
            Self::Gap => "part missing",
            Self::Claims => "claims do not hold",
            Self::OtherHost => "for another host",
            Self::Overloaded => "too many",
            Self::Dropped => "no room",
        }
    }
}

impl fmt::Display for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// How often each reason was given.
#[derive(Debug, Default)]
pub(super) struct Counts([AtomicU64; ALL.len()]);

impl Counts {
    pub(super) fn count(&self, refused: Refused) {
        self.0[refused as usize].fetch_add(1, Relaxed);
    }

    pub(super) fn read(&self) -> Vec<(Refused, u64)> {
        let counted = ALL.iter().map(|refused| (*refused, self.0[*refused as usize].load(Relaxed)));
        counted.filter(|(_, count)| *count > 0).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_reason_has_a_counter_of_its_own() {
        for (at, refused) in ALL.iter().enumerate() {
            assert_eq!(*refused as usize, at);
        }
    }
}
