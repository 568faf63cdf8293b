//! What a host is started with.

use std::{
    collections::{BTreeMap, BTreeSet},
    path::PathBuf,
    sync::Arc,
    time::Duration,
};

use wattle_claims::KeyPair;
use wattle_core::{AccountKey, LatticeName, Name, OperatorKey};
use wattle_lattice::ConnectOptions;

use crate::{data_dir::DataDir, logbook::LogBook};

/// Everything a host is told by whoever starts it. What it was told by commands, it keeps in its data folder.
#[derive(Debug)]
pub struct HostConfig {
    /// The lattice it joins.
    pub lattice: LatticeName,
    /// Its friendly name.
    pub name: Name,
    /// Its key, with the seed.
    pub key: KeyPair,
    /// The token in which an account says that this key is a host of its lattice.
    pub token: String,
    /// The operators it trusts.
    pub operators: BTreeSet<OperatorKey>,
    /// Accounts it trusts beside those of its operators.
    pub accounts: BTreeSet<AccountKey>,
    /// The folder that is its alone: state, caches, its providers' files.
    pub data_dir: DataDir,
    /// Where its NATS is.
    pub nats: ConnectOptions,
    /// Labels beside the built-in ones.
    pub labels: BTreeMap<String, String>,
    /// Where `{secret: NAME}` is read from: one file per secret.
    pub secrets_dir: Option<PathBuf>,
    /// How long calls under way may take when the host stops.
    pub grace: Duration,
    /// Threads that carry calls; the machine's cores unless said.
    pub lanes: Option<usize>,
    /// A `tracing` filter for its providers' logs.
    pub log: String,
    /// Where its own log lines and those of what it runs are kept for `wattle logs`.
    pub logbook: Arc<LogBook>,
}
