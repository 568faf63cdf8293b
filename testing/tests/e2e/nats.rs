//! NATS is the mesh between hosts; calls on one host do not need it.

use std::time::{Duration, Instant};

use wattle_testing::{Guest, KEY_VALUE, Lattice, Load, Nats, Turn, eventually};

const AWAY: Duration = Duration::from_secs(60);

#[tokio::test(flavor = "multi_thread")]
async fn while_nats_is_gone_not_one_call_on_the_host_fails() {
    let mut nats = Nats::start().await;
    let lattice = Lattice::prepare(Turn::alone().await);
    lattice.up(&["--nats-url", &nats.url()]).await;
    lattice.provider("keyvalue-embedded").await;
    let counter = lattice.serve(Guest::Counter, "counter").await;
    lattice.link("counter", "keyvalue-embedded", KEY_VALUE, &[]).await;

    let load = Load::new(&counter, "/hits", 8);
    let shooting = tokio::spawn(async move { load.open(500.0, AWAY).await });
    tokio::time::sleep(Duration::from_secs(1)).await;
    nats.kill();
    let began = Instant::now();
    let said = lattice.wattle(&["get", "hosts", "--timeout", "2s"]).await;
    assert_eq!(said.code, 5, "{said}");
    assert!(began.elapsed() < Duration::from_secs(8), "it took {:?}", began.elapsed());
    let shots = shooting.await.expect("the load does not panic");
    println!("{shots}");
    assert_eq!(shots.good().count(), shots.0.len(), "{shots}");

    nats.restart().await;
    let back = Instant::now();
    eventually("the command line works again", Duration::from_secs(2), async || {
        let said = lattice.wattle(&["get", "inventory", "--timeout", "1s"]).await;
        (said.code == 0).then_some(())
    })
    .await;
    println!("back after {:?}", back.elapsed());
    lattice.actor(Guest::Hello, "hello").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_call_on_one_host_sends_no_message_over_nats() {
    const CALLS: u64 = 500;
    let nats = Nats::start().await;
    let lattice = Lattice::prepare(Turn::alone().await);
    lattice.up(&["--nats-url", &nats.url()]).await;
    lattice.provider("keyvalue-embedded").await;
    let counter = lattice.serve(Guest::Counter, "counter").await;
    lattice.link("counter", "keyvalue-embedded", KEY_VALUE, &[]).await;
    assert_eq!(counter.get("/hits").await.status, 200);

    let before = nats.counts().await;
    let began = Instant::now();
    for _ in 0..CALLS {
        assert_eq!(counter.get("/hits").await.status, 200);
    }
    // A beat a second, and what JetStream says about itself, are all there may be.
    let seconds = began.elapsed().as_secs() + 2;
    let after = nats.counts().await;
    let (received, sent) = (after.received - before.received, after.sent - before.sent);
    println!("{CALLS} calls in {seconds} s: NATS received {received} messages and sent {sent}");
    assert!(received <= 5 * seconds && sent <= 5 * seconds, "{received} received, {sent} sent");
    assert!(received < CALLS / 4, "{received} messages for {CALLS} calls");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_host_starts_without_nats_from_what_it_last_knew() {
    let mut nats = Nats::start().await;
    let lattice = Lattice::prepare(Turn::shared().await);
    lattice.up(&["--nats-url", &nats.url()]).await;
    let hello = lattice.serve(Guest::Hello, "hello").await;
    assert_eq!(hello.get("/").await.status, 200);
    nats.kill();
    lattice.host().kill();
    lattice.host().gone(Duration::from_secs(1)).await;
    // It cannot say that it is there, so this need not succeed; the host runs all the same.
    let url = nats.url();
    lattice.wattle(&["up", "-d", "--nats-url", &url, "--timeout", "5s"]).await;
    eventually("hello answers again", Duration::from_secs(10), async || {
        hello.try_get("/").await.ok().filter(|response| response.status == 200)
    })
    .await;
    nats.restart().await;
    eventually("the host has joined", Duration::from_secs(10), async || {
        let said = lattice.wattle(&["get", "inventory", "--timeout", "1s"]).await;
        (said.code == 0).then_some(())
    })
    .await;
}
