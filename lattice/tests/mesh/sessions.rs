//! Calls between hosts: what arrives, what is lost, and what an attacker can do about it.

mod attacks;
mod meddler;
mod narrow;
mod party;

use std::time::{Duration, Instant};

use futures::future::join_all;
use tokio::{task::yield_now, time::sleep};
use wattle_core::ErrorKind;
use wattle_lattice::SessionSettings;
use wattle_wire::{Body, Closed};

use self::party::{Account, Party};
use crate::scene::{Scene, soon, until_connected};

#[tokio::test(flavor = "multi_thread")]
async fn hosts_call_each_other_and_bodies_stream_both_ways() {
    let scene = Scene::start().await;
    let account = Account::new();
    let (here, there) = (account.host(&scene).await, account.host(&scene).await);
    let reply = here.call(&there, "echo", b"params", None).await.unwrap();
    assert_eq!(reply.result, "params");
    let back = there.call(&here, "echo", b"back", None).await.unwrap();
    assert_eq!(back.result, "back");
    let (mut sender, body) = Body::channel();
    tokio::spawn(async move {
        for _ in 0..500 {
            if sender.send(vec![3; 20_000].into()).await.is_err() {
                return;
            }
        }
        sender.finish(None);
    });
    let reply = here.call(&there, "echo", b"", Some(body)).await.unwrap();
    let length = reply.body.unwrap().collect(20_000_000).await.unwrap().len();
    assert_eq!(length, 10_000_000);
    assert_eq!((here.refused(), there.refused()), (vec![], vec![]));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_larger_than_the_servers_messages_arrives_whole() {
    let scene = Scene::start().await;
    let account = Account::new();
    let (here, there) = (account.host(&scene).await, account.host(&scene).await);
    let large: Vec<u8> = (0..3_500_000_u32).map(|at| at.to_le_bytes()[0]).collect();
    // Two at once: what may be queued for a host ends at 8 MiB.
    let calls = (0..2).map(|_| here.call(&there, "echo", &large, None));
    for reply in join_all(calls).await {
        assert!(reply.unwrap().result == large, "it was altered");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_host_that_is_not_there_is_said_at_once_and_nothing_ran() {
    let scene = Scene::start().await;
    let account = Account::new();
    let here = account.host(&scene).await;
    let away = account.key_of_a_host();
    let began = Instant::now();
    let error = here.sessions.connect(&away, 0).await.unwrap_err();
    assert_eq!(error.kind, ErrorKind::Unavailable, "{error}");
    assert!(began.elapsed() < Duration::from_millis(500), "{:?}", began.elapsed());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_host_that_dies_interrupts_what_it_was_asked_within_a_second() {
    let scene = Scene::start().await;
    let account = Account::new();
    let (here, there) = (account.host(&scene).await, account.host(&scene).await);
    here.call(&there, "echo", b"", None).await.unwrap();
    let waiting = here.start_call(&there, "never");
    there.callee.begun.notified().await;
    let key = there.key.clone();
    let began = Instant::now();
    drop(there);
    let error = soon("the call fails", waiting).await.unwrap().unwrap_err();
    assert_eq!(error.kind, ErrorKind::Interrupted, "{error}");
    assert!(began.elapsed() < Duration::from_secs(1), "{:?}", began.elapsed());
    let error = here.sessions.connect(&key, 0).await.unwrap_err();
    assert_eq!(error.kind, ErrorKind::Unavailable, "{error}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_host_that_comes_back_is_called_again() {
    let scene = Scene::start().await;
    let account = Account::new();
    let here = account.host(&scene).await;
    let there = account.host(&scene).await;
    here.call(&there, "echo", b"", None).await.unwrap();
    let again = there.restarted(&scene).await;
    // The first call finds the session of before, which nobody answers for any more.
    let calls = async {
        while let Err(error) = here.call(&again, "echo", b"", None).await {
            assert!(matches!(error.kind, ErrorKind::Interrupted | ErrorKind::Unavailable));
        }
    };
    soon("the next session", calls).await;
    let here_again = here.restarted(&scene).await;
    here_again.call(&again, "echo", b"", None).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_callers_death_ends_what_it_asked_for() {
    let scene = Scene::start().await;
    let account = Account::new();
    let (here, there) = (account.host(&scene).await, account.host(&scene).await);
    let waiting = here.start_call(&there, "never");
    there.callee.begun.notified().await;
    waiting.abort();
    drop(here);
    soon("the handler is dropped", there.callee.ended.notified()).await;
}

/// As when its connection to NATS breaks: it cannot say so to the other end.
async fn forget(here: &Party, there: &Party) {
    here.sessions.connect(&there.key, 0).await.unwrap().fail(&Closed::There);
    let gone = async {
        while here.sessions.count() > 0 {
            yield_now().await;
        }
    };
    soon("the session is forgotten", gone).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_session_that_its_caller_forgot_makes_way_for_the_next() {
    let scene = Scene::start().await;
    let account = Account::new();
    let (here, there) = (account.host(&scene).await, account.host(&scene).await);
    for _ in 0..3 {
        here.call(&there, "echo", b"", None).await.unwrap();
        assert_eq!(there.sessions.count(), 1);
        forget(&here, &there).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_session_that_is_idle_is_asked_when_its_key_is_old_whether_it_is_still_known() {
    let scene = Scene::start().await;
    let account = Account::new();
    let settings =
        SessionSettings { key_time: Duration::from_millis(200), ..SessionSettings::default() };
    let (here, there) = (account.host(&scene).await, account.host_with(&scene, settings).await);
    here.call(&there, "echo", b"", None).await.unwrap();
    sleep(Duration::from_secs(1)).await; // some keys later
    assert_eq!(there.sessions.count(), 1, "the other end answers");
    forget(&here, &there).await;
    let ended = async {
        while there.sessions.count() > 0 {
            sleep(Duration::from_millis(10)).await;
        }
    };
    soon("nobody knows it any more", ended).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn while_nats_is_away_calls_fail_at_once_and_go_on_when_it_is_back() {
    let mut scene = Scene::start().await;
    let account = Account::new();
    let (here, there) = (account.host(&scene).await, account.host(&scene).await);
    here.call(&there, "echo", b"", None).await.unwrap();
    let waiting = here.start_call(&there, "never");
    there.callee.begun.notified().await;
    let began = Instant::now();
    scene.nats.kill().await;
    let error = soon("the call fails", waiting).await.unwrap().unwrap_err();
    assert_eq!(error.kind, ErrorKind::Interrupted, "{error}");
    let error = here.call(&there, "echo", b"", None).await.unwrap_err();
    assert_eq!(error.kind, ErrorKind::Unavailable, "{error}");
    assert!(began.elapsed() < Duration::from_secs(1), "{:?}", began.elapsed());
    scene.nats.restart().await.unwrap();
    let back = Instant::now();
    until_connected(&here.lattice, true).await;
    until_connected(&there.lattice, true).await;
    let calls = async {
        while let Err(error) = here.call(&there, "echo", b"", None).await {
            assert!(error.kind.did_not_run(), "{error}");
        }
    };
    soon("calls pass again", calls).await;
    assert!(back.elapsed() < Duration::from_secs(2), "{:?}", back.elapsed());
}

#[tokio::test(flavor = "multi_thread")]
async fn keys_change_under_load_and_no_call_fails() {
    let scene = Scene::start().await;
    let account = Account::new();
    let settings = SessionSettings {
        key_messages: 10,
        silence: Duration::from_millis(20),
        ..SessionSettings::default()
    };
    let here = account.host_with(&scene, settings).await;
    let there = account.host_with(&scene, settings).await;
    let began = Instant::now();
    while began.elapsed() < Duration::from_secs(3) {
        let calls = (0..50).map(|_| here.call(&there, "echo", b"x", None));
        for reply in join_all(calls).await {
            reply.unwrap();
        }
    }
    assert_eq!((here.refused(), there.refused()), (vec![], vec![]));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_host_of_an_account_that_is_not_trusted_is_not_answered() {
    let scene = Scene::start().await;
    let (ours, strangers) = (Account::new(), Account::new());
    let (there, stranger) = (ours.host(&scene).await, strangers.host(&scene).await);
    let error = stranger.call(&there, "echo", b"", None).await.unwrap_err();
    assert_eq!(error.kind, ErrorKind::Unavailable);
    assert_eq!(there.refused(), [(wattle_lattice::Refused::Claims, 1)]);
    assert_eq!(there.callee.calls(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_session_ends_with_the_claims_of_its_peer() {
    let scene = Scene::start().await;
    let account = Account::new();
    let (here, there) = (account.host(&scene).await, account.host(&scene).await);
    here.call(&there, "echo", b"", None).await.unwrap();
    let waiting = here.start_call(&there, "never");
    there.callee.begun.notified().await;
    there.sessions.keep(|peer| peer.host() != here.key);
    let error = soon("the call fails", waiting).await.unwrap().unwrap_err();
    assert_eq!(error.kind, ErrorKind::Interrupted, "{error}");
}
