//! `wasi:http` between whoever holds an HTTP connection and the actor that answers it.
//!
//! A request is one call of [`HANDLE`]: its parameters are the request's head, its stream the request's body; the result is
//! the response's head, the reply's stream the response's body. Trailers end a stream. Both ends use the functions here.

mod fields;
mod head;
pub mod outgoing;
mod status;

pub use fields::{HEADERS_MAX, decode_trailers, encode_trailers};
pub use head::{
    HEAD_LEN_MAX, HttpHeadError, decode_request, decode_response, encode_request, encode_response,
};
pub use status::status_of;
use wattle_core::Operation;

/// The one function of the contract.
pub const HANDLE: Operation =
    Operation { interface: "wasi:http/incoming-handler", function: "handle" };
