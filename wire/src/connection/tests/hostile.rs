//! What a broken or hostile other side can do.

use proptest::prelude::*;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use super::*;
use crate::frame::{self, Attached, WINDOW};

/// Speaks frames by hand to a connection.
async fn say(socket: &mut UnixStream, frames: &[Frame]) {
    let mut bytes = Vec::new();
    frames.iter().for_each(|frame| frame.encode(&mut bytes));
    socket.write_all(&bytes).await.expect("written");
}

async fn hear(socket: &mut UnixStream, buffer: &mut bytes::BytesMut) -> Frame {
    loop {
        if let Some(frame) = frame::decode(buffer).expect("frames") {
            return frame;
        }
        socket.read_buf(buffer).await.expect("open");
    }
}

fn asked(number: u32, head: &'static str, body: Attached) -> Frame {
    Frame::Request { number, head: head.into(), params: Bytes::new(), body }
}

fn piece(number: u32, index: u32, len: usize) -> Frame {
    let chunk = Bytes::from(vec![0; len]);
    Frame::Data { call: CallRef::of_sender(number), index, chunk }
}

#[tokio::test]
async fn a_gap_in_a_stream_is_lost_and_its_writer_is_told() {
    let (mut peer, theirs) = UnixStream::pair().expect("a pair");
    let mut end = End::new(theirs, Limits::default());
    say(&mut peer, &[asked(1, "keep", Attached::Stream), piece(1, 0, 5), piece(1, 2, 5)]).await;
    let mut body = end.kept.recv().await.expect("kept");
    assert_eq!(body.chunk().await.expect("the first piece").expect("whole").len(), 5);
    assert_eq!(body.chunk().await, Some(Err(StreamError::Lost)));
    let mut buffer = bytes::BytesMut::new();
    let mut heard = [hear(&mut peer, &mut buffer).await, hear(&mut peer, &mut buffer).await];
    heard.sort_by_key(|frame| matches!(frame, Frame::Reply { .. }));
    assert_eq!(heard[0], Frame::Cancel { call: CallRef::of_receiver(1) });
}

#[tokio::test]
async fn a_missing_last_piece_is_lost_too() {
    let (mut peer, theirs) = UnixStream::pair().expect("a pair");
    let mut end = End::new(theirs, Limits::default());
    let last = Frame::End { call: CallRef::of_sender(1), index: 1, trailers: None };
    say(&mut peer, &[asked(1, "keep", Attached::Stream), last]).await;
    let mut body = end.kept.recv().await.expect("kept");
    assert_eq!(body.chunk().await, Some(Err(StreamError::Lost)));
}

#[tokio::test]
async fn whoever_breaks_the_protocol_is_cut_off() {
    let too_much: Vec<Frame> = std::iter::once(asked(1, "keep", Attached::Stream))
        .chain((0..=WINDOW / 65_536).map(|index| piece(1, index, 65_536)))
        .collect();
    let cases = [
        vec![asked(1, "never", Attached::Nothing), asked(1, "never", Attached::Nothing)],
        too_much,
        vec![
            asked(1, "echo", Attached::Stream), // answered with a stream, since its body does not end
            Frame::Credit { call: CallRef::of_sender(1), more: WINDOW },
            Frame::Credit { call: CallRef::of_sender(1), more: WINDOW },
        ],
    ];
    for frames in cases {
        let (mut peer, theirs) = UnixStream::pair().expect("a pair");
        let end = End::new(theirs, Limits::default());
        say(&mut peer, &frames).await;
        let closed = end.driver.await.expect("no panic");
        assert!(matches!(closed, Closed::Protocol(_)), "{closed:?} after {frames:?}");
    }
}

#[tokio::test]
async fn frames_about_unknown_calls_are_counted_and_nothing_else() {
    let (mut peer, theirs) = UnixStream::pair().expect("a pair");
    let end = End::new(theirs, Limits::default());
    let call = CallRef::of_receiver(77);
    let late = [
        Frame::Reply { number: 77, result: Bytes::new(), body: Attached::Stream },
        Frame::Data { call, index: 0, chunk: Bytes::new() },
        Frame::End { call, index: 0, trailers: None },
        Frame::Abort { call, error: StreamError::Idle },
        Frame::Credit { call, more: 1 },
        Frame::Cancel { call: call.flipped() },
    ];
    say(&mut peer, &late).await;
    say(&mut peer, &[Frame::Ping { nonce: 9 }]).await;
    let mut buffer = bytes::BytesMut::new();
    assert_eq!(hear(&mut peer, &mut buffer).await, Frame::Pong { nonce: 9 });
    assert_eq!(end.connection.counters().late, 2);
}

