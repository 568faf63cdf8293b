//! The contract over Redis commands.
//!
//! The bucket `default` is the database itself, so that an actor shares its keys with whatever else uses that Redis, under the
//! names that it uses. Any other bucket is the keys that start with its name and a colon, as people write namespaces in Redis.
//! So the default bucket also sees the others' keys: a link that must not gets `key-prefix`, or a database of its own.

use std::{borrow::Cow, sync::Arc};

use redis::{Cmd, Pipeline, cmd};
use wattle_keyvalue::{
    DEFAULT_BUCKET, Error, Failure, Store,
    limit::{KEY_LEN_MAX, PAGE_KEYS_MAX, check_found},
    wire::{KeyResponse, KeyValue, Text},
};

use crate::{connection::Connection, pool::Pool};

/// Between a bucket's name and the key. So a bucket's name has none.
const SEPARATOR: char = ':';

/// How many keys `SCAN` looks at for a page: it may answer with a few more than it was told.
const SCAN_KEYS: usize = PAGE_KEYS_MAX / 2;

/// One link's store. Links to the same Redis share its connections.
#[derive(Clone, Debug)]
pub struct RedisStore {
    pool: Arc<Pool>,
}

impl RedisStore {
    /// Over these connections.
    pub fn new(pool: Arc<Pool>) -> Self {
        Self { pool }
    }

    fn redis(&self) -> &Connection {
        self.pool.connection()
    }
}

impl Store for RedisStore {
    async fn open(&self, bucket: &str) -> Result<(), Failure> {
        prefix(bucket).map(drop)
    }

    async fn get(&self, bucket: &str, key: &str) -> Result<Option<Vec<u8>>, Failure> {
        self.redis().send(cmd("GET").arg(&*full(bucket, key)?)).await
    }

    async fn set(&self, bucket: &str, key: &str, value: Cow<'_, [u8]>) -> Result<(), Failure> {
        self.redis().send(cmd("SET").arg(&*full(bucket, key)?).arg(&*value)).await
    }

    async fn delete(&self, bucket: &str, key: &str) -> Result<(), Failure> {
        self.redis().send(cmd("DEL").arg(&*full(bucket, key)?)).await
    }

    async fn exists(&self, bucket: &str, key: &str) -> Result<bool, Failure> {
        self.redis().send(cmd("EXISTS").arg(&*full(bucket, key)?)).await
    }

    async fn list_keys(
        &self,
        bucket: &str,
        prefix_wanted: &str,
        cursor: Option<u64>,
    ) -> Result<KeyResponse, Failure> {
        let bucket_prefix = prefix(bucket)?;
        let mut scan = cmd("SCAN");
        scan.arg(cursor.unwrap_or(0)).arg("COUNT").arg(SCAN_KEYS).arg("TYPE").arg("string");
        if !(bucket_prefix.is_empty() && prefix_wanted.is_empty()) {
            scan.arg("MATCH").arg(starting_with(&format!("{bucket_prefix}{prefix_wanted}")));
        }
        let (next, found): (u64, Vec<Vec<u8>>) = self.redis().send(&scan).await?;
        let keys = found.into_iter().filter_map(|key| within_bucket(key, &bucket_prefix)).collect();
        Ok(KeyResponse { keys, cursor: (next != 0).then_some(next) })
    }

    async fn increment(&self, bucket: &str, key: &str, delta: u64) -> Result<u64, Failure> {
        let key = full(bucket, key)?;
        let delta = i64::try_from(delta).map_err(|_| past_the_end())?;
        let sum: i64 = self.redis().send(cmd("INCRBY").arg(&*key).arg(delta)).await?;
        u64::try_from(sum).map_err(|_| Failure::other(format!("the sum, {sum}, is below zero")))
    }

