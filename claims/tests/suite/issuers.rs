//! The table of who may issue what, asked with real signatures: every kind of token, by every kind of key.

use std::collections::{BTreeMap, BTreeSet};

use wattle_claims::{
    AccountClaims, ActorClaims, Body, ConfigRecord, DeploymentRecord, HostClaims, Issuer, KeyKind,
    KeyPair, Lease, LeaseScope, LinkRecord, OperatorClaims, Placement, PlacementRecord,
    ProviderClaims, ProviderLease, Record, RecordKey, Revocations, Right, RolloutRecord, Share,
    ShareRecord, TokenError, TokenKind, UserClaims, module::digest,
};
use wattle_core::{
    app::AppRequest,
    beat::Beat,
    control::{Answer, Command, Failure, FailureKind},
};

use crate::authority::{Authority, HEADER, NOW, after, forge, verify};

/// Signs with each of the four keys that may issue anything, and says for which the token holds.
fn takers<B: Body>(authority: &Authority, subject: &str, body: B) -> Vec<KeyKind> {
    let issuers =
        [authority.as_operator(), authority.as_account(), authority.as_user(), authority.as_host()];
    let holds = |issuer: &Issuer<'_>| {
        let payload = authority.payload(issuer.key, subject, body.clone());
        let text = format!("{}~{}", forge(HEADER, &payload, issuer.key), issuer.token.unwrap());
        match verify::<B>(&text, &authority.trust(), NOW) {
            Ok(_) => true,
            Err(TokenError::IssuerMayNot { kind, .. }) if kind == B::KIND => false,
            Err(error) => panic!("{} by {:?}: {error}", B::KIND, issuer.key.kind()),
        }
    };
    issuers.iter().filter(|issuer| holds(issuer)).map(|issuer| issuer.key.kind()).collect()
}

fn public(kind: KeyKind) -> String {
    KeyPair::generate(kind).public()
}

#[test]
fn operators_make_accounts_and_accounts_make_users_hosts_and_code() {
    let a = Authority::new();
    let name = || "n".to_owned();
    assert_eq!(
        takers(&a, &public(KeyKind::Account), AccountClaims { name: name() }),
        [KeyKind::Operator]
    );
    let rights = BTreeSet::new();
    let user = UserClaims { name: name(), rights };
    assert_eq!(takers(&a, &public(KeyKind::User), user), [KeyKind::Account]);
    let host = HostClaims { name: "n".parse().unwrap(), rights: BTreeSet::new() };
    assert_eq!(takers(&a, &public(KeyKind::Host), host), [KeyKind::Account]);
    let actor = ActorClaims {
        name: name(),
        version: name(),
        hash: digest(b""),
        imports: vec![],
        exports: vec![],
    };
    assert_eq!(takers(&a, &public(KeyKind::Actor), actor), [KeyKind::Account]);
    let provider = ProviderClaims {
        name: name(),
        version: name(),
        imports: vec![],
        exports: vec![],
        binaries: BTreeMap::new(),
    };
    assert_eq!(takers(&a, &public(KeyKind::Provider), provider), [KeyKind::Account]);
}

#[test]
fn an_operator_is_made_by_itself_only() {
    let a = Authority::new();
    let claims = OperatorClaims { name: "n".into() };
    assert_eq!(takers(&a, &public(KeyKind::Operator), claims.clone()), []);
    let itself = a.payload(&a.operator, &a.operator.public(), claims);
    let text = forge(HEADER, &itself, &a.operator);
    assert!(verify::<OperatorClaims>(&text, &a.trust(), NOW).is_ok());
}

#[test]
fn records_are_signed_by_the_account_or_a_user_with_the_right() {
    let a = Authority::new();
    let link = a.link();
    let key = link.key.to_string();
    assert_eq!(takers(&a, &key, link), [KeyKind::Account, KeyKind::User]);

    let key = RecordKey::Config { account: a.account_key(), name: "shop".parse().unwrap() };
    let config: ConfigRecord =
        Record { generation: 1, key: key.clone(), value: Some(BTreeMap::new()) };
    assert_eq!(takers(&a, &key.to_string(), config), [KeyKind::Account, KeyKind::User]);

    let with = a.sibling().account_key();
    let key = RecordKey::Share { account: a.account_key(), with: with.clone() };
    let share = Share { with, ids: ["store".parse().unwrap()].into() };
    let share: ShareRecord = Record { generation: 1, key: key.clone(), value: Some(share) };
    assert_eq!(takers(&a, &key.to_string(), share), [KeyKind::Account]);

    let host = a.host.public_key().unwrap();
    let key = RecordKey::Placement { host };
    let placement = Placement::empty(a.host.public_key().unwrap());
    let placement: PlacementRecord =
        Record { generation: 1, key: key.clone(), value: Some(placement) };
    assert_eq!(takers(&a, &key.to_string(), placement), [KeyKind::Host]);
    assert_eq!(takers(&a, &a.host.public(), provider_lease(&a)), [KeyKind::Host]);
}

