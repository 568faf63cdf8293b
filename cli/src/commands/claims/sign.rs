//! `wattle claims sign`: with the project's account (an account: with its operator).

use std::{
    collections::{BTreeMap, BTreeSet},
    path::{Path, PathBuf},
    time::Duration,
};

use clap::{Args, Subcommand, ValueEnum};
use serde_json::json;
use wattle_claims::{AccountClaims, Body, HostClaims, Right, UserClaims, provider};
use wattle_core::{AccountKey, HostKey, Interface, Name, UserKey};

use crate::{
    args::value,
    commands::{Context, build::as_text},
    exit::Exit,
    problem::Problem,
    project::{
        Project, file,
        keys::{Role, Signer},
    },
    signing::{self, component, name_like, provider as artifact},
};

#[derive(Debug, Subcommand)]
#[command(after_help = "Example:\n  wattle claims sign actor counter.wasm")]
pub(crate) enum SignCommand {
    /// Sign a component for exactly the interfaces it imports and exports
    Actor(ActorArgs),
    /// Sign and pack a provider's binaries
    Provider(ProviderArgs),
    /// Admit a host
    #[command(
        after_help = "Example:\n  wattle claims sign host NB3… --name kitchen --out host.jwt"
    )]
    Host(HostArgs),
    /// Say who a user is, and what they may do
    #[command(after_help = "Example:
  wattle claims sign user UC7… --name ana --right inspect,invoke --expires-in 30d --out ana.jwt")]
    User(UserArgs),
    /// Say whose an account is (needs the operator's key)
    #[command(
        after_help = "Example:\n  wattle claims sign account AD2… --name shop --out shop.jwt"
    )]
    Account(AccountArgs),
}

#[derive(Debug, Args)]
#[command(after_help = "Examples:
  wattle claims sign actor counter.wasm
  wattle claims sign actor counter.wasm --name counter --version 1.2.3 --out counter.signed.wasm")]
pub(crate) struct ActorArgs {
    /// A component
    file: PathBuf,
    /// The actor's name; its key is kept under it [default: the file's]
    #[arg(long)]
    name: Option<Name>,
    /// The version that its claims say
    #[arg(long, default_value = "0.1.0")]
    version: String,
    #[command(flatten)]
    made: Made,
}

#[derive(Debug, Args)]
#[command(after_help = "Example:
  wattle claims sign provider --name queue --export shop:queue/jobs \\
      --binary linux-x86_64=target/release/queue --out queue.tar")]
pub(crate) struct ProviderArgs {
    /// The provider's name; its key is kept under it
    #[arg(long)]
    name: Name,
    /// The version that its claims say
    #[arg(long, default_value = "0.1.0")]
    version: String,
    /// What it calls: interfaces, separated by commas
    #[arg(long, value_delimiter = ',', value_name = "INTERFACE")]
    import: Vec<Interface>,
    /// What it answers: interfaces, separated by commas
    #[arg(long, value_delimiter = ',', value_name = "INTERFACE")]
    export: Vec<Interface>,
    /// A binary, for {os}-{arch} or, if only PATH is said, for this machine; repeatable
    #[arg(long, required = true, value_name = "[PLATFORM=]PATH")]
    binary: Vec<String>,
    #[command(flatten)]
    made: Made,
}

#[derive(Debug, Args)]
pub(crate) struct HostArgs {
    /// The host's public key; `wattle host` shows it
    key: HostKey,
    /// The host's friendly name
    #[arg(long)]
    name: Name,
    /// It may keep declared applications running, on all hosts
    #[arg(long)]
    wadm: bool,
    #[command(flatten)]
    made: Made,
}

#[derive(Debug, Args)]
pub(crate) struct UserArgs {
    /// The user's public key
    key: UserKey,
    /// The user's name
    #[arg(long)]
    name: String,
    /// What they may do: control, link, config, invoke, inspect
    #[arg(long, value_enum, value_delimiter = ',', required = true, hide_possible_values = true)]
    right: Vec<RightArg>,
    #[command(flatten)]
    made: Made,
}

#[derive(Debug, Args)]
pub(crate) struct AccountArgs {
    /// The account's public key
    key: AccountKey,
    /// The account's name
    #[arg(long)]
    name: String,
    #[command(flatten)]
    made: Made,
}

/// How long it holds, and where it goes.
#[derive(Debug, Args)]
struct Made {
    /// It ends after this time: 1h, 30d [default: it does not end]
    #[arg(long, value_name = "TIME", value_parser = value::lasting)]
    expires_in: Option<Duration>,
    /// Where the result goes [default: a token to stdout, an artifact beside its source]
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
}

/// What a user may be allowed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum RightArg {
    /// Start, stop and scale
    Control,
    /// Put and delete links
    Link,
    /// Put and delete config
    Config,
    /// Call what runs, without a link
    Invoke,
    /// See inventory, links, config and logs
    Inspect,
}

