//! One message between two hosts: what stands ahead of its payload, and behind it.
//!
//! ```text
//! u8 version | u8 kind | u8 part | u8 key | u64 LE session | u64 LE counter | payload | 32 bytes of tag
//! ```
//! The session is the receiver's number for it. The two tokens of a handshake and the sealed key are their own proof and have no
//! tag; everything else has one, over all bytes ahead of it.

use bytes::Bytes;
use wattle_core::SessionId;

/// The version that this code writes and reads.
const VERSION: u8 = 1;
/// Bytes ahead of the payload.
pub(super) const HEADER_LEN: usize = 20;
/// Bytes of a tag.
pub(super) const TAG_LEN: usize = 32;

/// What a message is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub(super) enum Kind {
    /// The first word: a token.
    Hello = 1,
    /// Its answer: a token.
    Welcome = 2,
    /// The initiator's key, sealed.
    Confirm = 3,
    /// Frames of calls.
    Frames = 4,
    /// The sender's next key, sealed.
    Rekey = 5,
    /// The receiver has that key.
    Rekeyed = 6,
    /// The session ends.
    Bye = 7,
}

/// How a message's payload stands to those around it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub(super) enum Part {
    /// It is whole.
    Whole = 0,
    /// A frame begins that is longer than a message.
    First = 1,
    /// It goes on.
    Middle = 2,
    /// It ends.
    Last = 3,
}

/// What stands ahead of a payload.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Header {
    pub(super) kind: Kind,
    pub(super) part: Part,
    /// Which of the sender's keys made the tag.
    pub(super) key: u8,
    pub(super) session: SessionId,
    pub(super) counter: u64,
}

impl Kind {
    fn from_wire(byte: u8) -> Option<Self> {
        use Kind::{Bye, Confirm, Frames, Hello, Rekey, Rekeyed, Welcome};
        const ALL: [Kind; 7] = [Hello, Welcome, Confirm, Frames, Rekey, Rekeyed, Bye];
        ALL.get(usize::from(byte).wrapping_sub(1)).copied()
    }

    /// Whether a tag ends the message.
    pub(super) const fn is_tagged(self) -> bool {
        matches!(self, Self::Frames | Self::Rekey | Self::Rekeyed | Self::Bye)
    }
}

impl Part {
    fn from_wire(byte: u8) -> Option<Self> {
        [Self::Whole, Self::First, Self::Middle, Self::Last].get(usize::from(byte)).copied()
    }
}

impl Header {
    /// The header of a message of a handshake.
    pub(super) const fn untagged(kind: Kind, session: SessionId) -> Self {
        Self { kind, part: Part::Whole, key: 0, session, counter: 0 }
    }

    /// A message without its tag, with room for it.
    pub(super) fn message(&self, payload: &[u8]) -> Vec<u8> {
        let mut message = Vec::with_capacity(HEADER_LEN + payload.len() + TAG_LEN);
        message.extend_from_slice(&[VERSION, self.kind as u8, self.part as u8, self.key]);
        message.extend_from_slice(&self.session.as_u64().to_le_bytes());
        message.extend_from_slice(&self.counter.to_le_bytes());
        message.extend_from_slice(payload);
        message
    }

    /// The header of a message, if it is one. Nothing of it is believed yet.
    pub(super) fn read(message: &[u8]) -> Option<Self> {
        let (header, rest) = message.split_first_chunk::<HEADER_LEN>()?;
        let [version, kind, part, key, numbers @ ..] = *header;
        let (session, counter) = numbers.split_first_chunk::<8>()?;
        let kind = Kind::from_wire(kind)?;
        if version != VERSION || (kind.is_tagged() && rest.len() < TAG_LEN) {
            return None;
        }
        Some(Self {
            kind,
            part: Part::from_wire(part)?,
            key,
            session: SessionId::from_u64(u64::from_le_bytes(*session)),
            counter: u64::from_le_bytes(counter.try_into().ok()?),
        })
    }
}

/// The payload of a message of a handshake.
pub(super) fn untagged_payload(message: &Bytes) -> Bytes {
    message.slice(HEADER_LEN..)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn the_bytes_of_a_message_are_these() {
        let header = Header {
            kind: Kind::Frames,
            part: Part::First,
            key: 3,
            session: SessionId::from_u64(0x0807_0605_0403_0201),
            counter: 258,
        };
        let mut bytes = vec![1, 4, 1, 3, 1, 2, 3, 4, 5, 6, 7, 8, 2, 1, 0, 0, 0, 0, 0, 0];
        bytes.extend_from_slice(b"payload");
        let message = header.message(b"payload");
        assert_eq!(message, bytes);
        assert_eq!(Header::read(&message), None, "there is no tag");
        bytes.extend_from_slice(&[0; TAG_LEN]);
        assert_eq!(Header::read(&bytes), Some(header));
    }

    proptest! {
        #[test]
        fn random_bytes_are_a_header_or_nothing(bytes in prop::collection::vec(any::<u8>(), 0..100)) {
            if let Some(header) = Header::read(&bytes) {
                let len = bytes.len().min(HEADER_LEN);
                prop_assert_eq!(&header.message(&[])[..len], &bytes[..len]);
            }
        }
    }
}
