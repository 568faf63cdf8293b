use wattle_claims::{
    ActorClaims, CHAIN_MAX, Draft, HostClaims, Issuer, KeyKind, KeyPair, LinkRecord,
    OperatorClaims, Record, RecordKey, Right, SignError, Signed, TOKEN_LEN_MAX, TokenError,
    TokenKind, UserClaims, peek_kind,
};

use crate::authority::{Authority, HEADER, NOW, after, forge, link, verify};

#[test]
fn a_link_of_a_user_hangs_on_user_account_and_operator() {
    let authority = Authority::new();
    let signed = authority.signed_link();
    let verified = signed.verify(&authority.trust(), NOW).unwrap();

    assert_eq!(verified.body, authority_link(&verified.body));
    assert_eq!(*verified.account(), authority.account_key());
    assert_eq!(verified.user_key().unwrap().as_str(), authority.user.public());
    assert_eq!(verified.user().unwrap().name, "the user");
    assert!(verified.user().unwrap().rights.contains(&Right::Link));
    let kinds: Vec<TokenKind> = verified.chain().iter().map(|step| step.kind).collect();
    assert_eq!(kinds, [TokenKind::Link, TokenKind::User, TokenKind::Account, TokenKind::Operator]);
    let names: Vec<_> = verified.chain().iter().map(|step| step.name.as_deref()).collect();
    assert_eq!(names, [None, Some("the user"), Some("the account"), Some("the operator")]);
    assert_eq!(verified.text(), signed.text());
    assert_eq!(verified.chain(), signed.peek_chain().unwrap());
    assert_eq!(peek_kind(signed.text()), Ok(TokenKind::Link));
    assert_eq!(*verified, signed.peek().unwrap());
}

fn authority_link(record: &LinkRecord) -> LinkRecord {
    let value = record.value.clone().unwrap();
    Record { generation: 1, key: record.key.clone(), value: Some(value) }
}

#[test]
fn the_operators_own_token_may_be_left_out() {
    let authority = Authority::new();
    let signed = authority.signed_link();
    let (text, _) = signed.text().rsplit_once('~').unwrap();
    let verified = verify::<LinkRecord>(text, &authority.trust(), NOW).unwrap();
    assert_eq!(verified.chain().len(), 3);
}

#[test]
fn a_trusted_account_needs_no_operator() {
    let authority = Authority::new();
    let signed = authority.signed_link();
    let parts: Vec<&str> = signed.text().split('~').collect();
    let trust = authority.direct_trust();
    for tokens in [2, 3, 4] {
        let text = parts[..tokens].join("~");
        let verified = verify::<LinkRecord>(&text, &trust, NOW).unwrap();
        assert_eq!(*verified.account(), authority.account_key());
    }
    assert_eq!(
        verify::<LinkRecord>(parts[0], &trust, NOW).unwrap_err(),
        TokenError::Untrusted { issuer: authority.user.public() }
    );
}

#[test]
fn what_stands_behind_a_trusted_account_must_hold_all_the_same() {
    let (authority, stranger) = (Authority::new(), Authority::new());
    let signed = authority.signed_link();
    let (ours, _) = signed.text().rsplit_once('~').unwrap();
    let text = format!("{ours}~{}", stranger.operator_token);
    let error = verify::<LinkRecord>(&text, &authority.direct_trust(), NOW).unwrap_err();
    assert!(matches!(error, TokenError::Chain { .. }), "{error}");
}

#[test]
fn a_stranger_is_not_trusted() {
    let (authority, stranger) = (Authority::new(), Authority::new());
    let text = stranger.signed_link();
    for trust in [authority.trust(), authority.direct_trust()] {
        assert_eq!(
            text.verify(&trust, NOW).unwrap_err(),
            TokenError::Untrusted { issuer: stranger.operator.public() }
        );
    }
}

#[test]
fn a_strangers_operator_token_does_not_make_a_trusted_chain() {
    let (authority, stranger) = (Authority::new(), Authority::new());
    // The stranger's chain with our operator's token in place of its own.
    let theirs = stranger.signed_link();
    let (text, _) = theirs.text().rsplit_once('~').unwrap();
    let text = format!("{text}~{}", authority.operator_token);
    let error = verify::<LinkRecord>(&text, &authority.trust(), NOW).unwrap_err();
    assert!(matches!(error, TokenError::Chain { .. }), "{error}");

    // The stranger's account token says that our operator issued it.
    let mut payload =
        stranger.payload(&authority.operator, &stranger.account.public(), named("mine"));
    payload["typ"] = "account".into();
    payload["aud"] = serde_json::json!(authority.audience());
    let account = forge(HEADER, &payload, &stranger.operator);
    let text = format!("{account}~{}", authority.operator_token);
    assert_eq!(
        verify::<wattle_claims::AccountClaims>(&text, &authority.trust(), NOW).unwrap_err(),
        TokenError::Signature { of: TokenKind::Account }
    );
}

