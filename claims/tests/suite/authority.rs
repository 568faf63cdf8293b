//! An operator with an account, a user and a host, and the means to forge what they would never sign.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use serde_json::{Value, json};
use wattle_claims::{
    AccountClaims, Audience, Body, Draft, HostClaims, Issuer, KeyKind, KeyPair, LinkRecord,
    OperatorClaims, Record, RecordKey, RevokedSet, Right, Rollout, Signed, Timestamp, Trust,
    UserClaims, Verified,
};
use wattle_core::{
    AccountKey, Digest, Link, OperatorKey,
    control::ActorLimits,
    deployment::{Component, Deployment, Phase, Program, Scaler, Version},
    entity::{CodeKey, Identity, Party},
};

/// When everything is signed unless a test says otherwise.
pub(crate) const NOW: Timestamp = Timestamp::from_secs(1_800_000_000);
pub(crate) const HEADER: &str = r#"{"typ":"JWT","alg":"EdDSA"}"#;

/// The tokens of who issues, and their keys.
pub(crate) struct Authority {
    pub(crate) operator: KeyPair,
    pub(crate) account: KeyPair,
    pub(crate) user: KeyPair,
    pub(crate) host: KeyPair,
    pub(crate) operator_token: String,
    pub(crate) account_token: String,
    pub(crate) user_token: String,
    pub(crate) host_token: String,
}

impl Authority {
    pub(crate) fn new() -> Self {
        let operator = KeyPair::generate(KeyKind::Operator);
        let claims = OperatorClaims { name: "the operator".into() };
        let operator_token = draft(&operator, operator.public(), claims)
            .sign(Issuer { key: &operator, token: None }, NOW)
            .unwrap();
        Self::under(operator, operator_token.text())
    }

    /// Another account of the same operator, with a user and a host of its own.
    pub(crate) fn sibling(&self) -> Self {
        Self::under(KeyPair::from_seed(&self.operator.seed()).unwrap(), &self.operator_token)
    }

    fn under(operator: KeyPair, operator_token: &str) -> Self {
        let [account, user, host] =
            [KeyKind::Account, KeyKind::User, KeyKind::Host].map(KeyPair::generate);
        let issuer = Issuer { key: &operator, token: Some(operator_token) };
        let claims = AccountClaims { name: "the account".into() };
        let account_token =
            draft(&operator, account.public(), claims).sign(issuer, NOW).unwrap().text().to_owned();
        let issuer = Issuer { key: &account, token: Some(&account_token) };
        let rights = [Right::Control, Right::Link, Right::Config].into();
        let claims = UserClaims { name: "the user".into(), rights };
        let user_token = draft(&operator, user.public(), claims).sign(issuer, NOW).unwrap();
        let claims = HostClaims { name: "the-host".parse().unwrap(), rights: BTreeSet::new() };
        let host_token = draft(&operator, host.public(), claims).sign(issuer, NOW).unwrap();
        Self {
            user_token: user_token.text().to_owned(),
            host_token: host_token.text().to_owned(),
            operator_token: operator_token.to_owned(),
            account_token,
            operator,
            account,
            user,
            host,
        }
    }

    /// The same, with a host that may be wadm.
    pub(crate) fn with_wadm(mut self) -> Self {
        let claims = HostClaims { name: "the-host".parse().unwrap(), rights: [Right::Wadm].into() };
        let token = self.draft(self.host.public(), claims).sign(self.as_account(), NOW).unwrap();
        self.host_token = token.text().to_owned();
        self
    }

    /// A deployment of one actor that calls another one, which somebody else shares.
    pub(crate) fn deployment(&self, application: &str) -> Deployment {
        let link = link(&self.account_key());
        let id = |name: &str| format!("{application}/{name}").parse().unwrap();
        let program = Program {
            artifact: Digest::from_bytes([3; 32]),
            identity: link.source.identity.clone(),
            config: link.source_config.clone(),
            limits: ActorLimits::default(),
        };
        let scaler = Scaler::Spread { instances: 3, spread: vec![] };
        let component = Component { id: id("hello"), program, scaler, probe: None };
        let source = Party { id: id("hello"), ..link.source };
        let target = Party { id: "other/store".parse().unwrap(), ..link.target };
        let version = Version {
            name: "v1.0".parse().unwrap(),
            components: vec![component],
            uses: [target.id.clone()].into(),
            links: vec![Link { source, target, ..link }],
            shared: false,
            healthy_within_s: 60,
        };
        Deployment {
            application: application.parse().unwrap(),
            phase: Phase::Deployed,
            versions: vec![version],
            canary: None,
            is_return: false,
            end: None,
        }
    }

    pub(crate) fn rollout(&self) -> Rollout {
        Rollout {
            term: 7,
            generation: 1,
            version: "v1.0".parse().unwrap(),
            healthy: true,
            promoted: false,
            links: [Digest::from_bytes([4; 32])].into(),
            given_up: None,
        }
    }

