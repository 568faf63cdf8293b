//! The bytes of the contract's messages. They are the WIT's values as MessagePack, which the host's bridge writes too.

use proptest::prelude::*;
use serde_bytes::ByteBuf;
use wattle_core::codec;
use wattle_postgres::{
    PgValue, PreparedStatementExecError, QueryError, StatementPrepareError,
    float::{from_f32, from_f64, to_f32, to_f64},
    value::{
        Date, Lexeme, LexemeWeight, MacAddressEui48, Offset, Time, TimeTz, Timestamp, TimestampTz,
    },
    wire::{Exec, Prepare, Query, QueryBatch, ResultRow, ResultRowEntry},
};

#[test]
fn messages_are_maps_with_the_wit_s_names() {
    let query = codec::encode(&Query {
        query: "q".into(),
        params: vec![PgValue::Null, PgValue::Int4(1)].into(),
    });
    assert_eq!(query, b"\x82\xa5query\xa1q\xa6params\x92\xa4null\x81\xa4int4\x01");
    assert_eq!(codec::encode(&QueryBatch { query: "q".into() }), b"\x81\xa5query\xa1q");
    assert_eq!(codec::encode(&Prepare { statement: "s".into() }), b"\x81\xa9statement\xa1s");
    let exec = codec::encode(&Exec { stmt_token: "t".into(), params: vec![].into() });
    assert_eq!(exec, b"\x82\xaastmt-token\xa1t\xa6params\x90");
}

#[test]
fn results_are_variants_with_the_wit_s_names() {
    let entry = ResultRowEntry { column_name: "c".into(), value: PgValue::Bool(true) };
    let rows: Result<Vec<ResultRow>, QueryError> = Ok(vec![vec![entry]]);
    let bytes = b"\x81\xa2Ok\x91\x91\x82\xabcolumn-name\xa1c\xa5value\x81\xa4bool\xc3";
    assert_eq!(codec::encode(&rows), bytes);
    assert_eq!(codec::encode(&Ok::<(), QueryError>(())), b"\x81\xa2Ok\xc0");
    assert_eq!(
        codec::encode(&QueryError::InvalidParams("x".into())),
        b"\x81\xaeinvalid-params\xa1x"
    );
    assert_eq!(
        codec::encode(&StatementPrepareError::Unexpected("x".into())),
        b"\x81\xaaunexpected\xa1x"
    );
    let error = PreparedStatementExecError::UnknownPreparedQuery;
    assert_eq!(codec::encode(&error), b"\xb6unknown-prepared-query");
    let error = PreparedStatementExecError::QueryError(QueryError::Unexpected("x".into()));
    assert_eq!(codec::encode(&error), b"\x81\xabquery-error\x81\xaaunexpected\xa1x");
}

