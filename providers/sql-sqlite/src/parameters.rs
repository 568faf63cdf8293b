//! Parameters into a statement. They are written `$1`, `$2` … as PostgreSQL has them; for SQLite these are names.

use rusqlite::{
    Statement as Prepared, ToSql,
    types::{ToSqlOutput, ValueRef},
};
use wattle_sql::{Error, Value};

use crate::failure::failure;

struct Parameter<'v>(&'v Value);

impl ToSql for Parameter<'_> {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        Ok(ToSqlOutput::Borrowed(match self.0 {
            Value::Null => ValueRef::Null,
            Value::Boolean(yes) => ValueRef::Integer(i64::from(*yes)),
            Value::Integer(number) => ValueRef::Integer(*number),
            Value::Real(number) => ValueRef::Real(*number),
            Value::Text(text) => ValueRef::Text(text.as_bytes()),
            Value::Blob(bytes) => ValueRef::Blob(bytes),
        }))
    }
}

/// Gives each of the statement's parameters its value. Each value is used, and each parameter has one.
pub(crate) fn bind(prepared: &mut Prepared<'_>, values: &[Value]) -> Result<(), Error> {
    let count = prepared.parameter_count();
    for index in 1..=count {
        let number = number_of(prepared.parameter_name(index))?;
        let value = values.get(number - 1).ok_or_else(|| {
            Error::Invalid(format!("${number} has no value: there are {}", values.len()))
        })?;
        prepared.raw_bind_parameter(index, Parameter(value)).map_err(failure)?;
    }
    // Names are unique and none is past the last value, so as many names as values are all of them.
    if count != values.len() {
        let text = format!("{} parameters, the statement has {count} of them", values.len());
        return Err(Error::Invalid(text));
    }
    Ok(())
}

fn number_of(name: Option<&str>) -> Result<usize, Error> {
    let digits = name.and_then(|name| name.strip_prefix('$'));
    let plain = |digits: &&str| {
        !digits.starts_with('0') && digits.bytes().all(|byte| byte.is_ascii_digit())
    };
    digits.filter(plain).and_then(|digits| digits.parse().ok()).ok_or_else(|| {
        let name = name.unwrap_or("?");
        Error::Invalid(format!("parameter {name}: write $1, $2 …, and CAST($1 AS type) for a cast"))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_parameter_has_one_spelling() {
        assert_eq!(number_of(Some("$1")), Ok(1));
        assert_eq!(number_of(Some("$120")), Ok(120));
        for name in ["?1", ":1", "@1", "$", "$0", "$01", "$a", "$1::int", "$+1"] {
            assert!(matches!(number_of(Some(name)), Err(Error::Invalid(_))), "{name}");
        }
        assert!(number_of(None).is_err(), "a plain ?");
    }
}
