//! Values as guests have them and as they travel. Both are of the same shapes, so a value moves from the one to the other, lists where
//! they lie, and no text or bytes are copied.

use std::convert::identity as same;

use wattle_postgres::{
    PgValue, PreparedStatementExecError, QueryError, StatementPrepareError,
    value::{
        ByteBuf, Date, Interval, Lexeme, LexemeWeight, MacAddressEui48, MacAddressEui64, Offset,
        Time, TimeTz, Timestamp, TimestampTz,
    },
    wire::ResultRowEntry,
};

use super::types;

/// A value that has two types, one on either side.
pub(super) trait Across<T> {
    /// The value on the other side.
    fn across(self) -> T;
}

/// Collecting takes a list's own memory for the new one only where its entries are as large.
const _: () = assert!(
    size_of::<types::PgValue>() == size_of::<PgValue>()
        && size_of::<types::ResultRowEntry>() == size_of::<ResultRowEntry>()
);

impl<A: Across<B>, B> Across<Vec<B>> for Vec<A> {
    fn across(self) -> Vec<B> {
        self.into_iter().map(A::across).collect()
    }
}

impl<A: Across<B>, B> Across<Option<B>> for Option<A> {
    fn across(self) -> Option<B> {
        self.map(A::across)
    }
}

/// Bytes with the number of their bits or characters.
impl<N, A: Across<B>, B> Across<(N, B)> for (N, A) {
    fn across(self) -> (N, B) {
        (self.0, self.1.across())
    }
}

impl Across<ByteBuf> for Vec<u8> {
    fn across(self) -> ByteBuf {
        ByteBuf::from(self)
    }
}

impl Across<Vec<u8>> for ByteBuf {
    fn across(self) -> Vec<u8> {
        self.into_vec()
    }
}

fn across<A: Across<B>, B>(value: A) -> B {
    value.across()
}

/// From an enum to another with the same cases: those that hold nothing, and the others by what becomes of what they hold.
macro_rules! cases {
    ($from:ty => $to:ty: $($bare:ident)*; $($how:ident: $($case:ident)+;)*) => {
        impl Across<$to> for $from {
            fn across(self) -> $to {
                type To = $to;
                match self {
                    $(Self::$bare => To::$bare,)*
                    $($(Self::$case(it) => To::$case($how(it)),)+)*
                }
            }
        }
    };
    ($guest:ty, $wire:ty: $($cases:tt)*) => {
        cases!($guest => $wire: $($cases)*);
        cases!($wire => $guest: $($cases)*);
    };
}

cases! { types::PgValue, PgValue:
    Null;
    same: BigInt Int8 Int8Array BigSerial Serial8 Bool Boolean BoolArray Double Float8 Float8Array Real Float4 Float4Array
        Integer Int Int4 Int4Array Numeric Decimal NumericArray Serial Serial4 SmallInt Int2 Int2Array Int2Vector
        Int2VectorArray SmallSerial Serial2 Cidr CidrArray Inet InetArray Box BoxArray Circle CircleArray Line LineArray
        Lseg LsegArray Path PathArray Point PointArray Polygon PolygonArray Json JsonArray Jsonb JsonbArray Money
        MoneyArray PgLsn PgLsnArray PgSnapshot TxidSnapshot Name NameArray Text TextArray Xml XmlArray TsQuery Uuid
        UuidArray Hstore;
    across: Bit BitArray BitVarying Varbit VarbitArray Bytea ByteaArray Char CharArray Varchar VarcharArray Macaddr
        MacaddrArray Macaddr8 Macaddr8Array Date DateArray Interval IntervalArray Time TimeArray TimeTz TimeTzArray
        Timestamp TimestampArray TimestampTz TimestampTzArray TsVector;
}
cases! { types::Date, Date: PositiveInfinity NegativeInfinity; same: Ymd; }
cases! { types::Offset, Offset: ; same: EasternHemisphereSecs WesternHemisphereSecs; }
cases! { types::LexemeWeight, LexemeWeight: A B C D; }
cases! { QueryError => types::QueryError: ; same: InvalidParams InvalidQuery Unexpected; }
cases! { StatementPrepareError => types::StatementPrepareError: ; same: Unexpected; }
cases! { PreparedStatementExecError => types::PreparedStatementExecError:
    UnknownPreparedQuery;
    same: Unexpected;
    across: QueryError;
}

/// From a record to another with the same fields: by what becomes of what they hold.
macro_rules! fields {
    ($from:ty => $to:ty: $($how:ident: $($field:ident)+;)*) => {
        impl Across<$to> for $from {
            fn across(self) -> $to {
                type To = $to;
                To { $($($field: $how(self.$field),)+)* }
            }
        }
    };
    ($guest:ty, $wire:ty: $($fields:tt)*) => {
        fields!($guest => $wire: $($fields)*);
        fields!($wire => $guest: $($fields)*);
    };
}

fields! { types::Interval, Interval: same: start_inclusive end_inclusive; across: start end; }
fields! { types::Time, Time: same: hour min sec micro; }
fields! { types::TimeTz, TimeTz: same: timesonze; across: time; }
fields! { types::Timestamp, Timestamp: across: date time; }
fields! { types::TimestampTz, TimestampTz: across: timestamp offset; }
fields! { types::Lexeme, Lexeme: same: position data; across: weight; }
fields! { ResultRowEntry => types::ResultRowEntry: same: column_name; across: value; }
fields! { types::MacAddressEui48, MacAddressEui48: array: bytes; }
fields! { types::MacAddressEui64, MacAddressEui64: array: bytes; }

/// An array as a tuple, or the other way.
fn array<A: Into<B>, B>(bytes: A) -> B {
    bytes.into()
}
