//! The one thread that changes a database's file.
//!
//! Making a change durable costs one sync of the disk, whether it is one change or many. So changes that wait go into one
//! transaction, each within a savepoint of its own, and everyone is answered after the sync that they share. Where a call takes the
//! transaction down with it (it was stopped half-way, or asked for a rollback), the others are done again without it. One that takes
//! long is stopped for their sake, and begins again by itself when they have their answers.

use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    sync::Arc,
    time::{Duration, Instant},
};

use tracing::error;
use wattle_sql::Error;

use crate::{
    call::{Call, Done},
    connection::Session,
    failure::{commit_failure, failure},
    log::{Keeper, Log},
    queue::Queue,
    run,
};

/// The most calls of one transaction.
const GROUP_MAX: usize = 256;

/// A transaction takes no further calls once it is this old: it bounds how long the first of them waits for the others.
const GROUP_TIME: Duration = Duration::from_millis(10);

/// How long a call may run while others in its transaction wait for their answers. Beyond it, it has to do with a transaction of its
/// own: what it did till then is lost, which is little beside what it still takes.
const COMPANY_TIME: Duration = Duration::from_millis(50);

/// How long the thread waits at a time. It ends with the file, not with its patience.
const PATIENCE: Duration = Duration::from_secs(3_600);

/// A call that ran within the transaction, and what came of it if that commits.
type Ran = (Call, Result<Done, Error>);

/// Changes the file until nobody can ask for more.
pub(crate) fn run(session: &Session, queue: &Queue, log: Arc<Log>) {
    let mut keeper = Keeper::of(log);
    while !queue.is_over() {
        let Some(first) = queue.next(PATIENCE) else { continue };
        if let Err(full) = keeper.keep_short(session) {
            first.answer(Err(full));
            continue;
        }
        let group = catch_unwind(AssertUnwindSafe(|| group(session, queue, first)));
        if group.is_err() {
            error!("a statement panicked, and its transaction is undone");
        }
        undo(session);
    }
}

/// Runs calls in one transaction, from `first` on.
fn group(session: &Session, queue: &Queue, first: Call) {
    let began = Instant::now();
    if let Err(error) = session.command("BEGIN IMMEDIATE") {
        return first.answer(Err(failure(error)));
    }
    let mut ran: Vec<Ran> = Vec::new();
    let mut next = Some(first);
    while let Some(call) = next {
        if call.ticket.begin() {
            let outcome = within_savepoint(session, &call, !ran.is_empty());
            let is_long = matches!(outcome, Err(Error::Timeout(_))) && !call.ticket.is_over();
            let is_lost = session.is_outside_transaction();
            if is_lost || is_long {
                let finish = if is_lost { again } else { commit };
                finish(session, ran);
                let outcome = if is_long { alone(session, &call) } else { outcome };
                return call.answer(outcome);
            }
            ran.push((call, outcome));
        }
        let full = ran.len() >= GROUP_MAX || began.elapsed() >= GROUP_TIME;
        next = if full { None } else { queue.take() };
    }
    commit(session, ran);
}

fn commit(session: &Session, mut ran: Vec<Ran>) {
    match session.command("COMMIT") {
        Ok(()) => ran.into_iter().for_each(|(call, outcome)| call.answer(outcome)),
        Err(error) => {
            undo(session);
            // One of them left rows that refer to none (a constraint that waits for the commit), or the disk failed.
            if ran.len() == 1
                && let Some((call, outcome)) = ran.pop()
            {
                return call.answer(outcome.and_then(|_| Err(commit_failure(error))));
            }
            each_alone(session, ran);
        }
    }
}

/// Does calls again whose common transaction is gone, in another. What had failed has failed.
fn again(session: &Session, mut ran: Vec<Ran>) {
    if ran.is_empty() {
        return;
    }
    if session.command("BEGIN IMMEDIATE").is_err() {
        return each_alone(session, ran);
    }
    for (call, outcome) in &mut ran {
        if outcome.is_ok() {
            *outcome = within_savepoint(session, call, false);
        }
        if session.is_outside_transaction() {
            return each_alone(session, ran);
        }
    }
    commit(session, ran);
}

/// The same, each in a transaction of its own.
fn each_alone(session: &Session, ran: Vec<Ran>) {
    for (call, outcome) in ran {
        let outcome = outcome.and_then(|_| alone(session, &call));
        call.answer(outcome);
    }
}

fn alone(session: &Session, call: &Call) -> Result<Done, Error> {
    session.command("BEGIN IMMEDIATE").map_err(failure)?;
    let done = run::write(session, call).inspect_err(|_| undo(session))?;
    session.command("COMMIT").map_err(|error| {
        undo(session);
        commit_failure(error)
    })?;
    Ok(done)
}

/// Runs a call so that its failure takes back what it did, and nothing else. It stops soon where others wait for it.
fn within_savepoint(session: &Session, call: &Call, others_wait: bool) -> Result<Done, Error> {
    session.command("SAVEPOINT call").map_err(failure)?;
    let write = || run::write(session, call);
    let outcome = if others_wait { session.within(COMPANY_TIME, write) } else { write() };
    if session.is_outside_transaction() {
        return outcome.and_then(|_| Err(undone()));
    }
    if outcome.is_err() {
        session.command("ROLLBACK TO call").map_err(failure)?;
    }
    session.command("RELEASE call").map_err(failure)?;
    outcome
}

/// Ends a transaction that is open still.
fn undo(session: &Session) {
    if !session.is_outside_transaction()
        && let Err(reason) = session.command("ROLLBACK")
    {
        error!(%reason, "a transaction cannot be undone");
    }
}

fn undone() -> Error {
    Error::Conflict("the transaction was undone".to_owned())
}
