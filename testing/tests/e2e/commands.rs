//! Commands that a host must not believe.

use std::time::Duration;

use wattle_claims::{KeyKind, KeyPair, Right, Signed, Timestamp};
use wattle_core::control::{Command, Failure, FailureKind, Outcome};
use wattle_testing::{Chain, Guest, Insider, Lattice};

/// Stopping the actor: harmless to send again, and seen at once if it was believed.
fn stop() -> Command {
    Command::StopActor { id: "hello".parse().expect("an id") }
}

/// A host says nothing, or that it refused.
fn assert_refused(answer: Option<Result<Outcome, Failure>>, what: &str) {
    match answer {
        None => {}
        Some(Err(failure)) => {
            let kind = failure.kind;
            let fits = matches!(kind, FailureKind::Refused | FailureKind::Denied);
            assert!(fits, "{what}: {kind:?}: {failure}");
        }
        Some(Ok(outcome)) => panic!("{what} was believed: {outcome:?}"),
    }
}

async fn with_hello() -> (Lattice, Insider, Chain) {
    let lattice = Lattice::start().await;
    lattice.actor(Guest::Hello, "hello").await;
    let insider = lattice.insider().await;
    let chain = lattice.chain();
    (lattice, insider, chain)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_command_that_no_trusted_user_signed_is_refused() {
    let (lattice, insider, chain) = with_hello().await;
    let now = Timestamp::now();
    let stranger = Chain::stranger();
    assert_refused(insider.tell(&stranger.user, stop()).await, "another operator's user");
    assert_refused(insider.send("").await, "nothing");
    assert_refused(insider.send("{\"stop-actor\":{\"id\":\"hello\"}}").await, "no token");
    let honest = insider.draft(stop()).sign(chain.user.issuer(), now).expect("signed");
    for (what, token) in forgeries(honest.text()) {
        assert_refused(insider.send(&token).await, what);
    }
    lattice.actor_status("hello").await;
    let refused = lattice.inventory().await["refused"].clone();
    assert!(refused.as_object().is_some_and(|counts| !counts.is_empty()), "{refused}");
}

/// The same claims, no longer signed by who they say.
fn forgeries(token: &str) -> Vec<(&'static str, String)> {
    use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD as BASE64};
    let (leaf, chain) = token.split_once('~').unwrap_or((token, ""));
    let parts: Vec<&str> = leaf.split('.').collect();
    let [_, claims, signature] = parts[..] else { panic!("a JWT has three parts") };
    let with = |header: &str, signature: &str| {
        format!("{}.{claims}.{signature}~{chain}", BASE64.encode(header))
    };
    let mut forged = vec![
        ("alg none", with(r#"{"typ":"JWT","alg":"none"}"#, "")),
        ("alg none with a signature", with(r#"{"typ":"JWT","alg":"none"}"#, signature)),
    ];
    for header in [
        r#"{"typ":"JWT","alg":"HS256"}"#,
        r#"{"typ":"JWT","alg":"RS256"}"#,
        r#"{"typ":"JWT","alg":"ES256"}"#,
        r#"{"typ":"JWT","alg":"PS512"}"#,
        r#"{"alg":"EdDSA","typ":"JWT"}"#,
    ] {
        forged.push(("another header", with(header, signature)));
    }
    let mut bytes = BASE64.decode(signature).expect("base64");
    bytes[7] ^= 1;
    let bytes = BASE64.encode(bytes);
    forged
        .push(("one flipped bit in the signature", leaf.replace(signature, &bytes) + "~" + chain));
    let mut bytes = BASE64.decode(claims).expect("base64");
    bytes[30] ^= 1;
    let bytes = BASE64.encode(bytes);
    forged.push(("one flipped bit in the claims", leaf.replace(claims, &bytes) + "~" + chain));
    forged.push(("no chain", leaf.to_owned()));
    forged.push(("a byte appended", format!("{token}A")));
    forged.push(("a tilde appended", format!("{token}~")));
    forged
}

#[tokio::test(flavor = "multi_thread")]
async fn a_command_for_another_time_lattice_operator_or_host_is_refused() {
    let (lattice, insider, chain) = with_hello().await;
    let now = Timestamp::now();
    let long_ago = Timestamp::from_secs(now.as_secs() - 3_600);
    let send = async |what: &str, change: &dyn Fn(&mut wattle_claims::Draft<Command>), at| {
        let mut draft = insider.draft(stop());
        change(&mut draft);
        // What cannot even be signed need not be refused.
        if let Ok(token) = draft.sign(chain.user.issuer(), at) {
            assert_refused(insider.send(token.text()).await, what);
        }
    };
    let expired = Timestamp::from_secs(now.as_secs() - 600);
    send("expired", &|draft| draft.expires = Some(expired), long_ago).await;
    send("without expiry", &|draft| draft.expires = None, now).await;
    let later = now.plus(Duration::from_secs(3_600));
    send("not yet valid", &|draft| draft.not_before = Some(later), now).await;
    send("issued in the future", &|draft| draft.expires = None, later).await;
    let elsewhere: wattle_core::LatticeName = "elsewhere".parse().expect("a name");
    send("for another lattice", &|draft| draft.audience.lattice = Some(elsewhere.clone()), now)
        .await;
    let stranger = Chain::stranger().audience();
    send("for another operator", &|draft| draft.audience = stranger.clone(), now).await;
    let other_host = KeyPair::generate(KeyKind::Host).public();
    send("for another host", &|draft| draft.subject = other_host.clone(), now).await;
    lattice.actor_status("hello").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_command_counts_once() {
    let (lattice, insider, chain) = with_hello().await;
    let token: Signed<Command> =
        insider.draft(stop()).sign(chain.user.issuer(), Timestamp::now()).expect("signed");
    assert!(matches!(insider.send(token.text()).await, Some(Ok(Outcome::Done { .. }))));
    lattice.actor(Guest::Hello, "hello").await;
    // The same token again gives at most the first answer again: the actor that was started meanwhile goes on running.
    insider.send(token.text()).await;
    lattice.actor_status("hello").await;
    // Also after the host was started again.
    lattice.wattle(&["down"]).await.ok();
    lattice.up(&[]).await;
    let insider = lattice.insider().await;
    insider.send(token.text()).await;
    lattice.actor_status("hello").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_user_can_do_what_their_rights_say_and_no_more() {
    let (lattice, insider, chain) = with_hello().await;
    let audience = chain.audience();
    let looker = chain.account.user_with("looker", &audience, [Right::Inspect].into());
    assert!(matches!(
        insider.tell(&looker, Command::GetInventory).await,
        Some(Ok(Outcome::Inventory(_)))
    ));
    assert_refused(insider.tell(&looker, stop()).await, "a user without the right control");
    lattice.actor_status("hello").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_several_commands_revoke_at_once_is_all_revoked() {
    let (lattice, insider, chain) = with_hello().await;
    let project = lattice.project().to_string_lossy().into_owned();
    let copy = crate::one_machine::copied(&lattice);
    let audience = chain.audience();
    let users: Vec<_> = (0..7)
        .map(|n| {
            let rights = [Right::Inspect].into();
            chain.account.user_with(&format!("user-{n}"), &audience, rights)
        })
        .collect();
    let (spared, revoked) = users.split_first().expect("seven");
    let revoking = revoked.iter().enumerate().map(async |(n, user)| {
        let (key, dir) = (user.key.public(), if n % 2 == 0 { &project } else { &copy });
        lattice.wattle(&["claims", "revoke", &key, "--dir", dir]).await
    });
    for said in futures::future::join_all(revoking).await {
        said.ok();
    }
    for (n, user) in revoked.iter().enumerate() {
        let answer = insider.tell(user, Command::GetInventory).await;
        assert_refused(answer, &format!("revoked user {n}"));
    }
    let answer = insider.tell(spared, Command::GetInventory).await;
    assert!(matches!(answer, Some(Ok(Outcome::Inventory(_)))), "{answer:?}");
}
