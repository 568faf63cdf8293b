//! The signed records this host knows: links, configs, shares, revocation lists, placements, deployments and how
//! far these have come. Each is verified wherever it comes from, kept
//! on disk with the highest generation seen, and never replaced by an older one. Absence elsewhere changes nothing here.

use std::{collections::BTreeMap, fs, io, path::PathBuf};

use sha2::{Digest as _, Sha256};
use tracing::warn;
use wattle_claims::{
    ConfigRecord, DeploymentRecord, LinkRecord, Placement, PlacementRecord, Record, RecordKey,
    RecordValue, Revocations, Rollout, RolloutRecord, Share, ShareRecord, Signed, Timestamp,
    TokenError, TokenKind, Trust, Verified, content_of, peek_kind,
};
use wattle_core::{Digest, Link, deployment::Deployment, link::ConfigValue};

use crate::{placement::Placed, state::write_whole};

/// Records that a host keeps; beyond it new keys are refused.
const RECORDS_MAX: usize = 100_000;

/// All records of one host.
pub(crate) struct RecordBook {
    folder: PathBuf,
    entries: BTreeMap<RecordKey, Entry>,
}

/// The newest record of one key.
pub(crate) struct Entry {
    pub(crate) generation: u64,
    pub(crate) text: String,
    pub(crate) record: Kept,
}

/// A record by its kind. Tombstones stay, so that what they deleted cannot come back.
pub(crate) enum Kept {
    Link(Verified<LinkRecord>),
    Config(Verified<ConfigRecord>),
    Share(Verified<ShareRecord>),
    Revocations(Verified<Revocations>),
    Placement(Verified<PlacementRecord>, Vec<Placed>),
    /// A deployment, and the links of its versions by content.
    Deployment(Verified<DeploymentRecord>, Vec<(Digest, Link)>),
    Rollout(Verified<RolloutRecord>),
    /// It was good once and is not any more: only its generation still counts.
    Unusable,
}

/// What came of offering a record.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Admitted {
    New(RecordKey),
    Known(RecordKey),
}

