//! The contract's functions, each spelled out once.

use wattle_core::Operation;

const SQL: &str = "wattle:sql/sql";

/// One statement's rows: [`Statement`](crate::wire::Statement) → [`Rows`](crate::wire::Rows).
pub const QUERY: Operation = Operation { interface: SQL, function: "query" };
/// One statement's effect: [`Statement`](crate::wire::Statement) → rows changed.
pub const EXECUTE: Operation = Operation { interface: SQL, function: "execute" };
/// Several statements' effects, or none: [`Batch`](crate::wire::Batch) → rows changed by each.
pub const BATCH: Operation = Operation { interface: SQL, function: "batch" };
