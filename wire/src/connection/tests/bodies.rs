//! Streams both ways: order, windows, slow readers, early ends.

use super::*;

/// A body of `len` bytes, each telling its place.
fn pattern(len: usize) -> Vec<u8> {
    (0..len).map(|n| (n % 251) as u8).collect()
}

fn streamed(chunk_len: usize, chunks: usize) -> Body {
    let (mut sender, body) = Body::channel();
    tokio::spawn(async move {
        let data = pattern(chunk_len * chunks);
        for chunk in data.chunks(chunk_len) {
            if sender.send(Bytes::copy_from_slice(chunk)).await.is_err() {
                return;
            }
        }
        sender.finish(Some(Bytes::from_static(b"trailers")));
    });
    body
}

#[tokio::test]
async fn a_body_goes_there_and_back() {
    let (here, there) = End::pair();
    for (chunk_len, chunks) in [(10, 3), (1, 5_000), (16_384, 1), (100_000, 40), (700_000, 3)] {
        for head in ["echo", "later"] {
            let body = Some(streamed(chunk_len, chunks));
            let reply = here.connection.call(request(head, "p", body)).await.expect("answered");
            let mut body = reply.body.expect("a body");
            let all = body.collect(usize::MAX).await.expect("whole");
            assert!(all == pattern(chunk_len * chunks), "{chunk_len} x {chunks}");
            assert_eq!(body.take_trailers(), Some(Bytes::from_static(b"trailers")));
        }
    }
    until(|| here.connection.in_flight() == 0).await;
    assert_eq!(there.running(), 0);
}

#[tokio::test]
async fn a_small_body_at_hand_needs_no_stream() {
    let (here, _there) = End::pair();
    let body = Body::full_with_trailers("hello", Some(Bytes::from_static(b"t")));
    let reply = here.connection.call(request("echo", "", Some(body))).await.expect("answered");
    let mut body = reply.body.expect("a body");
    assert!(body.is_full());
    assert_eq!(body.collect(5).await, Ok(Bytes::from_static(b"hello")));
    assert_eq!(body.take_trailers(), Some(Bytes::from_static(b"t")));
}

#[tokio::test]
async fn a_slow_reader_slows_its_writer_and_nobody_else() {
    let (here, mut there) = End::pair();
    let (mut sender, body) = Body::channel();
    here.connection.call(request("keep", "", Some(body))).await.expect("answered");
    let mut unread = there.kept.recv().await.expect("kept");
    let sent = Arc::new(AtomicUsize::new(0));
    let counter = Arc::clone(&sent);
    let writer = tokio::spawn(async move {
        while sender.send(Bytes::from(vec![1; 10_000])).await.is_ok() {
            counter.fetch_add(10_000, Relaxed);
        }
    });
    // Other streams pass by, many times the window.
    let body = Some(streamed(100_000, 100));
    let counted = here.connection.call(request("count", "", body)).await.expect("answered");
    assert_eq!(counted.result[..], 10_000_000_u64.to_le_bytes());

    let before = sent.load(Relaxed);
    assert!(before <= 3 * 256 * 1024, "{before} bytes were taken from a writer that nobody reads");
    let mut read = 0;
    while read < 2_000_000 {
        read += unread.chunk().await.expect("more").expect("no error").len();
    }
    assert!(sent.load(Relaxed) > before, "the writer goes on with its reader");
    drop(unread);
    writer.await.expect("the writer learns that its reader went away");
    until(|| here.connection.in_flight() == 0).await;
}

#[tokio::test]
async fn an_unread_request_body_stops_its_writer() {
    let (here, _there) = End::pair();
    let (mut sender, body) = Body::channel();
    let reply = here.connection.call(request("ignore", "p", Some(body))).await;
    assert_eq!(reply.expect("answered").result, "p");
    sender.reader_gone().await;
    until(|| here.connection.in_flight() == 0).await;
}

#[tokio::test]
async fn dropping_the_answers_body_cancels_the_call() {
    let (here, there) = End::pair();
    let (mut sender, body) = Body::channel();
    let reply = here.connection.call(request("echo", "", Some(body))).await.expect("answered");
    sender.send(Bytes::from_static(b"x")).await.expect("there is room");
    assert_eq!(there.running(), 0, "the handler is done, its body is not");
    drop(reply);
    sender.reader_gone().await;
    until(|| here.connection.in_flight() == 0).await;
    assert!(here.call("echo", "").await.is_ok());
}

#[tokio::test]
async fn a_writers_error_reaches_the_reader_behind_what_it_wrote() {
    let (here, _there) = End::pair();
    let (mut sender, body) = Body::channel();
    let reply = here.connection.call(request("echo", "", Some(body))).await.expect("answered");
    sender.send(Bytes::from_static(b"x")).await.expect("there is room");
    sender.abort(StreamError::Failed("disk full".into()));
    let mut body = reply.body.expect("a body");
    assert_eq!(body.chunk().await, Some(Ok(Bytes::from_static(b"x"))));
    assert_eq!(body.chunk().await, Some(Err(StreamError::Failed("disk full".into()))));
    until(|| here.connection.in_flight() == 0).await;
}

#[tokio::test]
async fn a_cancelled_calls_body_is_interrupted_for_whoever_reads_it() {
    let (here, mut there) = End::pair();
    let (sender, body) = Body::channel();
    here.connection.call(request("keep", "", Some(body))).await.expect("answered");
    let mut kept = there.kept.recv().await.expect("kept");
    drop(sender);
    assert_eq!(kept.chunk().await, Some(Err(StreamError::Interrupted)));
}

#[tokio::test]
async fn too_many_trailers_abort_the_stream() {
    let (here, _there) = End::pair();
    let body = Body::full_with_trailers("x", Some(Bytes::from(vec![0; 65 * 1024])));
    let reply = here.connection.call(request("echo", "", Some(body))).await.expect("answered");
    let mut body = reply.body.expect("a body");
    assert_eq!(body.collect(10).await, Err(StreamError::TooLarge));
}
