//! `wattle get hosts`.

use serde_json::json;

use super::ago;
use crate::{exit::Exit, output::Table, session::Session};

pub(super) async fn show(session: &Session) -> anyhow::Result<Exit> {
    let hosts = session.heard().await?;
    let json: Vec<_> = hosts.iter().map(|(key, beat)| json!({"host": key, "beat": beat})).collect();
    session.output.answer(&json, || {
        let mut table =
            Table::new(&["NAME", "HOST", "VERSION", "UP", "ACTORS", "PROVIDERS", "CALLS"]);
        for (key, beat) in &hosts {
            table.row([
                beat.name.to_string(),
                key.to_string(),
                beat.version.clone(),
                ago(beat.uptime_s),
                beat.actors.to_string(),
                beat.providers.to_string(),
                beat.in_flight.to_string(),
            ]);
        }
        table.or("no host is alive on this lattice; start one: wattle up -d")
    });
    Ok(Exit::Ok)
}
