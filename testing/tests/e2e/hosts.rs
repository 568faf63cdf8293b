//! Several hosts, each in a folder of its own with nothing shared but NATS.

use std::{
    collections::BTreeSet,
    time::{Duration, Instant},
};

use wattle_core::event::Event;
use wattle_testing::{
    Guest, HTTP, KEY_VALUE, Lattice, Load, Nats, Neighbour, Process, Shots, Site, Turn, event,
    eventually,
};

use crate::streams::{download, expected, upload};

const SOON: Duration = Duration::from_secs(5);

/// What a client may see of a call that another host did not finish: typed, and nothing else.
const TYPED: [u16; 4] = [500, 502, 503, 504];

pub(crate) fn assert_typed(shots: &Shots) {
    for status in shots.statuses().into_keys() {
        let fits = status.is_some_and(|status| status == 200 || TYPED.contains(&status));
        assert!(fits, "{shots}");
    }
}

/// Where the counter's link says that its callee runs, seen from the host that was asked.
async fn callee_hosts(lattice: &Lattice, host: &str, source: &str) -> BTreeSet<String> {
    let links = lattice.ask(&["get", "links", "--host", host]).await;
    let links = links.as_array().expect("links").clone();
    let link = links.iter().find(|status| status["link"]["source"]["id"] == source);
    let state = &link.unwrap_or_else(|| panic!("{links:?}"))["state"]["active"];
    let hosts = state["hosts"].as_array().unwrap_or_else(|| panic!("{links:?}"));
    hosts.iter().filter_map(|host| host.as_str().map(str::to_owned)).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_counter_over_three_hosts_counts_and_says_who_runs_what() {
    let lattice = Lattice::start().await;
    let (second, third) = (lattice.neighbour("second").await, lattice.neighbour("third").await);
    lattice.actor_on("second", Guest::Counter, "counter", &[]).await;
    lattice.provider_on("third", "keyvalue-embedded").await;
    let counter = lattice.expose("counter").await;
    let denied = counter.get("/hits").await;
    assert_eq!(denied.status, 500, "without a link: {}", denied.text());
    lattice.link("counter", "keyvalue-embedded", KEY_VALUE, &[]).await;
    for count in 1..=3 {
        let response = counter.get("/hits").await;
        assert_eq!(response.text(), format!("{{\"counter\":{count}}}\n"), "{}", response.status);
    }
    let home = lattice.home();
    let at_home = callee_hosts(&lattice, &home, "http-server").await;
    assert_eq!(at_home, BTreeSet::from([second.key.clone()]));
    let at_second = callee_hosts(&lattice, "second", "counter").await;
    assert_eq!(at_second, BTreeSet::from([third.key.clone()]));
    let status = lattice.ask(&["get", "inventory", "--host", "second"]).await;
    let calls = &status[0]["actors"][0]["calls"];
    assert!(calls.as_u64().is_some_and(|calls| calls >= 4), "{status}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_small_call_to_another_host_is_one_message_there_and_one_back() {
    const CALLS: u64 = 500;
    let nats = Nats::start().await;
    let lattice = Lattice::prepare(Turn::alone().await);
    lattice.up(&["--nats-url", &nats.url()]).await;
    let _second = lattice.neighbour("second").await;
    lattice.actor_on("second", Guest::Hello, "hello", &[]).await;
    let hello = lattice.expose("hello").await;
    for _ in 0..10 {
        assert_eq!(hello.get("/").await.status, 200); // on each lane there is a session now
    }
    let before = nats.counts().await;
    let began = Instant::now();
    for _ in 0..CALLS {
        assert_eq!(hello.get("/").await.status, 200);
    }
    let after = nats.counts().await;
    // Two hosts' beats, and what JetStream says about itself.
    let others = 10 * (began.elapsed().as_secs() + 2);
    let (received, sent) = (after.received - before.received, after.sent - before.sent);
    println!("{CALLS} calls: NATS received {received} messages and sent {sent}");
    assert!((2 * CALLS..=2 * CALLS + others).contains(&received), "{received} received");
    assert!((2 * CALLS..=2 * CALLS + others).contains(&sent), "{sent} sent");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_link_can_keep_its_calls_on_one_host_or_off_it() {
    let lattice = Lattice::start().await;
    let _second = lattice.neighbour("second").await;
    lattice.actor(Guest::Hello, "hello").await;
    lattice.actor_on("second", Guest::Hello, "hello", &[]).await;
    let hello = lattice.expose("hello").await;
    let calls = async |host: Option<&str>| {
        let arguments = ["get", "inventory", "--host", host.unwrap_or_default()];
        let inventory = match host {
            None => lattice.inventory().await,
            Some(_) => lattice.ask(&arguments).await[0].clone(),
        };
        inventory["actors"][0]["calls"].as_u64().expect("a number")
    };
    assert_eq!(hello.get("/").await.status, 200);
    assert_eq!((calls(None).await, calls(Some("second")).await), (1, 0), "local comes first");
    let at = format!("address={}", hello.address);
    for (locality, expected) in [("remote", (1, 1)), ("local", (2, 1))] {
        let settings = ["--source", &at, "--locality", locality];
        lattice.link("http-server", "hello", HTTP, &settings).await;
        assert_eq!(hello.get("/").await.status, 200, "{locality}");
        assert_eq!((calls(None).await, calls(Some("second")).await), expected, "{locality}");
    }
    lattice.wattle(&["stop", "actor", "hello"]).await.ok();
    assert_eq!(
        hello.get("/").await.status,
        503,
        "it runs elsewhere, where the link does not let it be called"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_port_that_is_taken_on_another_host_fails_the_link() {
    let lattice = Lattice::start().await;
    let second = lattice.neighbour("second").await;
    lattice.actor(Guest::Hello, "hello").await;
    lattice.provider_on("second", "http-server").await;
    let taken = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    let at = format!("address={}", taken.local_addr().expect("bound"));
    let put = ["link", "put", "http-server", "hello", HTTP, "--source", &at];
    let said = lattice.wattle(&put).await;
    assert_ne!(said.code, 0, "{said}");
    assert!(said.mentions("is taken"), "{said}");
    assert!(!second.log().contains("panicked"), "{}", second.log());
}

#[tokio::test(flavor = "multi_thread")]
async fn bodies_stream_between_hosts() {
    const BYTES: u64 = 1_000_000_000;
    let lattice = Lattice::start_alone().await;
    let second = lattice.neighbour("second").await;
    lattice.actor_on("second", Guest::Kit, "kit", &["--deadline", "100s"]).await;
    let settings = ["timeout_ms=100000", "max_body_bytes=1100000000"];
    let kit = lattice.expose_with("kit", &settings).await;
    let expected = expected(BYTES);
    assert_eq!(upload(&kit, BYTES).await, expected, "up");
    assert_eq!(download(&kit, BYTES).await, expected, "down");
    for process in [lattice.host(), second.process()] {
        let most = process.resident_bytes_max();
        assert!(most < 200_000_000, "{most} bytes resident");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_slow_reader_slows_no_other_stream_and_a_cut_one_is_not_mistaken_for_a_whole_one() {
    const BYTES: u64 = 20_000_000;
    let lattice = Lattice::start().await;
    let second = lattice.neighbour("second").await;
    lattice.actor_on("second", Guest::Kit, "kit", &["--deadline", "60s"]).await;
    let kit = lattice.expose_with("kit", &["timeout_ms=60000"]).await;
    let mut slow = kit.connect().await;
    slow.send_head("GET", "/source?bytes=1000000000", &[], 0).await.expect("sent");
    assert_eq!(slow.head().await.expect("a head").status, 200);
    slow.chunk().await.expect("the body goes on").expect("it is long");
    for _ in 0..3 {
        assert_eq!(download(&kit, BYTES).await, expected(BYTES), "beside it");
    }
    second.process().kill();
    let ended = loop {
        match slow.chunk().await {
            Ok(Some(_)) => {}
            Ok(None) => break Ok(()),
            Err(error) => break Err(error),
        }
    };
    assert!(ended.is_err(), "it ended as if it were whole");
}

/// A kit on two other hosts, served by the first.
async fn shared_work(lattice: &Lattice) -> (Site, Neighbour, Neighbour) {
    let (second, third) = (lattice.neighbour("second").await, lattice.neighbour("third").await);
    for host in ["second", "third"] {
        lattice.actor_on(host, Guest::Kit, "kit", &[]).await;
    }
    let kit = lattice.expose("kit").await;
    eventually("both are known", SOON, async || {
        let home = lattice.home();
        (callee_hosts(lattice, &home, "http-server").await.len() == 2).then_some(())
    })
    .await;
    (kit, second, third)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_host_that_is_killed_costs_what_it_had_under_way_and_no_more() {
    let lattice = Lattice::start_alone().await;
    let (kit, second, _third) = shared_work(&lattice).await;
    let load = Load::new(&kit, "/sleep?ms=20", 16);
    let shooting = tokio::spawn(async move { load.closed(Duration::from_secs(5)).await });
    tokio::time::sleep(Duration::from_secs(2)).await;
    let killed = Instant::now();
    second.process().kill();
    let shots = shooting.await.expect("the load does not panic");
    println!("{shots}");
    assert_typed(&shots);
    let failed = shots.0.len() - shots.good().count();
    assert!(failed <= 16, "more failed than were under way: {shots}");
    let late = shots.between(killed + Duration::from_secs(1), killed + Duration::from_secs(3));
    assert_eq!(late.good().count(), late.0.len(), "after a second: {late}");
    assert!(late.0.len() > 100, "{late}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_host_that_is_lost_is_said_once_and_again_when_it_is_back() {
    let lattice = Lattice::start().await;
    let mut second = lattice.neighbour("second").await;
    let mut third = lattice.neighbour("third").await;
    for host in ["second", "third"] {
        lattice.actor_on(host, Guest::Hello, "hello", &[]).await;
    }
    let mut events = lattice.insider().await.events().await;
    third.process().kill();
    third.ended().await;
    let key = |event: &Event| match event {
        Event::HostLost { host } | Event::HostBack { host } => {
            Some((event.kind(), host.to_string()))
        }
        _ => None,
    };
    let said = |kind: &str, host: &Neighbour| (kind.parse().expect("a kind"), host.key.clone());
    assert_eq!(event(&mut events, key).await, said("host-lost", &third));
    let hosts = lattice.ask(&["get", "hosts"]).await;
    let hosts = hosts.as_array().expect("hosts");
    let lost: Vec<_> = hosts.iter().filter(|host| host["state"] == "lost").collect();
    assert!(lost.len() == 1 && lost[0]["host"] == third.key.as_str(), "{hosts:?}");
    lattice.start_again(&mut third).await;
    // By one host each time: the next word is this, and no other host's on the same.
    assert_eq!(event(&mut events, key).await, said("host-back", &third));
    // One that is stopped is not lost.
    second.process().terminate();
    second.ended().await;
    third.process().kill();
    third.ended().await;
    assert_eq!(event(&mut events, key).await, said("host-lost", &third));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_host_that_is_stopped_under_load_fails_no_call() {
    let lattice = Lattice::start_alone().await;
    let (kit, mut second, _third) = shared_work(&lattice).await;
    let load = Load::new(&kit, "/sleep?ms=20", 16);
    let shooting = tokio::spawn(async move { load.closed(Duration::from_secs(5)).await });
    tokio::time::sleep(Duration::from_secs(2)).await;
    second.process().terminate();
    second.ended().await;
    let shots = shooting.await.expect("the load does not panic");
    assert_eq!(shots.good().count(), shots.0.len(), "{shots}: {}", second.log());
    let home = lattice.home();
    assert_eq!(callee_hosts(&lattice, &home, "http-server").await.len(), 1);
    lattice.start_again(&mut second).await;
    eventually("it is called again", SOON, async || {
        (callee_hosts(&lattice, &home, "http-server").await.len() == 2).then_some(())
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn without_nats_remote_calls_fail_at_once_and_local_ones_do_not() {
    let mut nats = Nats::start().await;
    let lattice = Lattice::prepare(Turn::alone().await);
    lattice.up(&["--nats-url", &nats.url()]).await;
    let second = lattice.neighbour("second").await;
    lattice.actor_on("second", Guest::Kit, "far", &[]).await;
    lattice.actor(Guest::Kit, "near").await;
    let (far, near) = (lattice.expose("far").await, lattice.expose("near").await);
    assert_eq!((far.get("/").await.status, near.get("/").await.status), (200, 200));
    for away in [Duration::from_secs(1), Duration::from_secs(15)] {
        let time = away + Duration::from_secs(6);
        let loads = [&far, &near].map(|site| {
            let load = Load::new(site, "/sleep?ms=10", 4);
            tokio::spawn(async move { load.closed(time).await })
        });
        tokio::time::sleep(Duration::from_secs(1)).await;
        let gone = Instant::now();
        nats.kill();
        tokio::time::sleep(away).await;
        nats.restart().await;
        let back = Instant::now();
        let [far_shots, near_shots] = loads;
        let far_shots = far_shots.await.expect("the load does not panic");
        let near_shots = near_shots.await.expect("the load does not panic");
        println!("away for {away:?}: far {far_shots}; near {near_shots}");
        assert_eq!(near_shots.good().count(), near_shots.0.len(), "{near_shots}");
        assert_typed(&far_shots);
        let slowest = far_shots.between(gone, back).0.iter().map(|shot| shot.done - shot.at).max();
        assert!(slowest.is_some_and(|slowest| slowest < Duration::from_secs(1)), "{slowest:?}");
        let again = far_shots.back_after(back);
        assert!(again.is_some_and(|again| again < Duration::from_secs(2)), "{again:?}");
    }
    assert!(lattice.host().is_alive() && second.process().is_alive());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_host_that_was_revoked_is_called_no_more_and_calls_nobody() {
    let lattice = Lattice::start().await;
    let second = lattice.neighbour("second").await;
    lattice.actor_on("second", Guest::Hello, "hello", &[]).await;
    lattice.provider_on("second", "http-server").await;
    let hello = lattice.expose_on(&second, "hello").await;
    assert_eq!(hello.get("/").await.status, 200);
    lattice.actor(Guest::Kit, "kit").await;
    let kit = lattice.expose_on(&second, "kit").await;
    assert_eq!(kit.get("/").await.status, 200, "called from there");
    lattice.wattle(&["claims", "revoke", &second.key]).await.ok();
    eventually("it is refused", SOON, async || {
        (kit.try_get("/").await.ok()?.status != 200).then_some(())
    })
    .await;
    assert!(Process::new(second.process().pid()).is_alive());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_host_that_is_drained_under_load_is_called_no_more_and_fails_no_call() {
    let lattice = Lattice::start_alone().await;
    let (kit, mut second, third) = shared_work(&lattice).await;
    let home = lattice.home();
    let load = Load::new(&kit, "/sleep?ms=20", 16);
    let shooting = tokio::spawn(async move { load.closed(Duration::from_secs(6)).await });
    lattice.wattle(&["drain", "second"]).await.ok().naming(&["second"]);
    assert_eq!(
        callee_hosts(&lattice, &home, "http-server").await,
        BTreeSet::from([third.key.clone()])
    );
    let refused = lattice.wattle(&["drain", "third"]).await;
    refused.code(6).naming(&["only host third runs kit", "--force"]);
    let calls = async || {
        let inventory = lattice.ask(&["get", "inventory", "--host", "second"]).await;
        inventory[0]["actors"][0]["calls"].as_u64().expect("a number")
    };
    let before = calls().await;
    assert!(before > 0, "it was called before");
    let shots = shooting.await.expect("the load does not panic");
    assert_eq!(shots.good().count(), shots.0.len(), "{shots}");
    assert_eq!(calls().await, before, "it is called no more");
    let states = async || {
        let hosts = lattice.ask(&["get", "hosts"]).await;
        let of = |key: &str| {
            let hosts = hosts.as_array().expect("hosts").iter();
            let state = hosts.clone().find(|host| host["host"] == key).map(|host| &host["state"]);
            state.and_then(|state| state.as_str()).unwrap_or("absent").to_owned()
        };
        [of(&second.key), of(&third.key)]
    };
    assert_eq!(states().await, ["drained", "ready"]);
    lattice.wattle(&["drain", "second", "--undo"]).await.ok();
    assert_eq!(callee_hosts(&lattice, &home, "http-server").await.len(), 2);
    second.process().kill();
    assert_eq!(states().await, ["lost", "ready"]);
    second.ended().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_drained_hosts_calls_go_to_another_and_when_that_is_gone_to_itself() {
    let lattice = Lattice::start().await;
    let mut second = lattice.neighbour("second").await;
    lattice.actor(Guest::Hello, "hello").await;
    lattice.actor_on("second", Guest::Hello, "hello", &[]).await;
    let hello = lattice.expose("hello").await;
    let home = lattice.home();
    eventually("both are known", SOON, async || {
        (!callee_hosts(&lattice, &home, "http-server").await.is_empty()).then_some(())
    })
    .await;
    let calls = async || {
        let inventory = lattice.ask(&["get", "inventory", "--host", "second"]).await;
        inventory[0]["actors"][0]["calls"].as_u64().expect("a number")
    };
    let before = calls().await;
    lattice.wattle(&["drain", &home, "--force"]).await.ok();
    for n in 0..20 {
        assert_eq!(hello.get("/").await.status, 200, "request {n}");
    }
    assert_eq!(calls().await, before + 20, "the other host answers all of them");
    second.process().kill();
    second.ended().await;
    // What was under way between the two may still fail.
    eventually("it answers itself", SOON, async || {
        (hello.try_get("/").await.ok()?.status == 200).then_some(())
    })
    .await;
    for n in 0..20 {
        assert_eq!(hello.get("/").await.status, 200, "request {n}");
    }
}
