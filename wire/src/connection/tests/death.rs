//! How connections end, and what a broken or hostile other side can do.

use proptest::prelude::*;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use super::*;
use crate::frame::{self, Attached, WINDOW};

#[tokio::test]
async fn the_other_sides_death_interrupts_what_was_written() {
    let (here, there) = End::pair();
    let (mut sender, body) = Body::channel();
    let open = here.connection.call(request("echo", "", Some(body))).await.expect("answered");
    let connection = here.connection.clone();
    let call = tokio::spawn(async move { connection.call(request("never", "", None)).await });
    until(|| there.running() == 1).await;
    there.driver.abort();
    let lost = call.await.expect("no panic").expect_err("lost");
    assert_eq!(lost.kind, ErrorKind::Interrupted);
    let mut body = open.body.expect("a body");
    assert_eq!(body.chunk().await, Some(Err(StreamError::Interrupted)));
    sender.reader_gone().await;
    here.connection.closed().await;
    assert_eq!(here.driver.await.expect("no panic"), Closed::There);
    let refused = here.connection.call(request("echo", "", None)).await.expect_err("closed");
    assert_eq!(refused.kind, ErrorKind::Unavailable);
    assert_eq!(here.connection.control(vec![1]), Err(ControlError::Closed));
}

#[tokio::test]
async fn a_request_that_was_never_written_is_unavailable() {
    let (ours, stuck) = UnixStream::pair().expect("a pair");
    let here = End::new(ours, Limits::default());
    // More than a socket holds, so the first is partly written, and the second not at all: neither can have run.
    let calls: Vec<_> = (0..2)
        .map(|_| {
            let connection = here.connection.clone();
            let params = Bytes::from(vec![0; 2_000_000]);
            let request = Request { head: "echo".into(), params, body: None };
            tokio::spawn(async move { connection.call(request).await })
        })
        .collect();
    until(|| here.connection.in_flight() == 2).await;
    stuck.readable().await.expect("some of it was written");
    drop(stuck);
    for call in calls {
        let lost = call.await.expect("no panic").expect_err("lost");
        assert_eq!(lost.kind, ErrorKind::Unavailable);
    }
}

#[tokio::test]
async fn a_socket_that_nobody_reads_overloads_and_stays_bounded() {
    let (ours, _stuck) = UnixStream::pair().expect("a pair");
    let here = End::new(ours, Limits::default());
    let kinds: Vec<_> = (0..20)
        .map(|_| {
            let connection = here.connection.clone();
            let params = Bytes::from(vec![0; 1_000_000]);
            let request = Request { head: "echo".into(), params, body: None };
            tokio::spawn(async move { connection.call(request).await })
        })
        .collect();
    let mut overloaded = 0;
    until(|| here.connection.counters().overloaded >= 10).await;
    here.driver.abort();
    for call in kinds {
        let error = call.await.expect("no panic").expect_err("nobody answers");
        overloaded += usize::from(error.kind == ErrorKind::Overloaded);
    }
    assert!(overloaded >= 10, "{overloaded}");
}

#[tokio::test]
async fn closing_writes_what_is_queued_first() {
    let (here, mut there) = End::pair();
    here.connection.control(b"last words".to_vec()).expect("open");
    here.connection.close();
    assert_eq!(here.connection.control(vec![1]), Err(ControlError::Closed));
    assert_eq!(there.controls.recv().await.expect("it arrives"), "last words");
    assert_eq!(here.driver.await.expect("no panic"), Closed::Here);
    assert_eq!(there.driver.await.expect("no panic"), Closed::There);
}

#[tokio::test]
async fn the_end_of_a_connection_drops_its_handlers() {
    let (here, there) = End::pair();
    let connection = here.connection.clone();
    tokio::spawn(async move { connection.call(request("never", "", None)).await });
    until(|| there.running() == 1).await;
    here.driver.abort();
    there.connection.closed().await;
    until(|| there.running() == 0).await;
}

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
}
