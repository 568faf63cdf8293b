//! `wasi:blobstore`: containers and values are handles of the instance; what is done with them is a call over the actor's link, with
//! an object's bytes as a stream beside it.

mod names;
mod values;

use bytes::Bytes;
use wasmtime::component::{Linker, Resource};
use wattle_blobstore::{Caller, Carry, Error, Failure, wire::ObjectId};
use wattle_core::{CallError, Operation};
use wattle_wire::{Body, Reply, Request};

#[allow(unreachable_pub, reason = "the generated bindings name them as public")]
pub use self::{
    names::Names,
    values::{Incoming, Outgoing},
};
use super::WholeInstance;
use crate::actors::instance::{Instance, InstanceCaller};

wasmtime::component::bindgen!({
    path: "../interfaces/blobstore/wit",
    world: "imports",
    imports: { default: async | trappable },
    with: {
        "wasi:io": wasmtime_wasi::p2::bindings::io,
        "wasi:blobstore/container.container": Container,
        "wasi:blobstore/container.stream-object-names": Names,
        "wasi:blobstore/types.incoming-value": Incoming,
        "wasi:blobstore/types.outgoing-value": Outgoing,
    },
});

use wasi::blobstore::{blobstore, container, types};

/// A container that an instance has opened.
#[allow(unreachable_pub, reason = "the generated bindings name it as public")]
pub struct Container(String);

pub(super) fn link(linker: &mut Linker<Instance>) -> wasmtime::Result<()> {
    // One by one: the world has `wasi:io` as well, which is linked already.
    types::add_to_linker::<Instance, WholeInstance>(linker, |instance| instance)?;
    container::add_to_linker::<Instance, WholeInstance>(linker, |instance| instance)?;
    blobstore::add_to_linker::<Instance, WholeInstance>(linker, |instance| instance)
}

impl Carry for InstanceCaller {
    async fn carry(
        &self,
        operation: Operation,
        params: Vec<u8>,
        body: Option<Body>,
    ) -> Result<Reply, CallError> {
        let request = Request { head: Bytes::new(), params: params.into(), body };
        self.carry(operation.interface, operation.function, request).await
    }
}

/// What a function answers: its value, or the store's words.
type Answer<T> = wasmtime::Result<Result<T, String>>;

fn answer<T>(result: Result<T, Failure>) -> Answer<T> {
    Ok(result.map_err(|failure| Error::from(failure).0))
}

impl Instance {
    fn blobs(&self) -> Caller<InstanceCaller> {
        Caller::new(self.caller.clone())
    }

    fn container(&self, container: &Resource<Container>) -> wasmtime::Result<String> {
        Ok(self.table.get(container)?.0.clone())
    }

    fn opened(&mut self, name: String, opened: Result<(), Failure>) -> Answer<Resource<Container>> {
        match answer(opened)? {
            Ok(()) => Ok(Ok(self.table.push(Container(name))?)),
            Err(error) => Ok(Err(error)),
        }
    }
}

impl types::Host for &mut Instance {}

impl container::Host for &mut Instance {}

impl blobstore::Host for &mut Instance {
    async fn create_container(&mut self, name: String) -> Answer<Resource<Container>> {
        let made = self.blobs().create_container(&name).await;
        self.opened(name, made)
    }

    async fn get_container(&mut self, name: String) -> Answer<Resource<Container>> {
        let found = self.blobs().get_container(&name).await;
        self.opened(name, found)
    }

    async fn delete_container(&mut self, name: String) -> Answer<()> {
        answer(self.blobs().delete_container(&name).await)
    }

    async fn container_exists(&mut self, name: String) -> Answer<bool> {
        answer(self.blobs().container_exists(&name).await)
    }

    async fn copy_object(&mut self, src: types::ObjectId, dest: types::ObjectId) -> Answer<()> {
        answer(self.blobs().copy_object(id(&src), id(&dest)).await)
    }

    async fn move_object(&mut self, src: types::ObjectId, dest: types::ObjectId) -> Answer<()> {
        answer(self.blobs().move_object(id(&src), id(&dest)).await)
    }
}

fn id(id: &types::ObjectId) -> ObjectId<'_> {
    ObjectId::new(&id.container, &id.object)
}

impl container::HostContainer for &mut Instance {
    async fn name(&mut self, container: Resource<Container>) -> Answer<String> {
        Ok(Ok(self.container(&container)?))
    }

    async fn info(&mut self, container: Resource<Container>) -> Answer<types::ContainerMetadata> {
        let container = self.container(&container)?;
        let info = self.blobs().info(&container).await;
        answer(
            info.map(|info| types::ContainerMetadata {
                name: info.name,
                created_at: info.created_at,
            }),
        )
    }

    async fn get_data(
        &mut self,
        container: Resource<Container>,
        name: String,
        start: u64,
        end: u64,
    ) -> Answer<Resource<Incoming>> {
        let container = self.container(&container)?;
        match answer(self.blobs().get_data(&container, &name, start, end).await)? {
            Ok(download) => Ok(Ok(self.table.push(Incoming::new(download))?)),
            Err(error) => Ok(Err(error)),
        }
    }

    async fn write_data(
        &mut self,
        container: Resource<Container>,
        name: String,
        data: Resource<Outgoing>,
    ) -> Answer<()> {
        let container = self.container(&container)?;
        let body = match self.table.get_mut(&data)?.begin() {
            Ok(body) => body,
            Err(error) => return Ok(Err(error)),
        };
        match answer(self.blobs().write_data(&container, &name, body).await)? {
            Ok(upload) => {
                self.table.get_mut(&data)?.begun(upload);
                Ok(Ok(()))
            }
            Err(error) => Ok(Err(error)),
        }
    }

    async fn list_objects(&mut self, container: Resource<Container>) -> Answer<Resource<Names>> {
        let names = Names::new(self.container(&container)?);
        // A container that is not there says so here, and not only when names are asked for.
        match answer(self.blobs().get_container(names.container()).await)? {
            Ok(()) => Ok(Ok(self.table.push(names)?)),
            Err(error) => Ok(Err(error)),
        }
    }

    async fn delete_object(&mut self, container: Resource<Container>, name: String) -> Answer<()> {
        let container = self.container(&container)?;
        answer(self.blobs().delete_object(&container, &name).await)
    }

    async fn delete_objects(
        &mut self,
        container: Resource<Container>,
        names: Vec<String>,
    ) -> Answer<()> {
        let container = self.container(&container)?;
        answer(self.blobs().delete_objects(&container, &names).await)
    }

    async fn has_object(&mut self, container: Resource<Container>, name: String) -> Answer<bool> {
        let container = self.container(&container)?;
        answer(self.blobs().has_object(&container, &name).await)
    }

    async fn object_info(
        &mut self,
        container: Resource<Container>,
        name: String,
    ) -> Answer<types::ObjectMetadata> {
        let container = self.container(&container)?;
        let info = self.blobs().object_info(&container, &name).await;
        answer(info.map(|info| types::ObjectMetadata {
            name: info.name,
            container: info.container,
            created_at: info.created_at,
            size: info.size,
        }))
    }

    async fn clear(&mut self, container: Resource<Container>) -> Answer<()> {
        let container = self.container(&container)?;
        answer(self.blobs().clear(&container).await)
    }

    async fn drop(&mut self, container: Resource<Container>) -> wasmtime::Result<()> {
        self.table.delete(container)?;
        Ok(())
    }
}
