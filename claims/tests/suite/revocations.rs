use wattle_claims::{
    AccountClaims, ActorClaims, Issuer, KeyKind, KeyPair, LinkRecord, Revocations, Right, Signed,
    Timestamp, TokenError, Trust, UserClaims, Verified, module::digest,
};

use crate::authority::{Authority, NOW, after, before};

/// The trust with a list in it that revokes these things as of `at`.
fn revoking(
    trust: &Trust,
    issuer: Issuer<'_>,
    authority: &Authority,
    what: &[(&str, Timestamp)],
) -> Trust {
    let mut trust = trust.clone();
    let list = list(&trust, issuer, authority, 1, what);
    assert!(trust.revocations.insert(&list));
    trust
}

fn list(
    trust: &Trust,
    issuer: Issuer<'_>,
    authority: &Authority,
    generation: u64,
    what: &[(&str, Timestamp)],
) -> Verified<Revocations> {
    let revoked = what.iter().map(|(what, at)| ((*what).to_owned(), at.as_secs())).collect();
    authority
        .draft(issuer.key.public(), Revocations { generation, revoked })
        .sign(issuer, NOW)
        .unwrap()
        .verify(trust, NOW)
        .unwrap()
}

fn actor(authority: &Authority, key: &KeyPair, at: Timestamp) -> Signed<ActorClaims> {
    let claims = ActorClaims {
        name: "hello".into(),
        version: "1".into(),
        hash: digest(b""),
        imports: vec![],
        exports: vec![],
    };
    authority.draft(key.public(), claims).sign(authority.as_account(), at).unwrap()
}

#[test]
fn a_revoked_actor_falls_and_may_be_signed_again() {
    let authority = Authority::new();
    let key = KeyPair::generate(KeyKind::Actor);
    let signed = actor(&authority, &key, NOW);
    let verified = signed.verify(&authority.trust(), NOW).unwrap();
    let trust =
        revoking(&authority.trust(), authority.as_account(), &authority, &[(&key.public(), NOW)]);

    let by = authority.account.public();
    let revoked = TokenError::Revoked { what: key.public(), at: NOW, by };
    assert_eq!(signed.verify(&trust, NOW).unwrap_err(), revoked);
    assert_eq!(verified.standing(&trust, NOW), Err(revoked));
    assert!(actor(&authority, &key, after(1)).verify(&trust, after(1)).is_ok());
}

#[test]
fn one_token_is_revoked_by_its_id() {
    let authority = Authority::new();
    let key = KeyPair::generate(KeyKind::Actor);
    let [first, second] = [actor(&authority, &key, NOW), actor(&authority, &key, NOW)];
    let id = first.peek().unwrap().id;
    let trust = revoking(&authority.trust(), authority.as_account(), &authority, &[(&id, NOW)]);
    assert!(matches!(first.verify(&trust, NOW), Err(TokenError::Revoked { .. })));
    assert!(second.verify(&trust, NOW).is_ok());
}

#[test]
fn a_link_is_revoked_by_its_records_key() {
    let authority = Authority::new();
    let signed = authority.signed_link();
    let key = authority.link().key.to_string();
    let trust = revoking(&authority.trust(), authority.as_account(), &authority, &[(&key, NOW)]);
    assert!(matches!(signed.verify(&trust, NOW), Err(TokenError::Revoked { .. })));
}

#[test]
fn what_a_revoked_user_signed_falls_too_even_under_a_new_token_of_the_user() {
    let authority = Authority::new();
    let signed = authority.signed_link();
    let user = authority.user.public();
    let trust = revoking(&authority.trust(), authority.as_account(), &authority, &[(&user, NOW)]);
    assert!(matches!(signed.verify(&trust, NOW), Err(TokenError::Revoked { .. })));

    let claims = UserClaims { name: "u".into(), rights: [Right::Link].into() };
    let renewed = authority.draft(user, claims).sign(authority.as_account(), after(5)).unwrap();
    let (leaf, _) = signed.text().split_once('~').unwrap();
    let text = format!("{leaf}~{}", renewed.text());
    let old = Signed::<LinkRecord>::parse(&text).unwrap();
    assert!(matches!(old.verify(&trust, after(5)), Err(TokenError::Revoked { .. })));
    let link = authority.link();
    let issuer = Issuer { key: &authority.user, token: Some(renewed.text()) };
    let new = authority.draft(link.key.to_string(), link).sign(issuer, after(5)).unwrap();
    assert!(new.verify(&trust, after(5)).is_ok());
}

#[test]
fn a_revoked_account_falls_with_everything_it_signed() {
    let authority = Authority::new();
    let account = authority.account.public();
    let list = [(account.as_str(), NOW)];
    let trust = revoking(&authority.trust(), authority.as_operator(), &authority, &list);
    let signed = authority.signed_link();
    assert!(matches!(signed.verify(&trust, NOW), Err(TokenError::Revoked { .. })));
    let error = Signed::<AccountClaims>::parse(&authority.account_token)
        .unwrap()
        .verify(&trust, NOW)
        .unwrap_err();
    let by = authority.operator.public();
    assert_eq!(error, TokenError::Revoked { what: account, at: NOW, by });
    assert!(authority.sibling().signed_link().verify(&trust, NOW).is_ok());
}

