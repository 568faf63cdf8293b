//! Parameters and results as they travel: MessagePack maps with the WIT's names, as the host's bridge writes them.
//!
//! Parameters are borrowed from their caller, and texts from the message that they came in; rows are made to be handed on.

use std::{borrow::Cow, fmt, marker::PhantomData};

use serde::{
    Deserialize, Deserializer, Serialize,
    de::{Error as _, SeqAccess, Visitor},
};

use crate::{
    PgValue,
    limit::{PARAMS_MAX, ROWS_MAX},
};

/// Parameters of [`QUERY`](crate::operation::QUERY).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Query<'a> {
    /// One statement.
    #[serde(borrow)]
    pub query: Cow<'a, str>,
    /// Its parameters, `$1` first.
    #[serde(deserialize_with = "params")]
    pub params: Cow<'a, [PgValue]>,
}

/// Parameters of [`QUERY_BATCH`](crate::operation::QUERY_BATCH).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct QueryBatch<'a> {
    /// Statements, with semicolons between them.
    #[serde(borrow)]
    pub query: Cow<'a, str>,
}

/// Parameters of [`PREPARE`](crate::operation::PREPARE).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Prepare<'a> {
    /// One statement.
    #[serde(borrow)]
    pub statement: Cow<'a, str>,
}

/// Parameters of [`EXEC`](crate::operation::EXEC).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Exec<'a> {
    /// What [`PREPARE`](crate::operation::PREPARE) answered.
    #[serde(borrow)]
    pub stmt_token: Cow<'a, str>,
    /// The statement's parameters.
    #[serde(deserialize_with = "params")]
    pub params: Cow<'a, [PgValue]>,
}

/// One column of a row.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct ResultRowEntry {
    /// The column's name. Several may have the same.
    pub column_name: String,
    /// What is in it.
    pub value: PgValue,
}

/// A row, its columns in the statement's order.
pub type ResultRow = Vec<ResultRowEntry>;

/// What [`QUERY`](crate::operation::QUERY) answers, as its caller reads it.
#[derive(Debug, Deserialize)]
#[serde(transparent)]
pub(crate) struct Rows(#[serde(deserialize_with = "at_most::<_, _, ROWS_MAX>")] pub Vec<ResultRow>);

fn params<'de, D: Deserializer<'de>>(from: D) -> Result<Cow<'static, [PgValue]>, D::Error> {
    at_most::<_, _, PARAMS_MAX>(from).map(Cow::Owned)
}

/// Stops reading where there are more entries than there can be, so that a short message of millions of empty ones costs nothing.
fn at_most<'de, D: Deserializer<'de>, T: Deserialize<'de>, const MAX: usize>(
    from: D,
) -> Result<Vec<T>, D::Error> {
    from.deserialize_seq(AtMost::<T, MAX>(PhantomData))
}

struct AtMost<T, const MAX: usize>(PhantomData<T>);

impl<'de, T: Deserialize<'de>, const MAX: usize> Visitor<'de> for AtMost<T, MAX> {
    type Value = Vec<T>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "at most {MAX} entries")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut entries: A) -> Result<Vec<T>, A::Error> {
        /// Entries that room is made for before they are read: a length is only a claim.
        const ROOM: usize = 1_024;
        let mut read = Vec::with_capacity(entries.size_hint().unwrap_or(0).min(ROOM));
        while let Some(entry) = entries.next_element()? {
            if read.len() == MAX {
                return Err(A::Error::custom(format_args!("more than {MAX} entries")));
            }
            read.push(entry);
        }
        Ok(read)
    }
}

#[cfg(test)]
mod tests {
    use wattle_core::{call::PARAMS_LEN_MAX, codec};

    use super::*;
    use crate::QueryError;

    #[test]
    fn a_message_full_of_empty_rows_is_not_read_to_its_end() {
        let answer = |rows: usize| {
            let empty = vec![ResultRow::new(); rows];
            let bytes = codec::encode(&Ok::<_, QueryError>(empty));
            let read = codec::decode::<Result<Rows, QueryError>>(&bytes, PARAMS_LEN_MAX);
            read.map(|answer| answer.expect("rows").0.len())
        };
        assert_eq!(answer(ROWS_MAX).expect("as many as there may be"), ROWS_MAX);
        let refused = answer(ROWS_MAX + 1).expect_err("too many").to_string();
        assert!(refused.contains("more than 1000000 entries"), "{refused}");
    }
}
