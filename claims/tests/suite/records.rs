use std::collections::BTreeMap;

use proptest::prelude::*;
use wattle_claims::{
    ConfigRecord, DeploymentRecord, KeyKind, KeyPair, LinkRecord, Placement, PlacementRecord,
    Record, RecordKey, SignError, TokenError, TokenKind,
};
use wattle_core::{
    deployment::Deployment,
    link::{ConfigValue, LinkKey},
};

use crate::authority::{Authority, HEADER, NOW, forge, link, verify};

/// The user signs this record, whatever we think of it.
fn forged(authority: &Authority, subject: &str, record: LinkRecord) -> Result<(), TokenError> {
    let payload = authority.payload(&authority.user, subject, record);
    let text = format!("{}~{}", forge(HEADER, &payload, &authority.user), authority.user_token);
    verify::<LinkRecord>(&text, &authority.trust(), NOW).map(drop)
}

#[test]
fn a_tombstone_is_signed_like_what_it_deletes() {
    let authority = Authority::new();
    let tombstone = Record { value: None, generation: 2, ..authority.link() };
    let signed = authority
        .draft(tombstone.key.to_string(), tombstone)
        .sign(authority.as_user(), NOW)
        .unwrap();
    let verified = signed.verify(&authority.trust(), NOW).unwrap();
    assert_eq!((verified.body.generation, verified.body.value.is_none()), (2, true));
}

#[test]
fn a_record_is_about_its_own_key() {
    let authority = Authority::new();
    let record = authority.link();
    let mut other = link(&authority.account_key());
    other.name = "other".parse().unwrap();
    let other = RecordKey::Link { account: authority.account_key(), key: other.key() };
    let error = forged(&authority, &other.to_string(), record.clone()).unwrap_err();
    assert!(matches!(error, TokenError::Subject { of: TokenKind::Link, .. }), "{error}");
    let error = forged(&authority, "link", record.clone()).unwrap_err();
    assert!(matches!(error, TokenError::Subject { of: TokenKind::Link, .. }), "{error}");
    // The value is another link than the key says.
    let record = Record { key: other.clone(), ..record };
    let error = forged(&authority, &other.to_string(), record).unwrap_err();
    assert!(matches!(error, TokenError::Body { of: TokenKind::Link, .. }), "{error}");
}

#[test]
fn a_record_under_another_accounts_key_is_refused() {
    let authority = Authority::new();
    let record = authority.sibling().link();
    let error = forged(&authority, &record.key.to_string(), record).unwrap_err();
    assert!(matches!(error, TokenError::Body { of: TokenKind::Link, .. }), "{error}");
}

#[test]
fn a_record_under_another_sort_of_key_is_refused() {
    let authority = Authority::new();
    let key = RecordKey::Config { account: authority.account_key(), name: "c".parse().unwrap() };
    for value in [None, authority.link().value] {
        let record = Record { generation: 1, key: key.clone(), value };
        let error = forged(&authority, &key.to_string(), record).unwrap_err();
        assert!(matches!(error, TokenError::Body { of: TokenKind::Link, .. }), "{error}");
    }
}

#[test]
fn a_link_names_interfaces_of_one_package() {
    let authority = Authority::new();
    let mut record = authority.link();
    let value = record.value.as_mut().unwrap();
    value.interfaces.push("wasi:http/incoming-handler".parse().unwrap());
    let error = forged(&authority, &record.key.to_string(), record.clone()).unwrap_err();
    assert!(matches!(error, TokenError::Body { .. }), "{error}");
    record.value.as_mut().unwrap().interfaces.clear();
    let error = forged(&authority, &record.key.to_string(), record).unwrap_err();
    assert!(matches!(error, TokenError::Body { .. }), "{error}");
}

#[test]
fn a_host_places_itself_only() {
    let authority = Authority::new();
    let other = KeyPair::generate(KeyKind::Host);
    let record = |key: &KeyPair, about: &KeyPair| -> PlacementRecord {
        let mut value = Placement::empty(about.public_key().unwrap());
        value.add("shop/hello".parse().unwrap(), "own~issuers");
        let key = RecordKey::Placement { host: key.public_key().unwrap() };
        Record { generation: 1, key, value: Some(value) }
    };
    let sign = |record: PlacementRecord| {
        authority.draft(record.key.to_string(), record).sign(authority.as_host(), NOW)
    };
    let own = sign(record(&authority.host, &authority.host)).unwrap();
    assert!(own.verify(&authority.trust(), NOW).is_ok());
    for wrong in [record(&other, &other), record(&authority.host, &other)] {
        let error = sign(wrong).unwrap_err();
        assert!(matches!(error, SignError::Refused(TokenError::Body { .. })), "{error}");
    }
}

#[test]
fn a_placement_gives_back_the_texts_that_it_was_given_and_keeps_what_they_share_once() {
    let mut placement = Placement::empty(KeyPair::generate(KeyKind::Host).public_key().unwrap());
    let texts = ["a~x~y", "b~x~y", "c", "d~z"];
    for (id, text) in ["a", "b", "c", "d"].into_iter().zip(texts) {
        placement.add(id.parse().unwrap(), text);
    }
    assert_eq!(placement.issuers, ["x~y", "z"]);
    let given: Vec<String> = placement.claims().map(|(_, text)| text).collect();
    assert_eq!(given, texts);
    placement.entries[0].issuers = Some(2);
    assert_eq!(placement.claims().count(), 3, "an entry without its issuers is none");
}

