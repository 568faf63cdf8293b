//! `wattle get hosts`.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::json;
use wattle_core::{HostKey, beat::Beat};

use super::ago;
use crate::{exit::Exit, output::Table, session::Session};

pub(super) async fn show(session: &Session) -> anyhow::Result<Exit> {
    let hosts = session.heard().await?;
    let lost = lost(session, &hosts).await;
    let alive =
        hosts.iter().map(|(key, beat)| json!({"host": key, "state": state(beat), "beat": beat}));
    let silent = lost.iter().map(|key| json!({"host": key, "state": "lost"}));
    let json: Vec<_> = alive.chain(silent).collect();
    session.output.answer(&json, || table(&hosts, &lost));
    Ok(Exit::Ok)
}

/// Hosts that other hosts know to run something, and that were not heard.
async fn lost(session: &Session, heard: &BTreeMap<HostKey, Beat>) -> BTreeSet<HostKey> {
    let Some(asked) = heard.keys().next() else { return BTreeSet::new() };
    // Without its answer there is nothing to add to what was heard.
    let Ok(inventory) = session.inventory(asked).await else { return BTreeSet::new() };
    let known = inventory.elsewhere.into_iter().map(|there| there.host);
    known.filter(|host| !heard.contains_key(host)).collect()
}

const fn state(beat: &Beat) -> &'static str {
    if beat.draining { "drained" } else { "ready" }
}

fn table(hosts: &BTreeMap<HostKey, Beat>, lost: &BTreeSet<HostKey>) -> String {
    let mut table = Table::new(&[
        "NAME",
        "HOST",
        "STATE",
        "VERSION",
        "UP",
        "ACTORS",
        "PROVIDERS",
        "CALLS",
        "LABELS",
    ]);
    for (key, beat) in hosts {
        let labels: Vec<String> =
            beat.labels.iter().map(|(name, value)| format!("{name}={value}")).collect();
        table.row([
            beat.name.to_string(),
            key.to_string(),
            state(beat).to_owned(),
            beat.version.clone(),
            ago(beat.uptime_s),
            beat.actors.to_string(),
            beat.providers.to_string(),
            beat.in_flight.to_string(),
            labels.join(" "),
        ]);
    }
    for key in lost {
        let mut row = [(); 9].map(|()| String::new());
        (row[1], row[2]) = (key.to_string(), "lost".to_owned());
        table.row(row);
    }
    table.or("no host is alive on this lattice; start one: wattle up -d")
}
