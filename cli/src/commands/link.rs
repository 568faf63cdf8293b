//! `wattle link`: who may call whom, on what. The user signs, the host checks, and says when it holds.

use std::{collections::BTreeSet, time::Duration};

use anyhow::Context as _;
use clap::{Args, Subcommand, ValueEnum};
use futures::future::join_all;
use serde_json::json;
use wattle_claims::{Record, RecordKey};
use wattle_core::{
    EntityId, HostKey, Interface, Link, LinkName, Locality, Name,
    control::{Command, Outcome},
    entity::Party,
    inventory::{Inventory, LinkStatus},
    link::{LinkConfig, LinkKey},
};

use super::Context;
use crate::{
    args::value,
    exit::Exit,
    problem::Problem,
    session::{
        Session,
        entities::{host_of, hosts_of, party, runs, unexpected},
        records::next_generation,
    },
};

/// Grant one actor or provider calls to another
#[derive(Debug, Subcommand)]
#[command(after_help = "Example:\n  wattle link put counter kv wasi:keyvalue/store")]
pub(crate) enum LinkCommand {
    /// Put a link, or replace it; it holds when this returns
    Put(PutArgs),
    /// Delete a link; calls over it are refused when this returns
    Del(DelArgs),
}

#[derive(Debug, Args)]
#[command(after_help = "Examples:
  wattle link put http-server counter wasi:http/incoming-handler \\
      --source address=127.0.0.1:8080 --source path=/counter
  wattle link put counter kv wasi:keyvalue/store,wasi:keyvalue/atomics \\
      --constraint key-prefix=counter/
  wattle link put counter kv wasi:keyvalue/store --target-secret url=redis-url")]
pub(crate) struct PutArgs {
    /// Who calls: the id of an actor or provider
    #[arg(value_name = "SOURCE", id = "source_id")]
    source_id: EntityId,
    /// Who is called: the id of an actor or provider
    #[arg(value_name = "TARGET", id = "target_id")]
    target_id: EntityId,
    /// What may be called: interfaces of one package
    #[arg(required = true, value_delimiter = ',')]
    interfaces: Vec<Interface>,
    /// Tells several links of one caller on the same interfaces apart
    #[arg(long, default_value = "default", value_name = "LINK_NAME")]
    name: LinkName,
    /// A setting for the caller's side; repeatable
    #[arg(long, value_name = "KEY=VALUE", value_parser = value::pair)]
    source: Vec<(String, String)>,
    /// A setting for the callee's side; repeatable
    #[arg(long, value_name = "KEY=VALUE", value_parser = value::pair)]
    target: Vec<(String, String)>,
    /// A setting for the caller's side that its host reads from the secret NAME
    #[arg(long, value_name = "KEY=NAME", value_parser = value::secret)]
    source_secret: Vec<(String, Name)>,
    /// A setting for the callee's side that its host reads from the secret NAME
    #[arg(long, value_name = "KEY=NAME", value_parser = value::secret)]
    target_secret: Vec<(String, Name)>,
    /// A config (see `wattle config put`) for the caller's side; repeatable, later ones win
    #[arg(long, value_name = "CONFIG")]
    source_config: Vec<Name>,
    /// A config for the callee's side; repeatable, later ones win
    #[arg(long, value_name = "CONFIG")]
    target_config: Vec<Name>,
    /// What the callee holds the caller to; repeatable, the same key adds a value
    #[arg(long, value_name = "KEY=VALUE", value_parser = value::pair)]
    constraint: Vec<(String, String)>,
    /// Where the callee may run: any, local (the caller's host) or remote (another)
    #[arg(long, value_enum, default_value_t, hide_possible_values = true)]
    locality: LocalityArg,
    /// The link ends after this time, and a minute that hosts allow for clocks: 1h, 7d [default: it does not end]
    #[arg(long, value_name = "TIME", value_parser = value::lasting)]
    expires_in: Option<Duration>,
    /// Take passwords in plain settings
    #[arg(long)]
    plaintext_secrets: bool,
}

#[derive(Debug, Args)]
#[command(after_help = "Example:\n  wattle link del counter kv wasi:keyvalue")]
pub(crate) struct DelArgs {
    /// Who calls
    source: EntityId,
    /// Who is called
    target: EntityId,
    /// The package, or any interface of it
    #[arg(value_parser = package)]
    package: String,
    /// The link's name
    #[arg(long, default_value = "default", value_name = "LINK_NAME")]
    name: LinkName,
}

