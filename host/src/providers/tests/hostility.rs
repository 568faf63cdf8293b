use std::time::Duration;

use bytes::Bytes;
use wattle_core::inventory::ProviderState;

use super::site::{SOON, Site, head, until};

async fn ends_in_a_crash_loop(what: &str) -> String {
    let site = Site::new();
    let provider = site.provider("store", [("do", what)]);
    until(&provider, |state| matches!(state, ProviderState::CrashLoop { .. })).await;
    provider.last_exit().expect("it ended")
}

#[tokio::test]
async fn what_is_no_frame_ends_its_writer() {
    let exit = ends_in_a_crash_loop("garbage").await;
    assert!(exit.contains("broke the protocol"), "{exit}");
}

#[tokio::test]
async fn who_floods_the_control_channel_is_ended() {
    let exit = ends_in_a_crash_loop("babble").await;
    assert!(exit.contains("floods its control channel"), "{exit}");
}

#[tokio::test]
async fn who_says_nothing_but_nonsense_is_ended() {
    let exit = ends_in_a_crash_loop("nonsense").await;
    assert!(exit.contains("floods its control channel"), "{exit}");
}

#[tokio::test]
async fn who_closes_one_of_its_lanes_is_ended_and_started_again() {
    let exit = ends_in_a_crash_loop("close-a-lane").await;
    assert!(exit.contains("lane 1: closed by the other side"), "{exit}");
}

#[tokio::test]
async fn an_endless_line_and_a_binary_log_are_bounded_and_calls_go_on() {
    for what in ["endless-line", "binary-log"] {
        let site = Site::new();
        let provider = site.provider("noisy", [("do", what)]);
        let pid = provider.ready(SOON).await.expect("it behaves otherwise");
        let began = std::time::Instant::now();
        while began.elapsed() < Duration::from_secs(2) {
            let echoed = provider.call(head("echo"), Bytes::from_static(b"x"), None).await;
            assert_eq!(echoed.expect("answered").result, "x");
        }
        assert_eq!(*provider.state().borrow(), ProviderState::Ready { pid }, "{what}");
        let log = site.log_of("noisy");
        let bytes: usize = log.iter().map(String::len).sum();
        assert!(bytes < 1_100_000 && log.len() <= 2_000, "{what}: {bytes} in {}", log.len());
        provider.stop(Duration::ZERO).await;
    }
}
