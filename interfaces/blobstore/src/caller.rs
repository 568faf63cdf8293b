//! The caller's side: typed functions over anything that carries calls and their bodies.

use std::{borrow::Cow, future::Future};

use bytes::Bytes;
use serde::{Serialize, de::DeserializeOwned};
use wattle_core::{CallError, Operation, call::PARAMS_LEN_MAX, codec};
use wattle_wire::{Body, Reply};

use crate::{
    error::{Failure, malformed_result},
    limit::{check_cursor, check_message, check_names},
    name::{check_container, check_object},
    operation,
    wire::{
        Container, ContainerMetadata, DeleteObjects, GetData, ListObjects, Object, ObjectId,
        ObjectMetadata, ObjectNames, Outcome, Text, Transfer,
    },
};

/// The most bytes of what a store says at the end of an upload.
const ENDING_LEN_MAX: usize = 64 * 1024;

/// Carries calls over one link, with the streams beside them.
pub trait Carry {
    /// Sends `params` and `body` to the callee's `operation` and waits for the head of its answer.
    ///
    /// # Cancel safety
    /// Dropping the future cancels the call; it may have run.
    fn carry(
        &self,
        operation: Operation,
        params: Vec<u8>,
        body: Option<Body>,
    ) -> impl Future<Output = Result<Reply, CallError>> + Send;
}

/// Calls a store over one link.
///
/// # Cancel safety
/// Dropping a function's future cancels its call, which may have run.
#[derive(Clone, Debug)]
pub struct Caller<C> {
    carry: C,
}

/// An object's bytes on their way here.
#[derive(Debug)]
pub struct Download {
    /// How many they are.
    pub size: u64,
    /// They. Dropping it stops them.
    pub body: Body,
}

/// An object on its way into the store, which has begun with it. Dropping this ahead of its end gives it up, and nothing of it is
/// ever seen.
#[derive(Debug)]
#[must_use = "an upload that nobody waits for is given up"]
pub struct Upload {
    ending: Body,
}

impl Upload {
    /// Waits until the object is durable and visible. No deadline holds here: the store ends what stands still.
    ///
    /// # Cancel safety
    /// Dropping the future gives the upload up, unless it was about to end.
    pub async fn finish(mut self) -> Result<(), Failure> {
        let said = self.ending.collect(ENDING_LEN_MAX).await?;
        read(&said)
    }
}

impl<C: Carry> Caller<C> {
    /// A caller over what carries its calls.
    pub fn new(carry: C) -> Self {
        Self { carry }
    }

    /// Makes a container.
    pub async fn create_container(&self, container: &str) -> Result<(), Failure> {
        self.run(operation::CREATE_CONTAINER, &whole(container)?).await
    }

    /// Whether a container is there and may be used: it fails otherwise.
    pub async fn get_container(&self, container: &str) -> Result<(), Failure> {
        self.run(operation::GET_CONTAINER, &whole(container)?).await
    }

    /// Deletes a container and all that is in it.
    pub async fn delete_container(&self, container: &str) -> Result<(), Failure> {
        self.run(operation::DELETE_CONTAINER, &whole(container)?).await
    }

    /// Whether a container is there.
    pub async fn container_exists(&self, container: &str) -> Result<bool, Failure> {
        self.run(operation::CONTAINER_EXISTS, &whole(container)?).await
    }

    /// What is known of a container.
    pub async fn info(&self, container: &str) -> Result<ContainerMetadata, Failure> {
        self.run(operation::INFO, &whole(container)?).await
    }

    /// Deletes all of a container's objects.
    pub async fn clear(&self, container: &str) -> Result<(), Failure> {
        self.run(operation::CLEAR, &whole(container)?).await
    }

    /// An object's bytes from `start` to `end`, both included; behind its last byte there are none.
    pub async fn get_data(
        &self,
        container: &str,
        name: &str,
        start: u64,
        end: u64,
    ) -> Result<Download, Failure> {
        let Object { container, name } = one(container, name)?;
        let params = GetData { container, name, start, end };
        let reply = self.ask(operation::GET_DATA, &params, None).await?;
        let size = read(&reply.result)?;
        let body = reply.body.ok_or_else(|| Failure::backend("the store sent no bytes"))?;
        Ok(Download { size, body })
    }

