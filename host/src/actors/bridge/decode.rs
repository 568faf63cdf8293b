//! Bytes as values of the types that a function has. Whoever wrote the bytes may be hostile.
//!
//! As a contract's serde types do, this takes fields in any order, ignores those it does not know, reads a missing `option` as
//! none, and takes whole numbers for floats; and text or an array of numbers for bytes, which is what JSON has.

mod bytes;
mod cases;
mod record;

use std::{cell::Cell, fmt};

use serde::{
    Deserialize, Deserializer,
    de::{DeserializeSeed, Error, IgnoredAny, SeqAccess, Visitor},
};
use wasmtime::component::Val;
use wattle_core::{
    CallError, ErrorKind,
    call::PARAMS_LEN_MAX,
    codec::{self, DecodeError},
};

use self::{bytes::Bytes, cases::Cases, record::Fields};
use super::shape::{Names, RESULT_CASES, Shape, Signature};

/// The most memory that the values of one call take on their way in or out of a guest, which is a `list<u8>` of 800 kB: each value
/// takes 40 bytes and 20 ns, and what a guest gives is read on the thread of all actors on this lane.
pub(in crate::actors) const VALUES_BYTES_MAX: usize = 32 << 20;

/// A function's parameters.
pub(super) fn params(signature: &Signature, bytes: &[u8]) -> Result<Vec<Val>, CallError> {
    let (names, shapes) = &signature.params;
    let room = Room::new();
    let values = decode(Fields { names, shapes, room: &room }, bytes, &room, "parameters")?;
    Ok(values.into_iter().map(|(_, value)| value).collect())
}

/// A function's result.
pub(super) fn result(signature: &Signature, bytes: &[u8]) -> Result<Option<Val>, CallError> {
    let room = Room::new();
    let Some(shape) = &signature.result else {
        return decode(std::marker::PhantomData::<()>, bytes, &room, "result").map(|()| None);
    };
    decode(Seed { shape, room: &room }, bytes, &room, "result").map(Some)
}

fn decode<'de, S: DeserializeSeed<'de>>(
    seed: S,
    bytes: &'de [u8],
    room: &Room,
    what: &str,
) -> Result<S::Value, CallError> {
    codec::decode_with(seed, bytes, PARAMS_LEN_MAX).map_err(|error| {
        if room.is_used_up() {
            let text = format!("{what}: values that take more than {VALUES_BYTES_MAX} bytes here");
            return CallError::new(ErrorKind::TooLarge, text);
        }
        let too_large = matches!(error, DecodeError::TooLarge { .. });
        let kind = if too_large { ErrorKind::TooLarge } else { ErrorKind::Malformed };
        CallError::new(kind, format!("{what}: {error}"))
    })
}

/// What values may still take.
struct Room {
    left: Cell<usize>,
    used_up: Cell<bool>,
}

impl Room {
    fn new() -> Self {
        Self { left: Cell::new(VALUES_BYTES_MAX), used_up: Cell::new(false) }
    }

    /// Room for `count` values and `further` bytes.
    fn take<E: Error>(&self, count: usize, further: usize) -> Result<(), E> {
        let needed = count.saturating_mul(size_of::<Val>()).saturating_add(further);
        match self.left.get().checked_sub(needed) {
            Some(left) => {
                self.left.set(left);
                Ok(())
            }
            None => {
                self.used_up.set(true);
                Err(E::custom("no room"))
            }
        }
    }

    fn is_used_up(&self) -> bool {
        self.used_up.get()
    }
}

/// Reads one value of this shape.
#[derive(Clone, Copy)]
struct Seed<'a> {
    shape: &'a Shape,
    room: &'a Room,
}

impl<'a> Seed<'a> {
    fn of(self, shape: &'a Shape) -> Self {
        Seed { shape, ..self }
    }
}

