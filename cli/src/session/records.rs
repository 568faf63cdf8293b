//! Signed records: made here, handed to a host, never written to the store by us.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use anyhow::Context;
use wattle_claims::{Draft, Record, RecordKey, RecordValue, Signed, Timestamp};
use wattle_core::{
    HostKey,
    control::{Command, Outcome},
};

use super::{Session, entities::unexpected};

/// What came of a command, as `-o json` shows it.
#[derive(Clone, Debug, serde::Serialize)]
pub(crate) struct Done {
    /// Whether it was so already.
    pub(crate) unchanged: bool,
    pub(crate) detail: Option<String>,
}

impl Done {
    /// What the host says it amounts to, or else `otherwise`.
    pub(crate) fn or(&self, otherwise: impl Into<String>) -> String {
        self.detail.clone().unwrap_or_else(|| otherwise.into())
    }
}

impl Session {
    /// Sends a command that makes something so.
    pub(crate) async fn make_so(&self, host: &HostKey, command: Command) -> anyhow::Result<Done> {
        match self.ask(host, command).await? {
            Outcome::Done { unchanged, detail } => Ok(Done { unchanged, detail }),
            other => Err(unexpected(&other)),
        }
    }

    /// Signs `value` (none: the tombstone) under `key` and hands it to the hosts, each of which says what it makes of it; the
    /// first one's word is what comes back when all are content. `known` is the newest generation we know of.
    pub(crate) async fn put_record<T: RecordValue>(
        &self,
        hosts: &[HostKey],
        key: RecordKey,
        value: Option<T>,
        known: u64,
        lasts: Option<Duration>,
    ) -> anyhow::Result<Done> {
        let record = Record { generation: next_generation(known), key, value };
        let signed = self.sign_lasting(record, lasts)?;
        let mut done = None;
        for host in hosts {
            let token = signed.text().to_owned();
            let said = self.make_so(host, Command::PutRecord { token }).await?;
            done = done.or(Some(said));
        }
        done.context("no host is meant")
    }

    pub(crate) fn sign_record<T: RecordValue>(
        &self,
        record: Record<T>,
    ) -> anyhow::Result<Signed<Record<T>>> {
        self.sign_lasting(record, None)
    }

    fn sign_lasting<T: RecordValue>(
        &self,
        record: Record<T>,
        lasts: Option<Duration>,
    ) -> anyhow::Result<Signed<Record<T>>> {
        let now = Timestamp::now();
        let draft = Draft {
            subject: record.key.to_string(),
            audience: self.audience.clone(),
            not_before: None,
            expires: lasts.map(|lasts| now.plus(lasts)),
            body: record,
        };
        draft.sign(self.user.issuer(), now).context("sign the record")
    }
}

/// Behind every generation that we know, and, since a deleted record's is not shown to us, behind every one made before now by
/// a clock like ours: milliseconds since 1970. A host that knows a later one says so, as a conflict.
pub(crate) fn next_generation(known: u64) -> u64 {
    let clock = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_millis();
    u64::try_from(clock).unwrap_or(u64::MAX).max(known.saturating_add(1))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn generations_grow_also_where_the_clock_stands_still_or_goes_back() {
        let first = next_generation(0);
        assert!(first > 1_700_000_000_000);
        assert_eq!(next_generation(u64::MAX - 1), u64::MAX);
        assert!(next_generation(first + 1_000_000) == first + 1_000_001);
    }
}
