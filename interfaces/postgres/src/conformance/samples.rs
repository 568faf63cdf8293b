//! A value of every type, with the type's name in SQL.

use serde_bytes::ByteBuf;

use crate::{
    PgValue,
    float::{from_f32, from_f64},
    value::{
        Date, Hashable, Interval, Lexeme, LexemeWeight, MacAddressEui48, MacAddressEui64, Offset,
        Point, Time, TimeTz, Timestamp, TimestampTz,
    },
};

/// Values that are read exactly as they are written.
pub(super) fn all() -> Vec<(&'static str, PgValue)> {
    [numbers(), texts(), bits_and_bytes(), network(), shapes(), times(), documents(), internals()]
        .concat()
}

/// Values that are read under the name that PostgreSQL stores them by: type, what is written, what is read.
pub(super) fn aliases() -> Vec<(&'static str, PgValue, PgValue)> {
    use PgValue::{
        BigInt, BigSerial, BitVarying, Boolean, Decimal, Double, Int, Int2, Int4, Int8, Integer,
        Numeric, Real, Serial, Serial2, Serial4, Serial8, SmallInt, SmallSerial, Varbit,
    };
    let five = || "5".to_owned();
    vec![
        ("int8", BigInt(5), Int8(5)),
        ("int8", BigSerial(5), Int8(5)),
        ("int8", Serial8(5), Int8(5)),
        ("bool", Boolean(true), PgValue::Bool(true)),
        ("float8", Double(from_f64(0.1)), PgValue::Float8(from_f64(0.1))),
        ("float4", Real(from_f32(0.1)), PgValue::Float4(from_f32(0.1))),
        ("int4", Integer(-5), Int4(-5)),
        ("int4", Int(-5), Int4(-5)),
        ("int4", Serial(5), Int4(5)),
        ("int4", Serial4(5), Int4(5)),
        ("numeric", Decimal(five()), Numeric(five())),
        ("numeric", Int4(5), Numeric(five())),
        ("int2", SmallInt(5), Int2(5)),
        ("int2", SmallSerial(5), Int2(5)),
        ("int2", Serial2(5), Int2(5)),
        ("int8", Int2(5), Int8(5)),
        ("varbit", BitVarying((None, bytes(&[0xf0]))), Varbit((Some(8), bytes(&[0xf0])))),
        ("uuid", PgValue::Text(UUID.to_uppercase()), PgValue::Uuid(UUID.into())),
    ]
}

const UUID: &str = "3f2504e0-4f89-11d3-9a0c-0305e82c3301";

fn bytes(bytes: &[u8]) -> ByteBuf {
    ByteBuf::from(bytes)
}

fn strings(all: &[&str]) -> Vec<String> {
    all.iter().map(|text| (*text).to_owned()).collect()
}

fn numbers() -> Vec<(&'static str, PgValue)> {
    let doubles: Vec<Hashable> = [0.0, -1.5, 0.1, f64::MAX, f64::MIN_POSITIVE].map(from_f64).into();
    let singles: Vec<Hashable> = [0.0, -1.5, 0.1, f32::MAX, f32::MIN_POSITIVE].map(from_f32).into();
    let exact = [
        "0",
        "-12.50",
        "0.000100",
        "12345678901234567890.123456789",
        "100000",
        "10000.0001",
        "NaN",
        "Infinity",
        "-Infinity",
    ];
    let mut samples = vec![
        ("bool", PgValue::Bool(true)),
        ("bool[]", PgValue::BoolArray(vec![true, false])),
        ("int2", PgValue::Int2(i16::MIN)),
        ("int2[]", PgValue::Int2Array(vec![i16::MIN, 0, i16::MAX])),
        ("int4", PgValue::Int4(i32::MIN)),
        ("int4[]", PgValue::Int4Array(vec![i32::MIN, 0, i32::MAX])),
        ("int8", PgValue::Int8(i64::MIN)),
        ("int8[]", PgValue::Int8Array(vec![i64::MIN, 0, i64::MAX])),
        ("float8[]", PgValue::Float8Array(doubles.clone())),
        ("float4[]", PgValue::Float4Array(singles.clone())),
        ("numeric[]", PgValue::NumericArray(strings(&exact))),
        ("money", PgValue::Money("-1234.56".into())),
        ("money[]", PgValue::MoneyArray(strings(&["0.00", "0.05", "-0.05"]))),
    ];
    samples.extend(exact.map(|text| ("numeric", PgValue::Numeric(text.into()))));
    samples.extend(doubles.into_iter().map(|number| ("float8", PgValue::Float8(number))));
    samples.extend(singles.into_iter().map(|number| ("float4", PgValue::Float4(number))));
    samples
}

