//! Random and malformed bytes onto every subject.

use std::time::Duration;

use wattle_testing::{Guest, Lattice, Load, eventually};

/// Bytes that differ from run to run of this function but not from run to run of the test.
fn noise(seed: u64, len: usize) -> Vec<u8> {
    let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    (0..len)
        .map(|_| {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            (state >> 24) as u8
        })
        .collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_provider_that_speaks_nonsense_is_cut_off_again_and_again_and_nobody_notices() {
    let lattice = Lattice::start().await;
    let hello = lattice.serve(Guest::Hello, "hello").await;
    let host = lattice.host();
    let load = Load::new(&hello, "/", 4);
    let shooting = tokio::spawn(async move { load.closed(Duration::from_secs(5)).await });
    lattice.start_as_provider("wattle-noise", "noise").await.code(1);
    let exit = eventually("it is in a crash loop", Duration::from_secs(20), async || {
        let status = lattice.provider_status("noise").await;
        status["state"].get("crash-loop").map(|_| status["last-exit"].to_string())
    })
    .await;
    assert!(exit.contains("broke the protocol"), "{exit}");
    let shots = shooting.await.expect("the load does not panic");
    assert_eq!(shots.good().count(), shots.0.len(), "{shots}");
    assert_eq!(lattice.host(), host);
}

#[tokio::test(flavor = "multi_thread")]
async fn noise_on_every_subject_is_refused_and_counted_and_nothing_falls_over() {
    let lattice = Lattice::start().await;
    let hello = lattice.serve(Guest::Hello, "hello").await;
    let (host, provider) = (lattice.host(), lattice.provider_process("http-server").await);
    let insider = lattice.insider().await;
    for seed in 0..200 {
        let len = (seed * seed) as usize;
        let text = String::from_utf8_lossy(&noise(seed, len)).into_owned();
        // What is not even a token, and what looks like one.
        insider.send_nowhere(&text).await;
        insider.send_nowhere(&format!("{}.{}.{}", "eyJ0eXAiOiJKV1QifQ", "e30", text)).await;
    }
    insider.send_nowhere(&"~".repeat(900_000)).await;
    for key in ["x", "link.x", "revocations.", "config.a.b.c"] {
        let records = insider.mesh.records().await.expect("records");
        records.put(key, &String::from_utf8_lossy(&noise(7, 5_000)), None).await.ok();
    }
    assert_eq!(hello.get("/").await.status, 200);
    eventually("what was refused is counted", Duration::from_secs(5), async || {
        let refused = lattice.inventory().await["refused"].clone();
        refused.as_object().is_some_and(|counts| !counts.is_empty()).then_some(())
    })
    .await;
    assert!(host.is_alive() && provider.is_alive());
    assert_eq!(lattice.provider_status("http-server").await["restarts"], 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn noise_on_an_http_port_ends_its_own_connection_only() {
    let lattice = Lattice::start().await;
    let hello = lattice.serve(Guest::Hello, "hello").await;
    for seed in 0..50 {
        let mut client = hello.connect().await;
        // The server may close before it has read all of it.
        client.write(&noise(seed, 3_000)).await.ok();
        client.write(b"\r\n\r\n").await.ok();
        if let Ok(response) = client.head().await {
            assert!((400..500).contains(&response.status), "{response:?}");
        }
        assert_eq!(hello.get("/").await.status, 200);
    }
    assert_eq!(lattice.provider_status("http-server").await["restarts"], 0);
}
