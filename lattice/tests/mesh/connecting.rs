//! Coming to a connection, losing it, and getting it back.

use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};
use tokio::net::TcpListener;
use wattle_lattice::{Auth, ConnectError, ConnectOptions, Lattice};

use crate::scene::{Scene, host, shop, to, until_connected};

async fn refused(options: &ConnectOptions) -> ConnectError {
    Lattice::connect(shop(), options).await.expect_err("nobody to connect to")
}

#[tokio::test]
async fn a_closed_port_is_said_at_once() {
    let free = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
    let started = Instant::now();
    let error = refused(&to(&format!("nats://{free}"))).await;
    assert!(matches!(error, ConnectError::Unreachable { .. }), "{error}");
    assert!(error.to_string().contains(&free.to_string()), "{error}");
    assert!(started.elapsed() < Duration::from_secs(1));
}

#[tokio::test]
async fn a_server_that_says_nothing_is_given_up() {
    let silent = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let error = refused(&to(&silent.local_addr().unwrap().to_string())).await;
    assert!(matches!(error, ConnectError::TimedOut { .. }), "{error}");
}

#[tokio::test]
async fn wrong_credentials_are_said_and_not_shown() {
    let scene = Scene::start().await;
    let auth = Auth::UserPassword { user: "wattle".into(), password: "s3cret".into() };
    let error = refused(&ConnectOptions { auth, ..to(&scene.nats.url()) }).await;
    assert!(matches!(error, ConnectError::Unauthorized { .. }), "{error}");
    let url = scene.nats.url().replace("nats://", "nats://joe:s3cret@");
    let error = refused(&to(&url)).await;
    assert!(matches!(error, ConnectError::Unauthorized { .. }), "{error}");
    assert!(!format!("{error} {error:?}").contains("s3cret"));
}

#[tokio::test]
async fn credentials_in_the_address_are_used() {
    let scene = Scene::start().await;
    let Auth::UserPassword { user, password } = scene.nats.options().auth else { panic!() };
    let url = scene.nats.url().replace("nats://", &format!("nats://{user}:{password}@"));
    Lattice::connect(shop(), &to(&url)).await.unwrap();
}

#[tokio::test]
async fn a_server_without_encryption_is_refused_where_it_is_required() {
    let scene = Scene::start().await;
    let mut options = scene.nats.options();
    options.tls.required = true;
    let error = refused(&options).await;
    assert!(matches!(error, ConnectError::Tls { .. }), "{error}");
}

#[tokio::test]
async fn a_host_joins_before_there_is_nats_and_again_whenever_it_is_back() {
    let mut scene = Scene::start().await;
    scene.nats.kill().await;
    let lattice = Lattice::join(shop(), &scene.nats.options()).await.unwrap();
    assert!(!*lattice.connected().borrow());
    for _ in 0..2 {
        scene.nats.restart().await.unwrap();
        until_connected(&lattice, true).await;
        scene.nats.kill().await;
        until_connected(&lattice, false).await;
    }
}

#[tokio::test]
async fn a_second_address_serves_when_the_first_is_dead() {
    let scene = Scene::start().await;
    let mut options = scene.nats.options();
    options.servers.insert(0, "nats://127.0.0.1:1".to_owned());
    Lattice::connect(shop(), &options).await.unwrap();
}

#[tokio::test]
async fn a_server_that_freezes_is_noticed_and_used_again_when_it_thaws() {
    let scene = Scene::start().await;
    let lattice = scene.connect().await;
    let _server = lattice.serve_control(host('A'), |token| async move { Some(token) });
    let pid = Pid::from_raw(scene.nats.pid().try_into().unwrap()).unwrap();
    kill_process(pid, Signal::STOP).unwrap();
    until_connected(&lattice, false).await;
    kill_process(pid, Signal::CONT).unwrap();
    until_connected(&lattice, true).await;
    let answer = lattice.command(&host('A'), "x", Duration::from_secs(10)).await;
    assert_eq!(answer.unwrap(), "x");
}
