//! `wattle start actor`.

use std::{collections::BTreeMap, num::NonZeroU16, time::Duration};

use clap::Args;
use wattle_core::{
    EntityId, Name,
    control::{ActorLimits, Command, Scale, StartActor},
    quantity,
};

use super::{file_of, upload};
use crate::{
    args::value,
    commands::Context,
    exit::Exit,
    problem::Problem,
    signing::{component, name_like, provider::read},
};

/// Calls at once unless said: enough for a busy small machine, and a host may hold an actor to less.
const INSTANCES_DEFAULT: NonZeroU16 = NonZeroU16::new(256).expect("it is not zero");

#[derive(Debug, Args)]
#[command(after_help = "Examples:
  wattle start actor build/counter.signed.wasm
  wattle start actor counter.wasm --id shop-counter --instances 50 --config greeting")]
pub(crate) struct ActorArgs {
    /// A signed component: PATH or file:PATH
    #[arg(value_name = "COMPONENT")]
    reference: String,
    /// The id to run it under [default: the name in its claims]
    #[arg(long)]
    id: Option<EntityId>,
    /// Calls at once; each runs in an instance of its own
    #[arg(long, default_value_t = INSTANCES_DEFAULT)]
    instances: NonZeroU16,
    /// A config for it (see `wattle config put`); repeatable, later ones win
    #[arg(long, value_name = "CONFIG")]
    config: Vec<Name>,
    /// Linear memory of one instance: 64MiB [default and most: the host's]
    #[arg(long, value_name = "SIZE", value_parser = value::memory)]
    memory: Option<u64>,
    /// Calls that may wait for an instance; beyond it they are refused as overloaded
    #[arg(long, value_name = "CALLS")]
    queue: Option<u32>,
    /// The longest a call may take to the head of its response: 5s
    #[arg(long, value_name = "TIME", value_parser = quantity::duration)]
    deadline: Option<Duration>,
}

pub(super) async fn run(context: &Context, args: ActorArgs) -> anyhow::Result<Exit> {
    let path = file_of(&args.reference);
    if path.is_dir() {
        let what = format!("{} is a folder, not a component", path.display());
        let next = format!("wattle build {}", path.display());
        return Err(Problem::new(Exit::Usage, what).next(next).into());
    }
    let wasm = read(&path)?;
    let claims = component::claims_in(&wasm, &path)?;
    let id = match args.id {
        Some(id) => id,
        None => name_like(&claims.name)?.as_str().parse()?,
    };
    let session = context.session().await?;
    let host = session.host().await?;
    let artifact = upload(&session, id.as_str(), &wasm).await?;
    let limits = ActorLimits {
        memory_bytes: args.memory,
        queue: args.queue,
        deadline_ms: args.deadline.map(|time| u32::try_from(time.as_millis()).unwrap_or(u32::MAX)),
    };
    let scale = Scale::UpTo(args.instances);
    let command = StartActor {
        id: id.clone(),
        artifact,
        scale,
        config: args.config,
        limits,
        values: BTreeMap::new(),
        program: None,
    };
    let step = context.output.step(&format!("starting actor {id}"));
    let done = session.make_so(&host, Command::StartActor(command)).await?;
    step.done(if done.unchanged { "it ran already" } else { "it takes calls" });
    context.output.answer(&done, || done.or(format!("actor {id} runs")));
    Ok(Exit::Ok)
}
