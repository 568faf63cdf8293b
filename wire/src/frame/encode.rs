//! Frames to bytes.

use wattle_core::{CallError, codec};

use super::{
    Attached, CallRef, FLAG_INLINE, FLAG_STREAM, FLAG_TRAILERS, Frame, HEADER_LEN, Kind,
    STREAM_ERRORS, STREAM_FAILED, VERSION,
};
use crate::body::StreamError;

impl Frame {
    /// Appends the frame. Lengths were checked where the frame's parts came from: a part that is too long for its frame is
    /// refused by the other side.
    pub fn encode(&self, out: &mut Vec<u8>) {
        match self {
            Self::Request { number, head, params, body } => {
                let call = CallRef::of_sender(*number);
                put_message(out, Kind::Request, call, head, params, body);
            }
            Self::Reply { number, result, body } => {
                put_message(out, Kind::Reply, CallRef::of_receiver(*number), &[], result, body);
            }
            Self::Error { number, error } => {
                let call = CallRef::of_receiver(*number);
                put(out, Kind::Error, 0, call, &[&encode_error(error)]);
            }
            Self::Data { call, index, chunk } => {
                put(out, Kind::Data, 0, *call, &[&index.to_le_bytes(), chunk]);
            }
            Self::End { call, index, trailers } => {
                let flags = if trailers.is_some() { FLAG_TRAILERS } else { 0 };
                let trailers = trailers.as_deref().unwrap_or_default();
                put(out, Kind::End, flags, *call, &[&index.to_le_bytes(), trailers]);
            }
            Self::Abort { call, error } => put_abort(out, *call, error),
            Self::Credit { call, more } => {
                put(out, Kind::Credit, 0, *call, &[&more.to_le_bytes()]);
            }
            Self::Cancel { call } => put(out, Kind::Cancel, 0, *call, &[]),
            Self::Control { message } => put_beside(out, Kind::Control, message),
            Self::Ping { nonce } => put_beside(out, Kind::Ping, &nonce.to_le_bytes()),
            Self::Pong { nonce } => put_beside(out, Kind::Pong, &nonce.to_le_bytes()),
        }
    }
}

fn put_header(out: &mut Vec<u8>, kind: u8, head_len: usize, call: CallRef, payload_len: usize) {
    let len = u32::try_from(HEADER_LEN - 4 + payload_len).expect("parts are bounded far below");
    let head_len = u16::try_from(head_len).expect("heads are bounded below 64 KiB");
    out.reserve(HEADER_LEN + payload_len);
    out.extend_from_slice(&len.to_le_bytes());
    out.extend_from_slice(&[VERSION, kind]);
    out.extend_from_slice(&head_len.to_le_bytes());
    out.extend_from_slice(&call.to_wire().to_le_bytes());
}

fn put(out: &mut Vec<u8>, kind: Kind, flags: u8, call: CallRef, parts: &[&[u8]]) {
    put_header(out, kind as u8 | flags, 0, call, parts.iter().map(|part| part.len()).sum());
    for part in parts {
        out.extend_from_slice(part);
    }
}

/// Frames that belong to no call carry zero in its place.
fn put_beside(out: &mut Vec<u8>, kind: Kind, payload: &[u8]) {
    put(out, kind, 0, CallRef::of_sender(0), &[payload]);
}

/// `head | values`, or with a body inside `head | u32 LE values' length | values | u32 LE body's length | body | trailers`.
fn put_message(
    out: &mut Vec<u8>,
    kind: Kind,
    call: CallRef,
    head: &[u8],
    values: &[u8],
    body: &Attached,
) {
    let (flags, inline) = match body {
        Attached::Nothing => (0, None),
        Attached::Stream => (FLAG_STREAM, None),
        Attached::Inline { body, trailers: None } => (FLAG_INLINE, Some((body, &[][..]))),
        Attached::Inline { body, trailers: Some(trailers) } => {
            (FLAG_INLINE | FLAG_TRAILERS, Some((body, &trailers[..])))
        }
    };
    let inline_len = inline.map_or(0, |(body, trailers)| 8 + body.len() + trailers.len());
    let payload_len = head.len() + values.len() + inline_len;
    put_header(out, kind as u8 | flags, head.len(), call, payload_len);
    out.extend_from_slice(head);
    let Some((body, trailers)) = inline else { return out.extend_from_slice(values) };
    for part in [values, body] {
        let len = u32::try_from(part.len()).expect("bounded by its frame");
        out.extend_from_slice(&len.to_le_bytes());
        out.extend_from_slice(part);
    }
    out.extend_from_slice(trailers);
}

/// The message was cut when the error was made, but its fields are public.
fn encode_error(error: &CallError) -> Vec<u8> {
    if error.message.len() <= 2 * CallError::MESSAGE_LEN_MAX {
        return codec::encode(error);
    }
    codec::encode(&CallError::new(error.kind, error.message.as_str()))
}

fn put_abort(out: &mut Vec<u8>, call: CallRef, error: &StreamError) {
    let text = match error {
        StreamError::Failed(text) => text.as_str(),
        _ => "",
    };
    let text = &text[..text.floor_char_boundary(CallError::MESSAGE_LEN_MAX)];
    let code = STREAM_ERRORS
        .iter()
        .find_map(|(code, known)| (known == error).then_some(*code))
        .unwrap_or(STREAM_FAILED);
    put(out, Kind::Abort, 0, call, &[&[code], text.as_bytes()]);
}
