use std::time::Duration;

use wattle_claims::{
    AccountClaims, Issuer, LEEWAY, LinkRecord, Right, Signed, Timestamp, TokenError, TokenKind,
    UserClaims,
};

use crate::authority::{Authority, NOW, after, before, verify};

/// A link of a user whose token and own token hold between these times.
fn link(
    authority: &Authority,
    user: (Option<Timestamp>, Option<Timestamp>),
    leaf: (Option<Timestamp>, Option<Timestamp>),
) -> Signed<LinkRecord> {
    let claims = UserClaims { name: "u".into(), rights: [Right::Link].into() };
    let mut draft = authority.draft(authority.user.public(), claims);
    (draft.not_before, draft.expires) = user;
    let token = draft.sign(authority.as_account(), NOW).unwrap();
    let record = authority.link();
    let mut draft = authority.draft(record.key.to_string(), record);
    (draft.not_before, draft.expires) = leaf;
    draft.sign(Issuer { key: &authority.user, token: Some(token.text()) }, NOW).unwrap()
}

#[test]
fn a_token_ends_a_leeway_after_its_expiry() {
    let authority = Authority::new();
    let trust = authority.trust();
    let at = after(1_000);
    let signed = link(&authority, (None, None), (None, Some(at)));
    let last = at.plus(LEEWAY - Duration::from_secs(1));
    let verified = signed.verify(&trust, last).unwrap();
    assert_eq!(
        signed.verify(&trust, at.plus(LEEWAY)).unwrap_err(),
        TokenError::Expired { of: TokenKind::Link, at }
    );
    // One that was verified before ends just the same.
    assert_eq!(verified.standing(&trust, last), Ok(()));
    assert_eq!(
        verified.standing(&trust, at.plus(LEEWAY)),
        Err(TokenError::Expired { of: TokenKind::Link, at })
    );
}

#[test]
fn a_token_starts_a_leeway_before_its_time() {
    let authority = Authority::new();
    let trust = authority.trust();
    let at = after(1_000);
    let signed = link(&authority, (None, None), (Some(at), None));
    assert!(signed.verify(&trust, after(940)).is_ok());
    assert_eq!(
        signed.verify(&trust, after(939)).unwrap_err(),
        TokenError::NotYetValid { of: TokenKind::Link, at }
    );
}

#[test]
fn a_token_from_the_future_is_refused() {
    let authority = Authority::new();
    let signed = authority.signed_link();
    assert!(signed.verify(&authority.trust(), before(60)).is_ok());
    // All of its chain is as old; the leaf is looked at last.
    assert_eq!(
        signed.verify(&authority.trust(), before(61)).unwrap_err(),
        TokenError::NotYetValid { of: TokenKind::Operator, at: NOW }
    );
    // An early not-before does not help.
    let signed = link(&authority, (None, None), (Some(before(10_000)), None));
    assert!(signed.verify(&authority.trust(), before(61)).is_err());
}

#[test]
fn a_token_holds_no_longer_than_what_it_hangs_on() {
    let authority = Authority::new();
    let trust = authority.trust();
    let at = after(100);
    let signed = link(&authority, (None, Some(at)), (None, Some(after(1_000_000))));
    let verified = signed.verify(&trust, after(159)).unwrap();
    assert_eq!(verified.valid_until(), Some(at));
    let expired = TokenError::Expired { of: TokenKind::User, at };
    assert_eq!(signed.verify(&trust, after(160)).unwrap_err(), expired);
    assert_eq!(verified.standing(&trust, after(160)), Err(expired));
}

#[test]
fn a_token_holds_no_sooner_than_what_it_hangs_on() {
    let authority = Authority::new();
    let at = after(1_000);
    let signed = link(&authority, (Some(at), None), (None, None));
    assert_eq!(
        signed.verify(&authority.trust(), after(500)).unwrap_err(),
        TokenError::NotYetValid { of: TokenKind::User, at }
    );
}

#[test]
fn an_expired_account_ends_everything_below_it() {
    let authority = Authority::new();
    let claims = AccountClaims { name: "a".into() };
    let mut draft = authority.draft(authority.account.public(), claims);
    draft.expires = Some(after(10));
    let account = draft.sign(authority.as_operator(), NOW).unwrap();
    let leaf_and_user: Vec<String> =
        authority.signed_link().text().split('~').take(2).map(str::to_owned).collect();
    let text = format!("{}~{}", leaf_and_user.join("~"), account.text());
    assert!(verify::<LinkRecord>(&text, &authority.trust(), after(69)).is_ok());
    assert_eq!(
        verify::<LinkRecord>(&text, &authority.trust(), after(70)).unwrap_err(),
        TokenError::Expired { of: TokenKind::Account, at: after(10) }
    );
}

#[test]
fn the_end_of_time_is_a_time() {
    let authority = Authority::new();
    let end = Timestamp::from_secs(u64::MAX);
    let signed = link(&authority, (None, None), (None, Some(end)));
    assert!(signed.verify(&authority.trust(), after(1)).is_ok());
    let signed = link(&authority, (None, None), (Some(end), None));
    assert!(matches!(signed.verify(&authority.trust(), NOW), Err(TokenError::NotYetValid { .. })));
    let signed = link(&authority, (None, None), (None, Some(Timestamp::from_secs(0))));
    assert!(matches!(signed.verify(&authority.trust(), NOW), Err(TokenError::Expired { .. })));
}

#[test]
fn standing_notices_that_trust_has_ended() {
    let authority = Authority::new();
    let mut trust = authority.trust();
    let verified = authority.signed_link().verify(&trust, NOW).unwrap();
    trust.operators.clear();
    assert!(matches!(verified.standing(&trust, NOW), Err(TokenError::Untrusted { .. })));
}
