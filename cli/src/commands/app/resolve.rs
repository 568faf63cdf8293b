//! What a manifest's images are: files, signed here if nobody has, and the providers that come with Wattle.

use std::path::{Path, PathBuf};

use anyhow::Context as _;
use wattle_claims::{ActorClaims, KeyKind, ProviderClaims, Timestamp, module, provider};
use wattle_core::{
    AccountKey, Digest, Identity, Interface, Name,
    deployment::Version,
    entity::{CodeKey, Party},
    name::NAME_LEN_MAX,
};
use wattle_wadm::{
    declare::{self, Known, Resolved},
    manifest::{Component, Image, Kind, Manifest, Source},
};

use crate::{
    exit::Exit,
    problem::Problem,
    project::{Project, file, keys},
    session::Session,
    signing::{
        component, name_like,
        provider::{Shipped, read},
    },
};

/// An artifact of a manifest.
pub(super) struct Artifact {
    pub(super) component: Name,
    pub(super) bytes: Vec<u8>,
    pub(super) digest: Digest,
    pub(super) identity: Identity,
    pub(super) imports: Vec<Interface>,
    pub(super) exports: Vec<Interface>,
    /// Whether nobody had signed it before.
    pub(super) signed_now: bool,
}

/// Everything that a manifest's images are; `deployed` are the versions that may run now. What is wrong with one of them is said of all.
pub(super) fn artifacts(
    session: &Session,
    folder: Option<&Path>,
    manifest: &Manifest,
    deployed: &[Version],
) -> anyhow::Result<Vec<Artifact>> {
    let (mut artifacts, mut problems) = (Vec::new(), Vec::new());
    for component in &manifest.components {
        let Source::Image(image) = &component.source else { continue };
        let found = one(session, folder, (manifest, deployed), component, image);
        match found.with_context(|| format!("component {}", component.name)) {
            Ok(artifact) => artifacts.push(artifact),
            Err(error) => problems.push(error),
        }
    }
    match problems.len() {
        0 => Ok(artifacts),
        1 => Err(problems.remove(0)),
        _ => {
            let texts: Vec<String> =
                problems.iter().map(|problem| format!("{problem:#}")).collect();
            Err(Problem::new(Exit::Failed, texts.join("\n       ")).into())
        }
    }
}

fn one(
    session: &Session,
    folder: Option<&Path>,
    (manifest, deployed): (&Manifest, &[Version]),
    component: &Component,
    image: &Image,
) -> anyhow::Result<Artifact> {
    let bytes = match image {
        Image::File(path) => match folder {
            Some(folder) => read(&folder.join(path))?,
            None => {
                let what = format!("file:{path} is a file beside the manifest, which is none");
                let next = "fetch both, and deploy the manifest as a file";
                return Err(Problem::new(Exit::NotFound, what).next(next).into());
            }
        },
        Image::Shipped(shipped, _) => match Shipped::named(shipped.name) {
            Some(shipped) => shipped.artifact(&session.project, session.output)?,
            None => {
                let what = format!("the provider {} does not come with this command", shipped.name);
                return Err(Problem::new(Exit::NotFound, what).into());
            }
        },
        Image::Registry(reference) => {
            let what = format!("{reference} is in a registry: pulling comes later");
            return Err(Problem::new(Exit::NotFound, what)
                .next("pull it yourself, and write file:PATH")
                .into());
        }
    };
    match component.kind {
        Kind::Actor => actor(session, (manifest, deployed), component, bytes),
        Kind::Provider => provider_of(session, component, bytes),
    }
}

fn actor(
    session: &Session,
    (manifest, deployed): (&Manifest, &[Version]),
    component: &Component,
    bytes: Vec<u8>,
) -> anyhow::Result<Artifact> {
    let (bytes, signed_now) = match module::read(&bytes) {
        Err(module::ModuleError::NoClaims { .. }) => {
            let name = signed_as(&session.project, &manifest.name, &component.name, deployed)?;
            (sign(session, manifest, name, &bytes)?, true)
        }
        _ => (bytes, false),
    };
    let verified = module::verify(&bytes, &session.trust, Timestamp::now()).map_err(denied)?;
    let claims = verified.claims;
    check_account(session, claims.account(), "wattle claims sign actor FILE")?;
    let key = CodeKey::Actor(claims.subject.parse().context("the actor's key")?);
    let identity = Identity { account: claims.account().clone(), key };
    let ActorClaims { imports, exports, .. } = claims.body.clone();
    let artifact = Artifact::of(component, identity, bytes);
    Ok(Artifact { imports, exports, signed_now, ..artifact })
}

impl Artifact {
    fn of(component: &Component, identity: Identity, bytes: Vec<u8>) -> Self {
        let (imports, exports) = (Vec::new(), Vec::new());
        let (component, digest) = (component.name.clone(), module::digest(&bytes));
        Self { component, bytes, digest, identity, imports, exports, signed_now: false }
    }
}

