//! Handles: how a resource is named on the wire, by a number that its callee made.
//!
//! WIT's functions keep their names: `[constructor]cart`, `[method]cart.total`, `[static]cart.merge`. A handle is a `u32` wherever
//! an `own` or a `borrow` stands, and a method's first parameter is its `self`.

use std::{borrow::Cow, fmt};

use serde::{Deserialize, Serialize};

/// What the name of the function that drops a resource begins with, ahead of the resource's name.
pub const DROP_PREFIX: &str = "[resource-drop]";

/// Handles that one call drops.
pub const DROPPED_MAX: usize = 1_024;

/// The most bytes of a call that drops: five for each handle.
pub const DROPPED_LEN_MAX: usize = 8 * DROPPED_MAX;

/// A resource, to those at both ends of one link.
///
/// It means nothing over another link, and nothing to another callee.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Handle(u32);

impl Handle {
    /// The handle of this number.
    pub const fn new(number: u32) -> Self {
        Self(number)
    }

    /// Its number.
    pub const fn get(self) -> u32 {
        self.0
    }
}

impl fmt::Display for Handle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0)
    }
}

/// The parameters of `[resource-drop]cart`, which gives nothing: its caller is done with these.
///
/// Said by a guest for one of them, and by its host for all that an instance left when it ended, on the interface that defines
/// the resource. It may come twice, and for one that its callee no longer has: neither is an error.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Dropped<'a> {
    /// At most [`DROPPED_MAX`].
    pub handles: Cow<'a, [Handle]>,
}

/// The name of the function that drops a resource of this name.
pub fn drop_function(resource: &str) -> String {
    format!("{DROP_PREFIX}{resource}")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::codec;

    #[test]
    fn a_handle_is_its_number_and_as_many_as_may_be_dropped_fit() {
        assert_eq!(codec::encode(&Handle::new(7)), [7]);
        let handles = vec![Handle::new(u32::MAX); DROPPED_MAX];
        let dropped = Dropped { handles: handles.into() };
        let bytes = codec::encode(&dropped);
        assert_eq!(
            codec::decode::<Dropped<'_>>(&bytes, DROPPED_LEN_MAX).expect("it fits"),
            dropped
        );
    }
}
