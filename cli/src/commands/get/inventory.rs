//! `wattle get inventory`.

use std::{collections::BTreeMap, fmt::Write};

use wattle_core::{
    control::Scale,
    inventory::{ActorStatus, Inventory, ProviderState, ProviderStatus},
};

use super::ago;
use crate::{
    exit::Exit,
    output::{Table, wrap_key},
    session::Session,
};

pub(super) async fn show(session: &Session) -> anyhow::Result<Exit> {
    let inventories = session.inventories().await?;
    session.output.answer(&inventories, || {
        let hosts: Vec<String> = inventories.iter().map(as_text).collect();
        hosts.join("\n")
    });
    Ok(Exit::Ok)
}

fn as_text(host: &Inventory) -> String {
    let mut text = String::new();
    // Writing to a String cannot fail.
    let _ = writeln!(
        text,
        "host {} ({}) on lattice {}, wattle {}, up {}",
        host.name,
        wrap_key(host.host.as_str()),
        host.lattice,
        host.version,
        ago(host.uptime_s)
    );
    let labels: Vec<String> =
        host.labels.iter().map(|(key, value)| format!("{key}={value}")).collect();
    if !labels.is_empty() {
        let _ = writeln!(text, "labels: {}", labels.join(" "));
    }
    if !host.refused.is_empty() {
        let _ = writeln!(text, "refused: {}", counts(&host.refused));
    }
    let _ = write!(text, "\n{}", actors(&host.actors));
    let _ = write!(text, "\n{}", providers(&host.providers));
    let built_in: Vec<&str> = host.built_in.iter().map(|it| it.id.as_str()).collect();
    if !built_in.is_empty() {
        let _ = write!(text, "\nbuilt in: {}\n", built_in.join(", "));
    }
    text
}

fn actors(actors: &[ActorStatus]) -> String {
    let mut table = Table::new(&["ACTOR", "STATE", "AT ONCE", "NOW", "CALLS", "FAILED"]);
    for actor in actors {
        table.row([
            actor.id.to_string(),
            match &actor.denied {
                Some(reason) => format!("denied: {reason}"),
                None => "running".to_owned(),
            },
            match actor.scale {
                Scale::Stopped => "0".to_owned(),
                Scale::UpTo(most) => most.to_string(),
            },
            match actor.queued {
                0 => actor.in_flight.to_string(),
                queued => format!("{} +{queued} waiting", actor.in_flight),
            },
            actor.calls.to_string(),
            counts(&actor.failures),
        ]);
    }
    table.or("no actors\n")
}

fn providers(providers: &[ProviderStatus]) -> String {
    let mut table = Table::new(&["PROVIDER", "STATE", "RESTARTS", "LAST EXIT"]);
    for provider in providers {
        table.row([
            provider.id.to_string(),
            state(&provider.state),
            provider.restarts.to_string(),
            provider.last_exit.clone().unwrap_or_default(),
        ]);
    }
    table.or("no providers\n")
}

/// A crash loop shows what the provider said last.
fn state(state: &ProviderState) -> String {
    let mut text = state.to_string();
    if let ProviderState::CrashLoop { stderr, .. } = state {
        for line in stderr {
            let _ = write!(text, "\n  {line}"); // writing to a String cannot fail
        }
    }
    text
}

fn counts(counts: &BTreeMap<String, u64>) -> String {
    let counts: Vec<String> =
        counts.iter().map(|(what, count)| format!("{count} {what}")).collect();
    counts.join(", ")
}
