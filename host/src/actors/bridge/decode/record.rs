//! Records, and the parameters of a function: maps by name.

use std::fmt;

use serde::{
    Deserializer,
    de::{DeserializeSeed, Error, IgnoredAny, MapAccess, Visitor},
};
use wasmtime::component::Val;

use super::{Room, Seed};
use crate::actors::bridge::shape::{Names, Shape};

/// Gives the fields in the order of the type.
#[derive(Clone, Copy)]
pub(super) struct Fields<'a> {
    pub(super) names: &'a Names,
    pub(super) shapes: &'a [Shape],
    pub(super) room: &'a Room,
}

impl<'de> DeserializeSeed<'de> for Fields<'_> {
    type Value = Vec<(String, Val)>;

    fn deserialize<D: Deserializer<'de>>(self, from: D) -> Result<Self::Value, D::Error> {
        let names: usize = self.names.iter().map(str::len).sum();
        let each = size_of::<(String, Val)>();
        self.room.take(0, names.saturating_add(self.shapes.len().saturating_mul(each)))?;
        from.deserialize_map(self)
    }
}

impl<'de> Visitor<'de> for Fields<'_> {
    type Value = Vec<(String, Val)>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names: Vec<&str> = self.names.iter().take(8).collect();
        write!(f, "a map with {}", names.join(", "))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut from: A) -> Result<Self::Value, A::Error> {
        let mut values: Vec<Option<Val>> = vec![None; self.shapes.len()];
        while let Some(name) = from.next_key::<&str>()? {
            let Some(at) = self.names.find(name) else {
                from.next_value::<IgnoredAny>()?;
                continue;
            };
            let value = from.next_value_seed(Seed { shape: &self.shapes[at], room: self.room });
            let value = value.map_err(|error| A::Error::custom(format_args!("{name}: {error}")))?;
            if values[at].replace(value).is_some() {
                return Err(A::Error::custom(format_args!("{name} twice")));
            }
        }
        let fields = self.names.iter().zip(self.shapes).zip(values);
        fields
            .map(|((name, shape), value)| match (value, shape) {
                (Some(value), _) => Ok((name.to_owned(), value)),
                (None, Shape::Option { .. }) => Ok((name.to_owned(), Val::Option(None))),
                (None, _) => Err(A::Error::custom(format_args!("{name} is missing"))),
            })
            .collect()
    }
}
