//! The command line: what each command is called and what it takes. Families of commands have their arguments beside their code.

pub(crate) mod value;

use std::{ffi::OsString, path::PathBuf, time::Duration};

use clap::{Args, Parser, Subcommand};
use wattle_core::{LatticeName, Name, quantity};

use crate::{
    commands::{
        app::AppCommand, build::BuildArgs, call::CallArgs, claims::ClaimsCommand,
        config::ConfigCommand, doctor::DoctorArgs, down::DownArgs, drain::DrainArgs,
        get::GetCommand, host::HostArgs, inspect::InspectArgs, keys::KeysCommand,
        link::LinkCommand, logs::LogsArgs, nats::NatsCommand, new::NewCommand, scale::ScaleCommand,
        start::StartCommand, stop::StopCommand, trace::TraceArgs, up::UpArgs, wadm::WadmArgs,
        why::WhyArgs,
    },
    exit,
    output::Format,
};

/// Run signed Wasm actors on a NATS lattice.
#[derive(Debug, Parser)]
#[command(
    name = "wattle",
    version,
    after_help = exit::TABLE,
    arg_required_else_help = true,
    disable_help_subcommand = true,
    max_term_width = 100
)]
pub(crate) struct Cli {
    #[command(flatten)]
    pub(crate) global: Global,
    #[command(subcommand)]
    pub(crate) command: Command,
}

/// What every command takes.
#[derive(Clone, Debug, Args)]
#[command(next_help_heading = "Global options")]
pub(crate) struct Global {
    /// The project folder [default: `.wattle` here or above, then ~/.config/wattle]
    #[arg(long, global = true, env = "WATTLE_DIR", hide_env_values = true, value_name = "FOLDER")]
    pub(crate) dir: Option<PathBuf>,
    /// The lattice's name [default: the project's, else `default`]
    #[arg(
        long,
        global = true,
        env = "WATTLE_LATTICE",
        hide_env_values = true,
        value_name = "NAME"
    )]
    pub(crate) lattice: Option<LatticeName>,
    /// NATS servers, separated by commas [default: the project's]
    #[arg(
        long,
        global = true,
        env = "WATTLE_NATS_URL",
        hide_env_values = true,
        value_name = "URL"
    )]
    pub(crate) nats_url: Option<String>,
    /// A NATS credentials file
    #[arg(long, global = true, env = "WATTLE_CREDS", hide_env_values = true, value_name = "FILE")]
    pub(crate) creds: Option<PathBuf>,
    /// A file with the seed of an nkey that NATS knows
    #[arg(
        long,
        global = true,
        env = "WATTLE_NKEY",
        hide_env_values = true,
        value_name = "FILE",
        conflicts_with = "creds"
    )]
    pub(crate) nkey: Option<PathBuf>,
    /// A PEM file of the authority of NATS's certificate [default: the system's authorities]
    #[arg(long, global = true, env = "WATTLE_TLS_CA", hide_env_values = true, value_name = "FILE")]
    pub(crate) tls_ca: Option<PathBuf>,
    /// The JetStream domain that has the lattice's buckets, behind a leaf node
    #[arg(
        long,
        global = true,
        env = "WATTLE_JS_DOMAIN",
        hide_env_values = true,
        value_name = "NAME"
    )]
    pub(crate) js_domain: Option<Name>,
    /// The host to talk to, by key or friendly name [default: the project's, else the only one]
    #[arg(long, global = true, env = "WATTLE_HOST", hide_env_values = true, value_name = "HOST")]
    pub(crate) host: Option<String>,
    /// How the answer is written: text, or json (one value; one per line for what streams)
    #[arg(
        short,
        long,
        global = true,
        value_enum,
        default_value_t,
        hide_possible_values = true,
        value_name = "FORMAT"
    )]
    pub(crate) output: Format,
    /// How long to wait for the answer: 500ms, 30s, 2m
    #[arg(long, global = true, default_value = "30s", value_name = "TIME", value_parser = quantity::duration)]
    pub(crate) timeout: Duration,
    /// No progress and no notes on stderr
    #[arg(short, long, global = true)]
    pub(crate) quiet: bool,
}

/// Whether a command line that could not be read wants its answer as JSON.
pub(crate) fn asks_for_json(words: impl IntoIterator<Item = OsString>) -> bool {
    let words: Vec<OsString> = words.into_iter().take_while(|word| word != "--").collect();
    words.iter().any(|word| word == "-ojson" || word == "-o=json" || word == "--output=json")
        || words.windows(2).any(|two| (two[0] == "-o" || two[0] == "--output") && two[1] == "json")
}

/// The commands, in the order in which a newcomer needs them.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    Up(UpArgs),
    Down(DownArgs),
    #[command(subcommand)]
    New(NewCommand),
    Build(BuildArgs),
    #[command(subcommand)]
    Start(StartCommand),
    #[command(subcommand)]
    Stop(StopCommand),
    #[command(subcommand)]
    Scale(ScaleCommand),
    #[command(subcommand)]
    Link(LinkCommand),
    #[command(subcommand)]
    Config(ConfigCommand),
    #[command(subcommand)]
    Get(GetCommand),
    Call(CallArgs),
    Why(WhyArgs),
    Trace(TraceArgs),
    #[command(subcommand)]
    App(AppCommand),
    Logs(LogsArgs),
    Inspect(InspectArgs),
    #[command(subcommand)]
    Keys(KeysCommand),
    #[command(subcommand)]
    Claims(ClaimsCommand),
    Host(HostArgs),
    Wadm(WadmArgs),
    Drain(DrainArgs),
    #[command(subcommand)]
    Nats(NatsCommand),
    Doctor(DoctorArgs),
}
