//! Variants and results: serde's externally tagged enums, a name alone or a map of one.

use std::fmt;

use serde::Deserializer;
use serde::de::{DeserializeSeed, Error, MapAccess, Visitor};
use wasmtime::component::Val;

use super::{Room, Seed, unknown};
use crate::actors::bridge::shape::Shape;

/// Gives which case it is, and what it carries.
pub(super) struct Cases<'a, F> {
    pub(super) find: F,
    pub(super) of: &'a [Option<Shape>],
    pub(super) room: &'a Room,
}

impl<'a, F: Fn(&str) -> Option<usize>> Cases<'a, F> {
    fn case<E: Error>(&self, name: &str) -> Result<(usize, Option<&'a Shape>), E> {
        let at = (self.find)(name).ok_or_else(|| unknown("case", name))?;
        Ok((at, self.of.get(at).and_then(Option::as_ref)))
    }
}

impl<'de, F: Fn(&str) -> Option<usize>> Visitor<'de> for Cases<'_, F> {
    type Value = (usize, Option<Val>);

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a case's name, or a map of one from its name to its value")
    }

    fn visit_str<E: Error>(self, name: &str) -> Result<Self::Value, E> {
        match self.case(name)? {
            (at, None) => Ok((at, None)),
            (_, Some(_)) => Err(E::custom(format_args!("the case {name:?} has a value"))),
        }
    }

    fn visit_map<A: MapAccess<'de>>(self, mut from: A) -> Result<Self::Value, A::Error> {
        let name = from.next_key::<&str>()?;
        let name = name.ok_or_else(|| A::Error::custom("a map without a case"))?;
        let (at, shape) = self.case(name)?;
        let value = from.next_value_seed(Payload { shape, room: self.room });
        let value = value.map_err(|error| A::Error::custom(format_args!("{name}: {error}")))?;
        match from.next_key::<&str>()? {
            None => Ok((at, value)),
            Some(_) => Err(A::Error::custom("a map of more than one case")),
        }
    }
}

/// What a case carries: nil, where it carries nothing.
struct Payload<'a> {
    shape: Option<&'a Shape>,
    room: &'a Room,
}

impl<'de> DeserializeSeed<'de> for Payload<'_> {
    type Value = Option<Val>;

    fn deserialize<D: Deserializer<'de>>(self, from: D) -> Result<Option<Val>, D::Error> {
        match self.shape {
            None => serde::Deserialize::deserialize(from).map(|()| None),
            Some(shape) => Seed { shape, room: self.room }.deserialize(from).map(Some),
        }
    }
}
