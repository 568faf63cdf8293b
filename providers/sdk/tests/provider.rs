//! A real provider in a process of its own, over a socketpair, as a host has it.

#[path = "provider/child.rs"]
mod child;

use std::{process::Stdio, time::Duration};

use bytes::Bytes;
use wattle_core::{
    ErrorKind,
    provider::{LinkDetail, ToHost, ToProvider},
};
use wattle_sdk::{Body, StreamError};

use child::{Child, echo_path, grant};

#[tokio::test]
async fn calls_go_both_ways_on_every_lane() {
    let mut child = Child::ready(3).await;
    for lane in 0..3 {
        assert_eq!(child.call(lane, "echo", "hello").await.expect("answered").result, "hello");
        let asked = child.call(lane, "ask", "you").await.expect("answered");
        assert_eq!(asked.result, "you, says the host");
    }
    let names = [
        child.call(1, "lane", "").await.expect("answered").result,
        child.call(2, "lane", "").await.expect("answered").result,
    ];
    assert_eq!(names, ["lane-1", "lane-2"]);
    assert_eq!(child.end().await.code(), Some(0));
}

#[tokio::test]
async fn streams_go_both_ways_and_the_writer_waits_for_the_reader() {
    let child = Child::ready(1).await;
    let (mut sender, body) = Body::channel();
    let mut reply = child.call_with(0, "echo", Some(body)).await.expect("answered");
    let chunk = Bytes::from(vec![7; 64 * 1024]);
    let mut sent = 0;
    // Nobody reads: what fits is the windows on the way and what sockets hold.
    while let Ok(sending) =
        tokio::time::timeout(Duration::from_millis(200), sender.send(chunk.clone())).await
    {
        sending.expect("the reader is there");
        sent += chunk.len();
        assert!(sent < 4 * 1024 * 1024, "the writer never waited");
    }
    let total = 64 * 1024 * 1024;
    let writer = tokio::spawn(async move {
        while sent < total {
            sender.send(chunk.clone()).await.expect("the reader is there");
            sent += chunk.len();
        }
        sender.finish(Some(Bytes::from_static(b"trailers")));
    });
    let body = reply.body.as_mut().expect("a body");
    let mut got = 0;
    while let Some(chunk) = body.chunk().await {
        let chunk = chunk.expect("whole");
        assert!(chunk.iter().all(|byte| *byte == 7));
        got += chunk.len();
    }
    assert_eq!((got, body.take_trailers()), (total, Some(Bytes::from_static(b"trailers"))));
    writer.await.expect("no panic");
}

#[tokio::test]
async fn a_cancelled_call_is_over_and_its_neighbours_are_not() {
    let child = Child::ready(1).await;
    let (mut sender, body) = Body::channel();
    let never = child.call_with(0, "never", Some(body));
    assert!(tokio::time::timeout(Duration::from_millis(50), never).await.is_err());
    sender.reader_gone().await;
    assert!(child.call(0, "echo", "x").await.is_ok());
    assert_eq!(child.lanes[0].in_flight(), 0);
}

#[tokio::test]
async fn a_panic_fails_its_call_only_and_is_logged() {
    let mut child = Child::ready(1).await;
    assert_eq!(child.call(0, "panic", "").await.expect_err("panics").kind, ErrorKind::Failed);
    assert!(child.call(0, "echo", "x").await.is_ok());
    assert_eq!(child.call(0, "what", "").await.expect_err("unknown").kind, ErrorKind::NotFound);
    child.end().await;
    let log = child.stderr().await;
    assert!(log.contains(r#""message":"panicked: as asked""#), "{log}");
}

#[tokio::test]
async fn links_are_put_and_deleted_and_refused_with_a_reason() {
    let mut child = Child::ready(1).await;
    child.say(&ToProvider::PutLink(grant(1, [("url", "http://here")])));
    let detail = LinkDetail { url: Some("http://here".into()) };
    assert_eq!(child.hear().await, ToHost::LinkPut { link: 1, outcome: Ok(detail) });

    let mut strict = grant(2, []);
    strict.constraints.insert("moon-phase".into(), vec!["full".into()]);
    child.say(&ToProvider::PutLink(strict));
    let ToHost::LinkPut { link: 2, outcome: Err(reason) } = child.hear().await else {
        panic!("a link with a constraint that nobody knows holds")
    };
    assert!(reason.contains("moon-phase"), "{reason}");

    child.say(&ToProvider::DeleteLink { link: 1 });
    assert_eq!(child.hear().await, ToHost::LinkDeleted { link: 1 });
    child.say(&ToProvider::Drain { grace_ms: 1_000 });
    assert_eq!(child.hear().await, ToHost::Drained);
}

#[tokio::test]
async fn a_provider_that_cannot_start_says_why_and_exits() {
    let mut child = Child::start(1, [("fail", "no such backend")]);
    assert_eq!(child.hear().await, ToHost::Failed { reason: "no such backend".into() });
    assert_eq!(child.status().await.code(), Some(1));
}

#[tokio::test]
async fn a_call_before_the_start_is_unavailable() {
    let child = Child::spawn(1);
    assert_eq!(
        child.call(0, "echo", "").await.expect_err("too early").kind,
        ErrorKind::Unavailable
    );
}

#[tokio::test]
async fn a_killed_provider_interrupts_its_calls_at_once() {
    let mut child = Child::ready(2).await;
    let (_sender, body) = Body::channel();
    let mut open = child.call_with(1, "echo", Some(body)).await.expect("answered");
    let connection = child.lanes[1].clone();
    let call =
        tokio::spawn(async move { connection.call(child::request("never", "", None)).await });
    until_in_flight(&child, 2).await;
    child.kill();
    assert_eq!(call.await.expect("no panic").expect_err("lost").kind, ErrorKind::Interrupted);
    let end = open.body.as_mut().expect("a body").chunk().await;
    assert_eq!(end, Some(Err(StreamError::Interrupted)));
    let refused = child.call(0, "echo", "").await.expect_err("nobody is there");
    assert!(refused.kind == ErrorKind::Unavailable || refused.kind == ErrorKind::Interrupted);
}

/// The call is written once the provider answers a later one on the same lane.
async fn until_in_flight(child: &Child, calls: usize) {
    while child.lanes[1].in_flight() < calls {
        tokio::task::yield_now().await;
    }
    child.call(1, "echo", "").await.expect("answered");
}

#[tokio::test]
async fn the_end_of_any_lane_ends_the_process() {
    let mut child = Child::ready(3).await;
    child.lanes[2].close();
    assert_eq!(child.status().await.code(), Some(0));
}

#[tokio::test]
async fn run_by_hand_it_says_what_it_is() {
    let by_hand = tokio::process::Command::new(echo_path())
        .stdin(Stdio::null())
        .output()
        .await
        .expect("it runs");
    assert_eq!(by_hand.status.code(), Some(2));
    let said = String::from_utf8_lossy(&by_hand.stderr);
    assert!(said.contains("wattle start provider"), "{said}");
}
