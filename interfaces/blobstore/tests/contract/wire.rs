//! The bytes of the contract's messages. They are the WIT's values as MessagePack, which any other implementation writes too.

use proptest::prelude::*;
use wattle_blobstore::{
    Error,
    wire::{
        Container, ContainerMetadata, DeleteObjects, GetData, ListObjects, Object, ObjectId,
        ObjectMetadata, ObjectNames, Outcome, Text, Transfer,
    },
};
use wattle_core::codec;

#[test]
fn messages_are_maps_with_the_wit_s_names() {
    let one = codec::encode(&Object { container: "c".into(), name: "n".into() });
    assert_eq!(one, b"\x82\xa9container\xa1c\xa4name\xa1n");
    let get = GetData { container: "c".into(), name: "n".into(), start: 1, end: 2 };
    assert_eq!(codec::encode(&get), b"\x84\xa9container\xa1c\xa4name\xa1n\xa5start\x01\xa3end\x02");
    let list = ListObjects { container: "c".into(), cursor: None, limit: 9 };
    assert_eq!(codec::encode(&list), b"\x83\xa9container\xa1c\xa6cursor\xc0\xa5limit\x09");
    let copy = Transfer { src: ObjectId::new("a", "b"), dest: ObjectId::new("c", "d") };
    let id = |container, object| {
        [&b"\x82\xa9container\xa1"[..], container, b"\xa6object\xa1", object].concat()
    };
    let expected = [b"\x82\xa3src", &id(b"a", b"b")[..], b"\xa4dest", &id(b"c", b"d")].concat();
    assert_eq!(codec::encode(&copy), expected);
}

#[test]
fn results_are_variants_with_the_wit_s_names() {
    assert_eq!(codec::encode(&Outcome::<()>::Ok(())), b"\x81\xa2Ok\xc0");
    assert_eq!(codec::encode(&Outcome::<u64>::Ok(7)), b"\x81\xa2Ok\x07");
    let failed = Outcome::<u64>::Err(Error("why".into()));
    assert_eq!(codec::encode(&failed), b"\x81\xa3Err\xa3why");
    let page = ObjectNames { names: vec!["n".into()], cursor: Some("n".into()) };
    assert_eq!(codec::encode(&page), b"\x82\xa5names\x91\xa1n\xa6cursor\xa1n");
    let info = ContainerMetadata { name: "c".into(), created_at: 1 };
    assert_eq!(codec::encode(&info), b"\x82\xa4name\xa1c\xaacreated-at\x01");
    let info = ObjectMetadata { name: "n".into(), container: "c".into(), created_at: 1, size: 2 };
    let expected = b"\x84\xa4name\xa1n\xa9container\xa1c\xaacreated-at\x01\xa4size\x02";
    assert_eq!(codec::encode(&info), expected);
}

#[test]
fn names_are_borrowed_from_the_message() {
    use std::borrow::Cow::Borrowed;
    let sent = DeleteObjects { container: "c".into(), names: vec![Text("n".into())] };
    let bytes = codec::encode(&sent);
    let read: DeleteObjects<'_> = codec::decode(&bytes, bytes.len()).expect("what we wrote");
    assert!(matches!((&read.container, &read.names[0].0), (Borrowed(_), Borrowed(_))));
}

proptest! {
    #[test]
    fn lists_survive_the_trip(container in ".*", names in prop::collection::vec(".*", 0..50)) {
        let texts = names.iter().map(|name| Text(name.into())).collect();
        let sent = DeleteObjects { container: container.as_str().into(), names: texts };
        let bytes = codec::encode(&sent);
        let read = codec::decode::<DeleteObjects<'_>>(&bytes, bytes.len());
        prop_assert_eq!(read.expect("what we wrote"), sent);
    }

    #[test]
    fn any_bytes_are_decoded_or_refused(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
        let _ = codec::decode::<DeleteObjects<'_>>(&bytes, 200);
        let _ = codec::decode::<Transfer<'_>>(&bytes, 200);
        let _ = codec::decode::<Container<'_>>(&bytes, 200);
        let _ = codec::decode::<Outcome<ObjectNames>>(&bytes, 200);
    }
}
