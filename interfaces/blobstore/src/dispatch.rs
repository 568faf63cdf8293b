//! The callee's side: bytes to a store's function and back, with limits and constraints checked on the way, for every
//! provider alike.

use std::sync::Arc;

use serde::{Deserialize, Serialize};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use wattle_core::{
    CallError, ErrorKind, Operation,
    call::{PARAMS_LEN_MAX, unknown_function},
    codec,
};
use wattle_wire::{Body, Reply};

use crate::{
    Page, Scope, Store, download,
    error::{Failure, malformed_params},
    limit::{Bounds, PAGE_NAMES_MAX, check_cursor, check_message, check_names},
    name, operation,
    scope::Access::{self, Read, Write},
    store::{At, Range},
    upload,
    wire::{
        Container, ContainerMetadata, DeleteObjects, GetData, ListObjects, Object, ObjectId,
        ObjectMetadata, ObjectNames, Outcome, Transfer,
    },
};

/// A call's interface and function, as they came.
pub(crate) type Called<'a> = (&'a str, &'a str);

/// One link's store with what the link's caller is held to.
pub(crate) struct Dispatch<'a, S> {
    pub(crate) store: &'a S,
    pub(crate) scope: &'a Scope,
    pub(crate) bounds: Bounds,
    pub(crate) bodies: &'a Arc<Semaphore>,
}

