//! Tokens that hold.

use std::ops::Deref;

use wattle_core::{AccountKey, UserKey};

use crate::{Body, Claims, Timestamp, TokenError, TokenKind, Trust, UnderAccount, UserClaims};

/// A token that holds: signed by whom it says, by someone who may, under a trusted key. Only [`crate::Signed::verify`] makes one.
#[derive(Clone, Debug)]
pub struct Verified<B> {
    claims: Claims<B>,
    chain: Vec<ChainStep>,
    account: Option<AccountKey>,
    user: Option<(UserKey, UserClaims)>,
    text: Box<str>,
}

/// One token of a chain.
#[derive(Clone, Debug, PartialEq, Eq)]
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
    /// When it was signed.
    pub issued_at: Timestamp,
    /// From when on it holds.
    pub not_before: Option<Timestamp>,
    /// Until when it holds.
    pub expires: Option<Timestamp>,
}

impl<B: Body> Verified<B> {
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

    /// When the first token of the chain expires.
    pub fn valid_until(&self) -> Option<Timestamp> {
        self.chain.iter().filter_map(|step| step.expires).min()
    }

    /// Whether it still holds: time and revocation again, and whom we trust, but no signatures.
    pub fn standing(&self, _trust: &Trust, _now: Timestamp) -> Result<(), TokenError> {
        unimplemented!()
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

impl<B> Deref for Verified<B> {
    type Target = Claims<B>;

    fn deref(&self) -> &Claims<B> {
        &self.claims
    }
}
