//! `wasi:keyvalue`: a bucket is a handle of the instance to an identifier; every use of it is a call over the actor's link.

use wasmtime::component::{Linker, Resource};
use wattle_keyvalue::{Caller, Error};

use super::WholeInstance;
use crate::actors::instance::{Instance, InstanceCaller};

wasmtime::component::bindgen!({
    path: "../interfaces/keyvalue/wit",
    world: "imports",
    imports: { default: async | trappable },
    with: { "wasi:keyvalue/store.bucket": Bucket },
});

use wasi::keyvalue::{atomics, batch, store};

/// A bucket that an instance has opened, or was given with a change in it.
#[allow(unreachable_pub, reason = "the generated bindings name it as public")]
pub struct Bucket(String);

impl Bucket {
    /// A bucket that nobody has asked a store for: what an instance does with it is a call over the actor's own link.
    pub(in crate::actors) fn new(identifier: String) -> Self {
        Self(identifier)
    }
}

pub(super) fn link(linker: &mut Linker<Instance>) -> wasmtime::Result<()> {
    Imports::add_to_linker::<Instance, WholeInstance>(linker, |instance| instance)
}

impl Instance {
    fn keyvalue(&self) -> Caller<InstanceCaller> {
        Caller::new(self.caller.clone())
    }

    fn bucket(&self, bucket: &Resource<Bucket>) -> wasmtime::Result<String> {
        Ok(self.table.get(bucket)?.0.clone())
    }
}

fn answer<T>(
    result: Result<T, wattle_keyvalue::Failure>,
) -> wasmtime::Result<Result<T, store::Error>> {
    Ok(result.map_err(|failure| Error::from(failure).into()))
}

impl From<Error> for store::Error {
    fn from(error: Error) -> Self {
        match error {
            Error::NoSuchStore => Self::NoSuchStore,
            Error::AccessDenied => Self::AccessDenied,
            Error::Other(message) => Self::Other(message),
        }
    }
}

impl store::Host for &mut Instance {
    async fn open(
        &mut self,
        identifier: String,
    ) -> wasmtime::Result<Result<Resource<Bucket>, store::Error>> {
        match answer(self.keyvalue().open(&identifier).await)? {
            Ok(()) => Ok(Ok(self.table.push(Bucket(identifier))?)),
            Err(error) => Ok(Err(error)),
        }
    }
}

impl store::HostBucket for &mut Instance {
    async fn get(
        &mut self,
        bucket: Resource<Bucket>,
        key: String,
    ) -> wasmtime::Result<Result<Option<Vec<u8>>, store::Error>> {
        let bucket = self.bucket(&bucket)?;
        answer(self.keyvalue().get(&bucket, &key).await)
    }

    async fn set(
        &mut self,
        bucket: Resource<Bucket>,
        key: String,
        value: Vec<u8>,
    ) -> wasmtime::Result<Result<(), store::Error>> {
        let bucket = self.bucket(&bucket)?;
        answer(self.keyvalue().set(&bucket, &key, &value).await)
    }

    async fn delete(
        &mut self,
        bucket: Resource<Bucket>,
        key: String,
    ) -> wasmtime::Result<Result<(), store::Error>> {
        let bucket = self.bucket(&bucket)?;
        answer(self.keyvalue().delete(&bucket, &key).await)
    }

    async fn exists(
        &mut self,
        bucket: Resource<Bucket>,
        key: String,
    ) -> wasmtime::Result<Result<bool, store::Error>> {
        let bucket = self.bucket(&bucket)?;
        answer(self.keyvalue().exists(&bucket, &key).await)
    }

    async fn list_keys(
        &mut self,
        bucket: Resource<Bucket>,
        cursor: Option<u64>,
    ) -> wasmtime::Result<Result<store::KeyResponse, store::Error>> {
        let bucket = self.bucket(&bucket)?;
        let page = self.keyvalue().list_keys(&bucket, cursor).await;
        answer(page.map(|page| store::KeyResponse { keys: page.keys, cursor: page.cursor }))
    }

    async fn drop(&mut self, bucket: Resource<Bucket>) -> wasmtime::Result<()> {
        self.table.delete(bucket)?;
        Ok(())
    }
}

impl atomics::Host for &mut Instance {
    async fn increment(
        &mut self,
        bucket: Resource<Bucket>,
        key: String,
        delta: u64,
    ) -> wasmtime::Result<Result<u64, store::Error>> {
        let bucket = self.bucket(&bucket)?;
        answer(self.keyvalue().increment(&bucket, &key, delta).await)
    }
}

type Found = Vec<Option<(String, Vec<u8>)>>;

impl batch::Host for &mut Instance {
    async fn get_many(
        &mut self,
        bucket: Resource<Bucket>,
        keys: Vec<String>,
    ) -> wasmtime::Result<Result<Found, store::Error>> {
        let bucket = self.bucket(&bucket)?;
        answer(self.keyvalue().get_many(&bucket, &keys).await)
    }

    async fn set_many(
        &mut self,
        bucket: Resource<Bucket>,
        key_values: Vec<(String, Vec<u8>)>,
    ) -> wasmtime::Result<Result<(), store::Error>> {
        let bucket = self.bucket(&bucket)?;
        answer(self.keyvalue().set_many(&bucket, &key_values).await)
    }

    async fn delete_many(
        &mut self,
        bucket: Resource<Bucket>,
        keys: Vec<String>,
    ) -> wasmtime::Result<Result<(), store::Error>> {
        let bucket = self.bucket(&bucket)?;
        answer(self.keyvalue().delete_many(&bucket, &keys).await)
    }
}