/// Why a record is not taken.
#[derive(Debug, thiserror::Error)]
pub(crate) enum RecordError {
    #[error(transparent)]
    Claims(#[from] TokenError),
    #[error("a {0} token is not a record")]
    NotARecord(TokenKind),
    #[error("generation {found} of {key} is not newer than {highest}, which is known here")]
    Stale { key: RecordKey, found: u64, highest: u64 },
    #[error("{RECORDS_MAX} records are known here, which is the limit")]
    Full,
    #[error("the record cannot be kept: {0}")]
    Disk(#[from] io::Error),
}

impl RecordBook {
    /// Opens the book in `folder`. What does not hold any more is kept for its generation alone. Revocations come first, so that
    /// what they revoke is never taken for good.
    pub(crate) fn open(folder: PathBuf, trust: &mut Trust, now: Timestamp) -> io::Result<Self> {
        fs::create_dir_all(&folder)?;
        let mut book = Self { folder, entries: BTreeMap::new() };
        let mut texts = Vec::new();
        for file in fs::read_dir(&book.folder)? {
            let path = file?.path();
            if path.extension().is_some_and(|extension| extension == "jwt") {
                texts.push(fs::read_to_string(path)?);
            }
        }
        texts.sort_by_key(|text| peek_kind(text).ok() != Some(TokenKind::Revocations));
        for text in texts {
            match verify(&text, trust, now) {
                Ok(read) => {
                    if let Kept::Revocations(list) = &read.record {
                        trust.revocations.insert(list);
                    }
                    book.entries.insert(read.key.clone(), read.entry(text));
                }
                Err(error) => book.keep_unusable(text, &error),
            }
        }
        Ok(book)
    }

    fn keep_unusable(&mut self, text: String, error: &RecordError) {
        match peek(&text) {
            Some((key, generation)) => {
                warn!(%key, %error, "a kept record does not hold any more");
                self.entries.insert(key, Entry { generation, text, record: Kept::Unusable });
            }
            None => warn!(%error, "a kept record is unreadable"),
        }
    }

    /// Takes a record, from a user's command, the lattice's store or another host alike.
    pub(crate) fn admit(
        &mut self,
        text: &str,
        trust: &mut Trust,
        now: Timestamp,
    ) -> Result<Admitted, RecordError> {
        let read = verify(text, trust, now)?;
        let key = read.key.clone();
        if let Some(known) = self.entries.get(&key) {
            if known.text == text {
                return Ok(Admitted::Known(key));
            }
            // Two records of one generation: all hosts agree on the same of the two, whichever came first.
            let newer = (read.generation, text) > (known.generation, known.text.as_str());
            if !newer {
                let highest = known.generation;
                return Err(RecordError::Stale { key, found: read.generation, highest });
            }
        } else if self.entries.len() >= RECORDS_MAX {
            return Err(RecordError::Full);
        }
        write_whole(&self.path(&key), text.as_bytes())?;
        if let Kept::Revocations(list) = &read.record {
            trust.revocations.insert(list);
        }
        self.entries.insert(key.clone(), read.entry(text.to_owned()));
        Ok(Admitted::New(key))
    }

    /// All records with their keys.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (&RecordKey, &Entry)> {
        self.entries.iter()
    }

    pub(crate) fn get(&self, key: &RecordKey) -> Option<&Entry> {
        self.entries.get(key)
    }

    /// Named by a hash: keys are longer than file names may be.
    fn path(&self, key: &RecordKey) -> PathBuf {
        let name = Digest::from_bytes(Sha256::digest(key.to_string()).into());
        self.folder.join(format!("{}.jwt", name.hex()))
    }
}

struct Read {
    key: RecordKey,
    generation: u64,
    record: Kept,
}

impl Read {
    fn entry(self, text: String) -> Entry {
        Entry { generation: self.generation, text, record: self.record }
    }
}

fn verify(text: &str, trust: &Trust, now: Timestamp) -> Result<Read, RecordError> {
    let token = Token { text, trust, now };
    match peek_kind(text)? {
        TokenKind::Link => token.read(Kept::Link),
        TokenKind::Config => token.read(Kept::Config),
        TokenKind::Share => token.read(Kept::Share),
        TokenKind::Revocations => {
            let list = Signed::<Revocations>::parse(text)?.verify(trust, now)?;
            let key = RecordKey::Revocations { issuer: list.subject.clone() };
            Ok(Read { key, generation: list.body.generation, record: Kept::Revocations(list) })
        }
        TokenKind::Placement => token.read(|record: Verified<PlacementRecord>| {
            let placed = record.body.value.as_ref().map(|value| Placed::all(value, trust, now));
            Kept::Placement(record, placed.unwrap_or_default())
        }),
        TokenKind::Deployment => token.read(|record: Verified<DeploymentRecord>| {
            let links = record.body.value.as_ref().map(links_of).unwrap_or_default();
            Kept::Deployment(record, links)
        }),
        TokenKind::Rollout => token.read(Kept::Rollout),
        other => Err(RecordError::NotARecord(other)),
    }
}

struct Token<'a> {
    text: &'a str,
    trust: &'a Trust,
    now: Timestamp,
}

impl Token<'_> {
    fn read<T: RecordValue>(
        &self,
        keep: impl FnOnce(Verified<Record<T>>) -> Kept,
    ) -> Result<Read, RecordError> {
        let record = Signed::<Record<T>>::parse(self.text)?.verify(self.trust, self.now)?;
        let (key, generation) = (record.body.key.clone(), record.body.generation);
        Ok(Read { key, generation, record: keep(record) })
    }
}

/// What two versions have alike is one link.
fn links_of(deployment: &Deployment) -> Vec<(Digest, Link)> {
    let mut links: Vec<(Digest, Link)> = Vec::new();
    for link in deployment.versions.iter().flat_map(|version| &version.links) {
        let content = content_of(link);
        if links.iter().all(|(known, _)| *known != content) {
            links.push((content, link.clone()));
        }
    }
    links
}

/// Key and generation of a record that was verified when it was kept.
fn peek(text: &str) -> Option<(RecordKey, u64)> {
    fn of<T: RecordValue>(text: &str) -> Option<(RecordKey, u64)> {
        let record = Signed::<Record<T>>::parse(text).ok()?.peek().ok()?.body;
        Some((record.key, record.generation))
    }
    match peek_kind(text).ok()? {
        TokenKind::Link => of::<Link>(text),
        TokenKind::Config => of::<BTreeMap<String, ConfigValue>>(text),
        TokenKind::Share => of::<Share>(text),
        TokenKind::Revocations => {
            let list = Signed::<Revocations>::parse(text).ok()?.peek().ok()?;
            Some((RecordKey::Revocations { issuer: list.subject }, list.body.generation))
        }
        TokenKind::Placement => of::<Placement>(text),
        TokenKind::Deployment => of::<Deployment>(text),
        TokenKind::Rollout => of::<Rollout>(text),
        _ => None,
    }
}