/// Where a link's callee may run.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
enum LocalityArg {
    /// On the caller's host if it runs there, else on another
    #[default]
    Any,
    /// Only on the caller's host
    Local,
    /// Only on another host
    Remote,
}

impl From<LocalityArg> for Locality {
    fn from(locality: LocalityArg) -> Self {
        match locality {
            LocalityArg::Any => Self::Any,
            LocalityArg::Local => Self::Local,
            LocalityArg::Remote => Self::Remote,
        }
    }
}

pub(crate) async fn run(context: &Context, command: LinkCommand) -> anyhow::Result<Exit> {
    match command {
        LinkCommand::Put(args) => Box::pin(put(context, args)).await,
        LinkCommand::Del(args) => Box::pin(delete(context, args)).await,
    }
}

async fn put(context: &Context, args: PutArgs) -> anyhow::Result<Exit> {
    one_package(&args.interfaces)?;
    let (source_config, target_config) = (args.source_side()?, args.target_side()?);
    let session = context.session().await?;
    let both_run =
        |known: &[Inventory]| runs(known, &args.source_id) && runs(known, &args.target_id);
    let inventories = session.inventories_until(both_run).await?;
    let link = Link {
        source: party(&inventories, &args.source_id)?,
        target: party(&inventories, &args.target_id)?,
        name: args.name,
        interfaces: args.interfaces,
        locality: args.locality.into(),
        constraints: value::constraints(&args.constraint),
        source_config,
        target_config,
    };
    let host = session.host().await?;
    let key = link.key();
    let known = generation(&session, &host, &key).await?;
    // Each end's host says what its provider makes of the link: a port may be taken.
    let mut hosts: Vec<HostKey> = Vec::new();
    for end in [host_of(&inventories, &link.source), host_of(&inventories, &link.target)] {
        if let Some(end) = end.filter(|end| !hosts.contains(end)) {
            hosts.push(end.clone());
        }
    }
    let step = context.output.step(&format!("linking {} to {}", key.source, key.target));
    let record = RecordKey::Link { account: session.account.clone(), key: key.clone() };
    let done = session.put_record(&hosts, record, Some(link), known, args.expires_in).await?;
    step.done("it holds");
    context.output.answer(&done, || format!("{key}: {}", done.or("the link holds")));
    Ok(Exit::Ok)
}

async fn delete(context: &Context, args: DelArgs) -> anyhow::Result<Exit> {
    let key = LinkKey {
        source: args.source.to_string(),
        target: args.target.to_string(),
        package: args.package,
        name: args.name,
    };
    let session = context.session().await?;
    let host = session.host().await?;
    let mut known = links(&session, &host).await?;
    known.retain(|status| status.link.key() == key);
    let Some(generation) = known.iter().map(|status| status.generation).max() else {
        let problem = Problem::new(Exit::NotFound, format!("no link {key}"));
        return Err(problem.next("wattle get links").into());
    };
    let record = RecordKey::Link { account: session.account.clone(), key: key.clone() };
    let generation = next_generation(generation);
    let record = Record::<Link> { generation, key: record, value: None };
    let token = session.sign_record(record)?.text().to_owned();
    let done = session.make_so(&host, Command::PutRecord { token: token.clone() }).await?;
    let ends: Vec<&Party> =
        known.iter().flat_map(|status| [&status.link.source, &status.link.target]).collect();
    tell_others(&session, &host, &ends, &token)
        .await
        .with_context(|| format!("{key} is deleted, but calls over it may still be let through"))?;
    context.output.answer(&done, || format!("{key}: the link is deleted"));
    Ok(Exit::Ok)
}

