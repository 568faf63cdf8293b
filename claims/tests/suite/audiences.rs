use proptest::prelude::*;
use wattle_claims::{
    AccountClaims, Audience, Issuer, KeyKind, KeyPair, LinkRecord, Signed, TokenError, UserClaims,
};

use crate::authority::{Authority, NOW, audience, verify};

fn link_for(authority: &Authority, audience: Audience) -> Signed<LinkRecord> {
    let link = authority.link();
    let mut draft = authority.draft(link.key.to_string(), link);
    draft.audience = audience;
    draft.sign(authority.as_user(), NOW).unwrap()
}

#[test]
fn a_token_for_another_lattice_is_refused() {
    let authority = Authority::new();
    let found = Audience { lattice: Some("work".parse().unwrap()), ..authority.audience() };
    let signed = link_for(&authority, found.clone());
    for trust in [authority.trust(), authority.direct_trust()] {
        assert_eq!(
            signed.verify(&trust, NOW).unwrap_err(),
            TokenError::Audience { found: found.clone() }
        );
    }
}

#[test]
fn a_token_for_all_lattices_of_the_operator_is_taken() {
    let authority = Authority::new();
    let signed = link_for(&authority, Audience { lattice: None, ..authority.audience() });
    assert!(signed.verify(&authority.trust(), NOW).is_ok());
}

#[test]
fn a_token_for_another_operator_is_refused() {
    let authority = Authority::new();
    let found = audience(&KeyPair::generate(KeyKind::Operator));
    let signed = link_for(&authority, found);
    for trust in [authority.trust(), authority.direct_trust()] {
        // Where only the account is trusted, the chain still has to agree with itself.
        let error = signed.verify(&trust, NOW).unwrap_err();
        assert!(matches!(error, TokenError::Audience { .. }), "{error}");
    }
}

#[test]
fn a_token_of_one_trusted_operators_account_for_the_other_is_refused() {
    let (authority, other) = (Authority::new(), Authority::new());
    let mut trust = authority.trust();
    trust.operators.extend(other.trust().operators);
    assert!(authority.signed_link().verify(&trust, NOW).is_ok());
    assert!(other.signed_link().verify(&trust, NOW).is_ok());

    let error = link_for(&authority, other.audience()).verify(&trust, NOW).unwrap_err();
    assert!(matches!(error, TokenError::Audience { .. }), "{error}");
    // Not even the operator itself may sign for the other's lattices.
    let claims = AccountClaims { name: "mole".into() };
    let key = KeyPair::generate(KeyKind::Account);
    let mut draft = authority.draft(key.public(), claims);
    draft.audience = other.audience();
    let signed = draft.sign(Issuer { key: &authority.operator, token: None }, NOW).unwrap();
    let error = signed.verify(&trust, NOW).unwrap_err();
    assert_eq!(error, TokenError::Audience { found: other.audience() });
}

#[test]
fn every_token_of_the_chain_is_meant_for_this_lattice() {
    let authority = Authority::new();
    let audience = Audience { lattice: Some("work".parse().unwrap()), ..authority.audience() };
    let claims = UserClaims { name: "u".into(), rights: [wattle_claims::Right::Link].into() };
    let mut draft = authority.draft(authority.user.public(), claims);
    draft.audience = audience.clone();
    let user = draft.sign(authority.as_account(), NOW).unwrap();
    let link = authority.link();
    let issuer = Issuer { key: &authority.user, token: Some(user.text()) };
    let signed = authority.draft(link.key.to_string(), link).sign(issuer, NOW).unwrap();
    assert_eq!(
        verify::<LinkRecord>(signed.text(), &authority.trust(), NOW).unwrap_err(),
        TokenError::Audience { found: audience }
    );
}

#[test]
fn an_audience_has_one_spelling() {
    let operator = KeyPair::generate(KeyKind::Operator).public();
    let account = KeyPair::generate(KeyKind::Account).public();
    for good in [format!("{operator}/home"), format!("{operator}/*")] {
        assert_eq!(good.parse::<Audience>().unwrap().to_string(), good);
    }
    for bad in [
        "",
        "/",
        "*",
        &operator,
        &format!("{operator}/"),
        &format!("{operator}/Home"),
        &format!("{operator}/a/b"),
        &format!("{operator}/**"),
        &format!("{account}/home"),
        "*/home",
    ] {
        assert!(bad.parse::<Audience>().is_err(), "{bad}");
    }
}

proptest! {
    #[test]
    fn any_text_is_an_audience_or_a_refusal(text in ".{0,80}") {
        if let Ok(audience) = text.parse::<Audience>() {
            prop_assert_eq!(audience.to_string(), text);
        }
    }
}
