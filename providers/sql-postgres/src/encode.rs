//! From the contract's values to PostgreSQL's parameters, by the type that the statement takes.
//!
//! Most go as text, which PostgreSQL reads by that type: so one value serves all types that its text fits, and PostgreSQL is the only
//! judge of what is a date or a number. Bytes go as they are, and money as a count of coins, because its text means different amounts
//! in different locales.

mod literal;

use std::{error::Error, fmt};

use bytes::BytesMut;
use tokio_postgres::types::{Format, IsNull, Kind, ToSql, Type, to_sql_checked};
use wattle_postgres::PgValue;

use self::literal::{Family, Literal};

/// A parameter as it is sent.
pub(crate) struct Param {
    bytes: Option<Vec<u8>>,
    format: Format,
}

impl Param {
    /// PostgreSQL's own bytes.
    pub(crate) fn binary(bytes: Vec<u8>) -> Self {
        Self { bytes: Some(bytes), format: Format::Binary }
    }

    fn text(text: String) -> Self {
        Self { bytes: Some(text.into_bytes()), format: Format::Text }
    }
}

/// Neither a value nor a hint of it: it may be a secret.
impl fmt::Debug for Param {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Param").field("format", &self.format).finish_non_exhaustive()
    }
}

impl ToSql for Param {
    fn to_sql(
        &self,
        _ty: &Type,
        out: &mut BytesMut,
    ) -> Result<IsNull, Box<dyn Error + Sync + Send>> {
        match &self.bytes {
            Some(bytes) => {
                out.extend_from_slice(bytes);
                Ok(IsNull::No)
            }
            None => Ok(IsNull::Yes),
        }
    }

    fn accepts(_ty: &Type) -> bool {
        true
    }

    fn encode_format(&self, _ty: &Type) -> Format {
        self.format
    }

    to_sql_checked!();
}

/// A value as a parameter of this type.
pub(crate) fn encode(value: &PgValue, ty: &Type, money_scale: u32) -> Result<Param, String> {
    match value {
        PgValue::Null => return Ok(Param { bytes: None, format: Format::Binary }),
        PgValue::Bytea(bytes) if *ty == Type::BYTEA => return Ok(Param::binary(bytes.to_vec())),
        _ => {}
    }
    let literal = literal::of(value)?;
    let wrong = || format!("{} is given, the statement takes {ty}", value.name());
    match literal {
        Literal::One(family, text) => {
            let ty = base(ty);
            if !family.fits(ty) {
                return Err(wrong());
            }
            match *ty {
                Type::MONEY if family != Family::Text => {
                    Ok(Param::binary(coins(&text, money_scale)?.to_be_bytes().to_vec()))
                }
                _ => Ok(Param::text(text)),
            }
        }
        Literal::Many(family, texts) => {
            let Kind::Array(element) = base(ty).kind() else { return Err(wrong()) };
            let element = base(element);
            if !family.fits(element) || *base(ty) == Type::INT2_VECTOR {
                return Err(wrong());
            }
            match *element {
                Type::MONEY if family != Family::Text => money_array(&texts, money_scale),
                _ => Ok(Param::text(literal::array(&texts, element))),
            }
        }
    }
}

/// What a domain is made of.
fn base(ty: &Type) -> &Type {
    match ty.kind() {
        Kind::Domain(of) => base(of),
        _ => ty,
    }
}

/// How many of the smallest coin an amount is.
fn coins(text: &str, scale: u32) -> Result<i64, String> {
    let wrong =
        || format!("{text:?} is no amount of money with at most {scale} digits behind the point");
    let (minus, digits) = text.strip_prefix('-').map_or((false, text), |rest| (true, rest));
    let (whole, fraction) = digits.split_once('.').unwrap_or((digits, ""));
    let width = usize::try_from(scale).expect("a few digits");
    let is_number = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    if whole.is_empty() || fraction.len() > width || !is_number(whole) || !is_number(fraction) {
        return Err(wrong());
    }
    let sign = if minus { "-" } else { "" };
    format!("{sign}{whole}{fraction:0<width$}").parse().map_err(|_| wrong())
}

/// An array in PostgreSQL's bytes: dimensions, whether there are nulls, the element's type, length and first index, elements.
fn money_array(texts: &[String], scale: u32) -> Result<Param, String> {
    let len = i32::try_from(texts.len()).map_err(|_| "an array that is too long".to_owned())?;
    let oid = Type::MONEY.oid().cast_signed();
    let mut bytes: Vec<u8> = [1, 0, oid, len, 1].into_iter().flat_map(i32::to_be_bytes).collect();
    for text in texts {
        bytes.extend(8_i32.to_be_bytes());
        bytes.extend(coins(text, scale)?.to_be_bytes());
    }
    Ok(Param::binary(bytes))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sent(value: &PgValue, ty: &Type) -> Result<String, String> {
        let param = encode(value, ty, 2)?;
        Ok(String::from_utf8(param.bytes.expect("not null")).expect("text"))
    }

    #[test]
    fn money_is_counted_in_coins() {
        for (text, scale, count) in
            [("12.05", 2, 1_205), ("-0.5", 2, -50), ("7", 0, 7), ("7", 3, 7_000)]
        {
            assert_eq!(coins(text, scale), Ok(count), "{text}");
        }
        for text in ["", "-", ".5", "1.234", "1,5", "+1", "99999999999999999999", "1e3", "$1"] {
            assert!(coins(text, 2).is_err(), "{text:?}");
        }
    }

    #[test]
    fn a_value_goes_where_its_family_fits_and_text_everywhere() {
        assert_eq!(sent(&PgValue::Int4(5), &Type::INT8).as_deref(), Ok("5"));
        assert_eq!(sent(&PgValue::Int4(5), &Type::NUMERIC).as_deref(), Ok("5"));
        assert_eq!(sent(&PgValue::Text("5".into()), &Type::INTERVAL).as_deref(), Ok("5"));
        for (value, ty) in [
            (PgValue::Int4(5), Type::TEXT),
            (PgValue::Bool(true), Type::INT4),
            (PgValue::Int4Array(vec![5]), Type::INT4),
            (PgValue::Int4(5), Type::INT4_ARRAY),
            (PgValue::Uuid("x".into()), Type::TEXT),
        ] {
            let error = sent(&value, &ty).expect_err("it does not fit");
            assert!(error.contains(value.name()) && error.contains(ty.name()), "{error}");
        }
    }

    #[test]
    fn a_parameter_does_not_show_its_value() {
        let param = encode(&PgValue::Text("geheim".into()), &Type::TEXT, 2).expect("text");
        assert!(!format!("{param:?}").contains("geheim"));
    }
}
