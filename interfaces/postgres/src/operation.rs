//! The contract's functions, each spelled out once.

use wattle_core::Operation;

const QUERY_INTERFACE: &str = "wasmcloud:postgres/query";
const PREPARED: &str = "wasmcloud:postgres/prepared";

/// One statement: [`Query`](crate::wire::Query) → its rows.
pub const QUERY: Operation = Operation { interface: QUERY_INTERFACE, function: "query" };
/// Several statements: [`QueryBatch`](crate::wire::QueryBatch) → nothing.
pub const QUERY_BATCH: Operation =
    Operation { interface: QUERY_INTERFACE, function: "query-batch" };
/// A statement's token: [`Prepare`](crate::wire::Prepare) → the token.
pub const PREPARE: Operation = Operation { interface: PREPARED, function: "prepare" };
/// A prepared statement: [`Exec`](crate::wire::Exec) → rows changed.
pub const EXEC: Operation = Operation { interface: PREPARED, function: "exec" };
