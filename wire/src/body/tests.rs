use std::task::Waker;

use super::*;

fn context() -> Context<'static> {
    Context::from_waker(Waker::noop())
}

#[tokio::test]
async fn a_body_at_hand_can_be_read_once_more_and_one_under_way_cannot() {
    let mut body = Body::full_with_trailers("all", Some("behind".into()));
    let mut again = body.again().expect("it is at hand");
    for body in [&mut body, &mut again] {
        assert_eq!(body.collect(10).await.expect("whole"), "all");
        assert_eq!(body.take_trailers().expect("trailers"), "behind");
    }
    let (_sender, body) = Body::channel();
    assert!(body.again().is_none());
}

#[tokio::test]
async fn a_full_body_is_read_once_with_its_trailers() {
    let mut body = Body::full_with_trailers("hello", Some(Bytes::from_static(b"t")));
    assert!(body.is_full());
    assert_eq!(body.remaining(), Some(5));
    assert_eq!(body.collect(5).await, Ok(Bytes::from_static(b"hello")));
    assert_eq!(body.take_trailers(), Some(Bytes::from_static(b"t")));
    assert_eq!(body.chunk().await, None);
}

#[tokio::test]
async fn a_writer_waits_for_a_slow_reader() {
    let (mut sender, mut body) = Body::channel();
    let chunk = Bytes::from(vec![0; 100_000]);
    sender.send(chunk.clone()).await.expect("there is room");
    sender.send(chunk.clone()).await.expect("there is room");
    let mut third = chunk.clone();
    assert!(sender.poll_send(&mut context(), &mut third).is_pending());
    assert!(body.chunk().await.is_some());
    assert!(sender.poll_send(&mut context(), &mut third).is_ready());
}

#[tokio::test]
async fn a_writer_learns_that_its_reader_went_away() {
    let (mut sender, body) = Body::channel();
    drop(body);
    sender.reader_gone().await;
    assert_eq!(sender.send(Bytes::from_static(b"x")).await, Err(StreamError::Cancelled));
}

#[tokio::test]
async fn what_came_before_an_error_is_read_first() {
    let (mut sender, mut body) = Body::channel();
    sender.send(Bytes::from_static(b"x")).await.expect("there is room");
    drop(sender);
    assert_eq!(body.chunk().await, Some(Ok(Bytes::from_static(b"x"))));
    assert_eq!(body.chunk().await, Some(Err(StreamError::Interrupted)));
    assert_eq!(body.chunk().await, None);
}

#[tokio::test]
async fn looking_ahead_loses_nothing() {
    let (mut sender, mut body) = Body::channel();
    sender.send(Bytes::from_static(b"ab")).await.expect("there is room");
    assert!(body.poll_inline(&mut context(), 10).is_none());
    sender.send(Bytes::from_static(b"cd")).await.expect("there is room");
    sender.finish(Some(Bytes::from_static(b"trailers")));
    assert!(body.poll_inline(&mut context(), 3).is_none());
    assert!(body.poll_inline(&mut context(), 10).is_none(), "trailers count too");
    assert_eq!(body.collect(10).await, Ok(Bytes::from_static(b"abcd")));
    assert_eq!(body.take_trailers(), Some(Bytes::from_static(b"trailers")));
}

#[tokio::test]
async fn a_body_that_is_at_hand_is_taken_in_one_piece() {
    let (mut sender, mut body) = Body::channel();
    sender.send(Bytes::from_static(b"ab")).await.expect("there is room");
    sender.send(Bytes::from_static(b"cd")).await.expect("there is room");
    sender.finish(None);
    let (all, trailers) = body.poll_inline(&mut context(), 10).expect("it is all there");
    assert_eq!((&all[..], trailers), (&b"abcd"[..], None));
}

#[tokio::test]
async fn an_error_seen_while_looking_ahead_is_still_read() {
    let (mut sender, mut body) = Body::channel();
    sender.send(Bytes::from_static(b"ab")).await.expect("there is room");
    sender.abort(StreamError::Idle);
    assert!(body.poll_inline(&mut context(), 10).is_none());
    assert_eq!(body.chunk().await, Some(Ok(Bytes::from_static(b"ab"))));
    assert_eq!(body.chunk().await, Some(Err(StreamError::Idle)));
    assert_eq!(body.chunk().await, None);
}
