//! Signed components: claims for exactly the interfaces that a component imports and exports.

use std::{collections::BTreeSet, path::Path, time::Duration};

use anyhow::Context;
use wattle_claims::{ActorClaims, Signed, Timestamp, module};
use wattle_core::{ActorKey, Digest, Interface, Name};

use crate::{
    exit::Exit,
    problem::Problem,
    project::{
        Project,
        keys::{Artifact, Role, Signer},
    },
};

/// What a component is to be called.
#[derive(Clone, Debug)]
pub(crate) struct Draft {
    pub(crate) name: Name,
    pub(crate) version: String,
    pub(crate) lasts: Option<Duration>,
}

/// A component with its claims.
#[derive(Debug, serde::Serialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) struct SignedComponent {
    pub(crate) name: Name,
    pub(crate) version: String,
    pub(crate) key: ActorKey,
    pub(crate) hash: Digest,
    pub(crate) imports: Vec<Interface>,
    pub(crate) exports: Vec<Interface>,
    #[serde(skip)]
    pub(crate) wasm: Vec<u8>,
}

/// Signs a component (claims that it has are replaced). What was signed before, in `earlier`, is kept if nothing changed, so
/// that building again changes no digest.
pub(crate) fn sign(
    project: &Project,
    component: &[u8],
    draft: Draft,
    earlier: Option<Vec<u8>>,
) -> anyhow::Result<SignedComponent> {
    let component = module::strip(component)?;
    let (imports, exports) = interfaces(&component)?;
    let account = project.keys().signer(Role::Account)?;
    let key = project.keys().artifact(Artifact::Actor, &draft.name)?;
    let hash = module::digest(&component);
    let claims = ActorClaims {
        name: draft.name.to_string(),
        version: draft.version.clone(),
        hash,
        imports,
        exports,
    };
    let key = key.public_key::<ActorKey>().context("the actor's key")?;
    let kept = earlier.filter(|wasm| draft.lasts.is_none() && says(wasm, &account, &key, &claims));
    let wasm = match kept {
        Some(wasm) => wasm,
        None => {
            let token = super::sign(&account, key.to_string(), claims.clone(), draft.lasts)?;
            module::embed(&component, &token)?
        }
    };
    let ActorClaims { imports, exports, .. } = claims;
    Ok(SignedComponent {
        name: draft.name,
        version: draft.version,
        key,
        hash,
        imports,
        exports,
        wasm,
    })
}

/// Whether a signed component says the same already, and goes on saying it.
fn says(wasm: &[u8], account: &Signer, key: &ActorKey, claims: &ActorClaims) -> bool {
    let Ok(embedded) = module::read(wasm) else { return false };
    let Ok(found) = embedded.token.peek() else { return false };
    let lasts = found.expires.is_none() && found.issued_at <= Timestamp::now();
    lasts
        && embedded.hash == claims.hash
        && found.body == *claims
        && found.subject == key.as_str()
        && found.issuer == account.key.public()
        && hangs_on(&embedded.token, account)
}

/// The token carries the very chain that we would sign with.
fn hangs_on(token: &Signed<ActorClaims>, account: &Signer) -> bool {
    token.text().split_once('~').is_some_and(|(_, chain)| chain == account.token)
}

/// Interfaces without versions; what a component imports or exports that is in no interface needs no grant, and gets none.
fn interfaces(component: &[u8]) -> anyhow::Result<(Vec<Interface>, Vec<Interface>)> {
    let world = module::world(component)?;
    let parsed = |names: &BTreeSet<String>| {
        let names: BTreeSet<Interface> =
            names.iter().filter_map(|name| name.parse().ok()).collect();
        names.into_iter().collect()
    };
    Ok((parsed(&world.imports), parsed(&world.exports)))
}

/// What a signed component says about itself; an unsigned one is a problem with the command that signs it.
pub(crate) fn claims_in(wasm: &[u8], path: &Path) -> anyhow::Result<ActorClaims> {
    let shown = path.display();
    let embedded = module::read(wasm).map_err(|error| match error {
        module::ModuleError::NoClaims { .. } => {
            Problem::new(Exit::Denied, format!("{shown} is not signed: {error}"))
                .next(format!("wattle claims sign actor {shown}"))
        }
        other => Problem::new(Exit::Denied, format!("{shown}: {other}")),
    })?;
    Ok(embedded.token.peek().with_context(|| shown.to_string())?.body)
}
