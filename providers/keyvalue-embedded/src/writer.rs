//! The one thread that changes a store's file.
//!
//! Making a change durable costs one sync of the disk, whether it is one change or a thousand. So whatever waits when a
//! transaction begins goes into it together, and everyone is answered after the sync that they share.

use redb::{Database, Durability};
use tokio::sync::{OwnedSemaphorePermit, mpsc, oneshot};
use wattle_keyvalue::Failure;

use crate::{database::Held, layout::Changes, watchers::Watchers};

/// The most changes in one transaction: it bounds how long the first of them waits.
const GROUP_MAX: usize = 1_024;

/// One call's change: all of it happens, or nothing.
pub(crate) enum Change {
    Set { bucket: String, entries: Vec<(String, Vec<u8>)> },
    Delete { bucket: String, keys: Vec<String> },
    Increment { bucket: String, key: String, delta: u64 },
}

/// A change and who waits for it.
pub(crate) struct Write {
    pub(crate) change: Change,
    /// The sum of an increment, else 0. Dropped where the caller went away.
    pub(crate) answer: oneshot::Sender<Result<u64, Failure>>,
    /// The change's share of the memory that waiting changes may take.
    pub(crate) _memory: OwnedSemaphorePermit,
}

/// A bucket and a key in it that a group has changed.
type Touched<'g> = (&'g str, &'g str);

/// Changes the file until nobody can ask for more. What is on the disk is told to the watchers, in the order of the changes.
pub(crate) fn run(held: &Held, mut queue: mpsc::Receiver<Write>, watchers: &Watchers) {
    let mut group = Vec::new();
    while let Some(first) = queue.blocking_recv() {
        group.push(first);
        while group.len() < GROUP_MAX
            && let Ok(next) = queue.try_recv()
        {
            group.push(next);
        }
        group.retain(|write| !write.answer.is_closed());
        let mut touched = Vec::new();
        match write(held, &group, &mut touched) {
            Ok(outcomes) => {
                watchers.note(&touched);
                drop(touched);
                for (write, outcome) in group.drain(..).zip(outcomes) {
                    let _ = write.answer.send(outcome); // whoever went away does not want it
                }
            }
            Err(failure) => {
                drop(touched);
                for write in group.drain(..) {
                    let _ = write.answer.send(Err(failure.clone()));
                }
            }
        }
    }
}

fn write<'g>(
    held: &Held,
    group: &'g [Write],
    touched: &mut Vec<Touched<'g>>,
) -> Result<Vec<Result<u64, Failure>>, Failure> {
    let database = held.get()?;
    let outcomes = commit(&database, group, touched).map_err(|error| held.failed(&error))?;
    held.written();
    Ok(outcomes)
}

/// All changes of a group, on the disk when this returns. Where one cannot be written, none is.
fn commit<'g>(
    database: &Database,
    group: &'g [Write],
    touched: &mut Vec<Touched<'g>>,
) -> Result<Vec<Result<u64, Failure>>, redb::Error> {
    let mut transaction = database.begin_write()?;
    // Without redb's quick repair: it spares a crashed store of 1 GB one of its two seconds of opening, and makes each commit
    // take 8 ms instead of 2.
    transaction.set_durability(Durability::Immediate)?;
    let mut outcomes = Vec::with_capacity(group.len());
    {
        let mut changes = Changes::open(&transaction)?;
        for write in group {
            outcomes.push(apply(&mut changes, &write.change, touched)?);
        }
    }
    transaction.commit()?;
    Ok(outcomes)
}

fn apply<'g>(
    changes: &mut Changes<'_>,
    change: &'g Change,
    touched: &mut Vec<Touched<'g>>,
) -> Result<Result<u64, Failure>, redb::StorageError> {
    match change {
        Change::Set { bucket, entries } => {
            for (key, value) in entries {
                changes.set(bucket, key, value)?;
                touched.push((bucket, key));
            }
            Ok(Ok(0))
        }
        Change::Delete { bucket, keys } => {
            for key in keys {
                if changes.delete(bucket, key)? {
                    touched.push((bucket, key));
                }
            }
            Ok(Ok(0))
        }
        Change::Increment { bucket, key, delta } => {
            let sum = changes.increment(bucket, key, *delta)?;
            if sum.is_ok() {
                touched.push((bucket, key));
            }
            Ok(sum)
        }
    }
}

impl Change {
    /// About how much memory it takes.
    pub(crate) fn len(&self) -> usize {
        const EACH: usize = 128; // the change itself, its channel, its lengths
        EACH + match self {
            Self::Set { entries, .. } => {
                entries.iter().map(|(key, value)| EACH + key.len() + value.len()).sum()
            }
            Self::Delete { keys, .. } => keys.iter().map(|key| EACH + key.len()).sum(),
            Self::Increment { key, .. } => key.len(),
        }
    }
}
