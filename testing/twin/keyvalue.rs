//! `wasi:keyvalue` over a Redis client in the same process.

use redis::{AsyncCommands as _, aio::MultiplexedConnection};
use wasmtime::component::{HasData, Linker, Resource};

use crate::guest::State;

wasmtime::component::bindgen!({
    inline: "
        package wasi:keyvalue@0.2.0-draft;
        interface store {
            variant error { no-such-store, access-denied, other(string) }
            record key-response { keys: list<string>, cursor: option<u64> }
            resource bucket {
                get: func(key: string) -> result<option<list<u8>>, error>;
                set: func(key: string, value: list<u8>) -> result<_, error>;
                delete: func(key: string) -> result<_, error>;
                exists: func(key: string) -> result<bool, error>;
                list-keys: func(cursor: option<u64>) -> result<key-response, error>;
            }
            open: func(identifier: string) -> result<bucket, error>;
        }
        interface atomics {
            use store.{bucket, error};
            increment: func(bucket: borrow<bucket>, key: string, delta: u64) -> result<u64, error>;
        }
        world twin { import store; import atomics; }
    ",
    imports: { default: async },
    with: { "wasi:keyvalue/store.bucket": Bucket },
});

use wasi::keyvalue::{
    atomics,
    store::{self, Error, KeyResponse},
};

/// The one bucket there is.
#[allow(unreachable_pub, reason = "bindgen exports it again from a module of its own")]
pub struct Bucket;

struct HasState;

impl HasData for HasState {
    type Data<'a> = &'a mut State;
}

/// Gives guests the contract.
pub(crate) fn add_to_linker(linker: &mut Linker<State>) -> wasmtime::Result<()> {
    store::add_to_linker::<_, HasState>(linker, |state| state)?;
    atomics::add_to_linker::<_, HasState>(linker, |state| state)
}

impl State {
    fn redis(&self) -> Result<MultiplexedConnection, Error> {
        self.redis.clone().ok_or(Error::NoSuchStore)
    }
}

fn failed(error: redis::RedisError) -> Error {
    Error::Other(error.to_string())
}

impl store::Host for State {
    async fn open(&mut self, _: String) -> Result<Resource<Bucket>, Error> {
        self.table.push(Bucket).map_err(|error| Error::Other(error.to_string()))
    }
}

impl store::HostBucket for State {
    async fn get(&mut self, _: Resource<Bucket>, key: String) -> Result<Option<Vec<u8>>, Error> {
        self.redis()?.get(key).await.map_err(failed)
    }

    async fn set(&mut self, _: Resource<Bucket>, key: String, value: Vec<u8>) -> Result<(), Error> {
        self.redis()?.set(key, value).await.map_err(failed)
    }

    async fn delete(&mut self, _: Resource<Bucket>, key: String) -> Result<(), Error> {
        self.redis()?.del(key).await.map_err(failed)
    }

    async fn exists(&mut self, _: Resource<Bucket>, key: String) -> Result<bool, Error> {
        self.redis()?.exists(key).await.map_err(failed)
    }

    async fn list_keys(
        &mut self,
        _: Resource<Bucket>,
        _: Option<u64>,
    ) -> Result<KeyResponse, Error> {
        Err(Error::Other("the benchmark lists no keys".to_owned()))
    }

    async fn drop(&mut self, bucket: Resource<Bucket>) -> wasmtime::Result<()> {
        self.table.delete(bucket)?;
        Ok(())
    }
}

impl atomics::Host for State {
    async fn increment(
        &mut self,
        _: Resource<Bucket>,
        key: String,
        delta: u64,
    ) -> Result<u64, Error> {
        self.redis()?.incr(key, delta).await.map_err(failed)
    }
}
