//! What a token, a signed component or a provider artifact says, and whether it holds.

use std::collections::BTreeMap;

use serde::Serialize;
use serde_json::Value;
use wattle_claims::{
    AccountClaims, ActorClaims, Body, ConfigRecord, DeploymentRecord, Hello, HostClaims, Lease,
    LinkRecord, OperatorClaims, PlacementRecord, ProviderClaims, ProviderLease, Revocations,
    RolloutRecord, ShareRecord, Signed, Timestamp, TokenKind, Trust, UserClaims, Welcome, module,
    peek_kind, provider,
};
use wattle_core::{
    Digest,
    app::AppRequest,
    beat::Beat,
    control::{Answer, Command},
};

/// The first bytes of every Wasm binary.
const WASM_MAGIC: &[u8] = b"\0asm";

/// A token, a component or an artifact.
#[derive(Debug, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) struct Description {
    /// `token`, `component` or `provider`.
    pub(crate) what: &'static str,
    /// What it is made of, beside its token.
    #[serde(flatten)]
    pub(crate) content: Content,
    pub(crate) token: Option<TokenDescription>,
    /// Whether it holds; absent where nothing says whom to trust.
    pub(crate) holds: Option<bool>,
    /// Why it does not.
    pub(crate) problem: Option<String>,
}

#[derive(Debug, Default, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) struct Content {
    /// The whole file's.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) digest: Option<Digest>,
    /// Of a component without its claims.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) hash: Option<Digest>,
    /// Of a component, with versions.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) imports: Option<Vec<String>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) exports: Option<Vec<String>>,
    /// Of a provider, by platform.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub(crate) binaries: BTreeMap<String, Binary>,
}

#[derive(Debug, Serialize)]
pub(crate) struct Binary {
    pub(crate) bytes: usize,
    pub(crate) hash: Digest,
}

/// What a token says.
#[derive(Debug, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) struct TokenDescription {
    pub(crate) kind: TokenKind,
    pub(crate) id: String,
    pub(crate) subject: String,
    pub(crate) issuer: String,
    pub(crate) audience: String,
    pub(crate) issued_at: String,
    pub(crate) not_before: Option<String>,
    pub(crate) expires: Option<String>,
    pub(crate) body: Value,
    /// From its issuer up to whom we trust; empty if it does not hold.
    pub(crate) chain: Vec<Step>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) struct Step {
    pub(crate) kind: TokenKind,
    pub(crate) name: Option<String>,
    pub(crate) subject: String,
    pub(crate) expires: Option<String>,
}

/// Describes bytes of any kind. Fails only where they are none of what we know.
pub(crate) fn describe(bytes: &[u8], trust: Option<&Trust>) -> anyhow::Result<Description> {
    if bytes.starts_with(WASM_MAGIC) {
        return component(bytes, trust);
    }
    match std::str::from_utf8(bytes).ok().map(str::trim).filter(|text| looks_like_token(text)) {
        Some(text) => {
            let (token, problem) = token(text, trust)?;
            Ok(Description::new("token", Content::default(), Some(token), problem, trust))
        }
        None => artifact(bytes, trust),
    }
}

/// A JWT starts with `{"` in base64.
pub(crate) fn looks_like_token(text: &str) -> bool {
    text.starts_with("eyJ") && text.split('.').count() >= 3
}

impl Description {
    fn new(
        what: &'static str,
        content: Content,
        token: Option<TokenDescription>,
        problem: Option<String>,
        trust: Option<&Trust>,
    ) -> Self {
        let holds = match (&problem, trust) {
            (Some(_), _) => Some(false),
            (None, Some(_)) => Some(true),
            (None, None) => None,
        };
        Self { what, content, token, holds, problem }
    }
}

fn component(wasm: &[u8], trust: Option<&Trust>) -> anyhow::Result<Description> {
    let world = module::world(wasm)?;
    let mut content = Content {
        digest: Some(module::digest(wasm)),
        imports: Some(world.imports.into_iter().collect()),
        exports: Some(world.exports.into_iter().collect()),
        ..Content::default()
    };
    let embedded = match module::read(wasm) {
        Ok(embedded) => embedded,
        Err(error) => {
            let problem = Some(error.to_string());
            return Ok(Description::new("component", content, None, problem, trust));
        }
    };
    content.hash = Some(embedded.hash);
    let (token, mut problem) = token(embedded.token.text(), trust)?;
    if let Some(trust) = trust {
        let verified = module::verify(wasm, trust, Timestamp::now());
        problem = verified.err().map(|error| error.to_string());
    }
    Ok(Description::new("component", content, Some(token), problem, trust))
}

