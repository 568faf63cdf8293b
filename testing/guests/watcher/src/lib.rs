//! Is told of changes in a store. Each goes into the bucket `copy` of the actor's own store, and is counted there; a watcher without a
//! store says in its log what the bucket that it was given answers.

use wattle::{
    Result,
    keyvalue::{self, Change, Error},
    log,
};

wattle::watch!(copy);

fn copy(change: Change) -> Result<()> {
    let Change { bucket, key, value } = change;
    let copy = match keyvalue::open("copy") {
        Err(Error::AccessDenied) => {
            log::info(&format!("{key} in its bucket: {:?}", bucket.get(&key)));
            return Ok(());
        }
        opened => opened?,
    };
    match value {
        Some(value) => copy.set(&key, value)?,
        None => copy.delete(&key)?,
    }
    copy.increment(&format!("{key} changed"), 1)?;
    Ok(())
}
