//! The contract in its simplest form: a map.

use std::{
    borrow::Cow,
    collections::BTreeMap,
    ops::Bound,
    sync::{Arc, Mutex},
};

use wattle_keyvalue::{
    Failure, Store,
    limit::{PAGE_KEYS_MAX, check_found},
    wire::{KeyResponse, KeyValue, Text},
};

type Map = BTreeMap<(String, String), (u64, Vec<u8>)>;

/// Values, each with the number that its key got when it came.
#[derive(Clone, Debug, Default)]
pub(crate) struct Memory {
    values: Arc<Mutex<Map>>,
}

fn at(bucket: &str, key: &str) -> (String, String) {
    (bucket.to_owned(), key.to_owned())
}

impl Memory {
    fn with<T>(&self, run: impl FnOnce(&mut Map) -> T) -> T {
        run(&mut self.values.lock().expect("no test panics with it"))
    }
}

fn insert(map: &mut Map, bucket: &str, key: &str, value: Vec<u8>) {
    let next = map.values().map(|(number, _)| number + 1).max().unwrap_or(1);
    map.entry(at(bucket, key)).or_insert((next, vec![])).1 = value;
}

impl Store for Memory {
    async fn open(&self, _bucket: &str) -> Result<(), Failure> {
        Ok(())
    }

    async fn get(&self, bucket: &str, key: &str) -> Result<Option<Vec<u8>>, Failure> {
        Ok(self.with(|map| map.get(&at(bucket, key)).map(|(_, value)| value.clone())))
    }

    async fn set(&self, bucket: &str, key: &str, value: Cow<'_, [u8]>) -> Result<(), Failure> {
        self.with(|map| insert(map, bucket, key, value.into_owned()));
        Ok(())
    }

    async fn delete(&self, bucket: &str, key: &str) -> Result<(), Failure> {
        self.with(|map| map.remove(&at(bucket, key)));
        Ok(())
    }

    async fn exists(&self, bucket: &str, key: &str) -> Result<bool, Failure> {
        Ok(self.with(|map| map.contains_key(&at(bucket, key))))
    }

    async fn list_keys(
        &self,
        bucket: &str,
        _prefix: &str,
        cursor: Option<u64>,
    ) -> Result<KeyResponse, Failure> {
        let after = (Bound::Excluded(cursor.unwrap_or(0)), Bound::Unbounded);
        let by_number: BTreeMap<u64, String> = self.with(|map| {
            let within = map.iter().filter(|((b, _), _)| b == bucket);
            within.map(|((_, key), (number, _))| (*number, key.clone())).collect()
        });
        let page: Vec<_> = by_number.range(after).take(PAGE_KEYS_MAX).collect();
        let last = page.last().map(|(number, _)| **number);
        let cursor = last.filter(|last| by_number.range(last + 1..).next().is_some());
        Ok(KeyResponse { keys: page.into_iter().map(|(_, key)| key.clone()).collect(), cursor })
    }

    async fn increment(&self, bucket: &str, key: &str, delta: u64) -> Result<u64, Failure> {
        self.with(|map| {
            let text = map.get(&at(bucket, key)).map_or(&b"0"[..], |(_, value)| value);
            let sum = str::from_utf8(text)
                .ok()
                .and_then(|text| text.parse::<u64>().ok().filter(|n| n.to_string() == text))
                .and_then(|number| number.checked_add(delta))
                .filter(|sum| i64::try_from(*sum).is_ok())
                .ok_or_else(|| Failure::other("no such sum"))?;
            insert(map, bucket, key, sum.to_string().into_bytes());
            Ok(sum)
        })
    }

    async fn get_many(
        &self,
        bucket: &str,
        keys: &[Text<'_>],
    ) -> Result<Vec<Option<Vec<u8>>>, Failure> {
        self.with(|map| {
            let found = || keys.iter().map(|Text(key)| map.get(&at(bucket, key)));
            check_found(found().flatten().map(|(_, value)| value.len()).sum())?;
            Ok(found().map(|entry| entry.map(|(_, value)| value.clone())).collect())
        })
    }

    async fn set_many(&self, bucket: &str, key_values: &[KeyValue<'_>]) -> Result<(), Failure> {
        self.with(|map| {
            let first = map.values().map(|(number, _)| number + 1).max().unwrap_or(1);
            for (KeyValue(key, value), next) in key_values.iter().zip(first..) {
                map.entry(at(bucket, key)).or_insert((next, vec![])).1 = value.to_vec();
            }
        });
        Ok(())
    }

    async fn delete_many(&self, bucket: &str, keys: &[Text<'_>]) -> Result<(), Failure> {
        self.with(|map| keys.iter().for_each(|Text(key)| drop(map.remove(&at(bucket, key)))));
        Ok(())
    }
}
