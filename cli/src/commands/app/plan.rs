//! `wattle app plan`: what a manifest would change, and where everything would run.

use std::path::PathBuf;

use clap::Args;
use wattle_core::{Name, inventory::Inventory};
use wattle_wadm::preview::{Change, PlannedComponent, Preview, preview};

use super::manifest::Text;
use crate::{commands::Context, exit::Exit, session::Session};

/// Show what a manifest would change, and where everything would run
///
/// Needs none of its images: what changes of them shows only when it is deployed.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  wattle app plan wadm.yaml
  wattle app plan - < wadm.yaml")]
pub(crate) struct PlanArgs {
    /// The manifest: a file, an https:// URL, or - for stdin
    file: PathBuf,
}

pub(super) async fn run(context: &Context, args: &PlanArgs) -> anyhow::Result<Exit> {
    let text = Text::read(&args.file).await?;
    let manifest = text.manifest(context.output)?;
    let session = context.session().await?;
    let hosts = hosts(&session).await?;
    let before = session.deployed(&manifest.name).await?;
    let deployment = before.and_then(|before| before.record.value);
    let deployed = deployment.as_ref().and_then(|deployment| deployment.version());
    let planned = preview(manifest, &hosts, &session.account, deployed)?;
    context.output.answer(&planned, || as_text(&planned));
    Ok(Exit::Ok)
}

/// What every host says that it runs, and whether it is drained.
async fn hosts(session: &Session) -> anyhow::Result<Vec<(Inventory, bool)>> {
    let heard = session.heard().await?;
    let asked = heard.iter().map(async |(host, beat)| {
        let inventory = session.inventory(host).await?;
        anyhow::Ok((inventory, beat.draining))
    });
    futures::future::try_join_all(asked).await
}

fn as_text(planned: &Preview) -> String {
    let mut lines = Vec::new();
    for component in &planned.components {
        let PlannedComponent { id, change, image, hosts, no_place } = component;
        let places: Vec<String> =
            hosts.iter().map(|(host, count): (&Name, &u32)| format!("{host} {count}")).collect();
        let places = match (change, places.is_empty()) {
            (Change::Removed, _) => String::new(),
            (_, true) => " on no host".to_owned(),
            (_, false) => format!(" on {}", places.join(", ")),
        };
        let image = if image.is_empty() { String::new() } else { format!(" ({image})") };
        lines.push(format!("{} {id}{image}{places}{}", sign(change), what(change)));
        lines.extend(no_place.iter().map(|problem| format!("  ! {problem}")));
    }
    for link in &planned.links {
        lines.push(format!("{} {}{}", sign(&link.change), link.link, what(&link.change)));
    }
    lines.join("\n")
}

const fn sign(change: &Change) -> char {
    match change {
        Change::Added => '+',
        Change::Changed(_) => '~',
        Change::Unchanged => '=',
        Change::Removed => '-',
    }
}

fn what(change: &Change) -> String {
    match change {
        Change::Changed(of) => format!(": another {}", of.join(", ")),
        Change::Added | Change::Unchanged | Change::Removed => String::new(),
    }
}
