//! One direction of a session: messages are tagged and counted where they leave, and checked where they arrive.

use std::time::{Duration, Instant};

use bytes::{Bytes, BytesMut};
use wattle_core::SessionId;
use wattle_wire::frame;

use super::{
    Refused,
    envelope::{HEADER_LEN, Header, Kind, Part, TAG_LEN},
    window::{Stale, Window},
};

/// The most bytes of a frame that is longer than a message.
const FRAME_LEN_MAX: usize = frame::HEADER_LEN + frame::PAYLOAD_LEN_MAX;

/// The secret of one direction, for some of its messages. Whoever has it can speak in the sender's name.
#[derive(Clone)]
pub(super) struct Key([u8; 32]);

impl Key {
    pub(super) const LEN: usize = 32;

    pub(super) fn random() -> Self {
        Self(rand::random())
    }

    pub(super) fn from_bytes(bytes: &[u8]) -> Option<Self> {
        bytes.try_into().ok().map(Self)
    }

    pub(super) const fn as_bytes(&self) -> &[u8; Self::LEN] {
        &self.0
    }

    fn tag(&self, bytes: &[u8]) -> blake3::Hash {
        blake3::keyed_hash(&self.0, bytes)
    }
}

/// Makes the messages of one direction.
pub(super) struct Sealer {
    session: SessionId,
    number: u8,
    key: Key,
    counter: u64,
    /// When the key came into use, and what the counter was.
    since: (Instant, u64),
    /// The key that the other side was told of, and not yet said to have.
    next: Option<Key>,
}

impl Sealer {
    /// `session` is the receiver's number.
    pub(super) fn new(session: SessionId, key: Key) -> Self {
        Self { session, number: 0, key, counter: 0, since: (Instant::now(), 0), next: None }
    }

    /// A tagged message.
    pub(super) fn seal(&mut self, kind: Kind, part: Part, payload: &[u8]) -> Bytes {
        self.counter += 1;
        let header =
            Header { kind, part, key: self.number, session: self.session, counter: self.counter };
        let mut message = header.message(payload);
        let tag = self.key.tag(&message);
        message.extend_from_slice(tag.as_bytes());
        message.into()
    }

    /// The next key, to be told to the other side: again the one that it was told of, until it says that it has it.
    pub(super) fn next_key(&mut self) -> Key {
        self.next.get_or_insert_with(Key::random).clone()
    }

    /// The other side has the next key, whose number it says.
    pub(super) fn advance(&mut self, number: u8) {
        if number == self.number.wrapping_add(1)
            && let Some(key) = self.next.take()
        {
            self.key = key;
            self.number = number;
            self.since = (Instant::now(), self.counter);
        }
    }

    /// How long the key is in use, and for how many messages.
    pub(super) fn used(&self) -> (Duration, u64) {
        let (since, counter) = self.since;
        (since.elapsed(), self.counter - counter)
    }
}

/// Takes the messages of one direction.
pub(super) struct Opener {
    number: u8,
    key: Key,
    /// The key ahead, once it was told, or the one before: messages under either may be on their way.
    other: Option<(u8, Key)>,
    window: Window,
    rest: Assembly,
}

/// What a message said.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Opened {
    /// Whole frames.
    Frames(Bytes),
    /// A part of a frame; the rest is to come.
    Part,
    /// Anything else.
    Other(Kind, Bytes),
}

impl Opener {
    pub(super) fn new(key: Key) -> Self {
        Self { number: 0, key, other: None, window: Window::default(), rest: Assembly::default() }
    }

    /// Checks a message and says what it says. What is refused changes nothing.
    pub(super) fn open(&mut self, header: &Header, message: &Bytes) -> Result<Opened, Refused> {
        let (signed, tag) = message.split_at(message.len() - TAG_LEN);
        self.window.check(header.counter).map_err(|stale| match stale {
            Stale::Repeated => Refused::Repeated,
            Stale::Late => Refused::Late,
        })?;
        let key = self.key(header.key).ok_or(Refused::Tag)?;
        // A comparison in constant time.
        if key.tag(signed) != blake3::Hash::from_slice(tag).map_err(|_| Refused::Tag)? {
            return Err(Refused::Tag);
        }
        self.window.note(header.counter);
        if header.key == self.number.wrapping_add(1) {
            self.step();
        }
        let payload = message.slice(HEADER_LEN..message.len() - TAG_LEN);
        match header.kind {
            Kind::Frames => self.rest.add(header, payload),
            kind => Ok(Opened::Other(kind, payload)),
        }
    }

    /// Takes the key that the sender will use next, and says its number.
    pub(super) fn expect(&mut self, key: Key) -> u8 {
        let next = self.number.wrapping_add(1);
        self.other = Some((next, key));
        next
    }

    fn key(&self, number: u8) -> Option<&Key> {
        if number == self.number {
            return Some(&self.key);
        }
        self.other.as_ref().filter(|(other, _)| *other == number).map(|(_, key)| key)
    }

    /// The sender uses its next key; messages under the one before may still come.
    fn step(&mut self) {
        if let Some((number, key)) = self.other.take() {
            let before = std::mem::replace(&mut self.key, key);
            self.other = Some((self.number, before));
            self.number = number;
        }
    }
}

/// A frame that comes in parts.
#[derive(Debug, Default)]
struct Assembly {
    parts: BytesMut,
    /// The counter that the next part has to have.
    next: Option<u64>,
}

impl Assembly {
    fn add(&mut self, header: &Header, payload: Bytes) -> Result<Opened, Refused> {
        match header.part {
            Part::Whole => return Ok(Opened::Frames(payload)),
            Part::First => {
                self.parts.clear();
                self.next = Some(header.counter);
            }
            Part::Middle | Part::Last => {}
        }
        if self.next != Some(header.counter) || self.parts.len() + payload.len() > FRAME_LEN_MAX {
            self.next = None;
            self.parts = BytesMut::new();
            return Err(Refused::Gap);
        }
        self.parts.extend_from_slice(&payload);
        self.next = header.counter.checked_add(1); // a hostile peer chooses its counters
        if header.part == Part::Last {
            self.next = None;
            return Ok(Opened::Frames(std::mem::take(&mut self.parts).freeze()));
        }
        Ok(Opened::Part)
    }
}

/// Cuts frames into payloads of messages: as many whole frames as fit, and a frame that does not fit in parts of its own.
pub(super) fn cut(mut frames: &[u8], max: usize) -> Vec<(Part, &[u8])> {
    let mut pieces = Vec::new();
    while !frames.is_empty() {
        let mut len = 0;
        while let Some(next) = frame::first_len(&frames[len..]) {
            if len > 0 && len + next > max {
                break;
            }
            len += next;
        }
        let (whole, rest) = frames.split_at(if len == 0 { frames.len() } else { len });
        frames = rest;
        if whole.len() <= max {
            pieces.push((Part::Whole, whole));
            continue;
        }
        let count = whole.len().div_ceil(max);
        pieces.extend(whole.chunks(max).enumerate().map(|(at, piece)| {
            let part = match at {
                0 => Part::First,
                at if at + 1 == count => Part::Last,
                _ => Part::Middle,
            };
            (part, piece)
        }));
    }
    pieces
}

#[cfg(test)]
mod tests;
