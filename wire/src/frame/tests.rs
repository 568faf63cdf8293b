use bytes::{Bytes, BytesMut};
use proptest::prelude::*;
use wattle_core::{CallError, ErrorKind};

use super::*;

fn bytes(len_max: usize) -> impl Strategy<Value = Bytes> {
    prop::collection::vec(any::<u8>(), 0..len_max).prop_map(Bytes::from)
}

fn attached() -> impl Strategy<Value = Attached> {
    prop_oneof![
        Just(Attached::Nothing),
        Just(Attached::Stream),
        (bytes(300), prop::option::of(bytes(100)))
            .prop_map(|(body, trailers)| Attached::Inline { body, trailers }),
    ]
}

fn call() -> impl Strategy<Value = CallRef> {
    (0..MAKER_BIT, any::<bool>()).prop_map(|(number, mine)| {
        if mine { CallRef::of_sender(number) } else { CallRef::of_receiver(number) }
    })
}

fn stream_error() -> impl Strategy<Value = StreamError> {
    prop_oneof![
        Just(StreamError::Lost),
        Just(StreamError::Interrupted),
        Just(StreamError::Cancelled),
        Just(StreamError::TooLarge),
        Just(StreamError::Idle),
        "[a-z ]{0,40}".prop_map(StreamError::Failed),
    ]
}

pub(crate) fn frame() -> impl Strategy<Value = Frame> {
    let number = 0..MAKER_BIT;
    prop_oneof![
        (number.clone(), bytes(200), bytes(400), attached())
            .prop_map(|(number, head, params, body)| Frame::Request { number, head, params, body }),
        (number.clone(), bytes(400), attached()).prop_map(|(number, result, body)| Frame::Reply {
            number,
            result,
            body
        }),
        (number, "[a-z ]{0,40}").prop_map(|(number, message)| Frame::Error {
            number,
            error: CallError::new(ErrorKind::Overloaded, message)
        }),
        (call(), any::<u32>(), bytes(500)).prop_map(|(call, index, chunk)| Frame::Data {
            call,
            index,
            chunk
        }),
        (call(), any::<u32>(), prop::option::of(bytes(100)))
            .prop_map(|(call, index, trailers)| Frame::End { call, index, trailers }),
        (call(), stream_error()).prop_map(|(call, error)| Frame::Abort { call, error }),
        (call(), any::<u32>()).prop_map(|(call, more)| Frame::Credit { call, more }),
        call().prop_map(|call| Frame::Cancel { call }),
        bytes(300).prop_map(|message| Frame::Control { message }),
        any::<u64>().prop_map(|nonce| Frame::Ping { nonce }),
        any::<u64>().prop_map(|nonce| Frame::Pong { nonce }),
    ]
}

fn encoded(frame: &Frame) -> Vec<u8> {
    let mut out = Vec::new();
    frame.encode(&mut out);
    out
}

/// Everything that can be taken off `bytes`, and how that ended.
fn decode_all(bytes: &[u8]) -> (Vec<Frame>, Result<(), FrameError>) {
    let mut buffer = BytesMut::from(bytes);
    let mut frames = Vec::new();
    loop {
        match decode(&mut buffer) {
            Ok(Some(frame)) => frames.push(frame),
            Ok(None) => return (frames, Ok(())),
            Err(error) => return (frames, Err(error)),
        }
    }
}

proptest! {
    #[test]
    fn frames_survive_the_trip_however_the_bytes_are_cut(
        frames in prop::collection::vec(frame(), 1..6),
        cut in 1_usize..200,
    ) {
        let bytes: Vec<u8> = frames.iter().flat_map(encoded).collect();
        let mut buffer = BytesMut::new();
        let mut found = Vec::new();
        for piece in bytes.chunks(cut) {
            buffer.extend_from_slice(piece);
            while let Some(frame) = decode(&mut buffer).expect("they are frames") {
                found.push(frame);
            }
        }
        prop_assert_eq!(found, frames);
        prop_assert!(buffer.is_empty());
    }

    #[test]
    fn random_bytes_are_frames_or_a_typed_error(bytes in prop::collection::vec(any::<u8>(), 0..400)) {
        let _ = decode_all(&bytes);
    }

    /// What `wire/fuzz` looks for, on fewer bytes: an odd frame that is understood is written in the one proper way.
    #[test]
    fn what_is_understood_survives_the_trip(
        kind in any::<u8>(), head_len in 0_u16..20, payload in prop::collection::vec(any::<u8>(), 0..60),
    ) {
        let mut bytes = (payload.len() as u32 + 8).to_le_bytes().to_vec();
        bytes.extend_from_slice(&[VERSION, kind]);
        bytes.extend_from_slice(&head_len.to_le_bytes());
        bytes.extend_from_slice(&[1, 2, 3, if kind % 2 == 0 { 0x80 } else { 0 }]);
        bytes.extend_from_slice(&payload);
        for frame in decode_all(&bytes).0 {
            prop_assert_eq!(decode_all(&encoded(&frame)), (vec![frame], Ok(())));
        }
    }

    #[test]
    fn a_changed_byte_is_a_frame_or_a_typed_error(
        frame in frame(), at in any::<prop::sample::Index>(), to in any::<u8>(),
    ) {
        let mut bytes = encoded(&frame);
        let at = at.index(bytes.len());
        bytes[at] = to;
        let _ = decode_all(&bytes);
    }

    #[test]
    fn a_frame_cut_short_is_waited_for(frame in frame(), at in any::<prop::sample::Index>()) {
        let bytes = encoded(&frame);
        let (frames, end) = decode_all(&bytes[..at.index(bytes.len())]);
        prop_assert!(frames.is_empty());
        prop_assert_eq!(end, Ok(()));
    }
}

