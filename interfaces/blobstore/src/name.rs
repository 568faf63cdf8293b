//! Which names containers and objects can have: those that are the same thing in a file system and in an S3 bucket.
//!
//! What a store would read in a way of its own (a way up, an absolute path, an empty segment) is refused here, for every
//! store alike, so that no store has to be trusted with it.

use wattle_core::{CallError, ErrorKind};

use crate::{
    error::Failure,
    limit::{CONTAINER_LEN_MAX, OBJECT_LEN_MAX},
};

/// Whether a container can have this name.
pub fn check_container(name: &str) -> Result<(), Failure> {
    check_len("container", name, CONTAINER_LEN_MAX)?;
    if name.starts_with('.') {
        return Err(malformed("container", name, "it must not start with a dot"));
    }
    if name.contains('/') {
        return Err(malformed("container", name, "it must not have a slash"));
    }
    check_characters("container", name)
}

/// Whether an object can have this name.
pub fn check_object(name: &str) -> Result<(), Failure> {
    check_len("object", name, OBJECT_LEN_MAX)?;
    check_characters("object", name)?;
    for segment in name.split('/') {
        let reason = match segment {
            "" => "it must not start or end with a slash, or have two in a row",
            "." | ".." => "it must not have . or .. between slashes",
            long if long.len() > SEGMENT_LEN_MAX => "it has a segment of more than 255 bytes",
            _ => continue,
        };
        return Err(malformed("object", name, reason));
    }
    Ok(())
}

/// The most bytes between two slashes: what a file's name can have.
const SEGMENT_LEN_MAX: usize = 255;

fn check_len(what: &str, name: &str, max: usize) -> Result<(), Failure> {
    if name.is_empty() {
        return Err(malformed(what, name, "it has at least one character"));
    }
    if name.len() > max {
        let text = format!("{what} name of {} bytes, the limit is {max}", name.len());
        return Err(Failure::too_large(text));
    }
    Ok(())
}

fn check_characters(what: &str, name: &str) -> Result<(), Failure> {
    if name.contains('\\') {
        return Err(malformed(what, name, "it must not have a backslash"));
    }
    if name.chars().any(char::is_control) {
        return Err(malformed(what, name, "it must not have control characters"));
    }
    Ok(())
}

fn malformed(what: &str, name: &str, reason: &str) -> Failure {
    let text = format!("{name:?} cannot be the name of a {what}: {reason}");
    Failure::Call(CallError::new(ErrorKind::Malformed, text))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kind(answer: Result<(), Failure>) -> Option<ErrorKind> {
        match answer {
            Ok(()) => None,
            Err(Failure::Call(error)) => Some(error.kind),
            Err(Failure::Store(error)) => panic!("{error}"),
        }
    }

    #[test]
    fn names_that_lead_elsewhere_are_refused() {
        for name in [
            "",
            ".",
            "..",
            "/",
            "/a",
            "a/",
            "a//b",
            "./a",
            "a/./b",
            "../a",
            "a/../../b",
            "a/..",
            "a\0b",
            "a\nb",
            "a\\b",
            "\u{85}",
        ] {
            assert_eq!(kind(check_object(name)), Some(ErrorKind::Malformed), "{name:?}");
            assert_eq!(kind(check_container(name)), Some(ErrorKind::Malformed), "{name:?}");
        }
        assert_eq!(kind(check_container(".hidden")), Some(ErrorKind::Malformed));
        assert_eq!(kind(check_container("a/b")), Some(ErrorKind::Malformed));
    }

    #[test]
    fn names_that_are_only_odd_are_taken() {
        for name in ["a", "ä/ö", "...", "a/.b", "a b", "%2e%2e/x", "a+b&c?d#e", "~", "*", "C:x"] {
            assert_eq!(kind(check_object(name)), None, "{name:?}");
        }
        assert_eq!(kind(check_container("shop-1.example_X")), None);
    }

    #[test]
    fn names_have_a_length() {
        let long = ["s".repeat(255), "s".repeat(255)].join("/");
        assert_eq!(kind(check_object(&long)), None);
        assert_eq!(kind(check_object(&"s".repeat(256))), Some(ErrorKind::Malformed));
        assert_eq!(kind(check_object(&"s/".repeat(600))), Some(ErrorKind::TooLarge));
        assert_eq!(kind(check_container(&"s".repeat(64))), Some(ErrorKind::TooLarge));
    }
}
