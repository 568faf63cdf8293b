//! One file per family of commands; here each is called.

pub(crate) mod app;
pub(crate) mod build;
pub(crate) mod call;
pub(crate) mod claims;
pub(crate) mod config;
pub(crate) mod doctor;
pub(crate) mod down;
pub(crate) mod drain;
pub(crate) mod get;
pub(crate) mod host;
pub(crate) mod inspect;
pub(crate) mod keys;
pub(crate) mod link;
pub(crate) mod logs;
pub(crate) mod nats;
pub(crate) mod new;
pub(crate) mod scale;
pub(crate) mod start;
pub(crate) mod stop;
pub(crate) mod trace;
pub(crate) mod up;
pub(crate) mod wadm;
pub(crate) mod why;

use anyhow::Context as _;

use crate::{
    args::{Cli, Command, Global},
    exit::Exit,
    output::Output,
    session::Session,
};

/// What every command is given beside its arguments.
#[derive(Clone, Debug)]
pub(crate) struct Context {
    pub(crate) global: Global,
    pub(crate) output: Output,
}

impl Context {
    /// A connection to the lattice, for commands that need one.
    pub(crate) async fn session(&self) -> anyhow::Result<Session> {
        Session::open(&self.global, self.output).await
    }
}

/// Runs a command to its end.
pub(crate) fn run(cli: Cli, output: Output) -> anyhow::Result<Exit> {
    let context = Context { global: cli.global, output };
    let runtime = tokio::runtime::Builder::new_multi_thread()
        // The host brings its own threads for calls; this one carries what goes over NATS. A second one made calls between hosts
        // slower by a fifth: the two woke each other.
        .worker_threads(1)
        .enable_all()
        .build()
        .context("start the runtime")?;
    let done = runtime.block_on(dispatch(&context, cli.command));
    // A blocking read of stdin, say, must not keep a finished command from ending.
    runtime.shutdown_background();
    done
}

async fn dispatch(context: &Context, command: Command) -> anyhow::Result<Exit> {
    match command {
        Command::Up(args) => Box::pin(up::run(context, args)).await,
        Command::Down(args) => down::run(context, args).await,
        Command::Drain(args) => drain::run(context, args).await,
        Command::New(command) => new::run(context, command),
        Command::Build(args) => build::run(context, &args),
        Command::Start(command) => Box::pin(start::run(context, command)).await,
        Command::Stop(command) => stop::run(context, command).await,
        Command::Scale(command) => scale::run(context, command).await,
        Command::Link(command) => Box::pin(link::run(context, command)).await,
        Command::Config(command) => config::run(context, command).await,
        Command::Get(command) => get::run(context, command).await,
        Command::Call(args) => call::run(context, args).await,
        Command::App(command) => Box::pin(app::run(context, command)).await,
        Command::Why(args) => why::run(context, args).await,
        Command::Trace(args) => trace::run(context, &args).await,
        Command::Logs(args) => logs::run(context, args).await,
        Command::Inspect(args) => inspect::run(context, args).await,
        Command::Keys(command) => keys::run(context, command),
        Command::Claims(command) => Box::pin(claims::run(context, command)).await,
        Command::Host(args) => Box::pin(host::run(context, args)).await,
        Command::Wadm(args) => Box::pin(wadm::run(context, args)).await,
        Command::Nats(command) => nats::run(context, &command),
        Command::Doctor(args) => Box::pin(doctor::run(context, args)).await,
    }
}
