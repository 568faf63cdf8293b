//! `wattle get claims`.

use serde::Serialize;
use wattle_core::{Digest, EntityId, Identity, Interface, inventory::Inventory};

use crate::{
    exit::Exit,
    output::{Table, wrap_key},
    session::Session,
};

#[derive(Debug, Serialize)]
#[serde(rename_all = "kebab-case")]
struct Claimed<'a> {
    id: &'a EntityId,
    name: &'a str,
    identity: &'a Identity,
    artifact: &'a Digest,
    imports: &'a [Interface],
    exports: &'a [Interface],
}

pub(super) async fn show(session: &Session) -> anyhow::Result<Exit> {
    let inventories = session.inventories().await?;
    let mut claims: Vec<Claimed<'_>> = inventories.iter().flat_map(claimed).collect();
    claims.sort_by_key(|claimed| claimed.id);
    claims.dedup_by(|a, b| (a.id, a.artifact) == (b.id, b.artifact));
    session.output.answer(&claims, || as_text(&claims));
    Ok(Exit::Ok)
}

fn claimed(host: &Inventory) -> impl Iterator<Item = Claimed<'_>> {
    let actors = host.actors.iter().map(|actor| Claimed {
        id: &actor.id,
        name: &actor.name,
        identity: &actor.identity,
        artifact: &actor.artifact,
        imports: &actor.imports,
        exports: &actor.exports,
    });
    let providers = host.providers.iter().map(|provider| Claimed {
        id: &provider.id,
        name: &provider.name,
        identity: &provider.identity,
        artifact: &provider.artifact,
        imports: &provider.imports,
        exports: &provider.exports,
    });
    actors.chain(providers)
}

fn as_text(claims: &[Claimed<'_>]) -> String {
    let mut table = Table::new(&["ID", "NAME", "KEY", "ACCOUNT", "IMPORTS", "EXPORTS"]);
    for claimed in claims {
        table.row([
            claimed.id.to_string(),
            claimed.name.to_owned(),
            wrap_key(&claimed.identity.key.to_string()),
            wrap_key(claimed.identity.account.as_str()),
            lines(claimed.imports),
            lines(claimed.exports),
        ]);
    }
    table.or("nothing runs")
}

fn lines(interfaces: &[Interface]) -> String {
    let names: Vec<&str> = interfaces.iter().map(Interface::as_str).collect();
    names.join("\n")
}
