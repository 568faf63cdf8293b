//! Every value on its way between guest and wire, and which imports come here.

use serde_bytes::ByteBuf;
use wasmtime::component::Component;
use wattle_core::codec;
use wattle_postgres::{
    PgValue,
    value::{
        Date, Interval, Lexeme, LexemeWeight, MacAddressEui48, MacAddressEui64, Offset, Time,
        TimeTz, Timestamp, TimestampTz,
    },
    wire::ResultRowEntry,
};

use super::{types, values::Across};
use crate::actors::{bridge, engine::ActorEngine, imports};

/// A value of each case.
fn samples() -> Vec<PgValue> {
    let text = || "räd".to_owned();
    let texts = || vec![text(), String::new()];
    let (half, point) = ((1 << 52, -53, -1), ((1, 2, 1), (u64::MAX, i16::MIN, -1)));
    let bytes = || ByteBuf::from(vec![0, 7, 0xff]);
    let (sized, bounded) = (|| (17, bytes()), || (Some(3), bytes()));
    let (mac, mac8) = (
        MacAddressEui48 { bytes: [1, 2, 3, 4, 5, 0xff] },
        MacAddressEui64 { bytes: [1, 2, 3, 4, 5, 6, 7, 0xff] },
    );
    let date = Date::Ymd((-1, 2, 3));
    let days = Interval {
        start: date,
        start_inclusive: true,
        end: Date::PositiveInfinity,
        end_inclusive: false,
    };
    let time = Time { hour: 1, min: 2, sec: 3, micro: 400_000 };
    let time_tz = || TimeTz { timesonze: "+02:00".to_owned(), time };
    let timestamp = Timestamp { date: Date::NegativeInfinity, time };
    let moment = |offset| TimestampTz { timestamp, offset };
    let moments =
        vec![moment(Offset::EasternHemisphereSecs(1)), moment(Offset::WesternHemisphereSecs(2))];
    let lexeme = |weight| Lexeme { position: weight, weight: None, data: text() };
    let weighed = |weight| Lexeme { weight: Some(weight), ..lexeme(Some(3)) };
    use LexemeWeight::{A, B, C, D};
    vec![
        PgValue::Null,
        PgValue::BigInt(i64::MIN),
        PgValue::Int8(2),
        PgValue::Int8Array(vec![3, -3]),
        PgValue::BigSerial(4),
        PgValue::Serial8(5),
        PgValue::Bool(true),
        PgValue::Boolean(false),
        PgValue::BoolArray(vec![true, false]),
        PgValue::Double(half),
        PgValue::Float8(half),
        PgValue::Float8Array(vec![half]),
        PgValue::Real(half),
        PgValue::Float4(half),
        PgValue::Float4Array(vec![half, half]),
        PgValue::Integer(6),
        PgValue::Int(-7),
        PgValue::Int4(8),
        PgValue::Int4Array(vec![i32::MAX, i32::MIN]),
        PgValue::Numeric(text()),
        PgValue::Decimal(text()),
        PgValue::NumericArray(texts()),
        PgValue::Serial(u32::MAX),
        PgValue::Serial4(9),
        PgValue::SmallInt(10),
        PgValue::Int2(11),
        PgValue::Int2Array(vec![12]),
        PgValue::Int2Vector(vec![13]),
        PgValue::Int2VectorArray(vec![vec![14], vec![]]),
        PgValue::SmallSerial(15),
        PgValue::Serial2(16),
        PgValue::Bit(sized()),
        PgValue::BitArray(vec![sized(), sized()]),
        PgValue::BitVarying(bounded()),
        PgValue::Varbit((None, bytes())),
        PgValue::VarbitArray(vec![bounded(), (None, ByteBuf::new())]),
        PgValue::Bytea(bytes()),
        PgValue::ByteaArray(vec![bytes(), ByteBuf::new()]),
        PgValue::Char(sized()),
        PgValue::CharArray(vec![sized()]),
        PgValue::Varchar(bounded()),
        PgValue::VarcharArray(vec![bounded(), bounded()]),
        PgValue::Cidr(text()),
        PgValue::CidrArray(texts()),
        PgValue::Inet(text()),
        PgValue::InetArray(texts()),
        PgValue::Macaddr(mac),
        PgValue::MacaddrArray(vec![mac, mac]),
        PgValue::Macaddr8(mac8),
        PgValue::Macaddr8Array(vec![mac8]),
        PgValue::Box((point, point)),
        PgValue::BoxArray(vec![(point, point)]),
        PgValue::Circle((point, half)),
        PgValue::CircleArray(vec![(point, half)]),
        PgValue::Line((point, point)),
        PgValue::LineArray(vec![(point, point)]),
        PgValue::Lseg((point, point)),
        PgValue::LsegArray(vec![]),
        PgValue::Path(vec![point]),
        PgValue::PathArray(vec![vec![point], vec![]]),
        PgValue::Point(point),
        PgValue::PointArray(vec![point, point]),
        PgValue::Polygon(vec![point]),
        PgValue::PolygonArray(vec![vec![point]]),
        PgValue::Date(date),
        PgValue::DateArray(vec![date, Date::PositiveInfinity]),
        PgValue::Interval(days),
        PgValue::IntervalArray(vec![days]),
        PgValue::Time(time),
        PgValue::TimeArray(vec![time]),
        PgValue::TimeTz(time_tz()),
        PgValue::TimeTzArray(vec![time_tz()]),
        PgValue::Timestamp(timestamp),
        PgValue::TimestampArray(vec![timestamp]),
        PgValue::TimestampTz(moments[0]),
        PgValue::TimestampTzArray(moments),
        PgValue::Json(text()),
        PgValue::JsonArray(texts()),
        PgValue::Jsonb(text()),
        PgValue::JsonbArray(texts()),
        PgValue::Money(text()),
        PgValue::MoneyArray(texts()),
        PgValue::PgLsn(u64::MAX),
        PgValue::PgLsnArray(vec![1]),
        PgValue::PgSnapshot((1, 2, vec![3, 4])),
        PgValue::TxidSnapshot(5),
        PgValue::Name(text()),
        PgValue::NameArray(texts()),
        PgValue::Text(text()),
        PgValue::TextArray(texts()),
        PgValue::Xml(text()),
        PgValue::XmlArray(texts()),
        PgValue::TsQuery(text()),
        PgValue::TsVector([A, B, C, D].map(weighed).into_iter().chain([lexeme(None)]).collect()),
        PgValue::Uuid(text()),
        PgValue::UuidArray(texts()),
        PgValue::Hstore(vec![(text(), None), (text(), Some(text()))]),
    ]
}

