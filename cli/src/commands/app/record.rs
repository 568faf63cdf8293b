//! A deployment's record: what it says beside the version that is asked for, handing it to wadm, and what comes of it.

use std::time::Duration;

use clap::Args;
use wattle_claims::{Record, RecordKey};
use wattle_core::{
    Name,
    deployment::{Canary, Deployment, Phase, VERSIONS_MAX, Version},
    quantity,
};

use super::wait::{self, Goal};
use crate::{
    exit::Exit,
    problem::Problem,
    session::{Session, records::next_generation, wadm::Deployed},
};

/// Whether what was handed to wadm is waited for.
#[derive(Clone, Debug, Args)]
pub(super) struct Waiting {
    /// Do not wait until it is so
    #[arg(long)]
    detach: bool,
    /// How long it may take
    #[arg(long, value_name = "TIME", default_value = "90s", value_parser = quantity::duration)]
    within: Duration,
}

impl Waiting {
    /// Waits, unless it is not to, and says how it went.
    pub(super) async fn until(
        &self,
        session: &Session,
        application: &Name,
        generation: u64,
        goal: Goal,
    ) -> anyhow::Result<Exit> {
        if self.detach {
            let json = serde_json::json!({"application": application, "generation": generation});
            session.output.answer(&json, || format!("{application}: wadm sees to it"));
            return Ok(Exit::Ok);
        }
        wait::until(session, application, generation, goal, self.within).await
    }
}

/// The generation of what is deployed, if it is this already.
pub(super) fn unchanged(
    before: Option<&Deployed>,
    version: &Version,
    canary: Option<Canary>,
) -> Option<u64> {
    let before = before?;
    let deployment = before.record.value.as_ref()?;
    let runs = before.version.as_ref() == Some(&version.name);
    // How it comes is no matter once it is there.
    let is_same = deployment.phase == Phase::Deployed
        && deployment.version() == Some(version)
        && (before.healthy || deployment.canary == canary);
    (is_same && runs).then_some(before.record.generation)
}

/// The version, with what may run until it does: what ran before and was healthy, else all that may run now.
pub(super) fn deployment(
    application: &Name,
    before: Option<&Deployed>,
    version: Version,
    canary: Option<Canary>,
) -> anyhow::Result<Deployment> {
    let deployed = before.and_then(|before| before.record.value.as_ref());
    let known = deployed.map_or(&[][..], |deployment| &deployment.versions);
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
    if healthy.is_none() && deployed.is_some_and(|deployment| deployment.is_return) {
        // It is the first of these that was healthy.
        earlier.rotate_left(1);
    }
    let good = deployed.and_then(|it| if it.is_return { it.version() } else { it.before() });
    let is_return = healthy.is_none() && good.is_some_and(|good| good.name == version.name);
    earlier.retain(|known| known.name != version.name);
    // The last is what is gone back to: of too many, those between are left out.
    while earlier.len() >= VERSIONS_MAX {
        earlier.remove(earlier.len() - 2);
    }
    Ok(Deployment {
        application: application.clone(),
        phase: Phase::Deployed,
        versions: [version].into_iter().chain(earlier).collect(),
        canary: canary.filter(|_| !is_return),
        is_return,
        end: None,
    })
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
