//! A line between a host and NATS that carries little, as that of a device at somebody's home.

use std::time::{Duration, Instant};

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    time::sleep,
};
use wattle_lattice::SessionSettings;

use super::party::Account;
use crate::scene::Scene;

/// What the line carries in a second, each way.
const BYTES_PER_SECOND: u32 = 1_500_000;

/// Takes two and a half seconds in one direction.
const LARGE_LEN: u32 = 3_600_000;

/// The address of a narrow line to `server`; it ends with the test.
async fn narrow(server: String) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap().to_string();
    tokio::spawn(async move {
        while let Ok((client, _)) = listener.accept().await {
            let server = TcpStream::connect(&server).await.unwrap();
            let (from_client, to_client) = client.into_split();
            let (from_server, to_server) = server.into_split();
            tokio::spawn(carry(from_client, to_server));
            tokio::spawn(carry(from_server, to_client));
        }
    });
    address
}

async fn carry(mut from: impl AsyncReadExt + Unpin, mut to: impl AsyncWriteExt + Unpin) {
    let mut buffer = vec![0; 16 * 1024];
    while let Ok(len @ 1..) = from.read(&mut buffer).await {
        sleep(Duration::from_secs(1) * u32::try_from(len).unwrap() / BYTES_PER_SECOND).await;
        if to.write_all(&buffer[..len]).await.is_err() {
            return;
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_takes_long_on_its_way_is_no_sign_of_death() {
    let scene = Scene::start().await;
    let server = scene.nats.url().trim_start_matches("nats://").to_owned();
    let account = Account::new();
    let settings = SessionSettings::default();
    let here = account.host_over(&scene, &narrow(server).await, settings).await;
    let there = account.host_with(&scene, settings).await;
    let large: Vec<u8> = (0..LARGE_LEN).map(|at| at.to_le_bytes()[0]).collect();
    for (from, to) in [(&here, &there), (&there, &here)] {
        let began = Instant::now();
        let reply = from.call(to, "echo", &large, None).await.expect("it arrives");
        assert!(reply.result == large, "it was altered");
        let took = began.elapsed();
        assert!(took > 4 * settings.silence, "the line is not narrow: {took:?}");
    }
    assert_eq!((here.refused(), there.refused()), (vec![], vec![]));
}
