//! The contract's functions, each spelled out once.

use wattle_core::Operation;

use crate::WATCHER;

const STORE: &str = "wasi:keyvalue/store";
const ATOMICS: &str = "wasi:keyvalue/atomics";
const BATCH: &str = "wasi:keyvalue/batch";

/// Whether a bucket may be used: [`Open`](crate::wire::Open) → nothing.
pub const OPEN: Operation = Operation { interface: STORE, function: "open" };
/// One value: [`Get`](crate::wire::Get) → the value, if there is one.
pub const GET: Operation = Operation { interface: STORE, function: "get" };
/// Keeps a value: [`Set`](crate::wire::Set) → nothing.
pub const SET: Operation = Operation { interface: STORE, function: "set" };
/// Forgets a key: [`Delete`](crate::wire::Delete) → nothing.
pub const DELETE: Operation = Operation { interface: STORE, function: "delete" };
/// Whether a key has a value: [`Exists`](crate::wire::Exists) → bool.
pub const EXISTS: Operation = Operation { interface: STORE, function: "exists" };
/// One page of keys: [`ListKeys`](crate::wire::ListKeys) → [`KeyResponse`](crate::wire::KeyResponse).
pub const LIST_KEYS: Operation = Operation { interface: STORE, function: "list-keys" };
/// Adds to a number: [`Increment`](crate::wire::Increment) → the sum.
pub const INCREMENT: Operation = Operation { interface: ATOMICS, function: "increment" };
/// Several values: [`GetMany`](crate::wire::GetMany) → each key's value, if there is one.
pub const GET_MANY: Operation = Operation { interface: BATCH, function: "get-many" };
/// Keeps several values: [`SetMany`](crate::wire::SetMany) → nothing.
pub const SET_MANY: Operation = Operation { interface: BATCH, function: "set-many" };
/// Forgets several keys: [`DeleteMany`](crate::wire::DeleteMany) → nothing.
pub const DELETE_MANY: Operation = Operation { interface: BATCH, function: "delete-many" };
/// A key was given a value: [`OnSet`](crate::wire::OnSet) → nothing at all, not even a result.
pub const ON_SET: Operation = Operation { interface: WATCHER, function: "on-set" };
/// A key's value is gone: [`OnDelete`](crate::wire::OnDelete) → nothing at all, not even a result.
pub const ON_DELETE: Operation = Operation { interface: WATCHER, function: "on-delete" };