fn artifact(tar: &[u8], trust: Option<&Trust>) -> anyhow::Result<Description> {
    let peeked = provider::peek(tar)?;
    let binaries = peeked.binaries.iter().map(|(platform, bytes)| {
        (platform.clone(), Binary { bytes: bytes.len(), hash: module::digest(bytes) })
    });
    let content = Content {
        digest: Some(module::digest(tar)),
        binaries: binaries.collect(),
        ..Content::default()
    };
    let (token, mut problem) = token(peeked.token.text(), trust)?;
    if let Some(trust) = trust {
        let now = Timestamp::now();
        let broken = peeked
            .binaries
            .keys()
            .find_map(|platform| provider::verify(tar, platform, trust, now).err());
        problem = broken.map(|error| error.to_string());
    }
    Ok(Description::new("provider", content, Some(token), problem, trust))
}

/// What a token says, and why it does not hold, if it does not.
fn token(text: &str, trust: Option<&Trust>) -> anyhow::Result<(TokenDescription, Option<String>)> {
    match peek_kind(text)? {
        TokenKind::Operator => token_of::<OperatorClaims>(text, trust),
        TokenKind::Account => token_of::<AccountClaims>(text, trust),
        TokenKind::User => token_of::<UserClaims>(text, trust),
        TokenKind::Host => token_of::<HostClaims>(text, trust),
        TokenKind::Actor => token_of::<ActorClaims>(text, trust),
        TokenKind::Provider => token_of::<ProviderClaims>(text, trust),
        TokenKind::Link => token_of::<LinkRecord>(text, trust),
        TokenKind::Config => token_of::<ConfigRecord>(text, trust),
        TokenKind::Share => token_of::<ShareRecord>(text, trust),
        TokenKind::Revocations => token_of::<Revocations>(text, trust),
        TokenKind::Placement => token_of::<PlacementRecord>(text, trust),
        TokenKind::Deployment => token_of::<DeploymentRecord>(text, trust),
        TokenKind::Rollout => token_of::<RolloutRecord>(text, trust),
        TokenKind::Lease => token_of::<Lease>(text, trust),
        TokenKind::ProviderLease => token_of::<ProviderLease>(text, trust),
        TokenKind::Beat => token_of::<Beat>(text, trust),
        TokenKind::Command => token_of::<Command>(text, trust),
        TokenKind::Request => token_of::<AppRequest>(text, trust),
        TokenKind::Answer => token_of::<Answer>(text, trust),
        TokenKind::Hello => token_of::<Hello>(text, trust),
        TokenKind::Welcome => token_of::<Welcome>(text, trust),
    }
}

fn token_of<B: Body>(
    text: &str,
    trust: Option<&Trust>,
) -> anyhow::Result<(TokenDescription, Option<String>)> {
    let signed = Signed::<B>::parse(text)?;
    let claims = signed.peek()?;
    let verified = trust.map(|trust| signed.verify(trust, Timestamp::now()));
    let (chain, problem) = match &verified {
        Some(Ok(verified)) => (steps(verified.chain()), None),
        Some(Err(error)) => (Vec::new(), Some(error.to_string())),
        None => (Vec::new(), None),
    };
    let described = TokenDescription {
        kind: B::KIND,
        id: claims.id,
        subject: claims.subject,
        issuer: claims.issuer,
        audience: claims.audience.to_string(),
        issued_at: claims.issued_at.to_string(),
        not_before: claims.not_before.map(|at| at.to_string()),
        expires: claims.expires.map(|at| at.to_string()),
        body: serde_json::to_value(&claims.body)?,
        chain,
    };
    Ok((described, problem))
}

/// The leaf is described at length already.
fn steps(chain: &[wattle_claims::ChainStep]) -> Vec<Step> {
    chain
        .iter()
        .skip(1)
        .map(|step| Step {
            kind: step.kind,
            name: step.name.clone(),
            subject: step.subject.clone(),
            expires: step.expires.map(|at| at.to_string()),
        })
        .collect()
}
