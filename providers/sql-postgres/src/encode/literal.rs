//! Values as PostgreSQL writes them.

mod shape;
mod time;
mod words;

use serde_bytes::ByteBuf;
use tokio_postgres::types::Type;
use wattle_postgres::{
    PgValue,
    float::{to_f32, to_f64},
    value::Hashable,
};

/// A value's text, with the types that it can be read as.
pub(super) enum Literal {
    One(Family, String),
    Many(Family, Vec<String>),
}

/// Types that take the same values.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Family {
    /// Whatever PostgreSQL makes of it.
    Text,
    Number,
    Bool,
    Bits,
    Bytes,
    Json,
    Xml,
    Uuid,
    Address,
    Mac,
    Box,
    Circle,
    Line,
    Lseg,
    Path,
    Point,
    Polygon,
    Date,
    Range,
    Time,
    Timestamp,
    Lsn,
    Snapshot,
    Int2Vector,
    TsQuery,
    TsVector,
    Hstore,
}

impl Family {
    pub(super) fn fits(self, ty: &Type) -> bool {
        match self {
            Self::Text => true,
            Self::Number => matches!(
                *ty,
                Type::INT2
                    | Type::INT4
                    | Type::INT8
                    | Type::OID
                    | Type::FLOAT4
                    | Type::FLOAT8
                    | Type::NUMERIC
                    | Type::MONEY
            ),
            Self::Bool => *ty == Type::BOOL,
            Self::Bits => matches!(*ty, Type::BIT | Type::VARBIT),
            Self::Bytes => *ty == Type::BYTEA,
            Self::Json => matches!(*ty, Type::JSON | Type::JSONB),
            Self::Xml => *ty == Type::XML,
            Self::Uuid => *ty == Type::UUID,
            Self::Address => matches!(*ty, Type::CIDR | Type::INET),
            Self::Mac => matches!(*ty, Type::MACADDR | Type::MACADDR8),
            Self::Box => *ty == Type::BOX,
            Self::Circle => *ty == Type::CIRCLE,
            Self::Line => *ty == Type::LINE,
            Self::Lseg => *ty == Type::LSEG,
            Self::Path => *ty == Type::PATH,
            Self::Point => *ty == Type::POINT,
            Self::Polygon => *ty == Type::POLYGON,
            Self::Date => matches!(*ty, Type::DATE | Type::TIMESTAMP | Type::TIMESTAMPTZ),
            Self::Range => *ty == Type::DATE_RANGE,
            Self::Time => matches!(*ty, Type::TIME | Type::TIMETZ),
            Self::Timestamp => matches!(*ty, Type::TIMESTAMP | Type::TIMESTAMPTZ),
            Self::Lsn => *ty == Type::PG_LSN,
            Self::Snapshot => matches!(*ty, Type::PG_SNAPSHOT | Type::TXID_SNAPSHOT),
            Self::Int2Vector => *ty == Type::INT2_VECTOR,
            Self::TsQuery => *ty == Type::TSQUERY,
            Self::TsVector => *ty == Type::TS_VECTOR,
            Self::Hstore => ty.name() == "hstore",
        }
    }
}

type Outcome = Result<Literal, String>;

