//! Bytes to frames. The bytes are another process's: every length is checked before it is used.

use bytes::{Buf, Bytes, BytesMut};
use wattle_core::{CallError, ErrorKind, call::PARAMS_LEN_MAX, codec};

use super::{
    Attached, CallRef, ERROR_LEN_MAX, FLAG_INLINE, FLAG_STREAM, FLAG_TRAILERS, Frame, HEAD_LEN_MAX,
    HEADER_LEN, INLINE_LEN_MAX, KIND_MASK, Kind, Maker, STREAM_ERRORS, VERSION,
};
use crate::body::StreamError;

/// Why bytes are not a frame. The connection that they came on cannot go on.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum FrameError {
    /// Another version's frame.
    #[error("frame of version {0}, not {VERSION}")]
    Version(u8),
    /// No frame has this kind.
    #[error("no frame has kind {0}")]
    Kind(u8),
    /// Longer than frames of this kind may be.
    #[error("frame of {len} bytes, the limit is {max}")]
    TooLong {
        /// Bytes announced.
        len: usize,
        /// Bytes allowed.
        max: usize,
    },
    /// Its parts do not fit into it, or must not be there.
    #[error("malformed {0} frame")]
    Malformed(&'static str),
}

/// The next frame at the front of `buffer`, taken off it, or `None` while not all of it is there; then room for the rest of it is
/// reserved. Frames share the buffer's memory.
///
/// # Errors
/// `buffer` does not begin with a frame. Nothing behind it can be understood either.
pub fn decode(buffer: &mut BytesMut) -> Result<Option<Frame>, FrameError> {
    let Some(header) = buffer.first_chunk::<HEADER_LEN>() else {
        return Ok(None);
    };
    let header = Header::parse(header)?;
    let whole = HEADER_LEN + header.payload_len;
    if buffer.len() < whole {
        buffer.reserve(whole - buffer.len());
        return Ok(None);
    }
    let mut payload = buffer.split_to(whole).freeze();
    payload.advance(HEADER_LEN);
    header.frame(payload).map(Some)
}

struct Header {
    kind: Kind,
    flags: u8,
    head_len: usize,
    call: CallRef,
    payload_len: usize,
}

impl Header {
    fn parse(bytes: &[u8; HEADER_LEN]) -> Result<Self, FrameError> {
        let [l0, l1, l2, l3, version, kind_and_flags, h0, h1, c0, c1, c2, c3] = *bytes;
        if version != VERSION {
            return Err(FrameError::Version(version));
        }
        let kind = Kind::from_wire(kind_and_flags).ok_or(FrameError::Kind(kind_and_flags))?;
        let flags = kind_and_flags & !KIND_MASK;
        if flags & !kind.flags() != 0 {
            return Err(FrameError::Kind(kind_and_flags));
        }
        let len = u32::from_le_bytes([l0, l1, l2, l3]) as usize;
        let max = HEADER_LEN - 4 + kind.payload_len_max();
        if len > max {
            return Err(FrameError::TooLong { len, max });
        }
        let payload_len = len.checked_sub(HEADER_LEN - 4).ok_or(FrameError::Malformed("short"))?;
        let head_len = usize::from(u16::from_le_bytes([h0, h1]));
        if head_len > payload_len
            || head_len > HEAD_LEN_MAX
            || (head_len > 0 && kind != Kind::Request)
        {
            return Err(FrameError::Malformed("headed"));
        }
        let call = CallRef::from_wire(u32::from_le_bytes([c0, c1, c2, c3]));
        Ok(Self { kind, flags, head_len, call, payload_len })
    }

    fn frame(self, payload: Bytes) -> Result<Frame, FrameError> {
        let call = self.call;
        Ok(match self.kind {
            Kind::Request => self.request(payload)?,
            Kind::Reply => self.reply(payload)?,
            Kind::Error => {
                let number = self.number_of(Maker::Receiver, "error")?;
                Frame::Error { number, error: decode_error(&payload) }
            }
            Kind::Data => {
                let (index, chunk) = split_u32(payload, "data")?;
                Frame::Data { call, index, chunk }
            }
            Kind::End => {
                let (index, trailers) = split_u32(payload, "end")?;
                Frame::End { call, index, trailers: self.trailers(trailers, "end")? }
            }
            Kind::Abort => Frame::Abort { call, error: decode_stream_error(&payload)? },
            Kind::Credit => Frame::Credit { call, more: split_u32(payload, "credit")?.0 },
            Kind::Cancel => Frame::Cancel { call },
            Kind::Control => Frame::Control { message: payload },
            Kind::Ping => Frame::Ping { nonce: decode_nonce(&payload)? },
            Kind::Pong => Frame::Pong { nonce: decode_nonce(&payload)? },
        })
    }

