//! An actor holds resources of a provider's, over an interface that the host has never heard of.

use std::time::Duration;

use tokio::task::JoinHandle;
use wattle_testing::{Guest, Lattice, Response, Site, eventually, program};

const THINGS: &str = "wattle-test:shelf/things";
const BOTH: &str = "wattle-test:shelf/things,wattle-test:shelf/desk";

/// Starts the provider, on the first host or another; the very same artifact on each.
async fn start_shelf(lattice: &Lattice, id: &str, arguments: &[&str]) {
    let path = lattice.path().join(format!("{id}.tar"));
    if !path.exists() {
        let binary = std::fs::read(program("wattle-shelf")).expect("the program");
        let exports = [THINGS, "wattle-test:shelf/desk"];
        let artifact = lattice.chain().sign_provider_of(&exports, binary, id);
        lattice.write(&format!("{id}.tar"), &artifact);
    }
    let file = format!("file:{}", path.display());
    let start = ["start", "provider", &file, "--id", id];
    lattice.wattle(&[&start[..], arguments].concat()).await.ok();
}

/// An actor behind HTTP, which gives up after a second, and a provider that it may use.
async fn holder_and_shelf() -> (Lattice, Site) {
    let lattice = Lattice::start().await;
    start_shelf(&lattice, "shelf", &[]).await;
    lattice.actor_with(Guest::Holder, "holder", &["--deadline", "1s"]).await;
    lattice.link("holder", "shelf", BOTH, &[]).await;
    let site = lattice.expose("holder").await;
    (lattice, site)
}

/// The same actor once more, with all the time that actors have.
async fn patient(lattice: &Lattice) -> Site {
    lattice.actor(Guest::Holder, "patient").await;
    lattice.link("patient", "shelf", BOTH, &[]).await;
    lattice.expose("patient").await
}

#[track_caller]
fn assert_says(response: &Response, text: &str) {
    assert_eq!((response.status, response.text().trim()), (200, text));
}

/// Waits until the provider has nothing any more: it is told by the host, once an instance has ended.
async fn all_dropped(site: &Site) {
    eventually("all is dropped", Duration::from_secs(10), async || {
        let kept = site.get("/kept").await;
        (kept.text().trim() == "0").then_some(())
    })
    .await;
}

