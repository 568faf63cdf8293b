//! Making tokens.

use crate::{
    About, Audience, Body, KeyKind, KeyPair, Signed, Timestamp, TokenError,
    chain::{self, Issuers},
    compact::{self, Payload, SEPARATOR},
    verified::ChainStep,
};

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
    pub fn sign(self, issuer: Issuer<'_>, now: Timestamp) -> Result<Signed<B>, SignError> {
        let issuers = issuer.check()?;
        let payload = Payload {
            jti: format!("{:032x}", rand::random::<u128>()),
            iat: now,
            nbf: self.not_before,
            exp: self.expires,
            iss: issuer.key.public(),
            sub: self.subject,
            aud: self.audience,
            typ: B::KIND,
            body: self.body,
        };
        check_leaf(&payload, &issuers)?;
        let jwt = compact::encode(&payload, issuer.key)
            .map_err(|error| SignError::Encoding(error.to_string()))?;
        let text = match issuer.token {
            Some(token) => format!("{jwt}{SEPARATOR}{token}"),
            None => jwt,
        };
        Ok(Signed::parse(&text)?)
    }
}

/// The rules that a leaf must keep wherever it is read, whoever is trusted there.
fn check_leaf<B: Body>(payload: &Payload<B>, issuers: &Issuers) -> Result<(), TokenError> {
    let leaf = ChainStep::of(payload, payload.body.name());
    chain::check_step(&leaf, issuers)?;
    let chain: Vec<ChainStep> = [leaf].into_iter().chain(issuers.steps.iter().cloned()).collect();
    let account = chain::account(&chain);
    let (subject, issuer) = (payload.sub.as_str(), payload.iss.as_str());
    payload.body.check(&About { subject, issuer, account: account.as_ref() })
}

impl Issuer<'_> {
    /// What the issuer's token says, which must be about the key.
    fn check(&self) -> Result<Issuers, SignError> {
        let public = self.key.public();
        let Some(token) = self.token else {
            return match self.key.kind() {
                KeyKind::User | KeyKind::Host => Err(SignError::NoToken { key: public }),
                _ => Ok(Issuers::default()),
            };
        };
        let parts = compact::split(token).map_err(SignError::Issuer)?;
        chain::issuers(&parts, &public).map_err(SignError::Issuer)
    }
}
