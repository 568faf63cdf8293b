//! Commands and answers.

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

use futures::future::join_all;
use tokio::sync::Semaphore;
use wattle_core::{Subject, control::CONTROL_TOKEN_LEN_MAX};
use wattle_lattice::{CommandError, Refusal};

use crate::scene::{Scene, eventually, host, shop, soon, until_connected};

const WAIT: Duration = Duration::from_secs(10);

fn control_subject(letter: char) -> String {
    Subject::Control { lattice: shop(), host: host(letter) }.to_string()
}

#[tokio::test]
async fn a_command_is_answered_by_the_host_that_it_is_for() {
    let scene = Scene::start().await;
    let (cli, one, two) = (scene.connect().await, scene.connect().await, scene.connect().await);
    let _one = one.serve_control(host('A'), |token| async move { Some(format!("A {token}")) });
    let _two = two.serve_control(host('B'), |token| async move { Some(format!("B {token}")) });
    assert_eq!(cli.command(&host('A'), "x", WAIT).await.unwrap(), "A x");
    assert_eq!(cli.command(&host('B'), "y", WAIT).await.unwrap(), "B y");
}

#[tokio::test]
async fn a_host_that_is_not_there_is_said_soon() {
    let scene = Scene::start().await;
    let started = Instant::now();
    let error = scene.connect().await.command(&host('A'), "x", WAIT).await.unwrap_err();
    assert!(matches!(error, CommandError::NoHost(_)), "{error}");
    assert!(started.elapsed() < Duration::from_secs(3));
}

#[tokio::test]
async fn a_host_that_says_nothing_times_out() {
    let scene = Scene::start().await;
    let lattice = scene.connect().await;
    let _silent = lattice.serve_control(host('A'), |_| async { None });
    let error = lattice.command(&host('A'), "x", Duration::from_millis(300)).await.unwrap_err();
    assert!(matches!(error, CommandError::TimedOut { .. }), "{error}");
}

#[tokio::test]
async fn a_host_that_stops_serving_is_not_there_but_finishes_what_it_began() {
    let scene = Scene::start().await;
    let (cli, lattice) = (scene.connect().await, scene.connect().await);
    let (began, go) = (Arc::new(Semaphore::new(0)), Arc::new(Semaphore::new(0)));
    let (begins, goes) = (Arc::clone(&began), Arc::clone(&go));
    let server = lattice.serve_control(host('A'), move |_| {
        let (begins, goes) = (Arc::clone(&begins), Arc::clone(&goes));
        async move {
            begins.add_permits(1);
            goes.acquire().await.unwrap().forget();
            Some("finished".to_owned())
        }
    });
    let asked = tokio::spawn({
        let cli = cli.clone();
        async move { cli.command(&host('A'), "x", WAIT).await }
    });
    soon("it begins", began.acquire()).await.unwrap().forget();
    drop(server);
    let gone = || async {
        match cli.command(&host('A'), "y", Duration::from_millis(500)).await {
            Err(CommandError::NoHost(_)) => Ok(()),
            other => Err(other),
        }
    };
    eventually("the host takes no more", gone).await;
    go.add_permits(1);
    assert_eq!(asked.await.unwrap().unwrap(), "finished");
}

#[tokio::test]
async fn what_is_too_large_is_not_sent_and_the_largest_passes() {
    let scene = Scene::start().await;
    let lattice = scene.connect().await;
    let _server = lattice.serve_control(host('A'), |token| async move { Some(token) });
    let largest = "x".repeat(CONTROL_TOKEN_LEN_MAX);
    assert_eq!(lattice.command(&host('A'), &largest, WAIT).await.unwrap(), largest);
    let error = lattice.command(&host('A'), &(largest + "x"), WAIT).await.unwrap_err();
    assert!(matches!(error, CommandError::TooLarge { .. }), "{error}");
}

#[tokio::test]
async fn an_answer_that_is_too_large_is_said_instead() {
    let scene = Scene::start().await;
    let lattice = scene.connect().await;
    let _server =
        lattice.serve_control(host('A'), |_| async { Some("x".repeat(CONTROL_TOKEN_LEN_MAX + 1)) });
    let error = lattice.command(&host('A'), "x", WAIT).await.unwrap_err();
    let refused = matches!(error, CommandError::Refused { refusal: Refusal::AnswerTooLarge, .. });
    assert!(refused, "{error}");
}

