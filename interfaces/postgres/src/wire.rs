//! Parameters and results as they travel: MessagePack maps with the WIT's names, as the host's bridge writes them.
//!
//! Parameters are borrowed from their caller, and texts from the message that they came in; rows are made to be handed on.

use std::{borrow::Cow, fmt};

use serde::{
    Deserialize, Deserializer, Serialize,
    de::{Error as _, SeqAccess, Visitor},
};

use crate::{
    PgValue,
    limit::{MEMORY_MAX, PARAMS_MAX, ROWS_MAX},
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
pub(crate) struct Rows(#[serde(deserialize_with = "rows")] pub Vec<ResultRow>);

fn params<'de, D: Deserializer<'de>>(from: D) -> Result<Cow<'static, [PgValue]>, D::Error> {
    let most = AtMost { entries: PARAMS_MAX, memory: MEMORY_MAX, of: PgValue::memory };
    from.deserialize_seq(most).map(Cow::Owned)
}

fn rows<'de, D: Deserializer<'de>>(from: D) -> Result<Vec<ResultRow>, D::Error> {
    from.deserialize_seq(AtMost { entries: ROWS_MAX, memory: MEMORY_MAX, of: |_: &ResultRow| 0 })
}

/// The entries of a value that is a list.
pub(crate) fn list<'de, D: Deserializer<'de>, T: Deserialize<'de>>(
    from: D,
) -> Result<Vec<T>, D::Error> {
    let entries = MEMORY_MAX / size_of::<T>();
    from.deserialize_seq(AtMost { entries, memory: MEMORY_MAX, of: |_: &T| 0 })
}

/// Stops reading where there are more entries than there can be, or where they take more memory than they may, so that a short message
/// of millions of small ones costs little.
struct AtMost<T> {
    entries: usize,
    memory: usize,
    /// How much one takes.
    of: fn(&T) -> usize,
}

impl<'de, T: Deserialize<'de>> Visitor<'de> for AtMost<T> {
    type Value = Vec<T>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "at most {} entries in {} bytes of memory", self.entries, self.memory)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut entries: A) -> Result<Vec<T>, A::Error> {
        /// Entries that room is made for before they are read: a length is only a claim.
        const ROOM: usize = 1_024;
        let mut read = Vec::with_capacity(entries.size_hint().unwrap_or(0).min(ROOM));
        let mut memory = 0;
        while let Some(entry) = entries.next_element()? {
            if read.len() == self.entries {
                return Err(A::Error::custom(format_args!("more than {} entries", self.entries)));
            }
            memory += (self.of)(&entry);
            if memory > self.memory {
                let text = format_args!("more than {} bytes of memory", self.memory);
                return Err(A::Error::custom(text));
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

    /// The bytes of an array of so many empty texts, each of which is one byte.
    fn texts(count: u32) -> Vec<u8> {
        let mut bytes = b"\x81\xaatext-array\xdd".to_vec();
        bytes.extend(count.to_be_bytes());
        bytes.resize(bytes.len() + count as usize, 0xa0);
        bytes
    }

    #[test]
    fn a_message_full_of_empty_texts_is_not_read_to_its_end() {
        let read = |count| {
            let read = codec::decode::<PgValue>(&texts(count), PARAMS_LEN_MAX);
            read.map(|value| value.memory()).map_err(|error| error.to_string())
        };
        assert!(read(1_000_000).expect("an array") < MEMORY_MAX);
        let refused = read(4_000_000).expect_err("96 MB of them");
        assert!(refused.contains("more than 1398101 entries"), "{refused}");

        let query = |arrays: u8| {
            let mut bytes = b"\x82\xa5query\xa1q\xa6params".to_vec();
            bytes.push(0x90 + arrays);
            (0..arrays).for_each(|_| bytes.extend(texts(400_000)));
            codec::decode::<Query<'_>>(&bytes, PARAMS_LEN_MAX).map(drop)
        };
        query(3).expect("29 MB");
        let refused = query(10).expect_err("96 MB of them").to_string();
        assert!(refused.contains("more than 33554432 bytes of memory"), "{refused}");
    }
}
