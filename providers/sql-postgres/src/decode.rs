//! From PostgreSQL's binary values to the contract's.

mod numeric;
mod reader;
mod shape;
mod simple;
mod time;
mod words;

use serde_bytes::ByteBuf;
use tokio_postgres::types::{Kind, Type};
use wattle_core::call::PARAMS_LEN_MAX;
use wattle_postgres::PgValue;

use self::simple::{
    address, bits, boolean, chars, float4, float8, int2, int4, int8, jsonb, list, lsn, mac, mac8,
    snapshot, text, txid_snapshot, uuid, varbits, varchars,
};

/// Why a value cannot be told in the contract's.
type Fault = String;

/// What became of a value.
#[derive(Debug, PartialEq)]
pub(crate) enum Cell {
    /// It has a case of its own.
    Value(PgValue),
    /// It has none: PostgreSQL has to write it as text.
    Foreign,
}

/// Bytes that values may take which say more than they have bytes: what they take is counted ahead of making them. No more fit into
/// the answer in any case.
struct Room(std::cell::Cell<usize>);

impl Room {
    const fn new(bytes: usize) -> Self {
        Self(std::cell::Cell::new(bytes))
    }

    fn take(&self, bytes: usize) -> Option<()> {
        self.0.set(self.0.get().checked_sub(bytes)?);
        Some(())
    }
}

/// Reads values of one connection.
pub(crate) struct Decoder {
    /// Digits of money behind its point.
    pub(crate) money_scale: u32,
    /// Whether only the types that all databases have are told apart.
    pub(crate) is_portable: bool,
    /// Bytes left, in all of the answer, for what is longer in the contract's values than it came.
    room: Room,
}

impl Decoder {
    /// Reads one answer.
    pub(crate) fn new(money_scale: u32, is_portable: bool) -> Self {
        Self { money_scale, is_portable, room: Room::new(PARAMS_LEN_MAX) }
    }

    /// Reads a value that is not null.
    pub(crate) fn decode(&self, ty: &Type, raw: &[u8]) -> Result<Cell, Fault> {
        let value = match ty.kind() {
            Kind::Domain(base) => return self.decode(base, raw),
            _ if self.is_portable => self.portable(ty, raw)?,
            Kind::Enum(_) => Some(PgValue::Text(text(raw)?)),
            Kind::Array(element) if matches!(element.kind(), Kind::Enum(_)) => {
                Some(PgValue::TextArray(list(raw, text)?))
            }
            _ if ty.name() == "hstore" => Some(PgValue::Hstore(words::hstore(raw)?)),
            _ => match self.simple(ty, raw)? {
                Some(value) => Some(value),
                None => self.array(ty, raw)?,
            },
        };
        Ok(value.map_or(Cell::Foreign, Cell::Value))
    }

    /// Numbers, bytes and truth as they are, and whatever else is text already.
    fn portable(&self, ty: &Type, raw: &[u8]) -> Result<Option<PgValue>, Fault> {
        Ok(Some(match *ty {
            Type::BOOL
            | Type::INT2
            | Type::INT4
            | Type::INT8
            | Type::FLOAT4
            | Type::FLOAT8
            | Type::BYTEA
            | Type::VOID => return self.simple(ty, raw),
            Type::TEXT | Type::VARCHAR | Type::BPCHAR | Type::NAME | Type::JSON | Type::XML => {
                PgValue::Text(text(raw)?)
            }
            Type::JSONB => PgValue::Text(jsonb(raw)?),
            Type::UUID => PgValue::Text(uuid(raw)?),
            Type::NUMERIC => PgValue::Text(numeric::decimal(raw, &self.room)?),
            _ if matches!(ty.kind(), Kind::Enum(_)) => PgValue::Text(text(raw)?),
            _ => return Ok(None),
        }))
    }

