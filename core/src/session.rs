//! A session between two hosts, as each of its ends numbers it.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Serialize};

use crate::name::shortened;

/// One end's number for a session: frames to that end carry it. Random, but for its first byte, which is the lane that takes
/// them. Written as 16 hex digits.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct SessionId(u64);

/// Why a text is not a session's number.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is not a session's number: it has 16 hex digits")]
pub struct SessionIdError(String);

/// How many of the number's bits are random.
const RANDOM_BITS: u32 = 56;

impl SessionId {
    /// A number for a session of this lane, from a random one.
    pub const fn of_lane(lane: u8, random: u64) -> Self {
        Self((lane as u64) << RANDOM_BITS | random & ((1 << RANDOM_BITS) - 1))
    }

    /// The lane that takes the session's messages.
    pub const fn lane(self) -> u8 {
        (self.0 >> RANDOM_BITS) as u8
    }

    /// The session of this number.
    pub const fn from_u64(number: u64) -> Self {
        Self(number)
    }

    /// The number.
    pub const fn as_u64(self) -> u64 {
        self.0
    }
}

impl fmt::Display for SessionId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:016x}", self.0)
    }
}

impl fmt::Debug for SessionId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl FromStr for SessionId {
    type Err = SessionIdError;

    fn from_str(text: &str) -> Result<Self, SessionIdError> {
        let digits = text.len() == 16
            && text.bytes().all(|byte| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte));
        let number = if digits { u64::from_str_radix(text, 16).ok() } else { None };
        number.map(Self).ok_or_else(|| SessionIdError(shortened(text)))
    }
}

impl TryFrom<String> for SessionId {
    type Error = SessionIdError;

    fn try_from(text: String) -> Result<Self, SessionIdError> {
        text.parse()
    }
}

impl From<SessionId> for String {
    fn from(id: SessionId) -> Self {
        id.to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_session_has_one_spelling() {
        let id = SessionId::from_u64(0x1f);
        assert_eq!(id.to_string(), "000000000000001f");
        assert_eq!(id.to_string().parse(), Ok(id));
        let of_lane = SessionId::of_lane(7, u64::MAX);
        assert_eq!((of_lane.to_string().as_str(), of_lane.lane()), ("07ffffffffffffff", 7));
        for bad in ["", "1f", "000000000000001F", "+00000000000001f", "00000000000000001f"] {
            assert!(bad.parse::<SessionId>().is_err(), "{bad}");
        }
    }
}
