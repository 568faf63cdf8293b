//! Signing what runs: components and provider artifacts, with the project's account.

pub(crate) mod component;
pub(crate) mod provider;

use std::time::Duration;

use anyhow::Context;
use wattle_claims::{
    AccountClaims, Audience, Body, Draft, OperatorClaims, Signed, Timestamp, TokenKind, UserClaims,
    peek_kind,
};
use wattle_core::{Name, OperatorKey};

use crate::project::keys::Signer;

/// Signs for every lattice of the signer's operator.
pub(crate) fn sign<B: Body>(
    signer: &Signer,
    subject: String,
    body: B,
    lasts: Option<Duration>,
) -> anyhow::Result<Signed<B>> {
    let now = Timestamp::now();
    let draft = Draft {
        subject,
        audience: Audience { operator: operator_of(signer)?, lattice: None },
        not_before: None,
        expires: lasts.map(|lasts| now.plus(lasts)),
        body,
    };
    Ok(draft.sign(signer.issuer(), now)?)
}

/// The operator that a signer's chain hangs on.
pub(crate) fn operator_of(signer: &Signer) -> anyhow::Result<OperatorKey> {
    let claims = match peek_kind(&signer.token)? {
        TokenKind::Operator => Signed::<OperatorClaims>::parse(&signer.token)?.peek()?.audience,
        TokenKind::User => Signed::<UserClaims>::parse(&signer.token)?.peek()?.audience,
        _ => Signed::<AccountClaims>::parse(&signer.token)?.peek()?.audience,
    };
    Ok(claims.operator)
}

/// A name from whatever something is called: `HTTP_Hello` is `http-hello`.
pub(crate) fn name_like(text: &str) -> anyhow::Result<Name> {
    let name: String = text
        .chars()
        .map(|c| if c.is_ascii_alphanumeric() { c.to_ascii_lowercase() } else { '-' })
        .take(wattle_core::name::NAME_LEN_MAX)
        .collect();
    name.trim_matches('-').parse().with_context(|| format!("no name can be made of {text:?}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_made_of_what_something_is_called() {
        assert_eq!(name_like("HTTP_Hello").expect("a name").as_str(), "http-hello");
        assert_eq!(name_like("-x.y-").expect("a name").as_str(), "x-y");
        assert!(name_like("??").is_err());
    }
}
