//! The bytes of the contract's messages. They are the WIT's values as MessagePack, which any other implementation writes too.

use std::borrow::Cow;

use proptest::prelude::*;
use wattle_core::codec;
use wattle_messaging::{
    BrokerMessage,
    wire::{HandleMessage, Outcome, Publish, Request},
};

fn message(reply_to: Option<&str>) -> BrokerMessage<'static> {
    let reply_to = reply_to.map(str::to_owned);
    BrokerMessage { subject: "s".into(), body: b"v"[..].into(), reply_to }
}

#[test]
fn messages_are_maps_with_the_wit_s_names() {
    let publish = codec::encode(&Publish { msg: message(None) });
    assert_eq!(publish, b"\x81\xa3msg\x83\xa7subject\xa1s\xa4body\xc4\x01v\xa8reply-to\xc0");
    let handle = codec::encode(&HandleMessage { msg: message(Some("r")) });
    assert_eq!(handle, b"\x81\xa3msg\x83\xa7subject\xa1s\xa4body\xc4\x01v\xa8reply-to\xa1r");
    let request = Request { subject: "s".into(), body: b"v"[..].into(), timeout_ms: 7 };
    let request = codec::encode(&request);
    assert_eq!(request, b"\x83\xa7subject\xa1s\xa4body\xc4\x01v\xaatimeout-ms\x07");
}

#[test]
fn results_are_variants_with_the_wit_s_names() {
    assert_eq!(codec::encode(&Outcome::<()>::Ok(())), b"\x81\xa2Ok\xc0");
    assert_eq!(codec::encode(&Outcome::<()>::Err("no".into())), b"\x81\xa3Err\xa2no");
    let answer: Outcome<BrokerMessage<'_>> = Ok(message(None));
    assert_eq!(
        codec::encode(&answer),
        b"\x81\xa2Ok\x83\xa7subject\xa1s\xa4body\xc4\x01v\xa8reply-to\xc0"
    );
}

#[test]
fn a_body_is_borrowed_from_what_was_received() {
    let bytes = codec::encode(&Publish { msg: message(Some("r")) });
    let Publish { msg } = codec::decode(&bytes, bytes.len()).expect("what we wrote");
    assert!(matches!((msg.subject, msg.body), (Cow::Borrowed("s"), Cow::Borrowed(b"v"))));
}

proptest! {
    #[test]
    fn messages_survive_the_trip(
        subject in ".*",
        body in prop::collection::vec(any::<u8>(), 0..300),
        reply_to in prop::option::of(".*"),
    ) {
        let msg = BrokerMessage { subject: subject.into(), body: body.into(), reply_to };
        let bytes = codec::encode(&Publish { msg: msg.clone() });
        let read: Publish<'_> = codec::decode(&bytes, bytes.len()).expect("what we wrote");
        prop_assert_eq!(read.msg.into_owned(), msg);
    }

    #[test]
    fn any_bytes_are_decoded_or_refused(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
        let _ = codec::decode::<Publish<'_>>(&bytes, 200);
        let _ = codec::decode::<Request<'_>>(&bytes, 200);
        let _ = codec::decode::<Outcome<BrokerMessage<'_>>>(&bytes, 200);
    }
}