fn provider_lease(a: &Authority) -> ProviderLease {
    let link = wattle_core::link::LinkKey {
        source: "timer".into(),
        target: "shop/report".into(),
        package: "wattle:schedule".into(),
        name: "default".parse().unwrap(),
    };
    let name = "timers".parse().unwrap();
    let scope = LeaseScope {
        account: a.account_key(),
        provider: "shop/timer".parse().unwrap(),
        link,
        name,
    };
    let holder = a.host.public_key().unwrap();
    ProviderLease { scope, holder, count: 1, released: false, note: b"last".to_vec() }
}

#[test]
fn a_provider_s_lease_is_taken_by_a_host_for_itself_and_stands_under_its_own_key() {
    let a = Authority::new();
    let lease = provider_lease(&a);
    let sign = |lease: &ProviderLease| {
        a.draft(a.host.public(), lease.clone()).sign(a.as_host(), NOW).map(drop)
    };
    assert!(sign(&lease).is_ok());
    let other = KeyPair::generate(KeyKind::Host).public_key().unwrap();
    assert!(sign(&ProviderLease { holder: other, ..lease.clone() }).is_err(), "for another host");
    assert!(sign(&ProviderLease { note: vec![0; 1_025], ..lease.clone() }).is_err(), "too long");
    let key = lease.scope.key();
    assert!(ProviderLease::is_key(&key) && !Lease::is_key(&key), "{key}");
    let mut longest = lease.scope;
    longest.provider = format!("{0}/{0}", "p".repeat(63)).parse().unwrap();
    longest.name = "n".repeat(63).parse().unwrap();
    longest.link.source = "s".repeat(127);
    assert!(longest.key().len() <= 512 && longest.key() != key);
    assert!(!longest.key().contains([':', ' ']), "{}", longest.key());
}

#[test]
fn a_provider_s_lease_is_held_by_a_host_whose_clock_is_ahead() {
    let a = Authority::new();
    let ahead = a.draft(a.host.public(), provider_lease(&a)).sign(a.as_host(), after(3_600));
    let ahead = ahead.unwrap();
    assert!(ahead.verify(&a.trust(), NOW).is_err(), "as tokens of other kinds");
    assert_eq!(ahead.verify_held(&a.trust(), NOW).unwrap().body, provider_lease(&a));
    let stranger = Authority::new();
    assert!(ahead.verify_held(&stranger.trust(), NOW).is_err(), "nobody's host");
    // The same for the one of all wadms that acts.
    let a = a.with_wadm();
    let holder = a.host.public().parse().unwrap();
    let lease = Lease { holder, term: None, released: false };
    let ahead = a.draft(a.host.public(), lease.clone()).sign(a.as_host(), after(3_600)).unwrap();
    assert_eq!(ahead.verify_held(&a.trust(), NOW).unwrap().body, lease);
}

#[test]
fn deployments_are_a_users_with_both_rights_and_rollouts_a_hosts_that_is_wadm() {
    let a = Authority::new();
    let key =
        RecordKey::Deployment { account: a.account_key(), application: "shop".parse().unwrap() };
    let deployment: DeploymentRecord =
        Record { generation: 1, key: key.clone(), value: Some(a.deployment("shop")) };
    assert_eq!(takers(&a, &key.to_string(), deployment.clone()), [KeyKind::Account, KeyKind::User]);
    for missing in [Right::Control, Right::Link] {
        let rights = [Right::Control, Right::Link, Right::Config, Right::Wadm].into_iter();
        let rights = rights.filter(|right| *right != missing).collect();
        let claims = UserClaims { name: "u".into(), rights };
        let token = a.draft(a.user.public(), claims).sign(a.as_account(), NOW).unwrap();
        let payload = a.payload(&a.user, &key.to_string(), deployment.clone());
        let text = format!("{}~{}", forge(HEADER, &payload, &a.user), token.text());
        let denied = verify::<DeploymentRecord>(&text, &a.trust(), NOW).map(drop);
        assert!(matches!(denied, Err(TokenError::IssuerMayNot { .. })), "{missing:?}: {denied:?}");
    }

    let key = RecordKey::Rollout { account: a.account_key(), application: "shop".parse().unwrap() };
    let rollout: RolloutRecord =
        Record { generation: 1, key: key.clone(), value: Some(a.rollout()) };
    let holder = a.host.public_key().unwrap();
    let lease = Lease { holder, term: None, released: false };
    let host = a.host.public();
    // As it is, the host may not.
    assert_eq!(takers(&a, &key.to_string(), rollout.clone()), []);
    assert_eq!(takers(&a, &host, lease.clone()), []);
    let a = a.with_wadm();
    assert_eq!(takers(&a, &key.to_string(), rollout), [KeyKind::Host]);
    assert_eq!(takers(&a, &host, lease), [KeyKind::Host]);
    let commanders = [KeyKind::Account, KeyKind::User, KeyKind::Host];
    assert_eq!(takers(&a, &host, Command::GetInventory), commanders);
    assert_eq!(takers(&a, "list", AppRequest::List), [KeyKind::Account, KeyKind::User]);
}

