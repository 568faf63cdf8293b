//! The chain behind a leaf: who says that its issuer is who it is, up to the last who says so.

use std::collections::BTreeSet;

use serde::Deserialize;
use wattle_core::{AccountKey, UserKey};

use crate::{
    ChainStep, KeyKind, Right, TokenError, TokenKind, UserClaims,
    body::check_label,
    compact::Compact,
    error::shortened,
    issue::{kind_about, may_issue, subject_fits},
};

/// The tokens behind a leaf.
#[derive(Default)]
pub(crate) struct Issuers {
    /// They, the leaf's issuer first.
    pub(crate) steps: Vec<ChainStep>,
    /// The user among them. There is one at most, the leaf's own issuer, since users issue nobody.
    pub(crate) user: Option<(UserKey, UserClaims)>,
    /// The rights of the leaf's issuer, if it is a user or a host.
    pub(crate) rights: BTreeSet<Right>,
}

/// What the tokens of those who issue have in common.
#[derive(Deserialize)]
struct IssuerBody {
    name: String,
    #[serde(default)]
    rights: BTreeSet<Right>,
}

/// Reads the tokens behind a leaf that `issuer` signed: each must be about the key that signed the one before it.
pub(crate) fn issuers(parts: &[Compact<'_>], issuer: &str) -> Result<Issuers, TokenError> {
    let mut issuers = Issuers::default();
    let mut issuer = issuer.to_owned();
    for part in parts {
        if issuers.steps.last().is_some_and(|step| step.kind == TokenKind::Operator) {
            return Err(TokenError::Malformed("a token behind an operator's own".into()));
        }
        let kind = KeyKind::of(&issuer).and_then(kind_about).ok_or_else(|| {
            TokenError::Malformed(format!("{:?} issues nothing", shortened(&issuer)))
        })?;
        let payload = part.payload::<IssuerBody>(kind)?;
        if payload.sub != issuer {
            return Err(TokenError::Chain { issuer, found: shortened(&payload.sub) });
        }
        check_label(kind, &payload.body.name)?;
        issuers.steps.push(ChainStep::of(&payload, Some(&payload.body.name)));
        let IssuerBody { name, rights } = payload.body;
        if matches!(kind, TokenKind::User | TokenKind::Host) && issuers.steps.len() == 1 {
            issuers.rights.clone_from(&rights);
        }
        if let (TokenKind::User, Ok(key)) = (kind, payload.sub.parse()) {
            issuers.user = Some((key, UserClaims { name, rights }));
        }
        issuer = payload.iss;
    }
    Ok(issuers)
}

/// Whether a token of this kind may be about its subject and signed by its issuer.
pub(crate) fn check_step(step: &ChainStep, issuers: &Issuers) -> Result<(), TokenError> {
    subject_fits(step.kind, &step.subject).map_err(|why| TokenError::Subject {
        of: step.kind,
        subject: shortened(&step.subject),
        why,
    })?;
    let refused =
        |why| TokenError::IssuerMayNot { issuer: shortened(&step.issuer), kind: step.kind, why };
    let issuer = KeyKind::of(&step.issuer).ok_or_else(|| refused("that is not a key"))?;
    let none = BTreeSet::new();
    let by_first = issuers.steps.first().is_some_and(|first| first.subject == step.issuer);
    let rights = if by_first { &issuers.rights } else { &none };
    may_issue(step.kind, issuer, rights).map_err(refused)?;
    if step.kind == TokenKind::Operator && step.subject != step.issuer {
        return Err(refused("an operator signs itself"));
    }
    Ok(())
}

/// The account that a chain hangs on; none for an operator's own tokens.
pub(crate) fn account(chain: &[ChainStep]) -> Option<AccountKey> {
    let leaf = chain.first()?;
    match leaf.kind {
        TokenKind::Account => leaf.subject.parse().ok(),
        _ => chain.iter().find_map(|step| step.issuer.parse().ok()),
    }
}
