//! Who this wadm is: a host of an account, whose claims say that it may be wadm.

use std::{collections::BTreeSet, sync::Arc, time::Duration};

use parking_lot::RwLock;
use wattle_claims::{
    Audience, Body, Draft, HostClaims, Issuer, KeyPair, Revocations, RevokedSet, Right, SignError,
    Signed, Timestamp, TokenError, Trust, Verified,
};
use wattle_core::{AccountKey, HostKey, OperatorKey};
use wattle_lattice::Lattice;

/// Something could not be signed.
#[derive(Debug, thiserror::Error)]
#[error("cannot sign: {0}")]
pub(super) struct SignFailed(#[from] SignError);

/// What a wadm is started with.
pub struct AgentConfig {
    /// A connection to the lattice, of its own.
    pub lattice: Lattice,
    /// The key that it signs with: a host's.
    pub key: KeyPair,
    /// The token that says whose host it is, with [`Right::Wadm`].
    pub token: String,
    /// Whom it trusts.
    pub operators: BTreeSet<OperatorKey>,
    /// Whom else.
    pub accounts: BTreeSet<AccountKey>,
}

/// Why there is no wadm here.
#[derive(Debug, thiserror::Error)]
pub enum AgentError {
    /// Its own claims do not hold.
    #[error("wadm's claims do not hold: {0}")]
    Claims(#[from] TokenError),
    /// They do not allow it.
    #[error("the claims of host {0} do not say that it may be wadm")]
    NotAllowed(HostKey),
}

/// A cheap handle on who we are.
#[derive(Clone)]
pub(super) struct Identity {
    pub(super) lattice: Lattice,
    pub(super) host: HostKey,
    pub(super) account: AccountKey,
    audience: Audience,
    key: Arc<KeyPair>,
    token: Arc<str>,
    trust: Arc<RwLock<Trust>>,
}

impl Identity {
    pub(super) fn establish(config: AgentConfig) -> Result<Self, AgentError> {
        let AgentConfig { lattice, key, token, operators, accounts } = config;
        let revocations = RevokedSet::default();
        let trust = Trust { operators, accounts, lattice: lattice.name().clone(), revocations };
        let signed = Signed::<HostClaims>::parse(&token)?;
        let now = Timestamp::now().max(signed.peek()?.issued_at);
        let claims: Verified<HostClaims> = signed.verify(&trust, now)?;
        let host: HostKey = claims.subject.parse().expect("a host's claims are about a host's key");
        if !claims.body.rights.contains(&Right::Wadm) {
            return Err(AgentError::NotAllowed(host));
        }
        let audience =
            Audience { lattice: Some(lattice.name().clone()), ..claims.audience.clone() };
        Ok(Self {
            host,
            account: claims.account().clone(),
            audience,
            lattice,
            key: Arc::new(key),
            token: token.into(),
            trust: Arc::new(RwLock::new(trust)),
        })
    }

    pub(super) fn trust(&self) -> Trust {
        self.trust.read().clone()
    }

    /// Learns what was revoked. True if anything is new.
    pub(super) fn revoke(&self, list: &Verified<Revocations>) -> bool {
        self.trust.write().revocations.insert(list)
    }

    pub(super) fn now(&self) -> Timestamp {
        Timestamp::now()
    }

    pub(super) fn sign<B: Body>(&self, subject: String, body: B) -> Result<String, SignFailed> {
        self.sign_for(subject, body, None)
    }

    /// Signs what holds for so long.
    pub(super) fn sign_for<B: Body>(
        &self,
        subject: String,
        body: B,
        lasts: Option<Duration>,
    ) -> Result<String, SignFailed> {
        let now = self.now();
        let draft = Draft {
            subject,
            audience: self.audience.clone(),
            not_before: None,
            expires: lasts.map(|lasts| now.plus(lasts)),
            body,
        };
        let issuer = Issuer { key: &self.key, token: Some(&self.token) };
        Ok(draft.sign(issuer, now)?.text().to_owned())
    }
}
