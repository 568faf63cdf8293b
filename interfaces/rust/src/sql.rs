//! A relational database: `wattle:sql`, whichever database the actor is linked to.

pub use crate::bindings::sql::sql::{
    Error, Rows, Statement, Value, Violation, ViolationKind, batch, execute, query,
};

/// A statement of a [`batch`].
pub fn statement(text: impl Into<String>, params: impl Into<Vec<Value>>) -> Statement {
    Statement { text: text.into(), params: params.into() }
}

impl Value {
    /// The text, if it is one.
    pub fn as_text(&self) -> Option<&str> {
        match self {
            Self::Text(text) => Some(text),
            _ => None,
        }
    }

    /// The whole number, if it is one.
    pub fn as_integer(&self) -> Option<i64> {
        match self {
            Self::Integer(number) => Some(*number),
            _ => None,
        }
    }

    /// Whether it is true. SQLite has no booleans of its own, so there a number does as well: anything but 0.
    pub fn as_boolean(&self) -> Option<bool> {
        match self {
            Self::Boolean(value) => Some(*value),
            Self::Integer(number) => Some(*number != 0),
            _ => None,
        }
    }
}

macro_rules! from {
    ($($type:ty => $case:ident),*) => {$(
        impl From<$type> for Value {
            fn from(value: $type) -> Self {
                Self::$case(value.into())
            }
        }
    )*};
}

from!(bool => Boolean, i64 => Integer, i32 => Integer, u32 => Integer, f64 => Real, &str => Text, String => Text, Vec<u8> => Blob);

impl<T: Into<Value>> From<Option<T>> for Value {
    fn from(value: Option<T>) -> Self {
        value.map_or(Self::Null, Into::into)
    }
}
