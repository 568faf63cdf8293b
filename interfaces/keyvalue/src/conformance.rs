//! What every provider of the contract must do, run by each against its real backend, through the real encoding.
//!
//! A provider gives callers over a store that is empty; the suite says what is wrong by panicking, as tests do. Each check uses
//! a bucket of its own, so that one store serves all of them at once.

mod atomics;
mod batch;
mod limits;
mod listing;
mod scopes;
mod store;
pub mod watcher;

use wattle_core::{CallError, Constraints, ErrorKind, call::Call};

use crate::{Caller, Error, Failure};

/// Runs the whole suite. `caller` makes a caller over a link with these constraints, always to the same store.
pub async fn run<C: Call>(caller: impl AsyncFn(Constraints) -> Caller<C>) {
    let open = caller(Constraints::new()).await;
    store::run(&open).await;
    atomics::run(&open).await;
    batch::run(&open).await;
    listing::run(&open).await;
    limits::run(&open).await;
    scopes::run(&caller).await;
}

/// What a check expects of a store that works.
async fn ok<T>(what: &str, answer: impl Future<Output = Result<T, Failure>>) -> T {
    match answer.await {
        Ok(value) => value,
        Err(failure) => panic!("{what}: {failure:?}"),
    }
}

/// What a check expects where the link does not allow it.
async fn denied<T>(what: &str, answer: impl Future<Output = Result<T, Failure>>) {
    match answer.await {
        Ok(_) => panic!("{what} was allowed"),
        Err(failure) => assert_eq!(Error::from(failure), Error::AccessDenied, "{what}"),
    }
}

/// What a check expects where something is past its limit.
async fn too_large<T>(what: &str, answer: impl Future<Output = Result<T, Failure>>) {
    match answer.await {
        Err(Failure::Call(CallError { kind: ErrorKind::TooLarge, .. })) => {}
        Ok(_) => panic!("{what} was taken"),
        Err(other) => panic!("{what}: {other:?}"),
    }
}

/// What a check expects where the store refuses in its own words.
async fn refused<T>(what: &str, answer: impl Future<Output = Result<T, Failure>>) {
    match answer.await {
        Err(Failure::Store(Error::Other(_))) => {}
        Ok(_) => panic!("{what} was taken"),
        Err(other) => panic!("{what}: {other:?}"),
    }
}
