//! Bodies of any length pass in constant memory, as fast as their slower end.

use std::time::{Duration, Instant};

use sha2::{Digest as _, Sha256};
use wattle_testing::{Guest, KEY_VALUE, Lattice, Site, eventually};

const GIGABYTE: u64 = 1_000_000_000;
const RESIDENT_BYTES_MAX: u64 = 200_000_000;

fn splitmix64(state: u64) -> u64 {
    let z = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

/// The kit's `/source`, and what is sent to its `/sink`: `block` number `number` of 64 KiB.
fn block(number: u64) -> Vec<u8> {
    (0..8_192).flat_map(|word| splitmix64(number * 8_192 + word).to_le_bytes()).collect()
}

fn hex(hash: Sha256) -> String {
    hash.finalize().iter().map(|byte| format!("{byte:02x}")).collect()
}

/// SHA-256 of the first `bytes` bytes of the source.
pub(crate) fn expected(bytes: u64) -> String {
    let mut hash = Sha256::new();
    let mut left = bytes;
    let mut number = 0;
    while left > 0 {
        let block = block(number);
        let len = left.min(block.len() as u64);
        hash.update(&block[..len as usize]);
        left -= len;
        number += 1;
    }
    hex(hash)
}

pub(crate) async fn download(site: &Site, bytes: u64) -> String {
    let mut connection = site.connect().await;
    let path = format!("/source?bytes={bytes}");
    connection.send_head("GET", &path, &[], 0).await.expect("sent");
    assert_eq!(connection.head().await.expect("a head").status, 200);
    let mut hash = Sha256::new();
    while let Some(chunk) = connection.chunk().await.expect("the body goes on") {
        hash.update(&chunk);
    }
    hex(hash)
}

pub(crate) async fn upload(site: &Site, bytes: u64) -> String {
    let mut connection = site.connect().await;
    connection.send_head("POST", "/sink", &[], bytes).await.expect("sent");
    let mut left = bytes;
    let mut number = 0;
    while left > 0 {
        let block = block(number);
        let len = left.min(block.len() as u64);
        connection.write(&block[..len as usize]).await.expect("the actor reads on");
        left -= len;
        number += 1;
    }
    let mut response = connection.head().await.expect("a head");
    while let Some(chunk) = connection.chunk().await.expect("the answer") {
        response.body.extend(chunk);
    }
    assert_eq!(response.status, 200, "{}", response.text());
    response.text().trim().to_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_gigabyte_up_and_a_gigabyte_down_pass_in_little_memory() {
    let lattice = Lattice::start_alone().await;
    lattice.actor_with(Guest::Kit, "kit", &["--deadline", "300s"]).await;
    let settings = ["timeout_ms=300000", "max_body_bytes=2000000000"];
    let kit = lattice.expose_with("kit", &settings).await;
    let expected = expected(GIGABYTE);
    assert_eq!(upload(&kit, GIGABYTE).await, expected, "up");
    assert_eq!(download(&kit, GIGABYTE).await, expected, "down");
    let provider = lattice.provider_process("http-server").await;
    for (what, process) in [("host", lattice.host()), ("http-server", provider)] {
        let most = process.resident_bytes_max();
        assert!(most < RESIDENT_BYTES_MAX, "{what} had {most} bytes resident");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_slow_reader_slows_its_writer_and_nobody_else() {
    let lattice = Lattice::start_alone().await;
    lattice.actor_with(Guest::Kit, "kit", &["--deadline", "60s"]).await;
    let kit = lattice.expose_with("kit", &["timeout_ms=60000"]).await;
    let mut slow = kit.connect().await;
    slow.send_head("GET", "/source?bytes=1000000000", &[], 0).await.expect("sent");
    assert_eq!(slow.head().await.expect("a head").status, 200);
    let provider = lattice.provider_process("http-server").await;
    // Fifty chunks a second: a fraction of what the actor could write, and far from the body's end.
    let mut pace = tokio::time::interval(Duration::from_millis(20));
    let began = Instant::now();
    while began.elapsed() < Duration::from_secs(5) {
        pace.tick().await;
        slow.chunk().await.expect("the body goes on").expect("it is long");
        let asked = Instant::now();
        assert_eq!(kit.get("/").await.status, 200);
        assert!(asked.elapsed() < Duration::from_millis(500), "{:?}", asked.elapsed());
    }
    for process in [lattice.host(), provider] {
        assert!(process.resident_bytes() < RESIDENT_BYTES_MAX, "{}", process.resident_bytes());
    }
    // The writer still waits: its call is the one under way.
    let status = lattice.actor_status("kit").await;
    assert_eq!(status["in-flight"], 1, "{status}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_that_goes_away_ends_its_call() {
    let lattice = Lattice::start().await;
    let kit = lattice.serve(Guest::Kit, "kit").await;
    for path in ["/source?bytes=1000000000", "/spin", "/sleep?ms=60000"] {
        let mut client = kit.connect().await;
        client.send_head("GET", path, &[], 0).await.expect("sent");
        eventually("the call is under way", Duration::from_secs(5), async || {
            (lattice.actor_status("kit").await["in-flight"] == 1).then_some(())
        })
        .await;
        drop(client);
        eventually(path, Duration::from_secs(3), async || {
            (lattice.actor_status("kit").await["in-flight"] == 0).then_some(())
        })
        .await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_body_is_echoed_while_it_comes_and_a_broken_one_is_not_mistaken_for_a_whole_one() {
    let lattice = Lattice::start().await;
    let kit = lattice.serve(Guest::Kit, "kit").await;
    let body: Vec<u8> = (0..20).flat_map(block).collect();
    let response = kit.post("/echo", &body).await;
    assert_eq!(response.status, 200);
    assert!(response.body == body, "the echo differs");
    let mut client = kit.connect().await;
    client.send_head("GET", "/half?bytes=200000", &[], 0).await.expect("sent");
    // It may break off before the head is out, or in the middle of the body; it must not end like a whole one.
    let Ok(head) = client.head().await else { return };
    assert_eq!(head.status, 200);
    let mut received = 0;
    let ended = loop {
        match client.chunk().await {
            Ok(Some(chunk)) => received += chunk.len(),
            Ok(None) => break Ok(()),
            Err(error) => break Err(error),
        }
    };
    assert!(ended.is_err(), "{received} bytes looked like a whole body");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_body_beyond_its_limit_is_refused() {
    let lattice = Lattice::start().await;
    lattice.actor(Guest::Kit, "kit").await;
    let kit = lattice.expose_with("kit", &["max_body_bytes=1000"]).await;
    assert_eq!(kit.post("/sink", &[7; 1_000]).await.status, 200);
    assert_eq!(kit.post("/sink", &[7; 1_001]).await.status, 413);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_actor_that_streams_past_its_deadline_still_has_what_it_calls() {
    let lattice = Lattice::start().await;
    lattice.provider("keyvalue-embedded").await;
    lattice.actor_with(Guest::Kit, "kit", &["--deadline", "2s"]).await;
    lattice.link("kit", "keyvalue-embedded", KEY_VALUE, &[]).await;
    let kit = lattice.expose("kit").await;
    assert_eq!(kit.get("/kv?op=set&key=drop&value=x").await.status, 200);
    let response = kit.get("/drip?key=drop&times=5&ms=1000&afterwards=dry").await;
    assert_eq!((response.status, response.text().as_str()), (200, "xxxxx"));
    eventually("what it does behind its answer is done", Duration::from_secs(5), async || {
        (kit.get("/kv?op=get&key=dry").await.text() == "set").then_some(())
    })
    .await;
    // With no head there is no more time.
    assert_eq!(kit.get("/sleep?ms=10000").await.status, 504);
}