/// The same where whoever is asked is one of two.
async fn all_dropped_everywhere(site: &Site) {
    eventually("all is dropped everywhere", Duration::from_secs(10), async || {
        for _ in 0..12 {
            let kept = site.get("/kept").await;
            if kept.text().trim() != "0" {
                return None;
            }
        }
        Some(())
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn things_go_in_and_out_in_values_of_every_kind() {
    let (lattice, site) = holder_and_shelf().await;
    let expected =
        r#"["a", "b", "a"] a+b and b and c ["a+b", "b"] Some("c") Err("nothing in e") d"#;
    assert_says(&site.get("/values").await, expected);
    assert_says(&site.get("/refused").await, "no-thing");
    assert_says(&site.get("/turns?count=200").await, "200 of 200");
    // A guest that drops what it has has dropped it when it goes on.
    assert_says(&site.get("/kept").await, "0");
    drop(lattice);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_an_instance_leaves_is_dropped_however_it_ends() {
    let (lattice, site) = holder_and_shelf().await;
    assert_says(&site.get("/hold?count=3").await, "2");
    all_dropped(&site).await;
    let kinds = [("trap", "trapped"), ("fail", "the actor failed"), ("spin", "deadline passed")];
    for (then, naming) in kinds {
        let path = format!("/hold?count=3&then={then}");
        let said = lattice.wattle(&["call", "holder", &path]).await;
        assert!(said.to_string().contains(naming), "{said}");
        all_dropped(&site).await;
    }
    // The caller goes away while the actor spins.
    let connection =
        tokio::time::timeout(Duration::from_millis(200), site.get("/hold?count=3&then=spin"));
    assert!(connection.await.is_err(), "it spins");
    all_dropped(&site).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn ten_thousand_things_are_held_and_dropped_and_more_than_may_be_are_refused() {
    let (lattice, site) = holder_and_shelf().await;
    let began = std::time::Instant::now();
    assert_says(&site.get("/hold?count=10000").await, "9999");
    let answered = began.elapsed();
    all_dropped(&site).await;
    println!("10,000 things: held after {answered:?}, dropped after {:?}", began.elapsed());
    let said = lattice.wattle(&["call", "holder", "/hold?count=16385"]).await.code(1);
    said.naming(&["wattle-test:shelf/things.many", "limit-exceeded"]);
    // What was made by the call that failed was nobody's.
    all_dropped(&site).await;
    assert_says(&site.get("/hold?count=16384").await, "16383");
    all_dropped(&site).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_uses_what_it_was_not_given() {
    let (lattice, site) = holder_and_shelf().await;
    for path in ["/after-drop", "/given-away", "/forge?count=1", "/forge?count=4000000000"] {
        let said = lattice.wattle(&["call", "holder", path]).await.code(1);
        said.naming(&["handle index"]);
    }
    all_dropped(&site).await;
    assert_says(&site.get("/turns?count=1").await, "1 of 1");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_thing_is_used_over_the_link_that_it_came_over_and_no_other() {
    let (lattice, site) = holder_and_shelf().await;
    start_shelf(&lattice, "annex", &[]).await;
    lattice.link("holder", "annex", BOTH, &["--name", "annex"]).await;
    let said = site.get("/other-link?to=annex").await;
    assert_says(&said, "made over the first, made over the second");
    let said = lattice.wattle(&["call", "holder", "/two-links?to=annex"]).await.code(1);
    said.naming(&["denied", "[static]thing.join", "shelf", "annex"]);
    all_dropped(&site).await;
    assert_says(&site.get("/kept?link=annex").await, "0");
    // A link for the interface that uses things is not one for what defines them.
    lattice.link("holder", "annex", "wattle-test:shelf/desk", &["--name", "narrow"]).await;
    let said = lattice.wattle(&["call", "holder", "/empty?link=narrow"]).await.code(1);
    said.naming(&["denied", "does not cover wattle-test:shelf/things"]);
}

/// Begins a call that makes a thing, waits and uses it, and returns when the thing is made.
async fn begin_across(site: &Site, wait_ms: u32) -> JoinHandle<Response> {
    let (used, path) = (site.clone(), format!("/across?ms={wait_ms}"));
    let across = tokio::spawn(async move { used.get(&path).await });
    eventually("the thing is made", Duration::from_secs(10), async || {
        (site.get("/kept").await.text().trim() == "1").then_some(())
    })
    .await;
    across
}

#[tokio::test(flavor = "multi_thread")]
async fn a_provider_that_starts_again_knows_none_of_what_was_made_before() {
    let (lattice, _) = holder_and_shelf().await;
    let site = patient(&lattice).await;
    let across = begin_across(&site, 3_000).await;
    lattice.provider_process("shelf").await.kill();
    eventually("it answers again", Duration::from_secs(10), async || {
        let kept = site.get("/kept").await;
        (kept.status == 200).then(|| assert_says(&kept, "0"))
    })
    .await;
    assert_eq!(across.await.expect("it is answered").status, 500);
    let log = lattice.log().await;
    assert!(log.contains("thing.name failed (not-found): no thing with the handle"), "{log}");
}

#[tokio::test(flavor = "multi_thread")]
async fn things_stay_on_the_host_that_made_them() {
    let lattice = Lattice::start().await;
    let (second, third) = (lattice.neighbour("second").await, lattice.neighbour("third").await);
    for host in [&second, &third] {
        start_shelf(&lattice, "shelf", &["--host", &host.key]).await;
    }
    let site = patient(&lattice).await;
    eventually("it is called elsewhere", Duration::from_secs(20), async || {
        (site.get("/kept").await.status == 200).then_some(())
    })
    .await;
    // Each thing is made on one of two hosts, at random, and used on no other.
    assert_says(&site.get("/turns?count=200").await, "200 of 200");
    assert_says(&site.get("/hold?count=5000").await, "4999");
    // Whichever of the two is asked.
    all_dropped_everywhere(&site).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_made_on_a_host_that_is_gone_is_asked_of_no_other() {
    let lattice = Lattice::start().await;
    let (mut second, third) = (lattice.neighbour("second").await, lattice.neighbour("third").await);
    start_shelf(&lattice, "shelf", &["--host", &second.key]).await;
    let site = patient(&lattice).await;
    eventually("it is called there", Duration::from_secs(20), async || {
        (site.get("/kept").await.status == 200).then_some(())
    })
    .await;
    let across = begin_across(&site, 6_000).await;
    start_shelf(&lattice, "shelf", &["--host", &third.key]).await;
    second.process().kill();
    second.ended().await;
    eventually("the other one answers", Duration::from_secs(10), async || {
        let kept = site.get("/kept").await;
        (kept.status == 200 && kept.text().trim() == "0").then_some(())
    })
    .await;
    assert_eq!(across.await.expect("it is answered").status, 500);
    let log = lattice.log().await;
    let failed = log.lines().find(|line| line.contains("thing.name failed")).unwrap_or_default();
    let kinds = ["(unavailable)", "(interrupted)", "(deadline-exceeded)"];
    assert!(kinds.iter().any(|kind| failed.contains(kind)), "{log}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_made_over_a_link_ends_with_it() {
    let (lattice, _) = holder_and_shelf().await;
    let site = patient(&lattice).await;
    let across = begin_across(&site, 3_000).await;
    lattice.wattle(&["link", "del", "patient", "shelf", "wattle-test:shelf"]).await.ok();
    assert_eq!(across.await.expect("it is answered").status, 500);
    let log = lattice.log().await;
    assert!(log.contains("over which its handle came, is gone"), "{log}");
    lattice.link("patient", "shelf", BOTH, &[]).await;
    assert_says(&site.get("/kept").await, "0");
}