/// Signs what nobody has signed, for exactly what it imports and exports. What was signed before is kept, so that to deploy again
/// changes nothing.
fn sign(
    session: &Session,
    manifest: &Manifest,
    name: Name,
    bytes: &[u8],
) -> anyhow::Result<Vec<u8>> {
    let path = file_of(&session.project, &name);
    let earlier = std::fs::read(&path).ok();
    // The same code is not another artifact for being part of another version.
    let same = earlier.as_deref().and_then(|wasm| module::read(wasm).ok());
    let same = same.filter(|embedded| embedded.hash == module::digest(bytes));
    let version = match same.and_then(|embedded| embedded.token.peek().ok()) {
        Some(claims) => claims.body.version,
        None => manifest.version.clone().unwrap_or_else(|| "0.1.0".to_owned()),
    };
    let draft = component::Draft { name, version, lasts: None };
    let signed = component::sign(&session.project, bytes, draft, earlier)?;
    file::write_private(&path, &signed.wasm)?;
    Ok(signed.wasm)
}

/// What a component is called where it is signed here, which its key and its file are called, too. `web` of `shop-cart` is not `cart-web`
/// of `shop`, nor what `wattle build` made of a crate: so a hash of both names is part of it.
fn signed_as(
    project: &Project,
    application: &Name,
    component: &Name,
    deployed: &[Version],
) -> anyhow::Result<Name> {
    const HEX_LEN: usize = 16; // 64 bits: a manifest of somebody else's cannot be made to meet another's key
    let both = format!("{application}-{component}");
    let id = declare::id(application, component);
    // What was signed before names had a hash keeps its key where it is deployed with it, or nothing else can have been called the same.
    let earlier = name_like(&both)?;
    let key = project.keys().artifact_path(keys::Artifact::Actor, &earlier);
    if let Some(key) = keys::read_key(&key, KeyKind::Actor)? {
        let key = key.public();
        let mut running = deployed.iter().flat_map(|version| &version.components);
        let is_clear = both.len() <= NAME_LEN_MAX && both.matches('-').count() == 1;
        if running.any(|it| it.id == id && it.program.identity.key.to_string() == key)
            || (is_clear && file_of(project, &earlier).is_file())
        {
            return Ok(earlier);
        }
    }
    let hash = module::digest(id.as_str().as_bytes()).hex();
    let shown = &both[..both.len().min(NAME_LEN_MAX - HEX_LEN - 1)];
    name_like(&format!("{shown}-{}", &hash[..HEX_LEN]))
}

fn file_of(project: &Project, name: impl std::fmt::Display) -> PathBuf {
    project.artifact(&format!("{name}.wasm"))
}

fn provider_of(
    session: &Session,
    component: &Component,
    bytes: Vec<u8>,
) -> anyhow::Result<Artifact> {
    let peeked = provider::peek(&bytes).map_err(denied)?;
    let claims = peeked.token.verify(&session.trust, Timestamp::now()).map_err(denied)?;
    check_account(session, claims.account(), "wattle claims sign provider --help")?;
    let key = CodeKey::Provider(claims.subject.parse().context("the provider's key")?);
    let identity = Identity { account: claims.account().clone(), key };
    let ProviderClaims { imports, exports, .. } = claims.body.clone();
    Ok(Artifact { imports, exports, ..Artifact::of(component, identity, bytes) })
}

/// A deployment runs what its own account answers for.
fn check_account(session: &Session, account: &AccountKey, next: &str) -> Result<(), Problem> {
    if *account == session.account {
        return Ok(());
    }
    let what = format!("it is signed by account {account}, and deployed by {}", session.account);
    Err(Problem::new(Exit::Denied, what).next(next))
}

fn denied(error: impl std::fmt::Display) -> Problem {
    Problem::new(Exit::Denied, error.to_string())
}

/// Everything that is known of what the manifest names: its images, and what others share.
pub(super) async fn known(
    session: &Session,
    manifest: &Manifest,
    artifacts: &[Artifact],
) -> anyhow::Result<Known> {
    let images = artifacts.iter().map(|artifact| {
        let Artifact { component, digest, identity, .. } = artifact;
        (component.clone(), Resolved { artifact: *digest, identity: identity.clone() })
    });
    let mut known = Known { images: images.collect(), ..Known::default() };
    let is_built_in = |it: &Component| matches!(it.source, Source::BuiltIn(_));
    if manifest.components.iter().any(is_built_in) {
        known.hosts = Some(account_of_hosts(session).await?);
    }
    for component in &manifest.components {
        if let Source::Shared { application, component: theirs } = &component.source {
            let party = shared(session, application, theirs).await?;
            known.shared.insert(component.name.clone(), party);
        }
    }
    Ok(known)
}

