//! What a host runs, kept across restarts, and to whom the ids belong.

use std::{collections::BTreeMap, fs, io, path::PathBuf};

use serde::{Deserialize, Serialize};
use tracing::warn;
use wattle_core::{
    AccountKey, EntityId, codec,
    control::{StartActor, StartProvider},
    entity::Identity,
};

use crate::state::write_whole;

/// The most bytes of the file.
const FILE_LEN_MAX: usize = 64 * 1024 * 1024;

const TAG_LEN: usize = 32;

/// Something to run.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Wanted {
    Actor(StartActor),
    Provider(StartProvider),
}

/// What runs, and whose every id is that ever ran.
#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(super) struct WhatRuns {
    runs: BTreeMap<EntityId, (Identity, Wanted)>,
    owners: BTreeMap<EntityId, AccountKey>,
}

impl WhatRuns {
    pub(super) fn put(&mut self, id: &EntityId, identity: Identity, wanted: Wanted) {
        self.owners.entry(id.clone()).or_insert_with(|| identity.account.clone());
        self.runs.insert(id.clone(), (identity, wanted));
    }

    pub(super) fn remove(&mut self, id: &EntityId) {
        self.runs.remove(id);
    }

    /// The same of an actor alone, even of one that is wanted and does not run.
    pub(super) fn remove_actor(&mut self, id: &EntityId) {
        if matches!(self.runs.get(id), Some((_, Wanted::Actor(_)))) {
            self.remove(id);
        }
    }

    /// The same of a provider alone; whether there was one.
    pub(super) fn remove_provider(&mut self, id: &EntityId) -> bool {
        let is_provider = matches!(self.runs.get(id), Some((_, Wanted::Provider(_))));
        if is_provider {
            self.remove(id);
        }
        is_provider
    }

    /// An id belongs to the account whose token first started it.
    pub(super) fn owner(&self, id: &EntityId) -> Option<&AccountKey> {
        self.owners.get(id)
    }

    pub(super) fn identity(&self, id: &EntityId) -> Option<&Identity> {
        self.runs.get(id).map(|(identity, _)| identity)
    }

    /// Providers first: actors find them when their first call comes.
    pub(super) fn wanted(&self) -> Vec<Wanted> {
        let mut wanted: Vec<Wanted> =
            self.runs.values().map(|(_, wanted)| wanted.clone()).collect();
        wanted.sort_by_key(|wanted| matches!(wanted, Wanted::Actor(_)));
        wanted
    }
}

/// The file, tagged with a key of the host's: it says what to start, so nobody else may write it.
pub(crate) struct RunningFile {
    path: PathBuf,
    key: [u8; 32],
}

impl RunningFile {
    pub(crate) fn new(path: PathBuf, host_seed: &str) -> Self {
        Self { path, key: blake3::derive_key("wattle 1 what a host runs", host_seed.as_bytes()) }
    }

    pub(super) fn read(&self) -> io::Result<WhatRuns> {
        let bytes = match fs::read(&self.path) {
            Ok(bytes) => bytes,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(WhatRuns::default()),
            Err(error) => return Err(error),
        };
        let runs = self.authentic(&bytes).and_then(|body| codec::decode(body, FILE_LEN_MAX).ok());
        Ok(runs.unwrap_or_else(|| {
            warn!(path = %self.path.display(), "this file was not written by this host: nothing is started from it");
            WhatRuns::default()
        }))
    }

    fn authentic<'a>(&self, bytes: &'a [u8]) -> Option<&'a [u8]> {
        let (tag, body) = bytes.split_at_checked(TAG_LEN)?;
        let found = blake3::Hash::from_slice(tag).ok()?;
        (blake3::keyed_hash(&self.key, body) == found).then_some(body)
    }

    pub(super) fn write(&self, runs: &WhatRuns) -> io::Result<()> {
        let body = codec::encode(runs);
        let mut bytes = blake3::keyed_hash(&self.key, &body).as_bytes().to_vec();
        bytes.extend_from_slice(&body);
        write_whole(&self.path, &bytes)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn one() -> WhatRuns {
        let mut runs = WhatRuns::default();
        let account: AccountKey = format!("A{}", "A".repeat(55)).parse().expect("a key");
        let key = wattle_core::entity::CodeKey::Actor(
            format!("M{}", "A".repeat(55)).parse().expect("a key"),
        );
        let id: EntityId = "cart".parse().expect("an id");
        let start = StartProvider {
            id: id.clone(),
            artifact: wattle_core::Digest::from_bytes([1; 32]),
            config: vec![],
            values: BTreeMap::new(),
            program: None,
        };
        runs.put(&id, Identity { account, key }, Wanted::Provider(start));
        runs
    }

    #[test]
    fn what_ran_is_known_after_a_restart_and_whose_an_id_was_even_after_a_stop() {
        let folder = tempfile::tempdir().expect("a folder");
        let file = RunningFile::new(folder.path().join("running"), "seed");
        let mut runs = one();
        file.write(&runs).expect("written");
        assert_eq!(file.read().expect("read").wanted(), runs.wanted());
        let id: EntityId = "cart".parse().expect("an id");
        runs.remove_actor(&id);
        assert!(!runs.wanted().is_empty(), "it is a provider");
        runs.remove(&id);
        file.write(&runs).expect("written");
        let read = file.read().expect("read");
        assert!(read.wanted().is_empty() && read.owner(&id).is_some());
    }

    #[test]
    fn a_file_that_somebody_else_wrote_starts_nothing() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("running");
        RunningFile::new(path.clone(), "another host").write(&one()).expect("written");
        assert!(RunningFile::new(path, "seed").read().expect("read").wanted().is_empty());
    }
}