#[test]
fn users_command_and_hosts_answer() {
    let a = Authority::new();
    assert_eq!(
        takers(&a, &a.host.public(), Command::GetInventory),
        [KeyKind::Account, KeyKind::User]
    );
    let failure = Failure::new(FailureKind::NotFound, "nothing there");
    let answer = Answer { command: "0f".into(), outcome: Err(failure) };
    assert_eq!(takers(&a, "0f", answer), [KeyKind::Host]);
    let beat = Beat {
        name: "n".parse().unwrap(),
        version: "0".into(),
        uptime_s: 0,
        actors: 0,
        providers: 0,
        in_flight: 0,
        labels: [].into(),
        draining: false,
        running: 7,
    };
    assert_eq!(takers(&a, &a.host.public(), beat), [KeyKind::Host]);
}

#[test]
fn revocations_are_an_accounts_or_an_operators() {
    let a = Authority::new();
    for (issuer, may) in [
        (a.as_operator(), true),
        (a.as_account(), true),
        (a.as_user(), false),
        (a.as_host(), false),
    ] {
        let subject = issuer.key.public();
        let payload = a.payload(issuer.key, &subject, Revocations::default());
        let text = format!("{}~{}", forge(HEADER, &payload, issuer.key), issuer.token.unwrap());
        assert_eq!(verify::<Revocations>(&text, &a.trust(), NOW).is_ok(), may, "{issuer:?}");
    }
}

#[test]
fn a_user_without_the_right_signs_neither_links_nor_config() {
    let a = Authority::new();
    for (right, other) in [(Right::Link, Right::Config), (Right::Config, Right::Link)] {
        let all = [Right::Control, Right::Link, Right::Config, Right::Invoke, Right::Inspect];
        let rights = all.into_iter().filter(|kept| *kept != right).collect();
        let claims = UserClaims { name: "u".into(), rights };
        let token = a.draft(a.user.public(), claims).sign(a.as_account(), NOW).unwrap();
        let link = a.link();
        let key = RecordKey::Config { account: a.account_key(), name: "c".parse().unwrap() };
        let config: ConfigRecord = Record { generation: 1, key: key.clone(), value: None };
        let link = {
            let payload = a.payload(&a.user, &link.key.to_string(), link);
            let text = format!("{}~{}", forge(HEADER, &payload, &a.user), token.text());
            verify::<LinkRecord>(&text, &a.trust(), NOW).map(drop)
        };
        let config = {
            let payload = a.payload(&a.user, &key.to_string(), config);
            let text = format!("{}~{}", forge(HEADER, &payload, &a.user), token.text());
            verify::<ConfigRecord>(&text, &a.trust(), NOW).map(drop)
        };
        let (denied, allowed) = if right == Right::Link { (link, config) } else { (config, link) };
        assert!(matches!(denied, Err(TokenError::IssuerMayNot { .. })), "{right:?}: {denied:?}");
        assert_eq!(allowed, Ok(()), "{other:?}");
    }
}

#[test]
fn code_signs_nothing() {
    let a = Authority::new();
    for kind in [KeyKind::Actor, KeyKind::Provider] {
        let code = KeyPair::generate(kind);
        let claims = UserClaims { name: "u".into(), rights: BTreeSet::new() };
        let payload = a.payload(&code, &public(KeyKind::User), claims);
        let text = forge(HEADER, &payload, &code);
        let error = verify::<UserClaims>(&text, &a.trust(), NOW).unwrap_err();
        assert_eq!(error, TokenError::Untrusted { issuer: code.public() });
        let text = format!("{text}~{}", a.account_token);
        let error = verify::<UserClaims>(&text, &a.trust(), NOW).unwrap_err();
        assert!(matches!(error, TokenError::Malformed(_)), "{error}");
    }
}

#[test]
fn what_a_token_is_about_fits_its_kind() {
    let a = Authority::new();
    let claims = ActorClaims {
        name: "n".into(),
        version: "1".into(),
        hash: digest(b""),
        imports: vec![],
        exports: vec![],
    };
    let mut wrong_checksum = public(KeyKind::Actor);
    let last = wrong_checksum.pop().unwrap();
    wrong_checksum.push(if last == 'A' { 'B' } else { 'A' });
    for subject in ["", "M", &public(KeyKind::Provider), &a.account.public(), &wrong_checksum] {
        let payload = a.payload(&a.account, subject, claims.clone());
        let text = format!("{}~{}", forge(HEADER, &payload, &a.account), a.account_token);
        let error = verify::<ActorClaims>(&text, &a.trust(), NOW).unwrap_err();
        assert!(
            matches!(error, TokenError::Subject { of: TokenKind::Actor, .. }),
            "{subject}: {error}"
        );
    }
}
