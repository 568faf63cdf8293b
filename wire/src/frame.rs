//! What travels, whatever carries it: frames, and how they look as bytes.
//!
//! ```text
//! u32 LE length of what follows | u8 version | u8 kind | u16 LE head length | u32 LE call | payload
//! ```
//! The call's highest bit says who made the call: clear for the frame's sender, set for its receiver. The kind's high bits say
//! what a request or reply carries beside its parameters or result.

mod decode;
mod encode;

use bytes::Bytes;
use wattle_core::{CallError, call::PARAMS_LEN_MAX, provider::CONTROL_LEN_MAX};

use crate::body::StreamError;

pub use decode::{FrameError, decode};

/// The version that this code writes and reads.
pub const VERSION: u8 = 1;
/// Bytes ahead of every payload, the length included.
pub const HEADER_LEN: usize = 12;
/// The most bytes of a request's head: ids, two names and a trace.
pub const HEAD_LEN_MAX: usize = 16 * 1024;
/// The most bytes of a body, with its trailers, that travels inside its request or reply instead of as a stream.
pub const INLINE_LEN_MAX: usize = 16 * 1024;
/// The most bytes of one data frame's chunk: small enough that streams take turns on the socket.
pub const CHUNK_LEN_MAX: usize = 64 * 1024;
/// The most bytes of trailers.
pub const TRAILERS_LEN_MAX: usize = 64 * 1024;
/// The most bytes of an error: its message is cut well before this.
pub const ERROR_LEN_MAX: usize = 8 * 1024;
/// The most bytes of any frame's payload.
pub const PAYLOAD_LEN_MAX: usize = PARAMS_LEN_MAX + 64 * 1024;

/// How many bits of a call's number are its place in its maker's table; those above only tell calls at one place apart.
pub const PLACE_BITS: u32 = 13;
/// The highest bit of the call's field on the wire; numbers stay below it.
const MAKER_BIT: u32 = 1 << 31;

/// Who numbered a call, as seen by the sender of a frame about it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Maker {
    /// The frame's sender asked.
    Sender,
    /// The frame's receiver asked.
    Receiver,
}

/// A call, as both ends name it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct CallRef {
    /// Its maker's number for it, below 2^31.
    pub number: u32,
    /// Who made it.
    pub maker: Maker,
}

impl CallRef {
    /// A call that the frame's sender made.
    pub const fn of_sender(number: u32) -> Self {
        Self { number, maker: Maker::Sender }
    }

    /// A call that the frame's receiver made.
    pub const fn of_receiver(number: u32) -> Self {
        Self { number, maker: Maker::Receiver }
    }

    /// The same call, as the other end names it.
    #[must_use]
    pub const fn flipped(self) -> Self {
        match self.maker {
            Maker::Sender => Self::of_receiver(self.number),
            Maker::Receiver => Self::of_sender(self.number),
        }
    }

    const fn to_wire(self) -> u32 {
        match self.maker {
            Maker::Sender => self.number & !MAKER_BIT,
            Maker::Receiver => self.number | MAKER_BIT,
        }
    }

    const fn from_wire(wire: u32) -> Self {
        let number = wire & !MAKER_BIT;
        if wire & MAKER_BIT == 0 { Self::of_sender(number) } else { Self::of_receiver(number) }
    }
}

/// What a request or a reply carries beside its parameters or result.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Attached {
    /// Nothing.
    Nothing,
    /// A body that fits inside.
    Inline {
        /// All of it.
        body: Bytes,
        /// What stands behind it.
        trailers: Option<Bytes>,
    },
    /// A body that follows as data frames.
    Stream,
}

