//! Any bytes are frames or a typed error; and what was decoded encodes to bytes that decode to the same.

#![no_main]

use bytes::BytesMut;
use libfuzzer_sys::fuzz_target;
use wattle_wire::frame;

fuzz_target!(|bytes: &[u8]| {
    let mut buffer = BytesMut::from(bytes);
    while let Ok(Some(decoded)) = frame::decode(&mut buffer) {
        let mut again = Vec::new();
        decoded.encode(&mut again);
        let once_more = frame::decode(&mut BytesMut::from(&again[..]));
        assert_eq!(once_more, Ok(Some(decoded)));
    }
});
