//! Actors that watch the lattice, and command it as far as their links let them.

use std::time::Duration;

use serde_json::json;
use wattle_claims::{RecordKey, Right};
use wattle_core::{
    Link,
    control::{Command, FailureKind},
};
use wattle_testing::{Chain, Guest, Lattice, Site, eventually};

const STATE: &str = "wattle:control/state";
const COMMANDS: &str = "wattle:control/commands";
const BOTH: &str = "wattle:control/state,wattle:control/commands";
const WATCHER: &str = "wattle:control/watcher";
/// It may scale the kit, and one that is not there.
const SCALING: [&str; 4] = ["--constraint", "commands=scale-actor", "--constraint", "ids=kit,gone"];
const SOON: Duration = Duration::from_secs(20);

async fn with_steward() -> (Lattice, Site) {
    let lattice = Lattice::start().await;
    let steward = lattice.serve(Guest::Steward, "steward").await;
    (lattice, steward)
}

async fn said(steward: &Site, path: &str) -> (u16, String) {
    let response = steward.get(path).await;
    (response.status, response.text())
}

#[tokio::test(flavor = "multi_thread")]
async fn an_actor_is_told_of_an_event_once_and_scales_another_on_another_host() {
    let (lattice, _steward) = with_steward().await;
    let _second = lattice.neighbour("second").await;
    lattice.link("steward", "lattice-control", BOTH, &SCALING).await;
    lattice.link("lattice-control", "steward", WATCHER, &["--source", "events=actor-*"]).await;
    eventually("the other host knows both links", SOON, async || {
        let links = lattice.ask(&["get", "links", "--host", "second"]).await.to_string();
        (links.matches(r#""built-in":"lattice-control""#).count() == 2).then_some(())
    })
    .await;
    lattice.actor_on("second", Guest::Kit, "kit", &[]).await;
    eventually("the kit is scaled where it runs", SOON, async || {
        let inventory = lattice.ask(&["get", "inventory", "--host", "second"]).await;
        (inventory[0]["actors"][0]["scale"] == json!({"up-to": 7})).then_some(())
    })
    .await;
    lattice.wattle(&["stop", "actor", "kit", "--host", "second"]).await.ok();
    let log = eventually("it is told of the end, too", SOON, async || {
        let log = lattice.log().await;
        log.contains("told actor-stopped kit missed=0").then_some(log)
    })
    .await;
    assert_eq!(log.matches("told actor-started kit missed=0").count(), 1, "{log}");
    assert!(!log.contains("told link-put"), "its link is for other events: {log}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_there_is_seen_and_what_a_link_does_not_allow_is_an_error_of_its_kind() {
    let (lattice, steward) = with_steward().await;
    let mut second = lattice.neighbour("second").await;
    lattice.actor_on("second", Guest::Kit, "kit", &[]).await;
    let (status, text) = said(&steward, "/here").await;
    assert_eq!(status, 403, "without a link: {text}");
    assert!(text.contains("wattle link put steward lattice-control"), "{text}");
    let nothing = lattice.wattle(&["link", "put", "steward", "lattice-control", COMMANDS]).await;
    nothing.code(3).naming(&["allows no command", "--constraint commands="]);

    lattice.link("steward", "lattice-control", STATE, &[]).await;
    assert_eq!(said(&steward, "/here").await, (200, lattice.home()));
    let (_, hosts) = said(&steward, "/hosts").await;
    assert!(hosts.contains(&lattice.home()) && hosts.contains(&second.key), "{hosts}");
    let there = |what: &str| format!("/{what}?host={}", second.key);
    eventually("the other host says what runs there", SOON, async || {
        said(&steward, &there("actors")).await.1.starts_with("kit ").then_some(())
    })
    .await;
    assert_eq!(said(&steward, "/providers").await, (200, "http-server true".to_owned()));
    let (_, links) = said(&steward, "/links").await;
    assert!(links.contains("steward -> lattice-control on wattle:control"), "{links}");
    let scale = format!("/scale?id=kit&scale=3&host={}", second.key);
    assert_eq!(said(&steward, &scale).await.0, 403, "its link is to look");

    lattice.link("steward", "lattice-control", BOTH, &SCALING).await;
    eventually("the other host knows the link as it is now", SOON, async || {
        (said(&steward, &scale).await.0 == 200).then_some(())
    })
    .await;
    for (path, status) in [
        ("/scale?id=steward&scale=1", 403),
        ("/stop?id=kit", 403),
        ("/stop-provider?id=http-server", 403),
        ("/scale?id=gone&scale=1", 404),
        ("/scale?id=Kit&scale=1", 400),
        ("/scale?id=kit&scale=1&host=second", 400),
    ] {
        let (found, text) = said(&steward, path).await;
        assert_eq!(found, status, "{path}: {text}");
    }
    let stranger = format!("N{}", &lattice.chain().user.key.public()[1..]);
    let (status, text) = said(&steward, &format!("/scale?id=kit&scale=1&host={stranger}")).await;
    assert!(status == 404 || status == 400, "{status} {text}");
    second.process().kill();
    second.ended().await;
    let (status, text) = said(&steward, &scale).await;
    assert!(status == 503 || status == 502, "a host that is gone: {status} {text}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_link_reaches_what_its_account_signed_and_nobody_elses() {
    let (lattice, steward) = with_steward().await;
    let component = Guest::Kit.component();
    let own = lattice.chain();
    let other = Chain { account: own.other_account("other"), ..lattice.chain() };
    let digest = async |chain: &Chain, id: &str| {
        let file = lattice.write(&format!("{id}.wasm"), &chain.sign_actor(&component, id));
        lattice.wattle(&["start", "actor", &file, "--id", id]).await.ok();
        lattice.actor_status(id).await["artifact"].as_str().expect("a digest").to_owned()
    };
    let (kit, theirs) = (digest(&own, "kit").await, digest(&other, "theirs").await);
    let commands = "commands=start-actor,stop-actor,scale-actor";
    let all = ["--constraint", commands, "--constraint", "ids=*"];
    lattice.link("steward", "lattice-control", BOTH, &all).await;
    let denied = async |path: &str| {
        let (status, text) = said(&steward, path).await;
        assert!(status == 403 && text.contains("account"), "{path}: {status} {text}");
    };
    denied(&format!("/start?id=fresh&artifact={theirs}")).await;
    denied("/scale?id=theirs&scale=1").await;
    denied("/stop?id=theirs").await;
    lattice.wattle(&["stop", "actor", "theirs"]).await.ok();
    denied("/stop?id=theirs").await;
    let (status, text) = said(&steward, &format!("/start?id=fresh&artifact={kit}")).await;
    assert_eq!(status, 200, "{text}");
    assert_eq!(said(&steward, "/stop?id=fresh").await.0, 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_user_who_may_not_command_lets_no_actor_command() {
    let (lattice, _steward) = with_steward().await;
    lattice.link("steward", "lattice-control", BOTH, &SCALING).await;
    let links = lattice.ask(&["get", "links"]).await;
    let all = links.as_array().expect("links").iter();
    let mut ours = all.filter(|it| it["link"]["target"]["id"] == "lattice-control");
    let link = ours.next().expect("it was put")["link"].clone();
    let mut link: Link = serde_json::from_value(link).expect("a link");
    link.name = "wider".parse().expect("a name");
    let chain = lattice.chain();
    let linker = chain.account.user_with("linker", &chain.audience(), [Right::Link].into());
    let account = chain.account.key.public_key().expect("an account's key");
    let insider = lattice.insider().await;
    let key = RecordKey::Link { account, key: link.key() };
    let token = insider.record(&linker, key, 1, Some(link));
    let put = insider.tell(&linker, Command::PutRecord { token }).await.expect("an answer");
    let failure = put.expect_err("the user has no such right to give");
    assert_eq!(failure.kind, FailureKind::Denied, "{failure}");
    assert!(failure.message.contains("right control"), "{failure}");
}