/// One message of a connection.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Frame {
    /// A call is made. Its number is its sender's.
    Request {
        /// Its maker's number for it.
        number: u32,
        /// An encoded `wattle_core::call::RequestHead`.
        head: Bytes,
        /// The parameters.
        params: Bytes,
        /// Its body.
        body: Attached,
    },
    /// A call is answered. The number is its receiver's.
    Reply {
        /// Its maker's number for it.
        number: u32,
        /// The result.
        result: Bytes,
        /// Its body.
        body: Attached,
    },
    /// A call failed; nothing more comes about it.
    Error {
        /// Its maker's number for it.
        number: u32,
        /// How.
        error: CallError,
    },
    /// The next piece of a body: a request's from the call's maker, a reply's from the other.
    Data {
        /// The call that the body belongs to.
        call: CallRef,
        /// How many frames of this body came before; what a carrier drops shows as a gap.
        index: u32,
        /// The piece.
        chunk: Bytes,
    },
    /// A body's end.
    End {
        /// The call that the body belongs to.
        call: CallRef,
        /// How many data frames came before.
        index: u32,
        /// What stands behind the body.
        trailers: Option<Bytes>,
    },
    /// A body ends with an error.
    Abort {
        /// The call that the body belongs to.
        call: CallRef,
        /// Why.
        error: StreamError,
    },
    /// A body's reader has room for more.
    Credit {
        /// The call that the body belongs to.
        call: CallRef,
        /// How much more, counted as [`cost`] does.
        more: u32,
    },
    /// From a call's maker: the call is no longer wanted. From the other: its request's body is no longer read.
    Cancel {
        /// The call.
        call: CallRef,
    },
    /// A message beside calls.
    Control {
        /// The message.
        message: Bytes,
    },
    /// A sign of life is wanted.
    Ping {
        /// Said back by the pong.
        nonce: u64,
    },
    /// The sign.
    Pong {
        /// The ping's.
        nonce: u64,
    },
}

/// What a data frame counts for beside its bytes, so that a window also bounds how many tiny chunks a reader holds.
pub const CHUNK_COST: u32 = 64;
/// How much of one body may be under way to its reader, counted by [`cost`].
pub const WINDOW: u32 = 256 * 1024;

/// The length of the first of whole frames, its header included; none where there is none.
pub fn first_len(frames: &[u8]) -> Option<usize> {
    let len = usize::try_from(u32::from_le_bytes(*frames.first_chunk()?)).ok()? + 4;
    (len <= frames.len()).then_some(len)
}

/// What a chunk takes of its stream's window.
pub fn cost(chunk: &Bytes) -> u32 {
    u32::try_from(chunk.len()).unwrap_or(u32::MAX).saturating_add(CHUNK_COST)
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
enum Kind {
    Request = 1,
    Reply = 2,
    Error = 3,
    Data = 4,
    End = 5,
    Abort = 6,
    Credit = 7,
    Cancel = 8,
    Control = 9,
    Ping = 10,
    Pong = 11,
}

/// The bits of the kind's byte that are the kind.
const KIND_MASK: u8 = 0x0f;
/// A request or reply has its whole body inside.
const FLAG_INLINE: u8 = 0x10;
/// A request's or reply's body follows.
const FLAG_STREAM: u8 = 0x20;
/// There are trailers in this frame.
const FLAG_TRAILERS: u8 = 0x40;

impl Kind {
    fn from_wire(byte: u8) -> Option<Self> {
        use Kind::{Abort, Cancel, Control, Credit, Data, End, Error, Ping, Pong, Reply, Request};
        const ALL: [Kind; 11] =
            [Request, Reply, Error, Data, End, Abort, Credit, Cancel, Control, Ping, Pong];
        ALL.get(usize::from(byte & KIND_MASK).wrapping_sub(1)).copied()
    }

    /// The flags that this kind may carry.
    const fn flags(self) -> u8 {
        match self {
            Self::Request | Self::Reply => FLAG_INLINE | FLAG_STREAM | FLAG_TRAILERS,
            Self::End => FLAG_TRAILERS,
            _ => 0,
        }
    }

    /// The most bytes of this kind's payload: known before any of it is kept.
    const fn payload_len_max(self) -> usize {
        match self {
            Self::Request | Self::Reply => PAYLOAD_LEN_MAX,
            Self::Error | Self::Abort => ERROR_LEN_MAX,
            Self::Data => 4 + CHUNK_LEN_MAX,
            Self::End => 4 + TRAILERS_LEN_MAX,
            Self::Control => CONTROL_LEN_MAX,
            Self::Ping | Self::Pong => 8,
            Self::Credit => 4,
            Self::Cancel => 0,
        }
    }
}

/// How stream errors are told apart on the wire; the text behind the code is the message of `Failed`.
const STREAM_ERRORS: [(u8, StreamError); 5] = [
    (1, StreamError::Lost),
    (2, StreamError::Interrupted),
    (3, StreamError::Cancelled),
    (4, StreamError::TooLarge),
    (5, StreamError::Idle),
];
/// The code of `StreamError::Failed`, and of every one that a later version adds.
const STREAM_FAILED: u8 = 0;

#[cfg(test)]
pub(crate) mod tests;
