//! `wattle app deploy`: shows what it grants, signs it, and says when every placed host answers, or why not.

use std::{fmt::Write as _, path::PathBuf, time::Duration};

use anyhow::Context as _;
use clap::Args;
use wattle_claims::{Record, RecordKey, content_of};
use wattle_core::{
    Link, Name,
    deployment::{Deployment, Phase, VERSIONS_MAX, Version, VersionName},
    quantity,
};
use wattle_wadm::{declare, manifest::Manifest};

use super::{
    manifest::Text,
    resolve::{self, Artifact},
    wait::{self, Goal},
};
use crate::{
    args::value,
    commands::Context,
    exit::Exit,
    problem::Problem,
    session::{Session, records::next_generation, wadm::Deployed},
};

/// Deploy an application, and wait until it answers
///
/// Signs components that nobody has signed, and the links, with the project's authority, after showing what they are granted. A new
/// version replaces the one before; if it does not become healthy in time, that one runs again.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  wattle app deploy wadm.yaml
  wattle app deploy wadm.yaml --dry-run
  wattle app deploy - --detach < wadm.yaml")]
pub(crate) struct DeployArgs {
    /// The manifest, or - for stdin
    file: PathBuf,
    /// Do not wait until it answers
    #[arg(long)]
    detach: bool,
    /// Show what would be granted, and change nothing
    #[arg(long)]
    dry_run: bool,
    /// How long it may take until everything answers
    #[arg(long, value_name = "TIME", default_value = "90s", value_parser = quantity::duration)]
    within: Duration,
    /// Take passwords in plain settings
    #[arg(long)]
    plaintext_secrets: bool,
}

pub(super) async fn run(context: &Context, args: DeployArgs) -> anyhow::Result<Exit> {
    let text = Text::read(&args.file)?;
    let manifest = text.manifest(context.output)?;
    let session = context.session().await?;
    let artifacts = resolve::artifacts(&session, &text.folder, manifest)?;
    let known = resolve::known(&session, manifest, &artifacts).await?;
    let version = named(manifest, |name| declare::version(manifest, name, &known))?;
    if !args.plaintext_secrets {
        check_passwords(&version)?;
    }
    let before = session.deployed(&manifest.name).await?;
    context.output.note(&grants(manifest, &artifacts, &version));
    if args.dry_run {
        context
            .output
            .answer(&version, || format!("{} {}: nothing is changed", manifest.name, version.name));
        return Ok(Exit::Ok);
    }
    let generation = match unchanged(before.as_ref(), &version) {
        Some(generation) => generation,
        None => {
            let deployment = deployment(manifest, before.as_ref(), version)?;
            upload(&session, &artifacts).await?;
            put(&session, before.as_ref(), deployment).await?
        }
    };
    if args.detach {
        let json = serde_json::json!({"application": manifest.name, "generation": generation});
        context.output.answer(&json, || format!("{}: wadm sees to it", manifest.name));
        return Ok(Exit::Ok);
    }
    wait::until(&session, &manifest.name, generation, Goal::Runs, args.within).await
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

/// What the deployment grants, for whoever is about to sign it.
fn grants(manifest: &Manifest, artifacts: &[Artifact], version: &Version) -> String {
    let mut text = format!("{} {} grants:", manifest.name, version.name);
    let joined = |names: &[wattle_core::Interface]| {
        let names: Vec<&str> = names.iter().map(|name| name.as_str()).collect();
        if names.is_empty() { "nothing".to_owned() } else { names.join(", ") }
    };
    for artifact in artifacts {
        let Artifact { component, identity, imports, exports, signed_now, .. } = artifact;
        let _ = write!(
            text,
            "\n  {}/{component} ({}…){}\n    calls    {}\n    answers  {}",
            manifest.name,
            identity.key.to_string().get(..8).unwrap_or_default(),
            if *signed_now { ", signed now by the project's account" } else { "" },
            joined(imports),
            joined(exports),
        );
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

/// The generation of what is deployed, if it is this already.
fn unchanged(before: Option<&Deployed>, version: &Version) -> Option<u64> {
    let before = before?;
    let deployment = before.record.value.as_ref()?;
    let runs = before.version.as_ref() == Some(&version.name);
    let is_same = deployment.phase == Phase::Deployed && deployment.version() == Some(version);
    (is_same && runs).then_some(before.record.generation)
}

/// The version, with what may run until it does: what ran before and was healthy, else all that may run now.
fn deployment(
    manifest: &Manifest,
    before: Option<&Deployed>,
    version: Version,
) -> anyhow::Result<Deployment> {
    let known = before.and_then(|before| before.record.value.as_ref());
    let known = known.map_or(&[][..], |deployment| &deployment.versions);
    if let Some(other) = known.iter().find(|known| known.name == version.name && **known != version)
    {
        let what = format!("version {} is there already, and says something else", other.name);
        let next = "give the manifest another annotation version";
        return Err(Problem::new(Exit::Conflict, what).next(next).into());
    }
    let healthy = before.filter(|before| before.healthy).and_then(|it| it.version.as_ref());
    let mut earlier: Vec<Version> = match healthy {
        Some(healthy) => known.iter().filter(|known| known.name == *healthy).cloned().collect(),
        None => known.to_vec(),
    };
    earlier.retain(|known| known.name != version.name);
    // The last is what is gone back to: of too many, those between are left out.
    while earlier.len() >= VERSIONS_MAX {
        earlier.remove(earlier.len() - 2);
    }
    Ok(Deployment {
        application: manifest.name.clone(),
        phase: Phase::Deployed,
        versions: [version].into_iter().chain(earlier).collect(),
        end: None,
    })
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

/// Signs a deployment and hands it to wadm. Gives its generation.
pub(super) async fn put(
    session: &Session,
    before: Option<&Deployed>,
    deployment: Deployment,
) -> anyhow::Result<u64> {
    let known = before.map_or(0, |before| before.record.generation);
    let generation = next_generation(known);
    let key = key(session, &deployment.application);
    let record = Record { generation, key, value: Some(deployment) };
    session.put_deployment(record).await?;
    Ok(generation)
}

/// The key of a deployment's record.
pub(super) fn key(session: &Session, application: &Name) -> RecordKey {
    RecordKey::Deployment { account: session.account.clone(), application: application.clone() }
}