#[tokio::test]
async fn what_a_stranger_sends_is_refused_counted_and_harms_nothing() {
    let scene = Scene::start().await;
    let (cli, lattice) = (scene.connect().await, scene.connect().await);
    let runs = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&runs);
    let _server = lattice.serve_control(host('A'), move |token| {
        counted.fetch_add(1, Ordering::Relaxed);
        async move { Some(token) }
    });
    assert_eq!(cli.command(&host('A'), "x", WAIT).await.unwrap(), "x");

    let stranger = scene.stranger().await;
    let reply = "wattle.1.shop.client.evil.reply.1";
    let mut replies = stranger.subscribe("wattle.1.shop.client.evil.reply.*").await.unwrap();
    // Nowhere to answer to, or somewhere where an answer would do harm.
    stranger.publish(control_subject('A'), "a".into()).await.unwrap();
    for reply in
        ["_INBOX.x", "$JS.API.STREAM.PURGE.KV_wattle_shop_records", "wattle.1.b.client.c.reply.d"]
    {
        stranger.publish_with_reply(control_subject('A'), reply, "b".into()).await.unwrap();
    }
    // Not a token.
    let garbage: [Vec<u8>; 3] = [vec![0xff, 0xfe], vec![], vec![b'x'; CONTROL_TOKEN_LEN_MAX + 1]];
    for payload in garbage {
        stranger.publish_with_reply(control_subject('A'), reply, payload.into()).await.unwrap();
        let refused = soon("a refusal", futures::StreamExt::next(&mut replies)).await.unwrap();
        assert!(refused.payload.is_empty() && refused.headers.is_some());
    }
    assert_eq!(lattice.traffic().refused, 7);
    assert_eq!(runs.load(Ordering::Relaxed), 1);
    assert_eq!(cli.command(&host('A'), "y", WAIT).await.unwrap(), "y");
}

#[tokio::test]
async fn an_answer_that_is_no_token_is_an_error() {
    let scene = Scene::start().await;
    let (cli, stranger) = (scene.connect().await, scene.stranger().await);
    let mut commands = stranger.subscribe(control_subject('A')).await.unwrap();
    stranger.flush().await.unwrap();
    for answer in [vec![0xff], vec![], vec![b'x'; CONTROL_TOKEN_LEN_MAX + 1]] {
        let impostor = async {
            let command = futures::StreamExt::next(&mut commands).await.unwrap();
            stranger.publish(command.reply.unwrap(), answer.into()).await.unwrap();
        };
        let host = host('A');
        let (answered, ()) = tokio::join!(cli.command(&host, "x", WAIT), impostor);
        assert!(matches!(answered, Err(CommandError::Malformed(_))), "{answered:?}");
    }
}

#[tokio::test]
async fn too_many_commands_at_once_are_refused_and_the_others_run() {
    const TOGETHER: usize = 64;
    let scene = Scene::start().await;
    let lattice = scene.connect().await;
    let go = Arc::new(Semaphore::new(0));
    let goes = Arc::clone(&go);
    let _server = lattice.serve_control(host('A'), move |token| {
        let goes = Arc::clone(&goes);
        async move {
            goes.acquire().await.unwrap().forget();
            Some(token)
        }
    });
    let command = |number: usize| {
        let lattice = lattice.clone();
        async move {
            let answer = lattice.command(&host('A'), &number.to_string(), WAIT).await;
            answer.map(|answer| assert_eq!(answer, number.to_string()))
        }
    };
    let all = tokio::spawn(join_all((0..TOGETHER + 6).map(command)));
    let refused = || async {
        if lattice.traffic().overloaded == 6 { Ok(()) } else { Err(lattice.traffic()) }
    };
    eventually("six are refused", refused).await;
    go.add_permits(TOGETHER);
    let answers = soon("the others run", all).await.unwrap();
    assert_eq!(answers.iter().filter(|answer| answer.is_ok()).count(), TOGETHER);
    assert!(answers.iter().filter_map(|answer| answer.as_ref().err()).all(|error| {
        matches!(error, CommandError::Refused { refusal: Refusal::Overloaded, .. })
    }));
}

#[tokio::test]
async fn commands_work_again_soon_after_the_server_is_back() {
    let mut scene = Scene::start().await;
    let (cli, lattice) = (scene.connect().await, scene.connect().await);
    let _server = lattice.serve_control(host('A'), |token| async move { Some(token) });
    for _ in 0..3 {
        assert_eq!(cli.command(&host('A'), "x", WAIT).await.unwrap(), "x");
        scene.nats.kill().await;
        until_connected(&cli, false).await;
        scene.nats.restart().await.unwrap();
        let back = Instant::now();
        assert_eq!(cli.command(&host('A'), "y", WAIT).await.unwrap(), "y");
        assert!(back.elapsed() < Duration::from_secs(2), "{:?}", back.elapsed());
    }
}

#[tokio::test]
async fn without_nats_a_command_fails_typed_and_soon() {
    let mut scene = Scene::start().await;
    let lattice = scene.connect().await;
    scene.nats.kill().await;
    until_connected(&lattice, false).await;
    let started = Instant::now();
    let error = lattice.command(&host('A'), "x", Duration::from_secs(60)).await.unwrap_err();
    assert!(matches!(error, CommandError::Disconnected), "{error}");
    assert!(started.elapsed() < Duration::from_secs(4));
}

#[tokio::test]
async fn a_host_that_joined_without_nats_serves_when_it_comes() {
    let mut scene = Scene::start().await;
    scene.nats.kill().await;
    let lattice = wattle_lattice::Lattice::join(shop(), &scene.nats.options()).await.unwrap();
    let _server = lattice.serve_control(host('A'), |token| async move { Some(token) });
    scene.nats.restart().await.unwrap();
    let cli = scene.connect().await;
    assert_eq!(cli.command(&host('A'), "x", WAIT).await.unwrap(), "x");
}