#[test]
fn config_comes_back_as_it_was_signed() {
    let authority = Authority::new();
    let key = RecordKey::Config { account: authority.account_key(), name: "c".parse().unwrap() };
    let secret = ConfigValue::Secret { secret: "password".parse().unwrap() };
    let plain = ConfigValue::Plain("redis://localhost \"ä\n".into());
    let value = BTreeMap::from([("url".to_owned(), plain), ("password".to_owned(), secret)]);
    let record: ConfigRecord = Record { generation: 9, key: key.clone(), value: Some(value) };
    let signed = authority.draft(key.to_string(), record.clone()).sign(authority.as_user(), NOW);
    assert_eq!(signed.unwrap().verify(&authority.trust(), NOW).unwrap().body, record);
}

#[test]
fn keys_that_are_none_are_refused() {
    let account = KeyPair::generate(KeyKind::Account).public();
    let user = KeyPair::generate(KeyKind::User).public();
    for bad in [
        "",
        "link",
        "other.x",
        &format!("link.{account}.a.b.wasi=keyvalue"),
        &format!("link.{account}.a.b.wasi=keyvalue.default.more"),
        &format!("link.{account}.a.b.wasi:keyvalue.default"),
        &format!("link.{account}.a.b.wasi=keyvalue=x.default"),
        &format!("link.{account}.a.b.=.default"),
        &format!("link.{account}.a.b.wasi=keyvalue@1.default"),
        &format!("link.{account}.a/b/c.b.wasi=keyvalue.default"),
        &format!("link.{user}.a.b.wasi=keyvalue.default"),
        &format!("config.{account}"),
        &format!("config.{account}.A"),
        &format!("config.{account}."),
        &format!("share.{account}.{user}"),
        &format!("revocations.{user}"),
        &format!("placement.{account}"),
        &format!("Config.{account}.a"),
    ] {
        assert!(bad.parse::<RecordKey>().is_err(), "{bad}");
    }
}

#[test]
fn a_deployment_is_kept_under_its_application_and_says_what_could_be_meant() {
    let a = Authority::new();
    let record = |deployment: Deployment| {
        let application = "shop".parse().unwrap();
        let key = RecordKey::Deployment { account: a.account_key(), application };
        let record: DeploymentRecord =
            Record { generation: 2, key: key.clone(), value: Some(deployment) };
        a.draft(key.to_string(), record).sign(a.as_user(), NOW)
    };
    let good = a.deployment("shop");
    let signed = record(good.clone()).unwrap();
    assert_eq!(signed.verify(&a.trust(), NOW).unwrap().body.value, Some(good.clone()));
    let changed = |change: fn(&mut Deployment)| {
        let mut bad = good.clone();
        change(&mut bad);
        record(bad)
    };
    for bad in [
        record(a.deployment("other")),
        changed(|it| it.versions.clear()),
        changed(|it| it.versions.extend_from_within(..)),
        changed(|it| it.versions[0].components[0].id = "cart/hello".parse().unwrap()),
        changed(|it| it.versions[0].components.extend_from_within(..)),
        changed(|it| it.versions[0].links.extend_from_within(..)),
        // A link to what the version neither has nor says that it uses.
        changed(|it| it.versions[0].uses.clear()),
        changed(|it| it.versions[0].components.clear()),
    ] {
        assert!(matches!(bad, Err(SignError::Refused(TokenError::Body { .. }))), "{bad:?}");
    }
}

fn any_key() -> impl Strategy<Value = RecordKey> {
    let account = || any::<bool>().prop_map(|_| KeyPair::generate(KeyKind::Account));
    let id = "([a-z0-9-]{1,20}/)?[a-z0-9-]{1,63}";
    let name = "[a-z0-9-]{1,63}";
    prop_oneof![
        (account(), id, id, "[a-z][a-z0-9-]{0,10}:[a-zA-Z][a-z0-9-]{0,10}", name).prop_map(
            |(account, source, target, package, name)| {
                let name = name.parse().unwrap();
                let key = LinkKey { source, target, package, name };
                RecordKey::Link { account: account.public_key().unwrap(), key }
            }
        ),
        (account(), name).prop_map(|(account, name)| RecordKey::Config {
            account: account.public_key().unwrap(),
            name: name.parse().unwrap()
        }),
        (account(), account()).prop_map(|(account, with)| RecordKey::Share {
            account: account.public_key().unwrap(),
            with: with.public_key().unwrap()
        }),
        account().prop_map(|issuer| RecordKey::Revocations { issuer: issuer.public() }),
        (account(), name, any::<bool>()).prop_map(|(account, application, is_rollout)| {
            let account = account.public_key().unwrap();
            let application = application.parse().unwrap();
            match is_rollout {
                true => RecordKey::Rollout { account, application },
                false => RecordKey::Deployment { account, application },
            }
        }),
        Just(()).prop_map(|()| RecordKey::Placement {
            host: KeyPair::generate(KeyKind::Host).public_key().unwrap()
        }),
    ]
}

proptest! {
    #[test]
    fn a_key_survives_the_trip_and_is_a_buckets_key(key in any_key()) {
        let text = key.to_string();
        prop_assert_eq!(text.parse::<RecordKey>(), Ok(key));
        let allowed = |c: char| c.is_ascii_alphanumeric() || "-/_=.".contains(c);
        prop_assert!(text.chars().all(allowed), "{}", text);
    }

    #[test]
    fn any_text_is_a_key_or_a_refusal(text in "(link|config|share|revocations|placement|deployment|rollout)[.a-zA-Z0-9=/-]{0,80}") {
        if let Ok(key) = text.parse::<RecordKey>() {
            prop_assert_eq!(key.to_string(), text);
        }
    }
}