#[test]
fn values_are_written_as_the_bridge_writes_them() {
    let time = Time { hour: 1, min: 2, sec: 3, micro: 4 };
    let timestamp = Timestamp { date: Date::Ymd((-1, 2, 3)), time };
    for (value, bytes) in [
        (PgValue::Bit((3, ByteBuf::from(vec![0xa0]))), &b"\x81\xa3bit\x92\x03\xc4\x01\xa0"[..]),
        (PgValue::Varbit((None, ByteBuf::new())), b"\x81\xa6varbit\x92\xc0\xc4\x00"),
        (PgValue::ByteaArray(vec![ByteBuf::from(vec![1])]), b"\x81\xabbytea-array\x91\xc4\x01\x01"),
        (PgValue::Float8(from_f64(2.0)), b"\x81\xa6float8\x93\xcf\x00\x10\x00\x00\x00\x00\x00\x00\xd0\xcd\x01"),
        (
            PgValue::Macaddr(MacAddressEui48 { bytes: [1, 2, 3, 4, 5, 0xff] }),
            b"\x81\xa7macaddr\x81\xa5bytes\x96\x01\x02\x03\x04\x05\xcc\xff",
        ),
        (PgValue::Date(Date::PositiveInfinity), b"\x81\xa4date\xb1positive-infinity"),
        (
            PgValue::TimeTz(TimeTz { timesonze: "Z".into(), time }),
            b"\x81\xa7time-tz\x82\xa9timesonze\xa1Z\xa4time\x84\xa4hour\x01\xa3min\x02\xa3sec\x03\xa5micro\x04",
        ),
        (
            PgValue::TimestampTz(TimestampTz { timestamp, offset: Offset::WesternHemisphereSecs(9) }),
            b"\x81\xactimestamp-tz\x82\xa9timestamp\x82\xa4date\x81\xa3ymd\x93\xff\x02\x03\xa4time\x84\xa4hour\x01\xa3min\x02\xa3sec\x03\xa5micro\x04\xa6offset\x81\xb7western-hemisphere-secs\x09",
        ),
        (
            PgValue::TsVector(vec![Lexeme { position: Some(1), weight: Some(LexemeWeight::A), data: "w".into() }]),
            b"\x81\xa9ts-vector\x91\x83\xa8position\x01\xa6weight\xa1A\xa4data\xa1w",
        ),
        (PgValue::Hstore(vec![("k".into(), None)]), b"\x81\xa6hstore\x91\x92\xa1k\xc0"),
    ] {
        assert_eq!(codec::encode(&value), bytes, "{value:?}");
        assert_eq!(codec::decode::<PgValue>(bytes, bytes.len()).expect("what we wrote"), value);
    }
}

proptest! {
    #[test]
    fn every_double_comes_back(bits in any::<u64>()) {
        let number = f64::from_bits(bits);
        let back = to_f64(from_f64(number)).expect("a sign");
        prop_assert!(back.to_bits() == bits || number.is_nan() && back.is_nan(), "{} {}", number, back);
    }

    #[test]
    fn every_single_comes_back(bits in any::<u32>()) {
        let number = f32::from_bits(bits);
        let back = to_f32(from_f32(number)).expect("a sign");
        prop_assert!(back.to_bits() == bits || number.is_nan() && back.is_nan(), "{} {}", number, back);
    }

    #[test]
    fn any_parts_make_a_number_or_none(parts in any::<(u64, i16, i8)>()) {
        prop_assert_eq!(to_f64(parts).is_some(), matches!(parts.2, 1 | -1));
        prop_assert_eq!(to_f32(parts).is_some(), matches!(parts.2, 1 | -1));
    }

    #[test]
    fn parameters_survive_the_trip(
        query in ".*",
        numbers in prop::collection::vec(any::<i64>(), 0..20),
        blobs in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..50), 0..20),
    ) {
        let blobs = blobs.into_iter().map(ByteBuf::from).collect();
        let params = vec![PgValue::Int8Array(numbers), PgValue::ByteaArray(blobs), PgValue::Text(query.clone())];
        let sent = Query { query: query.into(), params: params.into() };
        let bytes = codec::encode(&sent);
        prop_assert_eq!(codec::decode::<Query<'_>>(&bytes, bytes.len()).expect("what we wrote"), sent);
    }

    #[test]
    fn any_bytes_are_decoded_or_refused(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
        let _ = codec::decode::<Query<'_>>(&bytes, 200);
        let _ = codec::decode::<Exec<'_>>(&bytes, 200);
        let _ = codec::decode::<Result<Vec<ResultRow>, QueryError>>(&bytes, 200);
    }

    #[test]
    fn a_message_with_a_byte_changed_is_decoded_or_refused(place in 0_usize..80, byte in any::<u8>()) {
        let params = vec![PgValue::Date(Date::Ymd((2024, 2, 29))), PgValue::TextArray(vec!["text".into(); 3])];
        let mut bytes = codec::encode(&Query { query: "query".into(), params: params.into() });
        let place = place % bytes.len();
        bytes[place] = byte;
        let _ = codec::decode::<Query<'_>>(&bytes, bytes.len());
    }
}
