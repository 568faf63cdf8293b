//! Names that people choose: `[a-z0-9-]{1,63}`, so that one may stand in a subject, a file name and a URL.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Serialize};

/// The most bytes a name may have: what a DNS label allows.
pub const NAME_LEN_MAX: usize = 63;

/// A name: lower-case letters, digits and hyphens, 1 to 63 of them.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Name(Box<str>);

/// The lattice's name. Two lattices may share one NATS; their subjects and their grants never meet.
pub type LatticeName = Name;

/// Why a text is not a name.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is not a name: use 1 to 63 of a-z, 0-9 and '-'")]
pub struct NameError(pub String);

impl Name {
    /// The name as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The name that is meant by one with capital letters, `_`, `.` or spaces, which wasmCloud's may have.
    pub fn spelled(text: &str) -> Result<Self, NameError> {
        let letter = |letter: char| match letter {
            '_' | '.' | ' ' => '-',
            letter => letter.to_ascii_lowercase(),
        };
        // More letters than a name has are not worth spelling.
        let spelled: String = text.chars().take(NAME_LEN_MAX + 1).map(letter).collect();
        spelled.parse().map_err(|_| NameError(shortened(text)))
    }
}

impl FromStr for Name {
    type Err = NameError;

    fn from_str(text: &str) -> Result<Self, NameError> {
        let fits = (1..=NAME_LEN_MAX).contains(&text.len())
            && text.bytes().all(|b| matches!(b, b'a'..=b'z' | b'0'..=b'9' | b'-'));
        if fits { Ok(Self(text.into())) } else { Err(NameError(shortened(text))) }
    }
}

impl TryFrom<String> for Name {
    type Error = NameError;

    fn try_from(text: String) -> Result<Self, NameError> {
        text.parse()
    }
}

impl From<Name> for String {
    fn from(name: Name) -> Self {
        name.0.into()
    }
}

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Hostile text is quoted in errors, but never at length.
pub(crate) fn shortened(text: &str) -> String {
    const QUOTED_CHARS_MAX: usize = 80;
    match text.char_indices().nth(QUOTED_CHARS_MAX) {
        None => text.to_owned(),
        Some((end, _)) => format!("{}…", &text[..end]),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_a_dns_label_in_lower_case() {
        for good in ["a", "http-hello", "0", &"x".repeat(63)] {
            assert_eq!(good.parse::<Name>().expect(good).as_str(), good);
        }
        for bad in ["", "A", "a.b", "a/b", "ä", "a b", &"x".repeat(64)] {
            assert!(bad.parse::<Name>().is_err(), "{bad:?}");
        }
    }

    #[test]
    fn a_name_of_wasmclouds_is_spelled_as_ours() {
        for (theirs, ours) in [("My_Link.v2", "my-link-v2"), ("a b", "a-b"), ("same", "same")] {
            assert_eq!(Name::spelled(theirs).expect(theirs).as_str(), ours);
        }
        for bad in ["", "a/b", "ä", &"X".repeat(64)] {
            assert_eq!(Name::spelled(bad), Err(NameError(bad.to_owned())));
        }
    }

    #[test]
    fn an_error_quotes_hostile_text_shortly() {
        let error = "X".repeat(1_000_000).parse::<Name>().expect_err("upper case");
        assert!(error.to_string().len() < 200);
    }
}
