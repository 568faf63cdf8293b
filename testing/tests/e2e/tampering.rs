//! Artifacts and records that are not what a trusted account signed.

use std::{collections::BTreeMap, time::Duration};

use wattle_claims::{KeyKind, KeyPair, ProviderClaims, Timestamp, module, provider};
use wattle_core::control::Command;
use wattle_testing::{Chain, Guest, KEY_VALUE, Lattice, eventually, program};

/// Starting this file must fail for a reason that has one of these texts in it, and nothing runs under the id.
async fn assert_not_started(lattice: &Lattice, what: &str, wasm: &[u8], reasons: &[&str]) {
    let file = lattice.write("bad.wasm", wasm);
    let said = lattice.wattle(&["start", "actor", &file, "--id", "bad"]).await;
    assert_ne!(said.code, 0, "{what}: {said}");
    let named = reasons.iter().any(|reason| said.mentions(reason));
    assert!(named, "{what}: none of {reasons:?} is mentioned: {said}");
    let inventory = lattice.inventory().await;
    let actors = inventory["actors"].as_array().expect("a list");
    assert!(actors.iter().all(|actor| actor["id"] != "bad"), "{what}: {inventory}");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_altered_component_does_not_start() {
    let lattice = Lattice::start().await;
    let chain = lattice.chain();
    let component = Guest::Hello.component();
    let signed = chain.sign_actor(&component, "hello");
    let altered = |at: usize| {
        let mut bytes = signed.clone();
        bytes[at] ^= 1;
        bytes
    };
    let reasons = ["hash", "claims", "signature", "component", "malformed", "section"];
    for at in [component.len() / 2, component.len() - 1, component.len() + 40, signed.len() - 5] {
        let what = format!("bit flipped at {at} of {}", signed.len());
        assert_not_started(&lattice, &what, &altered(at), &reasons).await;
    }
    assert_not_started(&lattice, "a byte appended", &[&signed[..], &[0]].concat(), &reasons).await;
    let token = module::read(&signed).expect("claims").token.text().to_owned();
    let section = &signed[component.len()..];
    let twice = [&signed[..], section].concat();
    assert_not_started(&lattice, "two claims sections", &twice, &reasons).await;
    let not_last = [&signed[..], &custom_section("later", b"x")].concat();
    assert_not_started(&lattice, "a section behind the claims", &not_last, &reasons).await;
    let truncated = &signed[..signed.len() - 1];
    assert_not_started(&lattice, "a byte missing", truncated, &reasons).await;
    assert!(token.contains('~'), "the token carries its chain");
}

/// A custom section as any tool appends it.
fn custom_section(name: &str, content: &[u8]) -> Vec<u8> {
    let name_len = u8::try_from(name.len()).expect("short");
    let len = u8::try_from(1 + name.len() + content.len()).expect("short");
    assert!(len < 128, "one byte of LEB128");
    [&[0, len, name_len], name.as_bytes(), content].concat()
}

#[tokio::test(flavor = "multi_thread")]
async fn claims_in_a_nested_component_grant_nothing() {
    let lattice = Lattice::start().await;
    let signed = lattice.chain().sign_actor(&Guest::Hello.component(), "hello");
    // A component whose only section (id 4: a nested component) is the signed one.
    let mut outer = b"\0asm\x0d\0\x01\0\x04".to_vec();
    let mut len = signed.len();
    while len >= 0x80 {
        outer.push((len & 0x7f) as u8 | 0x80);
        len >>= 7;
    }
    outer.push(len as u8);
    outer.extend_from_slice(&signed);
    assert_not_started(&lattice, "nested claims", &outer, &["nested", "no claims"]).await;
    let unsigned = Guest::Hello.component();
    assert_not_started(&lattice, "no claims", &unsigned, &["wattle claims sign", "wattle build"])
        .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_stranger_signed_does_not_start() {
    let lattice = Lattice::start().await;
    let component = Guest::Hello.component();
    let stranger = Chain::stranger();
    let signed = stranger.sign_actor(&component, "hello");
    assert_not_started(&lattice, "another operator", &signed, &["trust"]).await;
    // Our operator's name on it, the stranger's signature under it.
    let mut draft = stranger.actor_draft(&component, "hello");
    draft.audience = lattice.chain().audience();
    let signed = stranger.embed(&component, draft);
    assert_not_started(&lattice, "another issuer", &signed, &["trust", "audience"]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_provider_whose_binary_was_altered_is_never_executed() {
    let lattice = Lattice::start().await;
    let chain = lattice.chain();
    let binary = std::fs::read(program("wattle-keyvalue-embedded")).expect("the binary");
    let platform = provider::platform();
    let pack = |by: &Chain| {
        let draft = wattle_claims::Draft {
            subject: KeyPair::generate(KeyKind::Provider).public(),
            audience: by.audience(),
            not_before: None,
            expires: None,
            body: ProviderClaims {
                name: "store".to_owned(),
                version: "1".to_owned(),
                imports: Vec::new(),
                exports: vec!["wasi:keyvalue/store".parse().expect("an interface")],
                binaries: BTreeMap::from([(platform.clone(), module::digest(&binary))]),
            },
        };
        let token = draft.sign(by.account.issuer(), Timestamp::now()).expect("signed");
        provider::pack(&token, &BTreeMap::from([(platform.clone(), binary.clone())]))
            .expect("packed")
    };
    let good = pack(&chain);
    let start = async |name: &str, artifact: &[u8]| {
        let file = format!("file:{}", lattice.write(name, artifact));
        lattice.wattle(&["start", "provider", &file, "--id", "store"]).await
    };
    let mut altered = good.clone();
    let middle = altered.len() / 2;
    altered[middle] ^= 1;
    let said = start("altered.tar", &altered).await.code(3);
    assert!(said.mentions("hash") || said.mentions("claims"), "{said}");
    start("stranger.tar", &pack(&Chain::stranger())).await.code(3).naming(&["trust"]);
    let said = start("appended.tar", &[&good[..], b"x"].concat()).await;
    assert_ne!(said.code, 0, "{said}");
    start("good.tar", &good).await.ok();
    lattice.provider_process("store").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_written_straight_into_the_store_of_records_changes_nothing() {
    let lattice = Lattice::start().await;
    lattice.provider("keyvalue-embedded").await;
    let kit = lattice.serve(Guest::Kit, "kit").await;
    lattice.link("kit", "keyvalue-embedded", KEY_VALUE, &[]).await;
    let insider = lattice.insider().await;
    let records = insider.mesh.records().await.expect("records");
    let all = records.all().await.expect("records");
    let is_ours = |(key, _): &&(String, String)| key.contains(".kit.keyvalue-embedded.");
    let (key, old) = all.iter().find(is_ours).expect("the link's record").clone();

    // Garbage, and the honest record under another's key.
    records.put(&key, "garbage", None).await.expect("NATS takes anything");
    let other = key.replace(".kit.", ".hello.");
    records.put(&other, &old, None).await.expect("NATS takes anything");
    assert_eq!(kit.get("/kv?op=set&key=a&value=1").await.status, 200);
    records.put(&key, &old, None).await.expect("NATS takes anything");

    // An old record put back does not undo what came after it.
    lattice.wattle(&["link", "del", "kit", "keyvalue-embedded", "wasi:keyvalue"]).await.ok();
    assert_eq!(kit.get("/kv?op=get&key=a").await.status, 403);
    records.put(&key, &old, None).await.expect("NATS takes anything");
    let chain = lattice.chain();
    let answer = insider.tell(&chain.user, Command::PutRecord { token: old }).await;
    assert!(!matches!(answer, Some(Ok(_))), "{answer:?}");
    assert_eq!(kit.get("/kv?op=get&key=a").await.status, 403);
    // Nor does it after the host has read everything again.
    lattice.wattle(&["down"]).await.ok();
    lattice.up(&[]).await;
    lattice.provider_process("keyvalue-embedded").await;
    assert_eq!(kit.get("/kv?op=get&key=a").await.status, 403);
}

/// Who could write into the store once, and holds no key, takes nothing away from hosts that come later.
#[tokio::test(flavor = "multi_thread")]
async fn a_good_record_in_the_place_of_another_gives_way_to_the_right_one() {
    let lattice = Lattice::start().await;
    lattice.provider("keyvalue-embedded").await;
    let kit = lattice.serve(Guest::Kit, "kit").await;
    lattice.link("kit", "keyvalue-embedded", KEY_VALUE, &[]).await;
    lattice.wattle(&["link", "del", "kit", "keyvalue-embedded", "wasi:keyvalue"]).await.ok();
    assert_eq!(kit.get("/kv?op=get&key=a").await.status, 403);
    let records = lattice.insider().await.mesh.records().await.expect("records");
    let all = records.all().await.expect("records");
    let find = |part: &str| {
        let mut found = all.iter().filter(|(key, _)| key.contains(part));
        found.next().unwrap_or_else(|| panic!("no record of {part}")).clone()
    };
    let ((key, deleted), (_, placement)) = (find(".kit.keyvalue-embedded."), find("placement."));
    records.put(&key, &placement, None).await.expect("NATS takes anything");
    eventually("what was deleted stands there again", Duration::from_secs(5), async || {
        let stored = records.get(&key).await.expect("records");
        stored.filter(|(token, _)| *token == deleted)
    })
    .await;
}