/// Each call is judged where it comes from and where it goes, by what is known there: those hosts are told, too. One that is gone serves
/// no call, and hears of it when it is back.
async fn tell_others(
    session: &Session,
    first: &HostKey,
    ends: &[&Party],
    token: &str,
) -> anyhow::Result<()> {
    let both_run = |known: &[Inventory]| ends.iter().all(|party| host_of(known, party).is_some());
    let inventories = session.inventories_until(both_run).await?;
    let hosts = ends.iter().flat_map(|party| hosts_of(&inventories, party));
    let hosts: BTreeSet<&HostKey> = hosts.filter(|host| *host != first).collect();
    let told = hosts.into_iter().map(async |host| {
        let put = Command::PutRecord { token: token.to_owned() };
        let said = session.ask_if_there(host, put).await;
        match said.with_context(|| format!("host {host}"))? {
            Some(Outcome::Done { .. }) => {}
            Some(other) => return Err(unexpected(&other)),
            None => session.output.aside(&json!({"host": host, "away": true}), || {
                format!("host {host} is away: it hears of it when it is back")
            }),
        }
        Ok(())
    });
    // Whichever of them does not answer, the others are to hear of it.
    join_all(told).await.into_iter().collect()
}

/// The generation of the newest record of a link that the host knows; 0 if it knows none.
async fn generation(session: &Session, host: &HostKey, key: &LinkKey) -> anyhow::Result<u64> {
    let links = links(session, host).await?;
    let known = links.iter().filter(|status| status.link.key() == *key);
    Ok(known.map(|status| status.generation).max().unwrap_or(0))
}

/// The links that a host knows.
pub(crate) async fn links(session: &Session, host: &HostKey) -> anyhow::Result<Vec<LinkStatus>> {
    match session.ask(host, Command::GetLinks).await? {
        Outcome::Links(links) => Ok(links),
        other => Err(unexpected(&other)),
    }
}

impl PutArgs {
    fn source_side(&self) -> Result<LinkConfig, Problem> {
        self.side("source", &self.source_config, &self.source, &self.source_secret)
    }

    fn target_side(&self) -> Result<LinkConfig, Problem> {
        self.side("target", &self.target_config, &self.target, &self.target_secret)
    }

    fn side(
        &self,
        side: &str,
        named: &[Name],
        plain: &[(String, String)],
        secrets: &[(String, Name)],
    ) -> Result<LinkConfig, Problem> {
        let values = value::settings(plain, secrets)
            .map_err(|error| Problem::new(Exit::Usage, format!("--{side}: {error}")))?;
        if let Some(key) = value::password_in(&values).filter(|_| !self.plaintext_secrets) {
            let what = format!(
                "--{side} {key}=… would keep a password where whoever may inspect the lattice reads it"
            );
            let next = format!(
                "keep it in a file of the host's --secrets-dir and say --{side}-secret {key}=NAME, or add --plaintext-secrets"
            );
            return Err(Problem::new(Exit::Usage, what).next(next));
        }
        Ok(LinkConfig { named: named.to_vec(), values })
    }
}

/// One link covers one package, so that its key says what it is about.
fn one_package(interfaces: &[Interface]) -> Result<(), Problem> {
    let first = interfaces.first().map_or("", Interface::package);
    match interfaces.iter().find(|interface| interface.package() != first) {
        None => Ok(()),
        Some(other) => {
            let what = format!("a link covers interfaces of one package: {first} and {other}");
            Err(Problem::new(Exit::Usage, what).next("put one link for each package"))
        }
    }
}

/// `wasi:keyvalue`, or an interface of it.
fn package(text: &str) -> Result<String, String> {
    let interface = if text.contains('/') {
        text.to_owned()
    } else {
        format!("{}/x", text.split('@').next().unwrap_or(text))
    };
    let parsed: Interface = interface.parse().map_err(|_| {
        format!("{text:?} is not a package: write namespace:package, for example wasi:keyvalue")
    })?;
    Ok(parsed.package().to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_package_may_be_said_by_one_of_its_interfaces() {
        for text in
            ["wasi:keyvalue", "wasi:keyvalue@0.2.0-draft", "wasi:keyvalue/store@0.2.0-draft"]
        {
            assert_eq!(package(text).as_deref(), Ok("wasi:keyvalue"), "{text}");
        }
        assert!(package("keyvalue").is_err());
    }

    #[test]
    fn interfaces_of_two_packages_are_two_links() {
        let parse = |text: &str| text.parse().expect("an interface");
        assert!(one_package(&[parse("a:b/c"), parse("a:b/d")]).is_ok());
        assert!(one_package(&[parse("a:b/c"), parse("a:x/d")]).is_err());
    }
}
