//! The signed records this host knows: links, configs, shares, revocation lists, placements, deployments and how
//! far these have come. Each is verified wherever it comes from, kept
//! on disk with the highest generation seen, and never replaced by an older one. Absence elsewhere changes nothing here.

use std::{collections::BTreeMap, fs, io, path::PathBuf};

use sha2::{Digest as _, Sha256};
use tracing::warn;
use wattle_claims::{
    ConfigRecord, DeploymentRecord, LEEWAY, LinkRecord, Placement, PlacementRecord, Record,
    RecordKey, RecordValue, Revocations, Rollout, RolloutRecord, Share, ShareRecord, Signed,
    Timestamp, TokenError, TokenKind, Trust, Verified, content_of, peek_kind,
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
    /// It does not hold: only its generation counts. One that was issued later than it is here by now may hold yet.
    Unusable {
        early: Option<Timestamp>,
    },
}

/// Where a record comes from, and so what it has to be besides authentic.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Source<'a> {
    /// A user's command: a list of revocations leaves out nothing of the one before.
    User,
    /// The lattice's store, where it stands under this key, which has to be its own.
    Store(&'a str),
    /// This host, or a wadm that hands it on.
    Host,
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
    #[error("the list leaves out {0}, which was revoked already")]
    LeavesOut(String),
    #[error("a record of {0} under another key")]
    OtherKey(RecordKey),
    #[error("{RECORDS_MAX} records are known here, which is the limit")]
    Full,
    #[error("the record cannot be kept: {0}")]
    Disk(#[from] io::Error),
}

impl Entry {
    /// Whether it holds here and now.
    pub(crate) fn holds(&self, trust: &Trust, now: Timestamp) -> bool {
        match &self.record {
            Kept::Link(record) => record.standing(trust, now).is_ok(),
            Kept::Config(record) => record.standing(trust, now).is_ok(),
            Kept::Share(record) => record.standing(trust, now).is_ok(),
            Kept::Revocations(list) => list.standing(trust, now).is_ok(),
            Kept::Placement(record, _) => record.standing(trust, now).is_ok(),
            Kept::Deployment(record, _) => record.standing(trust, now).is_ok(),
            Kept::Rollout(record) => record.standing(trust, now).is_ok(),
            Kept::Unusable { .. } => false,
        }
    }

    pub(crate) fn is_usable(&self) -> bool {
        !matches!(self.record, Kept::Unusable { .. })
    }
}

impl RecordError {
    /// When the record may hold, if it is not time for it yet.
    pub(crate) fn early(&self) -> Option<Timestamp> {
        match self {
            Self::Claims(TokenError::NotYetValid { at, .. }) => Some(*at),
            _ => None,
        }
    }

    /// Whether it says something of this host, and of now, rather than of the record.
    pub(crate) fn is_for_now(&self) -> bool {
        self.early().is_some() || matches!(self, Self::Disk(_) | Self::Full)
    }
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
                    book.keep(read.key.clone(), read.entry(text));
                }
                Err(error) => book.keep_unusable(text, &error),
            }
        }
        Ok(book)
    }

    /// Of a list of revocations there may be several: the newest is the record.
    fn keep(&mut self, key: RecordKey, entry: Entry) {
        let rank = |entry: &Entry| (entry.generation, entry.text.clone());
        if self.entries.get(&key).is_none_or(|known| rank(known) < rank(&entry)) {
            self.entries.insert(key, entry);
        }
    }

    fn keep_unusable(&mut self, text: String, error: &RecordError) {
        match peek(&text) {
            Some((key, generation)) => {
                warn!(%key, %error, "a kept record does not hold");
                let record = Kept::Unusable { early: error.early() };
                self.keep(key, Entry { generation, text, record });
            }
            None => warn!(%error, "a kept record is unreadable"),
        }
    }

    /// Looks again at records that were issued later than it was here; true if one of them holds now.
    pub(crate) fn retry_early(&mut self, trust: &mut Trust, now: Timestamp) -> bool {
        let mut is_changed = false;
        for entry in self.entries.values_mut() {
            match &entry.record {
                Kept::Unusable { early: Some(at) } if *at <= now.plus(LEEWAY) => {}
                _ => continue,
            }
            match verify(&entry.text, trust, now) {
                Ok(read) => {
                    if let Kept::Revocations(list) = &read.record {
                        trust.revocations.insert(list);
                    }
                    (entry.record, is_changed) = (read.record, true);
                }
                Err(error) => entry.record = Kept::Unusable { early: error.early() },
            }
        }
        is_changed
    }

    /// Takes a record, wherever it comes from.
    pub(crate) fn admit(
        &mut self,
        text: &str,
        source: Source<'_>,
        trust: &mut Trust,
        now: Timestamp,
    ) -> Result<Admitted, RecordError> {
        let is_users = matches!(source, Source::User);
        if let (Source::Store(under), Some((key, _))) = (source, peek(text))
            && key.to_string() != under
        {
            return Err(RecordError::OtherKey(key));
        }
        let read = match verify(text, trust, now) {
            // What was put for a time that is over outdates what was put before it. All else of it holds: that is looked at last.
            Err(RecordError::Claims(TokenError::Expired { of, .. }))
                if !is_users && peek_kind(text).is_ok_and(|kind| kind == of) =>
            {
                let (key, generation) = peek(text).ok_or(RecordError::NotARecord(of))?;
                Read { key, generation, record: Kept::Unusable { early: None } }
            }
            // One that is to come is not to hide what there is, which may be newer.
            Err(error) if error.early().is_some() => {
                return Err(self.outdated(text).unwrap_or(error));
            }
            read => read?,
        };
        let key = read.key.clone();
        let path = self.path(&key);
        if let Some(known) = self.entries.get(&key) {
            let is_usable = known.is_usable();
            let is_over = matches!(read.record, Kept::Unusable { .. });
            if known.text == text && (is_usable || is_over) {
                return Ok(Admitted::Known(key));
            }
            // Two records of one generation: all hosts agree on the same of the two, whichever came first.
            let rank = (read.generation, text).cmp(&(known.generation, known.text.as_str()));
            let is_older = rank.is_lt() || (rank.is_eq() && is_usable);
            if let (Kept::Revocations(list), Kept::Revocations(before)) =
                (&read.record, &known.record)
            {
                // What was revoked stays so: a list that another leaves something out of is kept beside it.
                if is_older && !is_users && !trust.revocations.has_all(list) {
                    write_whole(&self.path_of_older(&key, text), text.as_bytes())?;
                    trust.revocations.insert(list);
                    return Ok(Admitted::New(key));
                }
                if let Some(left_out) = left_out(&before.body, &list.body).filter(|_| !is_older) {
                    if is_users {
                        return Err(RecordError::LeavesOut(left_out));
                    }
                    let older = self.path_of_older(&key, &known.text);
                    write_whole(&older, known.text.as_bytes())?;
                }
            }
            if is_older {
                let highest = known.generation;
                return Err(RecordError::Stale { key, found: read.generation, highest });
            }
        } else if self.entries.len() >= RECORDS_MAX {
            return Err(RecordError::Full);
        }
        write_whole(&path, text.as_bytes())?;
        if let Kept::Revocations(list) = &read.record {
            trust.revocations.insert(list);
        }
        self.entries.insert(key.clone(), read.entry(text.to_owned()));
        Ok(Admitted::New(key))
    }

    /// Whether something newer is known than a record whose time has not come.
    fn outdated(&self, text: &str) -> Option<RecordError> {
        let (key, generation) = peek(text)?;
        let known = self.entries.get(&key).filter(|known| known.is_usable())?;
        let is_newer = (generation, text) > (known.generation, known.text.as_str());
        (!is_newer).then_some(RecordError::Stale {
            key,
            found: generation,
            highest: known.generation,
        })
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
        self.path_named(&key.to_string())
    }

    fn path_of_older(&self, key: &RecordKey, text: &str) -> PathBuf {
        self.path_named(&format!("{key} {text}"))
    }

    fn path_named(&self, what: &str) -> PathBuf {
        let name = Digest::from_bytes(Sha256::digest(what).into());
        self.folder.join(format!("{}.jwt", name.hex()))
    }
}

/// Something that one list revokes and the next one does not, or not as of so late.
fn left_out(before: &Revocations, after: &Revocations) -> Option<String> {
    let is_there = |what: &String, at: &u64| after.revoked.get(what).is_some_and(|it| it >= at);
    let mut left_out = before.revoked.iter().filter(|(what, at)| !is_there(what, at));
    left_out.next().map(|(what, _)| what.clone())
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

#[cfg(test)]
mod tests;
