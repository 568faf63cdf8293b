//! Making tokens.

use crate::{Audience, Body, KeyPair, Signed, Timestamp, TokenError};

/// What a token will say.
#[derive(Clone, Debug)]
pub struct Draft<B> {
    /// Whom or what it is about; the body's documentation says what belongs here.
    pub subject: String,
    /// For whom it is meant.
    pub audience: Audience,
    /// From when on it holds; none means at once.
    pub not_before: Option<Timestamp>,
    /// Until when it holds; none means until what it hangs on ends, or it is revoked.
    pub expires: Option<Timestamp>,
    /// What it carries.
    pub body: B,
}

/// Who signs.
#[derive(Clone, Copy, Debug)]
pub struct Issuer<'a> {
    /// The key that signs.
    pub key: &'a KeyPair,
    /// The token text that says who the key is, with its own chain; none where the key is an operator's or trusted directly.
    pub token: Option<&'a str>,
}

/// Why a token was not signed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SignError {
    /// The issuer's own token is not one.
    #[error("the issuer's token does not hold: {0}")]
    Issuer(#[source] TokenError),
    /// The issuer's own token is about another key.
    #[error("the issuer's token is about {found}, not about {key}")]
    OtherKey {
        /// The key that would sign.
        key: String,
        /// Whom the token is about.
        found: String,
    },
    /// A user or host signs, and nothing says whose.
    #[error("{key} needs the token that says whose it is")]
    NoToken {
        /// The key that would sign.
        key: String,
    },
    /// Nobody would take the token.
    #[error(transparent)]
    Refused(#[from] TokenError),
    /// The body is not JSON, or signing failed.
    #[error("cannot sign: {0}")]
    Encoding(String),
}

impl<B: Body> Draft<B> {
    /// Signs the draft, issued `now`, under a new random id. What no verifier would take is refused here already.
    pub fn sign(self, _issuer: Issuer<'_>, _now: Timestamp) -> Result<Signed<B>, SignError> {
        unimplemented!()
    }
}
