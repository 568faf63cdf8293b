//! How connections end.

use super::*;

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

#[tokio::test]
async fn last_words_are_heard_although_nothing_can_be_said_any_more() {
    let (peer, theirs) = UnixStream::pair().expect("a pair");
    let mut end = End::new(theirs, Limits::default());
    let mut bytes = Vec::new();
    Frame::Control { message: Bytes::from_static(b"last words") }.encode(&mut bytes);
    peer.try_write(&bytes).expect("there is room");
    drop(peer);
    // The writing task runs first, and finds the pipe broken.
    end.connection.control(vec![0; 1000]).expect("not known to be closed yet");
    assert_eq!(end.controls.recv().await.expect("it is read"), "last words");
    assert_eq!(end.driver.await.expect("no panic"), Closed::There);
}
