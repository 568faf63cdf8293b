//! A machine with little address space.

use std::{process::Stdio, time::Duration};

use tokio::process::Command;
use wattle_testing::{Guest, KEY_VALUE, Lattice, Turn, eventually, program};

/// What `prlimit --as` allows the host and everything that it starts.
const ADDRESS_SPACE_BYTES: u64 = 2 << 30;

#[tokio::test(flavor = "multi_thread")]
async fn with_two_gigabytes_of_address_space_both_examples_run_and_limits_hold() {
    let lattice = Lattice::prepare(Turn::shared().await);
    let up = Command::new("prlimit")
        .arg(format!("--as={ADDRESS_SPACE_BYTES}"))
        .arg(program("wattle"))
        .args(["up", "-d"])
        .env("WATTLE_DIR", lattice.project())
        .current_dir(lattice.path())
        .stdin(Stdio::null())
        .output()
        .await
        .expect("prlimit is there (util-linux)");
    assert!(up.status.success(), "{}", String::from_utf8_lossy(&up.stderr));
    lattice.provider("keyvalue-embedded").await;
    let hello = lattice.serve(Guest::Hello, "hello").await;
    let counter = lattice.serve(Guest::Counter, "counter").await;
    let kit = lattice.serve(Guest::Kit, "kit").await;
    lattice.link("counter", "keyvalue-embedded", KEY_VALUE, &[]).await;
    for round in 1..=20 {
        assert_eq!(hello.get("/").await.status, 200);
        assert_eq!(counter.get("/hits").await.text().trim(), format!(r#"{{"counter":{round}}}"#));
    }
    for path in ["/alloc", "/recurse"] {
        let response = kit.get(path).await;
        assert!(matches!(response.status, 500 | 502 | 507), "{path}: {response:?}");
        assert_eq!(hello.get("/").await.status, 200);
    }
    let many = (0..64).map(|_| hello.get("/"));
    for response in futures::future::join_all(many).await {
        assert!(matches!(response.status, 200 | 503), "{response:?}");
    }
    eventually("it serves on", Duration::from_secs(2), async || {
        (hello.get("/").await.status == 200).then_some(())
    })
    .await;
}