/// Whose what is built into the hosts is. Where hosts of several accounts are, those of the user's own are meant.
async fn account_of_hosts(session: &Session) -> anyhow::Result<AccountKey> {
    let inventories = session.inventories().await?;
    let built_in = inventories.iter().flat_map(|host| &host.built_in);
    let mut accounts: Vec<&AccountKey> = built_in.map(|it| &it.identity.account).collect();
    accounts.sort_by_key(|account| **account != session.account);
    let first = accounts.first().copied().cloned();
    first.ok_or_else(|| {
        let what = "no host says what is built into it";
        Problem::new(Exit::NotFound, what).next("wattle get inventory").into()
    })
}

async fn shared(session: &Session, application: &Name, theirs: &Name) -> anyhow::Result<Party> {
    let missing = |what: String| Problem::new(Exit::NotFound, what).next("wattle app list");
    let deployed = session.deployed(application).await?;
    let deployment = deployed.and_then(|deployed| deployed.record.value);
    let deployment =
        deployment.ok_or_else(|| missing(format!("no application {application} is deployed")))?;
    let version = deployment.version().context("its version")?;
    if !version.shared {
        let what = format!("{application} does not share what it runs");
        let next = "it needs the annotation experimental.wasmcloud.dev/shared: \"true\"";
        return Err(Problem::new(Exit::Denied, what).next(next).into());
    }
    let id = declare::id(application, theirs);
    let found = version.components.iter().find(|component| component.id == id);
    let found = found.ok_or_else(|| missing(format!("{application} has no component {theirs}")))?;
    Ok(Party { id, identity: found.program.identity.clone() })
}

#[cfg(test)]
mod tests {
    use serde_json::json;
    use wattle_core::deployment::Scaler;

    use super::*;

    fn called(project: &Project, application: &str, component: &str) -> String {
        called_beside(project, application, component, &[])
    }

    fn called_beside(
        project: &Project,
        application: &str,
        component: &str,
        deployed: &[Version],
    ) -> String {
        let name = |text: &str| text.parse().expect("a name");
        let called = signed_as(project, &name(application), &name(component), deployed);
        called.expect("a name").to_string()
    }

    fn key(project: &Project, name: &str) -> String {
        let name = name.parse().expect("a name");
        project.keys().artifact(keys::Artifact::Actor, &name).expect("made").public()
    }

    #[test]
    fn no_two_components_are_signed_under_one_name() {
        let folder = tempfile::tempdir().expect("a folder");
        let project = Project::at(folder.path());
        let (long, longer) = ("x".repeat(NAME_LEN_MAX), "x".repeat(NAME_LEN_MAX - 1));
        let pairs = [("shop", "cart-web"), ("shop-cart", "web"), ("a", &long), ("a", &longer)];
        let names = pairs.map(|(application, component)| called(&project, application, component));
        assert!(names[0].starts_with("shop-cart-web-"), "{names:?}");
        assert!(names[1].starts_with("shop-cart-web-"), "{names:?}");
        assert!(names[2].starts_with("a-x"), "{names:?}");
        let different: std::collections::BTreeSet<_> = names.iter().collect();
        assert_eq!(different.len(), names.len(), "{names:?}");
        assert_eq!(names[0], called(&project, "shop", "cart-web"), "it stays so");
    }

    #[test]
    fn what_was_signed_under_a_name_without_a_hash_keeps_it_where_it_is_clear_whose_it_is() {
        let folder = tempfile::tempdir().expect("a folder");
        let project = Project::at(folder.path());
        for name in ["shop-web", "shop-cart-web"] {
            file::write_private(&file_of(&project, name), b"signed").expect("written");
            assert_ne!(called(&project, "shop", "web"), "shop-web", "there is no key of that name");
        }
        for name in ["shop-web", "shop-cart-web", "other-web"] {
            key(&project, name);
        }
        assert_eq!(called(&project, "shop", "web"), "shop-web");
        assert_ne!(called(&project, "shop", "cart-web"), "shop-cart-web");
        assert_ne!(called(&project, "other", "web"), "other-web");
    }

    #[test]
    fn what_is_deployed_with_the_key_of_a_name_without_a_hash_keeps_it() {
        let folder = tempfile::tempdir().expect("a folder");
        let project = Project::at(folder.path());
        let account = wattle_claims::KeyPair::generate(KeyKind::Account).public();
        let deployed = |id: &str, key: &str| {
            let identity = json!({"account": account, "key": {"actor": key}});
            let program = json!({"artifact": module::digest(b""), "identity": identity});
            let scaler = Scaler::Spread { instances: 1, spread: Vec::new() };
            let component = json!({"id": id, "program": program, "scaler": scaler});
            let version = json!({"name": "v1", "components": [component]});
            [serde_json::from_value::<Version>(version).expect("a version")]
        };
        let own = deployed("my-shop/web", &key(&project, "my-shop-web"));
        assert_eq!(called_beside(&project, "my-shop", "web", &own), "my-shop-web");
        assert_ne!(called_beside(&project, "my", "shop-web", &own), "my-shop-web");
        let another = deployed("my-shop/web", &key(&project, "another"));
        assert_ne!(called_beside(&project, "my-shop", "web", &another), "my-shop-web");
        assert_ne!(called(&project, "my-shop", "web"), "my-shop-web");
    }
}