/// A value that is not null.
pub(super) fn of(value: &PgValue) -> Outcome {
    use PgValue as V;
    match value {
        V::Null => Err("null has no text".to_owned()),
        V::BigInt(n) | V::Int8(n) | V::BigSerial(n) | V::Serial8(n) => shown(Family::Number, n),
        V::Integer(n) | V::Int(n) | V::Int4(n) => shown(Family::Number, n),
        V::Serial(n) | V::Serial4(n) => shown(Family::Number, n),
        V::SmallInt(n) | V::Int2(n) | V::SmallSerial(n) | V::Serial2(n) => shown(Family::Number, n),
        V::Int8Array(all) => each(Family::Number, all, |n| Ok(n.to_string())),
        V::Int4Array(all) => each(Family::Number, all, |n| Ok(n.to_string())),
        V::Int2Array(all) => each(Family::Number, all, |n| Ok(n.to_string())),
        V::Int2Vector(all) => one(Family::Int2Vector, Ok(vector(all))),
        V::Int2VectorArray(all) => each(Family::Int2Vector, all, |all| Ok(vector(all))),
        V::Bool(is) | V::Boolean(is) => shown(Family::Bool, is),
        V::BoolArray(all) => each(Family::Bool, all, |is| Ok(is.to_string())),
        V::Double(n) | V::Float8(n) => one(Family::Number, float8(n)),
        V::Float8Array(all) => each(Family::Number, all, float8),
        V::Real(n) | V::Float4(n) => one(Family::Number, float4(n)),
        V::Float4Array(all) => each(Family::Number, all, float4),
        V::Numeric(text) | V::Decimal(text) | V::Money(text) => same(Family::Number, text),
        V::NumericArray(all) | V::MoneyArray(all) => {
            each(Family::Number, all, |text| Ok(text.clone()))
        }
        V::Bit((len, bytes)) => one(Family::Bits, bits(Some(*len), bytes)),
        V::BitArray(all) => each(Family::Bits, all, |(len, bytes)| bits(Some(*len), bytes)),
        V::BitVarying((len, bytes)) | V::Varbit((len, bytes)) => {
            one(Family::Bits, bits(*len, bytes))
        }
        V::VarbitArray(all) => each(Family::Bits, all, |(len, bytes)| bits(*len, bytes)),
        V::Bytea(bytes) => one(Family::Bytes, Ok(hex(bytes))),
        V::ByteaArray(all) => each(Family::Bytes, all, |bytes| Ok(hex(bytes))),
        V::Char((len, bytes)) => one(Family::Text, chars(*len, bytes)),
        V::CharArray(all) => each(Family::Text, all, |(len, bytes)| chars(*len, bytes)),
        V::Varchar((max, bytes)) => one(Family::Text, varchars(*max, bytes)),
        V::VarcharArray(all) => each(Family::Text, all, |(max, bytes)| varchars(*max, bytes)),
        V::Name(text) | V::Text(text) => same(Family::Text, text),
        V::NameArray(all) | V::TextArray(all) => each(Family::Text, all, |text| Ok(text.clone())),
        V::Json(text) | V::Jsonb(text) => same(Family::Json, text),
        V::JsonArray(all) | V::JsonbArray(all) => each(Family::Json, all, |text| Ok(text.clone())),
        V::Xml(text) => same(Family::Xml, text),
        V::XmlArray(all) => each(Family::Xml, all, |text| Ok(text.clone())),
        V::Uuid(text) => same(Family::Uuid, text),
        V::UuidArray(all) => each(Family::Uuid, all, |text| Ok(text.clone())),
        V::Cidr(text) | V::Inet(text) => same(Family::Address, text),
        V::CidrArray(all) | V::InetArray(all) => {
            each(Family::Address, all, |text| Ok(text.clone()))
        }
        V::Macaddr(mac) => one(Family::Mac, Ok(colons(&mac.bytes))),
        V::MacaddrArray(all) => each(Family::Mac, all, |mac| Ok(colons(&mac.bytes))),
        V::Macaddr8(mac) => one(Family::Mac, Ok(colons(&mac.bytes))),
        V::Macaddr8Array(all) => each(Family::Mac, all, |mac| Ok(colons(&mac.bytes))),
        V::TsQuery(text) => same(Family::TsQuery, text),
        V::TsVector(lexemes) => one(Family::TsVector, words::vector(lexemes)),
        V::Hstore(pairs) => one(Family::Hstore, Ok(words::hstore(pairs))),
        V::PgLsn(at) => one(Family::Lsn, Ok(lsn(at))),
        V::PgLsnArray(all) => each(Family::Lsn, all, |at| Ok(lsn(at))),
        V::PgSnapshot((first, last, running)) => {
            let running: Vec<_> = running.iter().map(i64::to_string).collect();
            one(Family::Snapshot, Ok(format!("{first}:{last}:{}", running.join(","))))
        }
        V::TxidSnapshot(at) => one(Family::Snapshot, Ok(format!("{at}:{at}:"))),
        shapes_and_times => shape::of(shapes_and_times)
            .or_else(|| time::of(shapes_and_times))
            .unwrap_or_else(|| Err(format!("{} cannot be a parameter", value.name()))),
    }
}

