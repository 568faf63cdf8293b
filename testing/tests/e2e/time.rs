//! Tokens that end while what they allow is running: by their time, or because they were revoked.

use std::{
    collections::BTreeMap,
    time::{Duration, Instant},
};

use wattle_claims::{Record, RecordKey, Revocations, Timestamp};
use wattle_core::{control::Command, link::ConfigValue};
use wattle_testing::{Guest, KEY_VALUE, Lattice, Nats, Signing, Turn, eventually};

/// How late the host's clock may let a token end: DESIGN's leeway, and a look every second.
const LEEWAY: Duration = Duration::from_secs(60);
const NOTICE_MAX: Duration = Duration::from_secs(5);

fn seconds_ago(seconds: u64) -> Timestamp {
    Timestamp::from_secs(Timestamp::now().as_secs() - seconds)
}

#[tokio::test(flavor = "multi_thread")]
async fn expired_and_not_yet_valid_claims_do_not_start() {
    let lattice = Lattice::start().await;
    let chain = lattice.chain();
    let component = Guest::Hello.component();
    let start = async |not_before, expires, at: Timestamp| {
        let mut draft = chain.actor_draft(&component, "hello");
        (draft.not_before, draft.expires) = (not_before, expires);
        let token = draft.sign(chain.account.issuer(), at).expect("signed");
        let signed = wattle_claims::module::embed(&component, &token).expect("embedded");
        let file = lattice.write("hello.wasm", &signed);
        lattice.wattle(&["start", "actor", &file, "--id", "hello"]).await
    };
    start(None, Some(seconds_ago(120)), seconds_ago(600)).await.code(3).naming(&["expired"]);
    let later = Timestamp::now().plus(Duration::from_secs(600));
    let said = start(Some(later), None, Timestamp::now()).await.code(3);
    assert!(said.mentions("not yet") || said.mentions("not valid before"), "{said}");
}

#[tokio::test(flavor = "multi_thread")]
async fn claims_that_expire_while_the_actor_runs_end_its_calls() {
    let lattice = Lattice::start().await;
    let chain = lattice.chain();
    let component = Guest::Hello.component();
    let mut draft = chain.actor_draft(&component, "hello");
    // With the leeway they hold for another ten seconds.
    draft.expires = Some(seconds_ago(LEEWAY.as_secs() - 10));
    let token = draft.sign(chain.account.issuer(), seconds_ago(600)).expect("signed");
    let signed = wattle_claims::module::embed(&component, &token).expect("embedded");
    let file = lattice.write("hello.wasm", &signed);
    lattice.wattle(&["start", "actor", &file, "--id", "hello"]).await.ok();
    let hello = lattice.expose("hello").await;
    assert_eq!(hello.get("/").await.status, 200);
    let limit = Duration::from_secs(10) + NOTICE_MAX;
    let refused = eventually("the actor's calls are refused", limit, async || {
        Some(hello.get("/").await).filter(|response| response.status != 200)
    })
    .await;
    assert!(matches!(refused.status, 403 | 503), "{refused:?}");
    let status = lattice.actor_status("hello").await;
    assert!(status["denied"].as_str().is_some_and(|why| why.contains("expired")), "{status}");
}

