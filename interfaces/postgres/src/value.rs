//! PostgreSQL's values as the contract has them.

use serde::{Deserialize, Serialize};

pub use serde_bytes::ByteBuf;

pub use crate::float::Hashable;
use crate::{memory::Memory, wire::list};

/// A place in the plane.
pub type Point = (Hashable, Hashable);

/// Bits of a fixed number: how many, and bytes that hold them from the highest bit on.
pub type Bits = (u32, ByteBuf);

/// Bits of any number: how many (all of the bytes' where nothing is said), and the bytes.
pub type VarBits = (Option<u32>, ByteBuf);

/// Text of a fixed length: the length, and the text in UTF-8.
pub type Chars = (u32, ByteBuf);

/// Text of a bounded length: the bound if one is known, and the text in UTF-8.
pub type VarChars = (Option<u32>, ByteBuf);

/// Each case with its name in the WIT, its name here and what it holds; of a list, what its entries are.
macro_rules! pg_values {
    ($($wit:literal $case:ident $(($payload:ty))? $([$entry:ty])?,)+) => {
        /// A value, by the name of its type; `wit/types.wit` has them all. What is read comes under the name that PostgreSQL
        /// stores it by: `Int4`, never `Integer`.
        #[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
        pub enum PgValue {
            /// The WIT's `null`.
            #[serde(rename = "null")]
            Null,
            $(
                #[doc = concat!("The WIT's `", $wit, "`.")]
                #[serde(rename = $wit)]
                $case(
                    $($payload)?
                    $(#[serde(deserialize_with = "list")] Vec<$entry>)?
                ),
            )+
        }

        impl PgValue {
            /// The case's name in the WIT.
            pub const fn name(&self) -> &'static str {
                match self {
                    Self::Null => "null",
                    $(Self::$case(_) => $wit,)+
                }
            }

            /// About how many bytes of memory it takes.
            pub fn memory(&self) -> usize {
                size_of::<Self>() + match self {
                    Self::Null => 0,
                    $(Self::$case(held) => held.beside(),)+
                }
            }
        }
    };
}

pg_values! {
    "big-int" BigInt(i64),
    "int8" Int8(i64),
    "int8-array" Int8Array[i64],
    "big-serial" BigSerial(i64),
    "serial8" Serial8(i64),
    "bool" Bool(bool),
    "boolean" Boolean(bool),
    "bool-array" BoolArray[bool],
    "double" Double(Hashable),
    "float8" Float8(Hashable),
    "float8-array" Float8Array[Hashable],
    "real" Real(Hashable),
    "float4" Float4(Hashable),
    "float4-array" Float4Array[Hashable],
    "integer" Integer(i32),
    "int" Int(i32),
    "int4" Int4(i32),
    "int4-array" Int4Array[i32],
    "numeric" Numeric(String),
    "decimal" Decimal(String),
    "numeric-array" NumericArray[String],
    "serial" Serial(u32),
    "serial4" Serial4(u32),
    "small-int" SmallInt(i16),
    "int2" Int2(i16),
    "int2-array" Int2Array[i16],
    "int2-vector" Int2Vector[i16],
    "int2-vector-array" Int2VectorArray[Vec<i16>],
    "small-serial" SmallSerial(i16),
    "serial2" Serial2(i16),
    "bit" Bit(Bits),
    "bit-array" BitArray[Bits],
    "bit-varying" BitVarying(VarBits),
    "varbit" Varbit(VarBits),
    "varbit-array" VarbitArray[VarBits],
    "bytea" Bytea(ByteBuf),
    "bytea-array" ByteaArray[ByteBuf],
    "char" Char(Chars),
    "char-array" CharArray[Chars],
    "varchar" Varchar(VarChars),
    "varchar-array" VarcharArray[VarChars],
    "cidr" Cidr(String),
    "cidr-array" CidrArray[String],
    "inet" Inet(String),
    "inet-array" InetArray[String],
    "macaddr" Macaddr(MacAddressEui48),
    "macaddr-array" MacaddrArray[MacAddressEui48],
    "macaddr8" Macaddr8(MacAddressEui64),
    "macaddr8-array" Macaddr8Array[MacAddressEui64],
    "box" Box((Point, Point)),
    "box-array" BoxArray[(Point, Point)],
    "circle" Circle((Point, Hashable)),
    "circle-array" CircleArray[(Point, Hashable)],
    "line" Line((Point, Point)),
    "line-array" LineArray[(Point, Point)],
    "lseg" Lseg((Point, Point)),
    "lseg-array" LsegArray[(Point, Point)],
    "path" Path[Point],
    "path-array" PathArray[Vec<Point>],
    "point" Point(Point),
    "point-array" PointArray[Point],
    "polygon" Polygon[Point],
    "polygon-array" PolygonArray[Vec<Point>],
    "date" Date(Date),
    "date-array" DateArray[Date],
    "interval" Interval(Interval),
    "interval-array" IntervalArray[Interval],
    "time" Time(Time),
    "time-array" TimeArray[Time],
    "time-tz" TimeTz(TimeTz),
    "time-tz-array" TimeTzArray[TimeTz],
    "timestamp" Timestamp(Timestamp),
    "timestamp-array" TimestampArray[Timestamp],
    "timestamp-tz" TimestampTz(TimestampTz),
    "timestamp-tz-array" TimestampTzArray[TimestampTz],
    "json" Json(String),
    "json-array" JsonArray[String],
    "jsonb" Jsonb(String),
    "jsonb-array" JsonbArray[String],
    "money" Money(String),
    "money-array" MoneyArray[String],
    "pg-lsn" PgLsn(u64),
    "pg-lsn-array" PgLsnArray[u64],
    "pg-snapshot" PgSnapshot((i64, i64, Vec<i64>)),
    "txid-snapshot" TxidSnapshot(i64),
    "name" Name(String),
    "name-array" NameArray[String],
    "text" Text(String),
    "text-array" TextArray[String],
    "xml" Xml(String),
    "xml-array" XmlArray[String],
    "ts-query" TsQuery(String),
    "ts-vector" TsVector[Lexeme],
    "uuid" Uuid(String),
    "uuid-array" UuidArray[String],
    "hstore" Hstore[(String, Option<String>)],
}

