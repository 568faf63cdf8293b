//! nats-servers of our own: started, found again, ended.

use std::{os::unix::fs::PermissionsExt, process::Command, time::Duration};

use tokio::time::sleep;
use wattle_lattice::{
    Lattice,
    server::{NatsServer, ServerError, ServerOptions, find_binary},
};

use crate::scene::{Scene, eventually, server_in, shop, soon, to};

fn is_running(pid: u32) -> bool {
    // A zombie has no command line.
    std::fs::read(format!("/proc/{pid}/cmdline")).is_ok_and(|line| !line.is_empty())
}

async fn until_gone(pid: u32) {
    let gone = async || if is_running(pid) { Err("runs") } else { Ok(()) };
    eventually("the server is gone", gone).await;
}

#[tokio::test]
async fn a_server_ends_with_its_handle_and_comes_back_as_it_was() {
    let dir = tempfile::tempdir().unwrap();
    let first = NatsServer::start(server_in(dir.path())).await.unwrap();
    let (pid, url, options) = (first.pid(), first.url(), first.options());
    assert!(first.version().starts_with("2."), "{}", first.version());
    drop(first);
    assert!(!is_running(pid));
    assert!(NatsServer::attach(&dir.path().join("nats")).await.unwrap().is_none());

    let second = NatsServer::start(server_in(dir.path())).await.unwrap();
    assert_eq!((second.url(), second.options()), (url, options));
    let pid = second.pid();
    second.stop().await;
    assert!(!is_running(pid));
}

#[tokio::test]
async fn nobody_gets_in_without_the_password() {
    let scene = Scene::start().await;
    assert!(Lattice::connect(shop(), &to(&scene.nats.url())).await.is_err());
    for file in ["nats.conf", "server.json"] {
        let file = scene.dir().join("nats").join(file);
        assert_eq!(std::fs::metadata(file).unwrap().permissions().mode() & 0o077, 0);
    }
}

#[tokio::test]
async fn a_second_server_in_a_folder_is_refused_and_the_first_lives() {
    let scene = Scene::start().await;
    let refused = NatsServer::start(server_in(scene.dir())).await;
    assert!(
        matches!(refused, Err(ServerError::AlreadyRunning { pid, .. }) if pid == scene.nats.pid())
    );
    scene.connect().await;
}

#[tokio::test]
async fn a_server_that_outlives_us_is_found_and_stopped() {
    let dir = tempfile::tempdir().unwrap();
    let options = ServerOptions { outlive: true, ..server_in(dir.path()) };
    let started = NatsServer::start(options).await.unwrap();
    let pid = started.pid();
    drop(started);
    assert!(is_running(pid));

    let found = NatsServer::attach(&dir.path().join("nats")).await.unwrap().expect("it runs");
    assert_eq!(found.pid(), pid);
    Lattice::connect(shop(), &found.options()).await.unwrap();
    soon("it stops", found.stop()).await;
    assert!(!is_running(pid));
}

#[tokio::test]
async fn a_pid_that_belongs_to_somebody_else_now_is_left_alone() {
    let dir = tempfile::tempdir().unwrap();
    NatsServer::start(server_in(dir.path())).await.unwrap().stop().await;
    let file = dir.path().join("nats/server.json");
    let mut state: serde_json::Value =
        serde_json::from_slice(&std::fs::read(&file).unwrap()).unwrap();
    state["pid"] = std::process::id().into();
    std::fs::write(&file, state.to_string()).unwrap();
    assert!(NatsServer::attach(&dir.path().join("nats")).await.unwrap().is_none());
}

#[tokio::test]
async fn what_hinders_a_start_is_said() {
    let dir = tempfile::tempdir().unwrap();
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = Some(taken.local_addr().unwrap().port());
    let started = NatsServer::start(ServerOptions { port, ..server_in(dir.path()) }).await;
    assert!(matches!(started, Err(ServerError::PortTaken(_))), "{started:?}");

    let binary = Some("/bin/true".into());
    let started = NatsServer::start(ServerOptions { binary, ..server_in(dir.path()) }).await;
    assert!(matches!(started, Err(ServerError::Failed { .. })), "{started:?}");

    let binary = Some("/nonexistent/nats-server".into());
    let started = NatsServer::start(ServerOptions { binary, ..server_in(dir.path()) }).await;
    assert!(matches!(started, Err(ServerError::Io { .. })), "{started:?}");

    // It runs, but cannot keep what it should.
    std::fs::write(dir.path().join("nats/jetstream"), b"in the way").unwrap();
    let started = NatsServer::start(server_in(dir.path())).await;
    assert!(matches!(started, Err(ServerError::Failed { .. })), "{started:?}");
}

#[tokio::test]
async fn a_folder_with_a_difficult_name_is_as_good_as_any() {
    let dir = tempfile::tempdir().unwrap();
    let options =
        ServerOptions { dir: dir.path().join("a b\"'$x\\\n#{}"), ..ServerOptions::default() };
    NatsServer::start(options).await.unwrap().stop().await;
}

/// Not a test of its own: what the next one runs as another process, and kills.
#[tokio::test]
#[ignore = "started by a_server_dies_with_a_killed_parent"]
async fn hold_a_server() {
    let Some(dir) = std::env::var_os("WATTLE_TEST_DIR") else { return };
    let server = NatsServer::start(server_in(std::path::Path::new(&dir))).await.unwrap();
    sleep(Duration::from_secs(60)).await;
    server.stop().await;
}

#[tokio::test]
async fn a_server_dies_with_a_killed_parent() {
    let dir = tempfile::tempdir().unwrap();
    let mut parent = Command::new(std::env::current_exe().unwrap())
        .args(["--ignored", "--exact", "servers::hold_a_server"])
        .env("WATTLE_TEST_DIR", dir.path())
        .stdout(std::process::Stdio::null())
        .spawn()
        .unwrap();
    let folder = dir.path().join("nats");
    let running = || async { NatsServer::attach(&folder).await.ok().flatten().ok_or("not yet") };
    let pid = eventually("the server runs", running).await.pid();
    parent.kill().unwrap();
    parent.wait().unwrap();
    until_gone(pid).await;
}

#[test]
fn a_binary_is_found_here() {
    assert!(find_binary().is_some_and(|file| file.is_file()));
}