/// Puts a list of revocations that `by` signs.
async fn revoke(lattice: &Lattice, by: &Signing, what: &[&str]) {
    let insider = lattice.insider().await;
    let now = Timestamp::now();
    let draft = wattle_claims::Draft {
        subject: by.key.public(),
        audience: insider.audience.clone(),
        not_before: None,
        expires: None,
        body: Revocations {
            generation: now.as_secs(),
            revoked: what.iter().map(|what| ((*what).to_owned(), now.as_secs())).collect(),
        },
    };
    let token = draft.sign(by.issuer(), now).expect("signed").text().to_owned();
    let answer = insider.tell(&lattice.chain().user, Command::PutRecord { token }).await;
    assert!(matches!(answer, Some(Ok(_))), "{answer:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_revoked_actor_is_called_no_more_also_after_the_store_was_emptied() {
    let lattice = Lattice::start().await;
    let hello = lattice.serve(Guest::Hello, "hello").await;
    let kit = lattice.serve(Guest::Kit, "kit").await;
    let status = lattice.actor_status("hello").await;
    let key = status["identity"]["key"]["actor"].as_str().expect("an actor's key").to_owned();
    revoke(&lattice, &lattice.chain().account, &[&key]).await;
    let refused = hello.get("/").await;
    assert!(matches!(refused.status, 403 | 503), "{refused:?}");
    assert_eq!(kit.get("/").await.status, 200, "nothing else is affected");

    // Whoever deletes the revocation from NATS has not undone it.
    let insider = lattice.insider().await;
    let records = insider.mesh.records().await.expect("records");
    for (key, _) in records.all().await.expect("records") {
        if key.starts_with("revocations.") {
            records.put(&key, "", None).await.expect("NATS takes anything");
        }
    }
    assert_ne!(hello.get("/").await.status, 200);
    lattice.wattle(&["down"]).await.ok();
    lattice.up(&[]).await;
    eventually("the kit answers again", Duration::from_secs(10), async || {
        kit.try_get("/").await.ok().filter(|response| response.status == 200)
    })
    .await;
    assert!(hello.try_get("/").await.map_or(true, |response| response.status != 200));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_revoked_link_grants_nothing() {
    let lattice = Lattice::start().await;
    lattice.provider("keyvalue-embedded").await;
    let kit = lattice.serve(Guest::Kit, "kit").await;
    lattice.link("kit", "keyvalue-embedded", KEY_VALUE, &[]).await;
    assert_eq!(kit.get("/kv?op=get&key=a").await.status, 404);
    let chain = lattice.chain();
    let account = chain.account.key.public();
    let link = format!("link.{account}.kit.keyvalue-embedded.wasi=keyvalue.default");
    revoke(&lattice, &chain.account, &[&link]).await;
    assert_eq!(kit.get("/kv?op=get&key=a").await.status, 403);
    assert_eq!(kit.get("/").await.status, 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_account_that_its_operator_revoked_is_nobody() {
    let lattice = Lattice::start().await;
    let hello = lattice.serve(Guest::Hello, "hello").await;
    assert_eq!(hello.get("/").await.status, 200);
    let chain = lattice.chain();
    revoke(&lattice, &chain.operator, &[&chain.account.key.public()]).await;
    eventually("its actor is called no more", NOTICE_MAX, async || {
        let response = hello.try_get("/").await;
        response.map_or(true, |response| response.status != 200).then_some(())
    })
    .await;
    let said = lattice.wattle(&["get", "inventory", "--timeout", "3s"]).await;
    assert_ne!(said.code, 0, "{said}");
}

/// Whose clock is behind finds what others signed too early: it fights for nothing older, and takes it when its own time has come.
#[tokio::test(flavor = "multi_thread")]
async fn a_record_that_comes_too_early_is_not_overwritten_and_counts_in_time() {
    let lattice = Lattice::start().await;
    lattice.wattle(&["config", "put", "words", "greeting=before"]).await.ok();
    let (chain, insider) = (lattice.chain(), lattice.insider().await);
    let records = insider.mesh.records().await.expect("records");
    let account = chain.account.key.public().parse().expect("an account's key");
    let key = RecordKey::Config { account, name: "words".parse().expect("a name") };
    let value = BTreeMap::from([("greeting".to_owned(), ConfigValue::Plain("after".to_owned()))]);
    let draft = wattle_claims::Draft {
        subject: key.to_string(),
        audience: insider.audience.clone(),
        not_before: None,
        expires: None,
        body: Record { generation: u64::MAX / 2, key: key.clone(), value: Some(value) },
    };
    let signed_at = Timestamp::now().plus(LEEWAY + Duration::from_secs(4));
    let token = draft.sign(chain.user.issuer(), signed_at).expect("it may sign").text().to_owned();
    records.put(&key.to_string(), &token, None).await.expect("NATS takes anything");
    let said = lattice.wattle(&["config", "get", "words"]).await.ok();
    assert!(said.mentions("before"), "it is not known before its time: {said}");
    eventually("it counts", Duration::from_secs(15), async || {
        lattice.wattle(&["config", "get", "words"]).await.mentions("after").then_some(())
    })
    .await;
    let stored = records.get(&key.to_string()).await.expect("records");
    assert_eq!(stored.map(|(stored, _)| stored), Some(token));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_host_that_boots_without_nats_and_a_year_ago_serves_what_it_ran_and_lets_claims_expire() {
    const HOLDS: Duration = Duration::from_secs(25);
    let mut nats = Nats::start().await;
    let lattice = Lattice::prepare(Turn::shared().await);
    lattice.up(&["--nats-url", &nats.url()]).await;
    let mut device = lattice.neighbour("device").await;
    lattice.provider_on("device", "http-server").await;
    lattice.actor_on("device", Guest::Hello, "hello", &[]).await;
    let component = Guest::Hello.component();
    let mut draft = lattice.chain().actor_draft(&component, "hello");
    draft.expires = Some(seconds_ago(LEEWAY.as_secs() - HOLDS.as_secs()));
    let token =
        draft.sign(lattice.chain().account.issuer(), seconds_ago(600)).expect("a signed token");
    let signed = wattle_claims::module::embed(&component, &token).expect("embedded");
    let file = lattice.write("brief.wasm", &signed);
    let start = ["start", "actor", &file, "--id", "brief", "--host", "device"];
    lattice.wattle(&start).await.ok();
    let signed_at = Instant::now();
    let hello = lattice.expose_on(&device, "hello").await;
    let brief = lattice.expose_on(&device, "brief").await;
    assert_eq!((hello.get("/").await.status, brief.get("/").await.status), (200, 200));

    nats.kill();
    device.process().kill();
    device.ended().await;
    lattice.start_with_clock(&mut device, "-365d");
    let serves = async || {
        let response = hello.try_get("/").await.ok()?;
        (response.status == 200).then_some(())
    };
    eventually("it serves what it ran", Duration::from_secs(10), serves).await;
    assert!(signed_at.elapsed() < HOLDS, "this machine is too slow for this test");
    assert_eq!(brief.get("/").await.status, 200, "its claims still hold");
    nats.restart().await;
    eventually("it has joined", Duration::from_secs(10), async || {
        let asked = ["get", "inventory", "--host", "device", "--timeout", "1s"];
        lattice.wattle(&asked).await.is_ok().then_some(())
    })
    .await;
    let limit = HOLDS.saturating_sub(signed_at.elapsed()) + NOTICE_MAX;
    eventually("claims that end are refused", limit, async || {
        (brief.get("/").await.status != 200).then_some(())
    })
    .await;
    assert_eq!(hello.get("/").await.status, 200);
    lattice.actor_on("device", Guest::Kit, "kit", &[]).await;
}
