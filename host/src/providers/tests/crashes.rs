use std::time::{Duration, Instant};

use bytes::Bytes;
use rustix::process::Signal;
use wattle_core::{ErrorKind, inventory::ProviderState};

use super::site::{SOON, Site, grant, head, is_gone, kill, until};
use crate::providers::StartFailure;

#[tokio::test]
async fn a_killed_provider_serves_again_within_a_second_and_only_calls_in_flight_fail() {
    let site = Site::new();
    let provider = site.provider("store", [("do", "behave")]);
    let pid = provider.ready(SOON).await.expect("it behaves");
    provider.put_link(grant(1, "pid")).await.expect("it takes links");
    let caller = provider.clone();
    let waiting = tokio::spawn(async move { caller.call(head("wait"), Bytes::new(), None).await });
    provider.call(head("echo"), Bytes::new(), None).await.expect("the other call is ahead of it");

    let mut state = provider.state();
    state.borrow_and_update();
    kill(pid, Signal::KILL);
    let killed_at = Instant::now();
    let interrupted = waiting.await.expect("it does not panic").expect_err("its process is gone");
    assert_eq!(interrupted.kind, ErrorKind::Interrupted);
    state.changed().await.expect("the provider is there");
    let again = provider.ready(SOON).await.expect("it is started again");
    provider.call(head("echo"), Bytes::new(), None).await.expect("answered");

    assert!(killed_at.elapsed() < Duration::from_secs(1), "{:?}", killed_at.elapsed());
    assert_ne!(again, pid);
    assert!(is_gone(pid));
    assert_eq!(provider.restarts(), 1);
    assert_eq!(provider.last_exit().as_deref(), Some("killed by signal 9 (SIGKILL)"));
    let linked_to = provider.links().borrow()[&1].clone().expect("the link was put again");
    assert_eq!(linked_to.url, Some(again.to_string()));
}

#[tokio::test]
async fn a_frozen_provider_is_replaced_within_three_seconds() {
    let site = Site::new();
    let provider = site.provider("store", [("do", "behave")]);
    let pid = provider.ready(SOON).await.expect("it behaves");
    kill(pid, Signal::STOP);
    let frozen_at = Instant::now();
    until(&provider, |state| matches!(state, ProviderState::Ready { pid: now } if *now != pid))
        .await;
    provider.call(head("echo"), Bytes::new(), None).await.expect("answered");
    assert!(frozen_at.elapsed() < Duration::from_secs(3), "{:?}", frozen_at.elapsed());
    assert!(is_gone(pid));
    let exit = provider.last_exit().expect("it ended");
    assert!(exit.contains("no answer to pings"), "{exit}");
}

#[tokio::test]
async fn a_provider_that_hangs_by_itself_is_replaced_too() {
    let mut site = Site::new();
    site.timings.pong_max = Duration::from_millis(100);
    site.timings.ping_every = Duration::from_millis(20);
    let provider = site.provider("store", [("do", "hang")]);
    until(&provider, |state| matches!(state, ProviderState::CrashLoop { .. })).await;
    assert!(provider.last_exit().is_some_and(|exit| exit.contains("no answer to pings")));
}

#[tokio::test]
async fn a_provider_that_exits_at_once_is_a_crash_loop_with_its_stderr() {
    let site = Site::new();
    let provider = site.provider("store", [("exit", "3"), ("stderr", "no disk\u{1b}[2J")]);
    let failure = provider.ready(SOON).await.expect_err("it exits");
    let stderr = vec!["no disk\\u{1b}[2J".to_owned()];
    assert_eq!(
        failure,
        StartFailure::Exited { status: "exit status 3".to_owned(), stderr: stderr.clone() }
    );
    let state = until(&provider, |state| matches!(state, ProviderState::CrashLoop { .. })).await;
    assert_eq!(state, ProviderState::CrashLoop { failures: 5, stderr });
    assert_eq!(provider.restarts(), 4);
    let refused = provider.call(head("echo"), Bytes::new(), None).await.expect_err("not there");
    assert_eq!(refused.kind, ErrorKind::Unavailable);
}

#[tokio::test]
async fn a_provider_that_says_why_it_cannot_start_is_quoted() {
    let site = Site::new();
    let provider = site.provider("store", [("do", "fail")]);
    let failure = provider.ready(SOON).await.expect_err("it cannot start");
    assert_eq!(failure, StartFailure::Failed { reason: "no such thing".to_owned() });
    assert_eq!(provider.last_exit().as_deref(), Some("no such thing"));
}

