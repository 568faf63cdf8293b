//! What every provider of the contract must do, run by each against its real backend, through the real encoding.
//!
//! A provider gives callers over a store that is empty; the suite says what is wrong by panicking, as tests do. Each check uses
//! a container of its own, whose name any S3 would take.

mod containers;
mod limits;
mod listing;
mod names;
mod objects;
pub mod pattern;
mod scopes;
mod streams;
mod transfers;
mod uploads;

use bytes::Bytes;
use wattle_core::{CallError, Constraints, ErrorKind, link::Settings};
use wattle_wire::Body;

use crate::{Caller, Carry, Failure};

/// Runs the whole suite. `caller` makes a caller over a link with these constraints and, beside those that the provider needs,
/// these settings; always to the same store.
pub async fn run<C: Carry>(caller: impl AsyncFn(Constraints, Settings) -> Caller<C>) {
    let open = caller(Constraints::new(), Settings::new()).await;
    Box::pin(containers::run(&open)).await;
    Box::pin(objects::run(&open)).await;
    Box::pin(names::run(&open)).await;
    Box::pin(listing::run(&open)).await;
    Box::pin(transfers::run(&open)).await;
    Box::pin(uploads::run(&open)).await;
    Box::pin(streams::run(&open)).await;
    Box::pin(limits::run(&open, &caller)).await;
    Box::pin(scopes::run(&open, &caller)).await;
}

/// The largest object that a check takes into memory.
const SMALL: usize = 8 * 1024 * 1024;

/// What a check expects of a store that works.
async fn ok<T>(what: &str, answer: impl Future<Output = Result<T, Failure>>) -> T {
    match answer.await {
        Ok(value) => value,
        Err(failure) => panic!("{what}: {failure:?}"),
    }
}

/// What a check expects where the store refuses in its own words.
async fn refused<T>(what: &str, answer: impl Future<Output = Result<T, Failure>>) {
    match answer.await {
        Err(Failure::Store(_)) => {}
        Ok(_) => panic!("{what} was taken"),
        Err(other) => panic!("{what}: {other:?}"),
    }
}

/// What a check expects where the call fails in this way.
async fn fails<T>(kind: ErrorKind, what: &str, answer: impl Future<Output = Result<T, Failure>>) {
    match answer.await {
        Err(Failure::Call(CallError { kind: found, message })) => {
            assert_eq!(found, kind, "{what}: {message}");
        }
        Ok(_) => panic!("{what} was taken"),
        Err(other) => panic!("{what}: {other:?}"),
    }
}

/// Puts a small object and waits until it is there.
async fn put<C: Carry>(
    store: &Caller<C>,
    container: &str,
    name: &str,
    data: impl Into<Bytes>,
) -> Result<(), Failure> {
    store.write_data(container, name, Body::full(data)).await?.finish().await
}

/// A small object's bytes.
async fn get<C: Carry>(store: &Caller<C>, container: &str, name: &str) -> Result<Bytes, Failure> {
    part(store, container, name, 0, u64::MAX).await
}

/// Some of a small object's bytes, as many as were said.
async fn part<C: Carry>(
    store: &Caller<C>,
    container: &str,
    name: &str,
    start: u64,
    end: u64,
) -> Result<Bytes, Failure> {
    let mut download = store.get_data(container, name, start, end).await?;
    let data = download.body.collect(SMALL).await?;
    assert_eq!(download.size, data.len() as u64, "what was said and what came");
    Ok(data)
}
