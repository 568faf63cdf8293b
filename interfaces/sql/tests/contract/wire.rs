//! The bytes of the contract's messages. They are the WIT's values as MessagePack, which the host's bridge writes too.

use proptest::prelude::*;
use wattle_core::codec;
use wattle_sql::{
    Error, Row, Rows, Statement, Value, ViolationKind,
    limit::{COLUMNS_MAX, PARAMS_MAX, ROWS_MAX},
    wire::{Batch, Outcome},
};

#[test]
fn messages_are_maps_with_the_wit_s_names() {
    let one = Statement::new("x", vec![Value::Null, Value::Integer(7)]);
    let bytes = b"\x82\xa4text\xa1x\xa6params\x92\xa4null\x81\xa7integer\x07";
    assert_eq!(codec::encode(&one), bytes);
    let batch = codec::encode(&Batch { statements: vec![one] });
    assert_eq!(batch, [&b"\x81\xaastatements\x91"[..], bytes].concat());
}

#[test]
fn values_are_variants_with_the_wit_s_names() {
    for (value, bytes) in [
        (Value::Null, &b"\xa4null"[..]),
        (Value::Boolean(true), b"\x81\xa7boolean\xc3"),
        (Value::Integer(-1), b"\x81\xa7integer\xff"),
        (Value::Real(0.5), b"\x81\xa4real\xcb\x3f\xe0\0\0\0\0\0\0"),
        (Value::Text("x".into()), b"\x81\xa4text\xa1x"),
        (Value::Blob(b"x".to_vec()), b"\x81\xa4blob\xc4\x01x"),
    ] {
        assert_eq!(codec::encode(&value), bytes);
        assert!(bytes.len() <= value.encoded_len_max(), "{value:?}");
    }
}

#[test]
fn results_are_variants_with_the_wit_s_names() {
    let rows = Rows { columns: vec!["c".into()], rows: vec![Row(vec![Value::Boolean(false)])] };
    let found: Outcome<Rows> = Ok(rows);
    let bytes = b"\x81\xa2Ok\x82\xa7columns\x91\xa1c\xa4rows\x91\x91\x81\xa7boolean\xc2";
    assert_eq!(codec::encode(&found), bytes);
    assert_eq!(codec::encode(&Outcome::<u64>::Ok(3)), b"\x81\xa2Ok\x03");
    assert_eq!(codec::encode(&Outcome::<Vec<u64>>::Ok(vec![1, 0])), b"\x81\xa2Ok\x92\x01\x00");
    let large = Outcome::<u64>::Err(Error::TooLarge("x".into()));
    assert_eq!(codec::encode(&large), b"\x81\xa3Err\x81\xa9too-large\xa1x");
    let broken = Outcome::<u64>::Err(Error::violation(ViolationKind::ForeignKey, "x"));
    let bytes = b"\x81\xa3Err\x81\xaaconstraint\x82\xa4kind\xabforeign-key\xa7message\xa1x";
    assert_eq!(codec::encode(&broken), bytes);
}

#[test]
fn a_whole_number_is_read_where_a_real_one_belongs() {
    let value = codec::decode(b"\x81\xa4real\x02", 100).expect("what a caller of JSON sends");
    assert_eq!(Value::Real(2.0), value);
}

#[test]
fn lists_are_read_as_far_as_their_limits() {
    let statement = |params| codec::encode(&Statement::new("x", vec![Value::Null; params]));
    assert!(codec::decode::<Statement>(&statement(PARAMS_MAX), 1 << 20).is_ok());
    assert!(codec::decode::<Statement>(&statement(PARAMS_MAX + 1), 1 << 20).is_err());
    let rows = |rows, columns| {
        let row = Row(vec![Value::Null; columns]);
        codec::encode(&Rows { columns: vec![], rows: vec![row; rows] })
    };
    let read = |bytes: Vec<u8>| codec::decode::<Rows>(&bytes, 1 << 24).is_ok();
    assert!(read(rows(ROWS_MAX, 1)) && read(rows(1, COLUMNS_MAX)));
    assert!(!read(rows(ROWS_MAX + 1, 0)), "rows without columns count, too");
    assert!(!read(rows(1, COLUMNS_MAX + 1)));
    assert!(!read(rows(1_000, COLUMNS_MAX)), "two million values in all");
}

/// A claim of four billion entries, and none of them there, takes no memory.
#[test]
fn a_length_is_only_a_claim() {
    let bytes = b"\x82\xa4text\xa1x\xa6params\xdd\xff\xff\xff\xff";
    assert!(codec::decode::<Statement>(bytes, bytes.len()).is_err());
    let bytes = b"\x81\xaastatements\xdd\xff\xff\xff\xff";
    assert!(codec::decode::<Batch>(bytes, bytes.len()).is_err());
}

fn value() -> impl Strategy<Value = Value> {
    prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::Boolean),
        any::<i64>().prop_map(Value::Integer),
        any::<f64>().prop_filter("no NaN is itself", |f| !f.is_nan()).prop_map(Value::Real),
        ".*".prop_map(Value::Text),
        prop::collection::vec(any::<u8>(), 0..50).prop_map(Value::Blob),
    ]
}

fn statement() -> impl Strategy<Value = Statement> {
    (".*", prop::collection::vec(value(), 0..9))
        .prop_map(|(text, params)| Statement { text, params })
}

proptest! {
    #[test]
    fn messages_survive_the_trip(
        statements in prop::collection::vec(statement(), 0..9),
        columns in prop::collection::vec(".*", 0..5),
        rows in prop::collection::vec(prop::collection::vec(value(), 0..5).prop_map(Row), 0..9),
    ) {
        let batch = Batch { statements };
        let bytes = codec::encode(&batch);
        prop_assert_eq!(codec::decode::<Batch>(&bytes, bytes.len()).expect("what we wrote"), batch);
        let rows = Rows { columns, rows };
        let bytes = codec::encode(&rows);
        prop_assert_eq!(codec::decode::<Rows>(&bytes, bytes.len()).expect("what we wrote"), rows);
    }

    #[test]
    fn a_value_is_never_longer_than_it_counts(value in value()) {
        prop_assert!(codec::encode(&value).len() <= value.encoded_len_max());
    }

    #[test]
    fn any_bytes_are_decoded_or_refused(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
        let _ = codec::decode::<Statement>(&bytes, 200);
        let _ = codec::decode::<Batch>(&bytes, 200);
        let _ = codec::decode::<Outcome<Rows>>(&bytes, 200);
        let _ = codec::decode::<Outcome<Vec<u64>>>(&bytes, 200);
    }

    #[test]
    fn a_message_with_a_byte_changed_is_decoded_or_refused(place in 0_usize..200, byte in any::<u8>()) {
        let params = vec![Value::Text("text".into()), Value::Blob(vec![1; 3]), Value::Real(1.5)];
        let statements = vec![Statement::new("SELECT $1", params); 3];
        let mut bytes = codec::encode(&Batch { statements });
        let place = place % bytes.len();
        bytes[place] = byte;
        let _ = codec::decode::<Batch>(&bytes, bytes.len());
    }
}
