//! Every edge needs its grants, and a denial says what is missing.

use std::{collections::BTreeMap, num::NonZeroU16};

use wattle_claims::{ActorClaims, Draft, RecordKey, Right};
use wattle_core::{
    Digest, EntityId, Link,
    control::{ActorLimits, Command, FailureKind, Scale, StartActor, UserCall},
    entity::{CodeKey, Identity, Party},
    event::Event,
};
use wattle_testing::{Chain, Guest, HTTP, KEY_VALUE, Lattice, Site, event};

const STORE: &str = "keyvalue-embedded";
const STORE_INTERFACE: &str = "wasi:keyvalue/store";

/// The kit behind HTTP, and a store that it is not linked to.
async fn kit_and_store() -> (Lattice, Site) {
    let lattice = Lattice::start().await;
    lattice.provider(STORE).await;
    let kit = lattice.serve(Guest::Kit, "kit").await;
    (lattice, kit)
}

/// The kit's calls to its store are denied, and everybody who should know is told what is missing.
async fn assert_store_denied(lattice: &Lattice, kit: &Site, missing: &[&str]) {
    let mut events = lattice.insider().await.events().await;
    let response = kit.get("/kv?op=get&key=a").await;
    assert_eq!((response.status, response.text().as_str()), (403, "access-denied"));
    let (caller, interface, reason) = event(&mut events, |event| match event {
        Event::CallDenied { caller, interface, reason, .. } => {
            Some((caller.clone(), interface.clone(), reason.clone()))
        }
        _ => None,
    })
    .await;
    assert!(caller.contains("kit"), "{caller}");
    assert!(interface.contains("wasi:keyvalue"), "{interface}");
    for text in missing {
        assert!(reason.contains(text), "{text:?} is not in the event's {reason:?}");
        let log = lattice.log().await;
        assert!(log.contains(text), "{text:?} is not in the log:\n{log}");
    }
    lattice.wattle(&["why", "kit", STORE, STORE_INTERFACE]).await.code(3).naming(missing);
    assert_eq!(kit.get("/").await.status, 200, "nothing else is affected");
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_link_the_command_that_grants_it_is_said() {
    let (lattice, kit) = kit_and_store().await;
    assert_store_denied(&lattice, &kit, &["no link"]).await;
    let said = lattice.wattle(&["why", "kit", STORE, STORE_INTERFACE]).await;
    let said = said.naming(&["wattle link put kit"]);
    // Whoever follows that advice is let in.
    let advice = said.stdout.lines().chain(said.stderr.lines());
    let advice = advice.filter_map(|line| line.split_once("wattle link put ")).next();
    let (_, rest) = advice.expect("the advice is a command");
    let mut command = vec!["link", "put"];
    command.extend(rest.trim_end_matches(['`', '"', '\'']).split_whitespace());
    lattice.wattle(&command).await.ok();
    assert_eq!(kit.get("/kv?op=get&key=a").await.status, 404);
    lattice.wattle(&["why", "kit", STORE, STORE_INTERFACE]).await.ok();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_link_for_one_interface_grants_no_other() {
    let (lattice, kit) = kit_and_store().await;
    lattice.link("kit", STORE, STORE_INTERFACE, &[]).await;
    assert_eq!(kit.get("/kv?op=set&key=a&value=1").await.status, 200);
    assert_eq!(kit.get("/kv?op=increment&key=n").await.status, 403);
    lattice.wattle(&["why", "kit", STORE, "wasi:keyvalue/atomics"]).await.code(3);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_deleted_link_grants_nothing_on_another_host_either() {
    let lattice = Lattice::start().await;
    lattice.up(&["--name", "second"]).await;
    lattice.provider_on("second", STORE).await;
    lattice.actor_on("second", Guest::Kit, "kit", &[]).await;
    let kit = lattice.expose("kit").await;
    for round in 0..5 {
        lattice.link("kit", STORE, KEY_VALUE, &[]).await;
        assert_eq!(kit.get("/kv?op=set&key=a&value=1").await.status, 200, "round {round}");
        lattice.wattle(&["link", "del", "kit", STORE, "wasi:keyvalue"]).await.ok();
        assert_eq!(kit.get("/kv?op=get&key=a").await.status, 403, "round {round}");
    }
    lattice.wattle(&["link", "del", "kit", STORE, "wasi:keyvalue"]).await.code(4);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_link_of_another_name_grants_only_under_that_name() {
    let (lattice, kit) = kit_and_store().await;
    lattice.link("kit", STORE, KEY_VALUE, &["--name", "archive"]).await;
    assert_store_denied(&lattice, &kit, &["default"]).await;
    assert_eq!(kit.get("/kv?op=set&key=a&value=1&link=archive").await.status, 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_link_for_another_id_grants_nothing() {
    let (lattice, kit) = kit_and_store().await;
    lattice.actor(Guest::Kit, "other").await;
    lattice.link("other", STORE, KEY_VALUE, &[]).await;
    assert_store_denied(&lattice, &kit, &["no link"]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_link_for_another_key_grants_nothing() {
    let (lattice, kit) = kit_and_store().await;
    lattice.link("kit", STORE, KEY_VALUE, &[]).await;
    assert_eq!(kit.get("/kv?op=get&key=a").await.status, 404);
    // Another component under the same id: the links were for the first one's key, the one from the http-server, too.
    lattice.wattle(&["stop", "actor", "kit"]).await.ok();
    lattice.actor(Guest::Kit, "kit").await;
    lattice.expose_again("kit", &kit).await;
    assert_store_denied(&lattice, &kit, &["kit"]).await;
}

/// Starts the kit as `kit` with altered claims.
async fn start_with_claims(lattice: &Lattice, alter: impl FnOnce(&mut Draft<ActorClaims>)) {
    let chain = lattice.chain();
    let component = Guest::Kit.component();
    let mut draft = chain.actor_draft(&component, "kit");
    alter(&mut draft);
    let file = lattice.write("altered.wasm", &chain.embed(&component, draft));
    lattice.wattle(&["start", "actor", &file, "--id", "kit"]).await.ok();
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_callers_claims_do_not_import_it_cannot_call() {
    let lattice = Lattice::start().await;
    lattice.provider(STORE).await;
    start_with_claims(&lattice, |draft| {
        draft.body.imports.retain(|interface| interface.package() != "wasi:keyvalue");
    })
    .await;
    let kit = lattice.expose("kit").await;
    // Even the link may be refused; if it is taken, it grants nothing.
    lattice.wattle(&["link", "put", "kit", STORE, KEY_VALUE]).await;
    assert_store_denied(&lattice, &kit, &["claims", STORE_INTERFACE]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_callees_claims_do_not_export_nobody_can_call_and_an_http_client_learns_no_more() {
    let lattice = Lattice::start().await;
    lattice.provider("http-server").await;
    start_with_claims(&lattice, |draft| draft.body.exports.clear()).await;
    let address = format!("127.0.0.1:{}", wattle_testing::free_port());
    let at = format!("address={address}");
    lattice.wattle(&["link", "put", "http-server", "kit", HTTP, "--source", &at]).await;
    lattice.wattle(&["why", "http-server", "kit", HTTP]).await.code(3).naming(&["claims"]);
    let kit = Site { address };
    // Where the link itself is refused nothing listens; where it is taken, the client sees a status and a request id.
    if let Ok(response) = kit.try_get("/").await {
        assert!(matches!(response.status, 403 | 404 | 502 | 503), "{response:?}");
        assert!(response.header("x-request-id").is_some(), "{response:?}");
        assert!(!response.text().contains("claims"), "{}", response.text());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_link_signed_by_an_account_that_does_not_own_the_callee_grants_nothing() {
    let (lattice, kit) = kit_and_store().await;
    let chain = lattice.chain();
    let other = chain.other_account("other");
    let insider = lattice.insider().await;
    let inventory = lattice.inventory().await;
    let party = |what: &str, id: &str| -> Party {
        let of = inventory[what].as_array().expect("a list");
        let status = of.iter().find(|status| status["id"] == id).expect("it runs");
        let identity: Identity =
            serde_json::from_value(status["identity"].clone()).expect("an identity");
        Party { id: id.parse().expect("an id"), identity }
    };
    let link = Link {
        source: party("actors", "kit"),
        target: party("providers", STORE),
        name: "default".parse().expect("a name"),
        interfaces: vec![STORE_INTERFACE.parse().expect("an interface")],
        locality: Default::default(),
        constraints: Default::default(),
        source_config: Default::default(),
        target_config: Default::default(),
    };
    assert!(matches!(link.target.identity.key, CodeKey::Provider(_)));
    let account = other.key.public_key().expect("an account's key");
    let key = RecordKey::Link { account, key: link.key() };
    let token = insider.record(&other, key, 1, Some(link));
    // The host may refuse the record, or take it and not let it count.
    insider.tell(&other, Command::PutRecord { token }).await;
    assert_store_denied(&lattice, &kit, &["link"]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn constraints_hold_and_an_unknown_one_denies() {
    let (lattice, kit) = kit_and_store().await;
    let prefix = ["--constraint", "key-prefix=mine/"];
    lattice.link("kit", STORE, KEY_VALUE, &prefix).await;
    assert_eq!(kit.get("/kv?op=set&key=mine/a&value=1").await.status, 200);
    assert_eq!(kit.get("/kv?op=set&key=yours/a&value=1").await.status, 403);
    assert_eq!(kit.get("/kv?op=get&key=yours/a").await.status, 403);
    assert_eq!(kit.get("/kv?op=increment&key=n").await.status, 403);
    assert_eq!(kit.get("/kv?op=get-many&keys=mine/a,yours/a").await.status, 403);

    let unknown = ["--constraint", "moon-phase=full"];
    let put = [&["link", "put", "kit", STORE, KEY_VALUE][..], &unknown].concat();
    let said = lattice.wattle(&put).await;
    assert_ne!(said.code, 0, "{said}");
    assert!(said.mentions("moon-phase"), "{said}");
    assert_ne!(kit.get("/kv?op=get&key=mine/a").await.status, 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_deleted_link_grants_nothing_any_more() {
    let (lattice, kit) = kit_and_store().await;
    lattice.link("kit", STORE, KEY_VALUE, &[]).await;
    assert_eq!(kit.get("/kv?op=set&key=a&value=1").await.status, 200);
    lattice.wattle(&["link", "del", "kit", STORE, "wasi:keyvalue"]).await.ok();
    assert_store_denied(&lattice, &kit, &["no link"]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_user_without_the_right_to_invoke_cannot_call() {
    let lattice = Lattice::start().await;
    lattice.actor(Guest::Hello, "hello").await;
    let chain = lattice.chain();
    let audience = chain.audience();
    let rights = [Right::Inspect].into();
    let looker = chain.account.user_with("looker", &audience, rights);
    let keys = lattice.project().join("keys");
    std::fs::write(keys.join("user.nk"), looker.key.seed()).expect("written");
    std::fs::write(keys.join("user.jwt"), &looker.token).expect("written");
    lattice.wattle(&["get", "inventory"]).await.ok();
    lattice.wattle(&["call", "hello", "/"]).await.code(3).naming(&["invoke"]);
}

/// A lattice may be several accounts': whoever a host belongs to commands all that runs there, others what is their own.
#[tokio::test(flavor = "multi_thread")]
async fn a_user_of_another_account_commands_what_is_its_own_alone() {
    let lattice = Lattice::start().await;
    let hello = lattice.serve(Guest::Hello, "hello").await;
    let (own, insider) = (lattice.chain(), lattice.insider().await);
    let other = own.other_account("other");
    let rights = [Right::Control, Right::Invoke, Right::Inspect].into();
    let user = other.user_with("theirs", &own.audience(), rights);
    let theirs = Chain { account: other, ..lattice.chain() };
    let file = lattice.write("theirs.wasm", &theirs.sign_actor(&Guest::Kit.component(), "theirs"));
    lattice.wattle(&["start", "actor", &file, "--id", "theirs"]).await.ok();
    let artifact = async |id: &str| -> Digest {
        let status = lattice.actor_status(id).await;
        serde_json::from_value(status["artifact"].clone()).expect("a digest")
    };
    let id = |id: &str| -> EntityId { id.parse().expect("an id") };
    let start = |name: &str, artifact: Digest| {
        Command::StartActor(StartActor {
            id: id(name),
            artifact,
            scale: Scale::UpTo(NonZeroU16::MIN),
            config: Vec::new(),
            limits: ActorLimits::default(),
            values: BTreeMap::new(),
            program: None,
        })
    };
    let call = UserCall {
        target: id("hello"),
        interface: "acme:shop/pricing".parse().expect("an interface"),
        function: "quote".to_owned(),
        params: Vec::new(),
        body: Vec::new(),
        deadline_ms: 1_000,
        trace: None,
    };
    for denied in [
        Command::StopActor { id: id("hello") },
        Command::ScaleActor { id: id("hello"), scale: Scale::Stopped },
        Command::StopProvider { id: id("http-server") },
        Command::Call(call),
        Command::DrainHost { force: true, undo: false },
        Command::StopHost { grace_ms: 0 },
        start("fresh", artifact("hello").await),
        start("hello", artifact("theirs").await),
    ] {
        let what = format!("{denied:?}");
        let answer = insider.tell(&user, denied).await;
        let failure = answer.expect("it is answered").expect_err(&what);
        assert_eq!(failure.kind, FailureKind::Denied, "{what}: {failure}");
        assert!(failure.message.contains("account"), "{what}: {failure}");
    }
    assert_eq!(hello.get("/").await.status, 200);
    for allowed in
        [start("more", artifact("theirs").await), Command::StopActor { id: id("theirs") }]
    {
        let what = format!("{allowed:?}");
        let answer = insider.tell(&user, allowed).await;
        answer.expect("it is answered").unwrap_or_else(|failure| panic!("{what}: {failure}"));
    }
    // Who runs the host may stop what others run there.
    lattice.wattle(&["stop", "actor", "more"]).await.ok();
}