fn named(name: &str) -> OperatorClaims {
    OperatorClaims { name: name.into() }
}

#[test]
fn the_tokens_of_two_users_do_not_mix() {
    let authority = Authority::new();
    let sibling = authority.sibling();
    let signed = authority.signed_link();
    let (leaf, _) = signed.text().split_once('~').unwrap();
    let text = format!("{leaf}~{}", sibling.user_token);
    let error = verify::<LinkRecord>(&text, &authority.trust(), NOW).unwrap_err();
    let found = sibling.user.public();
    assert_eq!(error, TokenError::Chain { issuer: authority.user.public(), found });
}

#[test]
fn a_user_adopted_by_another_account_signs_for_that_account() {
    let authority = Authority::new();
    let sibling = authority.sibling();
    let rights = [Right::Link].into();
    let adopted = sibling
        .draft(authority.user.public(), UserClaims { name: "adopted".into(), rights })
        .sign(sibling.as_account(), NOW)
        .unwrap();
    let signed = authority.signed_link();
    let (leaf, _) = signed.text().split_once('~').unwrap();
    // The record's key names the account that it was signed for.
    let error =
        verify::<LinkRecord>(&format!("{leaf}~{}", adopted.text()), &authority.trust(), NOW)
            .unwrap_err();
    assert!(matches!(error, TokenError::Body { of: TokenKind::Link, .. }), "{error}");
}

#[test]
fn tokens_out_of_order_missing_or_repeated_are_refused() {
    let authority = Authority::new();
    let trust = authority.trust();
    let signed = authority.signed_link();
    let parts: Vec<&str> = signed.text().split('~').collect();
    let [leaf, user, account, operator] = parts[..] else { panic!("four tokens") };
    for wrong in [
        vec![leaf, account, operator],
        vec![leaf, operator],
        vec![leaf, account, user, operator],
        vec![leaf, user, operator],
        vec![leaf, user, user, account, operator],
        vec![leaf, user, account, operator, operator],
        vec![leaf, user, account, operator, account],
        vec![leaf, leaf, user, account, operator],
        vec![operator, account, user, leaf],
    ] {
        assert!(verify::<LinkRecord>(&wrong.join("~"), &trust, NOW).is_err(), "{wrong:?}");
    }
}

#[test]
fn a_chain_is_bounded_in_tokens_and_bytes() {
    let authority = Authority::new();
    let token = authority.operator_token.as_str();
    let deep = [token; CHAIN_MAX + 1].join("~");
    assert_eq!(Signed::<LinkRecord>::parse(&deep).unwrap_err(), TokenError::TooDeep);
    let endless = "~".repeat(TOKEN_LEN_MAX);
    assert_eq!(Signed::<LinkRecord>::parse(&endless).unwrap_err(), TokenError::TooDeep);
    let len = TOKEN_LEN_MAX + 1;
    let long = "x".repeat(len);
    assert_eq!(Signed::<LinkRecord>::parse(&long).unwrap_err(), TokenError::TooLong { len });
    assert_eq!(peek_kind(&long).unwrap_err(), TokenError::TooLong { len });
}

#[test]
fn a_token_too_long_is_not_signed() {
    let authority = Authority::new();
    let name = "wasi:keyvalue/store".parse().unwrap();
    let claims = ActorClaims {
        name: "big".into(),
        version: "1".into(),
        hash: wattle_claims::module::digest(b""),
        imports: vec![name; 50_000],
        exports: vec![],
    };
    let key = KeyPair::generate(KeyKind::Actor);
    let error =
        authority.draft(key.public(), claims).sign(authority.as_account(), NOW).unwrap_err();
    assert!(matches!(error, SignError::Refused(TokenError::TooLong { .. })), "{error}");
}

#[test]
fn one_kind_of_token_is_not_taken_for_another() {
    let authority = Authority::new();
    let trust = authority.trust();
    let link = authority.signed_link();
    let error = verify::<ActorClaims>(link.text(), &trust, NOW).unwrap_err();
    assert_eq!(error, TokenError::Kind { wanted: TokenKind::Actor, found: TokenKind::Link });
    // An account's claims have the same shape as an operator's.
    let error = verify::<OperatorClaims>(&authority.account_token, &trust, NOW).unwrap_err();
    assert_eq!(error, TokenError::Kind { wanted: TokenKind::Operator, found: TokenKind::Account });
    assert!(Signed::<ActorClaims>::parse(link.text()).unwrap().peek().is_err());
}