fn texts() -> Vec<(&'static str, PgValue)> {
    let odd = "it's \"quoted\", {braced}; \\back\\ NULL ü 🦀\n";
    let chars = |text: &str| (u32::try_from(text.len()).expect("short"), bytes(text.as_bytes()));
    let varchars = |text: &str| (None, bytes(text.as_bytes()));
    vec![
        ("text", PgValue::Text(odd.into())),
        ("text", PgValue::Text(String::new())),
        ("text[]", PgValue::TextArray(strings(&[odd, "", "null", "NULL", " "]))),
        ("text[]", PgValue::TextArray(vec![])),
        ("name", PgValue::Name("a_name".into())),
        ("name[]", PgValue::NameArray(strings(&["a", "b c"]))),
        ("char(3)", PgValue::Char(chars("äb "))),
        ("char(2)[]", PgValue::CharArray(vec![chars("ab"), chars("cd")])),
        ("varchar(100)", PgValue::Varchar(varchars(odd))),
        ("varchar[]", PgValue::VarcharArray(vec![varchars(odd), varchars("")])),
        ("xml", PgValue::Xml("<a href=\"b\">ü</a>".into())),
        ("xml[]", PgValue::XmlArray(strings(&["<a/>", "<b>c</b>"]))),
        ("uuid", PgValue::Uuid(UUID.into())),
        ("uuid[]", PgValue::UuidArray(strings(&[UUID, UUID]))),
    ]
}

fn bits_and_bytes() -> Vec<(&'static str, PgValue)> {
    let every_byte: Vec<u8> = (0..=255).collect();
    vec![
        ("bytea", PgValue::Bytea(ByteBuf::from(every_byte.clone()))),
        ("bytea[]", PgValue::ByteaArray(vec![ByteBuf::from(every_byte), bytes(b"")])),
        ("bit(12)", PgValue::Bit((12, bytes(&[0xa5, 0x50])))),
        ("bit(3)[]", PgValue::BitArray(vec![(3, bytes(&[0xa0])), (3, bytes(&[0x40]))])),
        ("varbit", PgValue::Varbit((Some(9), bytes(&[0xff, 0x80])))),
        ("varbit[]", PgValue::VarbitArray(vec![(Some(1), bytes(&[0x80])), (Some(0), bytes(b""))])),
    ]
}

fn network() -> Vec<(&'static str, PgValue)> {
    let six = MacAddressEui48 { bytes: [8, 0, 0x2b, 1, 2, 0xff] };
    let eight = MacAddressEui64 { bytes: [8, 0, 0x2b, 1, 2, 3, 4, 0xff] };
    vec![
        ("cidr", PgValue::Cidr("192.168.100.128/25".into())),
        ("cidr[]", PgValue::CidrArray(strings(&["10.0.0.0/8", "2001:4f8:3:ba::/64"]))),
        ("inet", PgValue::Inet("192.168.0.1".into())),
        ("inet[]", PgValue::InetArray(strings(&["192.168.0.1/24", "::1", "::ffff:1.2.3.4"]))),
        ("macaddr", PgValue::Macaddr(six)),
        ("macaddr[]", PgValue::MacaddrArray(vec![six, six])),
        ("macaddr8", PgValue::Macaddr8(eight)),
        ("macaddr8[]", PgValue::Macaddr8Array(vec![eight, eight])),
    ]
}

fn shapes() -> Vec<(&'static str, PgValue)> {
    let at = |x: f64, y: f64| -> Point { (from_f64(x), from_f64(y)) };
    let (high, low) = (at(3.5, 4.25), at(-1.0, 0.1));
    let open = vec![at(0.0, 0.0), at(1.0, 0.5), at(2.0, 0.0)];
    let closed = [open.clone(), vec![at(0.0, 0.0)]].concat();
    // A line has many pairs of points; this is the pair that one is read as.
    let line = (at(0.0, 2.0), at(1.0, 5.0));
    vec![
        ("point", PgValue::Point(high)),
        ("point[]", PgValue::PointArray(vec![high, low])),
        ("box", PgValue::Box((high, low))),
        ("box[]", PgValue::BoxArray(vec![(high, low), (at(1.0, 1.0), at(0.0, 0.0))])),
        ("circle", PgValue::Circle((low, from_f64(2.5)))),
        ("circle[]", PgValue::CircleArray(vec![(low, from_f64(2.5)), (high, from_f64(0.0))])),
        ("line", PgValue::Line(line)),
        ("line", PgValue::Line((at(4.0, 0.0), at(4.0, 1.0)))),
        ("line[]", PgValue::LineArray(vec![line, line])),
        ("lseg", PgValue::Lseg((low, high))),
        ("lseg[]", PgValue::LsegArray(vec![(low, high), (high, low)])),
        ("path", PgValue::Path(open.clone())),
        ("path", PgValue::Path(closed.clone())),
        ("path[]", PgValue::PathArray(vec![open.clone(), closed])),
        ("polygon", PgValue::Polygon(open.clone())),
        ("polygon[]", PgValue::PolygonArray(vec![open.clone(), open])),
    ]
}

