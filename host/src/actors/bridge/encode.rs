//! Values as bytes: what `rmp_serde::to_vec_named` writes for a contract's types.

use std::borrow::Borrow;

use serde::{
    Serialize, Serializer,
    ser::{Error, SerializeMap, SerializeSeq},
};
use wasmtime::component::Val;
use wattle_core::{CallError, ErrorKind, call::PARAMS_LEN_MAX};

use super::shape::{RESULT_CASES, Shape, Signature};

/// A function's parameters: a map with their names. Handles are numbers in them.
pub(super) fn params<V: Borrow<Val>>(
    signature: &Signature,
    values: &[V],
) -> Result<Vec<u8>, CallError> {
    bytes("parameters", &Params(signature, values))
}

/// A function's result; one that gives nothing gives nil.
pub(super) fn result(signature: &Signature, values: &[Val]) -> Result<Vec<u8>, CallError> {
    let typed = signature.result.as_ref().zip(values.first());
    bytes("result", &typed.map(|(shape, value)| Typed(shape, value)))
}

fn bytes(what: &str, value: &impl Serialize) -> Result<Vec<u8>, CallError> {
    let bytes = rmp_serde::to_vec_named(value)
        .map_err(|error| CallError::new(ErrorKind::Malformed, format!("{what}: {error}")))?;
    if bytes.len() > PARAMS_LEN_MAX {
        let text = format!("{what} of {} bytes, the limit is {PARAMS_LEN_MAX}", bytes.len());
        return Err(CallError::new(ErrorKind::TooLarge, text));
    }
    Ok(bytes)
}

struct Params<'a, V>(&'a Signature, &'a [V]);

impl<V: Borrow<Val>> Serialize for Params<'_, V> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let (names, shapes) = &self.0.params;
        let typed = shapes.iter().zip(self.1).map(|(of, value)| Typed(of, value.borrow()));
        map(serializer, names.iter().zip(typed))
    }
}

/// A value and its shape, which says what the value alone does not: whether an empty list is one of bytes, and what is nested.
struct Typed<'a>(&'a Shape, &'a Val);

impl Serialize for Typed<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self.1 {
            Val::Bool(value) => serializer.serialize_bool(*value),
            Val::S8(value) => serializer.serialize_i8(*value),
            Val::U8(value) => serializer.serialize_u8(*value),
            Val::S16(value) => serializer.serialize_i16(*value),
            Val::U16(value) => serializer.serialize_u16(*value),
            Val::S32(value) => serializer.serialize_i32(*value),
            Val::U32(value) => serializer.serialize_u32(*value),
            Val::S64(value) => serializer.serialize_i64(*value),
            Val::U64(value) => serializer.serialize_u64(*value),
            Val::Float32(value) => serializer.serialize_f32(*value),
            Val::Float64(value) => serializer.serialize_f64(*value),
            Val::Char(value) => serializer.serialize_char(*value),
            Val::String(value) => serializer.serialize_str(value),
            Val::Enum(name) => serializer.serialize_str(name),
            Val::Flags(names) => names.serialize(serializer),
            _ => self.nesting(serializer),
        }
    }
}

impl Typed<'_> {
    fn nesting<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match (self.0, self.1) {
            (Shape::Bytes, Val::List(values)) => {
                let bytes = values.iter().map(byte).collect::<Option<Vec<u8>>>();
                serializer.serialize_bytes(&bytes.ok_or_else(other)?)
            }
            (Shape::List(of), Val::List(values)) => {
                sequence(serializer, values.iter().map(|value| Typed(of, value)))
            }
            (Shape::Tuple(of), Val::Tuple(values)) => {
                sequence(serializer, of.iter().zip(values).map(|(of, value)| Typed(of, value)))
            }
            (Shape::Record(_, of), Val::Record(values)) => {
                let typed = |((name, value), of)| (String::as_str(name), Typed(of, value));
                map(serializer, values.iter().map(|(name, value)| (name, value)).zip(of).map(typed))
            }
            (Shape::Option { .. }, Val::Option(None)) => serializer.serialize_none(),
            (Shape::Option { of, nested: true }, Val::Option(Some(value))) => {
                [Typed(of, value)].serialize(serializer)
            }
            (Shape::Option { of, nested: false }, Val::Option(Some(value))) => {
                serializer.serialize_some(&Typed(of, value))
            }
            (Shape::Variant(_, _), Val::Variant(name, None)) => serializer.serialize_str(name),
            (Shape::Variant(names, of), Val::Variant(name, Some(value))) => {
                let of = names.find(name).and_then(|at| of.get(at)?.as_ref());
                tagged(serializer, name, Some(Typed(of.ok_or_else(other)?, value)))
            }
            (Shape::Result(of), Val::Result(value)) => {
                let (at, value) = match value {
                    Ok(value) => (0, value),
                    Err(value) => (1, value),
                };
                let typed = of[at].as_ref().zip(value.as_ref()).map(|(of, value)| Typed(of, value));
                tagged(serializer, RESULT_CASES[at], typed)
            }
            _ => Err(other()),
        }
    }
}

fn sequence<'a, S: Serializer>(
    serializer: S,
    values: impl ExactSizeIterator<Item = Typed<'a>>,
) -> Result<S::Ok, S::Error> {
    let mut sequence = serializer.serialize_seq(Some(values.len()))?;
    for value in values {
        sequence.serialize_element(&value)?;
    }
    sequence.end()
}

fn map<'a, S: Serializer>(
    serializer: S,
    entries: impl ExactSizeIterator<Item = (&'a str, Typed<'a>)>,
) -> Result<S::Ok, S::Error> {
    let mut map = serializer.serialize_map(Some(entries.len()))?;
    for (name, value) in entries {
        map.serialize_entry(name, &value)?;
    }
    map.end()
}

fn tagged<S: Serializer>(
    serializer: S,
    name: &str,
    value: Option<Typed<'_>>,
) -> Result<S::Ok, S::Error> {
    let mut map = serializer.serialize_map(Some(1))?;
    map.serialize_entry(name, &value)?;
    map.end()
}

fn byte(value: &Val) -> Option<u8> {
    if let Val::U8(byte) = value { Some(*byte) } else { None }
}

/// The engine gives values of the types that the shapes were read from.
fn other<E: Error>() -> E {
    E::custom("a value of another type than the function's")
}
