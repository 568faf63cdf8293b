//! Supervision of real processes: the example `unruly-provider`, which misbehaves as it is told, and programs that are no
//! providers at all.

mod crashes;
mod hostility;
mod leases;
mod links;
mod site;
mod stopping;

use bytes::Bytes;
use wattle_core::ErrorKind;
use wattle_wire::Body;

pub(super) use self::site::grant;
use self::site::{SOON, Site, head};
use crate::lanes::Lanes;

#[tokio::test]
async fn calls_go_both_ways_on_every_lane() {
    let site = Site::new();
    let provider = site.provider("store", [("do", "behave")]);
    provider.ready(SOON).await.expect("it behaves");
    for lane in 0..site.lanes.count() {
        let provider = provider.clone();
        let called = site.lanes.handle(lane).spawn(async move {
            let echoed = provider.call(head("echo"), "hello".into(), None).await.expect("answered");
            let asked =
                provider.call(head("ask-host"), "you".into(), None).await.expect("answered");
            (echoed.result, asked.result, Lanes::current())
        });
        let (echoed, asked, on) = called.await.expect("it does not panic");
        assert_eq!((&echoed[..], on), (&b"hello"[..], Some(lane)));
        assert!(asked.starts_with(b"store asks you on lane"), "{asked:?}");
    }
}

#[tokio::test]
async fn a_call_without_a_lane_and_with_a_body_is_carried_too() {
    let site = Site::new();
    let provider = site.provider("store", [("do", "behave")]);
    provider.ready(SOON).await.expect("it behaves");
    let body = Body::full(Bytes::from_static(b"stream"));
    let reply = provider.call(head("echo"), Bytes::new(), Some(body)).await.expect("answered");
    let mut body = reply.body.expect("a body comes back");
    assert_eq!(body.chunk().await.expect("a chunk").expect("whole"), "stream");
}

#[tokio::test]
async fn a_call_before_it_is_ready_is_refused_at_once() {
    let site = Site::new();
    let provider = site.provider("store", [("do", "never-ready")]);
    let refused = provider.call(head("echo"), Bytes::new(), None).await.expect_err("not ready");
    assert_eq!(refused.kind, ErrorKind::Unavailable);
}

#[tokio::test]
async fn its_environment_is_empty_and_its_limits_are_set() {
    let site = Site::new();
    let provider = site.provider("store", [("do", "behave")]);
    let pid = provider.ready(SOON).await.expect("it behaves");
    let read = |file: &str| std::fs::read_to_string(format!("/proc/{pid}/{file}")).expect("ours");
    assert_eq!(read("environ"), "");
    assert_eq!(read("cmdline"), "wattle-provider store\0");
    let limits = read("limits");
    let limit = |name: &str| {
        let line = limits.lines().find(|line| line.starts_with(name)).expect("known");
        line[name.len()..].split_whitespace().next().expect("a value").to_owned()
    };
    assert_eq!(limit("Max open files"), "300");
    assert_eq!(limit("Max data size"), (256 << 20).to_string());
    assert_eq!(limit("Max core file size"), "0");
}
