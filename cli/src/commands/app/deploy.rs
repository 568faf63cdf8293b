//! `wattle app deploy`: shows what it grants, signs it, and says when every placed host answers, or why not.

use std::{fmt::Write as _, path::PathBuf};

use anyhow::Context as _;
use clap::Args;
use serde_json::{Value, json};
use wattle_claims::content_of;
use wattle_core::{
    EntityId, Interface, Link, Name,
    deployment::{Component, Version, VersionName},
    entity::CodeKey,
};
use wattle_wadm::{declare, manifest::Manifest};

use super::{
    manifest::Text,
    record::{self, Waiting},
    resolve::{self, Artifact},
    wait::Goal,
};
use crate::{
    args::value, commands::Context, exit::Exit, output::Output, problem::Problem, session::Session,
};

/// Deploy an application, and wait until it answers
///
/// Signs components that nobody has signed, and the links, with the project's authority, after showing what they are granted. A new
/// version replaces the one before; if it does not become healthy in time, that one runs again.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  wattle app deploy wadm.yaml
  wattle app deploy wadm.yaml --dry-run
  wattle app deploy https://example.com/wadm.yaml
  wattle app deploy - --detach < wadm.yaml")]
pub(crate) struct DeployArgs {
    /// The manifest: a file, an https:// URL, or - for stdin
    file: PathBuf,
    /// Show what would be granted, and change nothing
    #[arg(long)]
    dry_run: bool,
    /// Take passwords in plain settings
    #[arg(long)]
    plaintext_secrets: bool,
    #[command(flatten)]
    waiting: Waiting,
}

pub(super) async fn run(context: &Context, args: DeployArgs) -> anyhow::Result<Exit> {
    let text = Text::read(&args.file).await?;
    let manifest = text.manifest(context.output)?;
    let session = context.session().await?;
    let before = session.deployed(&manifest.name).await?;
    let deployment = before.as_ref().and_then(|before| before.record.value.as_ref());
    let versions = deployment.map_or(&[][..], |deployment| &deployment.versions);
    let artifacts = resolve::artifacts(&session, text.folder.as_deref(), manifest, versions)?;
    let known = resolve::known(&session, manifest, &artifacts).await?;
    let version = named(manifest, |name| declare::version(manifest, name, &known))?;
    if !args.plaintext_secrets {
        check_passwords(&version)?;
    }
    tell_grants(context.output, &manifest.name, &artifacts, &version);
    if args.dry_run {
        context
            .output
            .answer(&version, || format!("{} {}: nothing is changed", manifest.name, version.name));
        return Ok(Exit::Ok);
    }
    let generation = match record::unchanged(before.as_ref(), &version, manifest.canary) {
        Some(generation) => generation,
        None => {
            let deployment =
                record::deployment(&manifest.name, before.as_ref(), version, manifest.canary)?;
            upload(&session, &artifacts).await?;
            record::put(&session, before.as_ref(), deployment).await?
        }
    };
    args.waiting.until(&session, &manifest.name, generation, Goal::Runs).await
}

/// A version is called what the manifest's annotation says, or by its content: the same again is the same version.
fn named(
    manifest: &Manifest,
    make: impl Fn(VersionName) -> Result<Version, declare::Unknown>,
) -> anyhow::Result<Version> {
    const HEX_LEN: usize = 10;
    if let Some(name) = &manifest.version {
        let name = name.parse().context("the annotation version")?;
        return Ok(make(name)?);
    }
    let version = make("unnamed".parse().expect("it is a name"))?;
    let hex = content_of(&version).hex();
    let name = hex[..HEX_LEN].parse().expect("hex digits are a name");
    Ok(Version { name, ..version })
}

fn check_passwords(version: &Version) -> Result<(), Problem> {
    let components = version.components.iter().map(|it| (it.id.to_string(), &it.program.config));
    let links = version.links.iter().flat_map(|link| {
        [&link.source_config, &link.target_config].map(|config| (link.key().to_string(), config))
    });
    for (what, config) in components.chain(links) {
        if let Some(key) = value::password_in(&config.values) {
            let text = format!(
                "{what}: {key} would keep a password where whoever may inspect the lattice reads it"
            );
            let next = "keep it in a file of the host's --secrets-dir and write {secret: NAME}, or add --plaintext-secrets";
            return Err(Problem::new(Exit::Usage, text).next(next));
        }
    }
    Ok(())
}

