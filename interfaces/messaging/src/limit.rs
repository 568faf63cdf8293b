//! What the contract holds both sides to. The caller checks before it sends, the provider before it acts.

use wattle_core::call::PARAMS_LEN_MAX;

use crate::error::{Failure, Kind};

/// The most bytes of a subject, and of the subject of an answer: both fit into NATS's control line of 4 KiB.
pub const SUBJECT_LEN_MAX: usize = 1_024;

/// Bytes of a message's parameters that are not the body: two subjects, field names and lengths.
const ENVELOPE_LEN: usize = 8 * 1024;

/// The most bytes of a body: what fits beside the rest of a call. Brokers may have lower limits of their own.
pub const BODY_LEN_MAX: usize = PARAMS_LEN_MAX - ENVELOPE_LEN;

/// Whether this can be the subject of a message.
pub fn check_subject(subject: &str) -> Result<(), Failure> {
    if subject.is_empty() {
        return Err(Failure::new(Kind::Invalid, "a subject has at least one character"));
    }
    check("subject", subject.len(), SUBJECT_LEN_MAX)
}

/// Whether this can be a message's body.
pub fn check_body(body: &[u8]) -> Result<(), Failure> {
    check("body", body.len(), BODY_LEN_MAX)
}

fn check(what: &str, len: usize, max: usize) -> Result<(), Failure> {
    if len > max {
        let text = format!("{what} of {len} bytes, the limit is {max}");
        return Err(Failure::new(Kind::TooLarge, text));
    }
    Ok(())
}
