//! The contract's functions, each spelled out once.

use wattle_core::Operation;

const BLOBSTORE: &str = "wasi:blobstore/blobstore";
const CONTAINER: &str = "wasi:blobstore/container";

/// Makes a container: [`Container`](crate::wire::Container) → nothing.
pub const CREATE_CONTAINER: Operation =
    Operation { interface: BLOBSTORE, function: "create-container" };
/// Whether a container may be used: [`Container`](crate::wire::Container) → nothing.
pub const GET_CONTAINER: Operation = Operation { interface: BLOBSTORE, function: "get-container" };
/// Deletes a container with all in it: [`Container`](crate::wire::Container) → nothing.
pub const DELETE_CONTAINER: Operation =
    Operation { interface: BLOBSTORE, function: "delete-container" };
/// Whether a container is there: [`Container`](crate::wire::Container) → bool.
pub const CONTAINER_EXISTS: Operation =
    Operation { interface: BLOBSTORE, function: "container-exists" };
/// Copies an object: [`Transfer`](crate::wire::Transfer) → nothing.
pub const COPY_OBJECT: Operation = Operation { interface: BLOBSTORE, function: "copy-object" };
/// Moves an object: [`Transfer`](crate::wire::Transfer) → nothing.
pub const MOVE_OBJECT: Operation = Operation { interface: BLOBSTORE, function: "move-object" };
/// What is known of a container: [`Container`](crate::wire::Container) →
/// [`ContainerMetadata`](crate::wire::ContainerMetadata).
pub const INFO: Operation = Operation { interface: CONTAINER, function: "info" };
/// An object's bytes: [`GetData`](crate::wire::GetData) → how many follow, and they as the reply's body.
pub const GET_DATA: Operation = Operation { interface: CONTAINER, function: "get-data" };
/// Puts an object, whose bytes are the request's body: [`Object`](crate::wire::Object) → nothing, which says that it has begun.
/// How it ended is the reply's body: one encoded [`Outcome<()>`](crate::wire::Outcome), or the stream's error.
pub const WRITE_DATA: Operation = Operation { interface: CONTAINER, function: "write-data" };
/// One page of names: [`ListObjects`](crate::wire::ListObjects) → [`ObjectNames`](crate::wire::ObjectNames).
pub const LIST_OBJECTS: Operation = Operation { interface: CONTAINER, function: "list-objects" };
/// Deletes an object: [`Object`](crate::wire::Object) → nothing.
pub const DELETE_OBJECT: Operation = Operation { interface: CONTAINER, function: "delete-object" };
/// Deletes several: [`DeleteObjects`](crate::wire::DeleteObjects) → nothing.
pub const DELETE_OBJECTS: Operation =
    Operation { interface: CONTAINER, function: "delete-objects" };
/// Whether an object is there: [`Object`](crate::wire::Object) → bool.
pub const HAS_OBJECT: Operation = Operation { interface: CONTAINER, function: "has-object" };
/// What is known of an object: [`Object`](crate::wire::Object) → [`ObjectMetadata`](crate::wire::ObjectMetadata).
pub const OBJECT_INFO: Operation = Operation { interface: CONTAINER, function: "object-info" };
/// Deletes all objects: [`Container`](crate::wire::Container) → nothing.
pub const CLEAR: Operation = Operation { interface: CONTAINER, function: "clear" };