/// A hardware address of six bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct MacAddressEui48 {
    /// From the first to the last.
    pub bytes: [u8; 6],
}

/// A hardware address of eight bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct MacAddressEui64 {
    /// From the first to the last.
    pub bytes: [u8; 8],
}

/// A day.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Date {
    /// Later than every day.
    PositiveInfinity,
    /// Earlier than every day.
    NegativeInfinity,
    /// Year, month and day of the Gregorian calendar. The year before 1 is 0.
    Ymd((i32, u32, u32)),
}

/// From one day to another: a `daterange`. An end that is open is an infinite day, excluded.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Interval {
    /// The first day.
    pub start: Date,
    /// Whether the first day belongs to it.
    pub start_inclusive: bool,
    /// The last day.
    pub end: Date,
    /// Whether the last day belongs to it.
    pub end_inclusive: bool,
}

/// A time of day.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Time {
    /// 0 to 24; at 24 the rest is 0.
    pub hour: u32,
    /// 0 to 59.
    pub min: u32,
    /// 0 to 59.
    pub sec: u32,
    /// Millionths of the second.
    pub micro: u32,
}

/// A time of day somewhere.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct TimeTz {
    /// The zone, under the name that the WIT misspells: `+02:00`.
    pub timesonze: String,
    /// The time there.
    pub time: Time,
}

/// A day and a time on it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Timestamp {
    /// The day. An infinite one has no time that counts.
    pub date: Date,
    /// The time.
    pub time: Time,
}

/// How far a time zone lies from UTC.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Offset {
    /// Seconds ahead of UTC.
    EasternHemisphereSecs(i32),
    /// Seconds behind UTC.
    WesternHemisphereSecs(i32),
}

/// A moment. What is read comes in UTC: PostgreSQL does not keep the zone.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct TimestampTz {
    /// Day and time in the zone.
    pub timestamp: Timestamp,
    /// The zone.
    pub offset: Offset,
}

/// How much a lexeme weighs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum LexemeWeight {
    /// The most.
    A,
    /// Less.
    B,
    /// Still less.
    C,
    /// What is meant where nothing is said.
    D,
}

/// A word of a text search vector at one of its positions.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Lexeme {
    /// Where it stands.
    pub position: Option<u16>,
    /// What it weighs there; nothing where it has no position.
    pub weight: Option<LexemeWeight>,
    /// The word.
    pub data: String,
}