    fn request(self, mut payload: Bytes) -> Result<Frame, FrameError> {
        let number = self.number_of(Maker::Sender, "request")?;
        let head = payload.split_to(self.head_len); // checked with the header
        let (params, body) = self.values(payload, "request")?;
        Ok(Frame::Request { number, head, params, body })
    }

    fn reply(self, payload: Bytes) -> Result<Frame, FrameError> {
        let number = self.number_of(Maker::Receiver, "reply")?;
        let (result, body) = self.values(payload, "reply")?;
        Ok(Frame::Reply { number, result, body })
    }

    /// The call's number, where the kind leaves no choice who made it.
    fn number_of(&self, maker: Maker, what: &'static str) -> Result<u32, FrameError> {
        if self.call.maker != maker {
            return Err(FrameError::Malformed(what));
        }
        Ok(self.call.number)
    }

    fn values(&self, payload: Bytes, what: &'static str) -> Result<(Bytes, Attached), FrameError> {
        let malformed = FrameError::Malformed(what);
        let (values, body) = match self.flags & (FLAG_INLINE | FLAG_STREAM) {
            FLAG_INLINE => {
                let (values, rest) = split_sized(payload, what)?;
                let (body, trailers) = split_sized(rest, what)?;
                if body.len() + trailers.len() > INLINE_LEN_MAX {
                    return Err(malformed);
                }
                (values, Attached::Inline { body, trailers: self.trailers(trailers, what)? })
            }
            _ if self.flags & FLAG_TRAILERS != 0 => return Err(malformed),
            0 => (payload, Attached::Nothing),
            FLAG_STREAM => (payload, Attached::Stream),
            _ => return Err(malformed),
        };
        if values.len() > PARAMS_LEN_MAX {
            return Err(FrameError::TooLong { len: values.len(), max: PARAMS_LEN_MAX });
        }
        Ok((values, body))
    }

    fn trailers(&self, bytes: Bytes, what: &'static str) -> Result<Option<Bytes>, FrameError> {
        match (self.flags & FLAG_TRAILERS != 0, bytes.is_empty()) {
            (true, _) => Ok(Some(bytes)),
            (false, true) => Ok(None),
            (false, false) => Err(FrameError::Malformed(what)),
        }
    }
}

fn split_u32(mut payload: Bytes, what: &'static str) -> Result<(u32, Bytes), FrameError> {
    let value = payload.try_get_u32_le().map_err(|_| FrameError::Malformed(what))?;
    Ok((value, payload))
}

/// A part with its length ahead, and what is behind it.
fn split_sized(payload: Bytes, what: &'static str) -> Result<(Bytes, Bytes), FrameError> {
    let (len, mut part) = split_u32(payload, what)?;
    if len as usize > part.len() {
        return Err(FrameError::Malformed(what));
    }
    let rest = part.split_off(len as usize);
    Ok((part, rest))
}

fn decode_nonce(payload: &[u8]) -> Result<u64, FrameError> {
    let bytes = payload.try_into().map_err(|_| FrameError::Malformed("ping"))?;
    Ok(u64::from_le_bytes(bytes))
}

/// A kind of failure that the next version adds is a failure all the same, and ends only its call.
fn decode_error(payload: &[u8]) -> CallError {
    match codec::decode::<CallError>(payload, ERROR_LEN_MAX) {
        Ok(CallError { kind, message }) => CallError::new(kind, message),
        Err(_) => CallError::new(ErrorKind::Failed, "it failed in a way unknown to this version"),
    }
}

fn decode_stream_error(payload: &[u8]) -> Result<StreamError, FrameError> {
    let (code, text) = payload.split_first().ok_or(FrameError::Malformed("abort"))?;
    let known = STREAM_ERRORS.iter().find_map(|(known, error)| (known == code).then_some(error));
    Ok(known.cloned().unwrap_or_else(|| {
        let text = String::from_utf8_lossy(text);
        let end = text.floor_char_boundary(CallError::MESSAGE_LEN_MAX);
        StreamError::Failed(text[..end].to_owned())
    }))
}
