//! The contract over one file.

use std::{borrow::Cow, sync::Arc};

use wattle_keyvalue::{
    Failure, Store,
    wire::{KeyResponse, KeyValue, Text},
};

use crate::{file::File, layout, writer::Change};

/// One link's store. Links to the same store share its file.
#[derive(Clone, Debug)]
pub struct EmbeddedStore {
    file: Arc<File>,
}

impl EmbeddedStore {
    /// Over this file.
    pub fn new(file: Arc<File>) -> Self {
        Self { file }
    }
}

impl EmbeddedStore {
    pub(crate) fn file(&self) -> &File {
        &self.file
    }
}

impl Store for EmbeddedStore {
    /// Any name will do: buckets are part of each key.
    async fn open(&self, _bucket: &str) -> Result<(), Failure> {
        Ok(())
    }

    async fn get(&self, bucket: &str, key: &str) -> Result<Option<Vec<u8>>, Failure> {
        let (bucket, key) = (bucket.to_owned(), key.to_owned());
        self.file.read(move |now| Ok(Ok(layout::get(now, &bucket, &key)?))).await
    }

    async fn set(&self, bucket: &str, key: &str, value: Cow<'_, [u8]>) -> Result<(), Failure> {
        let entries = vec![(key.to_owned(), value.into_owned())];
        self.file.change(Change::Set { bucket: bucket.to_owned(), entries }).await.map(drop)
    }

    async fn delete(&self, bucket: &str, key: &str) -> Result<(), Failure> {
        let keys = vec![key.to_owned()];
        self.file.change(Change::Delete { bucket: bucket.to_owned(), keys }).await.map(drop)
    }

    async fn exists(&self, bucket: &str, key: &str) -> Result<bool, Failure> {
        let (bucket, key) = (bucket.to_owned(), key.to_owned());
        self.file.read(move |now| Ok(Ok(layout::exists(now, &bucket, &key)?))).await
    }

    async fn list_keys(
        &self,
        bucket: &str,
        prefix: &str,
        cursor: Option<u64>,
    ) -> Result<KeyResponse, Failure> {
        let (bucket, prefix) = (bucket.to_owned(), prefix.to_owned());
        self.file.read(move |now| Ok(Ok(layout::list_keys(now, &bucket, &prefix, cursor)?))).await
    }

    async fn increment(&self, bucket: &str, key: &str, delta: u64) -> Result<u64, Failure> {
        let (bucket, key) = (bucket.to_owned(), key.to_owned());
        self.file.change(Change::Increment { bucket, key, delta }).await
    }

    async fn get_many(
        &self,
        bucket: &str,
        keys: &[Text<'_>],
    ) -> Result<Vec<Option<Vec<u8>>>, Failure> {
        let (bucket, keys) = (bucket.to_owned(), owned(keys));
        self.file.read(move |now| layout::get_many(now, &bucket, &keys)).await
    }

    async fn set_many(&self, bucket: &str, key_values: &[KeyValue<'_>]) -> Result<(), Failure> {
        let entries =
            key_values.iter().map(|KeyValue(key, value)| (key.to_string(), value.to_vec()));
        let change = Change::Set { bucket: bucket.to_owned(), entries: entries.collect() };
        self.file.change(change).await.map(drop)
    }

    async fn delete_many(&self, bucket: &str, keys: &[Text<'_>]) -> Result<(), Failure> {
        let change = Change::Delete { bucket: bucket.to_owned(), keys: owned(keys) };
        self.file.change(change).await.map(drop)
    }
}

fn owned(keys: &[Text<'_>]) -> Vec<String> {
    keys.iter().map(|Text(key)| key.to_string()).collect()
}