#[test]
fn every_value_comes_to_a_guest_and_back_as_it_was() {
    let samples = samples();
    let mut names: Vec<_> = samples.iter().map(PgValue::name).collect();
    names.sort_unstable();
    names.dedup();
    assert_eq!(names.len(), 97, "one of each case of the WIT's");
    for sample in samples {
        let bytes = codec::encode(&sample);
        let entry = ResultRowEntry { column_name: "c".to_owned(), value: sample };
        let row: Vec<types::ResultRowEntry> = vec![entry.clone()].across();
        let [found] = <[_; 1]>::try_from(row).expect("one column");
        let given: PgValue = found.value.across();
        assert_eq!((&found.column_name, &given), (&entry.column_name, &entry.value));
        assert_eq!(codec::encode(&given), bytes);
    }
}

#[test]
fn what_a_guest_gives_is_written_as_the_bridge_would_write_it() {
    let time = types::Time { hour: 1, min: 2, sec: 3, micro: 4 };
    let timestamp = types::Timestamp { date: types::Date::Ymd((-1, 2, 3)), time };
    let offset = types::Offset::WesternHemisphereSecs(9);
    let weight = Some(types::LexemeWeight::A);
    let lexeme = types::Lexeme { position: Some(1), weight, data: "w".to_owned() };
    for (given, bytes) in [
        (types::PgValue::Null, &b"\xa4null"[..]),
        (types::PgValue::Int4(1), b"\x81\xa4int4\x01"),
        (types::PgValue::Bit((3, vec![0xa0])), b"\x81\xa3bit\x92\x03\xc4\x01\xa0"),
        (types::PgValue::Varbit((None, vec![])), b"\x81\xa6varbit\x92\xc0\xc4\x00"),
        (types::PgValue::Bytea(vec![1]), b"\x81\xa5bytea\xc4\x01\x01"),
        (types::PgValue::ByteaArray(vec![vec![1]]), b"\x81\xabbytea-array\x91\xc4\x01\x01"),
        (
            types::PgValue::Macaddr(types::MacAddressEui48 { bytes: (1, 2, 3, 4, 5, 0xff) }),
            b"\x81\xa7macaddr\x81\xa5bytes\x96\x01\x02\x03\x04\x05\xcc\xff",
        ),
        (
            types::PgValue::TimestampTz(types::TimestampTz { timestamp, offset }),
            b"\x81\xactimestamp-tz\x82\xa9timestamp\x82\xa4date\x81\xa3ymd\x93\xff\x02\x03\xa4time\x84\xa4hour\x01\xa3min\x02\xa3sec\x03\xa5micro\x04\xa6offset\x81\xb7western-hemisphere-secs\x09",
        ),
        (
            types::PgValue::TsVector(vec![lexeme]),
            b"\x81\xa9ts-vector\x91\x83\xa8position\x01\xa6weight\xa1A\xa4data\xa1w",
        ),
        (
            types::PgValue::Hstore(vec![("k".to_owned(), None)]),
            b"\x81\xa6hstore\x91\x92\xa1k\xc0",
        ),
    ] {
        let what = format!("{given:?}");
        let given: PgValue = given.across();
        assert_eq!(codec::encode(&given), bytes, "{what}");
    }
}