    fn simple(&self, ty: &Type, raw: &[u8]) -> Result<Option<PgValue>, Fault> {
        Ok(Some(match *ty {
            Type::BOOL => PgValue::Bool(boolean(raw)?),
            Type::INT2 => PgValue::Int2(int2(raw)?),
            Type::INT4 => PgValue::Int4(int4(raw)?),
            Type::INT8 => PgValue::Int8(int8(raw)?),
            Type::INT2_VECTOR => PgValue::Int2Vector(list(raw, int2)?),
            Type::FLOAT4 => PgValue::Float4(float4(raw)?),
            Type::FLOAT8 => PgValue::Float8(float8(raw)?),
            Type::NUMERIC => PgValue::Numeric(numeric::decimal(raw, &self.room)?),
            Type::MONEY => PgValue::Money(self.money(raw)?),
            Type::BYTEA => PgValue::Bytea(ByteBuf::from(raw)),
            Type::TEXT => PgValue::Text(text(raw)?),
            Type::VOID => PgValue::Text(String::new()),
            Type::NAME => PgValue::Name(text(raw)?),
            Type::BPCHAR | Type::CHAR => PgValue::Char(chars(raw)?),
            Type::VARCHAR => PgValue::Varchar(varchars(raw)?),
            Type::XML => PgValue::Xml(text(raw)?),
            Type::JSON => PgValue::Json(text(raw)?),
            Type::JSONB => PgValue::Jsonb(jsonb(raw)?),
            Type::UUID => PgValue::Uuid(uuid(raw)?),
            Type::BIT => PgValue::Bit(bits(raw)?),
            Type::VARBIT => PgValue::Varbit(varbits(raw)?),
            Type::CIDR => PgValue::Cidr(address(raw)?),
            Type::INET => PgValue::Inet(address(raw)?),
            Type::MACADDR => PgValue::Macaddr(mac(raw)?),
            Type::MACADDR8 => PgValue::Macaddr8(mac8(raw)?),
            Type::BOX => PgValue::Box(shape::two_points(raw)?),
            Type::CIRCLE => PgValue::Circle(shape::circle(raw)?),
            Type::LINE => PgValue::Line(shape::line(raw)?),
            Type::LSEG => PgValue::Lseg(shape::two_points(raw)?),
            Type::PATH => PgValue::Path(shape::path(raw)?),
            Type::POINT => PgValue::Point(shape::point(raw)?),
            Type::POLYGON => PgValue::Polygon(shape::polygon(raw)?),
            Type::DATE => PgValue::Date(time::date(raw)?),
            Type::DATE_RANGE => PgValue::Interval(time::range(raw)?),
            Type::TIME => PgValue::Time(time::time(raw)?),
            Type::TIMETZ => PgValue::TimeTz(time::time_tz(raw)?),
            Type::TIMESTAMP => PgValue::Timestamp(time::timestamp(raw)?),
            Type::TIMESTAMPTZ => PgValue::TimestampTz(time::timestamp_tz(raw)?),
            Type::PG_LSN => PgValue::PgLsn(lsn(raw)?),
            Type::PG_SNAPSHOT => PgValue::PgSnapshot(snapshot(raw)?),
            Type::TXID_SNAPSHOT => txid_snapshot(raw)?,
            Type::TS_VECTOR => PgValue::TsVector(words::vector(raw, &self.room)?),
            _ => return Ok(None),
        }))
    }