    async fn get_many(
        &self,
        bucket: &str,
        keys: &[Text<'_>],
    ) -> Result<Vec<Option<Vec<u8>>>, Failure> {
        let Some(mget) = over_keys("MGET", bucket, keys)? else { return Ok(Vec::new()) };
        // Lengths first: a short question for long values must not fill this process's memory.
        let mut lengths = Pipeline::with_capacity(keys.len());
        lengths.ignore_errors();
        for Text(key) in keys {
            lengths.cmd("STRLEN").arg(&*full(bucket, key)?);
        }
        let lengths: Vec<redis::RedisResult<usize>> = self.redis().send_all(&lengths).await?;
        check_found(lengths.into_iter().map(Result::unwrap_or_default).sum())?;
        self.redis().send(&mget).await
    }

    async fn set_many(&self, bucket: &str, key_values: &[KeyValue<'_>]) -> Result<(), Failure> {
        if key_values.is_empty() {
            return Ok(());
        }
        let mut mset = cmd("MSET");
        for KeyValue(key, value) in key_values {
            mset.arg(&*full(bucket, key)?).arg(&**value);
        }
        self.redis().send(&mset).await
    }

    async fn delete_many(&self, bucket: &str, keys: &[Text<'_>]) -> Result<(), Failure> {
        match over_keys("DEL", bucket, keys)? {
            Some(del) => self.redis().send(&del).await,
            None => Ok(()),
        }
    }
}

/// What all keys of a bucket start with.
pub(crate) fn prefix(bucket: &str) -> Result<Cow<'static, str>, Failure> {
    match bucket {
        DEFAULT_BUCKET => Ok("".into()),
        _ if bucket.contains(SEPARATOR) => Err(Error::NoSuchStore.into()),
        _ => Ok(format!("{bucket}{SEPARATOR}").into()),
    }
}

/// A key's name in Redis.
pub(crate) fn full<'a>(bucket: &str, key: &'a str) -> Result<Cow<'a, str>, Failure> {
    let prefix = prefix(bucket)?;
    Ok(if prefix.is_empty() { key.into() } else { format!("{prefix}{key}").into() })
}

/// A command over several keys; none without keys, which Redis would refuse.
fn over_keys(name: &str, bucket: &str, keys: &[Text<'_>]) -> Result<Option<Cmd>, Failure> {
    let mut command = cmd(name);
    for Text(key) in keys {
        command.arg(&*full(bucket, key)?);
    }
    Ok((!keys.is_empty()).then_some(command))
}

/// A key as the bucket's users know it. Keys that no actor could name, which others may have set, are not listed.
fn within_bucket(key: Vec<u8>, prefix: &str) -> Option<String> {
    let key = String::from_utf8(key).ok()?;
    let key = key.strip_prefix(prefix)?;
    (1..=KEY_LEN_MAX).contains(&key.len()).then(|| key.to_owned())
}

/// A pattern of Redis's that matches exactly what starts with `text`.
pub(crate) fn starting_with(text: &str) -> String {
    let mut pattern = String::with_capacity(text.len() + 1);
    for character in text.chars() {
        if matches!(character, '*' | '?' | '[' | ']' | '^' | '-' | '\\') {
            pattern.push('\\');
        }
        pattern.push(character);
    }
    pattern.push('*');
    pattern
}

fn past_the_end() -> Failure {
    Failure::other("the sum is past 2^63 - 1")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_default_bucket_is_the_database_and_others_are_namespaces() {
        assert_eq!(full("default", "a:b").expect("a bucket"), "a:b");
        assert_eq!(full("carts", "a:b").expect("a bucket"), "carts:a:b");
        assert_eq!(full("carts:a", "b"), Err(Error::NoSuchStore.into()));
    }

    #[test]
    fn a_pattern_matches_what_it_was_made_of() {
        assert_eq!(starting_with("a*[b]?\\"), "a\\*\\[b\\]\\?\\\\*");
    }

    #[test]
    fn keys_that_no_actor_could_name_are_not_listed() {
        let listed = |key: &[u8]| within_bucket(key.to_vec(), "carts:");
        assert_eq!(listed(b"carts:a"), Some("a".into()));
        for hidden in [&b"carts:"[..], b"carts:\xff", b"other", &[b'x'; KEY_LEN_MAX + 10]] {
            assert_eq!(listed(hidden), None);
        }
    }
}
