//! Which hosts there are, and which one is meant.

use std::{collections::BTreeMap, time::Duration};

use anyhow::Context;
use futures::StreamExt;
use wattle_claims::{Signed, Timestamp};
use wattle_core::{
    HostKey,
    beat::{BEAT_INTERVAL_MS, Beat},
};

use super::Session;
use crate::{exit::Exit, problem::Problem};

/// Every living host is heard within this time: one beat, and some for the way.
const LISTEN: Duration = Duration::from_millis(BEAT_INTERVAL_MS + 300);

/// Hosts listened to at most: a flood of beats must not fill our memory.
const HOSTS_MAX: usize = 10_000;

impl Session {
    /// The one host that a command is for: the one that `--host` names, the project's own (the first of several), or the only one
    /// there is.
    pub(crate) async fn host(&self) -> anyhow::Result<HostKey> {
        if let Some(wanted) = &self.wanted {
            return self.named(wanted).await;
        }
        if let Some(first) = self.own.first() {
            return Ok(first.key.clone());
        }
        let heard = self.listen(|_, _| false).await?;
        match heard.len() {
            0 => Err(self.nobody()),
            1 => Ok(heard.into_keys().next().expect("there is one")),
            _ => {
                let names: Vec<&str> = heard.values().map(|beat| beat.name.as_str()).collect();
                let what = format!("the lattice has {} hosts: {}", heard.len(), names.join(", "));
                Err(Problem::new(Exit::Usage, what).next("choose one with --host NAME").into())
            }
        }
    }

    /// Whether `--host` says which host is meant.
    pub(crate) const fn is_for_one_host(&self) -> bool {
        self.wanted.is_some()
    }

    /// The hosts that a question is for: the one that `--host` names, the project's own, or all that there are.
    pub(crate) async fn hosts(&self) -> anyhow::Result<Vec<HostKey>> {
        Ok(self.hosts_and_names().await?.into_iter().map(|(host, _)| host).collect())
    }

    /// The same, each with what a person calls it.
    pub(crate) async fn hosts_and_names(&self) -> anyhow::Result<Vec<(HostKey, String)>> {
        if let Some(wanted) = &self.wanted {
            return Ok(vec![(self.named(wanted).await?, wanted.clone())]);
        }
        if !self.own.is_empty() {
            let own = self.own.iter();
            return Ok(own.map(|host| (host.key.clone(), host.name.to_string())).collect());
        }
        let heard = self.listen(|_, _| false).await?;
        if heard.is_empty() {
            return Err(self.nobody());
        }
        Ok(heard.into_iter().map(|(key, beat)| (key, beat.name.to_string())).collect())
    }

    /// All living hosts with their newest beat.
    pub(crate) async fn heard(&self) -> anyhow::Result<BTreeMap<HostKey, Beat>> {
        self.listen(|_, _| false).await
    }

    /// The host of this key or friendly name.
    pub(crate) async fn named(&self, wanted: &str) -> anyhow::Result<HostKey> {
        if let Ok(key) = wanted.parse() {
            return Ok(key);
        }
        if let Some(own) = self.own.iter().find(|own| own.name.as_str() == wanted) {
            return Ok(own.key.clone());
        }
        let heard = self.listen(|_, beat| beat.name.as_str() == wanted).await?;
        heard
            .into_iter()
            .find(|(_, beat)| beat.name.as_str() == wanted)
            .map(|(key, _)| key)
            .ok_or_else(|| {
                let what = format!("no host {wanted:?} on lattice {}", self.lattice.name());
                Problem::new(Exit::NotFound, what).next("wattle get hosts").into()
            })
    }

    /// Listens to beats until `enough` says so or every host had time for one. What is not signed by the host is not counted.
    async fn listen(
        &self,
        enough: impl Fn(&HostKey, &Beat) -> bool,
    ) -> anyhow::Result<BTreeMap<HostKey, Beat>> {
        let mut beats = self.lattice.beats().await.context("listen to hosts")?;
        let mut heard = BTreeMap::new();
        let until = tokio::time::Instant::now() + LISTEN;
        while let Ok(Some((host, token))) = tokio::time::timeout_at(until, beats.next()).await {
            let Some(beat) = self.read_beat(&host, &token) else { continue };
            let found = enough(&host, &beat);
            heard.insert(host, beat);
            if found || heard.len() >= HOSTS_MAX {
                break;
            }
        }
        Ok(heard)
    }

    fn read_beat(&self, host: &HostKey, token: &str) -> Option<Beat> {
        let beat = Signed::<Beat>::parse(token).ok()?.verify(&self.trust, Timestamp::now()).ok()?;
        (beat.issuer == host.as_str()).then(|| beat.body.clone())
    }

    pub(crate) fn nobody(&self) -> anyhow::Error {
        let what = format!("no host answers on lattice {}", self.lattice.name());
        Problem::new(Exit::Unreachable, what).next("wattle up -d").into()
    }
}
