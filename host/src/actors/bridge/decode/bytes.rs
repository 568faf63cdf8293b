//! `list<u8>`: bytes on the wire; text or an array of numbers where they come from JSON.

use std::fmt;

use serde::de::{Error, SeqAccess, Visitor};
use wasmtime::component::Val;

use super::Room;

pub(super) struct Bytes<'a> {
    pub(super) room: &'a Room,
}

impl<'de> Visitor<'de> for Bytes<'_> {
    type Value = Val;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("bytes")
    }

    fn visit_bytes<E: Error>(self, bytes: &[u8]) -> Result<Val, E> {
        self.room.take(bytes.len(), 0)?;
        Ok(Val::List(bytes.iter().copied().map(Val::U8).collect()))
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<Val, E> {
        self.visit_bytes(text.as_bytes())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut from: A) -> Result<Val, A::Error> {
        let mut bytes = Vec::new();
        while let Some(byte) = from.next_element()? {
            bytes.push(byte);
        }
        self.visit_bytes(&bytes)
    }
}
