//! An answer while its rows come in: where it ends, and what of it has no case in the contract.

use tokio_postgres::{
    Error, Row, Statement,
    types::{FromSql, Type},
};
use wattle_postgres::{
    PgValue, QueryError,
    error::TOO_LARGE,
    wire::{ResultRow, ResultRowEntry},
};

use crate::{
    decode::{Cell, Decoder},
    fault::{self, Fault},
};

/// The names of an answer's columns.
pub(crate) type Columns = Vec<String>;

/// How an answer is read, and where it ends.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Reading {
    pub(super) rows: usize,
    pub(super) bytes: usize,
    pub(super) is_portable: bool,
}

impl Reading {
    /// In all of PostgreSQL's types, with the columns' names in each row.
    pub(crate) fn of_postgres(rows: usize, bytes: usize) -> Self {
        Self { rows, bytes, is_portable: false }
    }

    /// In the types that all databases have; what is of another is text.
    pub(crate) fn portable(rows: usize, bytes: usize) -> Self {
        Self { rows, bytes, is_portable: true }
    }
}

/// An answer as it is read.
#[derive(Default)]
pub(super) struct Answer {
    pub(super) rows: Vec<ResultRow>,
    pub(super) foreign: Vec<Foreign>,
}

/// A value of a type that the contract does not have.
pub(super) struct Foreign {
    pub(super) row: usize,
    pub(super) column: usize,
    pub(super) bytes: Vec<u8>,
}

impl Answer {
    pub(super) fn add(&mut self, decoder: &Decoder, row: &Row) -> Result<(), QueryError> {
        let mut entries = Vec::with_capacity(row.len());
        for (n, column) in row.columns().iter().enumerate() {
            let unreadable = |fault: String| {
                QueryError::Unexpected(format!(
                    "column {:?} of type {}: {fault}",
                    column.name(),
                    column.type_()
                ))
            };
            let raw: Raw<'_> = row.try_get(n).map_err(|error| unreadable(error.to_string()))?;
            let value = match raw.0 {
                None => PgValue::Null,
                Some(bytes) => match decoder.decode(column.type_(), bytes).map_err(unreadable)? {
                    Cell::Value(value) => value,
                    Cell::Foreign => {
                        let row = self.rows.len();
                        self.foreign.push(Foreign { row, column: n, bytes: bytes.to_vec() });
                        PgValue::Null
                    }
                },
            };
            // Portable answers say their columns' names once.
            let column_name =
                if decoder.is_portable { String::new() } else { column.name().to_owned() };
            entries.push(ResultRowEntry { column_name, value });
        }
        self.rows.push(entries);
        Ok(())
    }
}

/// A column's bytes as they came.
struct Raw<'a>(Option<&'a [u8]>);

impl<'a> FromSql<'a> for Raw<'a> {
    fn from_sql(_: &Type, raw: &'a [u8]) -> Result<Self, Box<dyn std::error::Error + Sync + Send>> {
        Ok(Self(Some(raw)))
    }

    fn from_sql_null(_: &Type) -> Result<Self, Box<dyn std::error::Error + Sync + Send>> {
        Ok(Self(None))
    }

    fn accepts(_: &Type) -> bool {
        true
    }
}

/// Ends an answer that is past a limit, while more of it may be on its way.
pub(super) fn check(what: &str, found: usize, max: usize) -> Result<(), Fault> {
    if found <= max {
        return Ok(());
    }
    let text = format!("more than {max} {what}, the link's limit: ask for fewer");
    Err(Fault::Unsettled(QueryError::own(TOO_LARGE, text)))
}

/// A statement's failure, with the column that cannot be read where that is the reason.
pub(super) fn explained(error: Error, statement: &Statement) -> Fault {
    if !fault::has_no_binary_form(&error) {
        return error.into();
    }
    let said = fault::reason(&error);
    let ours = |name: &str| said.split_whitespace().any(|word| word == name);
    let columns = statement.columns().iter().filter(|column| ours(column.type_().name()));
    let names: Vec<_> = columns.map(|column| format!("{:?}", column.name())).collect();
    Fault::from(error)
        .explained(&format!("column {} cannot be read: cast it to text", names.join(", ")))
}
