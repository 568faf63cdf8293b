//! `wattle app undeploy` and `wattle app delete`.

use clap::Args;
use wattle_claims::Record;
use wattle_core::{
    Name,
    deployment::{Deployment, Phase},
};

use super::{
    record::{Waiting, key, put},
    status::not_deployed,
    wait::Goal,
};
use crate::{
    commands::Context,
    exit::Exit,
    session::{Session, records::next_generation, wadm::Deployed},
};

/// Stop an application and keep its deployment: what other applications use of it goes on
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  wattle app undeploy shop")]
pub(crate) struct UndeployArgs {
    #[command(flatten)]
    which: Which,
}

/// Stop an application and forget it: it is gone as soon as no other application uses it
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  wattle app delete shop")]
pub(crate) struct DeleteArgs {
    #[command(flatten)]
    which: Which,
}

#[derive(Debug, Args)]
struct Which {
    /// The application
    application: Name,
    #[command(flatten)]
    waiting: Waiting,
}

pub(super) async fn undeploy(context: &Context, args: UndeployArgs) -> anyhow::Result<Exit> {
    let session = context.session().await?;
    let (before, deployment) = deployed(&session, &args.which.application).await?;
    let is_so = deployment.phase == Phase::Undeployed;
    let generation = match is_so {
        true => before.record.generation,
        false => {
            let deployment = Deployment { phase: Phase::Undeployed, ..deployment };
            put(&session, Some(&before), deployment).await?
        }
    };
    args.which.waiting.until(&session, &args.which.application, generation, Goal::Stopped).await
}

pub(super) async fn delete(context: &Context, args: DeleteArgs) -> anyhow::Result<Exit> {
    let session = context.session().await?;
    let application = &args.which.application;
    let (before, deployment) = deployed(&session, application).await?;
    let generation = next_generation(before.record.generation);
    // wadm can sign no tombstone, so it is given this one, for when nothing runs any more.
    let tombstone: Record<Deployment> = Record {
        generation: generation.saturating_add(1),
        key: key(&session, application),
        value: None,
    };
    let end = session.sign_record(tombstone)?;
    let deployment =
        Deployment { phase: Phase::Undeployed, end: Some(end.text().to_owned()), ..deployment };
    let record = Record { generation, key: key(&session, application), value: Some(deployment) };
    session.put_deployment(record).await?;
    args.which.waiting.until(&session, application, generation, Goal::Gone).await
}

async fn deployed(session: &Session, application: &Name) -> anyhow::Result<(Deployed, Deployment)> {
    let before = session.deployed(application).await?;
    let found = before.and_then(|before| {
        let mut deployment = before.record.value.clone()?;
        // What goes, or goes on for those that use it, is what runs, and not a version that was given up; while that one is on trial,
        // it is the one before.
        match (deployment.before().cloned(), &before.version) {
            (Some(good), Some(_)) if !before.healthy => {
                deployment.versions.retain(|version| version.name != good.name);
                deployment.versions.insert(0, good);
                deployment.is_return = true;
            }
            (_, Some(running)) => deployment.versions.retain(|version| version.name == *running),
            (_, None) => {}
        }
        Some((before, deployment))
    });
    Ok(found.ok_or_else(|| not_deployed(application))?)
}
