//! Signed records, as the registry takes them and tells of them.

use wattle_claims::RecordKey;

use super::{Registry, inner::Inner};
use crate::records::{Admitted, RecordError, Source};

impl Registry {
    /// Takes a record and everything that follows from it.
    pub(crate) fn put_record(
        &self,
        text: &str,
        source: Source<'_>,
    ) -> Result<Admitted, RecordError> {
        let admitted = self.take_record(text, source)?;
        self.settle_records();
        Ok(admitted)
    }

    /// Takes a record. What follows from it waits for [`Registry::settle_records`], so that many that come together cost no more
    /// than one.
    pub(crate) fn take_record(
        &self,
        text: &str,
        source: Source<'_>,
    ) -> Result<Admitted, RecordError> {
        let mut inner = self.inner.lock();
        let Inner { records, trust, is_unsettled, .. } = &mut *inner;
        let admitted = records.admit(text, source, trust, self.clock.now())?;
        *is_unsettled |= matches!(admitted, Admitted::New(_));
        Ok(admitted)
    }

    /// Judges everything anew, if records were taken since.
    pub(crate) fn settle_records(&self) {
        let mut inner = self.inner.lock();
        if inner.is_unsettled {
            self.publish(&mut inner);
        }
    }

    /// The keys of all records that are known.
    pub(crate) fn record_keys(&self) -> Vec<RecordKey> {
        self.inner.lock().records.iter().map(|(key, _)| key.clone()).collect()
    }

    /// Whether just this record is known, and holds.
    pub(crate) fn has_record(&self, key: &str, text: &str) -> bool {
        let Ok(key) = key.parse() else { return false };
        let inner = self.inner.lock();
        let known = inner.records.get(&key);
        known.is_some_and(|entry| entry.text == text && entry.is_usable())
    }

    /// Whether just this record is kept, though it may not hold any more.
    pub(crate) fn keeps_record(&self, key: &RecordKey, text: &str) -> bool {
        self.inner.lock().records.get(key).is_some_and(|entry| entry.text == text)
    }

    /// The token of a record that is worth telling others of, by its key's text.
    pub(crate) fn record_text(&self, key: &str) -> Option<String> {
        let key = key.parse().ok()?;
        let inner = self.inner.lock();
        let known = inner.records.get(&key)?;
        // What holds no more, others refuse: to tell them of it again and again would be a war.
        known.holds(&inner.trust, self.clock.now()).then(|| known.text.clone())
    }
}