#[test]
fn a_host_token_does_not_stand_in_for_a_users() {
    let authority = Authority::new();
    // The account says "host" about a user's key, and "user" about a host's.
    let body = HostClaims { name: "h".parse().unwrap(), rights: Default::default() };
    let payload = authority.payload(&authority.account, &authority.user.public(), body);
    let wrong = forge(HEADER, &payload, &authority.account);
    let signed = authority.signed_link();
    let (leaf, _) = signed.text().split_once('~').unwrap();
    let text = format!("{leaf}~{wrong}~{}", authority.account_token);
    assert_eq!(
        verify::<LinkRecord>(&text, &authority.trust(), NOW).unwrap_err(),
        TokenError::Kind { wanted: TokenKind::User, found: TokenKind::Host }
    );
    let text = format!("{wrong}~{}", authority.account_token);
    let error = verify::<HostClaims>(&text, &authority.trust(), NOW).unwrap_err();
    assert!(matches!(error, TokenError::Subject { of: TokenKind::Host, .. }), "{error}");
}

#[test]
fn a_key_under_another_letter_is_another_key() {
    let authority = Authority::new();
    // The user's secret as an account's key: the operator never signed for that account.
    let (_, secret) = nkeys::decode_seed(&authority.user.seed()).unwrap();
    let keys = nkeys::KeyPair::new_from_raw(nkeys::KeyPairType::Account, secret).unwrap();
    let account = KeyPair::from_seed(&keys.seed().unwrap()).unwrap();
    let key = account.public_key().unwrap();
    let link = link(&key);
    let record = Record {
        generation: 1,
        key: RecordKey::Link { account: key, key: link.key() },
        value: Some(link),
    };
    let signed = authority
        .draft(record.key.to_string(), record)
        .sign(Issuer { key: &account, token: None }, NOW)
        .unwrap();
    assert_eq!(
        signed.verify(&authority.trust(), NOW).unwrap_err(),
        TokenError::Untrusted { issuer: account.public() }
    );
    // Nor does the user's token speak for it.
    let (user, rest) = authority.user_token.split_once('~').unwrap();
    let text = format!("{}~{user}~{rest}", signed.text());
    let error = verify::<LinkRecord>(&text, &authority.trust(), NOW).unwrap_err();
    assert!(matches!(error, TokenError::Kind { .. }), "{error}");
}

#[test]
fn what_nobody_would_take_is_not_signed() {
    let authority = Authority::new();
    let sign = |draft: Draft<LinkRecord>, issuer| draft.sign(issuer, NOW).unwrap_err();
    let link = || authority.draft(authority.link().key.to_string(), authority.link());

    let error = sign(link(), Issuer { key: &authority.user, token: None });
    assert!(matches!(error, SignError::NoToken { .. }), "{error}");
    let error = sign(link(), Issuer { key: &authority.user, token: Some("not a token") });
    assert!(matches!(error, SignError::Issuer(TokenError::Malformed(_))), "{error}");
    let other = Issuer { key: &authority.user, token: Some(&authority.host_token) };
    let error = sign(link(), other);
    assert!(matches!(error, SignError::Issuer(TokenError::Kind { .. })), "{error}");
    let sibling = authority.sibling();
    let other = Issuer { key: &authority.user, token: Some(&sibling.user_token) };
    let error = sign(link(), other);
    assert!(matches!(error, SignError::Issuer(TokenError::Chain { .. })), "{error}");
    let error = sign(link(), authority.as_host());
    assert!(matches!(error, SignError::Refused(TokenError::IssuerMayNot { .. })), "{error}");
    let error = sign(link(), sibling.as_user());
    assert!(matches!(error, SignError::Refused(TokenError::Body { .. })), "{error}");
}

#[test]
fn every_token_has_an_id_of_its_own() {
    let authority = Authority::new();
    let [first, second] = [authority.signed_link(), authority.signed_link()];
    assert_ne!(first.peek().unwrap().id, second.peek().unwrap().id);
}

#[test]
fn a_token_says_when_the_first_of_its_chain_ends() {
    let authority = Authority::new();
    let link = authority.link();
    let mut draft = authority.draft(link.key.to_string(), link);
    draft.expires = Some(after(500));
    let verified =
        draft.sign(authority.as_user(), NOW).unwrap().verify(&authority.trust(), NOW).unwrap();
    assert_eq!(verified.valid_until(), Some(after(500)));
    assert_eq!(
        authority.signed_link().verify(&authority.trust(), NOW).unwrap().valid_until(),
        None
    );
}