impl<'de> DeserializeSeed<'de> for Seed<'_> {
    type Value = Val;

    fn deserialize<D: Deserializer<'de>>(self, from: D) -> Result<Val, D::Error> {
        self.room.take(1, 0)?;
        Ok(match self.shape {
            Shape::Bool => Val::Bool(Deserialize::deserialize(from)?),
            Shape::S8 => Val::S8(Deserialize::deserialize(from)?),
            Shape::U8 => Val::U8(Deserialize::deserialize(from)?),
            Shape::S16 => Val::S16(Deserialize::deserialize(from)?),
            Shape::U16 => Val::U16(Deserialize::deserialize(from)?),
            Shape::S32 => Val::S32(Deserialize::deserialize(from)?),
            Shape::U32 | Shape::Handle { .. } => Val::U32(Deserialize::deserialize(from)?),
            Shape::S64 => Val::S64(Deserialize::deserialize(from)?),
            Shape::U64 => Val::U64(Deserialize::deserialize(from)?),
            Shape::Float32 => Val::Float32(Deserialize::deserialize(from)?),
            Shape::Float64 => Val::Float64(Deserialize::deserialize(from)?),
            Shape::Char => Val::Char(Deserialize::deserialize(from)?),
            Shape::String => {
                let text = <&str>::deserialize(from)?;
                self.room.take(0, text.len())?;
                Val::String(text.to_owned())
            }
            Shape::Bytes => from.deserialize_any(Bytes { room: self.room })?,
            Shape::List(_) | Shape::Tuple(_) | Shape::Flags(_) => from.deserialize_seq(self)?,
            Shape::Record(names, shapes) => {
                Val::Record(Fields { names, shapes, room: self.room }.deserialize(from)?)
            }
            Shape::Option { .. } => from.deserialize_option(self)?,
            Shape::Enum(names) => Val::Enum(enum_name(names, <&str>::deserialize(from)?)?),
            Shape::Variant(names, of) => {
                let find = |name: &str| names.find(name);
                let (at, value) = from.deserialize_any(Cases { find, of, room: self.room })?;
                Val::Variant(names.get(at).to_owned(), value.map(Box::new))
            }
            Shape::Result(of) => {
                let find = |name: &str| RESULT_CASES.iter().position(|case| *case == name);
                let of = of.as_slice();
                let (at, value) = from.deserialize_any(Cases { find, of, room: self.room })?;
                let value = value.map(Box::new);
                Val::Result(if at == 0 { Ok(value) } else { Err(value) })
            }
        })
    }
}

/// What comes as a sequence, or is an option.
impl<'de> Visitor<'de> for Seed<'_> {
    type Value = Val;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.shape {
            Shape::Tuple(of) => write!(f, "a tuple of {}", of.len()),
            Shape::Flags(_) => f.write_str("an array of names"),
            Shape::Option { nested: true, .. } => f.write_str("nil, or an array of one"),
            _ => f.write_str("a list"),
        }
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut from: A) -> Result<Val, A::Error> {
        match self.shape {
            Shape::List(of) => {
                // Not as many as the message says there are: they have to be in it.
                let mut values = Vec::new();
                while let Some(value) = from.next_element_seed(self.of(of))? {
                    values.push(value);
                }
                Ok(Val::List(values))
            }
            Shape::Tuple(of) => {
                let read = |shape| match from.next_element_seed(self.of(shape))? {
                    Some(value) => Ok(value),
                    None => Err(A::Error::custom("a tuple that is too short")),
                };
                let values = of.iter().map(read).collect::<Result<_, A::Error>>()?;
                end(from)?;
                Ok(Val::Tuple(values))
            }
            Shape::Flags(names) => flags(names, self.room, from),
            Shape::Option { of, nested: true } => {
                let value = from.next_element_seed(self.of(of))?;
                let value = value.ok_or_else(|| A::Error::custom("an option without its value"))?;
                end(from)?;
                Ok(Val::Option(Some(Box::new(value))))
            }
            _ => Err(A::Error::custom("not a sequence")),
        }
    }

    fn visit_unit<E: Error>(self) -> Result<Val, E> {
        Ok(Val::Option(None))
    }

    fn visit_none<E: Error>(self) -> Result<Val, E> {
        Ok(Val::Option(None))
    }

    fn visit_some<D: Deserializer<'de>>(self, from: D) -> Result<Val, D::Error> {
        match self.shape {
            Shape::Option { of, nested: false } => {
                Ok(Val::Option(Some(Box::new(self.of(of).deserialize(from)?))))
            }
            _ => from.deserialize_seq(self),
        }
    }
}

fn end<'de, A: SeqAccess<'de>>(mut from: A) -> Result<(), A::Error> {
    match from.next_element::<IgnoredAny>()? {
        None => Ok(()),
        Some(_) => Err(A::Error::custom("more values than it has")),
    }
}

/// The flags that are named, in the order of the type.
fn flags<'de, A: SeqAccess<'de>>(names: &Names, room: &Room, mut from: A) -> Result<Val, A::Error> {
    room.take(0, names.iter().map(|name| size_of::<String>() + name.len()).sum())?;
    let mut set = vec![false; names.iter().len()];
    while let Some(name) = from.next_element::<&str>()? {
        match names.find(name) {
            Some(at) => set[at] = true,
            None => return Err(unknown("flag", name)),
        }
    }
    let named = names.iter().zip(set).filter(|(_, set)| *set).map(|(name, _)| name.to_owned());
    Ok(Val::Flags(named.collect()))
}

fn enum_name<E: Error>(names: &Names, name: &str) -> Result<String, E> {
    names.find(name).map(|_| name.to_owned()).ok_or_else(|| unknown("case", name))
}

/// A name that the type does not have. It is quoted in part: its writer chose how long it is.
fn unknown<E: Error>(what: &str, name: &str) -> E {
    let shown: String = name.chars().take(64).collect();
    E::custom(format_args!("no {what} {shown:?}"))
}