#[test]
fn the_operator_reaches_an_account_that_is_trusted_directly() {
    let authority = Authority::new();
    let mut trust = authority.trust();
    trust.accounts.insert(authority.account_key());
    let signed = authority.signed_link();
    // Leaf and user only: the account's token, which the operator revoked, is not shown.
    let text: Vec<&str> = signed.text().split('~').take(2).collect();
    let signed = Signed::<LinkRecord>::parse(&text.join("~")).unwrap();
    assert!(signed.verify(&trust, NOW).is_ok());
    let account = authority.account.public();
    let trust = revoking(&trust, authority.as_operator(), &authority, &[(account.as_str(), NOW)]);
    assert!(matches!(signed.verify(&trust, NOW), Err(TokenError::Revoked { .. })));
}

#[test]
fn an_account_revokes_what_is_its_own_only() {
    let authority = Authority::new();
    let sibling = authority.sibling();
    let [user, account] = [authority.user.public(), authority.account.public()];
    let signed = authority.signed_link();
    let id = signed.peek().unwrap().id;
    let key = authority.link().key.to_string();
    let operator = authority.operator.public();
    let what: Vec<(&str, Timestamp)> =
        [&user, &account, &id, &key, &operator].map(|what| (what.as_str(), after(9))).into();
    let trust = revoking(&authority.trust(), sibling.as_account(), &sibling, &what);
    assert!(signed.verify(&trust, NOW).is_ok());
}

#[test]
fn an_operator_does_not_reach_into_its_accounts() {
    let authority = Authority::new();
    let [user, host] = [authority.user.public(), authority.host.public()];
    let id = authority.signed_link().peek().unwrap().id;
    let what = [(user.as_str(), NOW), (host.as_str(), NOW), (id.as_str(), NOW)];
    let trust = revoking(&authority.trust(), authority.as_operator(), &authority, &what);
    assert!(authority.signed_link().verify(&trust, NOW).is_ok());
}

#[test]
fn a_list_grows_and_never_shrinks() {
    let authority = Authority::new();
    let mut trust = authority.trust();
    let signed = authority.signed_link();
    let user = authority.user.public();
    let issuer = || authority.as_account();
    let first = list(&trust, issuer(), &authority, 5, &[(&user, NOW)]);
    assert!(trust.revocations.insert(&first));
    assert!(!trust.revocations.insert(&first), "nothing new");

    let shorter = list(&trust, issuer(), &authority, 6, &[]);
    assert!(trust.revocations.insert(&shorter));
    let earlier = list(&trust, issuer(), &authority, 7, &[(&user, Timestamp::from_secs(1))]);
    assert!(trust.revocations.insert(&earlier));
    assert!(matches!(signed.verify(&trust, NOW), Err(TokenError::Revoked { .. })));

    let old = list(&trust, issuer(), &authority, 2, &[]);
    assert!(!trust.revocations.insert(&old));
    assert_eq!(trust.revocations.generation(&authority.account.public()), Some(7));
    assert_eq!(trust.revocations.generation(&authority.operator.public()), None);
}

#[test]
fn a_list_does_not_take_itself_back() {
    let authority = Authority::new();
    let account = authority.account.public();
    // All that the account signed until now; the list is signed in the same second.
    let trust =
        revoking(&authority.trust(), authority.as_account(), &authority, &[(&account, NOW)]);
    assert!(matches!(authority.signed_link().verify(&trust, NOW), Err(TokenError::Revoked { .. })));
    let again = list(&trust, authority.as_account(), &authority, 2, &[]);
    assert_eq!(again.issuer, account);
}

#[test]
fn a_list_outlives_the_chain_that_it_was_signed_under() {
    let authority = Authority::new();
    let claims = AccountClaims { name: "a".into() };
    let mut draft = authority.draft(authority.account.public(), claims);
    draft.expires = Some(after(10));
    let short_lived = draft.sign(authority.as_operator(), NOW).unwrap();
    let issuer = Issuer { key: &authority.account, token: Some(short_lived.text()) };
    let user = authority.user.public();
    let revoked = [(user, NOW.as_secs())].into();
    let list = authority
        .draft(authority.account.public(), Revocations { generation: 1, revoked })
        .sign(issuer, NOW)
        .unwrap();

    // A host that boots after the account's token was renewed still knows what was taken back.
    let mut trust = authority.trust();
    let late = after(1_000_000);
    trust.revocations.insert(&list.verify(&trust, late).unwrap());
    assert!(matches!(
        authority.signed_link().verify(&trust, late),
        Err(TokenError::Revoked { .. })
    ));
    assert!(list.verify(&trust, before(61)).is_err(), "but it does have a beginning");
}