#[tokio::test]
async fn a_provider_that_never_says_ready_is_given_up() {
    let mut site = Site::new();
    site.timings.ready_max = Duration::from_millis(100);
    site.timings.ping_every = Duration::from_millis(50);
    let provider = site.provider("store", [("do", "never-ready"), ("stderr", "thinking")]);
    let failure = provider.ready(SOON).await.expect_err("it never is");
    let StartFailure::Exited { status, stderr } = failure else { panic!("{failure:?}") };
    assert!(status.contains("not ready after"), "{status}");
    assert_eq!(stderr, ["thinking"]);
}

#[tokio::test]
async fn whoever_waits_for_a_slow_provider_is_told_so_in_time() {
    let site = Site::new();
    let provider = site.provider("store", [("do", "never-ready")]);
    let failure = provider.ready(Duration::from_millis(50)).await.expect_err("too early");
    assert_eq!(failure, StartFailure::TimedOut);
}

#[tokio::test]
async fn one_that_ends_right_after_it_was_ready_is_a_crash_loop() {
    let site = Site::new();
    let provider = site.provider("store", [("do", "exit-when-ready")]);
    until(&provider, |state| matches!(state, ProviderState::CrashLoop { .. })).await;
    assert_eq!(provider.last_exit().as_deref(), Some("exit status 7"));
}

#[tokio::test]
async fn programs_that_are_no_providers_fail_and_harm_nobody() {
    let site = Site::new();
    let neighbour = site.provider("store", [("do", "behave")]);
    let ends = [
        ("/bin/true", "exit status 0"),
        ("/bin/false", "exit status 1"),
        ("/bin/cat", "closed by the other side"), // it reads its first lane and ignores what comes with it
    ];
    for (path, how) in ends {
        let failure = site.program(path).ready(SOON).await.expect_err(path);
        assert!(failure.to_string().contains(how), "{path}: {failure}");
    }
    let yes = site.program("/usr/bin/yes").ready(Duration::from_secs(1)).await;
    assert_eq!(yes, Err(StartFailure::TimedOut), "it has much to say, but not that");
    neighbour.ready(SOON).await.expect("it behaves");
    neighbour.call(head("echo"), Bytes::new(), None).await.expect("answered");
}

#[tokio::test]
async fn what_cannot_be_executed_says_so() {
    let site = Site::new();
    let text = crate::providers::Image::seal(b"hello").expect("sealed");
    let provider = site.start("text", std::sync::Arc::new(text), []);
    let failure = provider.ready(SOON).await.expect_err("it is text");
    let StartFailure::Failed { reason } = failure else { panic!("{failure:?}") };
    assert!(reason.contains("cannot be executed"), "{reason}");
    until(&provider, |state| matches!(state, ProviderState::CrashLoop { .. })).await;
}

/// So many restarts, each of which must leave nothing behind.
const RESTARTS: u32 = 1_000;

#[tokio::test]
async fn a_thousand_restarts_leak_no_descriptors_tasks_or_zombies() {
    let mut site = Site::new();
    site.timings.steady_after = Duration::ZERO;
    let provider = site.provider("store", [("do", "behave")]);
    provider.put_link(grant(1, "pid")).await.expect("it takes links");
    let mut pids = Vec::new();
    let tasks = || (0..2).map(|lane| site.lanes.handle(lane).metrics().num_alive_tasks()).sum();
    let (mut files_before, mut tasks_before): (usize, usize) = (0, 0);
    for number in 0..RESTARTS {
        let known = pids.last().copied();
        let state = until(
            &provider,
            |state| matches!(state, ProviderState::Ready { pid } if Some(*pid) != known),
        );
        let ProviderState::Ready { pid } = state.await else { unreachable!("it waits for that") };
        if number == 10 {
            (files_before, tasks_before) = (open_files(), tasks());
        }
        pids.push(pid);
        kill(pid, Signal::KILL);
    }
    until(&provider, |state| matches!(state, ProviderState::Backoff { .. })).await;
    let last = *pids.last().expect("many");
    until(&provider, |state| matches!(state, ProviderState::Ready { pid } if *pid != last)).await;
    assert_eq!(provider.restarts(), RESTARTS);
    // Other tests of this process open files too; a leak of one per restart is many more.
    assert!(open_files() < files_before + RESTARTS as usize / 5, "{files_before} {}", open_files());
    assert!(tasks() <= tasks_before + 4, "{tasks_before} {}", tasks());
    assert!(pids.iter().filter(|pid| !is_gone(**pid)).count() < 5, "numbers may be used again");
}

fn open_files() -> usize {
    std::fs::read_dir("/proc/self/fd").expect("it is there").count()
}
