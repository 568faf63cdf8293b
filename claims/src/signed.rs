//! Tokens as they come: parsed, not believed.

use std::{fmt, marker::PhantomData};

use serde::Serialize;

use crate::{
    Audience, Body, ChainStep, Timestamp, TokenError, TokenKind, Trust, Verified, chain,
    compact::{self, Payload},
};

/// A token text of the right form, which may still be anyone's.
pub struct Signed<B> {
    text: Box<str>,
    body: PhantomData<fn() -> B>,
}

/// What a token says.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct Claims<B> {
    /// The token's id (`jti`).
    pub id: String,
    /// The key that signed it (`iss`).
    pub issuer: String,
    /// Whom or what it is about (`sub`).
    pub subject: String,
    /// For whom it is meant (`aud`).
    pub audience: Audience,
    /// When it was signed (`iat`).
    pub issued_at: Timestamp,
    /// From when on it holds (`nbf`).
    pub not_before: Option<Timestamp>,
    /// Until when it holds (`exp`).
    pub expires: Option<Timestamp>,
    /// What it carries.
    pub body: B,
}

/// The kind that the token's leaf claims to be, unverified: to pick the type to parse it as.
pub fn peek_kind(text: &str) -> Result<TokenKind, TokenError> {
    compact::leaf(&compact::split(text)?).kind()
}

impl<B: Body> Signed<B> {
    /// Takes a text whose form, length and algorithm are right. Nothing it says is believed yet.
    pub fn parse(text: &str) -> Result<Self, TokenError> {
        compact::split(text)?;
        Ok(Self { text: text.into(), body: PhantomData })
    }

    /// The whole text, chain included.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// What the leaf says, **unverified**: for showing, never for deciding.
    pub fn peek(&self) -> Result<Claims<B>, TokenError> {
        let parts = compact::split(&self.text)?;
        compact::leaf(&parts).payload(B::KIND).map(Claims::from)
    }

    /// The leaf and its issuers, **unverified**: for showing, never for deciding.
    pub fn peek_chain(&self) -> Result<Vec<ChainStep>, TokenError> {
        let parts = compact::split(&self.text)?;
        let leaf: Payload<B> = compact::leaf(&parts).payload(B::KIND)?;
        let issuers = chain::issuers(&parts[1..], &leaf.iss)?;
        Ok([ChainStep::of(&leaf, leaf.body.name())].into_iter().chain(issuers.steps).collect())
    }

    /// Checks every token of the text (signature, issuer, audience, time, revocation) and that the chain reaches a trusted key.
    pub fn verify(&self, trust: &Trust, now: Timestamp) -> Result<Verified<B>, TokenError> {
        Verified::check(&self.text, trust, now)
    }
}

impl<B> From<Payload<B>> for Claims<B> {
    fn from(payload: Payload<B>) -> Self {
        Self {
            id: payload.jti,
            issuer: payload.iss,
            subject: payload.sub,
            audience: payload.aud,
            issued_at: payload.iat,
            not_before: payload.nbf,
            expires: payload.exp,
            body: payload.body,
        }
    }
}

impl<B> Clone for Signed<B> {
    fn clone(&self) -> Self {
        Self { text: self.text.clone(), body: PhantomData }
    }
}

impl<B> fmt::Debug for Signed<B> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Signed").field(&crate::error::shortened(&self.text)).finish()
    }
}