    pub(crate) fn trust(&self) -> Trust {
        Trust {
            operators: [self.operator.public_key().unwrap()].into(),
            accounts: BTreeSet::new(),
            lattice: "home".parse().unwrap(),
            revocations: RevokedSet::default(),
        }
    }

    /// Trust in the account alone.
    pub(crate) fn direct_trust(&self) -> Trust {
        let accounts = [self.account.public_key().unwrap()].into();
        Trust { operators: BTreeSet::new(), accounts, ..self.trust() }
    }

    pub(crate) fn account_key(&self) -> AccountKey {
        self.account.public_key().unwrap()
    }

    pub(crate) fn audience(&self) -> Audience {
        audience(&self.operator)
    }

    pub(crate) fn draft<B: Body>(&self, subject: impl Into<String>, body: B) -> Draft<B> {
        draft(&self.operator, subject.into(), body)
    }

    pub(crate) fn as_operator(&self) -> Issuer<'_> {
        Issuer { key: &self.operator, token: Some(&self.operator_token) }
    }

    pub(crate) fn as_account(&self) -> Issuer<'_> {
        Issuer { key: &self.account, token: Some(&self.account_token) }
    }

    pub(crate) fn as_user(&self) -> Issuer<'_> {
        Issuer { key: &self.user, token: Some(&self.user_token) }
    }

    pub(crate) fn as_host(&self) -> Issuer<'_> {
        Issuer { key: &self.host, token: Some(&self.host_token) }
    }

    /// The record of a link from `hello` to `store`.
    pub(crate) fn link(&self) -> LinkRecord {
        let link = link(&self.account_key());
        let key = RecordKey::Link { account: self.account_key(), key: link.key() };
        Record { generation: 1, key, value: Some(link) }
    }

    /// That record, signed by the user.
    pub(crate) fn signed_link(&self) -> Signed<LinkRecord> {
        let link = self.link();
        self.draft(link.key.to_string(), link).sign(self.as_user(), NOW).unwrap()
    }

    /// The claims of a token as JSON, to be changed and forged.
    pub(crate) fn payload<B: Body>(&self, issuer: &KeyPair, subject: &str, body: B) -> Value {
        json!({
            "jti": "0123456789abcdef",
            "iat": NOW,
            "iss": issuer.public(),
            "sub": subject,
            "aud": self.audience(),
            "typ": B::KIND,
            "body": body,
        })
    }
}

pub(crate) fn audience(operator: &KeyPair) -> Audience {
    let operator: OperatorKey = operator.public_key().unwrap();
    Audience { operator, lattice: Some("home".parse().unwrap()) }
}

fn draft<B>(operator: &KeyPair, subject: String, body: B) -> Draft<B> {
    let audience = audience(operator);
    Draft { subject, audience, not_before: None, expires: None, body }
}

pub(crate) fn link(account: &AccountKey) -> Link {
    let party = |id: &str, key| Party {
        id: id.parse().unwrap(),
        identity: Identity { account: account.clone(), key },
    };
    let actor = KeyPair::generate(KeyKind::Actor).public_key().unwrap();
    let provider = KeyPair::generate(KeyKind::Provider).public_key().unwrap();
    Link {
        source: party("shop/hello", CodeKey::Actor(actor)),
        target: party("store", CodeKey::Provider(provider)),
        name: "default".parse().unwrap(),
        interfaces: vec!["wasi:keyvalue/store".parse().unwrap()],
        locality: Default::default(),
        constraints: BTreeMap::new(),
        source_config: Default::default(),
        target_config: Default::default(),
    }
}

/// A JWT of any header and payload, properly signed with the key.
pub(crate) fn forge(header: &str, payload: &Value, key: &KeyPair) -> String {
    forge_text(header, &payload.to_string(), key)
}

pub(crate) fn forge_text(header: &str, payload: &str, key: &KeyPair) -> String {
    let message = format!("{}.{}", b64(header), b64(payload));
    let keys = nkeys::KeyPair::from_seed(&key.seed()).unwrap();
    let signature = keys.sign(message.as_bytes()).unwrap();
    format!("{message}.{}", b64(signature))
}

pub(crate) fn b64(bytes: impl AsRef<[u8]>) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}

pub(crate) fn after(secs: u64) -> Timestamp {
    NOW.plus(Duration::from_secs(secs))
}

pub(crate) fn before(secs: u64) -> Timestamp {
    Timestamp::from_secs(NOW.as_secs() - secs)
}

/// Parses and verifies.
pub(crate) fn verify<B: Body>(
    text: &str,
    trust: &Trust,
    now: Timestamp,
) -> Result<Verified<B>, wattle_claims::TokenError> {
    Signed::<B>::parse(text)?.verify(trust, now)
}
