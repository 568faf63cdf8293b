//! A line that is slow is no Redis that hangs, whatever is on its way over it.

use std::{sync::Arc, time::Duration};

use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{
        TcpListener, TcpStream,
        tcp::{OwnedReadHalf, OwnedWriteHalf},
    },
    task::JoinSet,
    time::{Instant, sleep, sleep_until, timeout},
};
use wattle_core::Constraints;

use crate::{
    AT_ONCE, SOON, assert_backend_down,
    link::{caller, callers},
    server::Server,
};

/// Bytes a second that the line carries, each way.
const RATE: f64 = 256.0 * 1024.0;

/// Bytes that it carries at once.
const CHUNK_LEN: usize = 4 * 1024;

const MIB: usize = 1024 * 1024;

/// Where to connect to for a slow line to the server.
async fn slow_line(server: &Server) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let url = format!("redis://{}", listener.local_addr().expect("an address"));
    let server = server.url().replace("redis://", "");
    tokio::spawn(async move {
        while let Ok((client, _)) = listener.accept().await {
            let server = TcpStream::connect(&server).await.expect("it listens");
            let (from_client, to_client) = client.into_split();
            let (from_server, to_server) = server.into_split();
            tokio::spawn(carry(from_client, to_server));
            tokio::spawn(carry(from_server, to_client));
        }
    });
    url
}

async fn carry(mut from: OwnedReadHalf, mut to: OwnedWriteHalf) {
    let (mut chunk, mut free_at) = (vec![0; CHUNK_LEN], Instant::now());
    while let Ok(len @ 1..) = from.read(&mut chunk).await {
        free_at = free_at.max(Instant::now()) + Duration::from_secs_f64(len as f64 / RATE);
        sleep_until(free_at).await;
        if to.write_all(&chunk[..len]).await.is_err() {
            return;
        }
    }
}

#[tokio::test]
async fn a_large_value_takes_its_time_on_a_slow_line_and_breaks_no_other_call() {
    const LONG: Duration = Duration::from_secs(10);
    let server = Server::start();
    let caller = callers(&slow_line(&server).await).await;
    let [large, small] = [0; 2].map(|_| caller(Constraints::new()));
    let value = vec![b'x'; MIB];
    let there_and_back = async {
        let stored = timeout(LONG, large.set("default", "large", &value)).await;
        stored.expect("within ten seconds").expect("the line carries it");
        let found = timeout(LONG, large.get("default", "large")).await;
        found.expect("within ten seconds").expect("the line carries it")
    };
    let beside = async {
        loop {
            small.get("default", "small").await.expect("it is behind a large one, no more");
        }
    };
    let found = tokio::select! {
        found = there_and_back => found,
        () = beside => unreachable!("it never ends"),
    };
    assert!(found == Some(value), "it is what was stored");
}

#[tokio::test]
async fn a_frozen_redis_is_noticed_although_calls_keep_coming() {
    let server = Server::start();
    let store = Arc::new(caller(&server.url()).await);
    server.freeze();
    let further = async {
        let mut calls = JoinSet::new();
        loop {
            sleep(SOON / 50).await;
            let store = Arc::clone(&store);
            calls.spawn(async move { store.get("default", "key").await });
        }
    };
    let failed = tokio::select! {
        failed = timeout(SOON + AT_ONCE, store.get("default", "key")) => failed,
        () = further => unreachable!("it never ends"),
    };
    assert_backend_down(failed.expect("within a second"));
}

#[tokio::test]
async fn a_frozen_redis_is_noticed_although_it_was_sent_a_large_value_that_nobody_waits_for() {
    let server = Server::start();
    let store = caller(&server.url()).await;
    server.freeze();
    let value = vec![b'x'; MIB / 4];
    let given_up = timeout(AT_ONCE, store.set("default", "large", &value)).await;
    assert!(given_up.is_err(), "redis is frozen: {given_up:?}");
    let failed = timeout(SOON * 4, store.get("default", "key")).await;
    assert_backend_down(failed.expect("once the large one should have arrived"));
}
