//! The bytes of the contract's messages. They are the WIT's values as MessagePack, which any other implementation writes too.

use proptest::prelude::*;
use wattle_core::codec;
use wattle_keyvalue::{
    Error,
    wire::{
        Found, Get, GetMany, KeyResponse, KeyValue, ListKeys, Outcome, Set, SetMany, Text, Value,
    },
};

#[test]
fn messages_are_maps_with_the_wit_s_names() {
    let get = codec::encode(&Get { bucket: "b".into(), key: "k".into() });
    assert_eq!(get, b"\x82\xa6bucket\xa1b\xa3key\xa1k");
    let set = codec::encode(&Set { bucket: "b".into(), key: "k".into(), value: b"v"[..].into() });
    assert_eq!(set, b"\x83\xa6bucket\xa1b\xa3key\xa1k\xa5value\xc4\x01v");
    let list = codec::encode(&ListKeys { bucket: "b".into(), cursor: None });
    assert_eq!(list, b"\x82\xa6bucket\xa1b\xa6cursor\xc0");
    let entries = vec![KeyValue("k".into(), b"v"[..].into())];
    let many = codec::encode(&SetMany { bucket: "b".into(), key_values: entries });
    assert_eq!(many, b"\x82\xa6bucket\xa1b\xaakey-values\x91\x92\xa1k\xc4\x01v");
}

#[test]
fn results_are_variants_with_the_wit_s_names() {
    let found: Outcome<Option<Value>> = Ok(Some(Value::from(b"v".to_vec())));
    assert_eq!(codec::encode(&found), b"\x81\xa2Ok\xc4\x01v");
    let nothing: Outcome<Option<Value>> = Ok(None);
    assert_eq!(codec::encode(&nothing), b"\x81\xa2Ok\xc0");
    let page: Outcome<KeyResponse> = Ok(KeyResponse { keys: vec!["k".into()], cursor: Some(7) });
    assert_eq!(codec::encode(&page), b"\x81\xa2Ok\x82\xa4keys\x91\xa1k\xa6cursor\x07");
    let many: Outcome<Found> = Ok(vec![None, Some(("k".into(), Value::from(b"v".to_vec())))]);
    assert_eq!(codec::encode(&many), b"\x81\xa2Ok\x92\xc0\x92\xa1k\xc4\x01v");
    for (error, bytes) in [
        (Error::NoSuchStore, &b"\x81\xa3Err\xadno-such-store"[..]),
        (Error::AccessDenied, b"\x81\xa3Err\xadaccess-denied"),
        (Error::Other("x".into()), b"\x81\xa3Err\x81\xa5other\xa1x"),
    ] {
        assert_eq!(codec::encode(&Outcome::<()>::Err(error)), bytes);
    }
}

proptest! {
    #[test]
    fn batches_survive_the_trip(
        bucket in ".*",
        entries in prop::collection::vec((".*", prop::collection::vec(any::<u8>(), 0..50)), 0..50),
    ) {
        let key_values = entries.iter()
            .map(|(key, value)| KeyValue(key.into(), value.into()))
            .collect();
        let sent = SetMany { bucket: bucket.as_str().into(), key_values };
        let bytes = codec::encode(&sent);
        prop_assert_eq!(codec::decode::<SetMany<'_>>(&bytes, bytes.len()).expect("what we wrote"), sent);
        let keys = entries.iter().map(|(key, _)| Text(key.into())).collect();
        let sent = GetMany { bucket: bucket.as_str().into(), keys };
        let bytes = codec::encode(&sent);
        prop_assert_eq!(codec::decode::<GetMany<'_>>(&bytes, bytes.len()).expect("what we wrote"), sent);
    }

    #[test]
    fn any_bytes_are_decoded_or_refused(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
        let _ = codec::decode::<SetMany<'_>>(&bytes, 200);
        let _ = codec::decode::<Get<'_>>(&bytes, 200);
        let _ = codec::decode::<Outcome<Found>>(&bytes, 200);
        let _ = codec::decode::<Outcome<KeyResponse>>(&bytes, 200);
    }

    #[test]
    fn a_message_with_a_byte_changed_is_decoded_or_refused(place in 0_usize..60, byte in any::<u8>()) {
        let entries = vec![KeyValue("key".into(), b"value"[..].into()); 3];
        let mut bytes = codec::encode(&SetMany { bucket: "bucket".into(), key_values: entries });
        let place = place % bytes.len();
        bytes[place] = byte;
        let _ = codec::decode::<SetMany<'_>>(&bytes, bytes.len());
    }
}

#[test]
fn values_are_borrowed_from_the_message() {
    let bytes = codec::encode(&SetMany {
        bucket: "b".into(),
        key_values: vec![KeyValue("k".into(), b"v"[..].into())],
    });
    let SetMany { bucket, key_values } = codec::decode(&bytes, bytes.len()).expect("what we wrote");
    let KeyValue(key, value) = &key_values[0];
    use std::borrow::Cow::Borrowed;
    assert!(matches!((bucket, key, value), (Borrowed(_), Borrowed(_), Borrowed(_))));
}