    /// Puts an object in place of any of its name, once all of `data` has come and [`Upload::finish`] has answered.
    pub async fn write_data(
        &self,
        container: &str,
        name: &str,
        data: Body,
    ) -> Result<Upload, Failure> {
        let params = one(container, name)?;
        let reply = self.ask(operation::WRITE_DATA, &params, Some(data)).await?;
        read::<()>(&reply.result)?;
        let ending = reply.body.ok_or_else(|| Failure::backend("the store says no end"))?;
        Ok(Upload { ending })
    }

    /// One page of a container's objects; `cursor` is the page before's, `limit` the most names to get.
    pub async fn list_objects(
        &self,
        container: &str,
        cursor: Option<&str>,
        limit: u32,
    ) -> Result<ObjectNames, Failure> {
        check_container(container)?;
        check_cursor(cursor)?;
        let cursor = cursor.map(Cow::Borrowed);
        let params = ListObjects { container: container.into(), cursor, limit };
        self.run(operation::LIST_OBJECTS, &params).await
    }

    /// Deletes an object, whether or not it is there.
    pub async fn delete_object(&self, container: &str, name: &str) -> Result<(), Failure> {
        self.run(operation::DELETE_OBJECT, &one(container, name)?).await
    }

    /// Deletes several objects, as far as they are there.
    pub async fn delete_objects<N: AsRef<str>>(
        &self,
        container: &str,
        names: &[N],
    ) -> Result<(), Failure> {
        check_container(container)?;
        check_names(names.len())?;
        let texts = names.iter().map(|name| {
            check_object(name.as_ref())?;
            Ok(Text(Cow::Borrowed(name.as_ref())))
        });
        let names = texts.collect::<Result<_, Failure>>()?;
        let params = DeleteObjects { container: container.into(), names };
        self.run(operation::DELETE_OBJECTS, &params).await
    }

    /// Whether an object is there.
    pub async fn has_object(&self, container: &str, name: &str) -> Result<bool, Failure> {
        self.run(operation::HAS_OBJECT, &one(container, name)?).await
    }

    /// What is known of an object.
    pub async fn object_info(
        &self,
        container: &str,
        name: &str,
    ) -> Result<ObjectMetadata, Failure> {
        self.run(operation::OBJECT_INFO, &one(container, name)?).await
    }

    /// Copies an object, in place of any that is there.
    pub async fn copy_object(&self, src: ObjectId<'_>, dest: ObjectId<'_>) -> Result<(), Failure> {
        self.run(operation::COPY_OBJECT, &transfer(src, dest)?).await
    }

    /// Moves an object, in place of any that is there.
    pub async fn move_object(&self, src: ObjectId<'_>, dest: ObjectId<'_>) -> Result<(), Failure> {
        self.run(operation::MOVE_OBJECT, &transfer(src, dest)?).await
    }

    async fn run<T: DeserializeOwned>(
        &self,
        operation: Operation,
        params: &impl Serialize,
    ) -> Result<T, Failure> {
        read(&self.ask(operation, params, None).await?.result)
    }

    async fn ask(
        &self,
        operation: Operation,
        params: &impl Serialize,
        body: Option<Body>,
    ) -> Result<Reply, Failure> {
        let params = codec::encode(params);
        check_message("parameters", params.len())?;
        Ok(self.carry.carry(operation, params, body).await?)
    }
}

fn read<T: DeserializeOwned>(result: &Bytes) -> Result<T, Failure> {
    let outcome: Outcome<T> = codec::decode(result, PARAMS_LEN_MAX)
        .map_err(|error| Failure::Call(malformed_result(&error)))?;
    Ok(outcome?)
}

fn whole(container: &str) -> Result<Container<'_>, Failure> {
    check_container(container)?;
    Ok(Container { container: container.into() })
}

fn one<'a>(container: &'a str, name: &'a str) -> Result<Object<'a>, Failure> {
    check_container(container)?;
    check_object(name)?;
    Ok(Object { container: container.into(), name: name.into() })
}

fn transfer<'a>(src: ObjectId<'a>, dest: ObjectId<'a>) -> Result<Transfer<'a>, Failure> {
    for id in [&src, &dest] {
        check_container(&id.container)?;
        check_object(&id.object)?;
    }
    Ok(Transfer { src, dest })
}