/// Says what the deployment grants, for whoever is about to sign it.
pub(super) fn tell_grants(
    output: Output,
    application: &Name,
    artifacts: &[Artifact],
    version: &Version,
) {
    let components: Vec<Value> = artifacts
        .iter()
        .map(|artifact| {
            let Artifact { component, identity, imports, exports, signed_now, .. } = artifact;
            json!({
                "id": declare::id(application, component),
                "key": identity.key.to_string(),
                "signed-now": signed_now,
                "calls": imports,
                "answers": exports,
                "lacks": lacking(application, artifact, version),
            })
        })
        .chain(signed_before(application, artifacts, version).map(
            |component| json!({"id": component.id, "key": component.program.identity.key.to_string()}),
        ))
        .collect();
    let said = json!({"grants": {
        "application": application,
        "version": version.name,
        "components": components,
        "links": version.links,
    }});
    output.aside(&said, || grants(application, artifacts, version));
}

/// What was signed and stored before, which nobody looks into again.
fn signed_before<'a>(
    application: &Name,
    artifacts: &[Artifact],
    version: &'a Version,
) -> impl Iterator<Item = &'a Component> {
    let known: Vec<EntityId> =
        artifacts.iter().map(|it| declare::id(application, &it.component)).collect();
    version.components.iter().filter(move |component| !known.contains(&component.id))
}

fn grants(application: &Name, artifacts: &[Artifact], version: &Version) -> String {
    let mut text = format!("{application} {} grants:", version.name);
    let joined = |names: &[Interface]| {
        let names: Vec<&str> = names.iter().map(|name| name.as_str()).collect();
        if names.is_empty() { "nothing".to_owned() } else { names.join(", ") }
    };
    for artifact in artifacts {
        let Artifact { component, identity, imports, exports, signed_now, .. } = artifact;
        let _ = write!(
            text,
            "\n  {application}/{component} ({}…){}\n    calls    {}\n    answers  {}",
            identity.key.to_string().get(..8).unwrap_or_default(),
            if *signed_now { ", signed now by the project's account" } else { "" },
            joined(imports),
            joined(exports),
        );
        let lacking = lacking(application, artifact, version);
        if !lacking.is_empty() {
            let _ = write!(text, "\n    lacks    {}: no link provides it", joined(&lacking));
        }
    }
    for component in signed_before(application, artifacts, version) {
        let key = component.program.identity.key.to_string();
        let _ = write!(text, "\n  {} ({}…)", component.id, key.get(..8).unwrap_or_default());
    }
    for link in &version.links {
        let Link { source, target, interfaces, constraints, .. } = link;
        let _ = write!(text, "\n  {} -> {}: {}", source.id, target.id, joined(interfaces));
        for (name, values) in constraints {
            let _ = write!(text, "\n    {name}: {}", values.join(", "));
        }
    }
    text
}

/// What an actor imports and no link of its application provides, so that its calls will fail.
fn lacking(application: &Name, artifact: &Artifact, version: &Version) -> Vec<Interface> {
    let CodeKey::Actor(_) = artifact.identity.key else { return Vec::new() };
    let id = declare::id(application, &artifact.component);
    let is_linked = |interface: &Interface| {
        let mut links = version.links.iter().filter(|link| link.source.id == id);
        links.any(|link| link.interfaces.contains(interface))
    };
    let needed = artifact.imports.iter().filter(|interface| interface.needs_link());
    needed.filter(|interface| !is_linked(interface)).cloned().collect()
}

async fn upload(session: &Session, artifacts: &[Artifact]) -> anyhow::Result<()> {
    let store = session.lattice.artifacts().await?;
    for artifact in artifacts {
        let step = session.output.step(&format!("storing {}", artifact.component));
        let digest = store.put(&artifact.bytes).await?;
        anyhow::ensure!(digest == artifact.digest, "{} was stored as another", artifact.component);
        step.done("stored");
    }
    Ok(())
}
