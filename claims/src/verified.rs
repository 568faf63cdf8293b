//! Tokens that hold.

use std::{collections::BTreeSet, ops::Deref};

use serde::{Serialize, de::IgnoredAny};
use wattle_core::{AccountKey, HostKey, UserKey, control::Command};

use crate::{
    About, Audience, Body, Claims, Right, Timestamp, TokenError, TokenKind, Trust, UnderAccount,
    UserClaims,
    chain::{self, Issuers},
    compact::{self, Payload},
};

/// A token that holds: signed by whom it says, by someone who may, under a trusted key. Only [`crate::Signed::verify`] makes one.
#[derive(Clone, Debug)]
pub struct Verified<B> {
    claims: Claims<B>,
    chain: Vec<ChainStep>,
    account: Option<AccountKey>,
    user: Option<(UserKey, UserClaims)>,
    rights: BTreeSet<Right>,
    text: Box<str>,
}

/// One token of a chain.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct ChainStep {
    /// What it is.
    pub kind: TokenKind,
    /// Its id (`jti`).
    pub id: String,
    /// Whom or what it is about.
    pub subject: String,
    /// Who signed it.
    pub issuer: String,
    /// What people call the subject, where its kind has a name.
    pub name: Option<String>,
    /// For whom it is meant.
    pub audience: Audience,
    /// When it was signed.
    pub issued_at: Timestamp,
    /// From when on it holds.
    pub not_before: Option<Timestamp>,
    /// Until when it holds.
    pub expires: Option<Timestamp>,
}

impl<B: Body> Verified<B> {
    /// Verifies a text. What is cheap comes first: only a chain that names a trusted key costs the time of signatures, and only
    /// behind right signatures is the body read.
    pub(crate) fn check(text: &str, trust: &Trust, now: Timestamp) -> Result<Self, TokenError> {
        let parts = compact::split(text)?;
        let part = compact::leaf(&parts);
        let leaf: Payload<IgnoredAny> = part.payload(B::KIND)?;
        let issuers = chain::issuers(&parts[1..], &leaf.iss)?;
        let mut chain = vec![ChainStep::of(&leaf, None)];
        chain.extend(issuers.steps.iter().cloned());

        trust.anchor(&chain)?;
        for step in &chain {
            chain::check_step(step, &issuers)?;
        }
        for (part, step) in parts.iter().zip(&chain) {
            if !part.is_signed_by(&step.issuer) {
                return Err(TokenError::Signature { of: step.kind });
            }
        }
        let account = chain::account(&chain);
        let claims = Claims::from(part.payload::<B>(B::KIND)?);
        let (subject, issuer) = (claims.subject.as_str(), claims.issuer.as_str());
        claims.body.check(&About { subject, issuer, account: account.as_ref() })?;
        // Last, so that what is only too early, or over, is right otherwise.
        trust.check(&chain, account.as_ref(), now)?;
        chain[0].name = claims.body.name().map(str::to_owned);
        let Issuers { user, rights, .. } = issuers;
        Ok(Self { claims, chain, account, user, rights, text: text.into() })
    }

    /// The user token's claims, if a user signed.
    pub fn user(&self) -> Option<&UserClaims> {
        self.user.as_ref().map(|(_, claims)| claims)
    }

    /// The user's key, if a user signed.
    pub fn user_key(&self) -> Option<&UserKey> {
        self.user.as_ref().map(|(key, _)| key)
    }

    /// The tokens of the chain, the leaf first.
    pub fn chain(&self) -> &[ChainStep] {
        &self.chain
    }

    /// What the user or the host that signed may do.
    pub fn issuer_rights(&self) -> &BTreeSet<Right> {
        &self.rights
    }

    /// When the first token of the chain expires.
    pub fn valid_until(&self) -> Option<Timestamp> {
        self.chain.iter().filter_map(|step| step.expires).min()
    }

    /// Whether it still holds: time and revocation again, and whom we trust, but no signatures.
    pub fn standing(&self, trust: &Trust, now: Timestamp) -> Result<(), TokenError> {
        trust.check(&self.chain, self.account.as_ref(), now)
    }

    /// The whole text, chain included.
    pub fn text(&self) -> &str {
        &self.text
    }
}

impl<B: UnderAccount> Verified<B> {
    /// The account whose chain it hangs on.
    pub fn account(&self) -> &AccountKey {
        self.account
            .as_ref()
            .expect("the kinds of tokens under an account are verified to have one")
    }
}

impl Verified<Command> {
    /// Whether who commands has this right: a user by the user's token, the account itself by being the account. A host, which
    /// commands as wadm, has none of a user's.
    pub fn may(&self, right: Right) -> bool {
        !self.is_by_wadm() && self.user().is_none_or(|user| user.rights.contains(&right))
    }

    /// Whether a host commands: as wadm, since no other may.
    pub fn is_by_wadm(&self) -> bool {
        self.chain.first().is_some_and(|leaf| leaf.issuer.starts_with(HostKey::PREFIX))
    }
}

impl ChainStep {
    pub(crate) fn of<B>(payload: &Payload<B>, name: Option<&str>) -> Self {
        Self {
            kind: payload.typ,
            id: payload.jti.clone(),
            subject: payload.sub.clone(),
            issuer: payload.iss.clone(),
            name: name.map(str::to_owned),
            audience: payload.aud.clone(),
            issued_at: payload.iat,
            not_before: payload.nbf,
            expires: payload.exp,
        }
    }
}

impl<B> Deref for Verified<B> {
    type Target = Claims<B>;

    fn deref(&self) -> &Claims<B> {
        &self.claims
    }
}