fn times() -> Vec<(&'static str, PgValue)> {
    let days = [
        Date::Ymd((2024, 2, 29)),
        Date::Ymd((1970, 1, 1)),
        Date::Ymd((1, 1, 1)),
        Date::Ymd((0, 12, 31)),
        Date::Ymd((-4711, 3, 1)),
        Date::Ymd((294_276, 12, 31)),
        Date::PositiveInfinity,
        Date::NegativeInfinity,
    ];
    let time = |hour, min, sec, micro| Time { hour, min, sec, micro };
    let noon = time(12, 34, 56, 123_456);
    let end = time(24, 0, 0, 0);
    let stamps: Vec<_> = days
        .into_iter()
        .map(|date| {
            let finite = matches!(date, Date::Ymd(_));
            Timestamp { date, time: if finite { noon } else { time(0, 0, 0, 0) } }
        })
        .collect();
    let utc = Offset::EasternHemisphereSecs(0);
    let moments: Vec<_> =
        stamps.iter().map(|&timestamp| TimestampTz { timestamp, offset: utc }).collect();
    let zoned = |zone: &str| TimeTz { timesonze: zone.into(), time: noon };
    let mut samples = vec![
        ("date[]", PgValue::DateArray(days.into())),
        ("time", PgValue::Time(end)),
        ("time[]", PgValue::TimeArray(vec![noon, end, time(0, 0, 0, 1)])),
        ("timetz", PgValue::TimeTz(zoned("+05:45"))),
        ("timetz[]", PgValue::TimeTzArray(vec![zoned("-08:00"), zoned("+00:00:01")])),
        ("timestamp[]", PgValue::TimestampArray(stamps.clone())),
        ("timestamptz[]", PgValue::TimestampTzArray(moments.clone())),
        ("daterange[]", PgValue::IntervalArray(ranges())),
    ];
    samples.extend(days.map(|day| ("date", PgValue::Date(day))));
    samples.extend(stamps.into_iter().map(|stamp| ("timestamp", PgValue::Timestamp(stamp))));
    samples.extend(moments.into_iter().map(|at| ("timestamptz", PgValue::TimestampTz(at))));
    samples.extend(ranges().into_iter().map(|range| ("daterange", PgValue::Interval(range))));
    samples
}

/// As PostgreSQL keeps them: the first day belongs to it, the last does not.
fn ranges() -> Vec<Interval> {
    let (first, last) = (Date::Ymd((2024, 1, 1)), Date::Ymd((2025, 1, 1)));
    vec![
        Interval { start: first, start_inclusive: true, end: last, end_inclusive: false },
        Interval {
            start: Date::NegativeInfinity,
            start_inclusive: false,
            end: last,
            end_inclusive: false,
        },
        Interval {
            start: first,
            start_inclusive: true,
            end: Date::PositiveInfinity,
            end_inclusive: false,
        },
    ]
}

fn documents() -> Vec<(&'static str, PgValue)> {
    let json = r#"{"a": [1, null, "\"ü"]}"#;
    let word = |data: &str, place: Option<(u16, LexemeWeight)>| Lexeme {
        position: place.map(|(position, _)| position),
        weight: place.map(|(_, weight)| weight),
        data: data.into(),
    };
    let vector = vec![
        word("cat", Some((3, LexemeWeight::A))),
        word("cat", Some((9, LexemeWeight::D))),
        word("it's \\ here", Some((1, LexemeWeight::B))),
        word("mouse", None),
    ];
    let pairs = vec![("a\"b".to_owned(), Some("c\\d".to_owned())), ("nothing".to_owned(), None)];
    vec![
        ("json", PgValue::Json(json.into())),
        ("json[]", PgValue::JsonArray(strings(&[json, "null", "\"\""]))),
        ("jsonb", PgValue::Jsonb(json.into())),
        ("jsonb[]", PgValue::JsonbArray(strings(&[json, "null", "\"\""]))),
        ("tsvector", PgValue::TsVector(vector)),
        ("tsquery", PgValue::TsQuery("'fat' & ( 'rat' | !'cat':AB )".into())),
        ("hstore", PgValue::Hstore(pairs)),
    ]
}

fn internals() -> Vec<(&'static str, PgValue)> {
    vec![
        ("int2vector", PgValue::Int2Vector(vec![1, -2, 3])),
        ("int2vector[]", PgValue::Int2VectorArray(vec![vec![1, 2], vec![3]])),
        ("pg_lsn", PgValue::PgLsn(0x0000_0016_b374_d848)),
        ("pg_lsn[]", PgValue::PgLsnArray(vec![0, u64::MAX])),
        ("pg_snapshot", PgValue::PgSnapshot((10, 20, vec![10, 14, 15]))),
        ("txid_snapshot", PgValue::TxidSnapshot(10)),
    ]
}
