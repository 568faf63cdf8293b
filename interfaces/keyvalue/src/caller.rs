//! The caller's side: typed functions over anything that carries calls.

use std::borrow::Cow;

use serde::{Serialize, de::DeserializeOwned};
use wattle_core::{
    Operation,
    call::{Call, PARAMS_LEN_MAX},
    codec,
};

use crate::{
    error::{Failure, malformed_result},
    limit::{check_batch, check_bucket, check_key, check_message, check_value},
    operation,
    wire::{
        Found, Get, GetMany, Increment, KeyResponse, KeyValue, ListKeys, Open, Outcome, Set,
        SetMany, Text, Value,
    },
};

/// Calls a store over one link.
///
/// # Cancel safety
/// Dropping a function's future cancels its call, which may have run.
#[derive(Clone, Debug)]
pub struct Caller<C> {
    call: C,
}

impl<C: Call> Caller<C> {
    /// A caller over what carries its calls.
    pub fn new(call: C) -> Self {
        Self { call }
    }

    /// Whether `bucket` may be used over this link.
    pub async fn open(&self, bucket: &str) -> Result<(), Failure> {
        check_bucket(bucket)?;
        self.run(operation::OPEN, &Open { bucket: bucket.into() }).await
    }

    /// The value of `key`, if it has one.
    pub async fn get(&self, bucket: &str, key: &str) -> Result<Option<Vec<u8>>, Failure> {
        let params = one_key(bucket, key)?;
        let value: Option<Value> = self.run(operation::GET, &params).await?;
        Ok(value.map(Value::into_vec))
    }

    /// Keeps `value` under `key`.
    pub async fn set(&self, bucket: &str, key: &str, value: &[u8]) -> Result<(), Failure> {
        let Get { bucket, key } = one_key(bucket, key)?;
        check_value(value)?;
        self.run(operation::SET, &Set { bucket, key, value: value.into() }).await
    }

    /// Forgets `key`, whether or not it has a value.
    pub async fn delete(&self, bucket: &str, key: &str) -> Result<(), Failure> {
        self.run(operation::DELETE, &one_key(bucket, key)?).await
    }

    /// Whether `key` has a value.
    pub async fn exists(&self, bucket: &str, key: &str) -> Result<bool, Failure> {
        self.run(operation::EXISTS, &one_key(bucket, key)?).await
    }

    /// One page of the bucket's keys; `cursor` is the page before's.
    pub async fn list_keys(
        &self,
        bucket: &str,
        cursor: Option<u64>,
    ) -> Result<KeyResponse, Failure> {
        check_bucket(bucket)?;
        self.run(operation::LIST_KEYS, &ListKeys { bucket: bucket.into(), cursor }).await
    }

    /// Adds `delta` to the whole number at `key`, a key without a value counting as 0, and answers the sum.
    pub async fn increment(&self, bucket: &str, key: &str, delta: u64) -> Result<u64, Failure> {
        let Get { bucket, key } = one_key(bucket, key)?;
        self.run(operation::INCREMENT, &Increment { bucket, key, delta }).await
    }

    /// Each key with its value, if it has one, in the order asked for.
    pub async fn get_many<K: AsRef<str>>(
        &self,
        bucket: &str,
        keys: &[K],
    ) -> Result<Vec<Option<(String, Vec<u8>)>>, Failure> {
        let params = many_keys(bucket, keys)?;
        let found: Found = self.run(operation::GET_MANY, &params).await?;
        Ok(found
            .into_iter()
            .map(|entry| entry.map(|(key, value)| (key, value.into_vec())))
            .collect())
    }

    /// Keeps several values.
    pub async fn set_many<K: AsRef<str>, V: AsRef<[u8]>>(
        &self,
        bucket: &str,
        key_values: &[(K, V)],
    ) -> Result<(), Failure> {
        check_bucket(bucket)?;
        check_batch(key_values.len())?;
        let entries = key_values.iter().map(|(key, value)| {
            let (key, value) = (key.as_ref(), value.as_ref());
            check_key(key)?;
            check_value(value)?;
            Ok(KeyValue(Cow::Borrowed(key), Cow::Borrowed(value)))
        });
        let key_values = entries.collect::<Result<_, Failure>>()?;
        self.run(operation::SET_MANY, &SetMany { bucket: bucket.into(), key_values }).await
    }

    /// Forgets several keys.
    pub async fn delete_many<K: AsRef<str>>(
        &self,
        bucket: &str,
        keys: &[K],
    ) -> Result<(), Failure> {
        self.run(operation::DELETE_MANY, &many_keys(bucket, keys)?).await
    }

    async fn run<T: DeserializeOwned>(
        &self,
        operation: Operation,
        params: &impl Serialize,
    ) -> Result<T, Failure> {
        let params = codec::encode(params);
        check_message("parameters", params.len())?;
        let result = self.call.call(operation, params).await?;
        let outcome: Outcome<T> = codec::decode(&result, PARAMS_LEN_MAX)
            .map_err(|error| Failure::Call(malformed_result(&error)))?;
        Ok(outcome?)
    }
}

fn one_key<'a>(bucket: &'a str, key: &'a str) -> Result<Get<'a>, Failure> {
    check_bucket(bucket)?;
    check_key(key)?;
    Ok(Get { bucket: bucket.into(), key: key.into() })
}

fn many_keys<'a, K: AsRef<str>>(bucket: &'a str, keys: &'a [K]) -> Result<GetMany<'a>, Failure> {
    check_bucket(bucket)?;
    check_batch(keys.len())?;
    let texts = keys.iter().map(|key| {
        check_key(key.as_ref())?;
        Ok(Text(Cow::Borrowed(key.as_ref())))
    });
    Ok(GetMany { bucket: bucket.into(), keys: texts.collect::<Result<_, Failure>>()? })
}
