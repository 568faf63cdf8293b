//! A real provider in a process of its own, over a socketpair, as a host has it.

use std::{path::PathBuf, process::Stdio, time::Duration};

use bytes::Bytes;
use wattle_core::{
    CallError, ErrorKind, Operation,
    provider::{LinkDetail, ToHost},
};
use wattle_sdk::{
    Body, IncomingCall, Reply, Side, StreamError,
    test_host::{Launch, TestHost, actor, grant},
};

/// The number that calls of these tests say: echo looks at no link.
const LINK: u32 = 1;

/// Where cargo puts this package's examples, seen from its tests.
fn echo_path() -> PathBuf {
    let test = std::env::current_exe().expect("a test has a path");
    let profile = test.parent().and_then(|deps| deps.parent()).expect("tests are in deps");
    profile.join("examples").join("echo")
}

fn echo(lanes: usize) -> Launch {
    Launch::new(echo_path()).lanes(lanes).log("info")
}

async fn call(
    host: &TestHost,
    lane: usize,
    function: &'static str,
    params: &'static str,
) -> Result<Reply, CallError> {
    call_with(host, lane, function, params, None).await
}

async fn call_with(
    host: &TestHost,
    lane: usize,
    function: &'static str,
    params: &'static str,
    body: Option<Body>,
) -> Result<Reply, CallError> {
    let operation = Operation { interface: "test:echo/echo", function };
    host.link(LINK).on_lane(lane).carry(operation, params, body).await
}

#[tokio::test]
async fn calls_go_both_ways_on_every_lane() {
    let mut host = TestHost::start(echo(3)).await;
    let says = |call: IncomingCall| async move {
        Ok(Reply::new([&call.params, &b", says the host"[..]].concat()))
    };
    host.play(LINK, actor(says));
    for lane in 0..3 {
        assert_eq!(call(&host, lane, "echo", "hello").await.expect("answered").result, "hello");
        let asked = call(&host, lane, "ask", "you").await.expect("answered");
        assert_eq!(asked.result, "you, says the host");
    }
    let names = [
        call(&host, 1, "lane", "").await.expect("answered").result,
        call(&host, 2, "lane", "").await.expect("answered").result,
    ];
    assert_eq!(names, ["lane-1", "lane-2"]);
    assert_eq!(host.hang_up().await.code(), Some(0));
}

#[tokio::test]
async fn streams_go_both_ways_and_the_writer_waits_for_the_reader() {
    let host = TestHost::start(echo(1)).await;
    let (mut sender, body) = Body::channel();
    let mut reply = call_with(&host, 0, "echo", "", Some(body)).await.expect("answered");
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
    let host = TestHost::start(echo(1)).await;
    let (mut sender, body) = Body::channel();
    let never = call_with(&host, 0, "never", "", Some(body));
    assert!(tokio::time::timeout(Duration::from_millis(50), never).await.is_err());
    sender.reader_gone().await;
    assert!(call(&host, 0, "echo", "x").await.is_ok());
    assert_eq!(host.lanes()[0].in_flight(), 0);
}

#[tokio::test]
async fn a_panic_fails_its_call_only_and_is_logged() {
    let mut host = TestHost::start(echo(1)).await;
    assert_eq!(call(&host, 0, "panic", "").await.expect_err("panics").kind, ErrorKind::Failed);
    assert!(call(&host, 0, "echo", "x").await.is_ok());
    assert_eq!(call(&host, 0, "what", "").await.expect_err("unknown").kind, ErrorKind::NotFound);
    host.hang_up().await;
    let log = host.logged();
    assert!(log.contains(r#""message":"panicked: as asked""#), "{log}");
}

#[tokio::test]
async fn links_are_put_and_deleted_and_refused_with_a_reason() {
    let host = TestHost::start(echo(1)).await;
    let mut link = grant(1, Side::Target, &["test:echo/echo"]);
    link.config.insert("url".into(), "http://here".into());
    assert_eq!(host.put(link).await, Ok(LinkDetail { url: Some("http://here".into()) }));

    let mut strict = grant(2, Side::Target, &["test:echo/echo"]);
    strict.constraints.insert("moon-phase".into(), vec!["full".into()]);
    let reason = host.put(strict).await.expect_err("nobody knows its constraint");
    assert!(reason.contains("moon-phase"), "{reason}");

    host.delete(1).await;
    host.drain().await;
}

#[tokio::test]
async fn a_provider_that_cannot_start_says_why_and_exits() {
    let mut host = TestHost::spawn(echo(1).set("fail", "no such backend"));
    host.say_start();
    assert_eq!(host.hear().await, ToHost::Failed { reason: "no such backend".into() });
    assert_eq!(host.ended().await.code(), Some(1));
}

#[tokio::test]
async fn a_call_before_the_start_is_unavailable() {
    let host = TestHost::spawn(echo(1));
    assert_eq!(
        call(&host, 0, "echo", "").await.expect_err("too early").kind,
        ErrorKind::Unavailable
    );
}

#[tokio::test]
async fn a_killed_provider_interrupts_its_calls_at_once() {
    let mut host = TestHost::start(echo(2)).await;
    let (_sender, body) = Body::channel();
    let mut open = call_with(&host, 1, "echo", "", Some(body)).await.expect("answered");
    let link = host.link(LINK).on_lane(1);
    let never = Operation { interface: "test:echo/echo", function: "never" };
    let never = tokio::spawn(async move { link.carry(never, "", None).await });
    until_in_flight(&host, 2).await;
    host.kill().await;
    assert_eq!(never.await.expect("no panic").expect_err("lost").kind, ErrorKind::Interrupted);
    let end = open.body.as_mut().expect("a body").chunk().await;
    assert_eq!(end, Some(Err(StreamError::Interrupted)));
    let refused = call(&host, 0, "echo", "").await.expect_err("nobody is there");
    assert!(refused.kind == ErrorKind::Unavailable || refused.kind == ErrorKind::Interrupted);
}

/// The call is written once the provider answers a later one on the same lane.
async fn until_in_flight(host: &TestHost, calls: usize) {
    while host.lanes()[1].in_flight() < calls {
        tokio::task::yield_now().await;
    }
    call(host, 1, "echo", "").await.expect("answered");
}

#[tokio::test]
async fn the_end_of_any_lane_ends_the_process() {
    let mut host = TestHost::start(echo(3)).await;
    host.lanes()[2].close();
    assert_eq!(host.ended().await.code(), Some(0));
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