#[tokio::test]
async fn a_peer_that_asks_without_reading_is_cut_off() {
    let (mut peer, theirs) = UnixStream::pair().expect("a pair");
    let end = End::new(theirs, Limits::default());
    let flood = tokio::spawn(async move {
        let mut bytes = Vec::new();
        (0..10_000).for_each(|nonce| Frame::Ping { nonce }.encode(&mut bytes));
        while peer.write_all(&bytes).await.is_ok() {}
    });
    let closed = end.driver.await.expect("no panic");
    assert_eq!(closed, Closed::Protocol("it asks without reading the answers".into()));
    flood.await.expect("the flood ends with the connection");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]
    #[test]
    fn random_bytes_end_a_connection_or_nothing(
        bytes in prop::collection::vec(any::<u8>(), 0..2_000),
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all().build().expect("a runtime");
        runtime.block_on(async move {
            let (mut peer, theirs) = UnixStream::pair().expect("a pair");
            let end = End::new(theirs, Limits::default());
            let _ = peer.write_all(&bytes).await;
            drop(peer);
            end.driver.await.expect("no panic");
        });
    }

    #[test]
    fn frames_in_any_order_end_a_connection_or_nothing(
        frames in prop::collection::vec(any_frame(), 0..60),
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all().build().expect("a runtime");
        runtime.block_on(async move {
            let (mut peer, theirs) = UnixStream::pair().expect("a pair");
            let end = End::new(theirs, Limits::default());
            // Calls of its own, which the frames may answer.
            let calls: Vec<_> = (0..4).map(|n| {
                let connection = end.connection.clone();
                let body = (n % 2 == 0).then(|| Body::channel().1);
                tokio::spawn(async move { connection.call(request("x", "", body)).await })
            }).collect();
            until(|| end.connection.in_flight() == 4 || calls.iter().any(JoinHandle::is_finished)).await;
            let mut bytes = Vec::new();
            frames.iter().for_each(|frame| frame.encode(&mut bytes));
            let _ = peer.write_all(&bytes).await;
            drop(peer);
            end.driver.await.expect("no panic");
            for call in calls {
                let _ = call.await.expect("no panic");
            }
            until(|| end.connection.in_flight() == 0).await;
        });
    }
}

/// Frames about few calls, so that they meet.
fn any_frame() -> impl Strategy<Value = Frame> {
    (
        frame::tests::frame(),
        0..4_u32,
        prop::sample::select(vec!["echo", "keep", "ignore", "never"]),
        0..3_u32,
    )
        .prop_map(|(frame, small, what, next)| few(frame, small, what, next))
}

fn few(frame: Frame, small: u32, what: &'static str, next: u32) -> Frame {
    // The first calls of a connection have these numbers.
    let mine = |place: u32| ((place + 1) << frame::PLACE_BITS) | place;
    let theirs = |call: CallRef| match call.maker {
        frame::Maker::Sender => CallRef::of_sender(small),
        frame::Maker::Receiver => CallRef::of_receiver(mine(small)),
    };
    match frame {
        Frame::Request { params, body, .. } => {
            let head = if body == Attached::Nothing { "echo" } else { what };
            Frame::Request { number: small, head: head.into(), params, body }
        }
        Frame::Reply { result, body, .. } => Frame::Reply { number: mine(small), result, body },
        Frame::Error { error, .. } => Frame::Error { number: mine(small), error },
        Frame::Data { call, chunk, .. } => Frame::Data { call: theirs(call), index: next, chunk },
        Frame::End { call, trailers, .. } => {
            Frame::End { call: theirs(call), index: next, trailers }
        }
        Frame::Abort { call, error } => Frame::Abort { call: theirs(call), error },
        Frame::Credit { call, more } => Frame::Credit { call: theirs(call), more: more % 100_000 },
        Frame::Cancel { call } => Frame::Cancel { call: theirs(call) },
        other => other,
    }
}
