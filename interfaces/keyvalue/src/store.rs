//! What a provider implements: one link's store, after parameters, limits and constraints were checked.

use std::{borrow::Cow, future::Future};

use crate::{
    error::Failure,
    wire::{KeyResponse, KeyValue, Text},
};

/// A store as one link sees it.
///
/// [`dispatch`](crate::dispatch) calls each function once per call, many at the same time, and only with buckets and keys
/// that are within the contract's limits and the link's constraints. Dropping a future cancels its call, which may have run.
pub trait Store: Sync {
    /// Whether there can be a bucket of this name. Buckets need not be made: one without keys is empty.
    fn open(&self, bucket: &str) -> impl Future<Output = Result<(), Failure>> + Send;

    /// The value of `key`.
    fn get(
        &self,
        bucket: &str,
        key: &str,
    ) -> impl Future<Output = Result<Option<Vec<u8>>, Failure>> + Send;

    /// Keeps `value`. When it answers, the value is as safe as the backend can make it.
    fn set(
        &self,
        bucket: &str,
        key: &str,
        value: Cow<'_, [u8]>,
    ) -> impl Future<Output = Result<(), Failure>> + Send;

    /// Forgets `key`. A key without a value is no failure.
    fn delete(&self, bucket: &str, key: &str) -> impl Future<Output = Result<(), Failure>> + Send;

    /// Whether `key` has a value.
    fn exists(&self, bucket: &str, key: &str)
    -> impl Future<Output = Result<bool, Failure>> + Send;

    /// A page of keys, at least those that start with `prefix`: what the link may not see is taken out afterwards. At most
    /// [`PAGE_KEYS_MAX`](crate::limit::PAGE_KEYS_MAX) keys and about [`PAGE_BYTES_MAX`](crate::limit::PAGE_BYTES_MAX) bytes. A key
    /// that is there from the first page to the last is on at least one of them.
    fn list_keys(
        &self,
        bucket: &str,
        prefix: &str,
        cursor: Option<u64>,
    ) -> impl Future<Output = Result<KeyResponse, Failure>> + Send;

    /// Adds `delta` to the whole number written in decimal at `key`, at once or not at all. A key without a value counts as 0;
    /// a sum past 2^63 − 1 fails and changes nothing.
    fn increment(
        &self,
        bucket: &str,
        key: &str,
        delta: u64,
    ) -> impl Future<Output = Result<u64, Failure>> + Send;

    /// The values of `keys`, in their order. It must fail, ahead of reading them, where
    /// [`check_found`](crate::limit::check_found) does.
    fn get_many(
        &self,
        bucket: &str,
        keys: &[Text<'_>],
    ) -> impl Future<Output = Result<Vec<Option<Vec<u8>>>, Failure>> + Send;

    /// Keeps all of them or none. Where a key comes twice, the later value stays.
    fn set_many(
        &self,
        bucket: &str,
        key_values: &[KeyValue<'_>],
    ) -> impl Future<Output = Result<(), Failure>> + Send;

    /// Forgets all of them or none.
    fn delete_many(
        &self,
        bucket: &str,
        keys: &[Text<'_>],
    ) -> impl Future<Output = Result<(), Failure>> + Send;
}