impl From<RightArg> for Right {
    fn from(right: RightArg) -> Self {
        match right {
            RightArg::Control => Self::Control,
            RightArg::Link => Self::Link,
            RightArg::Config => Self::Config,
            RightArg::Invoke => Self::Invoke,
            RightArg::Inspect => Self::Inspect,
        }
    }
}

pub(super) fn run(context: &Context, command: SignCommand) -> anyhow::Result<Exit> {
    let project = Project::require(&context.global)?;
    match command {
        SignCommand::Actor(args) => actor(context, &project, args),
        SignCommand::Provider(args) => provider(context, &project, args),
        SignCommand::Host(args) => {
            let account = project.keys().signer(Role::Account)?;
            let rights = if args.wadm { [Right::Wadm].into() } else { BTreeSet::new() };
            let body = HostClaims { name: args.name, rights };
            token(context, &account, args.key.to_string(), body, &args.made)
        }
        SignCommand::User(args) => {
            let account = project.keys().signer(Role::Account)?;
            let rights = args.right.into_iter().map(Right::from).collect();
            let body = UserClaims { name: args.name, rights };
            token(context, &account, args.key.to_string(), body, &args.made)
        }
        SignCommand::Account(args) => {
            let operator = project.keys().signer(Role::Operator)?;
            let body = AccountClaims { name: args.name };
            token(context, &operator, args.key.to_string(), body, &args.made)
        }
    }
}

fn actor(context: &Context, project: &Project, args: ActorArgs) -> anyhow::Result<Exit> {
    let path = args.made.out.unwrap_or_else(|| signed_beside(&args.file));
    let name = args.name.map_or_else(|| name_like(&stem(&args.file)), Ok)?;
    let draft = component::Draft { name, version: args.version, lasts: args.made.expires_in };
    let wasm = artifact::read(&args.file)?;
    let signed = component::sign(project, &wasm, draft, std::fs::read(&path).ok())?;
    file::write_public(&path, &signed.wasm)?;
    context.output.answer(&json!({"file": path, "actor": signed}), || as_text(&path, &signed));
    Ok(Exit::Ok)
}

/// `x.wasm` is signed into `x.signed.wasm`.
fn signed_beside(path: &Path) -> PathBuf {
    path.with_file_name(format!("{}.signed.wasm", stem(path)))
}

fn stem(path: &Path) -> String {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let bare = name.strip_suffix(".wasm").unwrap_or(&name);
    bare.strip_suffix(".signed").unwrap_or(bare).to_owned()
}

fn provider(context: &Context, project: &Project, args: ProviderArgs) -> anyhow::Result<Exit> {
    let mut binaries = BTreeMap::new();
    for given in &args.binary {
        let (platform, path) = match given.split_once('=') {
            Some((platform, path)) => (platform.to_owned(), path),
            None => (provider::platform(), given.as_str()),
        };
        if binaries.insert(platform.clone(), artifact::read(Path::new(path))?).is_some() {
            let what = format!("--binary: {platform} is given twice");
            return Err(Problem::new(Exit::Usage, what).into());
        }
    }
    let path = args.made.out.unwrap_or_else(|| PathBuf::from(format!("{}.tar", args.name)));
    let draft = artifact::Draft {
        name: args.name,
        version: args.version,
        imports: args.import,
        exports: args.export,
        binaries,
        lasts: args.made.expires_in,
    };
    file::write_public(&path, &draft.sign(project)?)?;
    context.output.answer(&json!({"file": path, "name": draft.name}), || {
        let shown = path.display();
        format!(
            "provider {} is signed into {shown}\nnext: wattle start provider {shown}",
            draft.name
        )
    });
    Ok(Exit::Ok)
}

fn token<B: Body>(
    context: &Context,
    signer: &Signer,
    subject: String,
    body: B,
    made: &Made,
) -> anyhow::Result<Exit> {
    let signed = signing::sign(signer, subject.clone(), body, made.expires_in)?;
    let kind = B::KIND;
    match &made.out {
        Some(path) => {
            file::write_public(path, signed.text().as_bytes())?;
            context.output.answer(&json!({"kind": kind, "subject": subject, "file": path}), || {
                format!("{kind} {subject} is signed into {}", path.display())
            });
        }
        None => {
            let json = json!({"kind": kind, "subject": subject, "token": signed.text()});
            context.output.answer(&json, || signed.text().to_owned());
        }
    }
    Ok(Exit::Ok)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn signing_again_replaces_the_signed_file() {
        for name in ["a/x.wasm", "a/x.signed.wasm"] {
            assert_eq!(signed_beside(Path::new(name)), Path::new("a/x.signed.wasm"));
        }
    }
}
