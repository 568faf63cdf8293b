//! Rows out of a statement. SQLite keeps five kinds of values; what a column is declared as says how a caller reads them.

use rusqlite::{Row, Statement as Prepared, types::ValueRef};
use wattle_sql::{Allowance, Error, Gathering, Rows, Value};

use crate::failure::failure;

/// What a column's declared type makes of its values.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Declared {
    /// 0 and 1 are false and true.
    Boolean,
    /// Numbers are read as text: exact numbers, dates and the like, which are text on other databases, too.
    Text,
    /// As it is kept.
    Plain,
}

impl Declared {
    fn of(declaration: Option<&str>) -> Self {
        let declaration = declaration.unwrap_or_default().trim_start();
        let end = declaration.find(|c: char| !c.is_ascii_alphanumeric());
        let word = declaration[..end.unwrap_or(declaration.len())].to_ascii_uppercase();
        match word.as_str() {
            "BOOL" | "BOOLEAN" => Self::Boolean,
            "NUMERIC" | "DECIMAL" | "DATE" | "TIME" | "TIMETZ" | "DATETIME" | "TIMESTAMP"
            | "TIMESTAMPTZ" | "UUID" | "JSON" | "JSONB" => Self::Text,
            _ => Self::Plain,
        }
    }

    fn read(self, value: ValueRef<'_>) -> Result<Value, &'static str> {
        Ok(match (value, self) {
            (ValueRef::Null, _) => Value::Null,
            (ValueRef::Integer(number @ (0 | 1)), Self::Boolean) => Value::Boolean(number == 1),
            (ValueRef::Integer(number), Self::Text) => Value::Text(number.to_string()),
            (ValueRef::Real(number), Self::Text) => Value::Text(number.to_string()),
            (ValueRef::Integer(number), _) => Value::Integer(number),
            (ValueRef::Real(number), _) => Value::Real(number),
            (ValueRef::Text(bytes), _) => {
                let text = str::from_utf8(bytes).map_err(|_| "a text that is not UTF-8")?;
                Value::Text(text.to_owned())
            }
            (ValueRef::Blob(bytes), _) => Value::Blob(bytes.to_vec()),
        })
    }
}

/// A result's columns. They are known for sure only once the statement runs: SQLite prepares it again where the schema changed.
struct Columns {
    names: Vec<String>,
    declared: Vec<Declared>,
}

impl Columns {
    fn of(prepared: &Prepared<'_>) -> Self {
        let columns = prepared.columns();
        let (names, declared) = columns
            .map(|column| (column.name().to_owned(), Declared::of(column.decl_type())))
            .unzip();
        Self { names, declared }
    }
}

/// Runs a statement whose parameters are bound, as far as its result may go.
pub(crate) fn gather(prepared: &mut Prepared<'_>, allowance: Allowance) -> Result<Rows, Error> {
    let mut rows = prepared.raw_query();
    let mut found = None;
    while let Some(row) = rows.next().map_err(failure)? {
        let (gathering, declared) = match &mut found {
            Some(found) => found,
            None => {
                let Columns { names, declared } = Columns::of(row.as_ref());
                found.insert((Gathering::new(names, allowance)?, declared))
            }
        };
        take(row, declared, gathering)?;
    }
    drop(rows);
    match found {
        Some((gathering, _)) => Ok(gathering.finish()),
        None => Ok(Gathering::new(Columns::of(prepared).names, allowance)?.finish()),
    }
}

fn take(row: &Row<'_>, declared: &[Declared], gathering: &mut Gathering) -> Result<(), Error> {
    let mut values = Vec::with_capacity(declared.len());
    let mut len = 0;
    for (index, declared) in declared.iter().enumerate() {
        let value = row.get_ref(index).map_err(failure)?;
        if let ValueRef::Text(bytes) | ValueRef::Blob(bytes) = value {
            len += bytes.len();
            gathering.check_len(len)?; // ahead of the copy
        }
        let wrong = |wrong| Error::Other(format!("column {} holds {wrong}", index + 1));
        values.push(declared.read(value).map_err(wrong)?);
    }
    gathering.push(values)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_declaration_is_known_by_its_first_word() {
        for (declaration, declared) in [
            ("boolean", Declared::Boolean),
            ("NUMERIC(10, 2)", Declared::Text),
            ("timestamp with time zone", Declared::Text),
            ("BIGINT", Declared::Plain),
            ("", Declared::Plain),
        ] {
            assert_eq!(Declared::of(Some(declaration)), declared, "{declaration:?}");
        }
        assert_eq!(Declared::of(None), Declared::Plain);
    }

    #[test]
    fn only_0_and_1_are_booleans() {
        let read = |number| Declared::Boolean.read(ValueRef::Integer(number));
        assert_eq!(read(0), Ok(Value::Boolean(false)));
        assert_eq!(read(1), Ok(Value::Boolean(true)));
        assert_eq!(read(2), Ok(Value::Integer(2)));
    }
}