fn one(family: Family, text: Result<String, String>) -> Outcome {
    text.map(|text| Literal::One(family, text))
}

fn same(family: Family, text: &str) -> Outcome {
    Ok(Literal::One(family, text.to_owned()))
}

fn shown(family: Family, value: &impl ToString) -> Outcome {
    Ok(Literal::One(family, value.to_string()))
}

fn each<T>(family: Family, all: &[T], text: impl Fn(&T) -> Result<String, String>) -> Outcome {
    all.iter().map(text).collect::<Result<_, _>>().map(|texts| Literal::Many(family, texts))
}

/// An array of these elements. All are in quotes, so that none is read as NULL or as several.
pub(super) fn array(elements: &[String], of: &Type) -> String {
    let comma = if *of == Type::BOX { ";" } else { "," };
    let quoted: Vec<_> = elements.iter().map(|element| quoted(element)).collect();
    format!("{{{}}}", quoted.join(comma))
}

/// In double quotes, as in arrays, ranges and hstore.
fn quoted(text: &str) -> String {
    format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\""))
}

/// The shortest text that is read as the same number.
fn float8(parts: &Hashable) -> Result<String, String> {
    to_f64(*parts)
        .map(|number| special(number).unwrap_or_else(|| format!("{number:e}")))
        .ok_or_else(no_sign)
}

fn float4(parts: &Hashable) -> Result<String, String> {
    to_f32(*parts)
        .map(|number| special(number.into()).unwrap_or_else(|| format!("{number:e}")))
        .ok_or_else(no_sign)
}

fn special(number: f64) -> Option<String> {
    match number {
        _ if number.is_nan() => Some("NaN".to_owned()),
        f64::INFINITY => Some("Infinity".to_owned()),
        f64::NEG_INFINITY => Some("-Infinity".to_owned()),
        _ => None,
    }
}

fn no_sign() -> String {
    "a floating point number's sign is 1 or -1".to_owned()
}

fn vector(all: &[i16]) -> String {
    all.iter().map(i16::to_string).collect::<Vec<_>>().join(" ")
}

fn bits(len: Option<u32>, bytes: &ByteBuf) -> Result<String, String> {
    let len = len.map_or(bytes.len() * 8, |len| usize::try_from(len).unwrap_or(usize::MAX));
    if len.div_ceil(8) != bytes.len() {
        return Err(format!("{len} bits are given in {} bytes", bytes.len()));
    }
    let all = bytes.iter().flat_map(|byte| (0..8).rev().map(move |bit| byte >> bit & 1));
    Ok(all.take(len).map(|bit| if bit == 1 { '1' } else { '0' }).collect())
}

fn hex(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let digits = bytes.iter().flat_map(|byte| [byte >> 4, byte & 15]);
    ['\\', 'x'].into_iter().chain(digits.map(|digit| DIGITS[usize::from(digit)].into())).collect()
}

fn chars(len: u32, bytes: &ByteBuf) -> Result<String, String> {
    if usize::try_from(len) != Ok(bytes.len()) {
        return Err(format!("{len} bytes of text are said, {} are given", bytes.len()));
    }
    utf8(bytes)
}

fn varchars(max: Option<u32>, bytes: &ByteBuf) -> Result<String, String> {
    match max {
        Some(max) if usize::try_from(max).is_ok_and(|max| bytes.len() > max) => {
            Err(format!("text of {} bytes, its own limit is {max}", bytes.len()))
        }
        _ => utf8(bytes),
    }
}

fn utf8(bytes: &ByteBuf) -> Result<String, String> {
    String::from_utf8(bytes.to_vec()).map_err(|_| "text that is not UTF-8".to_owned())
}

fn colons(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect::<Vec<_>>().join(":")
}

fn lsn(at: &u64) -> String {
    format!("{:X}/{:X}", at >> 32, at & 0xffff_ffff)
}
