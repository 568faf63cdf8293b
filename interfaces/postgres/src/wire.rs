//! Parameters and results as they travel: MessagePack maps with the WIT's names, as the host's bridge writes them.

use std::fmt;

use serde::{
    Deserialize, Deserializer, Serialize,
    de::{Error as _, SeqAccess, Visitor},
};

use crate::{PgValue, limit::PARAMS_MAX};

/// Parameters of [`QUERY`](crate::operation::QUERY).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Query {
    /// One statement.
    pub query: String,
    /// Its parameters, `$1` first.
    #[serde(deserialize_with = "params")]
    pub params: Vec<PgValue>,
}

/// Parameters of [`QUERY_BATCH`](crate::operation::QUERY_BATCH).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct QueryBatch {
    /// Statements, with semicolons between them.
    pub query: String,
}

/// Parameters of [`PREPARE`](crate::operation::PREPARE).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Prepare {
    /// One statement.
    pub statement: String,
}

/// Parameters of [`EXEC`](crate::operation::EXEC).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Exec {
    /// What [`PREPARE`](crate::operation::PREPARE) answered.
    pub stmt_token: String,
    /// The statement's parameters.
    #[serde(deserialize_with = "params")]
    pub params: Vec<PgValue>,
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

/// Stops reading where there are more parameters than a statement can have, so that a short message of millions of nulls costs
/// nothing.
fn params<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<PgValue>, D::Error> {
    deserializer.deserialize_seq(Params)
}

struct Params;

impl<'de> Visitor<'de> for Params {
    type Value = Vec<PgValue>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "at most {PARAMS_MAX} parameters")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut params: A) -> Result<Vec<PgValue>, A::Error> {
        let mut read = Vec::with_capacity(params.size_hint().unwrap_or(0).min(PARAMS_MAX));
        while let Some(param) = params.next_element()? {
            if read.len() == PARAMS_MAX {
                return Err(A::Error::custom(format_args!("more than {PARAMS_MAX} parameters")));
            }
            read.push(param);
        }
        Ok(read)
    }
}
