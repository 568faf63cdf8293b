use std::time::{Duration, Instant};

use bytes::Bytes;
use wattle_core::{ErrorKind, inventory::ProviderState};

use super::site::{SOON, Site, head, is_gone, until};

#[tokio::test]
async fn a_stopped_provider_drains_ends_and_is_reaped() {
    let site = Site::new();
    let provider = site.provider("store", [("do", "behave")]);
    let pid = provider.ready(SOON).await.expect("it behaves");
    provider.stop(SOON).await;
    assert!(is_gone(pid));
    assert_eq!(*provider.state().borrow(), ProviderState::Stopping);
    assert_eq!(provider.last_exit().as_deref(), Some("stopped: exit status 0"));
    assert_eq!(site.log_of("store"), ["draining"]);
    assert_eq!(provider.restarts(), 0);
    provider.stop(SOON).await;
    provider.ready(SOON).await.expect_err("it is stopped");
    let refused = provider.call(head("echo"), Bytes::new(), None).await.expect_err("it is gone");
    assert_eq!(refused.kind, ErrorKind::Unavailable);
}

#[tokio::test]
async fn calls_are_refused_while_it_drains_and_those_under_way_end_with_it() {
    let site = Site::new();
    let provider = site.provider("store", [("do", "never-drain")]);
    provider.ready(SOON).await.expect("it behaves");
    let caller = provider.clone();
    let waiting = tokio::spawn(async move { caller.call(head("wait"), Bytes::new(), None).await });
    provider.call(head("echo"), Bytes::new(), None).await.expect("the other call is ahead of it");
    let stopping = provider.clone();
    let began = Instant::now();
    let stopped = tokio::spawn(async move { stopping.stop(Duration::from_millis(300)).await });
    until(&provider, |state| *state == ProviderState::Stopping).await;
    let refused = provider.call(head("echo"), Bytes::new(), None).await.expect_err("it drains");
    assert_eq!(refused.kind, ErrorKind::Unavailable);
    assert!(!waiting.is_finished(), "it has its time");
    stopped.await.expect("it does not panic");
    assert!(began.elapsed() >= Duration::from_millis(300));
    let cut = waiting.await.expect("it does not panic").expect_err("it was cut");
    assert_eq!(cut.kind, ErrorKind::Interrupted);
}

#[tokio::test]
async fn one_that_keeps_ending_or_never_starts_is_stopped_at_once() {
    let site = Site::new();
    for settings in [("exit", "1"), ("do", "never-ready")] {
        let provider = site.provider("store", [settings]);
        let began = Instant::now();
        provider.stop(SOON).await;
        assert!(began.elapsed() < Duration::from_secs(5), "{settings:?}");
    }
    let provider = site.provider("store", [("exit", "1")]);
    until(&provider, |state| matches!(state, ProviderState::CrashLoop { .. })).await;
    provider.stop(SOON).await;
}

#[tokio::test]
async fn a_frozen_provider_is_stopped_all_the_same() {
    let site = Site::new();
    let provider = site.provider("store", [("do", "ignore-sigterm")]);
    let pid = provider.ready(SOON).await.expect("it behaves");
    super::site::kill(pid, rustix::process::Signal::STOP);
    let began = Instant::now();
    provider.stop(Duration::from_millis(100)).await;
    assert!(is_gone(pid));
    assert!(began.elapsed() < Duration::from_secs(5), "{:?}", began.elapsed());
}

#[tokio::test]
async fn its_children_end_with_it() {
    let site = Site::new();
    let provider = site.provider("store", [("do", "have-children")]);
    let pid = provider.ready(SOON).await.expect("it behaves");
    super::site::kill(pid, rustix::process::Signal::KILL);
    until(&provider, |state| matches!(state, ProviderState::Ready { pid: now } if *now != pid))
        .await;
    provider.stop(Duration::ZERO).await;
    let children: Vec<u32> = site
        .log_of("store")
        .iter()
        .filter_map(|line| line.strip_prefix("child ")?.parse().ok())
        .collect();
    assert_eq!(children.len(), 2);
    let began = Instant::now();
    for child in children {
        // Whoever inherits it reaps it, in its own time.
        let stat = || std::fs::read_to_string(format!("/proc/{child}/stat")).unwrap_or_default();
        while !(stat().is_empty() || stat().contains(") Z ")) {
            assert!(began.elapsed() < SOON, "{}", stat());
            tokio::task::yield_now().await;
        }
    }
}

#[tokio::test]
async fn one_whose_claims_stopped_holding_is_killed_at_once_and_stays_so() {
    let site = Site::new();
    let provider = site.provider("store", [("do", "never-drain")]);
    let pid = provider.ready(SOON).await.expect("it behaves");
    provider.deny("its claims expired");
    let refused = provider.call(head("echo"), Bytes::new(), None).await.expect_err("denied");
    assert_eq!(refused.kind, ErrorKind::Unavailable);
    provider.stop(SOON).await;
    assert!(is_gone(pid));
    let denied = ProviderState::Denied { reason: "its claims expired".to_owned() };
    assert_eq!(*provider.state().borrow(), denied);
    let failure = provider.ready(SOON).await.expect_err("denied");
    assert!(failure.to_string().contains("its claims expired"), "{failure}");
}

#[tokio::test]
async fn a_provider_that_drains_for_ever_is_killed_when_it_is_denied() {
    let site = Site::new();
    let provider = site.provider("store", [("do", "never-drain")]);
    let pid = provider.ready(SOON).await.expect("it behaves");
    let stopping = provider.clone();
    let stopped = tokio::spawn(async move { stopping.stop(Duration::from_secs(3_600)).await });
    until(&provider, |state| *state == ProviderState::Stopping).await;
    provider.deny("revoked");
    stopped.await.expect("it does not panic");
    assert!(is_gone(pid));
}

#[tokio::test]
async fn nothing_runs_on_when_the_last_handle_or_the_lanes_are_gone() {
    let site = Site::new();
    let dropped = site.provider("dropped", [("do", "never-drain")]);
    let pid = dropped.ready(SOON).await.expect("it behaves");
    let mut state = dropped.state();
    drop(dropped);
    while state.changed().await.is_ok() {} // the supervisor is gone
    assert!(is_gone(pid));

    let kept = site.provider("kept", [("do", "never-drain")]);
    let pid = kept.ready(SOON).await.expect("it behaves");
    site.lanes.shutdown();
    kept.stop(SOON).await;
    let began = Instant::now();
    while !is_gone(pid) {
        assert!(began.elapsed() < SOON, "it was killed, but is not reaped");
        tokio::task::yield_now().await;
    }
}
