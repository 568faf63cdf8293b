//! `wattle start provider`.

use std::collections::BTreeMap;

use clap::Args;
use wattle_core::{
    BuiltIn, EntityId, Name,
    control::{Command, StartProvider},
};

use super::{file_of, upload};
use crate::{
    commands::Context,
    exit::Exit,
    problem::Problem,
    session::Session,
    signing::{
        name_like,
        provider::{SHIPPED, Shipped, claims_in, read},
    },
};

/// What a Wasm file begins with.
const WASM_MAGIC: &[u8] = b"\0asm";

#[derive(Debug, Args)]
#[command(after_help = examples())]
pub(crate) struct ProviderArgs {
    /// The name of one that comes with Wattle, or a signed artifact: PATH or file:PATH
    #[arg(value_name = "PROVIDER")]
    reference: String,
    /// The id to run it under [default: its name]
    #[arg(long)]
    id: Option<EntityId>,
    /// A config for it (see `wattle config put`); repeatable, later ones win
    #[arg(long, value_name = "CONFIG")]
    config: Vec<Name>,
}

fn examples() -> String {
    let shipped: Vec<&str> = SHIPPED.iter().map(|shipped| shipped.name).collect();
    format!(
        "Examples:
  wattle start provider http-server
  wattle start provider keyvalue-redis --id kv
  wattle start provider file:my-provider.tar --config my-settings

Those that come with Wattle: {}",
        shipped.join(", ")
    )
}

pub(super) async fn run(context: &Context, args: ProviderArgs) -> anyhow::Result<Exit> {
    let session = context.session().await?;
    let (name, tar) = resolve(&session, &args.reference)?;
    let id = match args.id {
        Some(id) => id,
        None => name_like(&name)?.as_str().parse()?,
    };
    let host = session.host().await?;
    let artifact = upload(&session, &name, &tar).await?;
    let command = StartProvider {
        id: id.clone(),
        artifact,
        config: args.config,
        values: BTreeMap::new(),
        program: None,
    };
    let step = context.output.step(&format!("starting provider {id}"));
    let done = session.make_so(&host, Command::StartProvider(command)).await?;
    step.done(if done.unchanged { "it ran already" } else { "it is ready" });
    context.output.answer(&done, || done.or(format!("provider {id} runs")));
    Ok(Exit::Ok)
}

/// The artifact that a reference means, and the name of what is in it.
fn resolve(session: &Session, reference: &str) -> anyhow::Result<(String, Vec<u8>)> {
    if let Some(shipped) = Shipped::named(reference) {
        let tar = shipped.artifact(&session.project, session.output)?;
        return Ok((shipped.name.to_owned(), tar));
    }
    if let Some(built_in) = BuiltIn::named(reference) {
        let what = format!("{built_in} is built into every host, so that nothing starts it");
        let exports = built_in.export_names().join(",");
        let next = format!("wattle link put ACTOR {built_in} {exports}");
        return Err(Problem::new(Exit::Usage, what).next(next).into());
    }
    let path = file_of(reference);
    if !path.exists() && reference.parse::<Name>().is_ok() {
        let names: Vec<&str> = SHIPPED.iter().map(|shipped| shipped.name).collect();
        let what =
            format!("no provider {reference:?}: neither a file nor one of {}", names.join(", "));
        return Err(Problem::new(Exit::NotFound, what).into());
    }
    let tar = read(&path)?;
    if tar.starts_with(WASM_MAGIC) {
        let what = format!("{} is a Wasm component, and a provider is a process", path.display());
        let next = format!("wattle start actor {}", path.display());
        return Err(Problem::new(Exit::Usage, what).next(next).into());
    }
    Ok((claims_in(&tar, &path)?.name, tar))
}
