//! Telling an actor what a key has now.

use std::{future::Future, time::Duration};

use wattle_core::{CallError, ErrorKind, call::Call, codec};

use super::{Key, Watch};
use crate::{
    Failure,
    limit::check_value,
    operation,
    wire::{OnDelete, OnSet},
};

/// Between two attempts; they double, up to the last.
const PAUSE: Duration = Duration::from_millis(100);
const PAUSE_MAX: Duration = Duration::from_secs(5);

/// Where the value is that an actor is told.
pub trait Read: Sync {
    /// What a key of the link's bucket has now.
    fn read(&self, key: &str) -> impl Future<Output = Result<Option<Vec<u8>>, Failure>> + Send;
}

/// What came of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Told {
    /// The actor knows.
    Knows,
    /// The key has changed again meanwhile: it comes again.
    ChangedAgain,
    /// What the key has is no value that an actor could be told: too long, or of a kind that this contract does not have.
    NoValue(String),
    /// The actor failed each time.
    GivenUp(CallError),
}

/// Tells the actor of one key: again where it fails, as often as the link says, and for as long as the store cannot be read or the
/// actor is not there.
///
/// # Cancel safety
/// The actor may have been told when the future is dropped.
pub async fn tell<S>(
    call: &impl Call,
    watch: &Watch,
    key: &Key,
    store: &impl Read,
    sleep: impl Fn(Duration) -> S,
) -> Told
where
    S: Future<Output = ()>,
{
    let mut pause = PAUSE;
    let mut failed = 0;
    loop {
        let failure = match store.read(key.as_str()).await {
            Ok(value) => match once(call, &watch.bucket, key.as_str(), value).await {
                Ok(()) => return Told::Knows,
                Err(error) if error.kind == ErrorKind::TooLarge => {
                    return Told::NoValue(error.message);
                }
                Err(error) => Some(error),
            },
            Err(Failure::Store(error)) => return Told::NoValue(error.to_string()),
            Err(Failure::Call(error)) if error.kind == ErrorKind::TooLarge => {
                return Told::NoValue(error.message);
            }
            Err(Failure::Call(_)) => None, // the store comes back, and says itself what is wrong with it
        };
        if key.has_changed() {
            return Told::ChangedAgain;
        }
        // An actor that is starting, or has too much to do, will be there: only what it failed at counts.
        if let Some(error) = failure.filter(|error| !error.kind.is_for_another_host()) {
            failed += 1;
            if failed >= watch.attempts {
                return Told::GivenUp(error);
            }
        }
        sleep(pause).await;
        pause = (pause * 2).min(PAUSE_MAX);
    }
}

async fn once(
    call: &impl Call,
    bucket: &str,
    key: &str,
    value: Option<Vec<u8>>,
) -> Result<(), CallError> {
    let (operation, params) = match value {
        Some(value) => {
            if let Err(Failure::Call(error)) = check_value(&value) {
                return Err(error);
            }
            let set = OnSet { bucket: bucket.into(), key: key.into(), value: value.into() };
            (operation::ON_SET, codec::encode(&set))
        }
        None => {
            let delete = OnDelete { bucket: bucket.into(), key: key.into() };
            (operation::ON_DELETE, codec::encode(&delete))
        }
    };
    call.call(operation, params).await.map(drop) // it answers nothing
}