impl<S: Store> Dispatch<'_, S> {
    /// Runs one call.
    pub(crate) async fn run(
        &self,
        (interface, function): Called<'_>,
        params: &[u8],
        body: Option<Body>,
    ) -> Result<Reply, CallError> {
        let called = |operation: Operation| {
            operation.interface == interface && operation.function == function
        };
        match () {
            () if called(operation::GET_DATA) => self.get_data(decode(params)?).await,
            () if called(operation::WRITE_DATA) => self.write_data(decode(params)?, body).await,
            () if called(operation::HAS_OBJECT) => answer(self.has_object(decode(params)?).await),
            () if called(operation::OBJECT_INFO) => answer(self.object_info(decode(params)?).await),
            () if called(operation::LIST_OBJECTS) => {
                answer(self.list_objects(decode(params)?).await)
            }
            () if called(operation::DELETE_OBJECT) => {
                answer(self.delete_object(decode(params)?).await)
            }
            () if called(operation::DELETE_OBJECTS) => {
                answer(self.delete_objects(decode(params)?).await)
            }
            () if called(operation::COPY_OBJECT) => answer(self.copy_object(decode(params)?).await),
            () if called(operation::MOVE_OBJECT) => answer(self.move_object(decode(params)?).await),
            () => self.run_on_container((interface, function), decode(params)).await,
        }
    }

    async fn run_on_container(
        &self,
        (interface, function): Called<'_>,
        params: Result<Container<'_>, CallError>,
    ) -> Result<Reply, CallError> {
        let called = |operation: Operation| {
            operation.interface == interface && operation.function == function
        };
        match () {
            () if called(operation::GET_CONTAINER) => answer(self.get_container(params?).await),
            () if called(operation::CONTAINER_EXISTS) => {
                answer(self.container_exists(params?).await)
            }
            () if called(operation::INFO) => answer(self.info(params?).await),
            () if called(operation::CREATE_CONTAINER) => {
                answer(self.create_container(params?).await)
            }
            () if called(operation::DELETE_CONTAINER) => {
                answer(self.delete_container(params?).await)
            }
            () if called(operation::CLEAR) => answer(self.clear(params?).await),
            () => Err(unknown_function(interface, function)),
        }
    }

    fn check_container(&self, access: Access, container: &str) -> Result<(), Failure> {
        name::check_container(container)?;
        self.scope.check_container(access, container)
    }

    fn check_object(&self, access: Access, container: &str, object: &str) -> Result<(), Failure> {
        self.check_container(access, container)?;
        name::check_object(object)?;
        self.scope.check_object(object)
    }

    /// A place among the link's bodies.
    fn body_slot(&self) -> Result<OwnedSemaphorePermit, Failure> {
        let slot = Arc::clone(self.bodies).try_acquire_owned();
        slot.map_err(|_| Failure::overloaded("too many objects are on their way over this link"))
    }

    async fn create_container(
        &self,
        Container { container }: Container<'_>,
    ) -> Result<(), Failure> {
        self.check_container(Write, &container)?;
        self.store.create_container(&container).await
    }

    async fn get_container(&self, Container { container }: Container<'_>) -> Result<(), Failure> {
        self.check_container(Read, &container)?;
        match self.store.container_exists(&container).await? {
            true => Ok(()),
            false => Err(Failure::no_container(&container)),
        }
    }

    async fn container_exists(&self, params: Container<'_>) -> Result<bool, Failure> {
        self.check_container(Read, &params.container)?;
        self.store.container_exists(&params.container).await
    }

    async fn info(&self, params: Container<'_>) -> Result<ContainerMetadata, Failure> {
        self.check_container(Read, &params.container)?;
        self.store.container_info(&params.container).await
    }

    /// All in it goes, too, so the link must reach all of it.
    async fn delete_container(
        &self,
        Container { container }: Container<'_>,
    ) -> Result<(), Failure> {
        self.check_container(Write, &container)?;
        self.scope.check_all_objects(&container)?;
        self.store.delete_container(&container).await
    }

    /// Deletes what the link reaches, page by page; what comes meanwhile may stay.
    async fn clear(&self, Container { container }: Container<'_>) -> Result<(), Failure> {
        self.check_container(Write, &container)?;
        for prefix in self.scope.prefixes_behind(None) {
            self.clear_prefix(&container, prefix).await?;
        }
        Ok(())
    }

    async fn clear_prefix(&self, container: &str, prefix: &str) -> Result<(), Failure> {
        let mut cursor: Option<String> = None;
        loop {
            let page = self.page(container, prefix, cursor.as_deref(), PAGE_NAMES_MAX).await?;
            let names: Vec<&str> = page.names.iter().map(String::as_str).collect();
            if !names.is_empty() {
                self.store.delete(container, &names).await?;
            }
            cursor = page.cursor;
            if cursor.is_none() {
                return Ok(());
            }
        }
    }

    /// A store's page, of which neither a name nor the cursor may lie outside of what was asked for.
    async fn page(
        &self,
        container: &str,
        prefix: &str,
        cursor: Option<&str>,
        limit: usize,
    ) -> Result<Page, Failure> {
        let page = self.store.list(container, prefix, cursor, limit).await?;
        let mut told = page.names.iter().chain(&page.cursor);
        match told.all(|name| name.starts_with(prefix)) {
            true => Ok(page),
            false => Err(Failure::backend("the store listed names that were not asked for")),
        }
    }

    async fn get_data(&self, params: GetData<'_>) -> Result<Reply, CallError> {
        match self.download(params).await {
            Ok((len, body)) => Ok(Reply { body: Some(body), ..answer(Ok(len))? }),
            Err(failure) => answer::<u64>(Err(failure)),
        }
    }

    async fn download(&self, params: GetData<'_>) -> Result<(u64, Body), Failure> {
        let GetData { container, name, start, end } = params;
        self.check_object(Read, &container, &name)?;
        if start > end {
            let text = format!("the range starts at {start} and ends before, at {end}");
            return Err(Failure::Call(CallError::new(ErrorKind::Malformed, text)));
        }
        let slot = self.body_slot()?;
        let (len, reading) = self.store.open(&container, &name, Range { start, end }).await?;
        Ok((len, download::start(len, reading, self.bounds, slot).await?))
    }

    async fn write_data(&self, params: Object<'_>, body: Option<Body>) -> Result<Reply, CallError> {
        match self.upload(params, body).await {
            Ok(body) => Ok(Reply { body: Some(body), ..answer(Ok(()))? }),
            Err(failure) => answer::<()>(Err(failure)),
        }
    }

    async fn upload(&self, params: Object<'_>, body: Option<Body>) -> Result<Body, Failure> {
        let Object { container, name } = params;
        self.check_object(Write, &container, &name)?;
        let Some(data) = body else {
            let text = "write-data has its bytes beside it, and there are none";
            return Err(Failure::Call(CallError::new(ErrorKind::Malformed, text)));
        };
        self.bounds.check_object_bytes(data.remaining().unwrap_or(0))?;
        let slot = self.body_slot()?;
        let writing = self.store.create(&container, &name).await?;
        Ok(upload::start(data, writing, self.bounds, slot))
    }

    /// One prefix after the other, until the page is full.
    async fn list_objects(&self, params: ListObjects<'_>) -> Result<ObjectNames, Failure> {
        let ListObjects { container, cursor, limit } = params;
        self.check_container(Read, &container)?;
        check_cursor(cursor.as_deref())?;
        let limit = usize::try_from(limit).unwrap_or(usize::MAX).clamp(1, PAGE_NAMES_MAX);
        let cursor = cursor.as_deref();
        let mut names: Vec<String> = Vec::new();
        for prefix in self.scope.prefixes_behind(cursor) {
            if names.len() == limit {
                let cursor = names.last().cloned();
                return Ok(ObjectNames { names, cursor });
            }
            let page = self.page(&container, prefix, cursor, limit - names.len()).await?;
            names.extend(page.names);
            if page.cursor.is_some() {
                return Ok(ObjectNames { names, cursor: page.cursor });
            }
        }
        Ok(ObjectNames { names, cursor: None })
    }

    async fn delete_object(&self, Object { container, name }: Object<'_>) -> Result<(), Failure> {
        self.check_object(Write, &container, &name)?;
        self.store.delete(&container, &[&*name]).await
    }

    /// None is deleted where one of them may not be.
    async fn delete_objects(&self, params: DeleteObjects<'_>) -> Result<(), Failure> {
        let DeleteObjects { container, names } = params;
        self.check_container(Write, &container)?;
        check_names(names.len())?;
        let names: Vec<&str> = names.iter().map(|name| &*name.0).collect();
        names.iter().try_for_each(|name| self.check_object(Write, &container, name))?;
        self.store.delete(&container, &names).await
    }

    async fn has_object(&self, Object { container, name }: Object<'_>) -> Result<bool, Failure> {
        self.check_object(Read, &container, &name)?;
        Ok(self.store.object_info(&container, &name).await?.is_some())
    }

    async fn object_info(&self, params: Object<'_>) -> Result<ObjectMetadata, Failure> {
        let Object { container, name } = params;
        self.check_object(Read, &container, &name)?;
        let found = self.store.object_info(&container, &name).await?;
        found.ok_or_else(|| Failure::no_object(&container, &name))
    }

    async fn copy_object(&self, Transfer { src, dest }: Transfer<'_>) -> Result<(), Failure> {
        self.check_object(Read, &src.container, &src.object)?;
        self.check_object(Write, &dest.container, &dest.object)?;
        if src == dest {
            return self.must_be_there(&src).await;
        }
        self.store.copy(at(&src), at(&dest)).await
    }

    /// The object is read at one place and taken away from it, so the link must allow both there.
    async fn move_object(&self, Transfer { src, dest }: Transfer<'_>) -> Result<(), Failure> {
        self.check_object(Read, &src.container, &src.object)?;
        self.check_object(Write, &src.container, &src.object)?;
        self.check_object(Write, &dest.container, &dest.object)?;
        if src == dest {
            return self.must_be_there(&src).await;
        }
        self.store.rename(at(&src), at(&dest)).await
    }

    async fn must_be_there(&self, id: &ObjectId<'_>) -> Result<(), Failure> {
        let found = self.store.object_info(&id.container, &id.object).await?;
        found.map(drop).ok_or_else(|| Failure::no_object(&id.container, &id.object))
    }
}

fn at<'a>(id: &'a ObjectId<'_>) -> At<'a> {
    At { container: &id.container, name: &id.object }
}

fn decode<'a, T: Deserialize<'a>>(params: &'a [u8]) -> Result<T, CallError> {
    codec::decode(params, PARAMS_LEN_MAX).map_err(|error| malformed_params(&error))
}

/// What the store said is the call's result; what kept it from answering is the call's failure.
fn answer<T: Serialize>(outcome: Result<T, Failure>) -> Result<Reply, CallError> {
    let outcome: Outcome<T> = match outcome {
        Ok(value) => Ok(value),
        Err(Failure::Store(error)) => Err(error),
        Err(Failure::Call(error)) => return Err(error),
    };
    let result = codec::encode(&outcome);
    match check_message("result", result.len()) {
        Err(Failure::Call(error)) => Err(error),
        _ => Ok(Reply::new(result)),
    }
}