    fn array(&self, ty: &Type, raw: &[u8]) -> Result<Option<PgValue>, Fault> {
        Ok(Some(match *ty {
            Type::BOOL_ARRAY => PgValue::BoolArray(list(raw, boolean)?),
            Type::INT2_ARRAY => PgValue::Int2Array(list(raw, int2)?),
            Type::INT4_ARRAY => PgValue::Int4Array(list(raw, int4)?),
            Type::INT8_ARRAY => PgValue::Int8Array(list(raw, int8)?),
            Type::INT2_VECTOR_ARRAY => PgValue::Int2VectorArray(list(raw, |raw| list(raw, int2))?),
            Type::FLOAT4_ARRAY => PgValue::Float4Array(list(raw, float4)?),
            Type::FLOAT8_ARRAY => PgValue::Float8Array(list(raw, float8)?),
            Type::NUMERIC_ARRAY => {
                PgValue::NumericArray(list(raw, |raw| numeric::decimal(raw, &self.room))?)
            }
            Type::MONEY_ARRAY => PgValue::MoneyArray(list(raw, |raw| self.money(raw))?),
            Type::BYTEA_ARRAY => PgValue::ByteaArray(list(raw, |raw| Ok(ByteBuf::from(raw)))?),
            Type::TEXT_ARRAY => PgValue::TextArray(list(raw, text)?),
            Type::NAME_ARRAY => PgValue::NameArray(list(raw, text)?),
            Type::BPCHAR_ARRAY | Type::CHAR_ARRAY => PgValue::CharArray(list(raw, chars)?),
            Type::VARCHAR_ARRAY => PgValue::VarcharArray(list(raw, varchars)?),
            Type::XML_ARRAY => PgValue::XmlArray(list(raw, text)?),
            Type::JSON_ARRAY => PgValue::JsonArray(list(raw, text)?),
            Type::JSONB_ARRAY => PgValue::JsonbArray(list(raw, jsonb)?),
            Type::UUID_ARRAY => PgValue::UuidArray(list(raw, uuid)?),
            Type::BIT_ARRAY => PgValue::BitArray(list(raw, bits)?),
            Type::VARBIT_ARRAY => PgValue::VarbitArray(list(raw, varbits)?),
            Type::CIDR_ARRAY => PgValue::CidrArray(list(raw, address)?),
            Type::INET_ARRAY => PgValue::InetArray(list(raw, address)?),
            Type::MACADDR_ARRAY => PgValue::MacaddrArray(list(raw, mac)?),
            Type::MACADDR8_ARRAY => PgValue::Macaddr8Array(list(raw, mac8)?),
            Type::BOX_ARRAY => PgValue::BoxArray(list(raw, shape::two_points)?),
            Type::CIRCLE_ARRAY => PgValue::CircleArray(list(raw, shape::circle)?),
            Type::LINE_ARRAY => PgValue::LineArray(list(raw, shape::line)?),
            Type::LSEG_ARRAY => PgValue::LsegArray(list(raw, shape::two_points)?),
            Type::PATH_ARRAY => PgValue::PathArray(list(raw, shape::path)?),
            Type::POINT_ARRAY => PgValue::PointArray(list(raw, shape::point)?),
            Type::POLYGON_ARRAY => PgValue::PolygonArray(list(raw, shape::polygon)?),
            Type::DATE_ARRAY => PgValue::DateArray(list(raw, time::date)?),
            Type::DATE_RANGE_ARRAY => PgValue::IntervalArray(list(raw, time::range)?),
            Type::TIME_ARRAY => PgValue::TimeArray(list(raw, time::time)?),
            Type::TIMETZ_ARRAY => PgValue::TimeTzArray(list(raw, time::time_tz)?),
            Type::TIMESTAMP_ARRAY => PgValue::TimestampArray(list(raw, time::timestamp)?),
            Type::TIMESTAMPTZ_ARRAY => PgValue::TimestampTzArray(list(raw, time::timestamp_tz)?),
            Type::PG_LSN_ARRAY => PgValue::PgLsnArray(list(raw, lsn)?),
            _ => return Ok(None),
        }))
    }

    /// A count of the smallest coin, with the point where the server's locale has it.
    fn money(&self, raw: &[u8]) -> Result<String, Fault> {
        let coins = int8(raw)?;
        let (sign, coins) = (if coins < 0 { "-" } else { "" }, coins.unsigned_abs());
        let unit = 10_u64.pow(self.money_scale);
        let width = usize::try_from(self.money_scale).expect("a few digits");
        Ok(match width {
            0 => format!("{sign}{coins}"),
            _ => format!("{sign}{}.{:0width$}", coins / unit, coins % unit),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn decoder() -> Decoder {
        Decoder::new(2, false)
    }

    #[test]
    fn bytes_that_are_no_value_are_a_fault_and_no_panic() {
        let hostile =
            [&b""[..], b"\x00", b"\xff\xff\xff\xff", &[0xff; 40], &[0x7f; 40], &[0; 40], &[1; 11]];
        for oid in 1..6_000 {
            let Some(ty) = Type::from_oid(oid) else { continue };
            for bytes in hostile {
                let _ = decoder().decode(&ty, bytes);
            }
        }
    }

    #[test]
    fn an_array_that_promises_more_than_it_has_is_a_fault() {
        let array = [0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 21, 0x7f, 0xff, 0xff, 0xff, 0, 0, 0, 1];
        assert!(decoder().decode(&Type::INT2_ARRAY, &array).is_err());
    }

    #[test]
    fn money_has_the_point_where_the_locale_has_it() {
        let yen = Decoder::new(0, false);
        let coins = (-1_205_i64).to_be_bytes();
        let read = |decoder: &Decoder| decoder.decode(&Type::MONEY, &coins);
        assert_eq!(read(&decoder()), Ok(Cell::Value(PgValue::Money("-12.05".into()))));
        assert_eq!(read(&yen), Ok(Cell::Value(PgValue::Money("-1205".into()))));
    }

    #[test]
    fn a_type_of_its_own_is_foreign() {
        assert_eq!(decoder().decode(&Type::INTERVAL, &[0; 16]), Ok(Cell::Foreign));
        assert_eq!(decoder().decode(&Type::TSQUERY, &[0; 4]), Ok(Cell::Foreign));
    }
}