#[test]
fn neither_lists_nor_texts_nor_bytes_are_copied() {
    let places = |given: &[types::PgValue]| match given {
        [types::PgValue::Text(text), types::PgValue::ByteaArray(blobs)] => {
            [given.as_ptr().addr(), text.as_ptr().addr(), blobs[2].as_ptr().addr()]
        }
        _ => panic!("what was made below"),
    };
    let blobs = vec![vec![7; 100]; 3];
    let given = vec![types::PgValue::Text("text".to_owned()), types::PgValue::ByteaArray(blobs)];
    let before = places(&given);
    let wire: Vec<PgValue> = given.across();
    let back: Vec<types::PgValue> = wire.across();
    assert_eq!(places(&back), before);

    let column = || ResultRowEntry { column_name: "column".to_owned(), value: PgValue::Null };
    let rows = vec![vec![column(), column()]];
    let before = [rows.as_ptr().addr(), rows[0].as_ptr().addr()];
    let rows: Vec<Vec<types::ResultRowEntry>> = rows.across();
    assert_eq!([rows.as_ptr().addr(), rows[0].as_ptr().addr()], before);
}

/// A component that imports `query-batch` of the contract's in this version, with these cases of its error.
fn component(version: &str, error: &str) -> String {
    format!(
        r#"(component
            (import "wasmcloud:postgres/types@{version}" (instance $types
                (type $error (variant {error}))
                (export "query-error" (type (eq $error)))))
            (alias export $types "query-error" (type $error))
            (import "wasmcloud:postgres/query@{version}" (instance
                (export "query-error" (type $of-types (eq $error)))
                (export "query-batch" (func (param "query" string) (result (result (error $of-types))))))))"#
    )
}

#[test]
fn the_contract_s_version_comes_here_and_any_other_goes_over_the_bridge() {
    let engine = ActorEngine::new().expect("an engine").engine;
    let shared = imports::linker(&engine).expect("a linker");
    let linked = |version, error| {
        let component = Component::new(&engine, component(version, error)).expect("a component");
        let bridging = bridge::link(&shared, &component).expect("the bridge carries it");
        let linker = bridging.as_ref().unwrap_or(&shared);
        (bridging.is_some(), linker.instantiate_pre(&component).is_ok())
    };
    const ERROR: &str = r#"(case "invalid-params" string) (case "invalid-query" string)
        (case "unexpected" string)"#;
    assert_eq!(linked("0.1.1-draft", ERROR), (false, true));
    assert_eq!(linked("0.1.1-draft", r#"(case "unexpected" string)"#), (false, false));
    for other in ["0.1.0-draft", "0.1.1", "0.2.0"] {
        assert_eq!(linked(other, ERROR), (true, true), "{other}");
    }
}