#[test]
fn the_bytes_of_a_request_are_these() {
    let frame = Frame::Request {
        number: 0x0102_0304,
        head: Bytes::from_static(b"HD"),
        params: Bytes::from_static(b"PAR"),
        body: Attached::Inline { body: Bytes::from_static(b"B"), trailers: None },
    };
    let golden = [
        22, 0, 0, 0, 1, 0x11, 2, 0, 4, 3, 2, 1, // header
        b'H', b'D', 3, 0, 0, 0, b'P', b'A', b'R', 1, 0, 0, 0, b'B',
    ];
    assert_eq!(encoded(&frame), golden);
}

#[test]
fn the_bytes_of_data_for_the_other_sides_call_are_these() {
    let frame =
        Frame::Data { call: CallRef::of_receiver(5), index: 7, chunk: Bytes::from_static(b"xy") };
    assert_eq!(encoded(&frame), [14, 0, 0, 0, 1, 4, 0, 0, 5, 0, 0, 0x80, 7, 0, 0, 0, b'x', b'y']);
}

#[test]
fn another_version_an_unknown_kind_and_a_stray_flag_are_refused() {
    let ping = encoded(&Frame::Ping { nonce: 1 });
    let with = |at: usize, byte: u8| {
        let mut bytes = ping.clone();
        bytes[at] = byte;
        decode_all(&bytes).1
    };
    assert_eq!(with(4, 2), Err(FrameError::Version(2)));
    assert_eq!(with(5, 0), Err(FrameError::Kind(0)));
    assert_eq!(with(5, 12), Err(FrameError::Kind(12)));
    assert_eq!(with(5, 10 | FLAG_STREAM), Err(FrameError::Kind(10 | FLAG_STREAM)));
    assert_eq!(with(6, 1), Err(FrameError::Malformed("headed")));
    assert_eq!(with(0, 7), Err(FrameError::Malformed("short")));
}

#[test]
fn a_frame_past_its_kinds_limit_is_refused_before_any_of_it_is_kept() {
    let mut header =
        encoded(&Frame::Data { call: CallRef::of_sender(0), index: 0, chunk: Bytes::new() });
    header[..4].copy_from_slice(&(200_000_u32).to_le_bytes());
    assert!(matches!(decode_all(&header).1, Err(FrameError::TooLong { len: 200_000, .. })));
}

#[test]
fn an_inline_body_past_its_limit_is_refused() {
    let body = Attached::Inline { body: Bytes::from(vec![0; INLINE_LEN_MAX + 1]), trailers: None };
    let frame = Frame::Reply { number: 1, result: Bytes::new(), body };
    assert_eq!(decode_all(&encoded(&frame)).1, Err(FrameError::Malformed("reply")));
}

#[test]
fn an_error_of_a_later_version_is_a_failure_of_its_call_only() {
    let known = Frame::Error { number: 3, error: CallError::new(ErrorKind::Trapped, "x") };
    let mut bytes = encoded(&known);
    let at = bytes.windows(7).position(|w| w == b"trapped").expect("the kind's name is written");
    bytes[at..at + 7].copy_from_slice(b"strange");
    let (frames, end) = decode_all(&bytes);
    assert_eq!(end, Ok(()));
    assert!(
        matches!(&frames[..], [Frame::Error { number: 3, error }] if error.kind == ErrorKind::Failed)
    );
}
