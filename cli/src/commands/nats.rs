//! `wattle nats init`: configuration for a NATS that people run themselves.

mod config;
mod files;
mod hub;
mod leaf;
mod server;
mod tls;

use std::path::PathBuf;

use clap::{Args, Subcommand};
use serde_json::json;
use wattle_core::{HostKey, Name};

use super::Context;
use crate::{exit::Exit, project::Project};

use self::files::Folder;

/// Write configuration for a NATS of your own
#[derive(Debug, Subcommand)]
#[command(
    after_help = "Example:\n  wattle nats init server --out nats --tls-host nats.example.com"
)]
pub(crate) enum NatsCommand {
    /// Write a folder with which `nats-server` runs: configuration, certificate, credentials
    #[command(subcommand)]
    Init(InitCommand),
}

/// Write a folder with which `nats-server` runs: configuration, certificate, credentials
#[derive(Debug, Subcommand)]
#[command(
    after_help = "Example:\n  wattle nats init server --out nats --tls-host nats.example.com"
)]
pub(crate) enum InitCommand {
    /// Write one server: TLS, a credential for each host and one for users, and only what each needs allowed
    ///
    /// Keys and certificates that are in the folder already are used as they are. A host's key is what `wattle host` prints on
    /// its machine.
    #[command(after_help = "Examples:
  wattle nats init server --out nats --tls-host nats.example.com --allow-host pi-3=N…
  # one more host
  wattle nats init server --out nats --allow-host pi-3=N… --allow-host pi-4=N… --force
  wattle nats init server --out nats --cert fullchain.pem --key privkey.pem")]
    Server(Access),
    /// Write a server that has the lattice's records and artifacts, and that the servers of sites join as leaf nodes
    ///
    /// The same as a server, and a login for each site. Its JetStream domain is --js-domain, or else `hub`.
    Hub(hub::HubArgs),
    /// Write the server of a site: it joins a hub, and its hosts go on when the line to the hub is cut
    ///
    /// The same as a server for the site's own hosts and users, which use the hub's records and artifacts. Its own JetStream
    /// domain is --js-domain, or else the site's name.
    Leaf(leaf::LeafArgs),
}

/// Who may connect to a server.
#[derive(Debug, Args)]
pub(crate) struct Access {
    /// The folder to write
    #[arg(long, value_name = "FOLDER")]
    out: PathBuf,
    /// A host to make a credential for, by name and key; repeatable
    #[arg(long, value_name = "NAME=KEY", value_parser = allowed_host)]
    allow_host: Vec<(Name, HostKey)>,
    /// Which of these may be wadm, as their claims have to say too; repeatable
    #[arg(long, value_name = "NAME")]
    wadm: Vec<Name>,
    #[command(flatten)]
    listen: Listen,
    /// Write the configuration anew; keys and certificates stay
    #[arg(long)]
    force: bool,
}

/// Where a server listens, and how it shows who it is.
#[derive(Debug, Args)]
struct Listen {
    /// Where it listens for hosts and users
    #[arg(long, default_value = "0.0.0.0:4222", value_name = "ADDRESS")]
    listen: String,
    /// A name or address by which it is reached, for its certificate; repeatable [default: localhost]
    #[arg(long, value_name = "NAME", conflicts_with = "cert")]
    tls_host: Vec<String>,
    /// A certificate of your own, as a PEM file
    #[arg(long, value_name = "FILE", requires = "key")]
    cert: Option<PathBuf>,
    /// Its private key
    #[arg(long, value_name = "FILE", requires = "cert")]
    key: Option<PathBuf>,
    /// The authority that signed it, if systems do not know it
    #[arg(long, value_name = "FILE", requires = "cert")]
    ca: Option<PathBuf>,
}

fn allowed_host(text: &str) -> Result<(Name, HostKey), String> {
    let (name, key) = text.split_once('=').ok_or("write NAME=KEY, as in pi-3=N…")?;
    Ok((
        name.parse().map_err(|error| format!("{error}"))?,
        key.parse().map_err(|error| format!("{error}"))?,
    ))
}

/// What was written, and what to do with it.
struct Written {
    folder: Folder,
    config: &'static str,
    next: Vec<String>,
}

pub(crate) fn run(context: &Context, command: &NatsCommand) -> anyhow::Result<Exit> {
    let NatsCommand::Init(init) = command;
    let project = Project::find(&context.global)?;
    let file = project.map(|project| project.lattice()).transpose()?.unwrap_or_default();
    let lattice = context.global.lattice.clone().unwrap_or_else(|| file.name());
    let domain = context.global.js_domain.clone();
    let Written { folder, config, next } = match init {
        InitCommand::Server(access) => server::write(access, &lattice)?,
        InitCommand::Hub(args) => {
            let hub = || "hub".parse().expect("hub is a name");
            hub::write(args, &lattice, &domain.unwrap_or_else(hub))?
        }
        InitCommand::Leaf(args) => {
            leaf::write(args, &lattice, &domain.unwrap_or_else(|| args.name.clone()))?
        }
    };
    let config = folder.path().join(config);
    let json = json!({"lattice": lattice, "config": config, "next": next});
    context.output.answer(&json, || {
        let (config, next) = (config.display(), next.join("\n  "));
        format!("wrote {config} for lattice {lattice}; next:\n  {next}")
    });
    Ok(Exit::Ok)
}
