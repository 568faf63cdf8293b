//! What code that was written from a WIT makes of a call: `wattle new provider` writes such code.

use std::time::Instant;

use serde::{Deserialize, Serialize};
use wattle_core::{
    CallError, CallId, ErrorKind, TraceParent,
    call::{PARAMS_LEN_MAX, unknown_function as not_known},
    codec,
};
use wattle_wire::Reply;

use crate::provider::IncomingCall;

/// What a function is told of its call beside the parameters.
#[derive(Clone, Copy, Debug)]
pub struct CallContext {
    /// The call, as logs and errors name it.
    pub id: CallId,
    /// The link that it comes over, which the host has checked.
    pub link: u32,
    /// When the caller stops waiting.
    pub deadline: Instant,
    /// The trace that it belongs to.
    pub trace: Option<TraceParent>,
}

impl IncomingCall {
    /// The call without what it carries.
    pub fn context(&self) -> CallContext {
        CallContext { id: self.id, link: self.link, deadline: self.deadline, trace: self.trace }
    }
}

/// A function's parameters, from a map with their WIT names.
///
/// # Errors
/// [`ErrorKind::Malformed`], with what is wrong with them.
pub fn decode_params<'a, T: Deserialize<'a>>(params: &'a [u8]) -> Result<T, CallError> {
    codec::decode(params, PARAMS_LEN_MAX)
        .map_err(|error| CallError::new(ErrorKind::Malformed, format!("parameters: {error}")))
}

/// The answer of a function that gives this.
///
/// # Errors
/// [`ErrorKind::TooLarge`] for more than a result may have.
pub fn encode_result<T: Serialize>(given: &T) -> Result<Reply, CallError> {
    let result = codec::encode(given);
    if result.len() > PARAMS_LEN_MAX {
        let text = format!("a result of {} bytes, the limit is {PARAMS_LEN_MAX}", result.len());
        return Err(CallError::new(ErrorKind::TooLarge, text));
    }
    Ok(Reply::new(result))
}

/// What is answered to a call on a function that nobody wrote.
pub fn unknown_function(interface: &str, function: &str) -> CallError {
    not_known(interface, function)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parameters_and_results_are_refused_by_kind() {
        #[derive(Debug, Deserialize)]
        struct Params {
            count: u32,
        }
        let params: Params = decode_params(b"\x81\xa5count\x07").expect("a map");
        assert_eq!(params.count, 7);
        let error = decode_params::<Params>(b"\x80").expect_err("count is missing");
        assert_eq!(error.kind, ErrorKind::Malformed);
        assert!(error.message.contains("count"), "{error}");
        let error = encode_result(&"x".repeat(PARAMS_LEN_MAX)).expect_err("too long");
        assert_eq!(error.kind, ErrorKind::TooLarge);
    }
}
