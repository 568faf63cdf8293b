use std::time::Duration;

use rustix::process::Signal;
use tokio::time::timeout;
use wattle_core::{inventory::ProviderState, provider::LinkDetail};

use super::site::{SOON, Site, grant, kill, until};

#[tokio::test]
async fn a_link_that_was_put_before_the_provider_is_ready_waits_for_it() {
    let site = Site::new();
    let provider = site.provider("store", [("do", "behave")]);
    let put = provider.put_link(grant(1, "ok")).await;
    assert_eq!(put, Ok(LinkDetail::default()));
    assert!(matches!(*provider.state().borrow(), ProviderState::Ready { .. }));
}

#[tokio::test]
async fn what_the_provider_says_to_a_link_is_said_to_whoever_put_it() {
    let site = Site::new();
    let provider = site.provider("store", [("do", "behave")]);
    assert_eq!(provider.put_link(grant(1, "fail")).await, Err("no such store".to_owned()));
    assert_eq!(provider.put_link(grant(1, "ok")).await, Ok(LinkDetail::default()));
    assert_eq!(provider.links().borrow()[&1], Ok(LinkDetail::default()));
    provider.delete_link(1).await;
    assert!(provider.links().borrow().is_empty());
    provider.delete_link(1).await;
}

#[tokio::test]
async fn a_link_that_is_never_answered_fails_in_time_and_holds_nobody_else_up() {
    let mut site = Site::new();
    site.timings.link_max = Duration::from_millis(300);
    site.timings.ping_every = Duration::from_millis(100);
    let provider = site.provider("store", [("do", "behave")]);
    let (silent, answered) =
        tokio::join!(provider.put_link(grant(1, "silent")), provider.put_link(grant(2, "ok")));
    assert!(silent.expect_err("no answer").contains("did not answer"));
    assert_eq!(answered, Ok(LinkDetail::default()));
    provider.put_link(grant(1, "silent")).await.expect_err("it is not asked again");
    provider.put_link(grant(2, "ok")).await.expect("it still answers others");
}

#[tokio::test]
async fn a_silent_link_does_not_keep_a_restarted_provider_from_serving() {
    let mut site = Site::new();
    site.timings.link_max = Duration::from_millis(300);
    site.timings.ping_every = Duration::from_millis(100);
    let provider = site.provider("store", [("do", "behave")]);
    provider.put_link(grant(1, "silent")).await.expect_err("no answer");
    let pid = provider.ready(SOON).await.expect("it behaves otherwise");
    kill(pid, Signal::KILL);
    until(&provider, |state| matches!(state, ProviderState::Ready { pid: now } if *now != pid))
        .await;
}

#[tokio::test]
async fn a_link_that_failed_is_tried_again_until_it_holds() {
    let site = Site::new();
    let provider = site.provider("store", [("do", "behave")]);
    let failed = provider.put_link(grant(1, "fail-first")).await;
    assert_eq!(failed, Err("the port is taken\\n".to_owned()), "as one line");
    let mut links = provider.links();
    let holds = links.wait_for(|links| links.get(&1) == Some(&Ok(LinkDetail::default())));
    timeout(SOON, holds).await.expect("tried again").expect("the provider is there");
}

#[tokio::test]
async fn a_link_to_a_provider_that_keeps_ending_fails_in_time() {
    let site = Site::new();
    let provider = site.provider("store", [("exit", "1")]);
    for _ in 0..2 {
        let put = timeout(Duration::from_secs(5), provider.put_link(grant(1, "ok"))).await;
        let reason = put.expect("before its limit").expect_err("it never runs");
        assert!(reason.contains("crash loop"), "{reason}");
    }
    provider.stop(Duration::ZERO).await;
    let reason = provider.put_link(grant(1, "ok")).await.expect_err("it was stopped");
    assert!(reason.contains("stopping"), "{reason}");
    provider.delete_link(1).await;
}

#[tokio::test]
async fn a_link_that_was_deleted_while_the_provider_was_down_stays_deleted() {
    let site = Site::new();
    let provider = site.provider("store", [("do", "behave")]);
    for link in [1, 2] {
        provider.put_link(grant(link, "pid")).await.expect("it takes links");
    }
    let pid = provider.ready(SOON).await.expect("it behaves");
    kill(pid, Signal::KILL);
    provider.delete_link(1).await;
    until(&provider, |state| matches!(state, ProviderState::Ready { pid: now } if *now != pid))
        .await;
    let links: Vec<u32> = provider.links().borrow().keys().copied().collect();
    assert_eq!(links, [2]);
}
