//! `wattle get links`.

use std::collections::BTreeMap;

use wattle_core::{
    HostKey, Interface, Locality,
    inventory::{LinkState, LinkStatus},
};

use crate::{commands::link::links, exit::Exit, output::Table, session::Session};

pub(super) async fn show(session: &Session) -> anyhow::Result<Exit> {
    let mut seen = BTreeMap::new();
    for host in session.hosts().await? {
        for link in links(session, &host).await? {
            // Each host tells how a link is with it; one where its ends run says most.
            let (key, says) = (link.link.key(), says(&link.state));
            if seen.get(&key).is_none_or(|(most, _)| says > *most) {
                seen.insert(key, (says, link));
            }
        }
    }
    let links: Vec<LinkStatus> = seen.into_values().map(|(_, link)| link).collect();
    session.output.answer(&links, || as_text(&links));
    Ok(Exit::Ok)
}

/// How much a state says of a link, beside what other hosts say of it: only who runs an end knows that it failed, or where it listens.
fn says(state: &LinkState) -> u8 {
    match state {
        LinkState::Failed { .. } => 5,
        LinkState::Active { url: Some(_), .. } => 4,
        LinkState::Active { local: true, .. } => 3,
        LinkState::Active { .. } => 2,
        LinkState::Denied { .. } => 1,
        LinkState::Waiting { .. } => 0,
    }
}

fn as_text(links: &[LinkStatus]) -> String {
    let mut table = Table::new(&["SOURCE", "TARGET", "INTERFACES", "NAME", "LOCALITY", "STATE"]);
    for status in links {
        let link = &status.link;
        table.row([
            link.source.id.to_string(),
            link.target.id.to_string(),
            interfaces(&link.interfaces),
            link.name.to_string(),
            match link.locality {
                Locality::Any => "any",
                Locality::Local => "local",
                Locality::Remote => "remote",
            }
            .to_owned(),
            state(&status.state),
        ]);
    }
    table.or("no links; put one: wattle link put SOURCE TARGET INTERFACE")
}

fn interfaces(interfaces: &[Interface]) -> String {
    let names: Vec<&str> = interfaces.iter().map(Interface::as_str).collect();
    names.join("\n")
}

/// Where its calls go, seen from the host that was asked.
fn taken(local: bool, hosts: &[HostKey]) -> String {
    let short = |host: &HostKey| format!("{}…", host.as_str().get(..8).unwrap_or_default());
    let hosts: Vec<String> = hosts.iter().map(short).collect();
    match (local, hosts.as_slice()) {
        (true, []) => "local".to_owned(),
        (true, hosts) => format!("local, else on {}", hosts.join(" or ")),
        (false, hosts) => format!("on {}", hosts.join(" or ")),
    }
}

fn state(state: &LinkState) -> String {
    match state {
        LinkState::Active { url, local, hosts } => {
            let taken = taken(*local, hosts);
            match url {
                Some(url) => format!("active at {url} ({taken})"),
                None => format!("active ({taken})"),
            }
        }
        LinkState::Waiting { missing } => format!("waiting for {missing}"),
        LinkState::Denied { reason } => format!("denied: {reason}"),
        LinkState::Failed { reason } => format!("failed: {reason}"),
    }
}
