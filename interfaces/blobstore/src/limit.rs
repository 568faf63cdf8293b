//! What the contract holds both sides to. The caller checks before it sends, the provider before it acts.

#[cfg(feature = "provider")]
use std::time::Duration;

use wattle_core::call::PARAMS_LEN_MAX;
#[cfg(feature = "provider")]
use wattle_core::link::Settings;

use crate::error::Failure;

/// The most bytes of a container's name: what S3 allows a bucket.
pub const CONTAINER_LEN_MAX: usize = 63;

/// The most bytes of an object's name: what S3 allows a key.
pub const OBJECT_LEN_MAX: usize = 1_024;

/// The most names on one page of a listing: with the longest names a page is a quarter of a message.
pub const PAGE_NAMES_MAX: usize = 1_000;

/// The most names of one `delete-objects`. They must fit in one message, too.
pub const DELETE_NAMES_MAX: usize = 10_000;

/// The most bytes of a cursor, which is an object's name, or what others have put in its place.
pub const CURSOR_LEN_MAX: usize = 4 * 1024;

/// The most bytes of an object where the link says nothing else: what S3 copies in one request.
pub const OBJECT_BYTES_DEFAULT: u64 = 5 * 1024 * 1024 * 1024;

/// Bodies under way over one link, both ways together; beyond it calls are `Overloaded`. Each holds a window of 256 KiB.
#[cfg(feature = "provider")]
pub(crate) const LINK_BODIES_MAX: usize = 64;

/// How long a body may stand still where the link says nothing else: as long as a phone looks for its next cell.
#[cfg(feature = "provider")]
const BODY_IDLE_DEFAULT: Duration = Duration::from_secs(30);

/// A link's setting: the most bytes of an object that is written over it.
#[cfg(feature = "provider")]
pub const MAX_OBJECT_BYTES: &str = "max_object_bytes";

/// A link's setting: how many milliseconds a body may stand still.
#[cfg(feature = "provider")]
pub const BODY_IDLE_MS: &str = "body_idle_ms";

/// What bounds the bodies of one link.
#[cfg(feature = "provider")]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bounds {
    /// The most bytes of an object that is written.
    pub object_bytes_max: u64,
    /// How long a body may stand still.
    pub body_idle: Duration,
}

/// A bound that is no number, or no time at all.
#[cfg(feature = "provider")]
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0} must be a whole number above 0")]
pub struct BoundsError(&'static str);

#[cfg(feature = "provider")]
impl Default for Bounds {
    fn default() -> Self {
        Self { object_bytes_max: OBJECT_BYTES_DEFAULT, body_idle: BODY_IDLE_DEFAULT }
    }
}

#[cfg(feature = "provider")]
impl Bounds {
    /// From a link's settings.
    pub fn from_settings(settings: &Settings) -> Result<Self, BoundsError> {
        let mut bounds = Self::default();
        if let Some(bytes) = number(settings, MAX_OBJECT_BYTES)? {
            bounds.object_bytes_max = bytes;
        }
        if let Some(ms) = number(settings, BODY_IDLE_MS)? {
            bounds.body_idle = Duration::from_millis(ms);
        }
        Ok(bounds)
    }

    /// Whether an object may have this many bytes.
    pub(crate) fn check_object_bytes(&self, bytes: u64) -> Result<(), Failure> {
        let max = self.object_bytes_max;
        if bytes > max {
            return Err(Failure::too_large(format!(
                "an object may have {max} bytes over this link"
            )));
        }
        Ok(())
    }
}

#[cfg(feature = "provider")]
fn number(settings: &Settings, name: &'static str) -> Result<Option<u64>, BoundsError> {
    let Some(text) = settings.get(name) else { return Ok(None) };
    let number = text.parse().ok().filter(|number| *number > 0);
    number.map(Some).ok_or(BoundsError(name))
}

/// Whether a list to delete may have this many names.
pub fn check_names(names: usize) -> Result<(), Failure> {
    if names > DELETE_NAMES_MAX {
        let text = format!("{names} names to delete, the limit is {DELETE_NAMES_MAX}: split them");
        return Err(Failure::too_large(text));
    }
    Ok(())
}

/// Whether a cursor can have come from a store.
pub fn check_cursor(cursor: Option<&str>) -> Result<(), Failure> {
    check("cursor", cursor.map_or(0, str::len), CURSOR_LEN_MAX)
}

/// Whether parameters or a result fit in a message.
pub(crate) fn check_message(what: &str, len: usize) -> Result<(), Failure> {
    check(what, len, PARAMS_LEN_MAX)
}

fn check(what: &str, len: usize, max: usize) -> Result<(), Failure> {
    if len > max {
        return Err(Failure::too_large(format!("{what} of {len} bytes, the limit is {max}")));
    }
    Ok(())
}

#[cfg(all(test, feature = "provider"))]
mod tests {
    use super::*;

    #[test]
    fn a_link_may_say_how_large_and_how_long() {
        let settings = [(MAX_OBJECT_BYTES, "7"), (BODY_IDLE_MS, "250")];
        let settings = settings.map(|(name, value)| (name.to_owned(), value.to_owned())).into();
        let bounds = Bounds::from_settings(&settings).expect("numbers");
        assert_eq!(bounds.object_bytes_max, 7);
        assert_eq!(bounds.body_idle, Duration::from_millis(250));
        assert!(bounds.check_object_bytes(7).is_ok() && bounds.check_object_bytes(8).is_err());
    }

    #[test]
    fn a_bound_that_is_none_fails_the_link() {
        for bad in ["", "0", "-1", "1MB"] {
            let settings = [(MAX_OBJECT_BYTES.to_owned(), bad.to_owned())].into();
            assert_eq!(Bounds::from_settings(&settings), Err(BoundsError(MAX_OBJECT_BYTES)));
        }
    }
}
