//! Which hosts are alive: they say so each second, signed.

use std::time::{Duration, Instant};

use futures::StreamExt as _;
use tokio::time::timeout_at;
use wattle_claims::Signed;
use wattle_control::{
    Error,
    wire::{Host, Outcome},
};
use wattle_core::{
    HostKey,
    beat::{BEAT_INTERVAL_MS, Beat},
};

use super::Desk;

/// Every host has time for a beat.
const LISTEN: Duration = Duration::from_millis(BEAT_INTERVAL_MS + 250);
/// What was heard is good for so long, so that many who ask listen once.
const FRESH: Duration = Duration::from_secs(1);
/// Hosts in an answer.
const HOSTS_MAX: usize = 1_000;

/// What was heard, and when.
pub(super) struct Heard {
    at: Instant,
    hosts: Vec<Host>,
}

impl Desk<'_> {
    pub(super) async fn hosts(&self) -> Outcome<Vec<Host>> {
        let mut heard = self.heard.lock().await;
        if let Some(heard) = heard.as_ref().filter(|heard| heard.at.elapsed() < FRESH) {
            return Ok(heard.hosts.clone());
        }
        let hosts = self.listen().await?;
        *heard = Some(Heard { at: Instant::now(), hosts: hosts.clone() });
        Ok(hosts)
    }

    async fn listen(&self) -> Outcome<Vec<Host>> {
        let beats = self.control.lattice.beats().await;
        let mut beats = beats.map_err(|error| Error::Unavailable(error.to_string()))?;
        let until = tokio::time::Instant::now() + LISTEN;
        let mut hosts = std::collections::BTreeMap::new();
        while let Ok(Some((host, token))) = timeout_at(until, beats.next()).await {
            if let Some(beat) = self.read(&host, &token)
                && hosts.len() < HOSTS_MAX
            {
                hosts.insert(host, beat);
            }
        }
        if hosts.is_empty() {
            return Err(Error::Unavailable("no host is heard: NATS is out of reach".to_owned()));
        }
        Ok(hosts.into_iter().map(|(key, beat)| host(&key, beat)).collect())
    }

    fn read(&self, host: &HostKey, token: &str) -> Option<Beat> {
        let (trust, now) = (self.control.registry.trust(), self.control.registry.now());
        let beat = Signed::<Beat>::parse(token).ok()?.verify(&trust, now).ok()?;
        (beat.issuer == host.as_str()).then(|| beat.body.clone())
    }
}

fn host(key: &HostKey, beat: Beat) -> Host {
    Host {
        key: key.to_string(),
        name: beat.name.to_string(),
        version: beat.version,
        uptime_s: beat.uptime_s,
        labels: beat.labels.into_iter().collect(),
        actors: beat.actors,
        providers: beat.providers,
        in_flight: beat.in_flight,
        draining: beat.draining,
    }
}
