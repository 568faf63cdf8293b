//! Parameters and results as they travel: MessagePack with the WIT's names. Results are `result<T, error>`.
//!
//! Everything is owned: a statement goes to another thread or another connection, and rows come from one.

use std::{fmt, marker::PhantomData};

use serde::{
    Deserialize, Deserializer, Serialize,
    de::{Error as _, SeqAccess, Visitor},
};

use crate::{
    Error,
    limit::{BATCH_MAX, BATCH_PARAMS_MAX, COLUMNS_MAX, PARAMS_MAX, ROWS_MAX, VALUES_MAX},
};

/// What every function answers.
pub type Outcome<T> = Result<T, Error>;

/// The WIT's `value`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Value {
    /// No value.
    Null,
    /// True or false.
    Boolean(bool),
    /// A whole number.
    Integer(i64),
    /// A floating-point number; as a parameter never NaN.
    Real(f64),
    /// Text, also for all that has no kind of its own here.
    Text(String),
    /// Bytes.
    Blob(#[serde(with = "serde_bytes")] Vec<u8>),
}

/// The WIT's `statement`, and the parameters of [`QUERY`](crate::operation::QUERY) and [`EXECUTE`](crate::operation::EXECUTE).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Statement {
    /// One statement, with its parameters written `$1`, `$2` …
    pub text: String,
    /// Their values, in that order.
    #[serde(deserialize_with = "at_most::<_, _, PARAMS_MAX, PARAMS_MAX>")]
    pub params: Vec<Value>,
}

/// Parameters of [`BATCH`](crate::operation::BATCH).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Batch {
    /// What is to be run, in this order.
    #[serde(deserialize_with = "at_most::<_, _, BATCH_MAX, BATCH_PARAMS_MAX>")]
    pub statements: Vec<Statement>,
}

/// The WIT's `rows`: what a query found.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Rows {
    /// The columns' names. Two may be the same.
    #[serde(deserialize_with = "at_most::<_, _, COLUMNS_MAX, COLUMNS_MAX>")]
    pub columns: Vec<String>,
    /// The rows, each with one value per column.
    #[serde(deserialize_with = "at_most::<_, _, ROWS_MAX, VALUES_MAX>")]
    pub rows: Vec<Row>,
}

/// One row: a value per column.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Row(
    #[serde(deserialize_with = "at_most::<_, _, COLUMNS_MAX, COLUMNS_MAX>")]
    /// The values.
    pub Vec<Value>,
);

/// Rows that each statement of a batch changed.
pub type Changed = Vec<u64>;

impl Value {
    /// The most bytes that it takes on the wire.
    pub fn encoded_len_max(&self) -> usize {
        const HEAD: usize = 18; // the kind's name, and a number or a length
        match self {
            Self::Null => 5,
            Self::Boolean(_) | Self::Integer(_) | Self::Real(_) => HEAD,
            Self::Text(text) => HEAD + text.len(),
            Self::Blob(bytes) => HEAD + bytes.len(),
        }
    }
}

impl Statement {
    /// A statement with these parameters.
    pub fn new(text: impl Into<String>, params: Vec<Value>) -> Self {
        Self { text: text.into(), params }
    }

    /// Whether every database could be given these values: some have no NaN, some no U+0000 within a text.
    pub(crate) fn check_values(&self) -> Result<(), Error> {
        if self.text.contains('\0') {
            return Err(Error::Invalid("a statement has no character U+0000".to_owned()));
        }
        for (number, value) in (1..).zip(&self.params) {
            let wrong = match value {
                Value::Real(real) if real.is_nan() => "is not a number",
                Value::Text(text) if text.contains('\0') => "is a text with the character U+0000",
                _ => continue,
            };
            return Err(Error::Invalid(format!("parameter ${number} {wrong}")));
        }
        Ok(())
    }
}

/// How many values an entry of a list holds: what a list is limited by beside its length.
trait Weigh {
    fn values(&self) -> usize;
}

impl Weigh for Value {
    fn values(&self) -> usize {
        1
    }
}

impl Weigh for String {
    fn values(&self) -> usize {
        1
    }
}

impl Weigh for Statement {
    fn values(&self) -> usize {
        self.params.len()
    }
}

impl Weigh for Row {
    fn values(&self) -> usize {
        self.0.len()
    }
}

/// Stops reading where a list is past its limit, so that a short message of millions of empty entries costs nothing.
fn at_most<'de, D, T, const ENTRIES: usize, const VALUES: usize>(
    deserializer: D,
) -> Result<Vec<T>, D::Error>
where
    D: Deserializer<'de>,
    T: Deserialize<'de> + Weigh,
{
    deserializer.deserialize_seq(AtMost::<T, ENTRIES, VALUES>(PhantomData))
}

struct AtMost<T, const ENTRIES: usize, const VALUES: usize>(PhantomData<T>);

impl<'de, T: Deserialize<'de> + Weigh, const ENTRIES: usize, const VALUES: usize> Visitor<'de>
    for AtMost<T, ENTRIES, VALUES>
{
    type Value = Vec<T>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "at most {ENTRIES} entries with {VALUES} values")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut entries: A) -> Result<Vec<T>, A::Error> {
        /// Entries that room is made for before they are read: a length is only a claim.
        const ROOM: usize = 256;
        let mut read: Vec<T> = Vec::with_capacity(entries.size_hint().unwrap_or(0).min(ROOM));
        let mut values = 0;
        while let Some(entry) = entries.next_element::<T>()? {
            values += entry.values();
            if read.len() == ENTRIES || values > VALUES {
                return Err(A::Error::custom(format_args!(
                    "more than {ENTRIES} entries or {VALUES} values"
                )));
            }
            read.push(entry);
        }
        Ok(read)
    }
}
