//! The callee's side: bytes to a store's function and back, with limits and constraints checked on the way, for every
//! provider alike.

use serde::{Deserialize, Serialize};
use wattle_core::{
    CallError, Operation,
    call::{PARAMS_LEN_MAX, unknown_function},
    codec,
};

use crate::{
    DEFAULT_BUCKET, Scope, Store,
    error::{Failure, malformed_params},
    limit::{check_batch, check_bucket, check_found, check_key, check_message, check_value},
    operation,
    wire::{
        Found, Get, GetMany, Increment, KeyResponse, KeyValue, ListKeys, Open, Outcome, Set,
        SetMany, Text, Value,
    },
};

/// Runs one call on a link's store and answers the encoded result.
///
/// # Cancel safety
/// Dropping the future cancels the call; it may have run.
pub async fn dispatch<S: Store>(
    store: &S,
    scope: &Scope,
    interface: &str,
    function: &str,
    params: &[u8],
) -> Result<Vec<u8>, CallError> {
    let called =
        |operation: Operation| operation.interface == interface && operation.function == function;
    let call = Dispatch { store, scope };
    match () {
        () if called(operation::GET) => answer(call.get(decode(params)?).await),
        () if called(operation::SET) => answer(call.set(decode(params)?).await),
        () if called(operation::INCREMENT) => answer(call.increment(decode(params)?).await),
        () if called(operation::OPEN) => answer(call.open(decode(params)?).await),
        () if called(operation::DELETE) => answer(call.delete(decode(params)?).await),
        () if called(operation::EXISTS) => answer(call.exists(decode(params)?).await),
        () if called(operation::LIST_KEYS) => answer(call.list_keys(decode(params)?).await),
        () if called(operation::GET_MANY) => answer(call.get_many(decode(params)?).await),
        () if called(operation::SET_MANY) => answer(call.set_many(decode(params)?).await),
        () if called(operation::DELETE_MANY) => answer(call.delete_many(decode(params)?).await),
        () => Err(unknown_function(interface, function)),
    }
}

fn decode<'a, T: Deserialize<'a>>(params: &'a [u8]) -> Result<T, CallError> {
    codec::decode(params, PARAMS_LEN_MAX).map_err(|error| malformed_params(&error))
}

/// What the store said is the call's result; what kept it from answering is the call's failure.
fn answer<T: Serialize>(outcome: Result<T, Failure>) -> Result<Vec<u8>, CallError> {
    let outcome: Outcome<T> = match outcome {
        Ok(value) => Ok(value),
        Err(Failure::Store(error)) => Err(error),
        Err(Failure::Call(error)) => return Err(error),
    };
    let result = codec::encode(&outcome);
    match check_message("result", result.len()) {
        Err(Failure::Call(error)) => Err(error),
        _ => Ok(result),
    }
}

struct Dispatch<'a, S> {
    store: &'a S,
    scope: &'a Scope,
}

impl<S: Store> Dispatch<'_, S> {
    /// The bucket's one name, if the link's caller may use it.
    fn bucket<'b>(&self, bucket: &'b str) -> Result<&'b str, Failure> {
        check_bucket(bucket)?;
        let bucket = if bucket.is_empty() { DEFAULT_BUCKET } else { bucket };
        self.scope.check_bucket(bucket)?;
        Ok(bucket)
    }

    fn check_key(&self, key: &str) -> Result<(), Failure> {
        check_key(key)?;
        self.scope.check_key(key)
    }

    fn check_keys(&self, keys: &[Text<'_>]) -> Result<(), Failure> {
        check_batch(keys.len())?;
        keys.iter().try_for_each(|key| self.check_key(&key.0))
    }

    async fn open(&self, Open { bucket }: Open<'_>) -> Result<(), Failure> {
        self.store.open(self.bucket(&bucket)?).await
    }

    async fn get(&self, Get { bucket, key }: Get<'_>) -> Result<Option<Value>, Failure> {
        let bucket = self.bucket(&bucket)?;
        self.check_key(&key)?;
        Ok(self.store.get(bucket, &key).await?.map(Value::from))
    }

    async fn set(&self, Set { bucket, key, value }: Set<'_>) -> Result<(), Failure> {
        let bucket = self.bucket(&bucket)?;
        self.check_key(&key)?;
        check_value(&value)?;
        self.store.set(bucket, &key, value).await
    }

    async fn delete(&self, Get { bucket, key }: Get<'_>) -> Result<(), Failure> {
        let bucket = self.bucket(&bucket)?;
        self.check_key(&key)?;
        self.store.delete(bucket, &key).await
    }

    async fn exists(&self, Get { bucket, key }: Get<'_>) -> Result<bool, Failure> {
        let bucket = self.bucket(&bucket)?;
        self.check_key(&key)?;
        self.store.exists(bucket, &key).await
    }

    async fn list_keys(&self, params: ListKeys<'_>) -> Result<KeyResponse, Failure> {
        let bucket = self.bucket(&params.bucket)?;
        let prefix = self.scope.common_prefix();
        let mut page = self.store.list_keys(bucket, prefix, params.cursor).await?;
        page.keys.retain(|key| self.scope.allows_key(key));
        Ok(page)
    }

    async fn increment(&self, params: Increment<'_>) -> Result<u64, Failure> {
        let bucket = self.bucket(&params.bucket)?;
        self.check_key(&params.key)?;
        self.store.increment(bucket, &params.key, params.delta).await
    }

    async fn get_many(&self, GetMany { bucket, keys }: GetMany<'_>) -> Result<Found, Failure> {
        let bucket = self.bucket(&bucket)?;
        self.check_keys(&keys)?;
        let values = self.store.get_many(bucket, &keys).await?;
        check_found(values.iter().flatten().map(Vec::len).sum())?;
        let found = keys.into_iter().zip(values);
        Ok(found.map(|(key, value)| Some((key.0.into_owned(), Value::from(value?)))).collect())
    }

    async fn set_many(&self, SetMany { bucket, key_values }: SetMany<'_>) -> Result<(), Failure> {
        let bucket = self.bucket(&bucket)?;
        check_batch(key_values.len())?;
        for KeyValue(key, value) in &key_values {
            self.check_key(key)?;
            check_value(value)?;
        }
        self.store.set_many(bucket, &key_values).await
    }

    async fn delete_many(&self, GetMany { bucket, keys }: GetMany<'_>) -> Result<(), Failure> {
        let bucket = self.bucket(&bucket)?;
        self.check_keys(&keys)?;
        self.store.delete_many(bucket, &keys).await
    }
}
